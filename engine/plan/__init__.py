"""The plan: its tables, lines and reasons, alerts, and what it says about one item at one place."""
