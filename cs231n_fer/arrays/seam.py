"""The seam: every array on its way to a kernel passes through here, and nowhere else.

A kernel is told where the first number of an array is, and believes the rest. So each array must be

    of the right dtype     shapes.common_floats (forward), shapes.gradient_like (backward)
    of the right shape     the same two, and the checks of each layer in shapes.py
    laid out as expected   contiguous, padded, dense: without gaps, aligned, in the byte order of
                           this machine, and writable, as Numba compiles a kernel again for others

What is laid out as expected already is not copied; kernels write on none of their inputs. Behind the
seam kernels/vectors/jit.py refuses to compile a parallel kernel for arrays of mixed dtypes or with gaps.
"""
from . import arena


def contiguous(array, axes):
    """Return array with its axes permuted, without gaps in that order: itself or a copy."""
    turned = array.transpose(axes)
    if turned.flags.carray:
        return turned
    copy = arena.empty(turned.shape, turned.dtype)
    copy[...] = turned
    return copy


def padded(array, size):
    """Return array without gaps, its last axis filled up with zeros to a size: itself or a copy."""
    if array.shape[-1] == size and array.flags.carray:
        return array
    wide = arena.zeros((*array.shape[:-1], size), array.dtype)
    wide[..., :array.shape[-1]] = array
    return wide


def dense(matrix):
    """Return a matrix without gaps, row by row or column by column: itself or a copy."""
    flags = matrix.flags
    return matrix if flags.forc and flags.behaved else contiguous(matrix, (0, 1))


def flattened(matrix):
    """Return the numbers of a dense matrix as they lie in memory, without a copy."""
    return (matrix if matrix.flags.c_contiguous else matrix.T).reshape(-1)
