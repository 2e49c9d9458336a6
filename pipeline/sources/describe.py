"""The kinds of sources as a page for people: made from the kinds, and checked against them.

    python -m pipeline.sources.describe [--check]

Belongs here: the form of the page. Does not belong here: what it says of a kind (`KIND`, in the
file of each).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from pipeline.sources.kind import Key, Kind
from pipeline.sources.kinds import KINDS

PAGE = Path(__file__).with_name("README.md")

_HEAD = """\
# Sources

What other systems export, and how each kind is set up: a `[[source]]` in `tenantbill.toml` with
`kind`, `path` and these keys, or `tenantbill convert KIND FILES… -o FILE --set KEY=VALUE`. `path`
is a file, a directory of files at any depth, or a pattern such as `pages/*.json`; or the address of
an object or a folder, such as `s3://bucket/pages` (not in `convert`). Files count in the order of
their names (R11.1). Made by `python -m pipeline.sources.describe`.
"""

_SNAPSHOT = """
A snapshot: the day is that in the file's name, such as `2026-10-01`. What several of them say holds
from the day of the first that says it until the day before the first that does not say it any more;
what the oldest one says holds from the beginning.
"""

_TYPES = {str: "text", bool: "true or false", list: "list of texts", dict: "table of texts"}


def page() -> str:
    """The whole page."""
    return "".join([_HEAD, *(f"\n{_section(kind)}" for kind in KINDS.values())])


def _section(kind: Kind) -> str:
    feed = "the feed that `feed` names" if "feed" in kind.keys else f"`{kind.feed({}).name}`"
    said = f"## {kind.name}\n\n{kind.what}. Gives {feed}. Files: {', '.join(kind.endings)}.\n"
    return said + (_SNAPSHOT if kind.is_snapshot else "") + "".join(_keys(kind))


def _keys(kind: Kind) -> Iterator[str]:
    yield "\n| key | is | means | without it |\n|---|---|---|---|\n"
    for name, key in kind.keys.items():
        yield f"| `{name}` | {_TYPES[key.type]} | {key.meaning} | {_without(key)} |\n"


def _without(key: Key) -> str:
    if key.required:
        return "an error"
    match key.default:
        case None | [] | {}:
            return ""
        case bool():
            return str(key.default).lower()
        case list():
            return ", ".join(f"`{one}`" for one in key.default)
        case _:
            return f"`{key.default}`"


def main() -> None:
    """Write the page, or say whether it is the one that is there."""
    if "--check" not in sys.argv:
        PAGE.write_text(page(), encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != page():
        sys.exit(f"{PAGE.name} is stale: run `python -m pipeline.sources.describe`")


if __name__ == "__main__":
    main()
