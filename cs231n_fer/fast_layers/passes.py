"""The forward and the backward pass of a planned convolution and of what is fused with it.

These functions take memory from the arena and call the kernels. Logical shapes are those of the
course; images are stored as (N, H, W, C) and filters as (HH, WW, C, F), and arrays that come in
another memory order are copied.
"""
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..arrays import arena
from ..arrays.seam import channels_first, contiguous, padded
from ..kernels import conv as kernels
from ..kernels.arguments import BackwardArrays, BackwardOptions, Epilogue, ForwardArrays, Parts
from ..kernels.memory import STREAM_BYTES
from ..kernels.shape import VECTORS, Plan
from ..kernels.vectors.machine import MOST_THREADS, threads
from ..shapes import check, gradient_like
from ..types import Array, Shape
from .plans import ConvCache

__all__ = ["LINEAR", "Gradients", "Outputs", "parts_of", "prepare_weights", "run_backward",
           "run_forward", "scratch_of"]

LINEAR = Epilogue(writes=True, relu=False, pools=False, sums=False)
Gradients: TypeAlias = tuple[Array | None, Array, Array]  # dx or None, dw, db


class Outputs(NamedTuple):
    """What a forward pass writes; arrays that its epilogue doesn't write are empty."""
    out: Array                   # (N, Ho, Wo, F)
    pooled: Array                # (N, Ho // 2, Wo // 2, F)
    argmax: NDArray[np.uint8]    # (N, Ho // 2, Wo // 2, Fp)
    sums: Array                  # (N, 2, Fp)


