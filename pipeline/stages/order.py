"""The stages in the one order they can stand in, each with what it is for.

The order: nothing can be judged before it is taken in (ingest); only good rows have an owner
(validate before split); only owned rows are measured (split before meter); overage is found in what
was measured (meter before rate); an invoice is the sum of its lines (rate before invoice). Access
needs the terms alone and stands last, since nobody waits for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipeline.stages import conclude


@dataclass(frozen=True, slots=True)
class Stage:
    """A step of a run: its command, what it publishes, and the stages whose results it needs.

    What a stage that is not `is_by_tenant` finds is about exports, not about tenants.
    """

    name: str
    conclude: Callable[[conclude.Evidence], conclude.Conclusion]
    datasets: tuple[str, ...]
    needs: tuple[str, ...] = ()
    is_by_tenant: bool = True


STAGES = (
    Stage("ingest", conclude.conclude_ingest, (), is_by_tenant=False),
    Stage("validate", conclude.conclude_validate, ("quarantine", "superseded"), ("ingest",)),
    Stage("split", conclude.conclude_split, ("unbilled",), ("validate",)),
    Stage("meter", conclude.conclude_meter, ("usage_split", "occupancy", "daily"), ("split",)),
    Stage("rate", conclude.conclude_rate, ("overage", "invoice_lines"), ("meter",)),
    Stage("invoice", conclude.conclude_invoice, ("invoices",), ("rate",)),
    Stage("access", conclude.conclude_access, ("access",), ("ingest",)),
)

OF_USAGE = ("validate", "split", "meter")
"""The stages that conclude from what the buckets came to."""
