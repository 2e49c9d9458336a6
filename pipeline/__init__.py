"""tenantbill: bills Webex Contact Center tenants that hold several subscriptions."""
