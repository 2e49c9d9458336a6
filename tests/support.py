"""Running the commands as users do, and reading back what they publish."""

from __future__ import annotations

import csv
import io
from decimal import Decimal, InvalidOperation
from pathlib import Path

from click.testing import CliRunner, Result

from pipeline.cli import main

Row = dict[str, str]


def tenantbill(*words: object) -> Result:
    """Run a command in this process. An error that is not told in words is raised."""
    result = CliRunner().invoke(main, [str(word) for word in words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def bill(feeds: Path | str, store: Path | str, period: str, *options: object) -> Result:
    """Run a month and see that it could be published."""
    result = tenantbill("run", period, "--feeds", feeds, "--store", store, *options)
    assert result.exit_code in (0, 3), result.output
    return result


def shown(dataset: str, period: str, store: Path | str, *options: object) -> list[Row]:
    """The rows of a published dataset, as the CSV that programs read."""
    result = tenantbill("show", dataset, period, "--store", store, "--format", "csv", *options)
    assert result.exit_code == 0, result.output
    return list(csv.DictReader(io.StringIO(result.stdout)))


def by_value(
    rows: list[Row] | list[dict[str, object]], columns: list[str]
) -> list[tuple[str, ...]]:
    """Rows as a sorted list of values, with numbers that count by value: `1` is `1.000`."""
    return sorted(tuple(_value(row.get(column)) for column in columns) for row in rows)


def _value(value: object) -> str:
    if value is None:
        return ""
    try:
        return format(Decimal(str(value)).normalize() + 0, "f")
    except InvalidOperation:
        return str(value)
