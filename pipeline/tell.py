"""Telling people and schedulers what a command does: progress, log events, the last word.

Belongs here: stderr, and the summary on stdout. Does not belong here: results (`show`).
"""

from __future__ import annotations

import errno
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from time import monotonic
from typing import NoReturn, Protocol, TextIO

import click

from pipeline.errors import BillingError, SystemFailed
from pipeline.findings import counted
from pipeline.period import Period
from pipeline.run import Done
from pipeline.steps import Step
from pipeline.texts import visible_lines


class Teller(Protocol):
    """Whoever is told."""

    def progress(self, step: Step) -> None:
        """Take note that something is under way."""

    def done(self, period: Period, command: str, done: Done) -> None:
        """Take note that a command has done its work for a period."""

    def said(self, words: str, event: str, **values: object) -> None:
        """Take note of the last word of a command, and of the event that it tells of."""

    def warned(self, words: str, event: str) -> None:
        """Take note of what went wrong beside the work."""

    def noted(self, words: str, event: str, **values: object) -> None:
        """Take note of what is to be known beside the results."""


@contextmanager
def teller(log_format: str, words_to: TextIO | None = None) -> Iterator[Teller]:
    """Tell on a terminal how work goes on; else nothing, or one JSON event a line.

    Words go to stdout, unless a command needs that for itself.
    An error ends the program here where it is told as an event; else whoever runs it tells.
    """
    if log_format == "json":
        try:
            yield JsonTeller()
        except BillingError as error:
            _fail(error)
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise
            _fail(SystemFailed.of(error))
    elif sys.stderr.isatty():
        with TerminalTeller(words_to) as terminal:
            yield terminal
    else:
        yield PlainTeller(words_to)


class PlainTeller:
    """Says only the last word."""

    def __init__(self, words_to: TextIO | None = None) -> None:
        self._words_to = words_to

    def progress(self, step: Step) -> None:
        """Say nothing: nobody watches."""

    def done(self, period: Period, command: str, done: Done) -> None:
        """Say what is published now, or that nothing changed."""
        click.echo(_last_word(period, command, done), self._words_to)

    def said(self, words: str, event: str, **values: object) -> None:
        """Say the words."""
        click.echo(visible_lines(words), self._words_to)

    def warned(self, words: str, event: str) -> None:
        """Say the words to stderr."""
        click.echo(f"warning: {visible_lines(words)}", err=True)

    def noted(self, words: str, event: str, **values: object) -> None:
        """Say the words to stderr, beside the results."""
        click.echo(visible_lines(words), err=True)


class TerminalTeller(PlainTeller):
    """Shows a bar on stderr while work goes on."""

    def __enter__(self) -> TerminalTeller:
        from rich.console import Console  # noqa: PLC0415
        from rich.progress import Progress  # noqa: PLC0415

        self._bar = Progress(console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task("", total=None)
        self._stage, self._since = "", monotonic()
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def progress(self, step: Step) -> None:
        """Show what is under way, how far, how fast, and for how long still."""
        if step.stage != self._stage:
            self._stage, self._since = step.stage, monotonic()
            self._bar.reset(self._task)
        self._bar.update(
            self._task,
            description=words_of(step, monotonic() - self._since),
            completed=step.rows if step.due_rows else step.done,
            total=step.due_rows or (step.due if step.due > 1 else None),
        )


class JsonTeller:
    """Writes one event a line to stderr."""

    def progress(self, step: Step) -> None:
        """Write an event."""
        _event("progress", **step._asdict())

    def done(self, period: Period, command: str, done: Done) -> None:
        """Write the last event."""
        _event(
            "done",
            period=str(period),
            command=command,
            changed=done.is_new,
            redone=list(done.redone),
            dropped=list(done.dropped),
            run_id=done.run.run_id,
            has_errors=done.has_errors,
            closed_tenants=done.closed,
        )

    def said(self, words: str, event: str, **values: object) -> None:
        """Write the event."""
        _event(event, **values)

    def warned(self, words: str, event: str) -> None:
        """Write the event."""
        _event(event, what=words)

    def noted(self, words: str, event: str, **values: object) -> None:
        """Write the event."""
        _event(event, what=words, **values)


def _fail(error: BillingError) -> NoReturn:
    """End the program with the event of an error."""
    _event(
        "failed",
        error=error.name,
        what=error.what,
        where=error.where,
        remedy=error.remedy,
    )
    sys.exit(error.exit_code)


def words_of(step: Step, seconds: float) -> str:
    """What is under way: stage, how many of how many, the rows so far, and how many a second."""
    of = f" {step.done:,} of {step.due:,} {step.unit}" if step.unit else ""
    rows = f", {step.rows:,} rows" if step.rows else ""
    rate = f", {step.rows / seconds:,.0f} a second" if step.rows and seconds > 0 else ""
    return f"{step.stage}{of}{rows}{rate}"


def _event(name: str, **values: object) -> None:
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    click.echo(json.dumps({"at": now, "event": name, **values}), err=True)


def _last_word(period: Period, command: str, done: Done) -> str:
    if not done.is_new:
        return f"{period}: nothing has changed since run {done.run.run_id}"
    did = f"{', '.join(done.redone)} done, published as run"
    if not done.redone:
        did = "earlier results published again as run"
    stale = f"; out of date until run again: {', '.join(done.dropped)}" if done.dropped else ""
    beside = (
        f"; a candidate beside what was issued to {counted(done.closed, 'tenant')}: see "
        f"`tenantbill plan {period}`"
        if done.closed
        else ""
    )
    note = f"; see `tenantbill show findings {period}`" if done.has_errors else ""
    return f"{period}: {did} {done.run.run_id}{stale}{beside}{note}"
