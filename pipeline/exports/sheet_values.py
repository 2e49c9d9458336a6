"""What a cell of a workbook says, as text and exactly.

Belongs here: numbers, moments, texts, errors and formulas of one cell. Does not belong here: rows
and sheets (`workbooks.py`), and what the text then means (`judge.py`).

A number is kept as a double, so its text is the shortest decimal that names that double, never with
an exponent. Whether a moment is a day or a time of day too is a matter of the cell's format.
"""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from importlib import import_module
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element

from pipeline.extras import needed

UNCALCULATED = "(a formula that was never calculated)"
_WHOLE = re.compile(r"-?[0-9]+")


class Value(NamedTuple):
    """What a cell says, and whether that is nothing one could rely on."""

    text: str
    is_unusable: bool = False


class Formats:
    """The formats of a workbook's cells: which numbers are moments, and how much of one shows.

    `is_stale`: the workbook says that its formulas are to be calculated before they are read.
    """

    def __init__(self, workbook: Any, *, is_stale: bool) -> None:
        self.is_stale = is_stale
        self.epoch: datetime = workbook.epoch
        self.moments: frozenset[int] = frozenset(workbook._date_formats)
        self.durations: frozenset[int] = frozenset(workbook._timedelta_formats)
        self._workbook = workbook

    @cached_property
    def days(self) -> frozenset[int]:
        """The formats of moments that show no time of day."""
        numbers = needed("openpyxl.styles.numbers", "excel")
        return frozenset(
            style for style in self.moments if numbers.is_datetime(self._code(style)) == "date"
        )

    def _code(self, style: int) -> str:
        numbers = needed("openpyxl.styles.numbers", "excel")
        number: int = self._workbook._cell_styles[style].numFmtId
        own = number - numbers.BUILTIN_FORMATS_MAX_SIZE
        code: str = self._workbook._number_formats[own] if own >= 0 else ""
        return code or numbers.BUILTIN_FORMATS.get(number, "")


def value_of(cell: Element, texts: list[str], formats: Formats) -> Value | None:
    """What a cell says; nothing for an empty one. Raises `ValueError`, `IndexError`."""
    kind, stored, is_formula = cell.get("t", "n"), "", False
    for part in cell:
        name = _name(part)
        if name == "v":
            stored = part.text or ""
        elif name == "f":
            is_formula = True
        elif name == "is":
            stored = _inline(part)
    if is_formula and (formats.is_stale or not (stored or kind == "str")):
        return Value(UNCALCULATED, True)
    if kind == "s" and stored:
        stored = texts[int(stored)]
    if kind == "n" and stored:
        return _number(stored, int(cell.get("s", 0)), formats)
    if kind == "b" and stored:
        stored = "TRUE" if stored in ("1", "true") else "FALSE"
    return Value(stored, kind == "e") if stored else None


def _inline(part: Element) -> str:
    """The text that stands in a cell itself, whole or in runs; not how it is pronounced."""
    runs = (run for one in part for run in (one if _name(one) == "r" else (one,)))
    return "".join(run.text or "" for run in runs if _name(run) == "t")


def _name(part: Element) -> str:
    return part.tag.rpartition("}")[2]


def _number(stored: str, style: int, formats: Formats) -> Value:
    if style in formats.moments:
        return _moment(stored, style, formats)
    try:
        return Value(plain(stored))
    except (ValueError, ArithmeticError):
        return Value(stored, True)


def plain(stored: str) -> str:
    """A stored number in plain decimals. Raises `ValueError` for what is none."""
    if _WHOLE.fullmatch(stored):
        return stored
    exact = Decimal(repr(float(stored)))
    if not exact.is_finite():
        raise ValueError
    return format(exact, "f").removesuffix(".0")


def _moment(stored: str, style: int, formats: Formats) -> Value:
    """A day, a moment, a time of day or a duration; the latter two are no moment of any feed."""
    from_excel = import_module("openpyxl.utils.datetime").from_excel
    try:
        moment = from_excel(float(stored), formats.epoch, timedelta=style in formats.durations)
    except (ValueError, ArithmeticError):
        return Value(stored, True)
    if isinstance(moment, datetime):
        is_day = style in formats.days and not float(stored) % 1
        return Value((moment.date() if is_day else moment).isoformat())
    return Value(str(moment))
