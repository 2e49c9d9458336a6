"""Broken rows of the terms: which there are, whom they name, and what is said of them (R11.2).

Belongs here: setting tenants aside whose terms cannot be trusted. Does not belong here: the rules
(`schemas.feeds`, `stages.terms_rules`), and the terms that remain (`stages.terms`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from pipeline.errors import BillingError
from pipeline.findings import Finding, counted, finding
from pipeline.stages.terms_rules import Frames, rules_across
from schemas import feeds
from schemas.columns import Rule, Table
from schemas.datasets import QUARANTINE
from schemas.screen import keeps_rules

SHOWN_ROWS = 3

_BROKEN = {
    "feed": pl.String(),
    "file": pl.String(),
    "row": pl.Int64(),
    **dict.fromkeys(
        ("rules", "remedy", "tenant_id", "subscription_id", "raw"),
        pl.String(),
    ),
}


class BrokenTerms(BillingError):
    """A row of a feed other than usage is broken and names no tenant that could be set aside."""


@dataclass(frozen=True, slots=True)
class BrokenRows:
    """The broken rows of all terms.

    `rows`: feed, file, row, rules, remedy, tenant_id, subscription_id, raw, in order; `named` are
    the tenants that each of them names.
    """

    rows: pl.DataFrame
    named: list[list[str]]

    @classmethod
    def of(cls, frames: Frames) -> BrokenRows:
        """The rows of the feeds that break a rule."""
        found = [
            _broken(table, frames[table.name], across)
            for table in feeds.TERMS
            for across in [rules_across(table, frames[table.name], frames)]
            if not _is_sound(table, frames[table.name], across)
        ]
        rows = pl.concat([pl.DataFrame(schema=_BROKEN), *found]).sort("feed", "file", "row")
        owners = _owners(frames["subscriptions"]) if len(rows) else {}
        pairs = rows.select("tenant_id", "subscription_id").iter_rows()
        return cls(rows, [_named(tenant, subscription, owners) for tenant, subscription in pairs])

    @property
    def tenants(self) -> set[str]:
        """Every tenant that a broken row names."""
        return {tenant for tenants in self.named for tenant in tenants}

    def without(self, table: Table, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows of a feed that are not broken."""
        own = self.rows.filter(pl.col("feed") == table.name)
        if own.is_empty():
            return rows
        return rows.join(own, on=["file", "row"], how="anti", maintain_order="left")

    def stop_if_nobody_is_named(self) -> None:
        """Raise `BrokenTerms` for the first row that names no tenant: it could touch anybody."""
        for row, tenants in self._each():
            if not tenants:
                raise BrokenTerms(
                    f"this row breaks {row['rules'].replace(';', ', ')} and names no tenant, so "
                    "it could change what anybody owes",
                    where=f"{row['file']}, row {row['row']}",
                    remedy=f"{row['remedy']}; then run again",
                )

    def findings(self) -> list[Finding]:
        """One `broken_terms` a tenant, with its first rows and how many there are."""
        rows_of: dict[str, list[dict[str, str]]] = {}
        for row, tenants in self._each():
            for tenant in tenants:
                rows_of.setdefault(tenant, []).append(row)
        found = []
        for tenant, rows in sorted(rows_of.items()):
            first = rows[:SHOWN_ROWS]
            shown = "; ".join(f"{one['file']} row {one['row']}: {one['rules']}" for one in first)
            more = len(rows) - len(first)
            rest = f" and {counted(more, 'row')} more" if more else ""
            message = f"Broken terms, so nothing of the tenant is invoiced: {shown}{rest}."
            remedy = f"Correct them: {rows[0]['remedy']}. Then run again."
            found.append(finding("broken_terms", tenant, message, remedy))
        return found

    def quarantine(self) -> pl.DataFrame:
        """The rows as the dataset of that name."""
        tenants = [names[0] if len(names) == 1 else None for names in self.named]
        named = self.rows.with_columns(tenant_id=pl.Series(tenants, dtype=pl.String))
        return named.select(QUARANTINE.names)

    def _each(self) -> Iterator[tuple[dict[str, str], list[str]]]:
        return zip(self.rows.iter_rows(named=True), self.named, strict=True)


def _is_sound(table: Table, rows: pl.DataFrame, across: list[Rule]) -> bool:
    """Whether no row of a feed breaks any rule, in one look: so it mostly is."""
    return rows["defects"].null_count() == len(rows) and keeps_rules(table, rows, across)


def _broken(table: Table, rows: pl.DataFrame, across: list[Rule]) -> pl.DataFrame:
    """The broken rows of a feed, with every rule they break and its remedy."""
    rows = rows.with_row_index("index").cast({"index": pl.Int64})
    failures = _failures(table, rows, across)
    remedies = {rule.name: rule.remedy for rule in (*table.row_rules(), *across)}
    absent = [name for name in ("tenant_id", "subscription_id") if name not in table.names]
    told = (
        failures.sort("index", "rule")
        .group_by("index", maintain_order=True)
        .agg(
            rules=pl.col("rule").str.join(";"),
            remedy=pl.col("rule")
            .replace_strict(remedies, default="write the value as the data dictionary says")
            .unique(maintain_order=True)
            .str.join("; "),
        )
    )
    return (
        rows.with_columns(pl.lit(None, pl.String).alias(name) for name in absent)
        .join(told, on="index")
        .select(
            pl.lit(table.name).alias("feed"),
            "file",
            "row",
            "rules",
            "remedy",
            "tenant_id",
            "subscription_id",
            raw=pl.coalesce("raw", _as_json(table)),
        )
    )


def _failures(table: Table, rows: pl.DataFrame, across: list[Rule]) -> pl.DataFrame:
    """What reading, pandera and the rules across rows find: `index`, `rule`, each once.

    A value that cannot be read is not missing: it is named as unreadable alone.
    """
    # Terms that are sound, as they mostly are, need not wait for pandera to load.
    from schemas.checks import broken_rows  # noqa: PLC0415

    while_reading = (
        rows.filter(pl.col("defects").is_not_null())
        .select("index", rule=pl.col("defects").str.split(";"))
        .explode("rule")
    )
    found = pl.concat(
        [
            while_reading,
            broken_rows(table, rows.select(table.names)),
            *(rows.filter(rule.broken).select("index", rule=pl.lit(rule.name)) for rule in across),
        ]
    ).unique()
    unreadable = found.filter(pl.col("rule").str.ends_with("_unreadable"))
    not_missing = unreadable.with_columns(pl.col("rule").str.replace("_unreadable$", "_missing"))
    return found.join(not_missing, on=["index", "rule"], how="anti")


def _as_json(table: Table) -> pl.Expr:
    """A row that could be read, as JSON text of its values."""
    return pl.struct(pl.col(name).cast(pl.String) for name in table.names).struct.json_encode()


def _owners(subscriptions: pl.DataFrame) -> dict[str, list[str]]:
    """The tenants that have a subscription of each id."""
    pairs = (
        subscriptions.select("subscription_id", "tenant_id").drop_nulls().unique().sort("tenant_id")
    )
    owners: dict[str, list[str]] = {}
    for subscription_id, tenant_id in pairs.iter_rows():
        owners.setdefault(subscription_id, []).append(tenant_id)
    return owners


def _named(
    tenant_id: str | None, subscription_id: str | None, owners: Mapping[str, list[str]]
) -> list[str]:
    """The tenants that a row names: its own, else those that have its subscription."""
    if tenant_id is not None:
        return [tenant_id]
    return owners.get(subscription_id, []) if subscription_id is not None else []
