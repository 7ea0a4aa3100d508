"""Compile the kernels of a training step, the last ones first.

kernels/vectors/helper.py runs this module in a second process. Each part calls kernels with tiny
arrays, so that they are compiled for the types that a training step calls them with.
"""
import os
from threading import Thread
from typing import Any

import numpy as np

from ..kernels import conv, update
from ..kernels.vectors.calls import flat
from .affine import matrix_product, rows_of
from .gradients import l2_gradients
from .losses import softmax_loss_fast
from .passes import run_backward
from .plans import ConvCache, Convolution, choose_plan

__all__ = ["PARTS", "TILES", "main"]

TILES = (0, 4, 3)  # of the final net, from its first layer on; 0: direct convolution


def update_and_gradients(dtype: np.dtype[Any]) -> None:
    """Compile Adam, and the pass over all gradients before it."""
    w = np.zeros(1, dtype)
    update.one_pass(update.adam, (w, w, w, w), (0.0,) * 6)
    l2_gradients({"w": w}, {"w": w}, {"w": 0.0})


def convolutions(dtype: np.dtype[Any]) -> None:
    """Compile the backward pass of a convolution, without what only a forward pass needs."""
    for m in TILES:
        for step in reversed(conv.backward_steps(m)):
            step.address(dtype)
    plan = choose_plan(1, (1, 3, 3), (1, 1, 1, 1), 1, 0, dtype, "fast")
    no_steps = conv.ForwardSteps._make([0] * len(conv.ForwardSteps._fields))
    found = Convolution(
        plan=plan, numbers=flat(plan), forward=no_steps, nothing=np.empty(0, dtype),
        no_bytes=np.empty(0, np.uint8), ones=np.ones(1, dtype))
    cached = ConvCache(np.zeros((1, 3, 3, 1), dtype), np.zeros((1, 1, 1, 1), dtype), found)
    run_backward(cached, np.zeros((1, 1, 3, 3), dtype), want_dx=False)


def classifier(dtype: np.dtype[Any]) -> None:
    """Compile the loss and the affine layers."""
    softmax_loss_fast(np.zeros((1, 2), dtype), np.zeros(1, int))
    matrix_product(np.ones((1, 1), dtype), np.ones((1, 1), dtype))
    rows_of(np.zeros((1, 2, 1, 1), dtype))


PARTS = (update_and_gradients, convolutions, classifier)


def main(real: str) -> None:
    """Run all parts for a dtype, given by name; the process ends early if its parent does."""
    Thread(target=end_with_parent, daemon=True).start()
    for part in PARTS:
        part(np.dtype(real))


def end_with_parent() -> None:
    """End this process when its parent ends, whatever the reason.

    The system then closes the parent's end of our standard input.
    """
    os.read(0, 1)  # not sys.stdin: a thread that waits in it delays the end of the process
    os._exit(0)
