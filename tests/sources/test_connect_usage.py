"""Usage of Webex Connect: channels, counts, whose they are, and the same row in a later export."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import UsageError
from pipeline.exports import ExportError
from pipeline.sources.connect_usage import DIMENSIONS
from pipeline.sources.repeats import Repeats
from tests.good_feeds import PERIOD, good, save
from tests.sources.sheets import read, remarks, save_workbook, source
from tests.support import bill, shown, tenantbill

HEADER = ["subscription_type", "subscription_id", "Client ID", "Client Name", "cpass_orgid"]
HEADER += ["cpass_orgname", "Service Name", "usage_start_time", "usage_end_time", "Count"]
TENANTS = {"org-a": "a", "org-b": "b"}


def row(org: str, count: object, day: int = 1, service: str = "Reminders") -> list[object]:
    """A row of a channel."""
    days = (f"2026-10-{one:02} 00:00:00" for one in (day, day + 1))
    return ["paid", "PLATFORM-9", "77", "Acme", org, "Acme Ltd", service, *days, count]


def book(folder: Path, name: str = "connect.xlsx", **channels: list[list[object]]) -> Path:
    """A workbook of channels; `_` in a name is a blank."""
    sheets = {channel.replace("_", " "): rows for channel, rows in channels.items()}
    return save_workbook(folder / name, {key: [HEADER, *rows] for key, rows in sheets.items()})


def columns(path: Path, *rows: Sequence[object], header: list[str] = HEADER) -> Path:
    """A CSV file of a channel."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])
    return path


def test_a_sheet_a_channel(tmp_path: Path) -> None:
    path = book(
        tmp_path,
        Summary=[row("org-a", 99)],
        SMS_Outbound=[row("org-a", 3), row("org-b", 4)],
        sms_inbound=[row("org-a", 2)],
        WhatsApp=[row("org-a", 5)],
        Email=[row("org-a", 6)],
        Voice=[row("org-a", 7.5)],
        Automated_Interactions=[row("org-a", 8)],
        Numbers=[row("org-a", 1), row("org-a", 1)],
        RCS=[],
        Carrier_pigeon=[row("org-a", 1)],
    )
    it = source("connect-usage", path, tenants=TENANTS)
    frame = read(it)
    assert frame.select("tenant_id", "meter", "quantity", "row").rows() == [
        ("a", "connect_sms", Decimal(3), 2),
        ("b", "connect_sms", Decimal(4), 3),
        ("a", "connect_sms", Decimal(2), 5),
        ("a", "connect_whatsapp", Decimal(5), 7),
        ("a", "connect_email", Decimal(6), 9),
        ("a", "connect_voice", Decimal("7.5"), 11),
        ("a", "connect_interaction", Decimal(8), 13),
    ]
    assert frame["started_at"].unique().to_list() == [datetime(2026, 10, 1, tzinfo=UTC)]
    assert frame["ended_at"].null_count() == frame.height
    assert frame["event_id"].n_unique() == frame.height
    assert remarks(it) == {"connect_channel_unbilled": 2, "connect_channel_unknown": 1}


@pytest.mark.parametrize("kind", ["xlsx", "csv"])
def test_the_subscription_of_the_platform_is_no_contract(tmp_path: Path, kind: str) -> None:
    rows = [row("org-a", 3), row("org-a", "x"), row("nobody", 1)]
    path = columns(tmp_path / "sms.csv", *rows) if kind == "csv" else book(tmp_path, SMS=rows)
    frame = read(source("connect-usage", path, tenants=TENANTS))
    assert frame["subscription_id"].null_count() == 3
    assert "PLATFORM-9" not in str(frame.drop("raw").rows())
    assert frame["defects"].to_list() == [None, "quantity_unreadable", "tenant_id_missing"]
    assert '"nobody"' in frame["raw"][2]


