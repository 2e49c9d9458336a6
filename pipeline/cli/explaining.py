"""The command that explains a line, or an invoice.

Belongs here: its options, and how an explanation is written. Does not belong here: what is said
(`explain`).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli import options
from pipeline.cli.group import DONE, FAILED, examples, main

if TYPE_CHECKING:
    from pipeline.explain import Explanation


@main.command(
    epilog=examples(
        "tenantbill explain 2026-10/harbor-city/HC-CLINICS/overage/standard_agent/1",
        "tenantbill explain 2026-10/harbor-city/HC-CLINICS --rows 0",
        "tenantbill explain LINE --rows 1000000 --format csv > rows.csv",
    )
)
@click.argument("name", metavar="INVOICE|LINE")
@options.store
@click.option("--rows", type=click.IntRange(0), default=10, help="Usage rows to show of each line.")
@click.option(
    "--format",
    type=click.Choice(["text", "json", "csv"]),
    default="text",
    help="csv: the usage rows alone.",
)
def explain(name: str, store: Path, rows: int, format: str) -> None:
    """Say why a line is what it is, down to the usage rows, their exports and row numbers."""
    from pipeline.explain import Explainer  # noqa: PLC0415

    explained = Explainer(store).explain(name)
    write = {"text": _write_text, "json": _write_json, "csv": _write_csv}[format]
    write(explained, rows)
    sys.exit(DONE if all(one.adds_up for one in explained) else FAILED)


def _write_text(explained: list[Explanation], most: int) -> None:
    from pipeline.findings import counted  # noqa: PLC0415
    from pipeline.money import plain  # noqa: PLC0415
    from pipeline.show import as_table  # noqa: PLC0415
    from pipeline.texts import visible  # noqa: PLC0415

    for one in explained:
        told = one.told
        click.secho(visible(one.name), bold=True)
        for sentence in told.sentences:
            click.echo(f"  {visible(sentence)}")
        for title, table in told.tables.items():
            click.echo(f"\n  {title}:\n{as_table(table)}")
        if told.rests_on_usage:
            rows = counted(len(told.rows), "usage row")
            less = f", less {plain(told.less)}" if told.less else ""
            verdict = "" if one.adds_up else ": THIS DOES NOT ADD UP to the line, report it"
            click.echo(f"\n  {rows}, {plain(told.counted)} together{less}{verdict}")
            if most and len(told.rows):
                click.echo(as_table(told.rows.head(most).drop("rank", strict=False)))
                if len(told.rows) > most:
                    click.echo(f"  and {len(told.rows) - most:,} more: see them with --rows")
        click.echo()


def _write_json(explained: list[Explanation], most: int) -> None:
    import json  # noqa: PLC0415

    from pipeline.planfile import records  # noqa: PLC0415

    def value(one: Explanation) -> dict[str, Any]:
        return {
            "invoice_id": one.invoice_id,
            "line_id": one.line.line_id if one.line else None,
            "because": one.line.because if one.line else None,
            "sentences": one.told.sentences,
            "tables": {title: records(table) for title, table in one.told.tables.items()},
            "counted": str(one.told.counted),
            "less": str(one.told.less),
            "adds_up": one.adds_up,
            "rows_in_all": len(one.told.rows),
            "rows": records(one.told.rows.head(most)),
        }

    click.echo(json.dumps([value(one) for one in explained], ensure_ascii=False, indent=1))


def _write_csv(explained: list[Explanation], most: int) -> None:
    import polars as pl  # noqa: PLC0415

    from pipeline.show import write_rows  # noqa: PLC0415

    write_rows(
        pl.concat(
            one.told.rows.head(most).select(
                pl.lit(one.name).alias("line_id"), pl.all().exclude("rank")
            )
            for one in explained
        ),
        "csv",
    )
