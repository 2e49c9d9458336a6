"""The blocks of a file: every byte of it in its order, and lines that end with the blocks."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.exports.streams import byte_blocks
from tests.exports.support import save

LINES = b"key,text\n" + b"".join(b"k%d,%s\n" % (n, b"x" * (n % 90)) for n in range(20_000))
LONG = b"key\n" + b"y" * 400_000 + b"\nz\n" + b"w" * 200_000
FORMS = [LINES, LINES[:-1], LONG, b"", b"\n", b"key", b"a" * 70_000 + b"\nb\n"]


@pytest.mark.parametrize("size", [1, 2, 100, 65_536, 100_000, 10_000_000])
@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz"])
def test_the_blocks_are_the_file(tmp_path: Path, name: str, size: int) -> None:
    for form in FORMS:
        content = form if size > 100 else form[:5_000]
        path = save(tmp_path / name, content)
        blocks = list(byte_blocks(path, size, packed=name.endswith(".gz")))
        assert b"".join(blocks) == content
        assert all(blocks[1:])


@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz"])
def test_blocks_end_with_lines(tmp_path: Path, name: str) -> None:
    path = save(tmp_path / name, LINES)
    blocks = list(byte_blocks(path, 100_000, packed=name.endswith(".gz")))
    assert blocks[0] == b"key,text\n"
    assert len(blocks) > 8 and all(block.endswith(b"\n") for block in blocks)
    assert max(map(len, blocks)) < 100_200
