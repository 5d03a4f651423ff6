"""Forecast benchmarks beside named peers."""
