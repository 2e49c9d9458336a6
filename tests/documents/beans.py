"""What beancount's own programs say of a journal."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from pathlib import Path

from tests.support import Row

POSTINGS = (
    "SELECT date, flag, payee, narration, links, entry_meta('invoice_id') AS invoice_id, "
    "account, number, currency"
)


def faults(journal: Path) -> str:
    """What `bean-check` finds: nothing where it is content."""
    done = _run("bean-check", str(journal))
    assert bool(done.returncode) == bool(done.stderr), done
    return done.stderr


def postings(journal: Path) -> list[Row]:
    """Every posting with its transaction, as `bean-query` reads them."""
    done = _run("bean-query", "-f", "csv", str(journal), POSTINGS)
    assert done.returncode == 0, done.stderr
    return list(csv.DictReader(io.StringIO(done.stdout)))


def _run(program: str, *words: str) -> subprocess.CompletedProcess[str]:
    path = Path(sys.executable).with_name(program)
    return subprocess.run([path, *words], capture_output=True, text=True, check=False)
