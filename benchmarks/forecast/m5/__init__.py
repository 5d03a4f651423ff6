"""Forecasts of all 30,490 series of M5, scored on the 12 levels of its hierarchy."""
