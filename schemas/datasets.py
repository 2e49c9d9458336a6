"""The datasets: what a run publishes, column by column.

Belongs here: names, types, units and keys of results. Does not belong here: how they come about.
"""

from __future__ import annotations

from schemas.columns import Column, Kind, Table

_TENANT = Column("tenant_id", Kind.TEXT, "the tenant", required=True)
_SUBSCRIPTION = Column("subscription_id", Kind.TEXT, "the subscription", required=True)
_METER = Column("meter", Kind.TEXT, "the meter, from the catalogue", required=True)

USAGE_SPLIT = Table(
    "usage_split",
    "tenant, meter, subscription",
    (
        _TENANT,
        _SUBSCRIPTION,
        _METER,
        Column("quantity", Kind.MONEY, "its part of the tenant's usage (R4.4)", required=True),
        Column("own_quantity", Kind.MONEY, "its usage looked at alone (R4.4)", required=True),
        Column("because_counts", Kind.TEXT, "JSON: reason of the split → rows (R3)", required=True),
    ),
    key=("tenant_id", "meter", "subscription_id"),
)

OVERAGE = Table(
    "overage",
    "tenant, meter with charge overage and usage",
    (
        _TENANT,
        _METER,
        Column("usage", Kind.MONEY, "of the tenant, over all subscriptions (R4)", required=True),
        Column("entitlement", Kind.MONEY, "of the tenant, at overage_at (R6.5)", required=True),
        Column("overage", Kind.MONEY, "beyond the entitlement, never below 0 (R6)", required=True),
        Column("billed_subscription_id", Kind.TEXT, "who pays for it (R7)", required=True),
        Column("overage_at", Kind.INSTANT, "earliest instant of the largest excess (R6.2)"),
    ),
    key=("tenant_id", "meter"),
)

INVOICE_LINES = Table(
    "invoice_lines",
    "line",
    (
        Column("line_id", Kind.TEXT, "what the line is about; the same in every run", True),
        Column("invoice_id", Kind.TEXT, "the invoice it is on", required=True),
        _TENANT,
        _SUBSCRIPTION,
        Column(
            "kind",
            Kind.TEXT,
            "what the line is for",
            required=True,
            choices=("committed", "usage", "overage", "adjustment"),
        ),
        _METER,
        Column("quantity", Kind.MONEY, "in the meter's unit", required=True),
        Column("unit_price", Kind.MONEY, "of one unit; empty where no rate was found (R10.1)"),
        Column("amount", Kind.MONEY, "rounded once, half up (R10.5); empty without a price"),
        Column("currency", Kind.TEXT, "ISO 4217, of the subscription", required=True),
        Column("because", Kind.TEXT, "why the line is there, in words", required=True),
        Column("usage_period", Kind.TEXT, "the month it charges for", required=True),
        Column(
            "adjustment",
            Kind.TEXT,
            "on an adjustment: it takes a line back, or states what it should have been",
            choices=("reversal", "statement"),
        ),
        Column(
            "corrected_kind",
            Kind.TEXT,
            "on an adjustment: the kind of the line it corrects",
            choices=("committed", "usage", "overage"),
        ),
        Column("corrects_invoice_id", Kind.TEXT, "on an adjustment: the invoice it corrects"),
        Column("corrects_line_id", Kind.TEXT, "on an adjustment: the line; empty for a new one"),
    ),
    key=("line_id",),
)

INVOICES = Table(
    "invoices",
    "invoice",
    (
        Column("invoice_id", Kind.TEXT, "what it is about; the same in every run", required=True),
        _TENANT,
        _SUBSCRIPTION,
        Column("period", Kind.TEXT, "the month it is dated in", required=True),
        Column("revision", Kind.INTEGER, "1 for the first of its usage_period", required=True),
        Column(
            "status",
            Kind.TEXT,
            "blocked: a line has no price (R10.1)",
            required=True,
            choices=("draft", "issued", "blocked"),
        ),
        Column("currency", Kind.TEXT, "ISO 4217, of the subscription", required=True),
        Column("total", Kind.MONEY, "sum of its lines; empty while blocked (R10.5)"),
        Column("usage_period", Kind.TEXT, "the month it charges for", required=True),
        Column(
            "document",
            Kind.TEXT,
            "what it is; a credit note is a correction with a sum below 0",
            required=True,
            choices=("invoice", "supplementary_invoice", "credit_note"),
        ),
        Column("number", Kind.INTEGER, "given at issue, without a gap in its tenant"),
        Column("issued_at", Kind.INSTANT, "when it was issued"),
    ),
    key=("invoice_id",),
)

