"""The rules of the data contract in English: a rule, a finding and a remedy for each code of a breach."""

from __future__ import annotations

from dataclasses import dataclass

from engine.tables.breach import Rule

# What each number stands for, whatever the table; the sentences below say it of a table and column.
NUMBERED_RULES = {
    Rule.GIVEN: "The table is given and has rows, where one is required.",
    Rule.COLUMNS: "Its required columns are given, each once. Unknown columns are named.",
    Rule.KEY: "One row per key.",
    Rule.ENCODING: "Text is UTF-8.",
    Rule.IDS: "Ids are text, as nothing has rounded or reformatted them.",
    Rule.NUMBERS: "Numbers are numbers.",
    Rule.SEPARATORS: "Numbers are written without thousands separators and with a decimal point.",
    Rule.FINITE: "Numbers are finite.",
    Rule.DATES: "Dates are written like 2025-01-31.",
    Rule.CALENDAR: "Dates are days that exist, from 1970-01-01 to 2199-12-31.",
    Rule.TIME_OF_DAY: "Dates have no time of day.",
    Rule.FLAGS: "Yes/no columns hold true or false (or yes, no, 1, 0).",
    Rule.REQUIRED: "Required cells are filled.",
    Rule.RANGE: "Numbers lie in the range of their column.",
    Rule.WORDS: "Words are those of their column, or have its form.",
    Rule.ITEMS_KNOWN: "Items are listed in `items`, where that is given.",
    Rule.LOCATIONS_KNOWN: "Locations are listed in `locations`, where that is given.",
    Rule.ROW: "Cells of a row fit together: starts before ends, minimums below maximums.",
    Rule.USABLE: "At most half of a table's rows are set aside.",
    Rule.GAPS: "Sales cover every bucket of their span (in days: no gap of more than three).",
    Rule.AS_OF: "The as-of date is after the first complete bucket and at most the day after the last.",
    Rule.LINKED: "Every item and location that sold in the last 182 days has a link with a lead time.",
    Rule.ONE_VALUE: "`in_stock` has one value per item, location and date.",
    Rule.LABELS: "Weeks are labelled by their Monday.",
    Rule.CIRCULAR: "Nothing supplies or contains itself in a circle.",
    Rule.FITS: "The smallest pack fits on its shelf; firm inbound fits into its site unless `arrived_on` is given.",
    Rule.EXTERNAL: "Sources of `supply` are outside; links between own sites are `lanes`.",
    Rule.SHORT_LINK: "Links are at least as long as a bucket.",
    Rule.BATCHES: "Batches add up to at most the stock on hand.",
    Rule.PLACES_KNOWN: "Places of `closures` are sites, suppliers or other sources that a table speaks of.",
}
FILE_RULES = {
    "F1": "A file has a header.",
    "F2": "Files can be read as what their name says.",
    "F3": "Every row has as many cells as the header.",
    "F4": "A table is given once.",
    "F5": "A text file is UTF-8, not UTF-16 or UTF-32.",
}

# What each repair does to the cells or rows that a message speaks of.
REPAIR_TEXTS = {
    "sum-duplicates": "adds them up",
    "last-duplicate": "keeps the last row of each",
    "decode-windows-1252": "reads them as Windows-1252",
    "decode-gb18030": "reads them as GB 18030",
    "id-point-zero": 'takes the ".0" off',
    "comma-thousands": 'reads "1,234.5" as 1234.5',
    "comma-decimals": 'reads "1.234,5" as 1234.5',
    "nan-as-missing": "takes them as not given",
    "day-first-dates": "reads them as day, month, year",
    "month-first-dates": "reads them as month, day, year",
    "year-first-dates": "reads them as year, month, day",
    "drop-time-of-day": "keeps the date alone",
    "open-end-dates": "takes them as without end",
    "negative-to-returns": "counts them as returned units",
    "negative-stock-to-zero": "sets them to zero",
    "leading-zeros": "writes them with the zeros",
    "add-unknown-items": "adds them to items",
    "add-unknown-locations": "adds them to locations",
    "average-in-stock": "takes the mean of each",
    "set-aside": "sets the rows aside",
}


