"""A source: a kind of export, where its files lie, and how it is set up.

Belongs here: `[[source]]` of the settings, checked; finding the files; reading one. Does not belong
here: any kind, and the settings' file (`settings`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import UsageError, did_you_mean
from pipeline.exports import Batch, Export, ExportError, judge
from pipeline.exports.find import in_order, is_hidden
from pipeline.exports.reader import BATCH_ROWS
from pipeline.fingerprint import fingerprint
from pipeline.remote.objects import below, entries
from pipeline.remote.place import Mirrored, place_of
from pipeline.sources.kind import Key, Kind, Options, kinds
from schemas.columns import Table


class SourceError(ExportError):
    """A source that is set up has no files, or files that its kind does not come in."""


@dataclass(frozen=True, slots=True)
class Source:
    """Exports of one kind: `path` is a file, a directory of files at any depth, or a pattern.

    Or an address in an object store: of a file, or of what holds files at any depth.
    """

    kind_name: str
    path: str
    options: Options

    @classmethod
    def of(cls, kind: str, path: str, said: Mapping[str, Any], where: str) -> Source:
        """A source as it is set up; `where` that is said. Raises `UsageError` for what is wrong."""
        if kind not in kinds():
            names = ", ".join(kinds())
            remedy = did_you_mean(kind, kinds(), f"kinds are {names}")
            raise UsageError(f"there is no kind of source {kind!r}", where=where, remedy=remedy)
        keys = kinds()[kind].keys
        for name, value in said.items():
            if name not in keys:
                known = f"{kind} knows {', '.join(keys) or 'none'}"
                remedy = did_you_mean(name, keys, known)
                raise UsageError(f"{kind} has no key {name!r}", where=where, remedy=remedy)
            _check_type(name, keys[name], value, where)
        for name, key in keys.items():
            if key.required and name not in said:
                raise UsageError(
                    f"{kind} needs {name}: {key.meaning}", where=where, remedy=f"say {name} there"
                )
        try:
            place_of(path)
        except UsageError as error:
            raise error.within(where) from error
        options = {name: said.get(name, key.default) for name, key in keys.items()}
        try:
            kinds()[kind].check(options)
        except ValueError as error:
            what, _, remedy = str(error).partition("; ")
            raise UsageError(what, where=where, remedy=remedy or "correct it there") from error
        return cls(kind, path, options)

    @property
    def kind(self) -> Kind:
        """What its files are."""
        return kinds()[self.kind_name]

    @property
    def table(self) -> Table:
        """The feed that it gives."""
        return self.kind.feed(self.options)

    @property
    def print(self) -> str:
        """A name for how its files are read; where they lie does not matter."""
        return fingerprint(self.kind_name, sorted(self.options.items()))

    def exports(self) -> list[Export]:
        """Its files, in order of their names; hidden ones are passed over.

        Raises `SourceError` where there is none, or one that the kind does not come in: a file that
        is silently left out is usage that is never billed.
        """
        given = place_of(self.path)
        files = _away(given) if isinstance(given, Mirrored) else _here(given)
        if not files:
            raise SourceError(
                f"there is no file of the source {self.kind_name}",
                where=self.path,
                remedy="put the exports there, or correct path in its [[source]]",
            )
        for one in files:
            check_ending(one.path, self.kind)
        return in_order(files)

    def read(self, path: Path) -> Iterator[Batch]:
        """The rows of one of its files as batches of its feed; as `exports.read_export` does."""
        first = 1
        for cells in self.kind.cells(path, self.options):
            batch = judge(cells, self.table, first)
            first += batch.rows.height
            yield from batch.slices(BATCH_ROWS)


def sources_of(blocks: Sequence[Mapping[str, Any]], where: str) -> tuple[Source, ...]:
    """The sources that settings name; raises `UsageError` for anything wrong in them."""
    sources = []
    for number, block in enumerate(blocks, 1):
        place = f"{where}, [[source]] {number}"
        for name in ("kind", "path"):
            if not isinstance(block.get(name), str):
                raise UsageError(
                    f"a source needs {name}", where=place, remedy=f'write {name} = "…" below it'
                )
        said = {name: value for name, value in block.items() if name not in ("kind", "path")}
        sources.append(Source.of(block["kind"], block["path"], said, place))
    return tuple(sources)


def check_ending(path: Path, kind: Kind) -> None:
    """Raise `SourceError` for a file that the kind does not come in."""
    if not path.name.lower().endswith(kind.endings):
        raise SourceError(
            f"{kind.name} does not come in such a file",
            where=path,
            remedy=f"its files end in {', '.join(kind.endings)}: rename it, or move it away",
        )


def _check_type(name: str, key: Key, value: object, where: str) -> None:
    is_right = isinstance(value, key.type) and isinstance(value, bool) == (key.type is bool)
    if isinstance(value, dict) and is_right:
        is_right = all(isinstance(one, str) for one in value.values())
    if isinstance(value, list) and is_right:
        is_right = all(isinstance(one, str) for one in value)
    if not is_right:
        remedy = f"write it as {_EXAMPLES[key.type]}: {key.meaning}"
        raise UsageError(f"{name} is {value!r}", where=where, remedy=remedy)


_EXAMPLES = {
    str: "text",
    bool: "true or false",
    list: 'a list, such as ["a", "b"]',
    dict: 'a table of texts, such as { "a" = "b" }',
}


def _here(given: Path) -> list[Export]:
    """The files of a path."""
    if given.is_dir():
        found = [path for path in given.rglob("*") if not is_hidden(path.relative_to(given))]
    elif given.is_file():
        found = [given]
    else:
        found = list(Path(given.anchor).glob(str(given.relative_to(given.anchor))))
    return [Export(path, path.as_posix()) for path in found if path.is_file()]


def _away(given: Mirrored) -> list[Export]:
    """The files of an address."""
    found = below(given)
    if not found and given.key:
        found = [one for one in entries(given.parent)[0] if one.path == given]
    return [
        Export(one.path, one.path.address, one.stat)
        for one in found
        if one.path == given or not is_hidden(one.path.relative_to(given))
    ]
