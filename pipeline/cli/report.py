"""What a command leaves behind for programs: a summary and metrics, however it ends.

Belongs here: keeping note of what is done, and writing it where it was asked for. Does not belong
here: what the files say (`summary`, `metrics`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.group import DONE, DONE_WITH_ERRORS, FAILED
from pipeline.errors import BillingError
from pipeline.period import Period

if TYPE_CHECKING:
    from pipeline.run import Done
    from pipeline.summary import Summary
    from pipeline.tell import Teller

STDOUT = Path("-")


class Report:
    """Takes note of what a command does, and reports it in the end to the files that are named."""

    def __init__(
        self,
        command: str,
        store: Path,
        clock: Callable[[], datetime],
        summary: Path | None = None,
        metrics: Path | None = None,
    ) -> None:
        self._command, self._store, self._clock = command, store, clock
        self._summary, self._metrics = summary, metrics
        self._began = clock()
        self._done: list[tuple[Period, Done]] = []
        self._under_way: Period | None = None
        self.closed_with_news: list[Period] = []

    @property
    def is_wanted(self) -> bool:
        """Whether anything is to be written."""
        return bool(self._summary or self._metrics)

    @property
    def takes_stdout(self) -> bool:
        """Whether the summary goes to stdout, so that nothing else may."""
        return self._summary == STDOUT

    def exit_code(self, error: BaseException | None = None) -> int:
        """How the command leaves: by its error, or by what the periods have found."""
        if error:
            return error.exit_code if isinstance(error, BillingError) else FAILED
        return DONE_WITH_ERRORS if any(done.has_errors for _, done in self._done) else DONE

    def begin(self, period: Period) -> None:
        """Take note of the period that is under way now."""
        self._under_way = period

    def done(self, period: Period, done: Done) -> None:
        """Take note of a period that is done."""
        self._done.append((period, done))
        self._under_way = None

    @contextmanager
    def kept(self, tell: Teller) -> Iterator[None]:
        """Write the report when the block ends, well or not."""
        try:
            yield
        except BaseException as error:
            self._write(tell, error)
            raise
        self._write(tell)

    def _write(self, tell: Teller, error: BaseException | None = None) -> None:
        """Write what is asked for, and tell what cannot be written: the work itself is done."""
        if not self.is_wanted:
            return
        with _harmless(tell):
            summary = self._summed_up(error)
            with _harmless(tell):
                self._write_summary(summary)
            with _harmless(tell):
                self._write_metrics(summary)

    def _summed_up(self, error: BaseException | None) -> Summary:
        from pipeline.summary import Outcome, summary_of  # noqa: PLC0415

        outcome = Outcome(
            self._command,
            self._began,
            self._clock(),
            self.exit_code(error),
            self._done,
            self.closed_with_news,
            error,
            self._under_way,
        )
        return summary_of(self._store, outcome)

    def _write_summary(self, summary: Summary) -> None:
        text = f"{json.dumps(summary, ensure_ascii=False, indent=1)}\n"
        if self.takes_stdout:
            click.echo(text, nl=False)
        elif self._summary:
            _write_whole(self._summary, text)

    def _write_metrics(self, summary: Summary) -> None:
        from pipeline.metrics import metrics_of  # noqa: PLC0415

        if self._metrics:
            is_there = self._metrics.is_file()
            before = self._metrics.read_text("utf-8", "replace") if is_there else ""
            _write_whole(self._metrics, metrics_of(summary, before))


@contextmanager
def _harmless(tell: Teller) -> Iterator[None]:
    """Tell what goes wrong in the block, and go on: how the work ended counts for more."""
    try:
        yield
    except Exception as obstacle:
        tell.warned(f"the report could not be written: {obstacle}", "report_failed")


def _write_whole(path: Path, text: str) -> None:
    """Write a file at once; a pipe or a device, such as /dev/stderr, is written to as it is."""
    from pipeline.store.files import write_text  # noqa: PLC0415

    if path.exists() and not path.is_file():
        path.write_text(text, encoding="utf-8")
    else:
        write_text(path.resolve(), text)
