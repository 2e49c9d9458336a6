"""The rule book as small pure functions, one file a rule.

Owns: every decision that R1 to R10 make. Does not own: frames, files, and the order of work.
"""
