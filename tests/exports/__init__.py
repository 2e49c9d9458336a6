"""Exports, from files to exact typed batches."""
