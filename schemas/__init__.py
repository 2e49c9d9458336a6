"""The contract: feeds in, datasets out. Imports nothing of `pipeline`."""
