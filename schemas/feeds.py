"""The feeds: what exports must look like to be billed from, column by column and rule by rule.

Belongs here: everything that can be said of a row, or of rows of one feed, without any other feed.
Does not belong here: reading files (`pipeline.exports`) and rules across feeds (`pipeline.stages`).
"""

from __future__ import annotations

import polars as pl

from schemas.columns import Column, Kind, Rule, Table

TENANT = Column("tenant_id", Kind.TEXT, "the customer organisation; nothing crosses tenants", True)
SUBSCRIPTION = Column("subscription_id", Kind.TEXT, "the contract", True)
METER = Column("meter", Kind.TEXT, "one kind of usage, from the meter catalogue", True)
FIRST_DAY = Column("start_date", Kind.DATE, "first local day; empty: from the beginning")
LAST_DAY = Column("end_date", Kind.DATE, "last local day, inclusive; empty: still running")
DEPLOYMENT = Column(
    "deployment",
    Kind.TEXT,
    "on-premises rows count for neither usage nor entitlement (R5.1)",
    choices=("cloud", "on_premises"),
    default="cloud",
)

LONGEST_TERM_MONTHS = 1200
"""A hundred years: whatever is longer was mistyped."""

DAYS_IN_ORDER = Rule(
    "end_before_start",
    pl.col("end_date") < pl.col("start_date"),
    "end_date is the last day, start_date the first: correct one of them",
)


def _never_negative(column: str) -> Rule:
    return Rule(f"{column}_negative", pl.col(column) < 0, f"{column} is zero or more")


USAGE = Table(
    "usage",
    "session, or counted use",
    (
        Column("event_id", Kind.TEXT, "the event, unique within its tenant (R11.1)", True),
        TENANT,
        Column("subscription_id", Kind.TEXT, "the contract that the usage names, if any (R3.1)"),
        Column("meter", Kind.TEXT, "empty: an agent session, by the user's licence (R3.2)"),
        Column("user_id", Kind.TEXT, "who used it, where a person did"),
        Column("started_at", Kind.INSTANT, "start, or the moment of a counted use", True),
        Column("ended_at", Kind.INSTANT, "end, not included; empty: still open (R4.1)"),
        Column("quantity", Kind.QUANTITY, "how much, for meters that are summed"),
        DEPLOYMENT,
    ),
    (
        Rule(
            "ended_before_started",
            pl.col("ended_at") < pl.col("started_at"),
            "export the row again with its true start and end",
        ),
        _never_negative("quantity"),
    ),
)

USAGE_IN_CONTEXT = (
    Rule("tenant_unknown", ~pl.col("tenant_known"), "add the tenant to tenants or subscriptions"),
    Rule(
        "meter_unknown",
        ~pl.col("meter_known"),
        "name a meter of the catalogue, or give the user a licence that covers the day",
    ),
    Rule(
        "quantity_missing",
        pl.col("is_summed") & pl.col("quantity").is_null() & ~pl.col("quantity_unreadable"),
        "a summed meter needs a quantity in every row",
    ),
    Rule(
        "foreign_subscription",
        pl.col("is_foreign"),
        "the subscription belongs to another tenant: correct tenant_id or subscription_id",
    ),
)
"""Rules of a usage row that need the terms: judged on the row with what the terms know of it."""

SUBSCRIPTIONS = Table(
    "subscriptions",
    "interval of days in the life of a subscription",
    (
        TENANT,
        SUBSCRIPTION,
        Column("name", Kind.TEXT, "what people call it"),
        Column("offer", Kind.TEXT, "Flex and Flex 3 may be mixed (R8.3)", True, ("flex", "flex3")),
        Column(
            "license_model", Kind.TEXT, "how agents count (R4, R8.1)", True, ("concurrent", "named")
        ),
        Column(
            "deployment", Kind.TEXT, "for information", choices=("cloud", "hybrid", "on_premises")
        ),
        Column(
            "telephony",
            Kind.TEXT,
            "the telephony option (R8.2)",
            choices=("webex_calling", "bundled_pstn", "vpop"),
        ),
        Column(
            "status",
            Kind.TEXT,
            "active, expired, cancelled: in service on its days; the others never (R1.2)",
            True,
            ("active", "trial", "pending", "suspended", "expired", "cancelled"),
        ),
        Column("start_date", Kind.DATE, "first local day", True),
        LAST_DAY,
        Column("currency", Kind.TEXT, "ISO 4217 code, one a subscription", True),
        Column("term_months", Kind.INTEGER, "length of the term, for prepaid (R10.2)"),
        Column(
            "billing_frequency",
            Kind.TEXT,
            "when commitments are charged (R10.2)",
            choices=("monthly", "quarterly", "annual", "prepaid"),
            default="monthly",
        ),
        Column("partner_id", Kind.TEXT, "the partner that sold it"),
    ),
    (
        DAYS_IN_ORDER,
        Rule(
            "end_date_missing",
            pl.col("status").is_in(["expired", "cancelled"]) & pl.col("end_date").is_null(),
            "an expired or cancelled row needs its last day (R1.2)",
        ),
        Rule(
            "term_months_not_positive",
            pl.col("term_months") < 1,
            "term_months is a whole number of months, 1 or more",
        ),
        Rule(
            "term_months_too_long",
            pl.col("term_months") > LONGEST_TERM_MONTHS,
            f"term_months is at most {LONGEST_TERM_MONTHS}",
        ),
        Rule(
            "term_months_missing",
            (pl.col("billing_frequency") == "prepaid") & pl.col("term_months").is_null(),
            "a prepaid subscription needs its term_months (R10.2)",
        ),
    ),
)

