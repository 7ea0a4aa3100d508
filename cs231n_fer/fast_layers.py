"""The compiled rungs of convolution and affine layers: the contract of layers/, over the kernels.

Here shapes are checked, memory is taken from the arena, a kernel is called and the cache is packed.
Logical shapes are the course's; the memory of images is (N, H, W, C) and that of filters (HH, WW, C, F), and what
comes in otherwise is copied. `engine` is "fast" (direct convolution), "winograd", or "auto": Winograd for 3 x 3 filters
of stride 1 and at least a vector of channels and filters, else direct.

The names that the course's notebooks import from here are at the end.
"""
from functools import cache
from math import prod
from typing import NamedTuple

import numpy as np

from . import memory
from .fast_pool import max_pool_backward_fast, max_pool_forward_fast, moved
from .kernels import conv as kernels
from .kernels import patches, pixels, product
from .kernels.direct import direct_plan
from .kernels.jit import DISABLED
from .kernels.machine import MOST_THREADS, VECTOR_BYTES, lanes_of, set_threads, threads
from .kernels.shape import VECTORS, Plan, conv_size
from .kernels.steps import flat
from .kernels.winograd import best_m, winograd_plan
from .layers import (
    conv_backward_im2col,
    conv_forward_im2col,
    max_pool_backward_im2col,
    max_pool_backward_reshape,
    max_pool_forward_im2col,
    max_pool_forward_reshape,
)
from .layers.affine import affine_arguments
from .seam import contiguous, dense, flattened, padded
from .shapes import conv_arguments, conv_geometry, gradient_like

COMPILED = not DISABLED  # without the compiler kernels are Python functions, for debugging
LINEAR = kernels.Epilogue(writes=True, relu=False, pools=False, sums=False)


class Convolution(NamedTuple):
    """A convolution of one size: its plan, and what kernels are handed of it; found again by its sizes."""
    plan: Plan
    numbers: np.ndarray         # flat(plan)
    forward: tuple              # addresses of the steps of a forward pass
    nothing: np.ndarray         # (0,) for arrays that are not there
    no_bytes: np.ndarray
    ones: np.ndarray            # (Fp,)

    def __reduce__(self):
        """A copy is found again by its size: addresses are those of one process."""
        return moved, (VECTOR_BYTES, of_size, self.plan.size, self.plan.m, self.ones.dtype)


class ConvCache(NamedTuple):
    """A convolution's checked arguments, as its kernels take them, forward and backward."""
    x: np.ndarray   # (N, H, W, C) in memory
    w: np.ndarray   # (HH, WW, C, F) in memory
    conv: Convolution

    @property
    def size(self):
        """The ConvSize."""
        return self.conv.plan.size


PLAN_IMAGES = 16  # the size of Winograd's tiles is chosen for so many images at most


def find_convolution(x, w, conv_param, engine):
    """Return the Convolution of images x with filters w of one dtype; raises ValueError where conv_param is wrong."""
    stride, pad = conv_geometry(conv_param)
    return convolution(min(len(x), PLAN_IMAGES), x.shape[1:], w.shape, stride, pad, x.dtype, engine)


@cache
def convolution(images, image_shape, w_shape, stride, pad, dtype, engine):
    """The Convolution of images (C, H, W); compiles or loads the steps of its forward pass."""
    return of_plan(choose_plan(images, image_shape, w_shape, stride, pad, dtype, engine), dtype)


def of_plan(plan, dtype):
    """The Convolution of a plan."""
    return Convolution(plan, flat(plan), kernels.forward_addresses(plan.m, dtype), np.empty(0, dtype),
                       np.empty(0, np.uint8), np.ones(plan.size.Fp, dtype))


def of_size(size, m, dtype):
    """The Convolution of a ConvSize, by Winograd's tiles of m outputs or directly (m = 0)."""
    return of_plan(winograd_plan(size, m, dtype.itemsize) if m else direct_plan(size), dtype)


def choose_plan(images, image_shape, w_shape, stride, pad, dtype, engine):
    """The Plan of a convolution of images (C, H, W): which engine computes it, and in which blocks."""
    size = conv_size(image_shape, w_shape, stride, pad, dtype)
    possible = (size.HH, size.WW, size.stride) == (3, 3, 1)
    # Transforms cost about as much as a product with one vector of channels.
    worth_it = min(size.C, size.F) >= size.lanes
    if possible and (engine == "winograd" or (engine == "auto" and worth_it)):
        return winograd_plan(size, best_m(size, images), dtype.itemsize)
    return direct_plan(size)


def scratch_of(plan, dtype):
    """Scratch memory for every thread that there may be; what none of them touches takes no memory."""
    return memory.empty((MOST_THREADS, plan.scratch), dtype)


