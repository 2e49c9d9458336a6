"""The store: what is written is what is read."""
