"""Reads a CSV file as text, each column as codes into its distinct values, with the number of every row."""

from __future__ import annotations

import codecs
import csv
import gzip
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pc

from engine.tables.breach import Breach
from engine.tables.read_sheet import ROW_INDEX
from experiments.exchange.reading import (
    F_EMPTY,
    F_ENCODING,
    F_RAGGED,
    F_READABLE,
    file_breach,
    is_known,
    not_read,
    text_column,
)

_DELIMITERS = (",", ";", "\t", "|")
# UTF-32 first: its mark begins with that of UTF-16.
_WIDE = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
_TEXT = pa.dictionary(pa.int32(), pa.binary())


@dataclass(frozen=True)
class CsvRead:
    """A CSV file read: its frame (None if it cannot be read), breaches, and rows with too few or too many cells."""

    frame: pd.DataFrame | None
    breaches: tuple[Breach, ...] = ()
    rejected: pd.DataFrame | None = None


@dataclass(frozen=True)
class _Header:
    names: tuple[str, ...]
    delimiter: str
    line: int


def read_csv(path: Path, table: str) -> CsvRead:
    """Return a CSV file (perhaps gzipped) of a table: every cell as text, bytes that are not UTF-8 as surrogates.

    The delimiter is read off the header: comma, semicolon, tab or bar. Rows are numbered as a spreadsheet
    does it; an empty line is a row without values.
    """
    try:
        with _opened(path) as stream:
            start = _first_lines(stream)
        breach = _spoilt(start, path, table)
        if breach is not None:
            return CsvRead(None, (breach,))
        header = _header(start)
        return _read(path, table, header)
    except (OSError, EOFError, pa.ArrowInvalid) as error:
        return CsvRead(None, (_unreadable(path, table, str(error)),))


def _opened(path: Path) -> AbstractContextManager[BinaryIO]:
    return cast("BinaryIO", gzip.open(path, "rb")) if path.suffix.lower() == ".gz" else path.open("rb")


def _first_lines(stream: BinaryIO) -> bytes:
    """Return the beginning of a file up to the end of its first line that is not blank."""
    start = b""
    while block := stream.readline():
        start += block
        if block.strip(b"\r\n \xef\xbb\xbf"):
            break
    return start


def _spoilt(start: bytes, path: Path, table: str) -> Breach | None:
    for mark, name in _WIDE:
        if start.startswith(mark):
            return file_breach(F_ENCODING, "file-encoding", table, "fatal", {"file": path.name, "encoding": name})
    if not start.strip(b"\r\n \xef\xbb\xbf"):
        return file_breach(F_EMPTY, "file-empty", table, "fatal", {"file": path.name})
    if b"\0" in start:
        return _unreadable(path, table, "zero bytes, which text has none of")
    return None


def _unreadable(path: Path, table: str, reason: str) -> Breach:
    values = {"file": path.name, "reason": reason.splitlines()[0] if reason else "an end in the middle"}
    return file_breach(F_READABLE, "file-unreadable", table, "fatal", values)


def _header(start: bytes) -> _Header:
    lines = start.removeprefix(codecs.BOM_UTF8).splitlines()
    text = lines[-1].decode("utf-8", "backslashreplace")
    counts = {delimiter: len(next(csv.reader([text], delimiter=delimiter))) for delimiter in _DELIMITERS}
    delimiter = max(_DELIMITERS, key=lambda mark: counts[mark])
    return _Header(tuple(next(csv.reader([text], delimiter=delimiter))), delimiter, len(lines))


def _read(path: Path, table: str, header: _Header) -> CsvRead:
    known = [place for place, name in enumerate(header.names) if is_known(table, name)]
    arrow, ragged = _parsed(path, header, known, numbered=False)
    if ragged:
        # Only a reader on one thread can number the rows that it skips.
        arrow, ragged = _parsed(path, header, known, numbered=True)
    n_rows = arrow.num_rows
    columns = [
        _column(arrow.column(str(place))) if place in known else not_read(n_rows) for place in range(len(header.names))
    ]
    frame = pd.concat(columns, axis=1, copy=False) if columns else pd.DataFrame()
    frame.columns = pd.Index(header.names)
    numbers = np.arange(n_rows + len(ragged), dtype=np.int64) + header.line + 1
    skipped = np.array([number for number, _, _ in ragged], np.int64)
    kept = np.delete(numbers, skipped - header.line - 1) if ragged else numbers
    if ragged or header.line > 1:
        frame.index = pd.Index(kept, name=ROW_INDEX)
    pa.default_memory_pool().release_unused()
    if not ragged:
        return CsvRead(frame)
    return CsvRead(frame, (_ragged(table, header, ragged, len(numbers)),), _rejected(ragged))


def _parsed(
    path: Path, header: _Header, known: list[int], numbered: bool
) -> tuple[pa.Table, list[tuple[int, int, str]]]:
    """Return the known columns, and number, cell count and text of every row of another width than the header."""
    ragged: list[tuple[int, int, str]] = []

    def skip(row: Any) -> str:
        ragged.append((row.number or 0, row.actual_columns, row.text))
        return "skip"

    names = [str(place) for place in range(len(header.names))]
    options = {
        "read_options": pc.ReadOptions(
            column_names=names, skip_rows=header.line, use_threads=not numbered, block_size=8 << 20
        ),
        "parse_options": pc.ParseOptions(
            delimiter=header.delimiter,
            newlines_in_values=True,
            ignore_empty_lines=False,
            invalid_row_handler=skip,
        ),
        "convert_options": pc.ConvertOptions(
            # Reading the first column alone tells how many rows there are where no column is known.
            include_columns=[names[place] for place in known] or names[:1],
            column_types=dict.fromkeys(names, _TEXT),
            strings_can_be_null=False,
            check_utf8=False,
        ),
    }
    with pa.input_stream(str(path), compression="gzip" if path.suffix.lower() == ".gz" else None) as stream:
        return pc.read_csv(stream, **options), ragged


def _column(column: pa.ChunkedArray) -> pd.Series[Any]:
    chunks = column.unify_dictionaries().chunks
    if not chunks:
        return text_column(np.empty(0, np.int32), [])
    values = [value.decode("utf-8", "surrogateescape") for value in chunks[0].dictionary.to_pylist()]
    codes = np.concatenate([chunk.indices.to_numpy() for chunk in chunks])
    return text_column(codes, values)


def _ragged(table: str, header: _Header, ragged: list[tuple[int, int, str]], n_rows: int) -> Breach:
    return Breach(
        rule=F_RAGGED,
        code="row-width",
        table=table,
        # Where most rows are of another width it is the header or the delimiter that is wrong.
        severity="quarantined" if 2 * len(ragged) <= n_rows else "fatal",
        count=len(ragged),
        n_rows=n_rows,
        rows=tuple(number for number, _, _ in ragged[:5]),
        values={"n_columns": len(header.names), "n_cells": ragged[0][1]},
    )


def _rejected(ragged: list[tuple[int, int, str]]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "row": [number for number, _, _ in ragged],
            "rules": [F_RAGGED] * len(ragged),
            "text": [text for _, _, text in ragged],
        }
    )
