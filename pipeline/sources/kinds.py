"""Every kind of source there is.

Belongs here: the list. Does not belong here: what any of them is.
"""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.sources import (
    connect_usage,
    control_hub_users,
    generic,
    licenses_api,
    search_api_agent_sessions,
    search_api_tasks,
)
from pipeline.sources.kind import Kind

_EVERY: tuple[Kind, ...] = (
    search_api_agent_sessions.KIND,
    search_api_tasks.KIND,
    control_hub_users.KIND,
    licenses_api.KIND,
    connect_usage.KIND,
    generic.CSV,
    generic.PARQUET,
    generic.XLSX,
)

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in _EVERY}
"""The kinds by their names."""


def is_snapshot(kind: str) -> bool:
    """Whether what comes of a kind states what holds on one day."""
    return kind in KINDS and KINDS[kind].is_snapshot
