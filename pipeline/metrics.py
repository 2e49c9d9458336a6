"""What a run came to as metrics: the text that Prometheus collects from a file.

Belongs here: names, labels and form of the metrics. Does not belong here: their values (`summary`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

LAST_SUCCESS = "tenantbill_last_success_timestamp_seconds"

GAUGES = {
    LAST_SUCCESS: "When a run last ended well, in seconds since 1970; 0: never.",
    "tenantbill_last_run_seconds": "How long the last run took.",
    "tenantbill_exit_code": "The exit code of the last run; 0 and 3 are success.",
    "tenantbill_usage_rows": "Usage rows read for a month, by what became of them.",
    "tenantbill_invoices": "Invoices of a month, by status.",
    "tenantbill_invoiced_amount": "The sum of the invoices of a month, by currency.",
    "tenantbill_findings": "Findings of a month, by severity.",
}

Samples = dict[str, str]
"""The samples of a file: a name with its labels, to its value."""

_SAMPLE = re.compile(r"([a-z_]+(?:\{.*\})?) ([0-9.+-]+)")


def metrics_of(summary: Mapping[str, Any], before: str) -> str:
    """The metrics of a run by its summary; `before` is what the file says so far.

    Where a run failed, what it did not come to stays as it was: so it is still published.
    """
    ended = datetime.fromisoformat(summary["ended_at"]).timestamp()
    last = _read(before) if summary["error"] else {LAST_SUCCESS: f"{ended:.0f}"}
    samples = {
        LAST_SUCCESS: "0",
        **last,
        "tenantbill_last_run_seconds": str(summary["seconds"]),
        "tenantbill_exit_code": str(summary["exit_code"]),
        **{sample: value for one in summary["periods"] for sample, value in _of_period(one)},
    }
    return "".join(_family(gauge, samples) for gauge in GAUGES)


def _of_period(figures: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for gauge, label, key in (
        ("tenantbill_usage_rows", "fate", "rows"),
        ("tenantbill_invoices", "status", "invoices"),
        ("tenantbill_invoiced_amount", "currency", "totals"),
        ("tenantbill_findings", "severity", "findings"),
    ):
        for value, number in figures[key].items():
            if (label, value) != ("fate", "read"):
                labels = {"period": figures["period"], label: value}
                yield sample(gauge, labels), str(number)


def sample(gauge: str, labels: Mapping[str, str]) -> str:
    """A gauge's name with labels; their values may hold anything."""
    escapes = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
    written = ",".join(f'{name}="{value.translate(escapes)}"' for name, value in labels.items())
    return f"{gauge}{{{written}}}"


def _family(gauge: str, samples: Samples) -> str:
    of_gauge = [
        f"{name} {value}\n"
        for name, value in samples.items()
        if name == gauge or name.startswith(f"{gauge}{{")
    ]
    return f"# HELP {gauge} {GAUGES[gauge]}\n# TYPE {gauge} gauge\n{''.join(of_gauge)}"


def _read(text: str) -> Samples:
    """The samples of a file that was written here; lines of any other form are left out."""
    found = (_SAMPLE.fullmatch(line) for line in text.splitlines())
    return {match[1]: match[2] for match in found if match}
