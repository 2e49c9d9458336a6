"""The columns of FOCUS 1.4 that we fill, and its words for what we bill.

Belongs here: names and fixed values. Does not belong here: rows (`focus`).

FOCUS columns stand in the order of the alphabet; ours, which begin with `x_`, behind them.
"""

from __future__ import annotations

COST_AND_USAGE = (
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "ContractedUnitPrice",
    "EffectiveCost",
    "HostProviderName",
    "InvoiceDetailId",
    "InvoiceId",
    "InvoiceIssuerName",
    "ListCost",
    "ListUnitPrice",
    "PricingCategory",
    "PricingQuantity",
    "PricingUnit",
    "ServiceCategory",
    "ServiceName",
    "ServiceProviderName",
    "ServiceSubcategory",
    "SkuId",
    "SkuMeter",
    "SkuPriceId",
    "SubAccountId",
    "SubAccountName",
    "SubAccountType",
    "x_Adjustment",
    "x_CorrectsInvoiceDetailId",
    "x_Quantity",
    "x_TenantUsageBySubAccount",
    "x_UnitPrice",
)

INVOICE_DETAIL = (
    "BilledCost",
    "BillingAccountId",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "InvoiceDetailCreated",
    "InvoiceDetailDescription",
    "InvoiceDetailGrain",
    "InvoiceDetailId",
    "InvoiceDetailLastUpdated",
    "InvoiceId",
    "InvoiceIssueDate",
    "InvoiceIssueStatus",
    "InvoiceIssuerName",
    "PaymentDueDate",
    "PaymentTerms",
    "PurchaseOrderNumber",
    "ReferenceInvoiceId",
)

BILLING_PERIOD = (
    "BillingPeriodCreated",
    "BillingPeriodEnd",
    "BillingPeriodLastUpdated",
    "BillingPeriodStart",
    "BillingPeriodStatus",
    "InvoiceIssuerName",
)

SERVICE = {
    "ServiceCategory": "Business Applications",
    "ServiceSubcategory": "Productivity and Collaboration",
    "ServiceName": "Webex Contact Center",
}

CATEGORY = {"committed": "Purchase", "usage": "Usage", "overage": "Usage"}
"""ChargeCategory by the kind of a line."""

FREQUENCY = {"committed": "Recurring", "usage": "Usage-Based", "overage": "Usage-Based"}
"""ChargeFrequency by the kind of a line."""

UNITS = {
    "agent": "Agents",
    "call": "Calls",
    "GB": "GB",
    "interaction": "Interactions",
    "message": "Messages",
    "minute": "Minutes",
    "port": "Ports",
}
"""Units of the catalogue as FOCUS writes them."""
