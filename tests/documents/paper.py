"""Pages as readers that are not ours see them: an HTML parser, a browser, poppler."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from html.parser import HTMLParser
from pathlib import Path

import pytest

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--hide-scrollbars",
)
WITHOUT_TEXT = ("style", "script")

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
in_browser = pytest.mark.skipif(BROWSER is None, reason="there is no chromium here")
with_poppler = pytest.mark.skipif(
    shutil.which("pdftotext") is None, reason="there is no pdftotext (poppler-utils) here"
)


class Page(HTMLParser):
    """A page taken apart: its text, and every element with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not self._open or self._open[-1] not in WITHOUT_TEXT:
            self.texts.append(data)

    @property
    def text(self) -> str:
        """All that is read on it, with single spaces."""
        return " ".join(" ".join(self.texts).split())

    def of_class(self, name: str) -> list[dict[str, str | None]]:
        """The attributes of the elements of a class."""
        return [at for _, at in self.elements if name in (at.get("class") or "").split()]


def page(file: Path) -> Page:
    """A page that was written."""
    return Page(file.read_text(encoding="utf-8"))


def assert_complete(file: Path) -> None:
    """A page needs nothing but itself, and runs nothing."""
    text = file.read_text(encoding="utf-8")
    made = Page(text)
    names = {name for name, _ in made.elements}
    assert names.isdisjoint({"script", "link", "iframe", "object", "embed", "img", "form", "base"})
    attributes = {key for _, all_of in made.elements for key in all_of}
    assert not any(key.startswith("on") for key in attributes), attributes
    assert attributes.isdisjoint({"src", "href", "xlink:href", "action", "srcset", "data"})
    style = text.split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style


def in_dom(file: Path) -> Page:
    """The page after a browser has opened it."""
    assert BROWSER is not None
    with tempfile.TemporaryDirectory() as profile:
        shown = _browse(profile, "--dump-dom", file)
    return Page(shown.decode())


def picture(file: Path, into: Path) -> bytes:
    """What a browser paints of a page."""
    with tempfile.TemporaryDirectory() as profile:
        _browse(profile, f"--screenshot={into}", file)
    return into.read_bytes()


def _browse(profile: str, what: str, file: Path) -> bytes:
    words = [str(BROWSER), *FLAGS, f"--user-data-dir={profile}", "--window-size=1000,1500", what]
    done = subprocess.run([*words, file.as_uri()], capture_output=True, timeout=120, check=True)
    return done.stdout


def pdf_text(file: Path) -> str:
    """The text of a PDF, as poppler reads it."""
    words = ["pdftotext", "-layout", str(file), "-"]
    done = subprocess.run(words, capture_output=True, check=True)
    return " ".join(done.stdout.decode().split())
