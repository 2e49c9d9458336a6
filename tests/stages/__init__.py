"""The stages: what becomes of usage, against slow plain twins."""
