"""Packages that only some documents need: the core install goes without them.

Belongs here: loading them, and saying how to install the one that is missing.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from pipeline.errors import BillingError


class ExtraMissing(BillingError):
    """A form of document needs a package that is not installed."""


def needed(package: str, extra: str) -> Any:
    """A package of an extra. Raises `ExtraMissing`, with the command that installs it."""
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        raise ExtraMissing(
            f"this needs {package}, which is not installed",
            remedy=f"pip install 'tenantbill[{extra}]'",
        ) from error