REPAIRED_THINGS = {
    "sum-duplicates": "repeated rows of sales, inventory and inventory_batches (prices: mean by units)",
    "last-duplicate": "repeated rows of any other table",
    "decode-windows-1252": "cells that are not UTF-8",
    "decode-gb18030": "cells that are not UTF-8",
    "id-point-zero": "ids such as 85123.0",
    "comma-thousands": "numbers of a table that uses commas",
    "comma-decimals": "numbers of a table that uses commas",
    "nan-as-missing": "numbers such as NaN, NA, null and #N/A",
    "day-first-dates": "dates such as 31/01/2025 or 31.1.2025",
    "month-first-dates": "dates such as 01/31/2025",
    "year-first-dates": "dates such as 2025/1/31 or 20250131",
    "drop-time-of-day": "dates with a time of day",
    "open-end-dates": "dates after 2199, such as 9999-12-31",
    "negative-to-returns": "units below zero in sales",
    "negative-stock-to-zero": "stock below zero in inventory and stock_history",
    "leading-zeros": "ids that are listed with leading zeros and used without",
    "add-unknown-items": "items that are used and not listed",
    "add-unknown-locations": "locations that are used and not listed",
    "average-in-stock": "in_stock that differs within an item, location and date",
    "set-aside": "rows that would refuse the data",
}


@dataclass(frozen=True)
class RuleText:
    """The wording of a finding: ``rule``, ``finding`` and ``remedy`` with ``{name}`` places."""

    rule: str
    finding: str
    remedy: str


_AS_TEXT = "Write ids as text in the source"

