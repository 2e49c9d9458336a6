"""Plan files: a plan as JSON, with everything it was computed from, to look at and to approve.

Belongs here: writing and reading them, and saying what became other since. Does not belong here:
making and applying plans (`correct`).

What is issued in the end never comes from the file: the plan is made again and must be the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.correct import Plan
from pipeline.errors import BillingError
from pipeline.fingerprint import fingerprint
from pipeline.money import plain
from pipeline.period import Period
from pipeline.remote.place import name_of, place_of
from pipeline.store.files import write_json

FORMAT = 1

MOST = 5
"""How many exports are named in a sentence."""


class PlanUnreadable(BillingError):
    """The file is no plan, or somebody has changed it by hand."""

    exit_code = 2


class PlanOutdated(BillingError):
    """Something that a plan was computed from has changed since."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a plan file asks for again: which months, of whom, as of when, from which exports."""

    plan_id: str
    periods: list[Period]
    only_tenants: frozenset[str] | None
    as_of: datetime | None
    feeds: Path | None
    content: dict[str, Any]


def write_plan(path: Path, plan: Plan, feeds: Path | None, made_at: datetime, actor: str) -> None:
    """Write a plan file, whole or not at all."""
    value = {
        "tenantbill_plan": FORMAT,
        "plan": plan.id,
        "made_at": made_at.isoformat(),
        "made_by": actor,
        "feeds": name_of(feeds.absolute()) if feeds else None,
        **_content(plan),
    }
    write_json(path, {**value, "seal": _seal(value)})


def read_plan(path: Path) -> Asked:
    """A plan file. Raises `PlanUnreadable` where it is none, or not as it was written."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        seal = value.pop("seal")
        if value["tenantbill_plan"] != FORMAT or seal != _seal(value):
            raise ValueError("it is not as it was written")
        return Asked(
            value["plan"],
            [Period.parse(period) for period in value["periods"]],
            None if value["tenants"] is None else frozenset(value["tenants"]),
            datetime.fromisoformat(value["as_of"]) if value["as_of"] else None,
            place_of(value["feeds"]) if value["feeds"] else None,
            value,
        )
    except FileNotFoundError as error:
        raise PlanUnreadable(
            "there is no such file", where=path, remedy="write one with `tenantbill plan --output`"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise PlanUnreadable(
            f"this is no plan that can be applied: {error}",
            where=path,
            remedy="make it again with `tenantbill plan --output`, and leave it as it is",
        ) from error


def check_same(asked: Asked, plan: Plan, where: Path) -> None:
    """Raise `PlanOutdated`, saying what changed, where a plan made now is another."""
    if plan.id != asked.plan_id:
        now = json.loads(json.dumps(_content(plan)))
        raise PlanOutdated(
            "since it was made, " + "; ".join(_changed(asked.content, now)),
            where=where,
            remedy="look at a new plan: `tenantbill plan`, and apply that one",
        )


def _changed(before: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    """What is other than when the plan was made, in words."""
    if before["exports"] != now["exports"]:
        old, new = ({(one[0], one[1], one[2]) for one in side["exports"]} for side in (before, now))
        names = sorted({name for _, name, _ in old ^ new})
        more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
        yield f"exports have changed: {', '.join(names[:MOST])}{more}"
    if before["issued_until"] != now["issued_until"]:
        yield "other documents were issued"
    if before["code"] != now["code"]:
        yield "the program or its engines have another version"
    if all(before[name] == now[name] for name in ("exports", "issued_until", "code")):
        yield "what it comes to is different"


def _content(plan: Plan) -> dict[str, Any]:
    """Everything that a plan says and was computed from, as JSON has it."""
    documents = sorted(plan.documents.items())
    return {
        "periods": [str(period) for period in plan.periods],
        "tenants": None if plan.only_tenants is None else sorted(plan.only_tenants),
        "as_of": plan.as_of.isoformat() if plan.as_of else None,
        "code": plan.code,
        "issued_until": plan.issued_until,
        "exports": [list(one) for one in plan.exports],
        "inputs": {str(month.worked.request.period): month.worked.inputs for month in plan.months},
        "blocked": plan.blocked,
        "changes": records(plan.changes),
        "documents": [row for _, one in documents for row in records(one.invoices)],
        "lines": [row for _, one in documents for row in records(one.lines)],
    }


def records(rows: pl.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON values; decimals as text, since JSON has no exact numbers."""
    return [{name: _value(one) for name, one in row.items()} for row in rows.iter_rows(named=True)]


def _value(value: Any) -> Any:
    if isinstance(value, Decimal):
        return plain(value)
    return value.isoformat() if isinstance(value, date) else value


def _seal(value: dict[str, Any]) -> str:
    return fingerprint(json.dumps(value, sort_keys=True))
