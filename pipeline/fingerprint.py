"""What made a result, as one short name: the same inputs, code and engines give the same name.

Belongs here: hashing. Does not belong here: what an artifact depends on; its maker says that.
"""

from __future__ import annotations

import hashlib
import os
from functools import cache
from importlib.metadata import version
from pathlib import Path

ENGINES = ("polars", "numpy", "duckdb")


def fingerprint(*parts: object) -> str:
    """A name for some values, by their `repr`.

    That says all of a text, a number, a date, and of tuples, lists, dicts and data classes of them,
    and says it the same in every process. It does not of a set or a frame: name what is in those.
    """
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def text_print(text: str) -> str:
    """A name for a long text, as quick as its bytes are hashed."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, read once."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache
def code_version(*places: str) -> str:
    """A name for the code under some places of the project, and for its engines.

    What was made by another version is made anew.
    """
    root = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for place in places:
        start = root / place
        for path in sorted(start.rglob("*.py")) if start.is_dir() else [start]:
            digest.update(os.fsencode(path.relative_to(root).as_posix()))
            digest.update(path.read_bytes())
    for engine in ENGINES:
        digest.update(f"{engine} {version(engine)}".encode())
    return digest.hexdigest()[:16]


READING = (
    "schemas/columns.py",
    "schemas/feeds.py",
    "pipeline/exports",
    "pipeline/sources",
    "pipeline/measures/arrays.py",
    "pipeline/measures/codes.py",
    "pipeline/store/dictionary.py",
    "pipeline/store/events_writer.py",
    "pipeline/store/landing.py",
    "pipeline/store/numbers_writer.py",
    "pipeline/store/usage.py",
    "pipeline/store/usage_writer.py",
)
"""All code that decides what an export's rows are once landed."""


def reading_code() -> str:
    """The version of the code that decides what an export's rows are once landed."""
    return code_version(*READING)


def billing_code() -> str:
    """The version of all code that decides what anybody owes."""
    return code_version(
        "schemas/columns.py",
        "schemas/feeds.py",
        "schemas/datasets.py",
        "pipeline",
    )