# {rows} becomes "<in n rows, first at rows ... (place)>"; {s} is the plural of the count.
RULE_TEXTS = {
    "table-missing": RuleText("the table {table} is given", "no table {table}", "{give}"),
    "table-empty": RuleText("the table {table} has rows", "none in {table}", "{give}"),
    "column-missing": RuleText("{table} has the column {column}", "the columns {columns}", "{rename}"),
    "column-twice": RuleText("each column of {table} is given once", "{column} twice", "Rename or remove one of them"),
    "columns-unknown": RuleText(
        "columns of {table} are those of the contract",
        "{columns}, not read",
        "Rename what the contract knows by another name",
    ),
    "repeats": RuleText("one row per {key}", "{count} repeat{s} {rows}", "{undo_repeats}"),
    "not-utf-8": RuleText(
        "text is UTF-8", "{count} cell{s} of {column} in another encoding {rows}", "Save {table} as UTF-8"
    ),
    "id-point-zero": RuleText('ids carry no ".0"', "{count} cell{s} of {column} with it {rows}", _AS_TEXT),
    "id-rounded": RuleText(
        "ids are whole",
        "{count} cell{s} of {column} that a spreadsheet has rounded {rows}",
        _AS_TEXT,
    ),
    "id-fraction": RuleText("ids are text", "{count} cell{s} of {column} with decimals {rows}", _AS_TEXT),
    "id-from-number": RuleText(
        "ids are text",
        "{count} cell{s} of {column} stored as numbers {rows}",
        "Leading zeros, if there were any, are lost: store ids as text where they matter",
    ),
    "no-number": RuleText("{column} is a number", "{count} other{s} {rows}", "Correct or remove them"),
    "separators": RuleText(
        "numbers are written plain, like 1234.5",
        "{count} cell{s} of {column} with separators {rows}",
        "Write them without separators",
    ),
    "not-a-number": RuleText(
        "numbers are finite", "{count} cell{s} of {column} that stand{v} for no number {rows}", "Leave such cells empty"
    ),
    "infinite": RuleText("numbers are finite", "{count} infinite cell{s} of {column} {rows}", "Correct or remove them"),
    "no-date": RuleText(
        "dates are written like 2025-01-31", "{count} other{s} in {column} {rows}", "Correct or remove them"
    ),
    "local-date": RuleText(
        "dates are written like 2025-01-31", "{count} other{s} in {column} {rows}", "Write them in this form"
    ),
    "no-such-day": RuleText(
        "dates are days from 1970-01-01 to 2199-12-31",
        "{count} other{s} in {column} {rows}",
        "Correct or remove them",
    ),
    "far-date": RuleText(
        "dates are days from 1970-01-01 to 2199-12-31", "{count} later in {column} {rows}", "Leave them empty"
    ),
    "time-of-day": RuleText("dates have no time of day", "{count} with one in {column} {rows}", "Write the date alone"),
    "no-flag": RuleText("{column} is yes or no", "{count} other{s} {rows}", "Write true or false"),
    "missing-value": RuleText("{column} is given in every row", "{count} without {rows}", "{fill}"),
    "out-of-range": RuleText("{column} {check}", "{count} other{s} {rows}", "{correct}"),
    "unknown-word": RuleText("{column} {check}", "{count} other{s} {rows}", "Correct them"),
    "unknown-id": RuleText(
        "every {column} is listed in {target}",
        "{ids} not listed, {of_rows}",
        "{list}",
    ),
    "id-zeros": RuleText(
        "every {column} is written as in {target}",
        "{ids} without the leading zeros, {of_rows}",
        _AS_TEXT,
    ),
    "start-after-end": RuleText("{left} is not after {right}", "{count} after it {rows}", "Correct one of the two"),
    "minimum-above-maximum": RuleText(
        "{left} is not above {right}", "{count} above it {rows}", "Correct one of the two"
    ),
    "same-place": RuleText("{left} and {right} differ", "{count} alike {rows}", "Correct or remove them"),
    "mostly-set-aside": RuleText(
        "at most half of the rows of {table} are set aside",
        "{count} of {n_rows} set aside",
        "Mend what the other messages on {table} say",
    ),
    "gap": RuleText(
        "every {bucket} between the first and the last has sales of something",
        "{count} of {n_rows} {bucket}s without any, in {n_gaps} gap{s_gaps}; the longest has {longest}, between"
        " {last_before} and {first_after}",
        "Without rows nothing counts as sold; add them if something was",
    ),
    "as-of-too-early": RuleText(
        "the as-of date is after the first complete {bucket} of sales and at most the day after the last",
        "{as_of}",
        "Choose a date from {earliest} to {latest}",
    ),
    "as-of-too-late": RuleText(
        "the as-of date is after the first complete {bucket} of sales and at most the day after the last",
        "{as_of}",
        "Choose a date from {earliest} to {latest}, or add the sales up to it",
    ),
    "no-link": RuleText(
        "every item and location that still sells has a link with a lead time",
        "{count} of {n_rows} pairs without one that sold in the last {days} days ({place})",
        "Add them to supply or lanes, or give a default link in the configuration ([supply] lead_time_days)",
    ),
    "in-stock-differs": RuleText(
        "in_stock has one value per item, location and date", "{count} row{s} that differ{v} {rows}", "Correct them"
    ),
    "week-label": RuleText(
        "weeks are labelled by their Monday",
        "{count} labelled by {weekday} {rows}",
        "Each counts as the week from the Monday on or before it; label it otherwise if that is wrong",
    ),
    "circular": RuleText("{circular}", "{circle}{item}", "{open_circle}"),
    "pack-above-shelf": RuleText(
        "the smallest pack of an item fits on its shelf (max_stock)",
        "{count} that do{v2} not {rows}",
        "Raise max_stock or buy in smaller packs",
    ),
    "inbound-above-site": RuleText(
        "firm inbound fits into its site (capacity_volume)",
        "{count} of {n_rows} sites where it does not ({places}; the first awaits {inbound} and holds {capacity})",
        "Correct capacity_volume, volume or the orders",
    ),
    "inbound-waits": RuleText(
        "firm inbound fits into its site (capacity_volume)",
        "{count} of {n_rows} sites where it does not ({places}; the first awaits {inbound} and holds {capacity})",
        "What has no room waits at the door, as arrived_on says of what does already",
    ),
    "own-source": RuleText(
        "sources of supply are outside", "{count} own site{s} {rows}", "Write links between own sites into lanes"
    ),
    "short-link": RuleText(
        "a link is at least as long as a {bucket}",
        "{count} shorter {rows}",
        'Its goods count from the {bucket} after; plan in days ([time] bucket = "D") if that matters',
    ),
    "batches-above-stock": RuleText(
        "batches add up to at most the stock on hand",
        "{count} that exceed{v} it {rows}",
        "Correct inventory or its batches",
    ),
    "unknown-place": RuleText(
        "every place_id of closures is a site, a supplier or another source that a table speaks of",
        "{count} other{s} {rows}",
        "They close nothing as they are; write place_id as the other tables do",
    ),
    "file-empty": RuleText("a file has a header", "nothing in {file}", "Write it again, or remove it"),
    "file-unreadable": RuleText("files can be read", "{file}, which cannot: {reason}", "Write it again"),
    "row-width": RuleText(
        "every row has as many cells as the header",
        "{count} other{s} {rows}",
        "Quote cells that hold the delimiter",
    ),
    "table-twice": RuleText("a table is given once", "{table} in {files}", "Remove one of them"),
    "file-encoding": RuleText("text is UTF-8", "{file} in {encoding}", "Save it as UTF-8"),
}
