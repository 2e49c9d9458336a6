"""Exports and a store in an object store: the same results, whole states, one winner, no secrets.

A real server of the protocol answers; commands run as they do with folders. Machines are told apart
by their folders for what is here: nothing but the bucket is shared.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import UsageError
from pipeline.exports import find_exports
from pipeline.remote.place import CACHE, mirrored
from pipeline.sources import Source, SourceError
from pipeline.store import delta
from pipeline.store.lease import Lease
from schemas.feeds import USAGE
from tests.good_feeds import PERIOD, good, save
from tests.remote.service import (
    KEY_ID,
    SECRET,
    Line,
    contents,
    environment,
    free_port,
    machine,
    mark_folder,
    object_store,
    objects,
    put,
    upload,
)
from tests.support import Row, bill, tenantbill
from tests.test_killed import state

pytest.importorskip("obstore", reason="object stores need the extra objects")
pytest.importorskip("moto.server", reason="nothing here answers as an object store does")

PROGRAM = """
import os, signal, sys
from pipeline.cli import main
from pipeline.store import files, lease
stop_before, seconds = sys.argv.pop(1), float(sys.argv.pop(1))
lease.LASTS_SECONDS = seconds
def watch(path):
    if stop_before and stop_before in str(path):
        files.watchers.clear()
        os.kill(os.getpid(), signal.SIGSTOP)
