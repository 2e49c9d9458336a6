"""Documents: every format, read back by somebody else."""
