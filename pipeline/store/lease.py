"""One writer at a time over many machines: a lease, an object that says who writes and until when.

Belongs here: taking it, renewing it, letting go of it. Does not belong here: what the holder does.

A lease that was not renewed may be taken over, and clocks differ, so two may write at once all the
same. The lease makes that rare; what makes it harmless is that publishing and issuing succeed only
right after what was looked at (`results.publish`, `ledger.write`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from typing import Any
from uuid import uuid4

from pipeline.remote.faults import ChangedMeanwhile, ObjectStoreFailed
from pipeline.remote.objects import Tag, create, replace, tagged
from pipeline.remote.place import Mirrored

LASTS_SECONDS = 60.0
"""How long a lease lasts that is not renewed; it is renewed four times as often."""


def lessee(path: Mirrored) -> str | None:
    """Who has the lease at some place now, if anybody does. Changes nothing."""
    try:
        found = json.loads(tagged(path)[0])
    except FileNotFoundError:
        return None
    return None if _is_over(found) else str(found["holder"])


class Lease:
    """The lease at some place, as one holder sees it; `tag` is of the version that is its own."""

    def __init__(self, path: Mirrored, holder: str) -> None:
        self._path, self._holder = path, holder
        self._token = uuid4().hex
        self._tag: Tag = {}

    def take(self) -> str | None:
        """Take it if it is free; else gives who has it."""
        try:
            self._tag = create(self._path, self._written(LASTS_SECONDS))
            return None
        except ChangedMeanwhile:
            pass
        try:
            content, tag = tagged(self._path)
        except FileNotFoundError:
            return "an unknown process"
        found = json.loads(content)
        if not _is_over(found) and found["token"] != self._token:
            return str(found["holder"])
        try:
            self._tag = replace(self._path, self._written(LASTS_SECONDS), tag)
            return None
        except ChangedMeanwhile:
            return "a process that was quicker"

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Renew it while the block runs, then let go of it."""
        is_done = Event()
        renewing = Thread(target=self._renew, args=(is_done,), daemon=True)
        renewing.start()
        try:
            yield
        finally:
            is_done.set()
            renewing.join()
            # One that cannot be let go of ends by itself; one that was lost is another's.
            with suppress(ChangedMeanwhile, ObjectStoreFailed):
                replace(self._path, self._written(0), self._tag)

    def _renew(self, is_done: Event) -> None:
        while not is_done.wait(LASTS_SECONDS / 4):
            try:
                self._tag = replace(self._path, self._written(LASTS_SECONDS), self._tag)
            except ChangedMeanwhile:
                return
            except ObjectStoreFailed:
                continue

    def _written(self, seconds: float) -> bytes:
        until = datetime.now(UTC) + timedelta(seconds=seconds)
        said = {"holder": self._holder, "until": until.isoformat(), "token": self._token}
        return json.dumps(said).encode()


def _is_over(found: Any) -> bool:
    """Whether a lease, as it was found, may be taken over."""
    return datetime.fromisoformat(found["until"]) <= datetime.now(UTC)
