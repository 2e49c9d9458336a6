"""The commands that bill closed months again: plan, apply, and diff.

Belongs here: their options, words and exit codes. Does not belong here: what differs (`compare`)
and what corrects it (`correct`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from pipeline.cli import options
from pipeline.cli.group import CHANGES, DONE, DONE_WITH_ERRORS, examples, main
from pipeline.cli.reading import usual_shape
from pipeline.cli.work import Work, actor, at_work, check_is_store, now, sources, words_of
from pipeline.period import Period

if TYPE_CHECKING:
    from pipeline.correct import Plan
    from pipeline.request import Request


def _of_comparing(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of one that compares with what is published."""
    for one in (
        click.option("--exit-code", is_flag=True, help="Leave with 10 if something would change."),
        options.period_or_all,
        options.feeds_if_any,
        options.store,
        options.tenant,
        options.as_of,
        options.allow_shrink,
        options.output_format,
        options.of_work,
    ):
        command = one(command)
    return command


@main.command(
    epilog=examples(
        "tenantbill plan --feeds exports",
        "tenantbill plan 2026-08..2026-10 --feeds exports --output plan.json",
        "tenantbill plan 2026-10 --exit-code",
    )
)
@_of_comparing
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    help="Save the plan to this file, for `apply`.",
)
def plan(
    periods: list[Period] | None,
    store: Path,
    output: Path | None,
    exit_code: bool,
    format: str | None,
    feeds: Path | None,
    tenant: tuple[str, ...],
    as_of: datetime | None,
    allow_shrink: bool,
    **surroundings: Any,
) -> None:
    """Say what today's exports would change of closed months, and which documents correct it.

    Without PERIOD, of all closed months. Nothing is issued.
    """
    with _comparing(store, periods, surroundings) as work:
        from pipeline.correct import make_plan, note_plan  # noqa: PLC0415
        from pipeline.planfile import write_plan  # noqa: PLC0415
        from pipeline.store.ledger import Ledger  # noqa: PLC0415

        asked = periods or _closed_periods(store)
        requests = _requests(work, asked, store, feeds, tenant, as_of, allow_shrink)
        if not requests:
            work.tell.said("no month is closed: nothing to correct", "planned", changes=0)
            sys.exit(DONE)
        made = make_plan(requests, work.executor, work.tell.progress)
        note_plan(made, Ledger(store), requests[0].now, actor(), requests[0].command)
        if output:
            write_plan(output, made, feeds, requests[0].now, actor())
    _write_plan(made, format or usual_shape())
    compared = {month.worked.request.period for month in made.months}
    for period in asked:
        if period not in compared:
            words = f"{period} is open: nothing of it is issued that could change"
            work.tell.noted(words, "not_compared", period=str(period))
    _tell_blocked(work, made.blocked)
    if exit_code and len(made.changes):
        sys.exit(CHANGES)
    sys.exit(DONE_WITH_ERRORS if made.blocked else DONE)


def _comparing(
    store: Path, periods: list[Period] | None, surroundings: dict[str, Any]
) -> AbstractContextManager[Work]:
    """The surroundings of a comparison with what is published; so there must be a store."""
    first = periods[0] if periods else "PERIOD"
    return at_work(store, check=lambda: check_is_store(store, first), **surroundings)


def _tell_blocked(work: Work, blocked: Mapping[str, str]) -> None:
    for name, why in blocked.items():
        work.tell.noted(f"{name} cannot be compared: {why}", "not_compared", tenant=name)


def _write_plan(made: Plan, shape: str) -> None:
    """Write what would change; on a terminal and as JSON, with the documents that would be issued.

    A plan without changes is told in words, where words are read.
    """
    import polars as pl  # noqa: PLC0415

    from pipeline.show import write_changes, write_rows  # noqa: PLC0415
    from schemas.datasets import INVOICES  # noqa: PLC0415

    if shape == "table" and made.changes.is_empty():
        click.echo("nothing would change")
        return
    write_changes(made.changes, shape)
    if shape == "table":
        click.echo("\nto be issued:")
        documents = [one.invoices for _, one in sorted(made.documents.items())]
        told = ("document", "invoice_id", "period", "usage_period", "currency", "total")
        write_rows(pl.concat([INVOICES.empty(), *documents]).select(told), shape)


