"""Which executor an address means.

Belongs here: the choice. Does not belong here: any executor.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.executors.crew import Crew
from pipeline.executors.embedded import cores, embedded, usual_memory

SPARK = ("spark://", "local[", "local-cluster[", "yarn", "k8s://")


@contextmanager
def crew_of(
    scheduler: str | None, workers: int | None, memory: int | None, store: Path
) -> Iterator[Crew]:
    """Who does the tasks: this machine, Spark, or a dask.distributed cluster.

    They may use so much `memory`, if it is told.
    """
    if scheduler is None:
        many = workers or cores()
        with embedded(many, memory or usual_memory(many)) as executor:
            yield Crew(executor, many)
    elif scheduler.startswith(SPARK):
        from pipeline.executors.spark import spark  # noqa: PLC0415

        with spark(scheduler, workers, store) as crew:
            yield crew
    else:
        from pipeline.executors.dask import dask  # noqa: PLC0415

        with dask(scheduler, workers, store) as crew:
            yield crew
