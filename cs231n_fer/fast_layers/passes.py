"""The forward and the backward pass of a planned convolution with whatever follows it.

Memory is taken from the arena and the kernels are called. Logical shapes are the course's; the memory
of images is (N, H, W, C) and that of filters (HH, WW, C, F), and what comes in otherwise is copied.
"""
from typing import NamedTuple

import numpy as np

from ..arrays import arena
from ..arrays.seam import contiguous, padded
from ..kernels import conv as kernels
from ..kernels import patches, pixels
from ..kernels.arguments import BackwardArrays, BackwardOptions, Epilogue, ForwardArrays, Parts
from ..kernels.memory import STREAM_BYTES
from ..kernels.shape import VECTORS
from ..kernels.vectors.calls import flat
from ..kernels.vectors.machine import MOST_THREADS, threads
from ..shapes import gradient_like

LINEAR = Epilogue(writes=True, relu=False, pools=False, sums=False)


def scratch_of(plan, dtype):
    """Scratch memory for every thread that there may be; what none of them touches takes no memory."""
    return arena.empty((MOST_THREADS, plan.scratch), dtype)


def prepare_weights(cached, scratch, turned=False):
    """Return the weights as the engine multiplies with them, flat; turned for the gradient of x; see scratch_of."""
    _, w, conv = cached
    plan, size = conv.plan, conv.plan.size
    taps = (plan.m + 2) ** 2 if plan.m else size.HH * size.WW
    apart, rows = (plan.UT_apart, size.F) if turned else (plan.U_apart, size.C)
    u = arena.empty(taps * apart, w.dtype)
    kernels.prepare(conv.numbers, conv.forward.prepare, w.reshape(-1), scratch, rows, turned, u)
    return u


class Outputs(NamedTuple):
    """What a forward kernel writes; arrays that its epilogue doesn't write are empty."""
    out: np.ndarray      # (N, Ho, Wo, F)
    pooled: np.ndarray   # (N, Ho // 2, Wo // 2, F)
    winners: np.ndarray  # (N, Ho // 2, Wo // 2, Fp) uint8
    sums: np.ndarray     # (N, 2, Fp)