@main.command(
    epilog=examples(
        "tenantbill diff 2026-10 --feeds exports",
        "tenantbill diff 2026-10 --exit-code",
    )
)
@_of_comparing
def diff(
    periods: list[Period] | None,
    store: Path,
    exit_code: bool,
    format: str | None,
    feeds: Path | None,
    tenant: tuple[str, ...],
    as_of: datetime | None,
    allow_shrink: bool,
    **surroundings: Any,
) -> None:
    """Say what a run would change of all that is published, drafts included, line by line.

    Without PERIOD, of all months. Nothing is published.
    """
    with _comparing(store, periods, surroundings) as work:
        import polars as pl  # noqa: PLC0415

        from pipeline.correct import make_diff  # noqa: PLC0415
        from pipeline.published import Published  # noqa: PLC0415
        from pipeline.show import write_changes  # noqa: PLC0415
        from schemas.datasets import CHANGES as CHANGED_LINES  # noqa: PLC0415

        asked = periods or Published(store).periods
        requests = _requests(work, asked, store, feeds, tenant, as_of, allow_shrink)
        months = make_diff(requests, work.executor, work.tell.progress) if requests else []
    changes = pl.concat([CHANGED_LINES.empty(), *(month.changes for month in months)])
    write_changes(changes, format or usual_shape())
    blocked = {name: why for month in months for name, why in month.blocked.items()}
    _tell_blocked(work, blocked)
    if exit_code and len(changes):
        sys.exit(CHANGES)
    sys.exit(DONE_WITH_ERRORS if blocked else DONE)


@main.command(epilog=examples('tenantbill apply plan.json --reason "rows of 12 October came late"'))
@click.argument("plan_file", metavar="PLANFILE", type=click.Path(path_type=Path))
@options.store
@click.option("--reason", required=True, help="Why, for the log and whoever reads it later.")
@options.feeds_of_plan
@options.of_work
def apply(
    plan_file: Path,
    store: Path,
    reason: str,
    feeds: Path | None,
    **surroundings: Any,
) -> None:
    """Issue the documents of a plan, if all it was computed from is as it was.

    Exports are looked for where the plan found them, unless --feeds is given here.
    """
    if not reason.strip():
        raise click.BadParameter("say why in some words", param_hint="--reason")
    with at_work(store, check=lambda: check_is_store(store), **surroundings) as work:
        from pipeline.correct import applied_before, apply_plan, make_plan  # noqa: PLC0415
        from pipeline.planfile import check_same, read_plan  # noqa: PLC0415
        from pipeline.published import Published  # noqa: PLC0415
        from pipeline.store.ledger import Ledger  # noqa: PLC0415

        asked, ledger = read_plan(plan_file), Ledger(store)
        said_by = click.get_current_context().get_parameter_source("feeds")
        found_in = feeds if said_by is ParameterSource.COMMANDLINE else asked.feeds
        before = applied_before(ledger, asked.plan_id)
        if before is not None:
            words = f"applied already, at {before.act.at:%Y-%m-%dT%H:%M:%SZ}: nothing was done"
            work.tell.said(words, "applied", plan=asked.plan_id, documents=0)
            sys.exit(DONE)
        tenants = tuple(sorted(asked.only_tenants or ()))
        requests = _requests(
            work,
            asked.periods,
            store,
            found_in,
            tenants,
            asked.as_of,
            True,
        )
        made = make_plan(requests, work.executor, work.tell.progress)
        check_same(asked, made, plan_file)
        issued = Published(store).issued().invoices
        entry = (
            apply_plan(made, ledger, issued, requests[0].now, actor(), reason)
            if made.documents
            else None
        )
        _tell_applied(work, made, entry.documents if entry else 0)
    sys.exit(DONE_WITH_ERRORS if made.blocked else DONE)


def _tell_applied(work: Work, made: Plan, documents: int) -> None:
    from pipeline.findings import counted  # noqa: PLC0415
    from pipeline.status import money_of  # noqa: PLC0415

    words = "there was nothing to correct"
    if documents:
        told = [
            f"{counted(len(one.invoices), 'document')} dated {period} ({money_of(one.invoices)})"
            for period, one in sorted(made.documents.items())
        ]
        words = f"issued {'; '.join(told)}"
    work.tell.said(words, "applied", plan=made.id, documents=documents)


def _closed_periods(store: Path) -> list[Period]:
    from pipeline.published import Published  # noqa: PLC0415

    return Published(store).life.closed_periods


def _requests(
    work: Work,
    periods: list[Period],
    store: Path,
    feeds: Path | None,
    tenant: tuple[str, ...],
    as_of: datetime | None,
    allow_shrink: bool,
) -> list[Request]:
    """What is asked for of each period: every stage, of the exports as they are or were."""
    from pipeline.request import Request  # noqa: PLC0415
    from pipeline.stages.order import STAGES  # noqa: PLC0415

    began = now()
    past = as_of if as_of and as_of < began else None
    return [
        Request(
            period,
            STAGES,
            store,
            feeds,
            words_of("plan", *(f"--tenant {name}" for name in tenant)),
            began,
            frozenset(tenant) or None,
            None,
            work.budget,
            as_of=past,
            actor=actor(),
            allow_shrink=allow_shrink,
            sources=sources(),
        )
        for period in periods
    ]
