"""Limits that items share, priced: items solve alone, a feasible plan and a bound are reported."""
