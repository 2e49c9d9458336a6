"""What a run is about to publish: the results of its stages, one after the other.

Belongs here: handing earlier results to later stages, and joining the results of some tenants with
what is published of the others. Does not belong here: computing and storing them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import polars as pl

from pipeline.findings import to_frame
from pipeline.request import Request
from pipeline.stages.conclude import Conclusion
from pipeline.stages.controls import tied
from pipeline.stages.order import STAGES, Stage
from pipeline.store.results import Parts, ResultStore, Run
from schemas.datasets import CONTROLS, DATASETS, FINDINGS

TABLES = {table.name: table for table in DATASETS}

_MAKERS = {dataset: stage.name for stage in STAGES for dataset in stage.datasets}


class Draft:
    """The results of a request's stages; `parts` names what each stage would publish."""

    def __init__(
        self, request: Request, parts: Mapping[str, str], latest: Run | None, results: ResultStore
    ) -> None:
        self._request = request
        self._parts = parts
        self._latest = latest
        self._results = results
        self._fresh: dict[tuple[str, str], pl.DataFrame] = {}

    def add(self, stage: Stage, concluded: Conclusion) -> None:
        """Take what a stage came to. Raises `ControlsDoNotTie` where its controls do not."""
        frames = {
            **concluded.datasets,
            FINDINGS.name: to_frame(concluded.findings),
            CONTROLS.name: tied(concluded.controls),
        }
        self._fresh |= {(stage.name, dataset): frame for dataset, frame in frames.items()}

    def of(self, dataset: str) -> pl.DataFrame:
        """A dataset for a later stage: this run's, or a published one that is up to date.

        Of the asked tenants alone, where the request is about some of them.
        """
        return self._of(_MAKERS[dataset], dataset)

    def findings(self) -> pl.DataFrame:
        """The findings of all stages that have run."""
        made = [stage.name for stage in STAGES if stage.name in self._parts]
        return pl.concat([FINDINGS.empty(), *(self._of(name, FINDINGS.name) for name in made)])

    def _of(self, maker: str, dataset: str) -> pl.DataFrame:
        if (maker, dataset) in self._fresh:
            return self._fresh[maker, dataset]
        rows = self._results.read(TABLES[dataset], self._request.period, [self._parts[maker]])
        return rows if self._request.only_tenants is None else rows.filter(self._is_asked)

    def of_stage(self, stage: Stage) -> Parts:
        """What is to be written of the datasets that one stage alone makes, once it has run."""
        return self._to_write(stage.datasets, [stage])

    def of_all_stages(self) -> Parts:
        """What is to be written of the datasets that every stage adds to, once all have run."""
        return self._to_write((FINDINGS.name, CONTROLS.name), STAGES)

    def _to_write(self, datasets: Iterable[str], stages: Iterable[Stage]) -> Parts:
        return {
            (dataset, self._parts[stage.name]): self._joined(stage, dataset, frame)
            for dataset in datasets
            for stage in stages
            if (frame := self._fresh.get((stage.name, dataset))) is not None
        }

    def _joined(self, stage: Stage, dataset: str, frame: pl.DataFrame) -> pl.DataFrame:
        """The rows of the asked tenants with the published ones of the others, where it is so."""
        before = self._latest.parts.get(stage.name) if self._latest else None
        is_joined = self._request.only_tenants is not None and stage.is_by_tenant
        if not is_joined or before is None or dataset == CONTROLS.name:
            return frame
        published = self._results.read(TABLES[dataset], self._request.period, [before])
        return pl.concat([frame, published.filter(~self._is_asked)])

    @property
    def _is_asked(self) -> pl.Expr:
        """Whether a row is about a tenant that the request is about."""
        asked = list(self._request.only_tenants or ())
        return pl.col("tenant_id").is_in(asked).fill_null(False)
