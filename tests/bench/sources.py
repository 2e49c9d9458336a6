"""What it takes to read a million records of each kind of source, in a fresh process.

    python -m tests.bench.sources --rows 100000 1000000 --folder bench

Belongs here: measuring. Does not belong here: what is read (`sources_webex`, `sources_control`,
`sources_tables`), and billing it (`scenarios`).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pipeline.sources import Source
from tests.bench import sources_control, sources_tables, sources_webex
from tests.bench.made import Made
from tests.bench.take import Taken, python, take

FOLDER = Path(tempfile.gettempdir()) / "tenantbill-bench"


def main() -> None:
    """Make what is not there yet, read each file once, and print a table."""
    asked = _asked()
    if asked.read:
        print(read(asked.kinds[0], asked.read))
        return
    asked.folder.mkdir(parents=True, exist_ok=True)
    print("| kind | records | MB | seconds | CPU seconds | records/s | peak MiB |")
    print("|---|---|---|---|---|---|---|")
    for kind in asked.kinds:
        for records in sorted(asked.rows):
            path = made(asked.folder, kind, records)
            taken = take(python("tests.bench.sources", "--kinds", kind, "--read", path))
            print(_line(kind, records, path, taken), flush=True)


def made(folder: Path, kind: str, records: int) -> Path:
    """A file of so many records of the kind, made if it is not there yet."""
    path = folder / f"{kind}-{records}{MADE[kind].ending}"
    if not path.exists():
        print(f"generating {path}", file=sys.stderr, flush=True)
        unfinished = path.with_name(f"unfinished-{path.name}")
        MADE[kind].write(unfinished, records)
        unfinished.rename(path)
    return path


def read(kind: str, path: Path) -> int:
    """Read a file to its end, batch by batch; gives how many rows it came to."""
    one = MADE[kind]
    source = Source.of(one.kind, str(path), one.options, "the benchmark")
    return sum(batch.rows.height for batch in source.read(path))


MADE: Mapping[str, Made] = {**sources_webex.MADE, **sources_control.MADE, **sources_tables.MADE}
"""What is measured, by its name."""


def _line(kind: str, records: int, path: Path, taken: Taken) -> str:
    mb = path.stat().st_size / 1e6
    speed = records / taken.wall
    return (
        f"| {kind} | {records:,} | {mb:,.0f} | {taken.wall:.1f} | {taken.cpu:.1f} "
        f"| {speed:,.0f} | {taken.peak_mib:,.0f} |"
    )


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.sources",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--kinds", nargs="+", choices=list(MADE), default=list(MADE))
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
