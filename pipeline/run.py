"""The only orchestrator: which steps a command takes, and taking them.

Belongs here: choosing what is out of date, sending buckets to the executor, publishing. Does not
belong here: what a stage does (`stages`), and words (`cli`).
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor, Future, as_completed
from contextlib import AbstractContextManager
from dataclasses import dataclass

import polars as pl

from pipeline.draft import TABLES, Draft
from pipeline.errors import BillingError, InputMissing, UsageError, did_you_mean
from pipeline.executors.embedded import expect
from pipeline.exports import BESIDE
from pipeline.findings import ERROR
from pipeline.fingerprint import billing_code, fingerprint, reading_code
from pipeline.issuing.life import Life
from pipeline.period import Period
from pipeline.request import Request, inputs_of, parts_of, pieces_of, seen_of, tasks_of
from pipeline.sources.kind import is_snapshot
from pipeline.sources.snapshots import intervals
from pipeline.stages.assumptions import Assumption, assumed
from pipeline.stages.bucket import BucketTask, buckets, run_bucket
from pipeline.stages.conclude import Evidence
from pipeline.stages.coverage import coverage_findings
from pipeline.stages.ingest import ingest
from pipeline.stages.order import OF_USAGE, STAGES
from pipeline.stages.terms import Terms, build_terms
from pipeline.stages.terms_rules import Frames
from pipeline.steps import Progress, Step
from pipeline.store.landing import LandedStore, Listing
from pipeline.store.ledger import Ledger
from pipeline.store.results import ResultStore, Run, Write
from pipeline.store.work import WorkStore
from schemas.datasets import FINDINGS
from schemas.feeds import TERMS

ROW_BYTES = 3
"""Of how many bytes of exports the work is that a bucket's row makes, at least: most days may be as
they were."""


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a request: what is published now, and what that changed.

    `is_new`: the request published it; else it was so before. `redone` stages were done anew, the
    others are as some run before had them; `dropped` ones are no longer published, since what they
    rest on has changed and they were not asked for. For the `closed` tenants all of it is a
    candidate.
    """

    run: Run
    is_new: bool
    redone: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    has_errors: bool = False
    closed: int = 0


@dataclass(frozen=True, slots=True)
class WorkedOut:
    """What a request comes to, before it is published: `parts` names the results of each stage."""

    request: Request
    listing: Listing
    inputs: str
    parts: dict[str, str]
    draft: Draft
    latest: Run | None
    redone: tuple[str, ...] = ()

    @property
    def is_published(self) -> bool:
        """Whether this is what is published already."""
        known = self.latest
        return known is not None and (known.inputs, known.parts) == (self.inputs, self.parts)

    def keep(self) -> None:
        """Write what is new; it counts once somebody names its parts."""
        with _writing(self.request) as write:
            for stage in STAGES:
                write(self.draft.of_stage(stage))
            write(self.draft.of_all_stages())


def _writing(request: Request) -> AbstractContextManager[Write]:
    return ResultStore(request.store).writing(request.period, TABLES)


def execute(request: Request, executor: Executor, progress: Progress) -> Done:
    """Bring the asked stages up to date and publish them together; the caller holds the lock."""
    with _writing(request) as write:
        worked = work_out(request, executor, progress, write)
    return publish(worked)


def work_out(
    request: Request, executor: Executor, progress: Progress, write: Write | None = None
) -> WorkedOut:
    """Bring the asked stages up to date, as far as they are not, and publish nothing.

    Each stage's results are handed to `write`, if anybody writes, while the next one is at work.
    """
    landed, results = LandedStore(request.store), ResultStore(request.store)
    work = WorkStore(request.store)
    work.clear_scratch()
    listing = take_in(request, executor, progress)
    runs = results.runs(request.period)
    latest = runs[-1] if runs else None
    inputs = inputs_of(request, listing)
    asked = [stage.name for stage in request.stages]
    if latest and latest.inputs == inputs and all(name in latest.parts for name in asked):
        draft = Draft(request, latest.parts, latest, results)
        return WorkedOut(request, listing, inputs, latest.parts, draft, latest)
    terms = load_terms(landed, listing, request.assumptions, request.period)
    check_tenants(request.only_tenants, terms)
    parts = parts_of(request, listing, terms, latest)
    published = {(name, part) for run in runs for name, part in run.parts.items()}
    current = {name: part for name, part in parts.items() if (name, part) in published}
    _check_input(request, current)
    todo = [stage for stage in request.stages if stage.name not in current]
    everyone = terms
    if request.only_tenants is not None:
        terms = terms.of(request.only_tenants)
    outcomes: list[str] = []
    if any(stage.name in OF_USAGE for stage in todo):
        outcomes = _outcomes(request, landed, listing, terms, executor, progress)
    draft = Draft(request, parts, latest, results)
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
        lambda: coverage_findings(
            listing, landed, everyone, request.period, seen_of(request, listing)
        ),
    )
    for stage in todo:
        progress(Step(stage.name))
        draft.add(stage, stage.conclude(evidence))
        if write is not None:
            write(draft.of_stage(stage))
        current[stage.name] = parts[stage.name]
    if write is not None:
        write(draft.of_all_stages())
    in_order = {stage.name: current[stage.name] for stage in STAGES if stage.name in current}
    redone = tuple(stage.name for stage in todo)
    return WorkedOut(request, listing, inputs, in_order, draft, latest, redone)


