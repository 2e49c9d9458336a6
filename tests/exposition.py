"""Reads the text that Prometheus collects, by its description and by none of our code.

Every family is `# HELP`, `# TYPE`, then its samples; a name with its labels comes once.
"""

from __future__ import annotations

import re

Labels = tuple[tuple[str, str], ...]
Metrics = dict[tuple[str, Labels], float]

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"'
_SAMPLE = re.compile(rf"({_NAME})(?:\{{((?:{_LABEL},?)*)\}})? (\S+)")
_ESCAPED = {r"\\": "\\", r"\"": '"', r"\n": "\n"}


def read_metrics(text: str) -> Metrics:
    """Every sample of a text: its name and labels, to its value."""
    assert text.endswith("\n"), "the last line is ended too"
    found: Metrics = {}
    described: list[str] = []
    family = ""
    for line in text.splitlines():
        if line.startswith("# HELP "):
            family = line.split(" ")[2]
            assert family not in described, f"{family} comes twice"
            described.append(family)
            kind = ""
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert (name, kind) == (family, "gauge")
        else:
            match = _SAMPLE.fullmatch(line)
            assert match, line
            assert (match[1], kind) == (family, "gauge"), f"{line} is not in its family"
            labels = tuple(
                (name, re.sub(r"\\.", lambda escape: _ESCAPED[escape[0]], value))
                for name, value in re.findall(_LABEL, match[2] or "")
            )
            assert (family, labels) not in found, f"{line} comes twice"
            found[family, labels] = float(match[match.re.groups])
    return found