def test_whose_a_row_is(tmp_path: Path) -> None:
    path = columns(tmp_path / "sms.csv", row("org-a", 1), row("org-x", 1), row("", 1))
    for said, tenants in (
        ({}, ["org-a", "org-x", None]),
        ({"tenant": "t"}, ["t", "t", "t"]),
        ({"tenants": TENANTS}, ["a", None, None]),
        ({"tenants": {"77": "by-client"}}, ["by-client"] * 3),
        ({"tenants": {**TENANTS, "77": "by-client"}}, ["a", "by-client", "by-client"]),
    ):
        assert read(source("connect-usage", path, **said))["tenant_id"].to_list() == tenants
    with pytest.raises(UsageError, match="contradict"):
        source("connect-usage", path, tenant="t", tenants=TENANTS)


@pytest.mark.parametrize(
    ("name", "meter"),
    [
        ("SMS Outbound.csv", "connect_sms"),
        ("2026-11-04_sms-outbound.csv.gz", "connect_sms"),
        ("sms_outbound_2026-10_(1).CSV", "connect_sms"),
        ("automated_interactions.csv", "connect_interaction"),
        ("RCS.csv", "connect_rcs"),
        ("Voice Outbound.csv", "connect_dialled"),
        ("Voice.csv", "connect_voice"),
        ("Voicemail.csv", None),
        ("Email.csv", None),
        ("10DLC.csv", None),
        ("Summary.csv", None),
    ],
)
def test_the_name_of_a_file_says_its_channel(tmp_path: Path, name: str, meter: str | None) -> None:
    import gzip  # noqa: PLC0415

    path = columns(tmp_path / name, row("org-a", 3))
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(path.read_bytes()))
    meters = {"RCS": "connect_rcs", "voice outbound": "connect_dialled", "email": ""}
    it = source("connect-usage", path, meters=meters)
    assert read(it)["meter"].to_list() == ([meter] if meter else [])
    known = name in ("Email.csv", "10DLC.csv")
    said = "connect_channel_unbilled" if known else "connect_channel_unknown"
    assert remarks(it) == ({} if meter or name == "Summary.csv" else {said: 1})
    told = source("connect-usage", path, channel="WhatsApp")
    assert read(told)["meter"].to_list() == ["connect_whatsapp"]


@pytest.mark.parametrize(
    ("header", "said", "error", "words"),
    [
        (
            ["cpass_orgid", "usage_start_time", "Parts"],
            {},
            "UndecidedColumn",
            ["'Parts'", "counts = "],
        ),
        (
            ["cpass_orgid", "usage_start_time", "Count", "Total"],
            {},
            "UndecidedColumn",
            ["'Total'", "counts = "],
        ),
        (
            ["cpass_orgid", "usage_start_time", "Parts"],
            {"counts": {"SMS": "Part"}},
            "UnknownColumn",
            ["'Part'", "did you mean 'Parts'?"],
        ),
        (["cpass_orgid", "usage_start", "Count"], {}, "MissingColumn", ["'usage_start_time'"]),
        (["Client ID", "usage_start_time", "Count"], {}, "MissingColumn", ["'cpass_orgid'"]),
        (["Client ID", "Client ID", "Count"], {}, "RepeatedColumn", ["'Client ID'"]),
    ],
)
def test_a_channel_that_would_be_a_guess(
    tmp_path: Path, header: list[str], said: dict[str, Any], error: str, words: list[str]
) -> None:
    cells: list[object] = ["x", "2026-10-01T00:00:00Z", 1, 2][: len(header)]
    csv_path = columns(tmp_path / "SMS.csv", cells, header=header)
    xlsx_path = save_workbook(tmp_path / "x.xlsx", {"SMS": [header, cells]})
    for path in (csv_path, xlsx_path):
        with pytest.raises(ExportError) as refused:
            read(source("connect-usage", path, **said))
        assert refused.value.name == error
        assert all(word in str(refused.value) for word in words), str(refused.value)
        assert refused.value.remedy and path.name in refused.value.where


