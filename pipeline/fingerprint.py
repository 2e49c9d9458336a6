"""What made a result, as one short name: the same inputs, code and engines give the same name.

Belongs here: hashing. Does not belong here: what an artifact depends on; its maker says that.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import fields, is_dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.metadata import version
from pathlib import Path

ENGINES = ("polars", "numpy", "duckdb")


def fingerprint(*parts: object) -> str:
    """A name for a combination of JSON values, data classes, sets, exact numbers and dates."""
    text = json.dumps(parts, default=_as_json, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _as_json(value: object) -> object:
    """A value that JSON does not know, as ones that it does; the same in every process."""
    if is_dataclass(value) and not isinstance(value, type):
        return [getattr(value, one.name) for one in fields(value) if one.init]
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, (Decimal, date, Path)):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no fingerprint")


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


def reading_code() -> str:
    """The version of all code that decides what an export's rows are once landed."""
    return code_version("schemas", "pipeline/sources", "pipeline/store/landing.py")


def billing_code() -> str:
    """The version of all code that decides what anybody owes."""
    return code_version("schemas", "pipeline")
