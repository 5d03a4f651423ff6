"""Words for what a check found: every breach by one message grammar, and the data report of `restock check`.

<error>: rule <number>: <rule>. Found <finding>. <remedy>; `--repair <name>` <what it does>.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pandera.pandas as pa

from engine.tables.breach import Breach
from engine.tables.check import Checked
from engine.tables.data_report import TableReport
from experiments.exchange.rule_sentences import REPAIR_TEXTS, RULE_TEXTS

_PREFIX = {
    "fatal": "DataError",
    "repairable": "DataError",
    "contradiction": "ContradictionError",
    "quarantined": "Quarantined",
    "noted": "Noted",
}

_CHECKS = {
    "greater_than_or_equal_to": "is at least {min_value}",
    "greater_than": "is above {min_value}",
    "in_range": "lies between {min_value} and {max_value}",
    "isin": "is one of {allowed}",
    "form": 'is written like "{form}"',
}
_BUCKETS = {"D": "day", "W": "week", "M": "month"}
_WEEKDAYS = ("", "Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")
_SPACINGS = {"D": "days", "W": "weeks", "M": "months"}
_ALWAYS = {"trim-spaces": "spaces around ids and texts are taken off", "unicode-nfc": "text is put into Unicode NFC"}


def render(breach: Breach) -> str:
    """Return a breach in words: rule, finding and remedy."""
    text = RULE_TEXTS[breach.code]
    words = _words(breach)
    rule, finding, remedy = (part.format_map(words) for part in (text.rule, text.finding, text.remedy))
    repairs = "".join(f"; `--repair {name}` {REPAIR_TEXTS[name]}" for name in breach.repairs)
    return f"{_PREFIX[breach.severity]}: rule {breach.rule}: {rule}. Found {finding}. {remedy}{repairs}."


def render_report(checked: Checked) -> str:
    """Return what the tables hold, what was changed, and every breach in words."""
    refusing = [render(breach) for breach in checked.breaches if breach.refuses]
    parts = [
        _block("Tables", [_table(report) for report in checked.data_report]),
        _block("Changed", _repairs(checked)),
        _block("Not read", list(checked.unknown_tables)),
        _block("Set aside", _quarantine(checked)),
        _block("Refused", refusing),
        _block("To know", [render(breach) for breach in checked.breaches if not breach.refuses]),
    ]
    verdict = "The data are refused." if checked.refused else "The data can be planned with."
    return "\n\n".join([part for part in parts if part] + [verdict]) + "\n"


def render_notices(checked: Checked) -> tuple[str, ...]:
    """Return what a user of the data must be told, a line each: changes made, tables not read, rows set aside."""
    unknown = [f"{name} is not a table of the contract and was not read" for name in checked.unknown_tables]
    aside = [render(breach) for breach in checked.breaches if breach.severity == "quarantined"]
    return (*(f"Changed: {line}" for line in _repairs(checked)), *unknown, *aside)


def render_constraint(check: pa.Check) -> str:
    """Return what a check of the contract asks of a column, such as "is at least 0"."""
    values = dict(check.statistics or {}) | {"form": check.description}
    values["allowed"] = ", ".join(values.get("allowed_values", ()))
    return _constraint(str(check.name), values)


def _block(title: str, lines: list[str]) -> str:
    return "\n".join([title, *(f"  {line}" for line in lines)]) if lines else ""


def _table(report: TableReport) -> str:
    said = [_many(report.n_rows, "row")]
    if report.first:
        said.append(f"{report.first} to {report.last}" + (f" in {_SPACINGS[report.bucket]}" if report.bucket else ""))
    counts = ((report.n_items, "item"), (report.n_locations, "location"), (report.n_series, "series"))
    said += [_many(count, name) for count, name in counts if count]
    partly = [f"{name} {_share(share)}" for name, share in report.filled.items() if share < 1]
    if partly and report.n_rows:
        said.append(f"filled in part: {', '.join(partly)}")
    return f"{report.table}: {'; '.join(said)}"


def _repairs(checked: Checked) -> list[str]:
    lines = []
    for repair in checked.repairs:
        where = f"{repair.table}.{repair.column}" if repair.column else repair.table
        does = _ALWAYS.get(repair.name) or REPAIR_TEXTS[repair.name]
        lines.append(f"{repair.name} (rule {repair.rule}, {where}): {repair.count:,}; {does}")
    return lines


def _quarantine(checked: Checked) -> list[str]:
    return [f"{table}: {_many(len(frame), 'row')}" for table, frame in checked.quarantine.items()]


def _share(share: float) -> str:
    """Return a share below 1 in percent; what is not quite all or nothing does not read as if it were."""
    if 0 < share < 0.005:
        return "<1%"
    return ">99%" if share >= 0.995 else f"{share:.0%}"


def _many(count: int, name: str) -> str:
    return f"{count:,} {name}" if count == 1 or name == "series" else f"{count:,} {name}s"


def _words(breach: Breach) -> dict[str, object]:
    words: dict[str, object] = {name: _number(value) for name, value in breach.values.items()}
    one = breach.count == 1
    words |= {
        "table": breach.table,
        "count": f"{breach.count:,}",
        "n_rows": f"{breach.n_rows:,}",
        "s": "" if one else "s",
        "v": "s" if one else "",
        "v2": "es" if one else "",
        "rows": f"in {_many(breach.n_rows, 'row')}, {_first_rows(breach)}",
        "of_rows": f"in {breach.count:,} of {_many(breach.n_rows, 'row')}, {_first_rows(breach)}",
        "place": _place(breach),
    }
    if "bucket" in words:
        words["bucket"] = _BUCKETS[str(words["bucket"])]
    special = _SPECIAL.get(breach.code)
    return words | special(breach) if special else words


def _first_rows(breach: Breach) -> str:
    first = "" if breach.count <= len(breach.rows) else "first "
    rows = f"row{'' if len(breach.rows) == 1 else 's'} {', '.join(f'{row}' for row in breach.rows)}"
    aside = "; ".join(part for part in (_place(breach), _example(breach)) if part)
    return f"{first}at {rows}" + (f" ({aside})" if aside else "")


def _place(breach: Breach) -> str:
    if not breach.places:
        return ""
    # A date says what it is; all else is named.
    return ", ".join(
        value if name in ("date", "start_date", "expiry_date", "received_on") else f"{_short(name)} {value}"
        for name, value in breach.places[0].items()
    )


def _example(breach: Breach) -> str:
    values = breach.values
    if "left_value" in values:
        return f"{values['left']} {_number(values['left_value'])}, {values['right']} {_number(values['right_value'])}"
    if "pack" in values:
        return f"pack {_number(values['pack'])}, max_stock {_number(values['max_stock'])}"
    if "example" not in values:
        return ""
    example = str(values["example"])
    return f'{values["column"]} "{example.removesuffix(".0") if breach.code == "out-of-range" else example}"'


def _number(value: object) -> object:
    return f"{value:,.10g}" if isinstance(value, float) else value


def _short(name: str) -> str:
    return name.removesuffix("_id")


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _given(breach: Breach) -> dict[str, object]:
    where = f"Give a file, sheet or database table named {breach.table}"
    default = ", or a default link in the configuration ([supply] lead_time_days)"
    return {"give": where + (default if breach.table == "supply" else "")}


def _missing_column(breach: Breach) -> dict[str, object]:
    near, column = breach.values["near"], breach.values["column"]
    return {"rename": f"Rename {near} to {column} if that is what it holds" if near else f"Add {column}"}


def _repeats(breach: Breach) -> dict[str, object]:
    add = "sum-duplicates" in breach.repairs
    return {
        "key": _listed([_short(name) for name in str(breach.values["columns"]).split(", ")]),
        "undo_repeats": "Add them up or remove them" if add else "Remove them",
    }


def _constraint(name: str, values: Mapping[str, object]) -> str:
    ends = ", ends excluded" if values.get("include_min") is False else ""
    return _CHECKS[name].format_map(values) + ends


def _checked(breach: Breach) -> dict[str, object]:
    correct = "Correct or remove them"
    if breach.values["column"] == "lead_time_days":
        correct = "Give the days from ordering to goods on sale, at least 1"
    elif breach.values.get("include_min") is False:
        correct = "Write a share, such as 0.95 for 95 %"
    return {"check": _constraint(str(breach.values["check"]), breach.values), "correct": correct}


def _missing_value(breach: Breach) -> dict[str, object]:
    lead = breach.values["column"] == "lead_time_days"
    return {"fill": "Give the days from ordering to goods on sale" if lead else "Fill them in or remove the rows"}


def _unknown_id(breach: Breach) -> dict[str, object]:
    n_ids = breach.values["n_ids"]
    what = "item" if breach.values["target"] == "items" else "location"
    plain = breach.severity == "noted"
    advice = "They change nothing as they are" if plain else f"Add them to {breach.values['target']} or correct them"
    return {"ids": f"{n_ids:,} {what}{'' if n_ids == 1 else 's'}", "list": advice}


def _gap(breach: Breach) -> dict[str, object]:
    return {"s_gaps": "" if breach.values["n_gaps"] == 1 else "s"}


def _week_label(breach: Breach) -> dict[str, object]:
    return {"weekday": _WEEKDAYS[int(breach.values["weekday"] or 0)]}


def _circular(breach: Breach) -> dict[str, object]:
    bundles, item = breach.table == "bom", breach.values["item"]
    more = f" and circles of {breach.count - 1:,} more items" if breach.count > 1 else ""
    return {
        "circular": "no bundle contains itself" if bundles else "no own site replenishes itself in a circle",
        "item": f" (item {item}){more}" if item and item != "*" else "",
        "open_circle": "Remove one of these rows"
        if bundles
        else 'Remove one of these links, or give its role as "lateral"',
    }


_SPECIAL: dict[str, Callable[[Breach], dict[str, object]]] = {
    "table-missing": _given,
    "table-empty": _given,
    "column-missing": _missing_column,
    "repeats": _repeats,
    "out-of-range": _checked,
    "unknown-word": _checked,
    "missing-value": _missing_value,
    "unknown-id": _unknown_id,
    "id-zeros": _unknown_id,
    "gap": _gap,
    "week-label": _week_label,
    "circular": _circular,
}