files.watchers.append(watch)
main()
"""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with object_store() as port:
        yield port


@dataclass
class Books:
    """A place in the bucket for exports and for a store, and the folders of machines."""

    folder: Path
    port: int
    patch: pytest.MonkeyPatch

    @property
    def feeds(self) -> str:
        return f"s3://books/{self.folder.name}/feeds"

    @property
    def store(self) -> Any:
        return f"s3://books/{self.folder.name}/store"

    @property
    def kept(self) -> dict[str, str]:
        return objects(f"{self.folder.name}/store")

    def on(self, name: str) -> None:
        """Go on at another machine."""
        self.patch.setenv(CACHE, str(self.folder / name))

    @contextmanager
    def through(self, line: Line) -> Iterator[Line]:
        """Reach the object store by a line, for a while."""
        with self.patch.context() as patch:
            patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{line.port}")
            yield line
        line.close()

    def export(self, price: str = "10") -> Path:
        """Two tenants' exports, in the bucket and in a folder; at another price with more usage."""
        rows = good("acme", "bolt")
        if price != "10":
            rows["rates"][0]["unit_price"] = price
            later = {"event_id": "e2", "started_at": "2026-10-05T09:30:00Z"}
            rows["usage"].append({**rows["usage"][0], **later})
        folder = save(rows, self.folder / f"in-{price}")
        upload(folder, f"{self.folder.name}/feeds")
        return folder

    def start(
        self, words: list[str], name: str, stop_before: str = "", lease: float = 60
    ) -> subprocess.Popen[str]:
        """Start a command on a machine; it stops itself before a write, where that is said."""
        return subprocess.Popen(
            [sys.executable, "-c", PROGRAM, stop_before, str(lease), *words, "--store", self.store],
            env=machine(self.folder / name, self.port),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def books(tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> Books:
    for name, value in environment(port).items():
        monkeypatch.setenv(name, value)
    books = Books(tmp_path, port, monkeypatch)
    books.on("here")
    return books


def seen(store: object) -> list[list[Row]]:
    """What is billed, drafts and documents, without when."""
    words = [
        ("show", dataset, period, "--store", store, "--format", "json")
        for period in (PERIOD, "2026-11")
        for dataset in ("invoices", "invoice_lines")
    ]
    shown = [tenantbill(*one) for one in words]
    found = [json.loads(one.stdout) if one.exit_code == 0 else [] for one in shown]
    return [[{**row, "issued_at": ""} for row in rows] for rows in found]


def done(*words: object) -> str:
    result = tenantbill(*words)
    assert result.exit_code == 0, result.output
    return result.stdout


def await_stopped(process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while Path(f"/proc/{process.pid}/stat").read_text().rpartition(") ")[2][0] != "T":
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def told(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, words = process.communicate(timeout=120)
    return process.returncode, words


def test_a_run_comes_to_what_it_comes_to_in_folders(books: Books) -> None:
    local = books.folder / "local"
    bill(books.export(), local, PERIOD)
    bill(books.feeds, books.store, PERIOD)
    assert state(books.store) == state(local)
    before = books.kept
    done("run", PERIOD, "--feeds", books.feeds, "--store", books.store)
    assert books.kept == before, "a run in which nothing changed writes nothing"
    books.on("elsewhere")
    assert state(books.store) == state(local), "another machine sees the same"
    assert PERIOD in done("status", "--store", books.store)
    done("run", PERIOD, "--feeds", books.feeds, "--store", books.store)
    assert books.kept == before, "and has nothing to do"
    assert not list(books.folder.glob("*/s3@*/books/*/feeds")), "no copy of an export stays"


def test_closing_and_correcting_come_to_the_same(books: Books) -> None:
    local, plan = books.folder / "local", books.folder / "plan.json"
    for store, feeds in ((local, books.export()), (books.store, books.feeds)):
        bill(feeds, store, PERIOD)
        done("close", PERIOD, "--store", store)
    dearer = books.export("12.5")
    for store, feeds in ((local, dearer), (books.store, books.feeds)):
        done("plan", "--feeds", feeds, "--store", store, "--output", plan, "--allow-shrink")
        books.on("elsewhere")
        done("apply", plan, "--store", store, "--reason", "a price")
    assert json.loads(plan.read_text())["feeds"] == books.feeds
    found = seen(books.store)
    assert found == seen(local)
    assert [bool(rows) for rows in found] == [True, True, True, True]


def doing(books: Books, command: str) -> tuple[list[str], list[list[Row]]]:
    """A store in which a command has something to do, its words, and what it would come to."""
    bill(books.export(), books.folder / "alone", PERIOD)
    bill(books.feeds, books.store, PERIOD)
    words = {"run": ["run", PERIOD, "--feeds", books.feeds], "close": ["close", PERIOD]}[command]
    feeds = books.export("12.5") if command == "run" else None
    alone = ["--feeds", feeds] if feeds else []
    done(command, PERIOD, *alone, "--store", books.folder / "alone")
    return words, seen(books.folder / "alone")


@pytest.mark.parametrize(
    ("command", "stop_before", "error"),
    [
        ("run", "results/invoices", "PublishedMeanwhile"),
        ("run", "results/runs", "PublishedMeanwhile"),
        ("close", "results/ledger", "IssuedMeanwhile"),
    ],
)
def test_of_two_at_once_one_wins_and_the_other_is_told(
    books: Books, command: str, stop_before: str, error: str
) -> None:
    words, wanted = doing(books, command)
    slow = books.start(words, "slow", stop_before, lease=1)
    await_stopped(slow)
    code, said = told(books.start([*words, "--wait", "30"], "quick"))
    assert code == 0, said
    published = seen(books.store)
    kept = books.kept
    slow.send_signal(signal.SIGCONT)
    code, said = told(slow)
    assert code == 75, said
    assert f"[{error}]" in said
    assert seen(books.store) == published == wanted
    assert kept.items() <= books.kept.items(), "nothing that was published is another"
    code, said = told(books.start(words, "slow"))
    assert code == 0, said
    assert seen(books.store) == wanted


def test_who_holds_the_store_is_named(books: Books) -> None:
    words, wanted = doing(books, "run")
    holder = books.start(words, "slow", "results/runs")
    await_stopped(holder)
    code, said = told(books.start(words, "quick"))
    assert code == 75
    assert f"process {holder.pid} on" in said
    assert f"{books.store}: another run is using this store" in said
    waiting = books.start([*words, "--wait", "60"], "quick")
    holder.send_signal(signal.SIGCONT)
    assert told(holder)[0] == 0
    assert told(waiting)[0] == 0, "it was let go of, not left to expire"
    assert seen(books.store) == wanted


def test_a_lease_that_is_over_is_taken_by_one(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = mirrored(books.store) / ".lock"
    monkeypatch.setattr("pipeline.store.lease.LASTS_SECONDS", 0.2)
    assert Lease(place, "one").take() is None
    assert Lease(place, "two").take() == "one"
    time.sleep(0.3)
    monkeypatch.setattr("pipeline.store.lease.LASTS_SECONDS", 60.0)
    two, three = Lease(place, "two"), Lease(place, "three")
    assert two.take() is None
    assert three.take() == "two"
    with two.kept():
        pass
    assert three.take() is None


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lease that is soon over, and little patience with a line that is cut."""
    monkeypatch.setattr("pipeline.store.lease.LASTS_SECONDS", 3)
    monkeypatch.setattr("pipeline.remote.objects.MOST_TRIES", 1)
    monkeypatch.setitem(delta.PATIENCE, "max_retries", "1")


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("at", [".lock", "manifest.json", "work/", "results/runs"])
def test_a_line_that_is_cut_publishes_nothing_and_running_again_repairs(
    books: Books, at: str
) -> None:
    words, wanted = doing(books, "run")
    before = seen(books.store)
    with books.through(Line(books.port, at)) as line:
        result = tenantbill(*words, "--store", books.store)
    assert line.is_down, at
    assert result.exit_code == 1, result.output
    assert "[ObjectStoreFailed]" in result.stderr
    assert "s3://books" in result.stderr
    assert SECRET not in result.output
    assert KEY_ID not in result.output
    assert seen(books.store) == before
    assert tenantbill(*words, "--store", books.store, "--wait", 10).exit_code == 0
    assert seen(books.store) == wanted


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("at", [".lock", "listings/", "results/runs/_delta_log"])
def test_a_write_that_is_done_and_not_answered_is_done_once(books: Books, at: str) -> None:
    words, wanted = doing(books, "run")
    with books.through(Line(books.port, at, answers=True)) as line:
        result = tenantbill(*words, "--store", books.store)
    assert line.is_down, at
    assert result.exit_code in (0, 75), result.output
    assert tenantbill(*words, "--store", books.store, "--wait", 10).exit_code == 0
    assert seen(books.store) == wanted
    assert len(objects(f"{books.folder.name}/store/listings")) == 2


def test_what_cannot_be_used_is_named(books: Books) -> None:
    books.export()
    for words, named in (
        (("--feeds", books.feeds, "--store", "s3://no-such-bucket/x"), "there is no such bucket"),
        (("--feeds", "s3://books/nothing", "--store", books.store), "nothing at this address"),
    ):
        result = tenantbill("run", PERIOD, *words)
        assert result.exit_code == 1
        assert named in result.stderr
    put(f"{books.folder.name}/feeds/usage/readme.txt", b"")
    result = tenantbill("run", PERIOD, "--feeds", books.feeds, "--store", books.store)
    assert f"{books.feeds}/usage/readme.txt: readme.txt is not an export" in result.stderr
    books.patch.delenv("AWS_ALLOW_HTTP")
    result = tenantbill("status", "--store", books.store)
    assert "AWS_ALLOW_HTTP=true" in result.stderr


def test_the_doctor_looks_at_the_object_store(books: Books) -> None:
    """At its exports, whether it can be written to, and who on any machine is at work."""
    books.export()

    def examined() -> dict[str, tuple[str, str]]:
        words = ("--feeds", books.feeds, "--store", books.store, "--format", "json")
        rows = json.loads(tenantbill("doctor", PERIOD, *words).stdout)
        return {row["check"]: (row["severity"], row["what"]) for row in rows[::-1]}

    before = examined()
    assert before["store"] == ("ok", f"{books.store}: it can be written to")
    assert before["exports of usage"][0] == "ok"
    assert before["lock"] == ("ok", "nobody is using the store")
    assert not books.kept, "it leaves nothing behind"
    bill(books.feeds, books.store, PERIOD)
    there = mirrored(books.store) / ".lock"
    other = Lease(there, "process 7 on another-machine")
    assert other.take() is None
    severity, what = examined()["lock"]
    assert severity == "warning"
    assert "process 7 on another-machine" in what
    with other.kept():
        pass
    assert examined()["lock"][0] == "ok"
    assert examined()["exports of usage"] == before["exports of usage"]


def test_sources_lie_in_an_object_store_too(books: Books) -> None:
    """A file, and all below an address but for hidden ones: the same bills as from a folder."""
    folder = books.export()
    table = "".join(
        f'[[source]]\nkind = "csv"\npath = "PLACE/{path}"\nfeed = "{feed}"\n\n'
        for feed, path in (("usage", "usage.csv"), ("subscriptions", "subscriptions.csv"))
    )
    moved = books.folder / "moved"
    for name in ("rates.csv", "entitlements.csv"):
        (moved / name).parent.mkdir(exist_ok=True)
        (moved / name).write_bytes((folder / name).read_bytes())
    (folder / "more").mkdir()
    for name in ("usage.csv", "subscriptions.csv"):
        (folder / "more" / name).mkdir()
        (folder / name).rename(folder / "more" / name / "a.csv")
        (folder / "more" / name / ".b.csv").write_text("hidden")
    upload(folder / "more", f"{books.folder.name}/sources")
    stores: list[list[list[Row]]] = []
    for place in (str(folder / "more"), books.feeds.replace("/feeds", "/sources")):
        (books.folder / "tenantbill.toml").write_text(table.replace("PLACE", place))
        with books.patch.context() as patch:
            patch.chdir(books.folder)
            store = books.folder / f"store-{len(stores)}"
            bill(moved, store, PERIOD)
            stores.append(seen(store))
            (books.folder / "tenantbill.toml").unlink()
    assert stores[0] == stores[1]
    assert stores[0][0], "there are invoices"


@pytest.mark.parametrize("path", ["s3://books/none", "s3://books/a.txt", "s3://books/s.csv"])
def test_a_source_names_an_object_or_all_below_an_address(books: Books, path: str) -> None:
    options = {"feed": "usage"}
    source = Source.of("csv", path, options, "a test")
    put("a.txt", b"x")
    put("s.csv", b"x")
    if path.endswith("s.csv"):
        assert [one.name for one in source.exports()] == [path]
    else:
        with pytest.raises(SourceError) as raised:
            source.exports()
        assert raised.value.where == path


def test_a_source_at_an_address_with_a_secret_is_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError) as raised:
        Source.of("csv", "s3://me:secret@books/usage", {"feed": "usage"}, "tenantbill.toml")
    assert "secret" not in str(raised.value)
    assert raised.value.where == "tenantbill.toml"


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["usage.csv", "usage_old.csv", "other/usage.csv"], ["usage.csv"]),
        (["usage/b.csv", "usage/a/c.parquet", "usage.csv.gz"], [0, 1, 2]),
        (["usage/.hidden.csv", "usage/.part/a.csv", "usage/a.CSV"], ["usage/a.CSV"]),
        (["usage/", "usage/a/", "usage/a/b.csv"], ["usage/a/b.csv"]),
    ],
)
def test_exports_are_found_as_in_a_folder(books: Books, names: list[str], found: list[Any]) -> None:
    for name in names:
        if name.endswith("/"):
            mark_folder(books.port, f"{books.folder.name}/feeds/{name}")
        else:
            put(f"{books.folder.name}/feeds/{name}", b"x")
            path = books.folder / "folder" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")
    (books.folder / "folder").mkdir(exist_ok=True)
    away = [one.name for one in find_exports(mirrored(books.feeds), USAGE)]
    assert away == [one.name for one in find_exports(books.folder / "folder", USAGE)]
    assert away == [names[one] if isinstance(one, int) else one for one in found]


def test_workers_that_share_nothing_but_the_bucket_do_the_work(books: Books) -> None:
    distributed = pytest.importorskip("distributed", reason="clusters need the extra cluster")
    assert distributed.__name__
    local = books.folder / "local"
    bill(books.export(), local, PERIOD)
    address = f"tcp://127.0.0.1:{free_port()}"
    ended = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--no-dashboard"]
    processes = [subprocess.Popen([*dask, "--host", address], **ended)]  # type: ignore[call-overload]
    for name in ("one", "two"):
        words = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--no-nanny"]
        more = ["--nthreads", "1", "--no-dashboard", "--name", name]
        processes.append(
            subprocess.Popen(  # type: ignore[call-overload]
                [*words, *more],
                env=machine(books.folder / name, books.port),
                cwd=books.folder,
                **ended,
            )
        )
    try:
        words = ["run", PERIOD, "--feeds", books.feeds, "--store", books.store]
        deadline = time.monotonic() + 60
        while (
            "[SchedulerUnreachable]"
            in (result := tenantbill(*words, "--scheduler", address)).stderr
        ):
            assert time.monotonic() < deadline, result.stderr
            time.sleep(0.5)
        assert result.exit_code == 0, result.output
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert seen(books.store) == seen(local)
    here = books.folder / "here"
    workers = [books.folder / name for name in ("one", "two")]
    assert not list(here.rglob("kind.bin")), "rows of usage do not pass through this machine"
    assert any(list(one.rglob("kind.bin")) for one in workers)


def test_nothing_secret_is_written_anywhere(books: Books) -> None:
    books.export()
    plan = books.folder / "plan.json"
    told = [
        tenantbill(*words, "--store", books.store).output
        for words in (
            ("run", PERIOD, "--feeds", books.feeds, "--log-format", "json", "--summary", "-"),
            ("close", PERIOD),
            ("plan", PERIOD, "--feeds", books.feeds, "--output", plan),
            ("log",),
            ("status",),
        )
    ]
    here = [path.read_bytes() for path in books.folder.rglob("*") if path.is_file()]
    there = list(contents(books.folder.name))
    for secret in (KEY_ID, SECRET):
        assert secret not in "".join(told)
        assert not any(secret.encode() in content for content in (*here, *there))
