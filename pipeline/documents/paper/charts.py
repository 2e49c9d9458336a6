"""Small pictures of usage as SVG: numbers in, markup out, nothing else.

Belongs here: geometry. Does not belong here: colours and fonts (the style sheet of the page), and
which numbers are drawn (`figures`). Positions are whole tenths, so the same numbers always give the
same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from html import escape
from zoneinfo import ZoneInfo

from pipeline.documents.paper.figures import PEAK, Course, Series
from pipeline.documents.paper.wording import Wording

MOST_LABELS = 10
"""Days with overage up to which each says by how much; beyond that only the largest does."""

EVERY = 5
"""Days between two numbers below the axis."""


Steps = Sequence[tuple[datetime, Decimal]]


@dataclass(frozen=True, slots=True)
class Frame:
    """The plot within its picture, in tenths: margins leave room for labels."""

    width: int
    height: int
    left: int = 20
    right: int = 560
    above: int = 160
    below: int = 180

    @property
    def floor(self) -> int:
        """Where 0 is drawn."""
        return self.height - self.below

    def across(self, part: int, parts: int) -> int:
        """A position from left to right."""
        return self.left + (self.width - self.left - self.right) * part // parts

    def up(self, value: Decimal, top: Decimal) -> int:
        """A position for a value; the largest is at the top."""
        span = self.floor - self.above
        return self.floor - int(value * span / top) if top > 0 else self.floor


def bar_chart(series: Series, words: Wording, frame: Frame, title: str) -> str:
    """A bar a day, what is included as a line, what is beyond it in the signal colour."""
    return _picture(frame, title, [*_bars(series, frame, words), *_line(series, frame, words)])


def _bars(series: Series, frame: Frame, words: Wording) -> Iterator[str]:
    top, count = series.top, len(series.days)
    labelled = labels(series, words)
    for number, day in enumerate(series.days):
        left, right = (
            frame.across(number * 5 + 1, count * 5),
            frame.across(number * 5 + 4, count * 5),
        )
        middle, within = (left + right) // 2, day.used - day.over
        if within > 0:
            high = frame.up(within, top)
            yield _box("bar", left, high, right - left, frame.floor - high)
        if day.over > 0:
            high, low = frame.up(day.used, top), frame.up(within, top)
            yield _box("over", left, high, right - left, max(low - high, 10))
            if day.day in labelled:
                yield _text("mark", middle, high - 30, labelled[day.day], "middle")
        if number == 0 or (number + 1) % EVERY == 0:
            yield _text("axis", middle, frame.height - 50, str(day.day.day), "middle")


def labels(series: Series, words: Wording) -> dict[date, str]:
    """The days that say by how much they are beyond what is included."""
    over = [day for day in series.days if day.over > 0]
    if series.measure != PEAK:
        over = over[-1:]
    elif len(over) > MOST_LABELS:
        over = [max(over, key=lambda day: day.over)]
    return {day.day: _short(day.over, words) for day in over}


def _line(series: Series, frame: Frame, words: Wording) -> Iterator[str]:
    """What is included: a line with a step where it changes."""
    count, top = len(series.days), series.top
    yield f'<path class="floor" d="M{_n(frame.left)} {_n(frame.floor)}H{_n(frame.across(1, 1))}"/>'
    points: list[str] = []
    last = None
    for number, day in enumerate(series.days):
        if day.included is None:
            return
        high = _n(frame.up(day.included, top))
        if day.included != last:
            points.append(f"{'V' if points else f'M{_n(frame.across(number, count))} '}{high}")
        points.append(f"H{_n(frame.across(number + 1, count))}")
        last = day.included
    yield f'<path class="included" d="{"".join(points)}"/>'
    if last is not None:
        yield from _beside(last, top, frame, words)


def _beside(included: Decimal, top: Decimal, frame: Frame, words: Wording) -> Iterator[str]:
    """The number beside the line."""
    x, y = frame.across(1, 1) + 40, frame.up(included, top)
    yield _text("label", x, y - 5, words.number(included), "start")
    yield _text("axis", x, y + 75, words("included"), "start")


def step_chart(course: Course, words: Wording, frame: Frame, title: str) -> str:
    """The course of a day, what is included as a line, what is beyond it in the signal colour."""
    within = [(at, min(Decimal(number), course.included)) for at, number in course.steps]
    beyond = [(at, max(Decimal(number), course.included)) for at, number in course.steps]
    whole = [(at, Decimal(number)) for at, number in course.steps]
    line = _n(frame.up(course.included, course.top))
    right = frame.across(1, 1)
    marked = _across(course, course.marked, frame)
    local = course.marked.astimezone(ZoneInfo(course.zone))
    parts = [
        f'<path class="steps" d="{_area(course, within, Decimal(0), frame)}"/>',
        f'<path class="beyond" d="{_area(course, beyond, course.included, frame)}"/>',
        f'<path class="edge" d="{_edge(course, whole, frame)}"/>',
        f'<path class="included" d="M{_n(frame.left)} {line}H{_n(right)}"/>',
        f'<path class="instant" d="M{_n(marked)} {_n(frame.above - 40)}V{_n(frame.floor)}"/>',
        _text("mark", marked, frame.above - 60, f"{local:%H:%M}", "middle"),
        *_beside(course.included, course.top, frame, words),
        *_hours(course, frame),
    ]
    return _picture(frame, title, parts)


def _hours(course: Course, frame: Frame) -> Iterator[str]:
    """The hours of the local day, every third."""
    for hour in range(0, 24, 3):
        at = datetime.combine(course.day, time(hour), ZoneInfo(course.zone))
        x = _across(course, at.astimezone(UTC), frame)
        yield _text(
            "axis", x, frame.height - 50, f"{hour:02d}:00", "start" if not hour else "middle"
        )


def _across(course: Course, at: datetime, frame: Frame) -> int:
    second = timedelta(seconds=1)
    parts = (course.end - course.begin) // second
    return frame.across((at - course.begin) // second, parts)


def _edge(course: Course, steps: Steps, frame: Frame) -> str:
    """The outline of steps, from left to right."""
    points: list[str] = []
    for at, value in steps:
        x, y = _n(_across(course, at, frame)), _n(frame.up(value, course.top))
        points.append(f"H{x}V{y}" if points else f"M{x} {y}")
    return "".join(points) + f"H{_n(frame.across(1, 1))}"


def _area(course: Course, steps: Steps, base: Decimal, frame: Frame) -> str:
    """The area between steps and a base."""
    floor = _n(frame.up(base, course.top))
    return f"{_edge(course, steps, frame)}V{floor}H{_n(frame.left)}Z"


def _short(over: Decimal, words: Wording) -> str:
    """A label has a digit after the point at most; the exact number is in the text."""
    return words.signed(over.quantize(Decimal("0.1")) if over % 1 else over)


def _picture(frame: Frame, title: str, parts: list[str]) -> str:
    return (
        f'<svg viewBox="0 0 {_n(frame.width)} {_n(frame.height)}" role="img" '
        f'aria-label="{escape(title)}">{"".join(parts)}</svg>'
    )


def _box(name: str, x: int, y: int, width: int, height: int) -> str:
    return (
        f'<rect class="{name}" x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}"/>'
    )


def _text(name: str, x: int, y: int, text: str, anchor: str) -> str:
    return (
        f'<text class="{name}" x="{_n(x)}" y="{_n(y)}" text-anchor="{anchor}">{escape(text)}</text>'
    )


def _n(tenths: int) -> str:
    """Tenths as a number."""
    whole, rest = divmod(tenths, 10)
    return f"{whole}.{rest}" if rest else str(whole)
