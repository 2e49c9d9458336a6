"""What a request asks for, and the names of everything that would answer it.

Belongs here: what each stage and each bucket depends on, as fingerprints: the same again need not
be done. Does not belong here: doing it (`run`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from pipeline.executors.embedded import usual_memory
from pipeline.fingerprint import billing_code, fingerprint
from pipeline.period import Period
from pipeline.sources import Source
from pipeline.stages.assumptions import Assumption
from pipeline.stages.bucket import Bucket, BucketTask, Piece
from pipeline.stages.coverage import seen_until
from pipeline.stages.order import Stage
from pipeline.stages.terms import Terms
from pipeline.store.landing import ListedExport, Listing
from pipeline.store.results import Run
from pipeline.store.usage import slot_of
from schemas.feeds import USAGE


@dataclass(frozen=True, slots=True)
class Budget:
    """What a run may use of the machine: that many workers, and bytes of memory for all of them."""

    workers: int = 1
    memory: int = 2 << 30

    @classmethod
    def of(cls, workers: int, memory: int | None, of_a_task: int | None) -> Budget:
        """What that many workers may use: what is said, else what a task has, else the usual.

        Where tasks run elsewhere and may use `of_a_task` bytes each, that is beside what the
        program takes here.
        """
        if memory is None and of_a_task is not None:
            memory = BASE_BYTES + workers * max(of_a_task - BASE_BYTES, 0)
        return cls(workers, memory or usual_memory(workers))

    @property
    def rows_at_once(self) -> int:
        """How many rows of usage a worker may hold as numbers, while it measures them."""
        share = (self.memory - BASE_BYTES) // self.workers
        return max(SMALLEST_DAY, min(LARGEST_DAY, share // BYTES_A_ROW))


BASE_BYTES = 600 << 20
"""What the program, its engines and the terms take before any usage is read."""

BYTES_A_ROW = 400
"""What measuring takes for each row of a part, at its highest."""

SMALLEST_DAY, LARGEST_DAY = 50_000, 500_000
"""Rows of a bucket's largest day, or part of one: fewer are not worth a bucket, more no faster."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a command asks for: some stages, in order, of one period.

    With `as_of`, of the exports that counted at that instant, not of those that lie there now. With
    `assumptions`, on terms as they might have been: what comes of it is not to be published.
    """

    period: Period
    stages: tuple[Stage, ...]
    store: Path
    feeds: Path | None
    command: str
    now: datetime
    only_tenants: frozenset[str] | None = None
    access_day: int | None = None
    budget: Budget = field(default_factory=Budget)
    as_of: datetime | None = None
    actor: str | None = None
    allow_shrink: bool = False
    assumptions: tuple[Assumption, ...] = ()
    sources: tuple[Source, ...] = ()

    @property
    def takes_in(self) -> bool:
        """Whether exports are taken in first: those of the feeds directory, and of the sources."""
        is_told_where = self.feeds is not None or bool(self.sources)
        return is_told_where and self.as_of is None and self.stages[0].name == "ingest"

    @property
    def day(self) -> int:
        """The day that access is as of: the period's last unless another is asked for (R9)."""
        return self.access_day or self.period.last_day


def inputs_of(request: Request, listing: Listing) -> str:
    """The name of everything that a request's results depend on."""
    exports = _identities(listing.exports)
    only = sorted(request.only_tenants) if request.only_tenants is not None else None
    made_of = (billing_code(), str(request.period), exports, only, request.day)
    return fingerprint(*made_of, *map(str, request.assumptions), *_of_sources(request, listing))


def seen_of(request: Request, listing: Listing) -> int:
    """The day up to which all exports of the period are expected to have come."""
    return seen_until(request.period, listing.taken_at, request.as_of or request.now)


def _of_sources(request: Request, listing: Listing) -> tuple[object, ...]:
    """What the findings of the sources' coverage depend on beside terms; nothing without any."""
    came = [(one.name, one.kind, one.source, one.arrived_at) for one in listing.exports if one.kind]
    return (came, seen_of(request, listing)) if came else ()


def parts_of(
    request: Request, listing: Listing, terms: Terms, latest: Run | None
) -> dict[str, str]:
    """The name of what each stage would publish, from what that depends on and nothing else."""
    only = None
    if request.only_tenants is not None:
        only = (sorted(request.only_tenants), latest.parts if latest else {})
    base = (billing_code(), str(request.period), only)
    usage = _identities(listing.of(USAGE.name))
    usage_terms = terms.usage_print(terms.tenants)
    findings = (terms.findings, terms.quarantine.rows())
    of_sources = _of_sources(request, listing)
    coverage = (of_sources, terms.coverage_print()) if of_sources else ()
    parts = {
        "ingest": fingerprint(
            base,
            "ingest",
            [(one.name, one.unknown_columns, one.remarks) for one in listing.exports],
            usage,
            *coverage,
        ),
        "validate": fingerprint(base, "validate", usage, usage_terms, findings),
        "access": fingerprint(base, "access", terms.access_print(), request.day),
    }
    for name, needs, more in (
        ("split", "validate", ""),
        ("meter", "split", ""),
        ("rate", "meter", terms.prints.rates),
        ("invoice", "rate", ""),
    ):
        parts[name] = fingerprint(base, name, parts[needs], more)
    return parts


def _identities(exports: Iterable[ListedExport]) -> list[tuple[str, ...]]:
    """What decides whether exports are the same: their names, their content, and its reading."""
    return [(one.feed, one.name, one.sha256, one.landing) for one in exports]


def pieces_of(listing: Listing) -> tuple[Piece, ...]:
    """The landings of usage that count, in the order in which they arrived.

    So what is added later comes later, and what was made of those before stays as it is.
    """
    ranks: dict[str, dict[int, int]] = {}
    arrived: dict[str, str] = {}
    for rank, export in enumerate(listing.of(USAGE.name)):
        ranks.setdefault(export.landing, {})[export.index] = rank
        arrived[export.landing] = min(arrived.get(export.landing, "~"), export.arrived_at)
    pieces = [
        Piece(landing, tuple(rank for _, rank in sorted(of.items())))
        for landing, of in ranks.items()
    ]
    return tuple(sorted(pieces, key=lambda piece: (arrived[piece.landing], min(piece.ranks))))


def tasks_of(
    request: Request, cut: list[Bucket], terms: Terms, named: Mapping[int, frozenset[str]]
) -> list[BucketTask]:
    """The buckets as tasks, each with the terms of its own tenants and its name.

    `named` are the subscriptions that the usage of each slot names: of others' subscriptions, a
    bucket depends on those alone.
    """
    known = frozenset(terms.subscription_names)
    slots = {name: slot_of(name) for name in terms.tenants}
    only = request.only_tenants
    tasks = []
    for bucket in cut:
        inside = [name for name, slot in slots.items() if slot in bucket.slots]
        if only is not None and not only.intersection(inside):
            continue
        own = terms.for_usage(inside)
        names = frozenset().union(*(named.get(slot, frozenset()) for slot in bucket.slots))
        relevant = tuple(sorted(names & known))
        terms_name = fingerprint(
            billing_code(),
            terms.usage_print(inside),
            request.period,
            relevant,
            sorted(only) if only else None,
        )
        name = fingerprint(terms_name, bucket)
        tasks.append(
            BucketTask(
                name,
                terms_name,
                request.store,
                bucket,
                own,
                request.period,
                relevant,
                only,
                request.budget.rows_at_once,
            )
        )
    return tasks
