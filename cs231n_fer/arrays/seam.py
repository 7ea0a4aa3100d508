"""The seam: the only way for an array to reach a kernel.

A kernel is told where an array begins in memory and relies on the rest. So every array must

    have the right dtype    shapes.common_floats (forward), shapes.gradient_like (backward)
    have the right shape    the same two functions, and the checks of each layer in shapes.py
    have the right layout   contiguous, padded, dense: no gaps, aligned, in the byte order of this
                            machine, and writable, as Numba compiles a kernel again for others

An array that is laid out correctly is not copied; kernels never write on their inputs. Behind the
seam kernels/vectors/jit.py refuses to compile a parallel kernel for arrays of mixed dtypes or with
gaps.
"""
from typing import Any

from numpy.typing import NDArray

from ..types import Shape
from . import arena

__all__ = ["channels_first", "contiguous", "dense", "padded"]


def contiguous(array: NDArray[Any], axes: Shape) -> NDArray[Any]:
    """Return an array with its axes permuted, C-contiguous in that order: a view or a copy."""
    turned = array.transpose(axes)
    if turned.flags.carray:
        return turned
    copy = arena.empty(turned.shape, turned.dtype)
    copy[...] = turned
    return copy


def channels_first(array: NDArray[Any]) -> NDArray[Any]:
    """View an array (N, H, W, C) as (N, C, H, W)."""
    return array.transpose(0, 3, 1, 2)


def padded(array: NDArray[Any], size: int) -> NDArray[Any]:
    """Return an array C-contiguous, its last axis padded with zeros to a size: itself or a copy."""
    if array.shape[-1] == size and array.flags.carray:
        return array
    wide = arena.zeros((*array.shape[:-1], size), array.dtype)
    wide[..., :array.shape[-1]] = array
    return wide


def dense(matrix: NDArray[Any]) -> NDArray[Any]:
    """Return a matrix without gaps, in C or Fortran order: itself or a copy in C order."""
    flags = matrix.flags
    return matrix if flags.forc and flags.behaved else contiguous(matrix, (0, 1))
