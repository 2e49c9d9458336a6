"""Parallel work on Spark: each task is a job of one element, mapped on an executor of the cluster.

Belongs here: a Spark session as an `Executor`, and its failures by our names. Does not belong here:
what is executed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from socket import gethostname
from typing import Any, ParamSpec, TypeVar

from pipeline.errors import BillingError
from pipeline.executors.crew import (
    Crew,
    SchedulerLost,
    SchedulerUnreachable,
    check_fit,
    fitness,
    on_worker,
)
from pipeline.extras import needed

P = ParamSpec("P")
T = TypeVar("T")


@contextmanager
def spark(master: str, workers: int | None, store: Path) -> Iterator[Crew]:
    """The executors of a Spark cluster, or of the session that is there already.

    Raises `SchedulerUnreachable`, `WorkerUnfit`; and `SchedulerLost` while tasks run.
    """
    sql = needed("pyspark.sql", "spark")
    # Its workers run the Python that runs this, unless they are told another one.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    try:
        builder = sql.SparkSession.builder.master(master).appName("tenantbill")
        session = builder.config("spark.ui.showConsoleProgress", "false").getOrCreate()
        session.sparkContext.setLogLevel("OFF")
    except Exception as error:
        raise SchedulerUnreachable(
            f"no Spark session is to be had: {_first_line(error)}",
            where=master,
            remedy="see that Java is installed and the master runs, or correct --scheduler",
        ) from error
    try:
        threads = session.sparkContext.defaultParallelism
        at_a_time = min(workers or threads, threads)
        with ThreadPoolExecutor(at_a_time, thread_name_prefix="spark") as pool:
            crew = Crew(_Spark(session.sparkContext, pool), at_a_time)
            check_fit(*crew.executor.submit(_fitness, store).result(), store)
            yield crew
    finally:
        session.stop()


class _Spark(Executor):
    """Hands tasks to Spark, as many at a time as the pool has threads."""

    def __init__(self, context: Any, pool: Executor) -> None:
        self._context = context
        self._pool = pool

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Hand a task to the cluster."""
        future: Future[Any] = self._pool.submit(self._mapped, fn, args)
        return future

    def _mapped(self, task: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        try:
            [outcome] = self._context.parallelize([(task, args)], 1).map(_done).collect()
        except Exception as error:
            raise SchedulerLost(
                f"Spark gave the task up: {_first_line(error)}",
                where=self._context.master,
                remedy="see the log of its executors; then run again, which goes on from what is "
                "done",
            ) from error
        if isinstance(outcome, BillingError):
            raise outcome
        return outcome


def _done(element: tuple[Callable[..., Any], tuple[Any, ...]]) -> Any:
    """Do a task; an error of ours comes back as it is, so that Spark does not try it again."""
    task, args = element
    try:
        return on_worker(gethostname(), task, args)
    except BillingError as error:
        return error


def _fitness(store: Path) -> tuple[str, tuple[str, bool]]:
    return gethostname(), fitness(store)


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]
