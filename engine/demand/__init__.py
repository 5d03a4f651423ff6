"""Demand: what was sold, what could have been sold, and what is known of the days to come."""
