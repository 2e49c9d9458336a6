"""What the three sample tenants bought, at which prices, and the rows that their exports got wrong.

Tables are read by `table`: columns apart by blanks, `-` for an empty cell. What the tenants then
did is told in `make.py`.
"""

from __future__ import annotations

Cells = dict[str, str]


def table(text: str) -> list[Cells]:
    """The rows of an aligned table, keyed by its first line; `-` is an empty cell."""
    lines = [line.split() for line in text.splitlines() if line]
    return [
        dict(zip(lines[0], ("" if cell == "-" else cell for cell in line), strict=True))
        for line in lines[1:]
    ]


SUBSCRIPTIONS = """
tenant_id subscription_id offer license_model deployment telephony status start_date end_date
harbor-city         HC-CLINICS   flex3 concurrent cloud  webex_calling active  2023-03-01 -
harbor-city         HC-PERMITS   flex3 concurrent cloud  webex_calling active  2024-07-01 -
harbor-city         HC-DIGITAL   flex3 concurrent cloud  webex_calling active  2025-10-12 -
northwind-energy    NW-FIELD     flex  named      cloud  webex_calling expired 2023-09-16 2026-09-15
northwind-energy    NW-RETAIL    flex3 named      cloud  webex_calling active  2024-01-01 2026-11-15
northwind-energy    NW-GRID      flex3 named      cloud  webex_calling expired 2025-10-16 2026-10-15
northwind-energy    NW-GRID      flex3 named      cloud  webex_calling active  2026-10-16 -
lakeside-university LU-CAMPUS    flex  concurrent hybrid webex_calling active  2022-08-15 -
lakeside-university LU-LIBRARY   flex3 concurrent cloud  bundled_pstn  active  2025-01-06 -
lakeside-university LU-MEDICAL   flex3 named      cloud  webex_calling active  2026-10-05 -
lakeside-university LU-ATHLETICS flex3 concurrent cloud  webex_calling trial   2026-09-01 2026-11-30
"""

BILLING = """
subscription_id currency billing_frequency term_months
HC-CLINICS      USD      -                 36
HC-PERMITS      USD      quarterly         36
HC-DIGITAL      USD      annual            24
NW-FIELD        EUR      -                 36
NW-RETAIL       EUR      monthly           -
NW-GRID         EUR      quarterly         12
LU-CAMPUS       USD      monthly           60
LU-LIBRARY      USD      prepaid           24
LU-MEDICAL      USD      monthly           36
LU-ATHLETICS    USD      -                 -
"""
"""The commercial half of each subscription: the same in every row of it."""

ENTITLEMENTS = """
tenant_id           subscription_id meter             quantity start_date end_date   deployment
harbor-city         HC-CLINICS      standard_agent    10       -          -          -
harbor-city         HC-CLINICS      toll_free_call    5        -          -          -
harbor-city         HC-CLINICS      recording_storage 60       -          -          -
harbor-city         HC-CLINICS      ai_assistant      100      2026-10-01 -          -
harbor-city         HC-PERMITS      standard_agent    15       -          -          -
harbor-city         HC-PERMITS      toll_free_call    3        -          -          -
harbor-city         HC-DIGITAL      ivr_port          4        -          -          -
harbor-city         HC-DIGITAL      ai_agent          1500     -          -          -
harbor-city         HC-DIGITAL      ai_assistant      300      -          -          -
harbor-city         HC-DIGITAL      ivr_outbound_port 4        -          -          -
northwind-energy    NW-FIELD        standard_agent    4        -          -          -
northwind-energy    NW-RETAIL       standard_agent    12       -          -          -
northwind-energy    NW-RETAIL       premium_agent     3        -          -          -
northwind-energy    NW-RETAIL       toll_free_call    6        -          -          -
northwind-energy    NW-RETAIL       recording_storage 80       -          -          -
northwind-energy    NW-GRID         standard_agent    14       -          2026-10-15 -
northwind-energy    NW-GRID         standard_agent    10       2026-10-16 -          -
northwind-energy    NW-GRID         ai_agent          600      -          2026-10-15 -
northwind-energy    NW-GRID         ai_agent          900      2026-10-16 -          -
lakeside-university LU-CAMPUS       standard_agent    12       -          -          cloud
lakeside-university LU-CAMPUS       standard_agent    6        -          -          on_premises
lakeside-university LU-CAMPUS       toll_free_call    6        -          -          -
lakeside-university LU-CAMPUS       ai_assistant      500      -          -          -
lakeside-university LU-LIBRARY      standard_agent    4        -          -          -
lakeside-university LU-LIBRARY      recording_storage 20       -          -          -
lakeside-university LU-MEDICAL      standard_agent    6        -          -          -
lakeside-university LU-ATHLETICS    ivr_port          10       -          -          -
"""

