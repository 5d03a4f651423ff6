"""The attributes that group series, and a code for each of their texts."""

from __future__ import annotations

from engine.demand.panel import DemandPanel

MIN_GROUP = 10
"""An attribute whose texts hold fewer series than this on average tells them apart instead of grouping them."""


def group_codes(panel: DemandPanel) -> dict[str, dict[str, int]]:
    """Return a code for every text of every attribute that groups series, by sorted text."""
    static = panel.static.assign(location_id=panel.location_id)
    out: dict[str, dict[str, int]] = {}
    for name in sorted(static.columns):
        if static[name].dtype.kind in "fiub" or str(static[name].dtype) == "boolean":
            continue
        texts = sorted(set(static[name].astype("string").fillna("").tolist()))
        if 2 <= len(texts) <= panel.n_series / MIN_GROUP:
            out[str(name)] = {text: code for code, text in enumerate(texts)}
    return out
