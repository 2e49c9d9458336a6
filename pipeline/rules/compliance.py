"""R8: what a tenant may not do, or had better know."""

from __future__ import annotations

from pipeline.findings import Finding, finding
from pipeline.period import Period, timeline
from pipeline.rules.primary import closing_primary
from pipeline.rules.terms import Service, Tenant


def mixes_license_models(tenant: Tenant, period: Period) -> bool:
    """R8.1: concurrent and named subscriptions are active on the same day of the period."""
    if len(_license_models(_services(tenant, period))) < 2:
        return False
    history = timeline(
        tenant.service_boundaries, period.days, lambda day: len(license_models_on(tenant, day))
    )
    return any(models > 1 for _, models in history)


def license_models_on(tenant: Tenant, day: int) -> dict[str, list[str]]:
    """R8.1: the licence models in service on a day, each with its subscriptions."""
    models: dict[str, list[str]] = {}
    for subscription in tenant.subscriptions:
        service = subscription.service_on(day)
        if service:
            models.setdefault(service.license_model, []).append(subscription.id)
    return models


def license_model(tenant: Tenant, period: Period) -> str | None:
    """R8.1: the model that measures the period: the closing primary's, on its last day in service.

    None for a tenant that has no closing primary.
    """
    primary = closing_primary(tenant, period)
    subscription = tenant.subscription(primary) if primary else None
    if subscription is None:
        return None
    within = [one for one in subscription.service if one.days.overlap(period.days)]
    return within[-1].license_model


def compliance_findings(tenant: Tenant, period: Period) -> list[Finding]:
    """R8.1 and R8.2: what is wrong with the tenant's mix of subscriptions in a period."""
    services = _services(tenant, period)
    found = _telephony_findings(tenant, services)
    if len(_license_models(services)) > 1:
        found.insert(0, _license_finding(tenant, period))
    return found


def _license_finding(tenant: Tenant, period: Period) -> Finding:
    """What is to be said of a tenant with several licence models in a period."""
    if mixes_license_models(tenant, period):
        history = timeline(
            tenant.service_boundaries,
            period.days,
            lambda day: {m: tuple(ids) for m, ids in license_models_on(tenant, day).items()},
        )
        mixed = next(models for _, models in history if len(models) > 1)
        who = "; ".join(f"{model}: {', '.join(ids)}" for model, ids in sorted(mixed.items()))
        message = (
            f"Concurrent and named subscriptions are active on the same day ({who}); "
            f"nothing of {period} is measured or invoiced."
        )
        remedy = "Move every subscription of the tenant to one licence model, then run again."
        return finding("mixed_license_models", tenant.id, message, remedy)
    message = (
        f"The licence model changed within {period}; the whole period is measured as "
        f"{license_model(tenant, period)}, the model of the primary subscription at its end."
    )
    remedy = "Check that the change is meant; nothing else to do."
    return finding("license_model_changed", tenant.id, message, remedy)


def _telephony_findings(tenant: Tenant, services: list[tuple[str, Service]]) -> list[Finding]:
    stated = [(who, service.telephony) for who, service in services if service.telephony]
    if len({telephony for _, telephony in stated}) < 2:
        return []
    first, option = stated[0]
    others = sorted({f"{who} has {what}" for who, what in stated if what != option})
    message = f"{first} has {option}, but {', '.join(others)}: the tenant mixes telephony options."
    remedy = "Agree one telephony option for all subscriptions; billing goes on meanwhile."
    return [finding("mixed_telephony", tenant.id, message, remedy)]


def _license_models(services: list[tuple[str, Service]]) -> set[str]:
    return {service.license_model for _, service in services}


def _services(tenant: Tenant, period: Period) -> list[tuple[str, Service]]:
    """What is in service in the period, the oldest subscription first."""
    return [
        (subscription.id, service)
        for subscription in tenant.subscriptions
        for service in subscription.service
        if service.days.overlap(period.days)
    ]