def prepare_weights(cached, scratch, turned=False):
    """Return the weights as the engine multiplies with them, flat; turned for the gradient of x; see scratch_of."""
    _, w, conv = cached
    plan, size = conv.plan, conv.plan.size
    taps = (plan.m + 2) ** 2 if plan.m else size.HH * size.WW
    apart, rows = (plan.UT_apart, size.F) if turned else (plan.U_apart, size.C)
    u = memory.empty(taps * apart, w.dtype)
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
    out = memory.empty((N, size.Ho, size.Wo, size.F), dtype) if epilogue.writes else conv.nothing
    sums = memory.empty((N, 2, size.Fp), dtype) if epilogue.sums else conv.nothing
    pooled, winners = conv.nothing, conv.no_bytes
    if epilogue.pools:
        pooled = memory.empty((N, size.Ho // 2, size.Wo // 2, size.F), dtype)
        winners = memory.empty((N, size.Ho // 2, size.Wo // 2, size.Fp), np.uint8)
    in_place = (epilogue.writes and not epilogue.relu and out.nbytes <= pixels.STREAM_BYTES
                and plan.z_grid[:3] == (size.Ho, size.Wo, size.F) and not np.count_nonzero(b))
    scratch = scratch_of(plan, dtype)
    kernels.forward(conv.numbers, conv.forward, epilogue, in_place, x.reshape(-1), prepare_weights(cached, scratch),
                    padded(b, size.Fp), conv.ones if sign is None else padded(sign, size.Fp), out.reshape(-1),
                    pooled.reshape(-1), winners.reshape(-1), sums.reshape(-1), N, *parts_of(N, plan),
                    scratch)
    return Outputs(out, pooled, winners, sums)


def parts_of(N, plan):
    """Parts of a batch, and of each image where the batch has fewer images than there are threads."""
    size, workers = plan.size, threads()
    ranges = max(1, min(workers, N))
    most = size.Fp // (VECTORS * size.lanes) if plan.m else -(-size.Ho // plan.strip)
    return ranges, max(1, min(workers // ranges, most))


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
    prepared = prepare_weights(cached, scratch, turned=not plan.few) if want_dx else conv.nothing
    dx = memory.empty(x.shape, dtype) if want_dx else conv.nothing
    splits = kernels.backward_splits(plan, threads(), chunks, want_dx)
    dw, db = memory.empty((chunks, w.size), dtype), memory.empty((splits, chunks, size.Fp), dtype)
    kernels.backward(
        conv.numbers, kernels.backward_addresses(plan.m, dtype), relu, contiguous(dout, (0, 2, 3, 1)).reshape(-1),
        conv.nothing if kept is None else kept.reshape(-1), conv.no_bytes if winners is None else winners.reshape(-1),
        conv.nothing if vectors is None else vectors.reshape(-1), x.reshape(-1), prepared, want_dx,
        dx.reshape(-1), dw, db, splits, scratch, N)
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
    sums, centres = memory.empty(patches.sums_shape(N, size), dtype), memory.empty(N, dtype)
    scratch = memory.empty((MOST_THREADS, patches.scratch_size(windows)), dtype)
    patches.over_images(flat(windows), pixels.pack.address(dtype), patches.moments.address(dtype), cached.x.reshape(-1),
                        sums.reshape(-1), centres, scratch, N)
    taps, count = size.HH * size.WW, size.Ho * size.Wo
    centre, scatter = np.empty(taps), np.empty((taps, taps))
    patches.combine(sums, centres, count, centre, scatter)
    return centre[:, None], scatter, N * count


def conv_cache(x, w, b, conv_param, engine):
    """Check the arguments of a convolution; return its ConvCache, and b in the same dtype."""
    x, w, b = conv_arguments(x, w, b)
    found = find_convolution(x, w, conv_param, engine)
    return ConvCache(contiguous(x, (0, 2, 3, 1)), contiguous(w, (2, 3, 1, 0)), found), b


def conv_forward(x, w, b, conv_param, engine="auto"):
    """Convolve with the compiled kernels; arguments, returns and errors as layers.conv_forward_naive."""
    cached, b = conv_cache(x, w, b, conv_param, engine)
    return run_forward(cached, b, LINEAR).out.transpose(0, 3, 1, 2), cached


def conv_backward(dout, cache, want_dx=True):
    """Return dx, dw, db of conv_forward; without want_dx None takes the place of dx."""
    return run_backward(cache, dout, want_dx=want_dx)


def conv_forward_fast(x, w, b, conv_param):
    """Convolve directly, any window and stride; as layers.conv_forward_naive."""
    return conv_forward(x, w, b, conv_param, "fast")


def conv_forward_winograd(x, w, b, conv_param):
    """Convolve by Winograd's algorithm; filters other than 3 x 3 of stride 1 directly; as layers.conv_forward_naive.

    In float32 the error against float64 is about 5e-6 of the largest output, ten times that of direct convolution.
    The transforms multiply the numbers of x by up to 100, so those above 3e36 may overflow where other rungs are
    finite, and a NaN or infinity in x spreads over all outputs of its tiles.
    """
    return conv_forward(x, w, b, conv_param, "winograd")


conv_backward_fast = conv_backward_winograd = conv_backward


def matrix_product(a, b):
    """Return a b for matrices (R, K) and (K, M) of one dtype, which may have any strides."""
    if not a.size or not b.size:
        return np.zeros((len(a), b.shape[1]), a.dtype)
    arguments, out = product_call(dense(a), b)
    product.product(*arguments)
    return out[:, :b.shape[1]]


def product_of(a, b):
    """Return a b; NumPy's BLAS finishes a small product before a kernel of ours has its arguments (22 us beside 55).

    Its bits don't depend on the number of threads either.
    """
    return a @ b if a.size * b.shape[1] <= SMALL else matrix_product(a, b)


SMALL = 2 ** 18  # multiplications: up to here OpenBLAS takes one thread


def product_call(a, b):
    """Return (arguments, out): with them kernels.product.product writes the product of a (R, K) and b (K, M) to out.

    a must be dense, as the arguments hold its memory and no copy of it. out has the columns of a register tile at
    least; those beyond M are zeros.
    """
    rows, columns, lanes, itemsize = len(a), b.shape[1], lanes_of(a.dtype), a.itemsize
    b = padded(b, max(columns, VECTORS * lanes))
    parts = product.parts_of_steps(rows, len(b))
    c = memory.empty((parts, rows, b.shape[1]), a.dtype)
    scratch = memory.empty((MOST_THREADS, product.scratch_size(rows, len(b), parts, lanes)), a.dtype)
    arguments = (product.product_part.address(a.dtype), flattened(a), a.strides[0] // itemsize,
                 a.strides[1] // itemsize, b.reshape(-1), c.reshape(-1), rows, len(b), b.shape[1], lanes, parts,
                 product.block_of(rows), scratch)
    return arguments, c[0]


def affine_forward_fast(x, w, b):
    """Compute out = x w + b; arguments, returns and errors as layers.affine_forward_naive."""
    x, w, b = affine_arguments(x, w, b)
    rows = rows_of(x)
    out = product_of(rows, w)
    out += b
    return out, (x.shape, rows, w)


def rows_of(x):
    """Return x as rows (N, D) in logical order; images that lie in memory as (N, H, W, C) are turned by a kernel."""
    if x.ndim != 4 or x.shape[1] == 1 or not x.transpose(0, 2, 3, 1).flags.c_contiguous or not x.size:
        return x.reshape(len(x), prod(x.shape[1:]))
    N, C, H, W = x.shape
    rows = memory.empty((N, C * H * W), x.dtype)
    product.transpose(contiguous(x, (0, 2, 3, 1)).reshape(-1), C * H * W, C, rows.reshape(-1), C * H * W, H * W,
                      N, C, H * W, lanes_of(x.dtype))
    return rows


def affine_backward_fast(dout, cache):
    """Return dx, dw, db of affine_forward_fast; dx is (w dout^T)^T, as w^T has no rows to read vectors from."""
    shape, rows, w = cache
    dout = gradient_like(dout, (len(rows), w.shape[1]), w.dtype, "affine")
    return gradient_of_rows(w, dout, shape), product_of(rows.T, dout), dout.sum(axis=0)


def gradient_of_rows(w, dout, shape):
    """Return dx = dout w^T in a shape; images lie in memory as (N, H, W, C)."""
    if len(shape) != 4 or not dout.size or not w.size:
        return product_of(w, dout.T).T.reshape(shape)
    arguments, turned = product_call(dense(w), dout.T)
    product.product(*arguments)
    N, C, H, W = shape
    images = memory.empty((N, H, W, C), turned.dtype)
    product.transpose(turned.reshape(-1), turned.shape[1], H * W * turned.shape[1], images.reshape(-1), C, C * H * W,
                      H * W, N, C, lanes_of(turned.dtype))
    return images.transpose(0, 3, 1, 2)


__all__ = ["affine_backward_fast", "affine_forward_fast", "conv_backward_fast", "conv_backward_im2col",
           "conv_backward_winograd", "conv_forward_fast", "conv_forward_im2col", "conv_forward_winograd",
           "max_pool_backward_fast", "max_pool_backward_im2col", "max_pool_backward_reshape", "max_pool_forward_fast",
           "max_pool_forward_im2col", "max_pool_forward_reshape", "set_threads"]
