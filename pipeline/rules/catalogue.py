"""The meter catalogue that is shipped: how each kind of usage is measured, routed and charged."""

from __future__ import annotations

from decimal import Decimal

from pipeline.rules.terms import Catalogue, Meter


def _connect(name: str, unit: str, label: str) -> Meter:
    """Webex Connect usage: always the primary's, a price a unit (R3.3, R10.3)."""
    return Meter(
        name, "sum", "sessions", "primary", "per_unit", "primary", (), Decimal(0), unit, label
    )


def _overage(name: str, measure: str, counts: str, overage_to: str, unit: str, label: str) -> Meter:
    return Meter(
        name, measure, counts, "subscription", "overage", overage_to, (), Decimal(0), unit, label
    )


_METERS = (
    _overage("standard_agent", "agents", "users", "primary", "agent", "Standard agents"),
    _overage("premium_agent", "agents", "users", "primary", "agent", "Premium agents"),
    Meter(
        "ivr_port",
        "peak",
        "sessions",
        "subscription",
        "overage",
        "primary",
        ("standard_agent", "premium_agent"),
        Decimal(2),
        "port",
        "IVR ports",
    ),
    _overage("toll_free_call", "peak", "sessions", "primary", "call", "Toll-free calls"),
    _overage(
        "ivr_outbound_port", "peak", "sessions", "responsible", "port", "IVR outbound campaigns"
    ),
    _overage("ai_agent", "sum", "sessions", "responsible", "interaction", "AI Agent"),
    _overage("ai_assistant", "sum", "sessions", "responsible", "interaction", "AI Assistant"),
    _overage("recording_storage", "sum", "sessions", "primary", "GB", "Recording storage"),
    _connect("connect_sms", "message", "Connect SMS"),
    _connect("connect_whatsapp", "message", "Connect WhatsApp"),
    _connect("connect_email", "message", "Connect email"),
    _connect("connect_voice", "minute", "Connect voice"),
    _connect("connect_interaction", "interaction", "Connect interactions"),
)

SHIPPED: Catalogue = {meter.name: meter for meter in _METERS}
