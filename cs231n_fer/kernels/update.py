"""Update rules in one pass: read w, dw and the state once, and write their new values once.

Arrays are flat and processed in parallel blocks of BLOCK numbers, which don't depend on the number
of threads. The inputs are write-protected, so no kernel can write on them, and Numba compiles one
version whatever the caller protects; the outputs are new arrays. Hyperparameters come as float64
and are rounded once to the dtype of w, in which everything is computed. The loops are plain: LLVM
vectorizes them.

Every step takes a State, a NextState, the hyperparameters, and the range begin...end, so that one
driver serves all rules.
"""
from typing import NamedTuple

import numpy as np
from numba import prange

from .parts import BLOCK
from .vectors.calls import DOUBLES, FLOATS, INT, call, step
from .vectors.jit import jit


class State(NamedTuple):
    """The flat arrays that an update reads; those that a rule doesn't use are empty."""
    w: FLOATS
    dw: FLOATS
    first: FLOATS
    second: FLOATS


class NextState(NamedTuple):
    """The flat arrays that an update writes; those that a rule doesn't use are empty."""
    w: FLOATS
    first: FLOATS
    second: FLOATS


@step(State, NextState, DOUBLES, INT, INT)
def sgd(state, following, numbers, begin, end):
    """Apply stochastic gradient descent; optim.formulas.sgd_numpy is the definition."""
    rate = state.w.dtype.type(numbers[0])
    w = state.w[begin:end]
    dw = state.dw[begin:end]
    next_w = following.w[begin:end]
    for i in range(len(w)):
        next_w[i] = w[i] - rate * dw[i]


@step(State, NextState, DOUBLES, INT, INT)
def momentum(state, following, numbers, begin, end):
    """Apply momentum; optim.formulas.momentum_numpy is the definition."""
    real = state.w.dtype.type
    rate = real(numbers[0])
    keep = real(numbers[1])
    look_ahead = real(numbers[2])
    w = state.w[begin:end]
    dw = state.dw[begin:end]
    velocity = state.first[begin:end]
    next_w = following.w[begin:end]
    next_velocity = following.first[begin:end]
    for i in range(len(w)):
        new = keep * velocity[i] - rate * dw[i]
        next_velocity[i] = new
        next_w[i] = w[i] + (new + look_ahead * (new - velocity[i]))


@step(State, NextState, DOUBLES, INT, INT)
def rms(state, following, numbers, begin, end):
    """Apply RMSProp; optim.formulas.rms_numpy is the definition."""
    real = state.w.dtype.type
    rate = real(numbers[0])
    keep = real(numbers[1])
    add = real(numbers[2])
    epsilon = real(numbers[3])
    w = state.w[begin:end]
    dw = state.dw[begin:end]
    cache = state.first[begin:end]
    next_w = following.w[begin:end]
    next_cache = following.first[begin:end]
    for i in range(len(w)):
        square = keep * cache[i] + add * (dw[i] * dw[i])
        next_cache[i] = square
        next_w[i] = w[i] - rate * dw[i] / (np.sqrt(square) + epsilon)


@step(State, NextState, DOUBLES, INT, INT)
def adam(state, following, numbers, begin, end):
    """Apply Adam; optim.formulas.adam_numpy is the definition."""
    real = state.w.dtype.type
    beta1 = real(numbers[0])
    beta2 = real(numbers[1])
    rate = real(numbers[2])
    root_scale = real(numbers[3])
    # Computed in float64: 1 - float32(0.999) is off by 5e-5.
    new1 = real(1 - numbers[0])
    new2 = real(1 - numbers[1])
    epsilon = real(numbers[4])
    shrink = real(numbers[5])
    w = state.w[begin:end]
    dw = state.dw[begin:end]
    m = state.first[begin:end]
    v = state.second[begin:end]
    next_w = following.w[begin:end]
    next_m = following.first[begin:end]
    next_v = following.second[begin:end]
    for i in range(len(w)):
        mean = beta1 * m[i] + new1 * dw[i]
        square = beta2 * v[i] + new2 * (dw[i] * dw[i])
        next_m[i] = mean
        next_v[i] = square
        change = rate * mean / (root_scale * np.sqrt(square) + epsilon)
        # Not (1 - shrink) * w: float32 would round a small shrink away.
        next_w[i] = w[i] - (change + shrink * w[i])


@jit(parallel=True, doubles=("numbers",))
def over_blocks(rule, state, following, numbers):
    """Call the step at the address `rule` for every block."""
    count = len(state.w)
    for block in prange(-(-count // BLOCK)):
        call(rule, state, following, numbers, block * BLOCK, min((block + 1) * BLOCK, count))


def one_pass(rule, arrays, numbers):
    """Apply the step of an update rule to arrays of any memory order.

    arrays    (w, dw, *state) of one shape, float32 or float64
    numbers   tuple of Python floats, the hyperparameters

    Returns [next_w, *next state], new arrays with the dtype and the memory order of w.
    """
    new = [np.empty_like(arrays[0], subok=False) for _ in arrays[1:]]
    w, dw, *old_state = (protected(array, new[0]) for array in arrays)
    next_w, *next_state = (array.ravel(order="K") for array in new)
    first, second = *old_state, *[w[:0]] * (2 - len(old_state))
    next_first, next_second = *next_state, *[next_w[:0]] * (2 - len(next_state))
    state = State(w=w, dw=dw, first=first, second=second)
    following = NextState(w=next_w, first=next_first, second=next_second)
    over_blocks(rule.address(w.dtype), state, following, np.array(numbers, np.float64))
    return new


def as_it_lies(array, like):
    """Return an array, or a copy of it, with the dtype and memory order of the dense `like`."""
    same_order = array.strides == like.strides or lies_alike(array, like)
    if array.dtype == like.dtype and array.flags.aligned and same_order:
        return array
    copy = np.empty_like(like)
    np.copyto(copy, array, casting="same_kind")
    return copy


def lies_alike(array, like):
    """Return whether two arrays of one shape have the same memory order.

    An axis of length 1 may have any stride.
    """
    return all(n == 1 or stride == other for n, stride, other in
               zip(like.shape, array.strides, like.strides, strict=True))


def protected(array, like):
    """Return an array in the memory order of `like`, flat and write-protected."""
    flat = as_it_lies(np.asarray(array), like).ravel(order="K")
    flat.setflags(write=False)
    return flat
