"""Put what the buckets came to together: the datasets, findings and controls of each stage.

Belongs here: from outcomes to what is published. Does not belong here: looking at usage rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property

import polars as pl

from pipeline.findings import Finding
from pipeline.period import Period
from pipeline.rules.compliance import compliance_findings
from pipeline.rules.primary import primary_findings
from pipeline.rules.split import REASONS
from pipeline.stages.access import access
from pipeline.stages.book import MEASURES, why_set_aside
from pipeline.stages.cases import FATES
from pipeline.stages.controls import Control, count, total
from pipeline.stages.export_findings import ingest_findings, remark_findings
from pipeline.stages.invoice import invoice
from pipeline.stages.rate import rate
from pipeline.stages.terms import Terms
from pipeline.stages.usage_findings import meter_findings, split_findings, validate_findings
from pipeline.store.landing import Landing, Listing
from schemas.datasets import QUARANTINE, SUPERSEDED, UNBILLED, USAGE_SPLIT
from schemas.feeds import USAGE


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What a stage publishes."""

    datasets: Mapping[str, pl.DataFrame]
    findings: list[Finding] = field(default_factory=list)
    controls: list[Control] = field(default_factory=list)


@dataclass(frozen=True)
class Evidence:
    """What a stage concludes from.

    `gathered` gives a frame of all buckets' outcomes by its name; `published` a dataset of an
    earlier stage. All listed rows are read where the run `is_whole`, about every tenant. `landings`
    gives those that hold the usage, `stored_rows` what lies in one by its size, and `coverage` what
    is found of the days that the exports of sources cover, whomever the run is about.
    """

    period: Period
    listing: Listing
    terms: Terms
    access_day: int
    is_whole: bool
    landings: Callable[[], list[Landing]]
    stored_rows: Callable[[Landing], int]
    gathered: Callable[[str], pl.DataFrame]
    published: Callable[[str], pl.DataFrame]
    coverage: Callable[[], list[Finding]]

    @property
    def listed_rows(self) -> int:
        """The usage rows of all listed exports, as they were counted when they were read."""
        return sum(export.rows for export in self.listing.of(USAGE.name))

    @cached_property
    def measured(self) -> list[str]:
        """The tenants that are measured and invoiced (R2.3, R8.1, R11.2)."""
        return [
            name
            for name, tenant in sorted(self.terms.tenants.items())
            if why_set_aside(tenant, self.period, self.terms.blocked) is None
        ]


def conclude_ingest(evidence: Evidence) -> Conclusion:
    """Tie what was read to what is stored, and to what another engine finds in the exports."""
    read = rows = 0
    read_quantity = quantity = Decimal(0)
    landings = evidence.landings()
    stored = sum(map(evidence.stored_rows, landings))
    for landing in landings:
        for recounted, of_rows, of_quantity in zip(
            landing.recounted, landing.rows, landing.quantity, strict=True
        ):
            if recounted is not None:
                read, read_quantity = read + of_rows, read_quantity + of_quantity
                rows, quantity = rows + recounted[0], quantity + recounted[1]
    controls = [
        count("ingest", "usage rows", evidence.listed_rows, stored),
        count("ingest", "usage rows of Parquet exports, counted again", rows, read),
        Control("ingest", "quantity of Parquet exports, summed again", quantity, read_quantity),
    ]
    found = [
        *ingest_findings(evidence.listing),
        *remark_findings(evidence.listing),
        *evidence.coverage(),
    ]
    return Conclusion({}, found, controls)


def conclude_validate(evidence: Evidence) -> Conclusion:
    """Quarantine and superseded rows, with the names of their exports."""
    files = [export.name for export in evidence.listing.of(USAGE.name)]
    tally = evidence.gathered("tally")
    refused = evidence.gathered("quarantine").select(
        pl.lit(USAGE.name).alias("feed"),
        _file("rank", files).alias("file"),
        "row",
        "rules",
        "raw",
        "tenant_id",
    )
    superseded = evidence.gathered("superseded").select(
        "event_id",
        "tenant_id",
        _file("rank", files).alias("file"),
        "row",
        _file("by_rank", files).alias("by_file"),
        "by_row",
    )
    good, read = (int(evidence.gathered(name)["rows"].sum()) for name in ("good", "read"))
    controls = [
        *([count("validate", "usage rows read", evidence.listed_rows, read)] * evidence.is_whole),
        count("validate", "usage rows", read, int(tally["rows"].sum()) + good),
        count("validate", "rows in quarantine", _fate(tally, "quarantined"), len(refused)),
        count("validate", "superseded rows", _fate(tally, "superseded"), len(superseded)),
    ]
    return Conclusion(
        {
            QUARANTINE.name: pl.concat([evidence.terms.quarantine, refused]),
            SUPERSEDED.name: superseded.match_to_schema(SUPERSEDED.dtypes),
        },
        [*evidence.terms.findings, *validate_findings(evidence.period, tally, refused)],
        controls,
    )


def conclude_split(evidence: Evidence) -> Conclusion:
    """Unbilled rows, and every row's fate at last: rows in = rows out, whatever became of them."""
    fates, shares = evidence.gathered("fates"), evidence.gathered("shares")
    unbilled = evidence.gathered("unbilled").match_to_schema(UNBILLED.dtypes)
    tally = pl.concat([evidence.gathered("tally"), fates])
    good, read = (int(evidence.gathered(name)["rows"].sum()) for name in ("good", "read"))
    by_fate = [
        count("split", f"rows {fate}", _fate(tally, fate), _fate(tally, fate)) for fate in FATES
    ]
    controls = [
        count("split", "usage rows", read, int(tally["rows"].sum())),
        count("split", "good rows", good, int(fates["rows"].sum())),
        count("split", "billed rows by reason", _fate(fates, "billed"), int(shares["rows"].sum())),
        count("split", "unbilled rows", _fate(fates, "unbilled"), len(unbilled)),
        *by_fate,
    ]
    found = [
        one
        for tenant in evidence.terms.sound_tenants
        for one in (
            *primary_findings(tenant, evidence.period),
            *compliance_findings(tenant, evidence.period),
        )
    ]
    return Conclusion(
        {UNBILLED.name: unbilled},
        [*found, *split_findings(evidence.period, shares, unbilled)],
        controls,
    )