def test_the_count_that_is_said(tmp_path: Path) -> None:
    header = ["cpass_orgid", "usage_start_time", "Count", "Total", "Parts"]
    path = columns(tmp_path / "SMS.csv", ["o", "2026-10-01T00:00Z", 1, 2, 3], header=header)
    it = source("connect-usage", path, counts={"sms": "Parts"})
    assert read(it)["quantity"].to_list() == [Decimal(3)]


def test_a_later_export_has_the_same_events(tmp_path: Path) -> None:
    """Whatever it counts by now, wherever the row stands, and as a workbook or as CSV."""
    rows = [row("org-a", 3), row("org-a", 4, day=2), row("org-a", 5, service="Offers")]
    first = read(source("connect-usage", book(tmp_path, SMS_Outbound=rows)))
    later = [[*one[:3], "Acme Inc", *one[4:-1], 9] for one in reversed(rows)]
    path = columns(tmp_path / "2026-11-04 sms-outbound.csv", *later)
    second = read(source("connect-usage", path))
    assert first["event_id"].n_unique() == 3
    assert sorted(first["event_id"]) == sorted(second["event_id"])


def test_rows_about_the_same_are_numbered(tmp_path: Path) -> None:
    names = ["x", "x|2", "x|", "x\\", "", "x", "x", "x|2"]
    path = columns(
        tmp_path / "sms.csv", *(row("o", n, service=name) for n, name in enumerate(names))
    )
    events = read(source("connect-usage", path))["event_id"].to_list()
    assert len(set(events)) == len(names)
    assert [event.rpartition("|")[2] for event in (events[5], events[6], events[7])] == [
        "2",
        "3",
        "2",
    ]
    country = [*HEADER, "Country"]
    rows = [[*row("o", 1), land] for land in ("FR", "DE")]
    turned = columns(tmp_path / "sms 2.csv", *rows, header=country)
    told = source("connect-usage", turned, dimensions=["Country"])
    assert {event[-2:] for event in read(told)["event_id"]} == {"FR", "DE"}


TEXT = st.text(st.sampled_from("a|\\2/"), max_size=3)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(TEXT, TEXT), max_size=30))
def test_no_two_rows_share_an_event(tmp_path: Path, pairs: list[tuple[str, str]]) -> None:
    header = ["cpass_orgid", "Group Name", "Service Name", "usage_start_time", "Count"]
    rows: list[list[object]] = [["o", *pair, "2026-10-01T00:00Z", 1] for pair in pairs]
    path = columns(tmp_path / "sms.csv", *rows, header=header)
    frame = read(source("connect-usage", path))
    assert frame["event_id"].n_unique() == frame.height == len(pairs)
    seen: Counter[tuple[str, str]] = Counter()
    for pair, event in zip(pairs, frame["event_id"], strict=True):
        seen[pair] += 1
        assert event.count("|") - event.count("\\|") >= (3 + (seen[pair] > 1)) - pair[1].count("\\")


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=9), max_size=9))
def test_repeats_are_counted_across_blocks(blocks: list[list[int]]) -> None:
    repeats, seen = Repeats(), Counter[int]()
    for block in blocks:
        got = repeats.numbered(pl.Series([str(one) for one in block])).to_list()
        for one, times in zip(block, got, strict=True):
            assert times == seen[one]
            seen[one] += 1


@pytest.mark.parametrize(
    ("name", "provisional"),
    [
        ("connect-usage-2026-11-04.xlsx", 0),
        ("connect-usage-2026-11-03.xlsx", 2),
        ("2026-10-15 connect.xlsx", 2),
        ("2026-10-03 connect.xlsx", 2),
        ("connect-usage-2026-12-01.xlsx", 0),
        ("connect-usage-2026-02-30.xlsx", 0),
        ("connect-usage-12026-10-03.xlsx", 0),
        ("connect-usage.xlsx", 0),
    ],
)
def test_counts_that_are_not_final(tmp_path: Path, name: str, provisional: int) -> None:
    it = source("connect-usage", book(tmp_path, name, SMS=[row("o", 1), row("o", 1, day=30)]))
    assert remarks(it) == ({"connect_provisional": provisional} if provisional else {})


