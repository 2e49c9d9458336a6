"""What a request asks for, and the names of everything that would answer it.

Belongs here: what each stage and each bucket depends on, as fingerprints: the same again need not
be done. Does not belong here: doing it (`run`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from pipeline.fingerprint import billing_code, fingerprint
from pipeline.period import Period
from pipeline.stages.bucket import Bucket, BucketTask
from pipeline.stages.order import Stage
from pipeline.stages.terms import Terms
from pipeline.store.landing import ListedExport, Listing, slot_of
from pipeline.store.results import Run
from schemas.feeds import USAGE


@dataclass(frozen=True, slots=True)
class Request:
    """What a command asks for: some stages, in order, of one period."""

    period: Period
    stages: tuple[Stage, ...]
    store: Path
    feeds: Path | None
    command: str
    now: datetime
    only_tenants: frozenset[str] | None = None
    access_day: int | None = None

    @property
    def day(self) -> int:
        """The day that access is as of: the period's last unless another is asked for (R9)."""
        return self.access_day or self.period.last_day


def inputs_of(request: Request, listing: Listing) -> str:
    """The name of everything that a request's results depend on."""
    exports = _identities(listing.exports)
    only = sorted(request.only_tenants) if request.only_tenants is not None else None
    return fingerprint(billing_code(), str(request.period), exports, only, request.day)


def parts_of(
    request: Request, listing: Listing, terms: Terms, latest: Run | None
) -> dict[str, str]:
    """The name of what each stage would publish, from what that depends on and nothing else."""
    only = None
    if request.only_tenants is not None:
        only = (sorted(request.only_tenants), latest.parts if latest else {})
    base = (billing_code(), str(request.period), only)
    usage = _identities(listing.of(USAGE.name))
    usage_terms = terms.for_usage(terms.tenants)
    for_access = [replace(tenant, entitlements=()) for tenant in terms.tenants.values()]
    findings = (terms.findings, terms.quarantine.rows())
    parts = {
        "ingest": fingerprint(
            base, "ingest", [(one.name, one.unknown_columns) for one in listing.exports], usage
        ),
        "validate": fingerprint(base, "validate", usage, usage_terms, findings),
        "access": fingerprint(base, "access", for_access, sorted(terms.blocked), request.day),
    }
    for name, needs, more in (
        ("split", "validate", ()),
        ("meter", "split", ()),
        ("rate", "meter", terms.rates),
        ("invoice", "rate", ()),
    ):
        parts[name] = fingerprint(base, name, parts[needs], more)
    return parts


def _identities(exports: Iterable[ListedExport]) -> list[tuple[str, ...]]:
    """What decides whether exports are the same: their names, their content, and its reading."""
    return [(one.feed, one.name, one.sha256, one.landing) for one in exports]


def tasks_of(request: Request, plan: list[Bucket], terms: Terms, level: str) -> list[BucketTask]:
    """The buckets as tasks, each with the terms of its own tenants and its name."""
    names = terms.subscription_names
    slots = {name: slot_of(name) for name in terms.tenants}
    tasks = []
    for bucket in plan:
        own = terms.for_usage([name for name, slot in slots.items() if slot in bucket.slots])
        only = request.only_tenants
        made_of = (bucket, own, request.period, names, level, sorted(only) if only else None)
        name = fingerprint(billing_code(), made_of)
        tasks.append(
            BucketTask(
                name, request.store, bucket, own, request.period, names, level, request.only_tenants
            )
        )
    return tasks
