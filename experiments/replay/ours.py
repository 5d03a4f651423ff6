"""restock itself as a policy: a plan at every step, models fitted now and then and frozen in between."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from engine.execution import Run
from engine.forecast.types import Fitted, Forecaster
from engine.plan.make import make_plan
from engine.plan.types import Plan
from engine.policy.types import F64
from experiments.forecasters import build_forecaster
from experiments.replay.frozen import Frozen, Refitted, Remembering
from experiments.replay.view import NOT_YET, OrderLines, View, tables_at
from experiments.replay.withheld import unlimited
from experiments.replay.world import World
from experiments.settings import Settings
from models.best_of import Chosen


@dataclass
class PlanPolicy:
    """Follows the plan of `engine.make_plan` at every step, without a budget.

    The forecaster is chosen at the first step, unless ``fits`` holds a fit already; the chosen models are fitted again
    every ``refit_steps`` steps.
    """

    world: World
    settings: Settings
    refit_steps: int
    run: Run = field(default_factory=Run)
    fits: list[Fitted] = field(default_factory=list)

    def decide(self, view: View) -> OrderLines:
        """Return the plan's orders and transfers of this step; what is dated later is for the next plan to decide."""
        return lines_of_plan(self.world, self._plan(view), view.until)

    def levels(self, view: View) -> F64:
        """Return the order-up-to levels of a plan, shape (n_cells,); 0 where it keeps nothing."""
        targets = self._plan(view).tables["targets"]
        levels = np.zeros(self.world.n_cells)
        rows = self.world.rows_of(targets["item_id"], targets["location_id"])
        levels[rows] = np.maximum(targets["order_up_to"].to_numpy(np.float64), 0.0)
        return levels

    def _plan(self, view: View) -> Plan:
        forecaster = self._forecaster(view.step)
        tables = tables_at(self.world, view)
        return make_plan(tables, unlimited(self.settings), forecaster, self.run, view.calendar.as_of)

    def _forecaster(self, step: int) -> Forecaster:
        if not self.fits:
            return Remembering(build_forecaster(self.settings, self.run), self.fits)
        latest = self.fits[-1]
        del self.fits[:-1]
        if step > 0 and step % self.refit_steps == 0 and isinstance(latest, Chosen):
            return Remembering(Refitted(build_forecaster(self.settings, self.run), latest), self.fits)
        return Frozen("frozen", latest)


def lines_of_plan(world: World, plan: Plan, until: int) -> OrderLines:
    """Return the orders and transfers of a plan that are dated before bucket ``until``."""
    parts = []
    for table, source, place in (("orders", "source_id", "location_id"), ("transfers", "origin_id", "dest_id")):
        rows = plan.tables[table]
        sent = world.bucket_of(rows["order_date"].to_numpy().astype("datetime64[D]"))
        rows = rows[(sent < until) & (rows["units"].to_numpy() > 0)]
        parts.append(rows.rename(columns={source: "source", place: "place"}).assign(moved=table == "transfers"))
    # An empty part is left out, so that it does not decide the types.
    rows = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    moved = rows["moved"].to_numpy(bool)
    cell = world.rows_of(rows["item_id"], rows["place"])
    origin = np.where(moved, world.rows_of(rows["item_id"], rows["source"]), -1)
    if (cell < 0).any() or (moved & (origin < 0)).any():
        raise ValueError("lines of a plan must name cells of the world. Got others instead.")
    return OrderLines(
        line_id=rows["line_id"].to_numpy(object),
        cell=cell,
        origin=origin,
        source_id=rows["source"].to_numpy(object),
        units=rows["units"].to_numpy(np.float64),
        unit_cost=rows["unit_cost"].fillna(0.0).to_numpy(np.float64),
        order_date=rows["order_date"].to_numpy().astype("datetime64[D]"),
        available_date=rows["available_date"].to_numpy().astype("datetime64[D]"),
        received_on=np.full(len(rows), NOT_YET),
        promise=rows["expected_service"].to_numpy(np.float64),
    )
