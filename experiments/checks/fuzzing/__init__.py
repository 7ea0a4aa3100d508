"""Mutated files, which depend only on format, number and seed, and the processes that read them."""
