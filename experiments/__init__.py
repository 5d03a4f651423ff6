"""Runs: reading, planning, tracking and writing, in files and processes."""