FINDINGS = Table(
    "findings",
    "finding",
    (
        Column("severity", Kind.TEXT, "how bad it is", True, ("error", "warning", "notice")),
        Column("code", Kind.TEXT, "what kind it is (R8.4)", required=True),
        Column("rule", Kind.TEXT, "the rule it comes from", required=True),
        Column("tenant_id", Kind.TEXT, "the tenant; empty where a file is meant"),
        Column("subject", Kind.TEXT, "what it is about, where the tenant alone does not say"),
        Column("message", Kind.TEXT, "what was found, in a sentence", required=True),
        Column("remedy", Kind.TEXT, "what to do next", required=True),
    ),
    key=("tenant_id", "code", "subject"),
)

QUARANTINE = Table(
    "quarantine",
    "refused row",
    (
        Column("feed", Kind.TEXT, "the feed", required=True),
        Column("file", Kind.TEXT, "the export, below the feeds directory", required=True),
        Column("row", Kind.INTEGER, "data row in the export, the first is 1", required=True),
        Column("rules", Kind.TEXT, "every rule it breaks, joined by `;`", required=True),
        Column("raw", Kind.TEXT, "JSON: the row as it was read", required=True),
        Column("tenant_id", Kind.TEXT, "the tenant that the row names, if any"),
    ),
    key=("feed", "file", "row", "raw"),
)

UNBILLED = Table(
    "unbilled",
    "usage row nobody can pay for yet",
    (
        Column("event_id", Kind.TEXT, "the event", required=True),
        _TENANT,
        _METER,
        Column("started_at", Kind.INSTANT, "when it started", required=True),
        Column("reason", Kind.TEXT, "code of the finding that says why (R3.5, R8.1)", True),
    ),
    key=("tenant_id", "event_id"),
)

SUPERSEDED = Table(
    "superseded",
    "usage row that a later export corrects",
    (
        Column("event_id", Kind.TEXT, "the event", required=True),
        _TENANT,
        Column("file", Kind.TEXT, "the export it stands in", required=True),
        Column("row", Kind.INTEGER, "data row in that export", required=True),
        Column("by_file", Kind.TEXT, "the export of the row that counts (R11.1)", required=True),
        Column("by_row", Kind.INTEGER, "data row in that export", required=True),
    ),
    key=("tenant_id", "event_id", "file", "row"),
)

ACCESS = Table(
    "access",
    "user or partner",
    (
        _TENANT,
        Column("kind", Kind.TEXT, "who it is", required=True, choices=("user", "partner")),
        Column("id", Kind.TEXT, "user_id or partner_id", required=True),
        Column("role", Kind.TEXT, "roles, joined by `;`", required=True),
        Column("access", Kind.TEXT, "what they may", True, ("granted", "lost", "read_only")),
        Column("surfaces", Kind.TEXT, "where they may, joined by `;` (R9.2)"),
        Column("reason", Kind.TEXT, "why (R9.3)", required=True),
        Column("remedy", Kind.TEXT, "what to do, for a lost, expiring or read-only one"),
    ),
    key=("tenant_id", "kind", "id"),
)

OCCUPANCY = Table(
    "occupancy",
    "tenant, meter, stretch of days of constant entitlement; what overage is found from (R6)",
    (
        _TENANT,
        _METER,
        Column("first_day", Kind.DATE, "first local day of the stretch", required=True),
        Column("entitlement", Kind.MONEY, "in force on each of its days (R5)", required=True),
        Column("usage", Kind.MONEY, "highest at one instant, or different users", required=True),
        Column("at", Kind.INSTANT, "earliest instant of it, or the stretch's first", required=True),
        Column("tenant_usage", Kind.MONEY, "over the whole period (R4)", required=True),
        Column("measure", Kind.TEXT, "how it was measured", True, ("peak", "distinct", "sum")),
    ),
    key=("tenant_id", "meter", "first_day"),
)

