"""The engines that are compared, one file for each, with a function build(spec) -> Task.

A spec is a dict for JSON with these keys, where they apply:

    label, group   name of the row, and of the column in the table of SPEED.md
    mode           "step" (forward, backward, update), "inference" or "epoch"
    net            nets.Net as a dict
    batch          number of images per step
    threads        number of threads
    reference      file of reference.py, if the engine is to be checked before it is timed

If an engine isn't installed, the import in its file fails, and its row says so.
"""
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Task:
    """A computation that a worker times.

    run     runs it once
    check   returns reference.verdict on its results, or {} without a reference
    info    further entries of the results
    """
    run: Callable
    check: Callable = dict
    info: dict = field(default_factory=dict)
