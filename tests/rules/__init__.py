"""The rule book as tests: every case is small enough to be checked by hand against its rule."""
