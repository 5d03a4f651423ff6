"""What is decided today, and what holds it below that: the results of `engine.network.decide`."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.network.asked_again import NOT_AGAIN, AskedAgain
from engine.network.presale_paths import NO_PRESALES, PresalePaths
from engine.network.steady import Steady
from engine.network.supplier_types import SupplierOrders, no_orders
from engine.plan.types import SolveReport
from engine.policy.types import F64, Options, Scenarios, Texts

UNCOUPLED = SolveReport("uncoupled", 0.0, 0.0, 0.0, {"parts": 0, "rounds": 0, "cuts": 0, "nodes": 0})


@dataclass(frozen=True)
class Decision:
    """What is ordered and moved today.

    Parameters
    ----------
    units
        Units of every option, shape (m,).
    rule
        What decided them, one of `BINDING`'s names, shape (m,).
    cost_of_waiting
        Expected cost with an option's units left out less that as decided, until its cell's next primary order arrives
        (`engine.network.expected.cost_without`), shape (m,); 0 for unused options, below 0 where a target asks for
        more than saves money.
    cycle_service, fill_rate
        What each cell reaches over the interval of its primary option, shape (n,); NaN without one.
    demand
        The scenarios with what is sent today as demand at the givers.
    report
        How the coupled problem was solved.
    later
        The same without what is sent today: own demand, and what fed cells order later.
    own
        Own demand alone.
    presales
        What of ``later`` is presales.
    supplier_orders
        What the terms of suppliers did to the orders that they concern.
    fresh
        Units without the older plan: what is decided, but for what was kept as that plan meant it, shape (m,); None
        where there is no such plan.
    again
        What takes the place of ``later`` in targets and expected service.
    """

    units: F64
    rule: Texts
    cost_of_waiting: F64
    cycle_service: F64
    fill_rate: F64
    demand: Scenarios
    report: SolveReport
    later: Scenarios
    own: Scenarios
    presales: PresalePaths = NO_PRESALES
    supplier_orders: SupplierOrders = field(default_factory=no_orders)
    fresh: F64 | None = None
    again: AskedAgain = NOT_AGAIN

    def for_targets(self, options: Options) -> Scenarios:
        """Return ``demand`` with what feeders cannot give asked for again."""
        return self.again.into(self.demand, options, self.units)


@dataclass(frozen=True)
class Curbed:
    """Purchases that limits shared with other items hold below what was decided.

    ``units`` of every option, shape (m,); ``rule``: the name in `BINDING` of what bound them, "" for options that are
    not curbed.
    """

    units: F64
    rule: Texts


@dataclass(frozen=True)
class Conditions:
    """What today's decision has to respect beside the network's own rules and the targets.

    Parameters
    ----------
    presales
        What of the demand is presales.
    curbed
        Purchases that were cut since; None: none were.
    steady
        What holds primary links to an older plan; None: there is none.
    """

    presales: PresalePaths = NO_PRESALES
    curbed: Curbed | None = None
    steady: Steady | None = None


NO_CONDITIONS = Conditions()
