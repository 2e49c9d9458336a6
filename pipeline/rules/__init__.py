"""The rule book as small pure functions, one file a rule.

Owns: every decision that R1 to R10 make. Does not own: files, and the order of work. Most decide
about one tenant's values; where very many are asked at once, about columns of them.
"""
