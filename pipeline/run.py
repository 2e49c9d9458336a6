"""The only orchestrator: which steps a command takes, and taking them.

Belongs here: choosing what is out of date, sending buckets to the executor, publishing. Does not
belong here: what a stage does (`stages`), and words (`cli`).
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass
from datetime import UTC
from difflib import get_close_matches

import polars as pl

from pipeline.draft import TABLES, Draft
from pipeline.errors import InputMissing, UsageError
from pipeline.findings import ERROR
from pipeline.fingerprint import billing_code, fingerprint
from pipeline.request import Request, inputs_of, parts_of, pieces_of, tasks_of
from pipeline.stages.bucket import buckets, run_bucket
from pipeline.stages.conclude import Evidence
from pipeline.stages.ingest import ingest
from pipeline.stages.order import OF_USAGE, STAGES
from pipeline.stages.terms import Terms, build_terms
from pipeline.steps import Progress, Step
from pipeline.store.landing import LandedStore, Listing
from pipeline.store.results import ResultStore, Run
from pipeline.store.work import WorkStore
from schemas.datasets import FINDINGS
from schemas.feeds import TERMS


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a request: what is published now, and what that changed.

    `redone` stages were done anew; `dropped` ones are no longer published, since what they rest on
    has changed and they were not asked for.
    """

    run: Run
    redone: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    has_errors: bool = False


def execute(request: Request, executor: Executor, progress: Progress) -> Done:
    """Bring the asked stages up to date and publish them together; the caller holds the lock."""
    landed, results = LandedStore(request.store), ResultStore(request.store)
    WorkStore(request.store).clear_scratch()
    listing = _listing(request, landed, executor, progress)
    latest = results.latest(request.period)
    inputs = inputs_of(request, listing)
    asked = [stage.name for stage in request.stages]
    if latest and latest.inputs == inputs and all(name in latest.parts for name in asked):
        return Done(latest, has_errors=_has_errors(results, latest))
    terms = load_terms(landed, listing)
    _check_tenants(request, terms)
    parts = parts_of(request, listing, terms, latest)
    current = {
        name: part for name, part in (latest.parts if latest else {}).items() if parts[name] == part
    }
    _check_input(request, current)
    todo = [stage for stage in request.stages if stage.name not in current]
    if request.only_tenants is not None:
        terms = terms.of(request.only_tenants)
    outcomes: list[str] = []
    if any(stage.name in OF_USAGE for stage in todo):
        outcomes = _outcomes(request, landed, listing, terms, executor, progress)
    work, draft = WorkStore(request.store), Draft(request, parts, latest, results)
    evidence = Evidence(
        request.period,
        listing,
        terms,
        request.day,
        request.only_tenants is None,
        lambda: [landed.landing(piece.landing) for piece in pieces_of(listing)],
        landed.stored_rows,
        lambda name: pl.concat(work.load(outcome, name) for outcome in outcomes),
        draft.of,
    )
    for stage in todo:
        progress(Step(stage.name))
        draft.add(stage, stage.conclude(evidence))
        current[stage.name] = parts[stage.name]
    in_order = {stage.name: current[stage.name] for stage in STAGES if stage.name in current}
    if latest and latest.parts == in_order and latest.inputs == inputs:
        return Done(latest, has_errors=_has_errors(results, latest))
    results.write(request.period, TABLES, draft.to_publish())
    run = _next_run(request, listing, latest, inputs, in_order)
    results.publish(run)
    return Done(
        run,
        tuple(stage.name for stage in todo),
        tuple(name for name in (latest.parts if latest else ()) if name not in in_order),
        _has_errors(results, run),
    )


def load_terms(landed: LandedStore, listing: Listing) -> Terms:
    """The terms that the listed exports state."""
    frames = {}
    for table in TERMS:
        rows = [
            landed.rows_of(export, table).with_columns(file=pl.lit(export.name))
            for export in listing.of(table.name)
        ]
        nothing = {"row": pl.Int64, "defects": pl.String, "raw": pl.String, "file": pl.String}
        empty = pl.DataFrame(schema={**table.dtypes, **nothing})
        frames[table.name] = pl.concat([empty, *rows])
    return build_terms(frames)


def _listing(
    request: Request, landed: LandedStore, executor: Executor, progress: Progress
) -> Listing:
    if request.stages[0].name == "ingest":
        if request.feeds is None:
            raise AssertionError("ingest is asked for with a feeds directory")
        progress(Step("ingest"))
        arrived_at = request.now.astimezone(UTC).isoformat()
        return ingest(
            request.feeds,
            request.store,
            executor,
            arrived_at,
            progress,
            allow_shrink=request.allow_shrink,
        )[0]
    listing = landed.listing()
    if listing is None:
        raise InputMissing(
            "no export has been taken in yet",
            where=request.store,
            remedy=f"run `tenantbill ingest {request.period} --feeds DIR` first",
        )
    return listing


def _check_tenants(request: Request, terms: Terms) -> None:
    """Raise `UsageError` for an asked tenant that nobody knows."""
    for name in sorted(request.only_tenants or ()):
        if name not in terms.tenants:
            close = get_close_matches(name, terms.tenants, n=1)
            raise UsageError(
                f"there is no tenant {name!r} in tenants or subscriptions",
                remedy=f"did you mean {close[0]!r}?" if close else "see the exports for its id",
            )


def _check_input(request: Request, current: Mapping[str, str]) -> None:
    """Raise `InputMissing` where a stage stands on one that is neither current nor asked for."""
    have = {"ingest", *current}
    for stage in request.stages:
        for needed in stage.needs:
            if needed not in have:
                raise InputMissing(
                    f"{stage.name} needs the result of {needed} for {request.period}, and the "
                    "store has none that is up to date",
                    where=request.store,
                    remedy=f"run `tenantbill {needed} {request.period}` first, or "
                    f"`tenantbill run {request.period}` for all of it",
                )
        have.add(stage.name)


def _outcomes(
    request: Request,
    landed: LandedStore,
    listing: Listing,
    terms: Terms,
    executor: Executor,
    progress: Progress,
) -> list[str]:
    """Have every bucket done; gives the names that their outcomes are kept under."""
    pieces = pieces_of(listing)
    named = landed.named_subscriptions(piece.landing for piece in pieces)
    cut = buckets(landed, pieces, request.budget.rows_at_once, request.budget.workers)
    tasks = tasks_of(request, cut, terms, named)
    futures = {executor.submit(run_bucket, task): task for task in tasks}
    rows = sum(bucket.rows for bucket in cut)
    done = done_rows = 0
    for future in as_completed(futures):
        done, done_rows = done + 1, done_rows + futures[future].bucket.rows
        progress(Step("usage", done, len(futures), "buckets", done_rows, rows))
    return [future.result() for future in futures]


def _next_run(
    request: Request, listing: Listing, latest: Run | None, inputs: str, parts: dict[str, str]
) -> Run:
    sequence = latest.sequence + 1 if latest else 1
    previous = latest.run_id if latest else None
    return Run(
        request.period,
        sequence,
        fingerprint(str(request.period), sequence, previous, parts, inputs)[:12],
        previous,
        request.now,
        request.command,
        inputs,
        listing.number,
        parts,
        billing_code(),
    )


def _has_errors(results: ResultStore, run: Run) -> bool:
    found = results.read(FINDINGS, run.period, list(run.parts.values()))
    return ERROR in found["severity"]