def conclude_meter(evidence: Evidence) -> Conclusion:
    """The split of every meter, with the rows behind it, and the usage of each stretch."""
    parts, occupancy = evidence.gathered("parts"), evidence.gathered("occupancy")
    because = _because(evidence.gathered("shares"))
    whose = ["tenant_id", "meter", "subscription_id"]
    usage_split = parts.join(because, on=whose, how="left").select(USAGE_SPLIT.names)
    tenants = occupancy.unique(["tenant_id", "meter"])
    is_summed = tenants["measure"] == "sum"
    summed_meters = tenants.filter(is_summed).select("tenant_id", "meter")
    is_sum_part = ["tenant_id", "meter"]
    summed = parts.join(summed_meters, on=is_sum_part, how="semi")
    counted = parts.join(summed_meters, on=is_sum_part, how="anti")
    controls = [
        Control(
            "meter",
            "quantity of summed meters",
            total(evidence.gathered("sums")["quantity"]),
            total(summed["quantity"]),
        ),
        Control(
            "meter",
            "tenants' usage of summed meters",
            total(tenants.filter(is_summed)["tenant_usage"]),
            total(summed["quantity"]),
        ),
        Control(
            "meter",
            "tenants' peaks and users",
            total(tenants.filter(~is_summed)["tenant_usage"]),
            total(counted["quantity"]),
        ),
    ]
    by_day = evidence.gathered("by_day")
    controls += [
        Control(
            "meter",
            f"usage by day, {measure}",
            total(occupancy.filter(is_meant)["usage"]),
            total(by_day.filter(is_meant)["usage"]),
        )
        for measure in MEASURES
        for is_meant in [pl.col("measure") == measure]
    ]
    datasets = {
        USAGE_SPLIT.name: usage_split,
        "occupancy": occupancy,
        "daily": evidence.gathered("daily"),
    }
    return Conclusion(datasets, meter_findings(evidence.gathered("open_sessions")), controls)


def conclude_rate(evidence: Evidence) -> Conclusion:
    """The overage and its payers, and the lines of every invoice."""
    rated = rate(
        evidence.published("usage_split"),
        evidence.published("occupancy"),
        evidence.terms,
        evidence.measured,
        evidence.period,
    )
    lines = rated.lines
    billed = total(lines.filter(pl.col("kind") == "overage")["quantity"])
    controls = [Control("rate", "overage", total(rated.overage["overage"]), billed)]
    datasets = {"overage": rated.overage, "invoice_lines": lines}
    return Conclusion(datasets, rated.findings, controls)


def conclude_invoice(evidence: Evidence) -> Conclusion:
    """The invoices, as the sums of their lines."""
    lines = evidence.published("invoice_lines")
    invoices = invoice(lines, evidence.terms, evidence.measured, evidence.period)
    on_any = lines.join(invoices.select("invoice_id", "status"), on="invoice_id")
    on_drafts = on_any.filter(pl.col("status") != "blocked")
    drafts = invoices.filter(pl.col("status") != "blocked")
    controls = [
        Control("invoice", f"amount in {currency}", total(amounts["amount"]), total(of["total"]))
        for currency in sorted(drafts["currency"].unique())
        for amounts in [on_drafts.filter(pl.col("currency") == currency)]
        for of in [drafts.filter(pl.col("currency") == currency)]
    ]
    controls.append(count("invoice", "lines", len(lines), len(on_any)))
    return Conclusion({"invoices": invoices}, [], controls)


def conclude_access(evidence: Evidence) -> Conclusion:
    """Who may still use what."""
    rows, found = access(evidence.terms, evidence.access_day)
    tenants = evidence.terms.sound_tenants
    users = sum(len({row.user_id for row in tenant.assignments}) for tenant in tenants)
    partners = sum(
        partner.added_on <= evidence.access_day for tenant in tenants for partner in tenant.partners
    )
    return Conclusion(
        {"access": rows},
        found,
        [count("access", "users and partners", users + partners, len(rows))],
    )


def _because(shares: pl.DataFrame) -> pl.DataFrame:
    """The JSON of reason → rows of each tenant, meter and subscription."""
    reasons = sorted(REASONS)
    rows = {one: pl.col("rows").filter(pl.col("reason") == one).sum() for one in reasons}
    told = [
        pl.when(pl.col(one) > 0).then(pl.concat_str(pl.lit(f'"{one}": '), one)) for one in reasons
    ]
    members = pl.concat_str(told, separator=", ", ignore_nulls=True)
    whose = ["tenant_id", "meter", "subscription_id"]
    return (
        shares.group_by(whose)
        .agg(**rows)
        .select(*whose, because_counts=pl.concat_str(pl.lit("{"), members, pl.lit("}")))
    )


def _file(rank: str, files: list[str]) -> pl.Expr:
    return pl.col(rank).replace_strict(range(len(files)), files, return_dtype=pl.String)


def _fate(tally: pl.DataFrame, fate: str) -> int:
    return int(tally.filter(pl.col("fate") == fate)["rows"].sum())
