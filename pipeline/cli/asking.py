"""The commands that ask what would be, or would have been: whatif and advise.

Belongs here: their options. Does not belong here: assuming (`whatif`) and advising (`explaining`).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from pipeline.cli import options
from pipeline.cli.group import DONE, DONE_WITH_ERRORS, examples, main
from pipeline.cli.reading import usual_shape
from pipeline.cli.work import actor, at_work, now
from pipeline.period import Period


@main.command(
    epilog=examples(
        "tenantbill whatif 2026-10 --set entitlement:HC-PERMITS:standard_agent=30",
        "tenantbill whatif 2026-08..2026-10 --set end:NW-FIELD=2026-09-15 --lines",
        "tenantbill whatif 2026-10 --set add:HC-NEW=HC-PERMITS --set primary:harbor-city=HC-NEW",
    )
)
@options.period
@click.option(
    "--set",
    "assumptions",
    multiple=True,
    required=True,
    metavar="WHAT=VALUE",
    help="entitlement:SUB:METER=N, price:SUB:METER:CHARGE=P, end:SUB=DATE, add:NEW=SUB or "
    "primary:TENANT=SUB; may be given again.",
)
@click.option("--lines", is_flag=True, help="The lines that differ, instead of the invoices.")
@options.store
@options.output_format
@options.of_work
def whatif(
    periods: list[Period],
    assumptions: tuple[str, ...],
    lines: bool,
    store: Path,
    format: str | None,
    **surroundings: Any,
) -> None:
    """Bill months on terms as they might have been, and say what the difference is.

    On the exports as they were taken in last. Nothing is published.
    """
    with at_work(store, **surroundings) as work:
        from pipeline.errors import InputMissing  # noqa: PLC0415
        from pipeline.request import Request  # noqa: PLC0415
        from pipeline.run import feeds_of  # noqa: PLC0415
        from pipeline.show import write_rows  # noqa: PLC0415
        from pipeline.stages.assumptions import Assumption, tenants_of  # noqa: PLC0415
        from pipeline.stages.order import STAGES  # noqa: PLC0415
        from pipeline.store.landing import LandedStore  # noqa: PLC0415
        from pipeline.whatif import what_if  # noqa: PLC0415

        assumed = tuple(Assumption.parse(one) for one in assumptions)
        landed = LandedStore(store)
        listing = landed.listing()
        if listing is None:
            raise InputMissing(
                "no export has been taken in yet",
                where=store,
                remedy=f"run `tenantbill run {periods[0]} --feeds DIR` first",
            )
        tenants = tenants_of(feeds_of(landed, listing), assumed, periods[0])
        requests = [
            Request(
                period,
                STAGES,
                store,
                None,
                "whatif",
                now(),
                tenants,
                None,
                work.budget,
                actor=actor(),
                assumptions=assumed,
            )
            for period in periods
        ]
        answer = what_if(requests, work.executor, work.tell.progress, by_line=lines)
        for one in answer.obstacles:
            when = "as assumed" if one.is_assumed else "as it is"
            words = f"{one.period}, {when}: {one.tenant_id}: {one.message} [{one.code}]"
            work.tell.warned(words, one.code)
    write_rows(answer.rows, format or usual_shape())
    sys.exit(DONE_WITH_ERRORS if answer.obstacles else DONE)


@main.command(
    epilog=examples(
        "tenantbill advise 2026-01..2026-10",
        "tenantbill advise 2026-10 --tenant harbor-city",
    )
)
@options.period
@options.store
@options.tenant
@options.output_format
def advise(periods: list[Period], store: Path, tenant: tuple[str, ...], format: str | None) -> None:
    """Say which commitment to each meter would have cost least over some billed months."""
    from pipeline.explaining.advise import advise as advised  # noqa: PLC0415
    from pipeline.show import write_rows  # noqa: PLC0415

    write_rows(advised(store, periods, tenant or None), format or usual_shape())
