"""Names for code: what decides a result must be in its name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pipeline
from pipeline.fingerprint import READING

ROOT = Path(pipeline.__file__).parent.parent

DECIDES_NO_ROW = (
    "pipeline/errors.py",
    "pipeline/extras.py",
    "pipeline/findings.py",
    "pipeline/fingerprint.py",
    "pipeline/remote",
    "pipeline/store/files.py",
    "schemas/datasets.py",
)
"""What reading takes along that changes no row: where files lie, and what is told of them."""

LOADED = """
import sys
from importlib import import_module
from pathlib import Path
for room in map(Path, ("pipeline/exports", "pipeline/sources")):
    for file in sorted(room.rglob("*.py")):
        import_module(".".join(file.with_suffix("").parts))
import pipeline.store.landing
for module in list(sys.modules.values()):
    if module.__name__.split(".")[0] in ("pipeline", "schemas"):
        print(Path(module.__file__).relative_to(Path.cwd()).as_posix())
"""


def test_all_code_that_lands_exports_makes_them_be_read_anew() -> None:
    words = [sys.executable, "-c", LOADED]
    loaded = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    modules = {file for file in loaded.split() if not file.endswith("__init__.py")}
    assert "pipeline/store/landing.py" in modules
    known = (*READING, *DECIDES_NO_ROW)
    missing = [file for file in modules if not file.startswith(known)]
    assert not missing


def test_what_is_named_is_there() -> None:
    assert all((ROOT / place).exists() for place in (*READING, *DECIDES_NO_ROW))
