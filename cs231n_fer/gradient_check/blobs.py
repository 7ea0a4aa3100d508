"""Numerical gradients of functions that write their results into blobs, as in the course.

A blob is an object with two arrays of one shape: `vals`, numbers, and `diffs`, the gradient of the
loss with respect to them.
"""
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from ..types import Array
from .checks import eval_numerical_gradient_array

__all__ = ["Blob", "eval_numerical_gradient_blobs", "eval_numerical_gradient_net"]


class Blob(Protocol):
    """Numbers, and the gradient of the loss with respect to them."""

    vals: Array
    diffs: Array


class Net(Protocol):
    """A net that writes its output into a blob when it runs forward."""

    def forward(self) -> Any:
        """Run the net on its input blobs."""


def eval_numerical_gradient_blobs(f: Callable[..., Any], inputs: tuple[Blob, ...], output: Blob,
                                  h: float = 1e-5) -> list[Array]:
    """Return the numerical gradients of sum(output.vals * output.diffs), one for each input.

    f        f(*inputs, output) writes output.vals
    inputs   blobs whose vals are float arrays; they are perturbed in place and restored
    output   blob whose diffs are the gradient of the loss with respect to its vals
    h        step of the centered differences
    Raises ValueError if the vals of an input are no writable array of floats.
    """
    def run(_: Array) -> Array:
        f(*inputs, output)
        return np.array(output.vals)

    return [eval_numerical_gradient_array(run, blob.vals, output.diffs, h) for blob in inputs]


def eval_numerical_gradient_net(net: Net, inputs: tuple[Blob, ...], output: Blob, h: float = 1e-5
                                ) -> list[Array]:
    """Return the numerical gradients of a net whose forward() reads inputs and writes output.

    Arguments and errors are those of eval_numerical_gradient_blobs.
    """
    return eval_numerical_gradient_blobs(lambda *_: net.forward(), inputs, output, h)
