"""Answers of `GET /v1/licenses`, saved as they came: the feed `entitlements`.

Belongs here: rows from licences. Does not belong here: the forms of the file (`json_items`), and
intervals (`snapshots`).

What a licence is of says its id, which decodes to `ciscospark://us/LICENSE/ORGANISATION:CJPPRM_…`,
and its name. Where both are known and say different meters, the row is set aside. Licences of one
contract and meter are added up: a contract may be delivered in several parts, and the feed states a
meter of a contract once. Sums need memory for each contract and meter, whatever the file's size.

A licence of a meter that names no subscription is set aside too: its units would raise what the
tenant includes, and nobody says of which contract. `subscriptions` can say it, by an empty name.

A quantity that changes begins a new row, and with it a new cycle of a contract that is charged in
advance (R10.2). Where that is not meant, the feed states the contract, and `passed_over` names it
here: what both state would count twice.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

import polars as pl

from pipeline.exports import Cells, ExportError
from pipeline.sources.json_items import json_items
from pipeline.sources.kind import TENANT, TENANTS, Key, Kind, Options
from pipeline.sources.snapshots import day_of
from schemas.feeds import ENTITLEMENTS

_METERS = {
    "cjpprm": "premium_agent",
    "cjpstd": "standard_agent",
    "contact center premium agent": "premium_agent",
    "contact center standard agent": "standard_agent",
}
"""The meter by the beginning of what the id decodes to, and by the name, both folded."""

_OF_THE_PRODUCT = ("cjp", "contact center", "webex contact center")
"""What ids and names of the contact center's licences begin with."""

_ID = re.compile(r"ciscospark://[^/]*/LICENSE/([^:/]+):([^_]+)_")

_BROKEN_AT_ONCE = 10_000

_COLUMNS = ("tenant_id", "subscription_id", "meter", "quantity")


class SeveralOrganizations(ExportError):
    """Licences of several organisations, where one tenant was said to have them all."""


class License(NamedTuple):
    """A licence: whose it is, and what of; a meter is None where id and name disagree."""

    tenant_id: str | None
    subscription_id: str | None
    meter: str | None
    quantity: object


def _cells(path: Path, options: Options) -> Iterator[Cells]:
    found = _Found(path, day_of(path), options)
    for number, item in enumerate(json_items(path), 1):
        found.add(number, item)
        if len(found.broken) >= _BROKEN_AT_ONCE:
            yield found.set_aside()
    yield found.set_aside()
    yield found.added_up()


