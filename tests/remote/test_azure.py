"""Exports and a store in Azure's blobs, whose service is played by its makers' emulator.

The protocol is another one: names, credentials, tags and errors differ from those of S3.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from pipeline.remote.faults import ChangedMeanwhile
from pipeline.remote.objects import below, content, create, is_kept, probe, replace, tagged
from pipeline.remote.place import CACHE, mirrored
from pipeline.store.lease import Lease
from tests.good_feeds import PERIOD, good, save
from tests.remote.service import answered, free_port
from tests.support import bill, shown, tenantbill

EMULATOR = "azurite-blob"

pytest.importorskip("obstore", reason="object stores need the extra objects")
pytestmark = pytest.mark.skipif(
    shutil.which(EMULATOR) is None, reason="needs Azurite on the PATH: npm install -g azurite"
)

ACCOUNT = "devstoreaccount1"
KEY = base64.b64encode(
    b"known to everybody who reads this, and to nobody's blobs elsewhere"
).decode()


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the emulator answers; it has one container, `books`."""
    port, folder = free_port(), tmp_path_factory.mktemp("azure")
    words = [EMULATOR, "--blobPort", str(port), "--location", str(folder), "--silent"]
    emulator = subprocess.Popen(
        [*words, "--skipApiVersionCheck", "--disableTelemetry"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"AZURITE_ACCOUNTS": f"{ACCOUNT}:{KEY}"},
    )
    try:
        address = f"http://127.0.0.1:{port}/{ACCOUNT}"
        answered(lambda: urlopen(_new_container(address, "books")).close())
        yield address
    finally:
        emulator.kill()
        emulator.wait()


def _new_container(address: str, name: str) -> Request:
    """A request, signed as the service wants it, that makes a container."""
    said = {
        "x-ms-date": f"{datetime.now(UTC):%a, %d %b %Y %H:%M:%S GMT}",
        "x-ms-version": "2021-08-06",
    }
    headers = "".join(f"{name}:{value}\n" for name, value in said.items())
    to_sign = f"PUT{chr(10) * 12}{headers}/{ACCOUNT}/{ACCOUNT}/{name}\nrestype:container"
    digest = hmac.new(base64.b64decode(KEY), to_sign.encode(), hashlib.sha256).digest()
    signature = base64.b64encode(digest).decode()
    said |= {"Authorization": f"SharedKey {ACCOUNT}:{signature}", "Content-Length": "0"}
    return Request(f"{address}/{name}?restype=container", method="PUT", headers=said)


@pytest.fixture
def books(endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An address of one's own in the container."""
    said = {
        "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
        "AZURE_STORAGE_ACCOUNT_KEY": KEY,
        "AZURE_STORAGE_ENDPOINT": endpoint,
        "AZURE_ALLOW_HTTP": "true",
        CACHE: str(tmp_path / "here"),
    }
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    return f"az://books/{tmp_path.name}"


def test_a_month_is_billed_closed_and_seen_from_elsewhere(
    books: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save(good("acme", "bolt"), tmp_path / "feeds")
    for path in folder.iterdir():
        create(mirrored(f"{books}/feeds/{path.name}"), path.read_bytes())
    feeds, store = f"{books}/feeds", f"{books}/store"
    here = tmp_path / "store"
    for at, place in ((folder, here), (feeds, store)):
        bill(at, place, PERIOD)
        assert tenantbill("close", PERIOD, "--store", place).exit_code == 0
    monkeypatch.setenv(CACHE, str(tmp_path / "elsewhere"))
    for name in ("invoices", "invoice_lines", "usage_split"):
        without_when = [
            [{**row, "issued_at": ""} for row in shown(name, PERIOD, one)] for one in (here, store)
        ]
        assert without_when[0] == without_when[1]
        assert without_when[0]
    again = tenantbill("run", PERIOD, "--feeds", feeds, "--store", store)
    assert "nothing has changed" in again.output
    checks = tenantbill("doctor", PERIOD, "--feeds", feeds, "--store", store)
    assert f"{store}: it can be written to" in checks.stdout


def test_an_object_is_written_only_by_who_knows_it_as_it_is(books: str) -> None:
    place = mirrored(f"{books}/a")
    first = create(place, b"1")
    with pytest.raises(ChangedMeanwhile):
        create(place, b"2")
    second = replace(place, b"2", first)
    with pytest.raises(ChangedMeanwhile):
        replace(place, b"3", first)
    assert tagged(place) == (b"2", second)
    assert [one.path for one in below(place.parent)] == [place]
    assert is_kept(place)
    assert not is_kept(place.parent / "b")
    with pytest.raises(FileNotFoundError):
        content(place.parent / "b")
    probe(place.parent)
    assert [one.path for one in below(place.parent)] == [place]


def test_of_two_that_want_the_lease_one_has_it(books: str) -> None:
    one, two = Lease(mirrored(f"{books}/.lock"), "one"), Lease(mirrored(f"{books}/.lock"), "two")
    assert one.take() is None
    assert two.take() == "one"
    with one.kept():
        pass
    assert two.take() is None


def test_what_cannot_be_used_is_named_and_no_secret_told(
    books: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = tenantbill("run", PERIOD, "--feeds", books, "--store", "az://no-such-container/x")
    assert "there is no such bucket" in result.stderr
    other = base64.b64encode(b"another key").decode()
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", other)
    result = tenantbill("status", "--store", f"{books}/store")
    assert "the credentials do not allow this" in result.stderr
    assert "AZURE_STORAGE_ACCOUNT_KEY" in result.stderr
    assert other not in result.output
    monkeypatch.delenv("AZURE_ALLOW_HTTP")
    result = tenantbill("status", "--store", f"{books}/other")
    assert "AZURE_ALLOW_HTTP=true" in result.stderr
