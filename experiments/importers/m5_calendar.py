"""The events of the M5 calendar: its named days, and the days on which food stamps (SNAP) are paid."""

from __future__ import annotations

import numpy as np
import pandas as pd

from experiments.importers.sources import as_text, plain_name


def calendar_events(calendar: pd.DataFrame, states: list[str]) -> pd.DataFrame:
    """Return the table ``events``: one row a named day, and one row a run of SNAP days in a state.

    Parameters
    ----------
    calendar
        The calendar's own columns, ``date`` as dates.
    states
        Regions to give SNAP days for, such as ``["CA"]``.
    """
    parts = []
    for number in (1, 2):
        named = calendar[calendar[f"event_name_{number}"].notna()]
        parts.append(
            pd.DataFrame(
                {
                    "event": named[f"event_name_{number}"].map(lambda name: plain_name(name).replace("_", "-")),
                    "start_date": named["date"],
                    "end_date": named["date"],
                    "region": None,
                    "kind": named[f"event_type_{number}"].map(lambda kind: str(kind).lower()),
                }
            )
        )
    parts.extend(_snap_spans(calendar, state) for state in states)
    events = pd.concat([part.astype(object) for part in parts], ignore_index=True)
    events = events.sort_values(["start_date", "event", "region"], ignore_index=True)
    return pd.DataFrame(
        {
            "event": as_text(events["event"]),
            "start_date": pd.to_datetime(events["start_date"]),
            "region": as_text(events["region"]),
            "end_date": pd.to_datetime(events["end_date"]),
            "kind": as_text(events["kind"]),
        }
    )


def _snap_spans(calendar: pd.DataFrame, state: str) -> pd.DataFrame:
    paid = calendar[f"snap_{state}"].astype(bool).to_numpy()
    run = np.cumsum(np.diff(paid, prepend=False))[paid]
    dates = calendar["date"][paid]
    spans = dates.groupby(run).agg(["min", "max"])
    return pd.DataFrame(
        {
            "event": "snap",
            "start_date": spans["min"],
            "end_date": spans["max"],
            "region": state,
            "kind": "benefit",
        }
    )
