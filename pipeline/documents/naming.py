"""What documents and their files are called.

Belongs here: the number on paper, and file names that hold nothing a user could slip in. Does not
belong here: giving numbers (`issuing`).
"""

from __future__ import annotations

from hashlib import sha256

from pipeline.documents.model import Invoice
from pipeline.stages.lines import quoted

LONGEST_STEM = 200
"""In bytes; file systems take 255, and a suffix or a scratch name comes on top."""


def document_number(invoice: Invoice) -> str:
    """`acme-7`: the tenant and its running number; nothing else is called so. A draft has none."""
    if invoice.number is None:
        return f"draft-{invoice.invoice_id}"
    return number_of(invoice.tenant_id, invoice.number)


def number_of(tenant_id: str, number: int | None) -> str:
    """The number on paper of an issued document."""
    return f"{tenant_id}-{number}"


def file_stem(words: str) -> str:
    """Words as the name of a file: one plain word, never a path, never hidden, never an option.

    Words too long for a file name are cut, and told apart by what they hash to.
    """
    stem = quoted(words)
    if stem[:1] in (".", "-", "~"):
        stem = f"%{ord(stem[0]):02X}{stem[1:]}"
    if len(stem) <= LONGEST_STEM:
        return stem
    return f"{stem[: LONGEST_STEM - 17]}-{sha256(words.encode()).hexdigest()[:16]}"
