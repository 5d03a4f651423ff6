"""A second method: one path at a time, bucket by bucket, in plain Python, with no curve in sight."""

from dataclasses import dataclass


@dataclass
class Told:
    """What one path tells: stock just before landing, what happened in [arrival, next arrival), and cost from there."""

    landing: float
    demand: float
    short: float
    clean: bool
    stock_before_next: float
    held_unit_days: float
    unmet: float


def walk(start, inbound, demand, order, unmet, days):
    """Simulate one path.

    ``start`` is (available, backorders), ``order`` is (units, arrival, next arrival). Receipts first, owed customers
    first among them. With lost sales whoever is still owed when the order has landed leaves in that bucket.
    """
    available, owed = start
    units, arrival, next_arrival = order
    stock = available
    served = min(stock, owed)
    stock, owed = stock - served, owed - served
    told = Told(0.0, 0.0, 0.0, True, 0.0, 0.0, 0.0)
    for t in range(max(next_arrival, arrival + 1)):
        if t < len(inbound):
            stock, owed = receive(stock, owed, inbound[t])
        if t == arrival:
            told.landing = stock - owed
            stock, owed = receive(stock, owed, units)
        gone = 0.0
        if t == arrival and unmet != "backordered":
            gone, owed = owed, 0.0
        if t >= next_arrival or t >= len(demand):
            # An empty interval: the order lands and nothing is asked of it any more.
            told.clean = told.clean and gone + owed < 1e-6
            told.unmet += gone
            break
        sold = min(stock, demand[t])
        missed = demand[t] - sold
        stock -= sold
        if unmet == "backordered":
            owed += missed
        if t >= arrival:
            told.demand += demand[t]
            told.short += missed
            told.held_unit_days += stock * days[t]
            if unmet == "backordered":
                told.unmet += owed * days[t]
                told.clean = told.clean and owed < 1e-6
            else:
                told.unmet += missed + gone
                told.clean = told.clean and missed + gone < 1e-6
    told.stock_before_next = stock
    return told


def receive(stock, owed, units):
    served = min(owed, units)
    return stock + units - served, owed - served


def loss_on_left(units, holding_cost, cap, daily_demand, days_on_sale, n_slices=300):
    """Return what stock left loses: unit by thin unit, each waiting for its turn to sell."""
    sellable = min(units, daily_demand * days_on_sale if daily_demand > 0 else 0.0)
    width = sellable / n_slices
    lost = (units - sellable) * cap
    for k in range(n_slices):
        wait = (k + 0.5) * width / daily_demand if daily_demand > 0 else 0.0
        lost += min(holding_cost * wait, cap) * width
    return lost
