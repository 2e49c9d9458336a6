"""The measures of R4: every fast kernel against a slow plain twin."""
