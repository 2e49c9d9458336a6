"""The hot kernels of R4: arrays in, arrays out.

Owns: counting many rows at once, exactly. Does not own: what is counted, and its names.
"""
