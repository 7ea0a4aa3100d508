"""Compile the kernels of a training step, the last ones first: what kernels/vectors/helper.py runs in a second process.

Each part calls them with next to nothing, so that they are compiled for the types that a step calls them with.
"""
import os
from threading import Thread

import numpy as np

from ..kernels import conv, update
from ..kernels.vectors.calls import flat
from .affine import matrix_product, rows_of
from .gradients import l2_gradients
from .losses import softmax_loss_fast
from .passes import run_backward
from .plans import ConvCache, Convolution, choose_plan

TILES = 0, 4, 3  # of the final net from its first layer on; 0: direct convolution


def update_and_gradients(dtype):
    """Adam, and the pass over all gradients before it."""
    w = np.zeros(1, dtype)
    update.one_pass(update.adam, (w, w, w, w), (0.0,) * 6)
    l2_gradients({"w": w}, {"w": w}, {"w": 0.0})


def convolutions(dtype):
    """The backward pass of a convolution, without what only a forward pass needs."""
    for m in TILES:
        for step in reversed(conv.backward_steps(m)):
            step.address(dtype)
    plan = choose_plan(1, (1, 3, 3), (1, 1, 1, 1), 1, 0, dtype, "fast")
    found = Convolution(plan, flat(plan), (), np.empty(0, dtype), np.empty(0, np.uint8), np.ones(1, dtype))
    x, w = np.zeros((1, 3, 3, 1), dtype), np.zeros((1, 1, 1, 1), dtype)
    run_backward(ConvCache(x, w, found), np.zeros((1, 1, 3, 3), dtype), want_dx=False)


def classifier(dtype):
    """The loss and the affine layers."""
    softmax_loss_fast(np.zeros((1, 2), dtype), np.zeros(1, int))
    matrix_product(np.ones((1, 1), dtype), np.ones((1, 1), dtype))
    rows_of(np.zeros((1, 2, 1, 1), dtype))


PARTS = update_and_gradients, convolutions, classifier


def main(real):
    """Run all parts for the dtype of a name; the process ends early where the one that began it does."""
    Thread(target=end_with_parent, daemon=True).start()
    for part in PARTS:
        part(np.dtype(real))


def end_with_parent():
    """End this process when the parent does, by whatever: the system then closes its end of our standard input."""
    os.read(0, 1)  # not sys.stdin: who waits in it holds up the end of the process
    os._exit(0)