def test_a_row_without_a_start_or_of_the_wrong_shape(tmp_path: Path) -> None:
    path = columns(tmp_path / "sms.csv", [*row("o", 1)[:7], "", "", 1], row("o", 1)[:4])
    frame = read(source("connect-usage", path, tenant="t"))
    assert frame["defects"].to_list() == ["event_id_missing;started_at_missing", "row_shape"]
    assert frame["event_id"].null_count() == 2


def test_dimensions_hold_no_count_and_no_contract() -> None:
    assert not {"subscription_id", "subscription_type", "usage_end_time", "Count"} & set(DIMENSIONS)


@pytest.fixture
def billed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Feeds of two tenants without subscriptions, which come from a table; and prices for SMS."""
    monkeypatch.chdir(tmp_path)
    feeds = good("a", "b")
    feeds["rates"].append(
        {"subscription_id": "*", "meter": "connect_sms", "charge": "per_unit"}
        | {"unit_price": "0.05", "currency": "USD"}
    )
    contracts = feeds.pop("subscriptions")
    save(feeds, tmp_path / "feeds")
    header = [f"{name}!" for name in contracts[0]]
    columns(tmp_path / "contracts.csv", *([*one.values()] for one in contracts), header=header)
    mapped = ", ".join(f'{name} = "{name}!"' for name in contracts[0])
    Path("tenantbill.toml").write_text(
        '[[source]]\nkind = "csv"\npath = "contracts.csv"\nfeed = "subscriptions"\n'
        f"columns = {{ {mapped} }}\n"
        '[[source]]\nkind = "connect-usage"\npath = "connect"\n'
        'tenants = { org-a = "a", org-b = "b" }\n'
    )
    Path("connect").mkdir()
    return tmp_path


def test_from_the_exports_to_the_invoice(billed: Path) -> None:
    """Connect usage is on the primary subscription (R3.3); finals replace (R11.1)."""
    rows = [row("org-a", 100), row("org-a", 11), row("org-b", 7), row("org-x", 1)]
    book(billed / "connect", "connect-2026-11-01.xlsx", SMS_Outbound=rows, Logs=[row("org-a", 1)])
    bill(billed / "feeds", billed / "store", PERIOD)
    split = {
        (one["tenant_id"], one["subscription_id"]): Decimal(one["quantity"])
        for one in shown("usage_split", PERIOD, billed / "store")
        if one["meter"] == "connect_sms"
    }
    assert split == {("a", "a-S"): 111, ("b", "b-S"): 7}
    refused = shown("quarantine", PERIOD, billed / "store")
    assert [(one["row"], one["rules"]) for one in refused] == [("5", "tenant_id_missing")]
    codes = {one["code"] for one in shown("findings", PERIOD, billed / "store")}
    assert {"channel_unbilled", "provisional_usage", "quarantined"} <= codes
    assert "PLATFORM-9" not in str(shown("invoice_lines", PERIOD, billed / "store"))

    final = [row("org-b", 8), row("org-a", 101), row("org-a", 12)]
    book(billed / "connect", "connect-2026-11-04.xlsx", SMS_Outbound=final)
    bill(billed / "feeds", billed / "store", PERIOD)
    lines = [
        (one["subscription_id"], Decimal(one["quantity"]), one["amount"])
        for one in shown("invoice_lines", PERIOD, billed / "store")
        if one["meter"] == "connect_sms"
    ]
    assert lines == [("a-S", Decimal(113), "5.65"), ("b-S", Decimal(8), "0.4")]
    found = shown("findings", PERIOD, billed / "store")
    assert sum(one["code"] == "superseded" for one in found) == 2


def test_a_workbook_that_cannot_be_read_ends_the_run_in_words(billed: Path) -> None:
    (billed / "connect" / "connect.xlsx").write_bytes(b"\xd0\xcf\x11\xe0 old")
    result = tenantbill("run", PERIOD, "--feeds", billed / "feeds", "--store", billed / "store")
    assert result.exit_code == 1 and "DamagedWorkbook" in result.stderr, result.stderr
    assert "without a password" in result.stderr
