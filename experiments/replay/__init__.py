"""Replay: what policies would have done with a history, week by week, each knowing only what was known then.

tables ─► world ─► walk (view ─► policy ─► lines ─► simulator, and again) ─► measures ─► tables, report, tracker
"""
