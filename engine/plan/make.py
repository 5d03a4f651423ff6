"""The main path: from checked tables to a plan, with no file, server or tracker."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.config import PlanConfig
from engine.demand.build import build_panel, choose_calendar, demand_keys
from engine.demand.oddities import odd_series, usual_ahead
from engine.demand.panel import DemandPanel
from engine.demand.recovered import recovered_notes
from engine.errors import ConfigError
from engine.execution import Run
from engine.forecast.choice import backtest_of
from engine.forecast.factors import Explain
from engine.forecast.overrides import with_overrides
from engine.forecast.streams import Streams
from engine.forecast.succession import with_run_down
from engine.forecast.types import Fitted, Forecaster
from engine.network.build import build_network
from engine.network.open_orders import OpenLines, open_lines
from engine.network.parts import NetworkPart, network_parts
from engine.network.presale import Presale, presale_demand
from engine.network.run_down import pooled_stock
from engine.network.steady import Meant
from engine.network.types import Network
from engine.plan.assemble import assumption_tables
from engine.plan.changes import Edition
from engine.plan.join import join_alerts, join_costs, join_curves_by_key, join_tables, late_inbound
from engine.plan.kept import kept_notes
from engine.plan.limits import Shared, SharedLimits, share_limits, shared_limits
from engine.plan.meant import meant_before
from engine.plan.mix import unmixed, with_mix
from engine.plan.part import PartResult, PartWork, plan_part
from engine.plan.tables import empty_table
from engine.plan.types import Plan, joined_report
from engine.tables import Tables


def make_plan(
    tables: Tables,
    config: PlanConfig,
    forecaster: Forecaster,
    run: Run | None = None,
    as_of: np.datetime64 | None = None,
    explain: Explain | None = None,
    since: Edition | None = None,
) -> Plan:
    """Return the plan of ``as_of``: what to order, to move and to place before a presale ships, and why.

    Parameters
    ----------
    tables
        Checked tables (`engine.tables`).
    config
        Settings.
    forecaster
        Any forecaster that passes `engine.forecast.conformance.check_forecaster`.
    run
        Executor, progress, cancellation; by default this process, silently.
    as_of
        Day of the plan, made at its start; by default the day after the last complete bucket.
    explain
        Tells what the mean forecast is made of (`models.contributions.forecast_factors`); without it the table
        ``forecast_reasons`` stays empty.
    since
        An older plan, whose lines stay where chance alone explains the difference (`engine.network.steady`).

    Raises
    ------
    ConfigError, DataError, ContradictionError, Cancelled
        See `engine.errors`.
    """
    run = run or Run()
    calendar, span_notes = choose_calendar(tables, config.time, as_of)
    if calendar.bucket == "M":
        raise ConfigError(
            "A plan is made in days or weeks", "monthly sales", "Give daily or weekly sales, or use restock forecast"
        )
    keys = demand_keys(tables, calendar)
    network = build_network(tables, config, calendar, keys)
    panel, panel_notes = build_panel(tables, config, network.calendar, keys, network.interval_for(keys))
    panel_notes = (*panel_notes, *odd_series(panel), *recovered_notes(panel))
    panel = usual_ahead(panel)
    run.step("fit", 0, 1)
    fitted = forecaster.fit(panel)
    run.step("fit", 1, 1)
    fitted, run_down_notes = with_run_down(fitted, panel, tables, pooled_stock(network))
    fitted, override_notes = with_overrides(fitted, panel, tables, config, run)
    presale = presale_demand(tables, network, config, Streams(config.seed))
    on_order, on_order_notes = open_lines(tables, network)
    split = network_parts(network)
    meant = meant_before(network, tables, since, config.targets.objective)
    work = [_work(part, network, panel, fitted, (presale, on_order, meant), config) for part in split]
    mixed = unmixed(work, network)
    if config.targets.aggregate.asked and work:
        mixed = with_mix(work, split, network, tables.known_on(network.calendar.as_of), run)
    limits = shared_limits(tables, config.limits, network)
    parts, shared = _within([replace(one, explain=explain) for one in mixed.work], limits, run)
    joined = join_tables(parts)
    mix_notes = (*mixed.notes, *mixed.after_limits(joined["targets"], network))
    told = (
        *fitted.notes,
        *run_down_notes,
        *override_notes,
        *presale.notes,
        *on_order_notes,
        *mix_notes,
        *shared.notes,
        *kept_notes(part.kept for part in parts),
    )
    notes = (*span_notes, *network.notes, *panel_notes, *told, *(note for part in parts for note in part.notes))
    alerts = join_alerts(network, parts, split, late_inbound(tables, network), config)
    return Plan(
        as_of=str(network.calendar.as_of),
        bucket=network.calendar.bucket,
        tables={
            **joined,
            "changes": empty_table("changes"),
            "stability": empty_table("stability"),
            "alerts": alerts,
            "costs": join_costs(parts),
            "stock_to_service": mixed.table,
            **shared.tables,
            **assumption_tables(notes),
        },
        solve=joined_report([part.solve for part in parts]),
        curves=join_curves_by_key(parts),
        backtest=backtest_of(fitted),
    )


def _work(
    part: NetworkPart,
    network: Network,
    panel: DemandPanel,
    fitted: Fitted,
    orders: tuple[Presale, OpenLines, Meant],
    config: PlanConfig,
) -> PartWork:
    presale, on_order, meant = orders
    series_of_cell = np.full(network.cells.n_cells, -1, dtype=np.int64)
    series_of_cell[network.key_rows] = np.arange(panel.n_series)
    series = series_of_cell[part.cell_rows]
    own = series >= 0
    return PartWork(
        network=part.network,
        panel=panel.take(series[own]),
        series=np.where(own, np.cumsum(own) - 1, -1),
        fitted=fitted,
        presale=presale.take(part.cell_rows),
        open_lines=on_order.take(part.cell_rows, part.option_rows),
        meant=meant.take(part.option_rows),
        config=config,
    )


def _within(work: list[PartWork], limits: SharedLimits | None, run: Run) -> tuple[list[PartResult], Shared]:
    """Return the parts as decided, those anew whose purchases were cut to hold limits shared by all items."""
    parts = _decide([replace(one, limited=limits is not None) for one in work], run)
    shared = share_limits(limits, [part.ladders for part in parts], [one.network.options.n_options for one in work])
    again = [row for row, curbed in enumerate(shared.curbed) if curbed is not None]
    if again:
        anew = _decide([replace(work[row], curbed=shared.curbed[row]) for row in again], run)
        for row, part in zip(again, anew, strict=True):
            parts[row] = part
    return parts, shared


def _decide(work: list[PartWork], run: Run) -> list[PartResult]:
    run.step("decide", 0, len(work))
    results = []
    for result in run.executor_for(len(work)).map(plan_part, work):
        results.append(result)
        run.step("decide", len(results), len(work))
    return results