def run_forward(cached, b, epilogue, sign=None):
    """Convolve, add b (F,) and apply the epilogue; returns Outputs. sign (F,) as kernels.pixels.pool takes it."""
    x, w, conv = cached
    plan, size, N, dtype = conv.plan, conv.plan.size, len(x), x.dtype
    out = arena.empty((N, size.Ho, size.Wo, size.F), dtype) if epilogue.writes else conv.nothing
    sums = arena.empty((N, 2, size.Fp), dtype) if epilogue.sums else conv.nothing
    pooled, winners = conv.nothing, conv.no_bytes
    if epilogue.pools:
        pooled = arena.empty((N, size.Ho // 2, size.Wo // 2, size.F), dtype)
        winners = arena.empty((N, size.Ho // 2, size.Wo // 2, size.Fp), np.uint8)
    in_place = (epilogue.writes and not epilogue.relu and out.nbytes <= STREAM_BYTES
                and plan.z_grid[:3] == (size.Ho, size.Wo, size.F) and not np.count_nonzero(b))
    scratch = scratch_of(plan, dtype)
    arrays = ForwardArrays(
        x=x.reshape(-1), weights=prepare_weights(cached, scratch), bias=padded(b, size.Fp),
        sign=conv.ones if sign is None else padded(sign, size.Fp), out=out.reshape(-1),
        pooled=pooled.reshape(-1), argmax=winners.reshape(-1), sums=sums.reshape(-1))
    if in_place:
        epilogue = epilogue._replace(in_place=True)
    kernels.forward(conv.numbers, conv.forward, epilogue, arrays, parts_of(N, plan), scratch)
    return Outputs(out, pooled, winners, sums)


def parts_of(N, plan):
    """Return the Parts of a batch, and of each image where there are fewer images than threads."""
    size, workers = plan.size, threads()
    ranges = max(1, min(workers, N))
    most = size.Fp // (VECTORS * size.lanes) if plan.m else -(-size.Ho // plan.strip)
    return Parts(images=N, ranges=ranges, splits=max(1, min(workers // ranges, most)))


def run_backward(cached, dout, *, relu=False, kept=None, winners=None, vectors=None, want_dx=True):
    """Return dx, dw, db of a convolution and its epilogue, see kernels.conv.backward; dx is None without want_dx.

    dout (N, F, Ho, Wo), or (N, F, Ho // 2, Wo // 2) with winners (N, Ho // 2, Wo // 2, Fp); kept (N, Ho, Wo, F),
    vectors (4, Fp).
    """
    x, w, conv = cached
    plan, size, dtype, N, chunks = conv.plan, conv.plan.size, x.dtype, len(x), kernels.chunks_of(len(x))
    dout = gradient_like(dout, out_shape(cached, pooled=winners is not None), dtype, "conv")
    if N == 0:
        return gradients_of_nothing(cached, want_dx)
    scratch = scratch_of(plan, dtype)
    prepared = conv.nothing
    if want_dx:
        prepared = prepare_weights(cached, scratch, turned=not plan.few_channels)
    dx = arena.empty(x.shape, dtype) if want_dx else conv.nothing
    splits = kernels.backward_splits(plan, threads(), chunks, want_dx)
    dw, db = arena.empty((chunks, w.size), dtype), arena.empty((splits, chunks, size.Fp), dtype)
    arrays = BackwardArrays(
        x=x.reshape(-1), weights=prepared, dout=contiguous(dout, (0, 2, 3, 1)).reshape(-1),
        kept=conv.nothing if kept is None else kept.reshape(-1),
        argmax=conv.no_bytes if winners is None else winners.reshape(-1),
        vectors=conv.nothing if vectors is None else vectors.reshape(-1), dx=dx.reshape(-1))
    options = BackwardOptions(relu=relu, want_dx=want_dx)
    parts = Parts(images=N, ranges=chunks, splits=splits)
    steps = kernels.backward_addresses(plan.m, dtype)
    kernels.backward(conv.numbers, steps, options, arrays, dw, db, parts, scratch)
    dw = dw[0].reshape(w.shape).transpose(3, 2, 0, 1)
    return dx.transpose(0, 3, 1, 2) if want_dx else None, dw, db[0, 0, :size.F].copy()


def out_shape(cached, pooled):
    """Return the shape of what a convolution gives, (N, F, Ho, Wo), behind a 2 x 2 pool (N, F, Ho // 2, Wo // 2)."""
    size, part = cached.size, 2 if pooled else 1
    return len(cached.x), size.F, size.Ho // part, size.Wo // part


def gradients_of_nothing(cached, want_dx):
    """Return dx, dw, db of a batch without images: sums over none of them, which no kernel would write."""
    x, w, conv = cached
    dx = np.zeros(x.shape, x.dtype).transpose(0, 3, 1, 2) if want_dx else None
    return dx, np.zeros(w.shape, w.dtype).transpose(3, 2, 0, 1), np.zeros(conv.plan.size.F, w.dtype)


def window_moments(cached):
    """Moments of all windows p of one-channel images, in float64: what patches.py adds up, of all images together.

    Returns (mean (taps, 1), sum of (p - mean)(p - mean)^T (taps, taps), number of windows).
    """
    size, dtype, N = cached.size, cached.x.dtype, len(cached.x)
    windows = patches.windows_of(size)
    sums, centres = arena.empty(patches.sums_shape(N, size), dtype), arena.empty(N, dtype)
    scratch = arena.empty((MOST_THREADS, patches.scratch_size(windows)), dtype)
    patches.over_images(flat(windows), pixels.pack.address(dtype), patches.moments.address(dtype), cached.x.reshape(-1),
                        sums.reshape(-1), centres, scratch, N)
    taps, count = size.HH * size.WW, size.Ho * size.Wo
    centre, scatter = np.empty(taps), np.empty((taps, taps))
    patches.combine(sums, centres, count, centre, scatter)
    return centre[:, None], scatter, N * count
