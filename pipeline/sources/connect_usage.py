"""`connect-usage`: the usage of Webex Connect, a workbook of a sheet a channel, or CSV files.

Belongs here: whose a row is, what names it, and what is said of it. Does not belong here: channels
(`connect_channels.py`), workbooks and CSV (`exports`).

A row is a count, and comes again in later exports: counts of a month are final from the 4th of the
next (UTC). So that the later count replaces the earlier one (R11.1), `event_id` is made of what the
row is about and never of what it counts: its channel, its start and its DIMENSIONS. Where rows of
one file are about the same, they are numbered, `|2`, `|3`, in their order.

The `subscription_id` here is one of the Connect platform, not a contract: it is never read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from pipeline.errors import did_you_mean
from pipeline.exports import Cells, MissingColumn
from pipeline.exports.cells import read_texts
from pipeline.sources.connect_channels import METERS, WORKBOOK, Channel, channels
from pipeline.sources.kind import TENANT, TENANTS, Key, Kind, Options
from pipeline.sources.repeats import Repeats
from schemas.columns import Kind as Holds
from schemas.feeds import USAGE

START, ORGANISATION, CLIENT = "usage_start_time", "cpass_orgid", "Client ID"

DIMENSIONS = (
    ORGANISATION,
    CLIENT,
    "client_domain",
    "category_tag",
    "Node ID",
    "Group Name",
    "TeamName",
    "Service Name",
    "dist_id",
)
"""What a row is about besides its channel and start; names of what has an id may change."""

UNBILLED, UNKNOWN = "connect_channel_unbilled", "connect_channel_unknown"
PROVISIONAL = "connect_provisional"
FINAL_AFTER = timedelta(days=3)
_NOTHING = pl.DataFrame(schema={"event_id": pl.String})
_DAY = re.compile(r"(?:^|(?<=[^0-9]))([0-9]{4}-[0-9]{2}-[0-9]{2})$|^([0-9]{4}-[0-9]{2}-[0-9]{2})")


@dataclass(frozen=True, slots=True)
class _Reading:
    """What the rows of a channel are made of: their meter, and the column that counts them."""

    channel: Channel
    meter: str
    count: str
    dimensions: Sequence[str]
    options: Options

    @property
    def used(self) -> list[str]:
        """The columns that are read."""
        return [START, self.count, *self.dimensions]

    def columns(self) -> list[pl.Expr]:
        """The columns of the feed."""
        return [
            self._tenant().alias("tenant_id"),
            pl.lit(self.meter).alias("meter"),
            pl.col(START).alias("started_at"),
            pl.col(self.count).alias("quantity"),
        ]

    def name(self, frame: pl.DataFrame, started: pl.Series) -> pl.Series:
        """What names each row: nothing of it may be a count; nothing where there is no start."""
        moment = started.dt.to_string("%Y-%m-%dT%H:%M:%S%.fZ")
        parts = [pl.coalesce(moment, START), *map(pl.col, self.dimensions)]
        texts = [
            part.str.replace_many(["\\", "|"], ["\\\\", "\\|"]).fill_null("") for part in parts
        ]
        named = pl.concat_str(pl.lit(self.channel.name), *texts, separator="|")
        return frame.select(pl.when(pl.col(START).is_not_null()).then(named)).to_series()

    def _tenant(self) -> pl.Expr:
        tenants = self.options["tenants"]
        if self.options["tenant"]:
            return pl.lit(self.options["tenant"])
        if not tenants:
            return pl.col(ORGANISATION)
        known = [name for name in (ORGANISATION, CLIENT) if name in self.channel.header]
        return pl.coalesce(
            pl.col(name).replace_strict(
                list(tenants), list(tenants.values()), default=None, return_dtype=pl.String
            )
            for name in known
        )


def _cells(path: Path, options: Options) -> Iterator[Cells]:
    """The rows of a file, channel by channel.

    Records are numbered through a workbook, sheet after sheet, as its rows are; what is said of a
    row names the sheet and the row in it.
    """
    repeats, final_before, before = Repeats(), _final_before(path), 0
    for channel in channels(path, options):
        meter = channel.meter(options)
        reading = _reading(channel, meter, options) if meter else None
        silent = UNKNOWN if meter is None else UNBILLED
        last = 0
        for cells in channel.cells(reading.used if reading else ()):
            numbers = _numbers(cells, last)
            last = numbers[-1]
            here = replace(cells, numbers=numbers + before)
            if reading:
                yield _billed(here, reading, repeats, final_before)
            else:
                yield _not_billed(here, silent)
        before += last


def _reading(channel: Channel, meter: str, options: Options) -> _Reading:
    """How the rows of a channel are read. Raises `MissingColumn`, `UndecidedColumn`."""
    if START not in channel.header:
        raise _lacks(channel, START)
    if not options["tenant"]:
        either = (ORGANISATION, CLIENT) if options["tenants"] else (ORGANISATION,)
        if not any(name in channel.header for name in either):
            raise _lacks(channel, ORGANISATION)
    every = (*DIMENSIONS, *options["dimensions"])
    return _Reading(
        channel,
        meter,
        channel.count(options),
        tuple(name for name in dict.fromkeys(every) if name in channel.header),
        options,
    )


def _lacks(channel: Channel, name: str) -> MissingColumn:
    known = f"export it with {name}, as Webex Connect names it"
    return MissingColumn(
        f"the header lacks {name!r}",
        where=f"{channel.place}, header",
        remedy=did_you_mean(name, channel.header, known),
    )


def _billed(
    cells: Cells, reading: _Reading, repeats: Repeats, final_before: datetime | None
) -> Cells:
    started = read_texts(cells.frame.get_column(START), Holds.INSTANT)
    names = reading.name(cells.frame, started)
    times = repeats.numbered(names) + 1
    numbered = pl.when(pl.col("times") > 1).then(pl.format("{}|{}", "name", "times"))
    frame = pl.DataFrame({"name": names, "times": times})
    event = frame.select(event_id=numbered.otherwise("name")).to_series()
    open_still = int((started >= final_before).sum()) if final_before else 0
    made = cells.read_as(reading.columns())
    remarks = {PROVISIONAL: open_still} if open_still else {}
    return replace(made, frame=made.frame.with_columns(event), remarks=remarks)


def _not_billed(cells: Cells, remark: str) -> Cells:
    """No rows, and how many records that is not."""
    nowhere = pl.Series([], dtype=pl.Int64)
    return Cells(_NOTHING, numbers=nowhere, remarks={remark: cells.frame.height})


def _numbers(cells: Cells, last: int) -> pl.Series:
    if cells.numbers is not None:
        return cells.numbers
    first = last + 1
    return pl.int_range(first, first + cells.frame.height, eager=True)


def _final_before(path: Path) -> datetime | None:
    """Usage before it is final in an export of the day that the file's name begins or ends with."""
    found = _DAY.search(path.name.partition(".")[0])
    try:
        day = datetime.fromisoformat(found[1] or found[2]) if found else None
    except ValueError:
        return None
    return day and (day - FINAL_AFTER).replace(day=1, tzinfo=UTC)


def _check(options: Options) -> None:
    if options["tenant"] and options["tenants"]:
        raise ValueError("tenant and tenants contradict each other; leave one of them out")


KIND = Kind(
    "connect-usage",
    "the monthly usage of Webex Connect: a workbook, or CSV files of a channel each",
    lambda _: USAGE,
    (WORKBOOK, ".csv", ".csv.gz"),
    _cells,
    {
        "tenant": TENANT,
        "tenants": TENANTS,
        "meters": Key(
            dict,
            "meters by the beginning of a channel's name, besides "
            + ", ".join(f"{name} ({meter})" for name, meter in METERS.items())
            + '; "" bills none',
            default={},
        ),
        "counts": Key(dict, "columns that count, by the beginning of a channel's name", default={}),
        "channel": Key(str, "the channel of CSV files; else their names say it"),
        "dimensions": Key(
            list, "further columns that rows differ in, such as a country", default=[]
        ),
    },
    _check,
)
