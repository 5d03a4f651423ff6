"""Forecasters, one a file, loaded by name."""
