"""Pages as PDF, through typst: the same words and numbers as in HTML, the same bytes every time.

Belongs here: handing a page's words to the template. Does not belong here: what stands on it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from importlib import resources
from typing import Any

from pipeline.documents.paper.charts import labels
from pipeline.documents.paper.figures import Series
from pipeline.documents.paper.invoice import View, series_words
from pipeline.documents.paper.pages import legible
from pipeline.documents.paper.wording import Wording
from pipeline.extras import needed

LONGEST_WORD, PART = 32, 8
"""Longer words may be broken into parts; the layout breaks no word by itself."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""The date of a draft: none that would differ from one time to the next."""

ZERO_WIDTH_SPACE = "\N{ZERO WIDTH SPACE}"

_LONG = re.compile(rf"\S{{{LONGEST_WORD + 1},}}")

AsPdf = Callable[[str, View], bytes]


def pdf_writer(words: Wording, label: Callable[[str], str]) -> AsPdf:
    """What makes PDFs of pages. Raises `ExtraMissing` where typst is not installed."""
    typst = needed("typst", "pdf")
    folder = resources.files("pipeline.documents") / "templates"
    fonts = typst.Fonts()
    compilers = {
        name: typst.Compiler(str(folder / f"{name}.typ"), font_paths=fonts)
        for name in ("invoice", "cover")
    }

    def as_pdf(template: str, view: View) -> bytes:
        data = {
            "view": {name: value for name, value in view.items() if name not in ("charts", "at")},
            "charts": [_chart(one, words, label) for one in view.get("charts", [])],
            "words": {key: text for key, text in words.words.items() if isinstance(text, str)},
            "locale": words.locale,
            "date": _date(view["at"]),
            "draft_note": words("draft_note"),
            "foot": view["title"],
        }
        content = json.dumps(_breakable(data), ensure_ascii=False)
        at = (view["at"] or EPOCH).replace(microsecond=0)
        made: bytes = compilers[template].compile(sys_inputs={"data": content}, timestamp=at)
        return made

    return as_pdf


def _chart(series: Series, words: Wording, label: Callable[[str], str]) -> dict[str, Any]:
    """A chart as thousandths of its height: each bar within and beyond, and what is included."""
    labelled = labels(series, words)

    def part(value: Decimal) -> int:
        return int(value * 1000 / series.top)

    included = [day.included for day in series.days if day.included is not None]
    return {
        "label": label(series.meter),
        "caption": series_words(series, words),
        "bars": [
            (part(day.used - day.over), part(day.over), labelled.get(day.day, ""))
            for day in series.days
        ],
        "line": [part(one) for one in included],
        "included": words.number(included[-1]) if included else "",
    }


def _date(at: datetime | None) -> dict[str, int] | None:
    if at is None:
        return None
    names = ("year", "month", "day", "hour", "minute", "second")
    return {name: getattr(at, name) for name in names}


def _breakable(value: Any) -> Any:
    """All text of a page such that it can be shown and broken into lines."""
    if isinstance(value, str):
        return _LONG.sub(_broken, legible(value))
    if isinstance(value, dict):
        return {name: _breakable(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_breakable(one) for one in value]
    return value


def _broken(word: re.Match[str]) -> str:
    text = word[0]
    return ZERO_WIDTH_SPACE.join(text[at : at + PART] for at in range(0, len(text), PART))
