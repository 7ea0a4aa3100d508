"""Mutated files: the same of every number and seed, on any machine; read by a process that is
replaced when it dies."""
