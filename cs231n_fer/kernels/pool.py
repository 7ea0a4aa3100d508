"""Max-pool and average pool of any window, for channels-last images.

A step takes one image; the lanes of a vector are channels. x is (N, H, W, C), out and dout
(N, Ho, Wo, C), and argmax (N, Ho, Wo, Cp) of uint8: the position of the maximum in its window, in
row-major order. Where windows overlap their gradients add up. A 2 x 2 max-pool behind a convolution
is fused with it (pixels.py).
"""
from functools import cache
from typing import NamedTuple

from numba import prange

from .memory import clear, get, put
from .pixels import is_maximum
from .shape import round_up
from .vectors.calls import BYTES, FLOATS, INT, call, nested, step
from .vectors.jit import jit
from .vectors.simd import load_bytes, select, store_bytes, zeros


class Windows(NamedTuple):
    """Windows of HH x WW, `stride` pixels apart, in images (H, W, C)."""
    H: int
    W: int
    C: int
    HH: int
    WW: int
    stride: int
    Ho: int
    Wo: int
    Cp: int
    lanes: int


@cache
def windows_of(shape, HH, WW, stride, Ho, Wo, lanes):
    """Return the Windows in images of a shape (N, H, W, C)."""
    _, H, W, C = shape
    return Windows(H=H, W=W, C=C, HH=HH, WW=WW, stride=stride, Ho=Ho, Wo=Wo,
                   Cp=round_up(C, lanes), lanes=lanes)


@jit(inline=True)
def pixel_of(p, image, i, j, k):
    """Return where pixel k of window (i, j) of an image begins."""
    return ((image * p.H + i * p.stride + k // p.WW) * p.W + j * p.stride + k % p.WW) * p.C


@step(FLOATS, FLOATS, BYTES, INT, Windows)
def take_maximum(x, out, argmax, image, p):
    """Write the maximum of each window to out, and its position to argmax.

    Of equal values the first counts; NaN is larger than any number, and of several NaNs the first
    counts.
    """
    for i in range(p.Ho):
        for j in range(p.Wo):
            pixel = (image * p.Ho + i) * p.Wo + j
            for c in range(0, p.C, p.lanes):
                corner = pixel_of(p, image, i, j, 0)
                best = get(x, corner, c, p.C, p.lanes)
                position = zeros(x, 1)
                for row in range(p.HH):  # to divide k by WW takes 1.2 times as long for 3 x 3
                    for column in range(p.WW):
                        at = corner + (row * p.W + column) * p.C
                        z = get(x, at, c, p.C, p.lanes)
                        stays = is_maximum(best, z)
                        best = select(stays, best, z)
                        position = select(stays, position, (row * p.WW + column) * 1.0)
                put(out, pixel * p.C, c, p.C, p.lanes, best)
                store_bytes(argmax, pixel * p.Cp + c, position)


@step(FLOATS, FLOATS, BYTES, INT, Windows)
def give_to_argmax(dout, dx, argmax, image, p):
    """Compute dx of take_maximum."""
    clear(dx, image * p.H * p.W * p.C, p.H * p.W * p.C, p.lanes)
    for i in range(p.Ho):
        for j in range(p.Wo):
            pixel = (image * p.Ho + i) * p.Wo + j
            for c in range(0, p.C, p.lanes):
                d = get(dout, pixel * p.C, c, p.C, p.lanes)
                position = load_bytes(argmax, pixel * p.Cp + c, dx)
                for k in range(p.HH * p.WW):
                    at = pixel_of(p, image, i, j, k)
                    put(dx, at, c, p.C, p.lanes,
                        get(dx, at, c, p.C, p.lanes) + select(position == k * 1.0, d, 0.0))


@step(FLOATS, FLOATS, INT, Windows)
def take_mean(x, out, image, p):
    """Write the mean of each window to out."""
    for i in range(p.Ho):
        for j in range(p.Wo):
            for c in range(0, p.C, p.lanes):
                total = zeros(x, 1)
                for k in range(p.HH * p.WW):
                    total += get(x, pixel_of(p, image, i, j, k), c, p.C, p.lanes)
                put(out, ((image * p.Ho + i) * p.Wo + j) * p.C, c, p.C, p.lanes,
                    total * (1 / (p.HH * p.WW)))


@step(FLOATS, FLOATS, INT, Windows)
def spread_mean(dout, dx, image, p):
    """Compute dx of take_mean."""
    clear(dx, image * p.H * p.W * p.C, p.H * p.W * p.C, p.lanes)
    for i in range(p.Ho):
        for j in range(p.Wo):
            for c in range(0, p.C, p.lanes):
                d = get(dout, ((image * p.Ho + i) * p.Wo + j) * p.C, c, p.C,
                        p.lanes) * (1 / (p.HH * p.WW))
                for k in range(p.HH * p.WW):
                    at = pixel_of(p, image, i, j, k)
                    put(dx, at, c, p.C, p.lanes, get(dx, at, c, p.C, p.lanes) + d)


@jit(parallel=True)
def over_images(address, a, b, argmax, numbers, count):
    """Call a step of a max-pool, which reads a and writes b, for every image.

    numbers is flat(Windows).
    """
    for image in prange(count):
        call(address, a, b, argmax, image, nested(numbers, Windows))


@jit(parallel=True)
def means_over_images(address, a, b, numbers, count):
    """Call a step of an average pool, which reads a and writes b, for every image."""
    for image in prange(count):
        call(address, a, b, image, nested(numbers, Windows))