def run_forward(cached: ConvCache, b: Array, epilogue: Epilogue,
                sign: Array | None = None) -> Outputs:
    """Convolve, add b (F,) and apply an epilogue.

    sign   (F,), see kernels.pixels.pool; None: ones
    Raises ValueError where the outputs of the convolution are too small for the pool.
    """
    x, _, conv = cached
    plan = conv.plan
    size = plan.size
    N = len(x)
    dtype = x.dtype
    out = conv.nothing
    pooled = conv.nothing
    argmax = conv.no_bytes
    sums = conv.nothing
    if epilogue.writes:
        out = arena.empty((N, size.Ho, size.Wo, size.F), dtype)
    if epilogue.sums:
        sums = arena.empty((N, 2, size.Fp), dtype)
    if epilogue.pools:
        check(min(size.Ho, size.Wo) >= 2,
              f"window: size 2 does not fit into {size.Ho} x {size.Wo}, the outputs of the "
              "convolution; use larger images or more padding")
        pooled = arena.empty((N, size.Ho // 2, size.Wo // 2, size.F), dtype)
        argmax = arena.empty((N, size.Ho // 2, size.Wo // 2, size.Fp), np.uint8)
    in_place = (epilogue.writes and not epilogue.relu and out.nbytes <= STREAM_BYTES
                and plan.z_grid[:3] == (size.Ho, size.Wo, size.F) and not np.count_nonzero(b))
    scratch = scratch_of(plan, dtype)
    if in_place:
        epilogue = epilogue._replace(in_place=True)
    arrays = ForwardArrays(
        x=x.reshape(-1), weights=prepare_weights(cached, scratch), bias=padded(b, size.Fp),
        sign=conv.ones if sign is None else padded(sign, size.Fp), out=out.reshape(-1),
        pooled=pooled.reshape(-1), argmax=argmax.reshape(-1), sums=sums.reshape(-1))
    kernels.forward(conv.numbers, conv.forward, epilogue, arrays, parts_of(N, plan), scratch)
    return Outputs(out, pooled, argmax, sums)


def run_backward(cached: ConvCache, dout: Array, *, relu: bool = False, kept: Array | None = None,
                 argmax: NDArray[np.uint8] | None = None, vectors: Array | None = None,
                 want_dx: bool = True) -> Gradients:
    """Return dx, dw, db of a convolution with its epilogue; dx is None if want_dx is False.

    dout      (N, F, Ho, Wo), or (N, F, Ho // 2, Wo // 2) below a max-pool
    relu      whether the gradient passes only where `kept` is positive
    kept      (N, Ho, Wo, F): the output of ReLU; with batchnorm z, its input
    argmax    (N, Ho // 2, Wo // 2, Fp): of every window, below a max-pool
    vectors   (4, Fp), with batchnorm, see channels.backward_vectors
    """
    x, w, conv = cached
    plan = conv.plan
    size = plan.size
    dtype = x.dtype
    N = len(x)
    dout = gradient_like(dout, out_shape(cached, pooled=argmax is not None), dtype, "conv")
    if N == 0:
        return gradients_of_no_images(cached, want_dx)
    chunks = kernels.chunks_of(N)
    splits = kernels.backward_splits(plan, threads(), chunks, want_dx)
    scratch = scratch_of(plan, dtype)
    weights = conv.nothing
    dx = conv.nothing
    if want_dx:
        weights = prepare_weights(cached, scratch, turned=not plan.few_channels)
        dx = arena.empty(x.shape, dtype)
    dw = arena.empty((chunks, w.size), dtype)
    db = arena.empty((splits, chunks, size.Fp), dtype)
    arrays = BackwardArrays(
        x=x.reshape(-1), weights=weights, dout=contiguous(dout, (0, 2, 3, 1)).reshape(-1),
        kept=conv.nothing if kept is None else kept.reshape(-1),
        argmax=conv.no_bytes if argmax is None else argmax.reshape(-1),
        vectors=conv.nothing if vectors is None else vectors.reshape(-1), dx=dx.reshape(-1))
    options = BackwardOptions(relu=relu, want_dx=want_dx)
    parts = Parts(images=N, ranges=chunks, splits=splits)
    steps = kernels.backward_addresses(plan.m, dtype)
    kernels.backward(conv.numbers, steps, options, arrays, dw, db, parts, scratch)
    return (channels_first(dx) if want_dx else None, filters_first(dw[0].reshape(w.shape)),
            db[0, 0, :size.F].copy())


def filters_first(w: Array) -> Array:
    """View filters (HH, WW, C, F) as (F, C, HH, WW)."""
    return w.transpose(3, 2, 0, 1)


def gradients_of_no_images(cached: ConvCache, want_dx: bool) -> Gradients:
    """Return dx, dw, db of an empty batch: empty sums, which no kernel would write."""
    x, w, conv = cached
    dx = channels_first(np.zeros(x.shape, x.dtype)) if want_dx else None
    return dx, filters_first(np.zeros(w.shape, w.dtype)), np.zeros(conv.plan.size.F, w.dtype)


def out_shape(cached: ConvCache, pooled: bool) -> Shape:
    """Return the shape of a convolution's output (N, F, Ho, Wo), behind a 2 x 2 pool if pooled."""
    size = cached.size
    window = 2 if pooled else 1
    return len(cached.x), size.F, size.Ho // window, size.Wo // window


def parts_of(N: int, plan: Plan) -> Parts:
    """Return the Parts of a batch, and of every image if there are fewer images than threads."""
    size = plan.size
    workers = threads()
    ranges = max(1, min(workers, N))
    most = size.Fp // (VECTORS * size.lanes) if plan.m else -(-size.Ho // plan.strip)
    splits = max(1, min(workers // ranges, most))
    return Parts(images=N, ranges=ranges, splits=splits)


def prepare_weights(cached: ConvCache, scratch: Array, turned: bool = False) -> Array:
    """Return the weights in the layout that the algorithm multiplies with, flat.

    scratch   see scratch_of
    turned    for the gradient of x: filters and channels change places
    """
    _, w, conv = cached
    plan = conv.plan
    size = plan.size
    taps = (plan.m + 2) ** 2 if plan.m else size.HH * size.WW
    apart = plan.UT_apart if turned else plan.U_apart
    rows = size.F if turned else size.C
    u = arena.empty(taps * apart, w.dtype)
    kernels.prepare(conv.numbers, conv.forward.prepare, w.reshape(-1), scratch, rows, turned, u)
    return u


def scratch_of(plan: Plan, dtype: np.dtype[Any]) -> Array:
    """Return a workspace for all threads, (MOST_THREADS, plan.scratch).

    Pages that no thread touches take no memory.
    """
    return arena.empty((MOST_THREADS, plan.scratch), dtype)