DAILY = Table(
    "daily",
    "tenant, meter, local day with usage; what pictures are drawn from",
    (
        _TENANT,
        _METER,
        Column("day", Kind.DATE, "the tenant's local day", required=True),
        Column("usage", Kind.MONEY, "highest at one instant, different users, or sum", True),
        Column(
            "so_far",
            Kind.MONEY,
            "by the end of the day, since its stretch began; what the entitlement is for (R6)",
            required=True,
        ),
        Column("entitlement", Kind.MONEY, "of its stretch, as in `occupancy` (R5)", required=True),
        Column("at", Kind.INSTANT, "earliest instant of the day's highest; of peaks alone"),
    ),
    key=("tenant_id", "meter", "day"),
)

CURVE = Table(
    "curve",
    "tenant, meter, change in the course of the local day of the largest excess (R6.2)",
    (
        _TENANT,
        _METER,
        Column("day", Kind.DATE, "the tenant's local day", required=True),
        Column("at", Kind.INSTANT, "where five minutes begin, since midnight", required=True),
        Column("open", Kind.INTEGER, "highest at one instant until the next row", required=True),
    ),
    key=("tenant_id", "meter", "at"),
)

CONTROLS = Table(
    "controls",
    "count or sum that must tie",
    (
        Column("stage", Kind.TEXT, "the stage that it was checked after", required=True),
        Column("measure", Kind.TEXT, "what is counted", required=True),
        Column("value_in", Kind.MONEY, "what went in", required=True),
        Column("value_out", Kind.MONEY, "what came out", required=True),
        Column("difference", Kind.MONEY, "0, or the run stops (R11.2)", required=True),
    ),
    key=("stage", "measure"),
)

CHARGEBACK = Table(
    "chargeback",
    "tenant, meter with overage, subscription; for information, never on an invoice",
    (
        _TENANT,
        _METER,
        Column("billed_subscription_id", Kind.TEXT, "who pays the overage (R7)", required=True),
        _SUBSCRIPTION,
        Column("used", Kind.MONEY, "at overage_at; a sum: in the period", required=True),
        Column("included", Kind.MONEY, "in this subscription alone, then (R5)", required=True),
        Column("beyond", Kind.MONEY, "used beyond what it includes itself, or 0", required=True),
        Column("amount", Kind.MONEY, "its part of what the overage costs, by `beyond`"),
        Column("currency", Kind.TEXT, "of who pays", required=True),
        Column("overage_at", Kind.INSTANT, "earliest instant of the largest excess (R6.2)"),
    ),
    key=("tenant_id", "meter", "subscription_id"),
)

CHANGES = Table(
    "changes",
    "line that a run would change; what `plan` and `diff` print",
    (
        Column("usage_period", Kind.TEXT, "the month it charges for", required=True),
        _TENANT,
        _SUBSCRIPTION,
        Column("currency", Kind.TEXT, "ISO 4217", required=True),
        Column("kind", Kind.TEXT, "what the line is for", True, ("committed", "usage", "overage")),
        _METER,
        Column("corrects_invoice_id", Kind.TEXT, "the document that the line stands on"),
        Column("corrects_line_id", Kind.TEXT, "the line that stands; empty for a new one"),
        Column("old_quantity", Kind.MONEY, "of the line that stands"),
        Column("new_quantity", Kind.MONEY, "of the line that would; empty where none would"),
        Column("old_unit_price", Kind.MONEY, "of the line that stands"),
        Column("new_unit_price", Kind.MONEY, "of the line that would"),
        Column("old_amount", Kind.MONEY, "of the line that stands"),
        Column("new_amount", Kind.MONEY, "of the line that would"),
        Column("difference", Kind.MONEY, "new amount less the old one", required=True),
        Column("reason", Kind.TEXT, "what brought it, in words", required=True),
        Column("exports", Kind.TEXT, "the exports that brought it, joined by `;`"),
        Column("because", Kind.TEXT, "why the line would be there, in words"),
    ),
)

DATASETS = (
    USAGE_SPLIT,
    OVERAGE,
    INVOICE_LINES,
    INVOICES,
    FINDINGS,
    QUARANTINE,
    UNBILLED,
    ACCESS,
    CONTROLS,
    SUPERSEDED,
    OCCUPANCY,
    DAILY,
)
