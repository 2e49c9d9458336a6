"""Settings: what commands can be told in `tenantbill.toml` instead of on the command line.

Belongs here: reading and checking that file: options, and tables of what documents need to say.
Does not belong here: prices and contracts; they are data and come with the exports.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from pipeline.errors import UsageError, did_you_mean

FILE = Path("tenantbill.toml")

KEYS: dict[str, type] = {
    "feeds": str,
    "store": str,
    "tenant": list,
    "workers": int,
    "memory": str,
    "scheduler": str,
    "wait": int,
    "log_format": str,
    "allow_shrink": bool,
    "summary": str,
    "metrics": str,
}
"""Every key outside tables: the name of an option, and the type of its value."""

_PARTY: dict[str, type] = dict.fromkeys(
    (
        "name",
        "street",
        "city",
        "postal_code",
        "country",
        "endpoint",
        "endpoint_scheme",
        "vat_id",
        "registration_id",
    ),
    str,
)

TABLES: dict[str, dict[str, type]] = {
    "seller": {**_PARTY, "payment_terms": str, "iban": str},
    "tax": {"category": str, "percent": Decimal, "exemption_reason": str},
}
"""The tables: every key of each, and the type of its value."""

TABLES_BY_NAME: dict[str, dict[str, type]] = {
    "buyers": {
        **_PARTY,
        "reference": str,
        "order": str,
        "tax_category": str,
        "tax_percent": Decimal,
        "tax_exemption_reason": str,
    },
}
"""The tables that hold one table a name, such as `[buyers."acme"]`."""

SOURCE = "source"
"""The tables `[[source]]`, as many as there are sources."""

Tables = Mapping[str, Mapping[str, Any]]


def read_settings(path: Path = FILE) -> dict[str, Any]:
    """The options of a file; none if it is not there. Raises `UsageError` for anything wrong."""
    return {key: value for key, value in _checked(path).items() if key in KEYS}


def read_tables(path: Path = FILE) -> Tables:
    """Every table there can be, with what the file says in it. Raises `UsageError` likewise."""
    settings = _checked(path)
    return {name: settings.get(name, {}) for name in (*TABLES, *TABLES_BY_NAME)}


def read_sources(path: Path = FILE) -> list[dict[str, Any]]:
    """The `[[source]]` tables as they stand; what may be in one is checked by its kind."""
    blocks: list[dict[str, Any]] = _checked(path).get(SOURCE, [])
    return blocks


def told_nowhere() -> UsageError:
    """The error where nobody says where exports lie: neither an option nor a source."""
    return UsageError(
        "nothing says where the exports lie",
        remedy=f"name their directory with --feeds, or set up a [[source]] in {FILE}",
    )


def _checked(path: Path) -> dict[str, Any]:
    """All that a file says, every key known and every value of its type."""
    if not path.is_file():
        return {}
    try:
        text = path.read_text(encoding="utf-8")
        settings = tomllib.loads(text, parse_float=Decimal)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            f"this is not TOML: {error}", where=path, remedy="correct the file, or move it away"
        ) from error
    known = (*KEYS, SOURCE, *TABLES, *TABLES_BY_NAME)
    for key, value in settings.items():
        if key in KEYS:
            _check_value(path, key, KEYS[key], value)
        elif key == SOURCE:
            _check_blocks(path, key, value)
        elif key in TABLES:
            _check_table(path, key, TABLES[key], value)
        elif key in TABLES_BY_NAME:
            _check_is_table(path, f'{key}."NAME"', value)
            for name, its in value.items():
                _check_table(path, f'{key}."{name}"', TABLES_BY_NAME[key], its)
        else:
            raise _unknown(path, f"there is no setting {key!r}", key, known)
    return settings


def _check_table(path: Path, table: str, kinds: Mapping[str, type], values: object) -> None:
    for key, value in _check_is_table(path, table, values).items():
        if key not in kinds:
            raise _unknown(path, f"there is no setting {key!r} in [{table}]", key, kinds)
        _check_value(path, f"{key} in [{table}]", kinds[key], value)


def _check_blocks(path: Path, key: str, value: object) -> None:
    if not (isinstance(value, list) and all(isinstance(one, dict) for one in value)):
        raise UsageError(
            f"{key} is {value!r}",
            where=path,
            remedy=f"write each as a table of its own: [[{key}]], keys below it",
        )


def _check_is_table(path: Path, table: str, value: object) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    name = table.split(".", maxsplit=1)[0]
    raise UsageError(
        f"{name} is {value!r}", where=path, remedy=f"write it as a table: [{table}], keys below it"
    )


def _check_value(path: Path, key: str, kind: type, value: object) -> None:
    if not _is_of(kind, value):
        remedy = f"write it as {_EXAMPLES[kind]}"
        raise UsageError(f"{key} is {value!r}", where=path, remedy=remedy)


def _unknown(path: Path, what: str, key: str, known: Iterable[str]) -> UsageError:
    names = list(known)
    remedy = did_you_mean(key, names, f"known are {', '.join(names)}")
    return UsageError(what, where=path, remedy=remedy)


def _is_of(kind: type, value: object) -> bool:
    """Whether a value is of the kind; a truth value is no number, which Python takes it for."""
    if isinstance(value, list):
        return kind is list and all(isinstance(one, str) for one in value)
    if kind is Decimal and isinstance(value, int):
        return not isinstance(value, bool)
    return isinstance(value, kind) and isinstance(value, bool) == (kind is bool)


_EXAMPLES = {
    str: 'text, such as "feeds"',
    list: 'a list, such as ["acme"]',
    int: "a whole number",
    bool: "true or false",
    Decimal: "a number, such as 19 or 5.5",
}