@dataclass(slots=True)
class _Found:
    """What was found in a file so far: sums by contract and meter, and rows to be set aside."""

    path: Path
    day: date
    options: Options
    meters: dict[str, str] = field(init=False)
    sums: dict[tuple[str, str, str], tuple[int, int | Decimal]] = field(default_factory=dict)
    broken: list[tuple[int, License | None, str]] = field(default_factory=list)
    remarks: Counter[str] = field(default_factory=Counter)
    organization: str | None = None

    def __post_init__(self) -> None:
        own = {_folded(name): meter for name, meter in self.options["meters"].items()}
        self.meters = _METERS | own

    def add(self, number: int, item: object) -> None:
        """Take a record of the file in; raises `SeveralOrganizations`."""
        if not isinstance(item, dict) or not item.keys() & {"id", "name"}:
            self.broken.append((number, None, _json(item)))
            return
        organization, beginning = decoded(item.get("id"))
        names = [_folded(beginning), _folded(item.get("name"))]
        meters = {self.meters[name] for name in names if name in self.meters}
        if not meters:
            is_ours = any(name.startswith(_OF_THE_PRODUCT) for name in names)
            self.remarks["license_without_meter" if is_ours else "license_passed_over"] += 1
            return
        subscription = str(item.get("subscriptionId") or "").strip()
        if subscription in self.options["passed_over"]:
            self.remarks["license_passed_over"] += 1
            return
        if len(meters) > 1:
            self.remarks["license_contradicting"] += 1
        license_ = License(
            self._tenant(organization, number),
            self.options["subscriptions"].get(subscription, subscription) or None,
            meters.pop() if len(meters) == 1 else None,
            item.get("totalUnits"),
        )
        self._take(number, license_, item)

    def set_aside(self) -> Cells:
        """The rows that are not in order; they are done with afterwards."""
        broken, self.broken = self.broken, []
        nothing = License(self.options["tenant"], None, None, None)
        rows = [(*(one or nothing)[:3], _text((one or nothing).quantity)) for _, one, _ in broken]
        texts = [text for _, _, text in broken]
        return Cells(
            self._frame(rows),
            {at: text for at, (_, one, text) in enumerate(broken) if one is None},
            pl.Series([number for number, _, _ in broken], dtype=pl.Int64),
            said=lambda few: [texts[at] for at in few],
        )

    def added_up(self) -> Cells:
        """A row for each contract and meter, by its first record; and what is to be said."""
        rows = [(*key, _text(total)) for key, (_, total) in self.sums.items()]
        numbers = pl.Series([number for number, _ in self.sums.values()], dtype=pl.Int64)
        return Cells(self._frame(rows), numbers=numbers, remarks=dict(self.remarks))

    def _take(self, number: int, license_: License, item: dict[str, Any]) -> None:
        tenant, subscription, meter, quantity = license_
        if not (tenant and subscription and meter and _is_countable(quantity)):
            self.broken.append((number, license_, _json(item)))
            return
        key = tenant, subscription, meter
        first, total = self.sums.get(key, (number, 0))
        self.sums[key] = first, total + quantity

    def _tenant(self, organization: str | None, number: int) -> str | None:
        tenant: str | None = self.options["tenant"]
        if tenant is None:
            found: str | None = self.options["tenants"].get(organization or "")
            return found
        if organization and organization != (self.organization or organization):
            raise SeveralOrganizations(
                f"there are licences of {self.organization} and {organization} in it, and tenant "
                f"says that all are {tenant}'s",
                where=f"{self.path}, item {number}",
                remedy="say in tenants which tenant each organisation is, instead of tenant",
            )
        self.organization = organization or self.organization
        return tenant

    def _frame(self, rows: Sequence[tuple[str | None, ...]]) -> pl.DataFrame:
        schema = dict.fromkeys(_COLUMNS, pl.String())
        frame = pl.DataFrame(rows, schema=schema, orient="row")
        return frame.with_columns(start_date=pl.lit(self.day))


def decoded(license_id: object) -> tuple[str | None, str]:
    """The organisation of a licence, and the name that its id begins with there; if it is one."""
    if not isinstance(license_id, str):
        return None, ""
    plain = license_id.strip().rstrip("=").replace("-", "+").replace("_", "/")
    try:
        text = b64decode(plain + "=" * (-len(plain) % 4), validate=True).decode()
    except (NotBase64, ValueError):
        return None, ""
    found = _ID.match(text)
    return (found[1], found[2]) if found else (None, "")


def _is_countable(quantity: object) -> TypeGuard[int | Decimal]:
    """Whether it is a quantity of the feed as a number, which can be added to others."""
    if isinstance(quantity, bool) or not isinstance(quantity, int | Decimal):
        return False
    return 0 <= quantity < 10**12 and round(quantity, 6) == quantity


def _text(quantity: object) -> str | None:
    """A quantity as a cell: digits for a number, whatever it is else."""
    if quantity is None or isinstance(quantity, str):
        return quantity or None
    return format(quantity, "f") if isinstance(quantity, Decimal) else _json(quantity)


def _json(item: object) -> str:
    return json.dumps(item, ensure_ascii=False, default=str)


def _folded(name: object) -> str:
    return " ".join(name.split()).casefold() if isinstance(name, str) else ""


def _check(options: Options) -> None:
    if bool(options["tenant"]) == bool(options["tenants"]):
        both = "tenant and tenants both say" if options["tenant"] else "nothing says"
        raise ValueError(
            f"{both} whose the licences are; say tenant for an export of one organisation, tenants "
            "for one of several"
        )


KIND = Kind(
    name="licenses-api",
    what="answers of GET /v1/licenses: what each contract includes on the day in the file's name",
    feed=lambda _: ENTITLEMENTS,
    endings=(".json", ".jsonl"),
    cells=_cells,
    keys={
        "tenant": TENANT,
        "tenants": TENANTS,
        "meters": Key(
            dict,
            "further meters by the licence's name, or by what its id begins with, such as CJPPRM",
            default={},
        ),
        "subscriptions": Key(
            dict,
            "contracts by the API's subscriptionId, where they differ; by an empty name, that of "
            "licences that name none",
            default={},
        ),
        "passed_over": Key(
            list, "the API's subscriptionIds of contracts that are stated elsewhere", default=[]
        ),
    },
    check=_check,
    is_snapshot=True,
)