def publish(worked: WorkedOut) -> Done:
    """Make what was worked out and written the published state; it rests on no assumption."""
    if worked.request.assumptions:
        raise AssertionError("what rests on assumptions is never published")
    results = ResultStore(worked.request.store)
    if worked.latest and worked.is_published:
        return Done(worked.latest, is_new=False, has_errors=_has_errors(results, worked.latest))
    run = _next_run(worked)
    results.publish(run)
    before = worked.latest.parts if worked.latest else {}
    dropped = tuple(name for name in before if name not in worked.parts)
    life = Life(Ledger(worked.request.store).entries())
    closed = len(life.closed(run.period))
    return Done(
        run,
        is_new=True,
        redone=worked.redone,
        dropped=dropped,
        has_errors=_has_errors(results, run),
        closed=closed,
    )


class ReadByAnotherVersion(BillingError):
    """The store holds exports in a form that this version of the program does not know."""


def load_terms(
    landed: LandedStore,
    listing: Listing,
    assumptions: tuple[Assumption, ...] = (),
    period: Period | None = None,
) -> Terms:
    """The terms that the listed exports state, or what is assumed of them for a period."""
    frames = feeds_of(landed, listing)
    return build_terms(assumed(frames, assumptions, period) if period else frames)


def feeds_of(landed: LandedStore, listing: Listing) -> Frames:
    """The rows of all feeds but usage, each with its `file`; intervals for snapshots."""
    frames = {}
    for table in TERMS:
        stated = [pl.DataFrame(schema={**table.dtypes, **BESIDE, "file": pl.String})]
        snapshots: dict[str, list[pl.DataFrame]] = {}
        for export in listing.of(table.name):
            rows = landed.rows_of(export, table).with_columns(file=pl.lit(export.name))
            together = stated
            if is_snapshot(export.kind):
                together = snapshots.setdefault(export.source, [])
            together.append(rows)
        stated += [intervals(pl.concat(some), table) for some in snapshots.values()]
        frames[table.name] = pl.concat(stated)
    return frames


def take_in(request: Request, executor: Executor, progress: Progress) -> Listing:
    """The exports that count: as they are there now, or as the store has them."""
    landed = LandedStore(request.store)
    if request.takes_in:
        progress(Step("ingest"))
        return ingest(
            request.feeds,
            request.sources,
            request.store,
            executor,
            request.now,
            progress,
            allow_shrink=request.allow_shrink,
        )[0]
    listing = landed.listing(request.as_of)
    if listing is None:
        by_then = f"by {request.as_of:%Y-%m-%dT%H:%M:%SZ}" if request.as_of else "yet"
        later = "name a later instant with --as-of, or " if request.as_of else ""
        raise InputMissing(
            f"no export has been taken in {by_then}",
            where=request.store,
            remedy=f"{later}run `tenantbill ingest {request.period} --feeds DIR` first",
        )
    if any(export.reader != reading_code() for export in listing.exports):
        raise ReadByAnotherVersion(
            f"the exports of {listing.taken_at:%Y-%m-%d} were read by another version of the "
            "program",
            where=request.store,
            remedy="to reproduce what they gave, install the version that read them"
            if request.as_of
            else f"run `tenantbill ingest {request.period} --feeds DIR` first",
        )
    return listing


def check_tenants(only_tenants: frozenset[str] | None, terms: Terms) -> None:
    """Raise `UsageError` for an asked tenant that nobody knows."""
    for name in sorted(only_tenants or ()):
        if name not in terms.tenants:
            raise UsageError(
                f"there is no tenant {name!r} in tenants or subscriptions",
                remedy=did_you_mean(name, terms.tenants, "see the exports for its id"),
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
    rows = sum(bucket.rows for bucket in cut)
    expect(executor, rows * ROW_BYTES)
    futures = {executor.submit(run_bucket, task): task for task in tasks}
    done = done_rows = 0
    for future in as_completed(futures):
        done, done_rows = done + 1, done_rows + futures[future].bucket.rows
        progress(Step("usage", done, len(futures), "buckets", done_rows, rows))
    return [_outcome(future, task) for future, task in futures.items()]


def _outcome(future: Future[str], task: BucketTask) -> str:
    """What a bucket came to; an error says which one it was."""
    try:
        return future.result()
    except BillingError as error:
        slots = task.bucket.slots
        raise error.within(f"bucket of slots {slots.start} to {slots.stop - 1}") from error


def _next_run(worked: WorkedOut) -> Run:
    request, latest = worked.request, worked.latest
    sequence = latest.sequence + 1 if latest else 1
    previous = latest.run_id if latest else None
    name = (str(request.period), sequence, previous, worked.parts, worked.inputs)
    return Run(
        request.period,
        sequence,
        fingerprint(*name)[:12],
        previous,
        request.now,
        request.command,
        worked.inputs,
        worked.listing.number,
        worked.parts,
        billing_code(),
        request.actor,
        request.as_of,
    )


def _has_errors(results: ResultStore, run: Run) -> bool:
    found = results.read(FINDINGS, run.period, list(run.parts.values()))
    return ERROR in found["severity"]