PARTNERS = """
tenant_id           partner_id     added_on   role
harbor-city         pacific-voice  2023-02-14 full_admin
harbor-city         bay-digital    2025-10-01 provisioning_admin
northwind-energy    nordlicht-it   2023-09-01 -
lakeside-university prairie-comms  2022-08-01 full_admin
lakeside-university medical-lines  2026-10-01 full_admin
"""

LIST_PRICES = """
meter               charge    USD    EUR
standard_agent      committed 95     88
standard_agent      overage   145    134
premium_agent       committed 140    129.50
premium_agent       overage   210.50 195
ivr_port            committed 22     20.50
ivr_port            overage   33.333 31
toll_free_call      committed 12     11
toll_free_call      overage   18     16.50
ivr_outbound_port   committed 40     37
ivr_outbound_port   overage   60     55.50
ai_agent            committed 0.35   0.32
ai_agent            overage   0.45   0.42
ai_assistant        committed 0.20   0.185
ai_assistant        overage   0.275  0.255
recording_storage   committed 0.30   0.28
recording_storage   overage   0.405  0.375
connect_sms         per_unit  0.0075 0.079
connect_whatsapp    per_unit  0.0142 0.0131
connect_email       per_unit  0.0009 0.0008
connect_voice       per_unit  0.021  0.0195
connect_interaction per_unit  0.05   0.046
"""

SPECIAL_PRICES = """
subscription_id tenant_id        meter          charge    unit_price currency model     tier_from
HC-PERMITS      harbor-city      standard_agent committed 89.50      USD      -         -
*               northwind-energy connect_sms    per_unit  0.079      EUR      volume    0
*               northwind-energy connect_sms    per_unit  0.072      EUR      volume    10000
*               northwind-energy connect_sms    per_unit  0.065      EUR      volume    25000
NW-GRID         northwind-energy ai_agent       overage   0.42       EUR      graduated 0
NW-GRID         northwind-energy ai_agent       overage   0.38       EUR      graduated 200
NW-GRID         northwind-energy ai_agent       overage   0.33       EUR      graduated 1000
"""

BROKEN = {
    "harbor-city/2026-09-01": """
event_id tenant_id subscription_id meter user_id started_at ended_at quantity deployment
hc-x01 harbor-city  HC-CLINICS ivr_port - 02.09.2026-10:15     2026-09-02T17:19:00Z - -
hc-x02 harbor-city  HC-CLINICS ivr_port - 2026-09-03T18:40:00Z 2026-09-03T18:04:00Z - -
-      harbor-city  HC-PERMITS ivr_port - 2026-09-03T18:41:00Z 2026-09-03T18:44:00Z - -
""",
    "harbor-city/2026-10-06": """
event_id tenant_id subscription_id meter user_id started_at ended_at quantity deployment
hc-x04 harbor-city  HC-DIGITAL ai_agent - 2026-10-06T09:00:00-07:00 -                - -
hc-x05 harbor-city  HC-DIGITAL ai_agent - 2026-10-06T09:05:00-07:00 -            -2.50 -
hc-x06 harbor-city  HC-DIGITAL ai_agent - 2026-10-06T09:10:00-07:00 -            2,75 -
hc-x07 harbor-city  NW-GRID    ivr_port - 2026-10-07T11:00:00-07:00 2026-10-07T11:03:00-07:00 - -
hc-x08 harbour-city -          ivr_port - 2026-10-07T11:05:00-07:00 2026-10-07T11:06:00-07:00 - -
""",
    "northwind-energy/2026-10-20": """
event_id tenant_id subscription_id meter user_id started_at ended_at quantity deployment
nw-x01 northwind-energy NW-RETAIL fax_page - 2026-10-21T08:00:00+02:00 -                  12 -
nw-x02 northwind-energy -         - nw-admin-01 2026-10-21T08:30:00+02:00 2026-10-21T17:00 - -
nw-x03 northwind-energy NW-GRID   connect_sms - - -                                       80 -
""",
    "lakeside-university/2026-10-13": """
event_id tenant_id subscription_id meter user_id started_at ended_at quantity deployment
lu-x01 lakeside-university LU-CAMPUS ivr_port - 1791997200000 1791997380000 - cellar
lu-x02 -                   LU-CAMPUS ivr_port - 1791997200000 soon          - -
""",
}
"""Tenant and first day of the week of a CSV export: the rows at its end that break the contract."""
