"""The words, numbers and dates of documents, in one language.

Belongs here: how a value is written for people. Does not belong here: which values are written.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Any

from pipeline.money import minor_units, plain
from pipeline.period import Period

LOCALES = ("en", "es")

NONE = "–"
"""What stands where there is no value."""


@dataclass(frozen=True, slots=True)
class Wording:
    """One language: its words, and how numbers, money and dates are written in it."""

    locale: str
    words: dict[str, Any]

    def __call__(self, key: str, **values: str) -> str:
        """A text by its key, with values put in."""
        text: str = self.words[key]
        return text.format(**values) if values else text

    def number(self, value: Decimal | int) -> str:
        """A number with every digit that means something, its thousands apart."""
        return self._grouped(plain(Decimal(value)))

    def signed(self, value: Decimal) -> str:
        """A number that shows which way it goes."""
        return f"+{self.number(value)}" if value > 0 else self.number(value)

    def money(self, amount: Decimal | None, currency: str) -> str:
        """An amount with exactly the digits of its currency; prices may have more."""
        if amount is None:
            return NONE
        digits = minor_units(currency) or 0
        whole, _, fraction = plain(amount).partition(".")
        fraction = fraction.ljust(digits, "0")
        return self._grouped(f"{whole}.{fraction}" if fraction else whole)

    def signed_money(self, amount: Decimal, currency: str) -> str:
        """A difference of amounts."""
        return f"{'+' if amount > 0 else ''}{self.money(amount, currency)}"

    def date(self, day: date) -> str:
        """A day with its month in words."""
        month = self.words["months"][day.month - 1]
        return self("date", day=str(day.day), month=month, year=f"{day.year:04d}")

    def instant(self, moment: datetime) -> str:
        """An instant, to the second where it has any, in UTC."""
        time = f"{moment:%H:%M:%S}" if moment.second else f"{moment:%H:%M}"
        return self("instant", date=self.date(moment.date()), time=time)

    def month(self, period: Period) -> str:
        """A month with its year."""
        month = self.words["months"][period.month - 1]
        return self("month", month=month, year=f"{period.year:04d}")

    def _grouped(self, text: str) -> str:
        sign = "-" if text.startswith("-") else ""
        whole, _, fraction = text.removeprefix("-").partition(".")
        groups = f"{int(whole):,}".replace(",", self.words["thousands"])
        return f"{sign}{groups}{self.words['decimal_point'] + fraction if fraction else ''}"


@cache
def wording(locale: str) -> Wording:
    """The words of a language."""
    folder = resources.files("pipeline.documents") / "texts"
    text = (folder / f"{locale}.toml").read_text(encoding="utf-8")
    return Wording(locale, tomllib.loads(text))
