"""Addresses: what they are on this machine, and what is refused without being repeated."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from pipeline.errors import BillingError, StoreDamaged, UsageError
from pipeline.remote.faults import without_secrets
from pipeline.remote.place import CACHE, Mirrored, mirrored, name_of, place_of
from tests.support import tenantbill


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CACHE, str(tmp_path / "here"))
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    return tmp_path / "here"


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("s3://books/bills", "s3@/books/bills"),
        ("s3://books/bills/", "s3@/books/bills"),
        ("s3://books", "s3@/books"),
        ("gs://books/a/b=1/c.csv", "gs@/books/a/b=1/c.csv"),
        ("az://books/été 1", "az@/books/été 1"),
    ],
)
def test_an_address_has_one_path_here_and_the_path_one_address(
    here: Path, address: str, path: str
) -> None:
    place = mirrored(address)
    assert place == here / path
    assert place.address == address.rstrip("/")
    assert name_of(place / "x.json") == f"{address.rstrip('/')}/x.json"
    assert (place / "results" / "runs").parent.parent == place


def test_stores_of_one_name_at_several_services_are_apart(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://me:secret@store.example:9000/")
    place = mirrored("s3://books/bills")
    assert place == here / "s3@store.example:9000" / "books" / "bills"
    assert place.address == "s3://books/bills"


def test_a_path_travels_as_its_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    travelling = pickle.dumps(mirrored("s3://books/bills") / "landed")
    assert b"here" not in travelling
    monkeypatch.setenv(CACHE, str(tmp_path / "there"))
    arrived = pickle.loads(travelling)
    assert isinstance(arrived, Mirrored)
    assert arrived == tmp_path / "there" / "s3@" / "books" / "bills" / "landed"


def test_what_has_no_address_is_a_path() -> None:
    place = place_of("bills/2026")
    assert type(place) is type(Path())
    assert name_of(place) == "bills/2026"


def test_errors_name_the_address() -> None:
    error = StoreDamaged("it is gone", where=mirrored("s3://books/bills/a.json"), remedy="restore")
    assert error.where == "s3://books/bills/a.json"
    assert isinstance(pickle.loads(pickle.dumps(error)), BillingError)


@pytest.mark.parametrize(
    "address",
    [
        "s3://key:secret@books/bills",
        "s3://secret@books/bills",
        "https://key:secret@store.example/books",
        "s3://books/bills?X-Amz-Signature=secret",
        "s3://books/bills#secret",
        "s4secret@s3://books",
        "s3://books/../secret",
        "s3://books//secret",
        "s3:///secret",
        "s3://",
    ],
)
@pytest.mark.parametrize("option", ["--store", "--feeds"])
def test_an_address_that_is_none_is_refused_and_not_repeated(address: str, option: str) -> None:
    with pytest.raises(UsageError) as raised:
        place_of(address)
    assert "secret" not in str(raised.value)
    result = tenantbill("run", "2026-10", option, address)
    assert result.exit_code == 2
    assert "secret" not in result.output
    assert "[UsageError]" in result.stderr


def test_a_slip_in_the_kind_of_address_is_seen() -> None:
    with pytest.raises(UsageError, match=r"did you mean 's3://'"):
        place_of("s4://books/bills")


def test_nothing_secret_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "abc/def")
    monkeypatch.setenv("AZURE_STORAGE_SAS_TOKEN", "sv=1&sig=2")
    said = "\x1b[31m↳\x1b[0m GET https://me:pw@host/x?sv=1&sig=2 failed: abc/def\n<?xml abc"
    assert without_secrets(said) == "GET https://***@host/x?*** failed: ***"
