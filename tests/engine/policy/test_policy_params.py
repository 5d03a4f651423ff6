"""Settings refuse what makes no sense."""

import pytest

from engine.policy.params import AggregateParams, CostParams, SupplyParams, TargetParams


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: TargetParams(service=1.0), r"service must lie in \(0, 1\). Got 1.0"),
        (lambda: TargetParams(by_class={"A": 0.0}), r"by_class.A must lie in \(0, 1\)"),
        (lambda: TargetParams(by_class={"D": 0.9}), r"classes A, B or C. Got \['D'\]"),
        (lambda: TargetParams(cover_days=0), "cover_days must be > 0"),
        (lambda: AggregateParams(share=1.0), r"aggregate.share must lie in \[0, 1\). Got 1.0"),
        (lambda: AggregateParams(0.9, floor_by_class={"A": 1.0}), r"floor_by_class.A must lie in \(0, 1\)"),
        (lambda: AggregateParams(0.9, floor_by_class={"X": 0.5}), r"classes A, B or C. Got \['X'\]"),
        (lambda: TargetParams(aggregate=AggregateParams(0.9)), "objective must be fill_rate with an aggregate"),
        (
            lambda: TargetParams("fill_rate", by_class={"A": 0.9}, aggregate=AggregateParams(0.9)),
            "by_class must be empty with an aggregate",
        ),
        (lambda: TargetParams(aggregate=AggregateParams(floor_by_class={"A": 0.9})), "aggregate.share must be given"),
        (lambda: CostParams(holding_share_per_year=-0.1), "holding_share_per_year must be >= 0"),
        (lambda: SupplyParams(lead_time_days=0), "lead_time_days must be > 0"),
        (lambda: SupplyParams(lead_time_sd_days=-1), "lead_time_sd_days must be >= 0"),
        (lambda: SupplyParams(review_period_days=0), "review_period_days must be >= 1"),
    ],
)
def test_settings_out_of_range_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_defaults_are_those_of_the_design():
    assert TargetParams() == TargetParams(objective="cycle_service", service=0.95, by_class={}, cover_days=14)
    assert SupplyParams().lead_time_days is None
    assert SupplyParams().review_period_days == 7
