"""Forecasts as sample paths: types, protocol, randomness, scoring, conformance."""
