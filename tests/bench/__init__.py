"""The benchmark: a seeded month of usage, and what it takes to bill it. Not run by the tests."""
