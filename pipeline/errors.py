"""Errors that end a command: each has a name, says what is wrong and where, and what to do next.

Belongs here: the base class, and the errors that several rooms raise. An error that one room raises
lives beside its code there. Does not belong here: findings, which end nothing (`findings.py`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Self


class BillingError(Exception):
    """The command cannot go on; nothing was published (exit code 1).

    The class name is the error's name. `where` is a file, a row, a key; `remedy` the next step. A
    file that lies elsewhere is named by its `address`.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str | Path = "", remedy: str) -> None:
        self.what = what
        self.where = str(getattr(where, "address", where))
        super().__init__(what, self.where, remedy)
        self.remedy = remedy

    @property
    def name(self) -> str:
        """What the error is called, in messages and in the logs."""
        return type(self).__name__

    def within(self, place: str) -> Self:
        """The same error, with more of where it arose."""
        where = f"{self.where} ({place})" if self.where else place
        return type(self)(self.what, where=where, remedy=self.remedy)

    @property
    def told(self) -> str:
        """Where it arose, what is wrong, and what that is called."""
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.what} [{self.name}]"

    def __str__(self) -> str:
        return f"{self.told}\n  {self.remedy}"

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by keyword, so that a worker's error reaches its caller as it was raised."""
        return _rebuild, (type(self), self.what, self.where, self.remedy)


def _rebuild(kind: type[BillingError], what: str, where: str, remedy: str) -> BillingError:
    return kind(what, where=where, remedy=remedy)


class UsageError(BillingError):
    """The command was given words it cannot take (exit code 2)."""

    exit_code = 2


def did_you_mean(word: str, known: Iterable[str], otherwise: str) -> str:
    """A remedy for a word that nothing is called: the nearest that something is, if any is near."""
    near = get_close_matches(word, list(known), n=1)
    return f"did you mean {near[0]!r}?" if near else otherwise


_NUMBER_OF_SYSTEM = re.compile(r"\(os error (\d+)\)")


class SystemFailed(BillingError):
    """The system did not let us read or write: no space, no permission, a broken disk."""

    @classmethod
    def of(cls, error: OSError) -> SystemFailed:
        """What the system said, as an error of ours."""
        return cls(
            error.strerror or str(error),
            where=error.filename or "the system",
            remedy="nothing more was published; mend it (space? permission?) and run again",
        )

    @classmethod
    def behind(cls, error: Exception, place: Path) -> SystemFailed | None:
        """What the system said at a place, if that is what the error is about.

        Engines pass it on in words of their own; neither they nor open files say where it was.
        """
        if isinstance(error, OSError) and error.errno is not None:
            return cls.of(OSError(error.errno, error.strerror, error.filename or str(place)))
        found = _NUMBER_OF_SYSTEM.search(str(error))
        if found is None:
            return None
        number = int(found[1])
        return cls.of(OSError(number, os.strerror(number), str(place)))


@contextmanager
def writing(file: Path) -> Iterator[None]:
    """While a file is written: raises `SystemFailed` where the system does not let us."""
    try:
        yield
    except BillingError:
        raise
    except Exception as error:
        failed = SystemFailed.behind(error, file)
        if failed is None:
            raise
        raise failed from error


class StoreDamaged(BillingError):
    """A file of the store that should be there is gone, or cannot be read."""


class FeedMissing(BillingError):
    """A feed that every run needs is not in the feeds directory."""


class InputMissing(BillingError):
    """A stage runs on the result of another one, which is not in the store yet."""


class ControlsDoNotTie(BillingError):
    """A count or sum came out of a stage other than it went in: rows lost, or counted twice."""
