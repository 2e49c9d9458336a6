"""Control Hub's users, as it exports them (Users > Manage users by CSV): the feed `users`.

Belongs here: rows from records. Does not belong here: names of columns (`control_hub_layout`), and
intervals (`snapshots`).

A record gives a row for each licence of the contact center that it holds, and each subscription it
holds it of: R3.1 and R3.2 say which of them counts. One that holds none gives a row without licence
only if `roles` names the user, as an administrator who needs none: everybody of the organisation is
in the export, and most have nothing to do with the contact center. A user's status decides nothing:
who was deactivated keeps the licence, and the usage from before still needs its subscription.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl

from pipeline.errors import did_you_mean
from pipeline.exports import Cells
from pipeline.exports.csv_files import csv_cells, read_header
from pipeline.sources.control_hub_layout import USER, Layout, LicenseColumn, layout_of
from pipeline.sources.kind import TENANT, Key, Kind, Options
from pipeline.sources.snapshots import day_of
from schemas.feeds import USERS

_ACTIVE = ("active", "verified")

_ROW = ("at", "user_id", "name", "license", "subscription_id")


def _cells(path: Path, options: Options) -> Iterator[Cells]:
    day = day_of(path)
    packed = path.name.lower().endswith(".gz")
    layout = layout_of(path, read_header(path, packed=packed), options)
    before = 0
    for records in csv_cells(path, packed=packed):
        yield _rows(records, layout, options, day, before)
        before += records.frame.height


def _rows(records: Cells, layout: Layout, options: Options, day: date, before: int) -> Cells:
    """The rows of some records, `before` which there were so many in the file."""
    users = _users(records.frame, layout)
    parts = [part for column in layout.licenses for part in _held(users, column, options)]
    parts.append(users.filter(pl.col("at").is_in(list(records.misshapen))).select(_ROW))
    with_licenses = pl.concat(parts)
    others = users.join(with_licenses, on="at", how="anti")
    named = others.filter(pl.col("user_id").is_in(list(_roles(options))))
    unlicensed = named.with_columns(
        license=pl.lit("none"), subscription_id=_subscription(None, options)
    )
    rows = (
        pl.concat([with_licenses, unlicensed.select(_ROW)])
        .unique(["at", "license", "subscription_id"], keep="first", maintain_order=True)
        .sort("at", maintain_order=True)
    )
    at = rows.get_column("at")
    is_misshapen = at.is_in(list(records.misshapen)).arg_true()
    frame = rows.select(
        pl.lit(options["tenant"]).alias("tenant_id"),
        "user_id",
        "name",
        _role(options).alias("role"),
        "license",
        "subscription_id",
        pl.lit(day).alias("start_date"),
    )
    return Cells(
        frame,
        {position: records.misshapen[at[position]] for position in is_misshapen},
        at.cast(pl.Int64) + before + 1,
        _remarks(users, rows, layout),
        lambda few: records.texts(at.gather(few)),
    )


def _users(frame: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """What is read of each record: `_ROW`, `status`, `by`, and a column for each licence's header.

    A licence is held where its column says `TRUE`, not where it says `FALSE` or nothing.
    """
    first_and_last = pl.concat_str(
        _text(layout.first_name), _text(layout.last_name), separator=" ", ignore_nulls=True
    )
    columns = {
        "at": pl.int_range(pl.len(), dtype=pl.UInt32),
        "user_id": _user_id(_text(layout.user)),
        "name": pl.coalesce(_text(layout.display_name), first_and_last.replace("", None)),
        "license": pl.lit(None, pl.String),
        "subscription_id": pl.lit(None, pl.String),
        "status": _text(layout.status).str.to_lowercase(),
        "by": _text(layout.subscription_by),
    }
    columns |= {_cell(one): _text(one.header).str.to_uppercase() for one in layout.licenses}
    return frame.select(**columns)


def _text(column: str | None) -> pl.Expr:
    """What a column says; nothing, where the file does not have it."""
    return pl.col(column).str.strip_chars().replace("", None) if column else pl.lit(None, pl.String)


def _user_id(said: pl.Expr) -> pl.Expr:
    """An e-mail address is the same in whatever case it is written; other names are not."""
    is_address = said.str.contains("@", literal=True)
    return pl.when(is_address).then(said.str.to_lowercase()).otherwise(said)


def _cell(column: LicenseColumn) -> str:
    return f"license {column.header}"


def _held(users: pl.DataFrame, column: LicenseColumn, options: Options) -> Iterator[pl.DataFrame]:
    """The rows that a licence's column gives: one where it is held, and one where nobody can say.

    A cell that is neither `TRUE` nor `FALSE` becomes a licence that there is not.
    """
    cell = pl.col(_cell(column))
    if column.remark is None:
        held = users.filter(cell == "TRUE").with_columns(
            license=pl.lit(column.license), subscription_id=_subscription(column, options)
        )
        yield held.select(_ROW)
    unclear = users.filter(~cell.is_in(["TRUE", "FALSE"])).with_columns(
        license=pl.concat_str(pl.lit(f"{column.header} = "), cell)
    )
    yield unclear.select(_ROW)


def _subscription(column: LicenseColumn | None, options: Options) -> pl.Expr:
    """The subscription of a licence: of its header, else of the record, else that of all others."""
    if column and column.subscription is not None:
        return pl.lit(column.subscription)
    default = pl.lit(options["subscription"], pl.String)
    if not options["subscription_by"]:
        return default
    return pl.col("by").replace_strict(
        options["subscriptions"], default=default, return_dtype=pl.String
    )


def _roles(options: Options) -> dict[str, str]:
    return {user.lower() if "@" in user else user: to for user, to in options["roles"].items()}


def _role(options: Options) -> pl.Expr:
    if not options["roles"]:
        return pl.lit("agent")
    return pl.col("user_id").replace_strict(_roles(options), default="agent")


def _remarks(users: pl.DataFrame, rows: pl.DataFrame, layout: Layout) -> dict[str, int]:
    """What is to be said of the records, by how many it is said of."""
    holding = {
        code: pl.any_horizontal(
            pl.col(_cell(one)) == "TRUE" for one in layout.licenses if one.remark == code
        )
        for code in {one.remark for one in layout.licenses if one.remark}
    }
    is_active = pl.col("status").is_in(_ACTIVE)
    with_rows = users.join(rows, on="at", how="semi")
    has_none = (pl.col("license") != "none") & pl.col("subscription_id").is_null()
    is_readable = pl.col("license").is_in(["standard", "premium"])
    counts = {code: users.filter(holds).height for code, holds in holding.items()}
    counts |= {
        "user_without_license": users.height - with_rows.height,
        "user_not_active": with_rows.filter(~is_active).height,
        "license_without_subscription": rows.filter(has_none & is_readable)["at"].n_unique(),
    }
    return {code: count for code, count in counts.items() if count}


def _check(options: Options) -> None:
    for key, choices in (
        ("roles", USERS["role"].choices),
        ("licenses", USERS["license"].choices),
    ):
        for name, value in options[key].items():
            if value not in choices:
                known = f"say one of {', '.join(choices)}"
                raise ValueError(
                    f"{key} says {value!r} of {name!r}; {did_you_mean(value, choices, known)}"
                )
    if options["subscription_by"] and not options["subscriptions"]:
        raise ValueError(
            "subscription_by names a column, and nothing says which subscription its values mean; "
            'add subscriptions, such as { "Sales" = "Sub1" }'
        )


KIND = Kind(
    name="control-hub-users",
    what="Control Hub's users CSV: who holds which licence on the day in the file's name",
    feed=lambda _: USERS,
    endings=(".csv", ".csv.gz"),
    cells=_cells,
    keys={
        "tenant": replace(TENANT, required=True),
        "user": Key(str, "the column of the user's id", default=USER),
        "roles": Key(
            dict, "the role of each user who is not an agent; one who needs no licence", default={}
        ),
        "subscription": Key(
            str, "the subscription of licences whose column and record name no other"
        ),
        "subscriptions": Key(
            dict,
            "subscriptions by the header of a licence's column, by what stands in its [], or by "
            "the value of subscription_by",
            default={},
        ),
        "subscription_by": Key(str, "a column whose value says the subscription: Department"),
        "licenses": Key(
            dict,
            "further licences by the names of their columns: standard, premium, or none",
            default={},
        ),
    },
    check=_check,
    is_snapshot=True,
)
