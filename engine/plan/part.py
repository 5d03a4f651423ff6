"""One part of a plan: whole items from demand paths to decided lines. Pure, so that it runs in any process."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from engine.config import PlanConfig
from engine.demand.panel import DemandPanel
from engine.forecast.choice import models_of
from engine.forecast.factors import Explain
from engine.forecast.streams import Streams
from engine.forecast.summary import forecast_table
from engine.forecast.types import Fitted, SamplePaths
from engine.messages import Message
from engine.network.alternatives import alternatives
from engine.network.decide import solve_network
from engine.network.decision import Conditions, Curbed, Decision
from engine.network.help import priced_cells
from engine.network.open_changes import open_changes
from engine.network.open_orders import OpenLines
from engine.network.planned import planned_lines
from engine.network.presale import Presale
from engine.network.presale_allocation import presale_allocations
from engine.network.presale_paths import PresalePaths, presale_paths, reached_late, waiting
from engine.network.presale_summary import presale_summary
from engine.network.projection import projected_cells, projection_rows
from engine.network.shelf_life import within_shelf_life
from engine.network.steady import Meant, steadiness
from engine.network.tiers import TierDemand, tier_demand
from engine.network.types import Network
from engine.plan.alternative_lines import ALTERNATIVE_CELLS, alternative_lines
from engine.plan.assemble import CellLabels, TargetInputs, line_facts, targets_table
from engine.plan.forecast_reasons import forecast_reasons
from engine.plan.kept import NOTHING_KEPT, Kept, kept_today
from engine.plan.ladders import Ladders, ladders
from engine.plan.lines import order_lines, transfer_lines
from engine.plan.open_order_lines import open_order_changes
from engine.plan.summary import CellSummary, summarise, weekly_classes
from engine.plan.supplier_table import supplier_orders_table
from engine.plan.tables import empty_table
from engine.plan.told import part_notes
from engine.plan.types import SolveReport
from engine.policy.cost import cost_of_orders, own_horizon
from engine.policy.interval_cost import price_above_cost
from engine.policy.lead_times import arrival_buckets
from engine.policy.order_now import OrderCurves, build_curves
from engine.policy.targets import stock_targets
from engine.policy.types import F64, I64, Scenarios, StockRule, Targets

SCOPE = "restock"
"""Enters every line id: the same need has the same id in every plan."""


@dataclass(frozen=True)
class PartWork:
    """What `plan_part` needs: a part of the network with its series.

    Parameters
    ----------
    network
        Cells and options of whole items.
    panel
        The series of those cells that have demand of their own.
    series
        Row in ``panel`` of each cell, -1 for none.
    fitted
        The forecaster, fitted on the whole panel.
    presale
        Presale demand of the cells.
    open_lines
        Open orders to the cells.
    meant
        What an older plan meant to order.
    config
        Settings.
    explain
        Tells what the mean forecast is made of; None: the plan does not say.
    limited
        Whether items share limits, so that the result must tell what purchases are worth.
    curbed
        Purchases that were cut to hold such limits.
    """

    network: Network
    panel: DemandPanel
    series: I64
    fitted: Fitted
    presale: Presale
    open_lines: OpenLines
    meant: Meant
    config: PlanConfig
    explain: Explain | None = None
    limited: bool = False
    curbed: Curbed | None = None


@dataclass(frozen=True)
class PartResult:
    """The decided part: its tables, expected costs by term, what alerts, order-now and limits need, and notes."""

    tables: dict[str, pd.DataFrame]
    costs: dict[str, float]
    solve: SolveReport
    summary: CellSummary
    curves: OrderCurves
    notes: tuple[Message, ...]
    ladders: Ladders | None
    kept: Kept = NOTHING_KEPT


def plan_part(work: PartWork) -> PartResult:
    """Return the plan of a part."""
    network, config = work.network, work.config
    rule = stock_rule(network, config)
    scenarios, own, presales = draw(work, rule)
    demand = tier_demand(network, scenarios, rule)
    every = demand.for_targets(network.options)
    today, perishable, notes = within_shelf_life(network, every, rule)
    targets = stock_targets(today.cells, today.options, every, rule)
    expires = perishable[targets.option] & (targets.binding == "maximum")
    targets = replace(targets, binding=np.where(expires, "shelf-life", targets.binding))
    steady = steadiness(today, every, rule, work.meant, config.steady, targets)
    conditions = Conditions(presales, work.curbed, steady)
    decision = solve_network(today, demand, rule, targets, config.network, conditions)
    tables = decision_tables(work, targets, decision)
    tables["planned"] = planned_lines(SCOPE, network, decision, targets, rule, steady)
    tables["projection"] = projection_rows(network, decision, targets, rule, projected_cells(network, decision))
    most = projected_cells(network, decision, ALTERNATIVE_CELLS)
    options = alternatives(today, decision, rule, most)
    tables["alternatives"] = alternative_lines(options, network, rule.objective)
    tables["open_order_changes"] = _open_order_changes(work, demand, decision, rule)
    tables["presale_allocations"] = presale_allocations(work.presale, network, decision, SCOPE)
    tables["presale_summary"] = presale_summary(work.presale, network, decision, tables["planned"])
    tables["forecast"] = forecast_table(own, network.calendar, config.forecast.quantiles)
    tables["forecast_reasons"] = _forecast_reasons(work)
    return PartResult(
        tables=tables,
        costs=cost_terms(network, decision, rule),
        solve=decision.report,
        summary=summarise(work.panel, work.series, network, decision, config.alerts),
        curves=build_curves(network.cells, network.options, every, rule),
        notes=(*notes, *part_notes(today, rule, targets, decision)),
        ladders=ladders(SCOPE, network, demand, rule, (targets, decision)) if work.limited else None,
        kept=kept_today(network, decision, rule),
    )


def stock_rule(network: Network, config: PlanConfig) -> StockRule:
    """Return how stock is judged."""
    days = network.calendar.days[network.calendar.n_history :]
    return StockRule(config.targets.objective, config.demand.unmet, days)


def draw(work: PartWork, rule: StockRule) -> tuple[Scenarios, SamplePaths, PresalePaths]:
    """Return demand and lead times of the cells, path by path, the forecast of those with their own demand, presales.

    Presale orders that none of today's options reaches in time wait for the cell's own next order.
    """
    network, config = work.network, work.config
    streams, n_paths = Streams(config.seed), config.forecast.n_paths
    paths = np.zeros((network.cells.n_cells, n_paths, network.horizon), dtype=np.float32)
    own = work.fitted.sample(work.panel, network.horizon, n_paths, streams)
    has_series = work.series >= 0
    paths[has_series] = own.units[work.series[has_series]]
    presales = presale_paths(work.presale, n_paths, network.horizon)
    paths[presales.cell] += presales.units
    arrival, next_arrival = arrival_buckets(network.options, network.cells, network.calendar, n_paths, streams)
    scenarios = Scenarios(paths, arrival, next_arrival)
    late = waiting(network, network.cells, scenarios, presales, rule, reached_late(network, presales))
    paths[presales.cell] += late.units - presales.units
    return scenarios, own, late


def decision_tables(work: PartWork, targets: Targets, decision: Decision) -> dict[str, pd.DataFrame]:
    """Return the tables of what is decided on a part, and of its targets."""
    cells, options, objective = work.network.cells, work.network.options, work.config.targets.objective
    facts = line_facts(options, targets, decision, objective)
    options = replace(options, unit_cost=_paid_per_unit(work.network, decision.units))
    inputs = TargetInputs(cells, options, targets, decision, _labels(work), objective)
    return {
        "orders": order_lines(SCOPE, cells, options, facts),
        "transfers": transfer_lines(SCOPE, cells, options, facts),
        "targets": targets_table(inputs),
        "supplier_orders": supplier_orders_table(decision.supplier_orders),
    }


def _paid_per_unit(network: Network, units: F64) -> F64:
    """Return the price of a unit of each option as decided, price breaks included, shape (m,)."""
    price = network.options.unit_cost
    used = (units > 0) & network.prices.stepped
    return np.where(used, np.divide(network.prices.paid(units), units, out=price.copy(), where=used), price)


def cost_terms(network: Network, decision: Decision, rule: StockRule) -> dict[str, float]:
    """Return expected money by term, as decided; each cell counts until its next order arrives."""
    cells, options, units = network.cells, network.options, decision.units
    horizon = own_horizon(cells, options, decision.later, rule)
    cost, _ = cost_of_orders(cells, options, decision.later, units, horizon, rule)
    extra = price_above_cost(cells, options) * units
    lane = options.origin_cell >= 0
    made = pd.DataFrame({"lane": options.lane, "day": options.order_date})[lane & (units > 0)].drop_duplicates()
    return {
        "holding": float(cost.holding.sum()),
        "shortage": float(cost.shortage.sum()),
        "backorder": float(cost.backorder.sum()),
        "left-over": float(cost.left_over.sum()),
        "price-above-cost": float(extra[~lane].sum()),
        "price-break": float((network.prices.paid(units) - options.unit_cost * units).sum()),
        "order": decision.supplier_orders.paid_for_orders,
        "lane": float(extra[lane].sum()),
        "trip": float(network.lanes["trip_cost"].to_numpy(np.float64)[made["lane"].to_numpy(np.int64)].sum()),
    }


def _open_order_changes(work: PartWork, demand: TierDemand, decision: Decision, rule: StockRule) -> pd.DataFrame:
    network, lines = work.network, work.open_lines
    if not lines.n_lines:
        return empty_table("open_order_changes")
    priced = network.cells
    if rule.objective != "cost":
        priced = priced_cells(network, demand, rule, np.unique(lines.cell))
    changes = open_changes(lines, network, priced, decision.demand, decision.units, rule, work.config.open_orders)
    return open_order_changes(lines, changes, network)


def _forecast_reasons(work: PartWork) -> pd.DataFrame:
    if work.explain is None:
        return empty_table("forecast_reasons")
    longest = int(work.panel.interval[:, 1].max(initial=0))
    return forecast_reasons(work.explain(work.fitted, work.panel, longest), work.panel, longest)


def _labels(work: PartWork) -> CellLabels:
    """Return the XYZ class and the chosen model of each cell; empty where it has no demand of its own."""
    has_series = work.series >= 0
    xyz, model = (np.full(len(work.series), "", dtype=object) for _ in range(2))
    xyz[has_series] = weekly_classes(work.panel)[work.series[has_series]]
    model[has_series] = models_of(work.fitted, work.panel)[work.series[has_series]]
    return CellLabels(xyz, model)
