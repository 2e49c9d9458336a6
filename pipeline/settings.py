"""Settings: what commands can be told in `tenantbill.toml` instead of on the command line.

Belongs here: reading and checking that file. Does not belong here: prices and contracts; they are
data and come with the exports.
"""

from __future__ import annotations

import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pipeline.errors import UsageError

FILE = Path("tenantbill.toml")

KEYS: dict[str, type] = {
    "feeds": str,
    "store": str,
    "tenant": list,
    "workers": int,
    "memory": str,
    "wait": int,
    "log_format": str,
    "allow_shrink": bool,
    "summary": str,
    "metrics": str,
}
"""Every key there is: the name of an option, and the type of its value."""


def read_settings(path: Path = FILE) -> dict[str, Any]:
    """The settings of a file; none if it is not there. Raises `UsageError` for a wrong one."""
    if not path.is_file():
        return {}
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            f"this is not TOML: {error}", where=path, remedy="correct the file, or move it away"
        ) from error
    for key, value in settings.items():
        if key not in KEYS:
            close = get_close_matches(key, KEYS, n=1)
            raise UsageError(
                f"there is no setting {key!r}",
                where=path,
                remedy=f"did you mean {close[0]!r}?" if close else f"known are {', '.join(KEYS)}",
            )
        if not _is_of(KEYS[key], value):
            raise UsageError(
                f"{key} is {value!r}",
                where=path,
                remedy=f"write it as {_EXAMPLES[KEYS[key]]}",
            )
    return settings


def _is_of(kind: type, value: object) -> bool:
    """Whether a value is of the kind; a truth value is no number, which Python takes it for."""
    if isinstance(value, list):
        return kind is list and all(isinstance(one, str) for one in value)
    return isinstance(value, kind) and isinstance(value, bool) == (kind is bool)


_EXAMPLES = {
    str: 'text, such as "feeds"',
    list: 'a list, such as ["acme"]',
    int: "a whole number",
    bool: "true or false",
}
