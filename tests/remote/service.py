"""An object store on this machine, and a line to it that can be cut; with what lies in it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from pipeline.extras import needed

KEY_ID, SECRET = "AKIDOFNOBODY00000001", "a-secret-that-nobody-may-read"

BUCKET = "books"


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def environment(port: int) -> dict[str, str]:
    """What says where the object store is, and who we are to it."""
    return {
        "AWS_ACCESS_KEY_ID": KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
    }


def answered(ask: Callable[[], None]) -> None:
    """Ask a server that has just been started until it answers."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return ask()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@contextmanager
def object_store() -> Iterator[int]:
    """The port of an object store with one bucket."""
    port = free_port()
    words = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        made = Request(f"http://127.0.0.1:{port}/{BUCKET}", method="PUT")
        answered(lambda: urlopen(made).close())
        yield port
    finally:
        server.kill()
        server.wait()


def bucket() -> Any:
    """The bucket, by the library alone."""
    opened = needed("obstore.store", "objects").from_url
    return opened(f"s3://{BUCKET}", client_options={"allow_http": True})


def put(name: str, content: bytes) -> None:
    bucket().put(name, content)


def mark_folder(port: int, name: str) -> None:
    """Put an empty object where a folder is to be seen, as consoles do."""
    urlopen(Request(f"http://127.0.0.1:{port}/{BUCKET}/{name}", b"", method="PUT")).close()


def upload(folder: Path, prefix: str) -> str:
    """Have the files of a folder in the bucket, and give their address."""
    for path in folder.rglob("*"):
        if path.is_file():
            put(f"{prefix}/{path.relative_to(folder).as_posix()}", path.read_bytes())
    return f"s3://{BUCKET}/{prefix}"


def objects(prefix: str) -> dict[str, str]:
    """The names below a prefix and their tags, but for the lease."""
    found = (one for page in bucket().list(prefix) for one in page)
    return {one["path"]: one["e_tag"] for one in found if not one["path"].endswith(".lock")}


def contents(prefix: str) -> Iterator[bytes]:
    """What every object below a prefix holds, and its name."""
    for page in bucket().list(prefix):
        for one in page:
            yield one["path"].encode() + bytes(bucket().get(one["path"]).bytes())


@dataclass
class Line:
    """A line to the object store that is cut at the first write of something so named.

    From then on no write arrives; or where `answers` is set, that one alone is done, and its answer
    is cut off.
    """

    to: int
    at: str
    answers: bool = False
    is_down: bool = False
    port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._listening = socket.create_server(("127.0.0.1", self.port), backlog=64)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                caller, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(caller,), daemon=True).start()

    def _carry(self, caller: socket.socket) -> None:
        """Carry one connection; a request begins with a piece, since the caller awaits answers."""
        called = socket.create_connection(("127.0.0.1", self.to))
        state = {"is_cut": False}

        def back() -> None:
            try:
                while piece := called.recv(1 << 16):
                    if state["is_cut"]:
                        break
                    caller.sendall(piece)
            except OSError:
                pass
            _end(caller, called)

        threading.Thread(target=back, daemon=True).start()
        try:
            while piece := caller.recv(1 << 16):
                if piece.startswith(b"PUT ") and self._is_cut(piece):
                    state["is_cut"] = True
                    if not self.answers:
                        break
                called.sendall(piece)
        except OSError:
            pass
        if not (state["is_cut"] and self.answers):
            _end(caller, called)

    def _is_cut(self, request: bytes) -> bool:
        with self._lock:
            is_here = self.at.encode() in request.partition(b"\r\n")[0]
            was_down, self.is_down = self.is_down, self.is_down or is_here
            return is_here and not was_down if self.answers else self.is_down


def _end(*ends: socket.socket) -> None:
    for one in ends:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()


def machine(folder: Path, port: int) -> dict[str, str]:
    """The environment of a machine that has nothing here yet."""
    return {**os.environ, **environment(port), "TENANTBILL_CACHE": str(folder)}
