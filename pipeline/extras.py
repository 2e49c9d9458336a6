"""Packages that only some documents need: the core install goes without them.

Belongs here: which there are, loading them, and saying how to install the one that is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from pipeline.errors import BillingError

EXTRAS: Mapping[str, Mapping[str, str]] = {
    "excel": {"openpyxl": "sources of workbooks", "xlsxwriter": "`export --as xlsx`"},
    "pdf": {"typst": "`print --as pdf`"},
    "cluster": {"distributed": "`--scheduler tcp://…`"},
    "objects": {"obstore": "`--store s3://…`, `--feeds s3://…`"},
    "spark": {"pyspark": "`--scheduler spark://…`"},
}
"""The packages of each extra, and what needs them."""


class ExtraMissing(BillingError):
    """A form of document needs a package that is not installed."""


def is_there(package: str) -> bool:
    """Whether a package is installed."""
    return find_spec(package) is not None


def needed(package: str, extra: str) -> Any:
    """A package of an extra. Raises `ExtraMissing`, with the command that installs it."""
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        raise ExtraMissing(
            f"this needs {package}, which is not installed",
            remedy=f"pip install 'tenantbill[{extra}]'",
        ) from error
