"""From what stands on a page to the page itself: HTML, complete in one file.

Belongs here: filling in templates, safely. Does not belong here: what stands on a page (`invoice`,
`cover`, `report`), and writing files (`printing`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pipeline.documents.paper.charts import Frame, bar_chart, step_chart
from pipeline.documents.paper.figures import Course, Series
from pipeline.documents.paper.invoice import View, series_words
from pipeline.documents.paper.wording import Wording

NARROW, WIDE, TALL = Frame(3300, 1150), Frame(6900, 1500), Frame(6900, 1900, above=260)

_HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters, and those that embed, override or isolate directions of writing."""


def page(template: str, view: View, words: Wording, label: Callable[[str], str]) -> str:
    """A page of HTML. Whatever comes from the data is text on it, never markup."""

    def drawn(series: Series, is_alone: bool) -> Markup:
        title = f"{label(series.meter)}: {series_words(series, words)}"
        # All that the picture has from the data is escaped where it is put together.
        return Markup(bar_chart(series, words, WIDE if is_alone else NARROW, title))

    def stepped(course: Course, title: str) -> Markup:
        return Markup(step_chart(course, words, TALL, title))

    return (
        _environment()
        .get_template(template)
        .render(
            view=view,
            words=words,
            label=label,
            drawn=drawn,
            stepped=stepped,
            caption=lambda series: series_words(series, words),
        )
    )


def legible(text: str) -> str:
    """Text in which every character that no page can show, or that turns others round, is marked.

    Letters of any script stay; only what overrides their order is taken out.
    """
    return text if text.isprintable() else _HIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("pipeline.documents"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalized,
    )


def _finalized(value: Any) -> Any:
    return legible(value) if type(value) is str else value
