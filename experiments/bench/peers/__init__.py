"""One file for each engine. build(spec) -> Task; a spec is a JSON-able dict, with these keys where
they matter:

    label, group   name of the row, and of the column in SPEED.md's table
    mode           "step" (forward, backward, update), "inference" or "epoch"
    net            nets.Net as a dict
    batch          images in a step
    threads        number of threads
    reference      file of reference.py; where there is one the engine is checked against it before
                   it is timed

An engine that isn't installed fails at the import in its file, and its row says so.
"""
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Task:
    """What a worker times.

    run     does it once
    check   compares its results with the reference: returns a dict of reference.verdict, or {} if
            there is none
    info    what else goes into the results
    """
    run: Callable
    check: Callable = dict
    info: dict = field(default_factory=dict)