ENTITLEMENTS = Table(
    "entitlements",
    "quantity of a meter that a subscription includes between two days",
    (
        TENANT,
        SUBSCRIPTION,
        METER,
        Column("quantity", Kind.QUANTITY, "how much is included", True),
        FIRST_DAY,
        LAST_DAY,
        DEPLOYMENT,
    ),
    (DAYS_IN_ORDER, _never_negative("quantity")),
    key=("tenant_id", "subscription_id", "meter", "start_date", "end_date", "deployment"),
)

RATES = Table(
    "rates",
    "price, or one tier of it",
    (
        Column("subscription_id", Kind.TEXT, "whom it is for: an id, or `*` for all", True),
        Column("tenant_id", Kind.TEXT, "the tenant it is for; empty: all"),
        METER,
        Column("charge", Kind.TEXT, "what for (R10)", True, ("committed", "overage", "per_unit")),
        Column("unit_price", Kind.QUANTITY, "price of one unit; committed: and month", True),
        Column("currency", Kind.TEXT, "ISO 4217 code", True),
        Column(
            "model",
            Kind.TEXT,
            "how tiers apply (R10.4)",
            choices=("flat", "volume", "graduated"),
            default="flat",
        ),
        Column(
            "tier_from", Kind.QUANTITY, "the tier holds above this quantity (R10.4)", default="0"
        ),
        FIRST_DAY,
        LAST_DAY,
    ),
    (
        DAYS_IN_ORDER,
        _never_negative("unit_price"),
        _never_negative("tier_from"),
        Rule(
            "tiers_not_allowed",
            ((pl.col("charge") == "committed") | (pl.col("model") == "flat"))
            & ((pl.col("model") != "flat") | (pl.col("tier_from") != 0)),
            "committed and flat prices have one row, of model flat and tier_from 0 (R10.2)",
        ),
    ),
    key=("subscription_id", "tenant_id", "meter", "charge", "currency", "tier_from"),
)

USERS = Table(
    "users",
    "assignment of a user to a subscription, role and licence between two days",
    (
        TENANT,
        Column("user_id", Kind.TEXT, "the user", True),
        Column("name", Kind.TEXT, "what people call them"),
        Column(
            "role", Kind.TEXT, "gives the surfaces (R9.2)", True, ("agent", "supervisor", "admin")
        ),
        Column(
            "license",
            Kind.TEXT,
            "gives the meter of an agent session (R3.2)",
            choices=("standard", "premium", "none"),
            default="none",
        ),
        Column("subscription_id", Kind.TEXT, "the subscription assigned to, if any (R3.1, R9.1)"),
        FIRST_DAY,
        LAST_DAY,
    ),
    (DAYS_IN_ORDER,),
    optional=True,
)

PARTNERS = Table(
    "partners",
    "partner of a tenant",
    (
        TENANT,
        Column("partner_id", Kind.TEXT, "the partner", True),
        Column("added_on", Kind.DATE, "first day; the earliest is the first partner (R9.4)", True),
        Column(
            "role",
            Kind.TEXT,
            "what the customer's administrator granted (R9.4)",
            choices=("full_admin", "provisioning_admin"),
            default="provisioning_admin",
        ),
    ),
    optional=True,
    key=("tenant_id", "partner_id"),
)

TENANTS = Table(
    "tenants",
    "tenant",
    (
        TENANT,
        Column("name", Kind.TEXT, "what people call it"),
        Column("time_zone", Kind.TEXT, "IANA zone that its days and months are in", default="UTC"),
        Column("primary_override", Kind.TEXT, "primary on the days it is active (R2.2)"),
    ),
    optional=True,
    key=("tenant_id",),
)

METERS = Table(
    "meters",
    "meter of the catalogue (replaces the shipped one)",
    (
        METER,
        Column(
            "measure",
            Kind.TEXT,
            "how usage is measured (R4); agents: peak or distinct, by the licence model",
            True,
            ("agents", "peak", "distinct", "sum"),
        ),
        Column(
            "counts",
            Kind.TEXT,
            "what a peak counts; users: nobody is in two places (R4.2)",
            choices=("users", "sessions"),
            default="sessions",
        ),
        Column(
            "routing",
            Kind.TEXT,
            "primary: always belongs to the primary subscription (R3.3)",
            True,
            ("subscription", "primary"),
        ),
        Column("charge", Kind.TEXT, "what is charged (R10.3)", True, ("overage", "per_unit")),
        Column(
            "overage_to",
            Kind.TEXT,
            "who pays the overage (R7)",
            choices=("primary", "responsible"),
            default="primary",
        ),
        Column(
            "included_with", Kind.TEXT, "meters that bring this one along, joined by `;` (R5.2)"
        ),
        Column("included_ratio", Kind.QUANTITY, "how many with each unit of those (R5.2)"),
        Column("unit", Kind.TEXT, "unit of the quantity"),
        Column("label", Kind.TEXT, "what people call it"),
    ),
    (
        _never_negative("included_ratio"),
        Rule(
            "included_ratio_missing",
            pl.col("included_with").is_not_null() & pl.col("included_ratio").is_null(),
            "say how many come with each unit of included_with",
        ),
    ),
    optional=True,
    key=("meter",),
)

TERMS = (SUBSCRIPTIONS, ENTITLEMENTS, RATES, USERS, PARTNERS, TENANTS, METERS)
"""Every feed but usage: small, and each row changes what somebody owes."""

FEEDS = (USAGE, *TERMS)


def feed_of(name: str) -> Table:
    """The feed of a name."""
    return next(feed for feed in FEEDS if feed.name == name)
