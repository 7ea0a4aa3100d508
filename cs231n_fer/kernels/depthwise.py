"""Depthwise convolution: every channel has one filter of its own, for channels-last images.

A step takes one image; the lanes of a vector are channels, and no number meets one of another lane.
x is (N, H, W, C), w (HH, WW, C), out and dout (N, Ho, Wo, C). Four neighboring outputs are summed
in registers, so that a vector of weights is read once for them; at the borders, where some of their
windows reach beyond the image, each output is summed alone.
"""
from functools import cache
from typing import NamedTuple

from numba import prange

from .memory import clear, get, put
from .vectors.calls import FLOATS, INT, call, nested, step
from .vectors.jit import jit
from .vectors.simd import fma, load, load_spaced, repeated, store_spaced, vector, zeros

FOUR = 4


class Depthwise(NamedTuple):
    """Windows of HH x WW, `stride` apart, in images (H, W, C) with a border of `pad` zeros."""
    H: int
    W: int
    C: int
    HH: int
    WW: int
    stride: int
    pad: int
    Ho: int
    Wo: int
    lanes: int


@cache
def depthwise_of(shape, HH, WW, stride, pad, Ho, Wo, lanes):
    """Return the Depthwise of images of a shape (N, H, W, C)."""
    _, H, W, C = shape
    return Depthwise(H=H, W=W, C=C, HH=HH, WW=WW, stride=stride, pad=pad, Ho=Ho, Wo=Wo, lanes=lanes)


@step(FLOATS, FLOATS, FLOATS, FLOATS, INT, Depthwise)
def convolve(x, w, b, out, image, p):
    """Write the outputs of an image, with bias b (C,)."""
    for i in range(p.Ho):
        top = i * p.stride - p.pad
        first = max(0, -top)
        last = min(p.HH, p.H - top)
        row = (image * p.H + top) * p.W
        for c in range(0, p.C, p.lanes):
            j = 0
            while j < p.Wo:
                left = j * p.stride - p.pad
                at = ((image * p.Ho + i) * p.Wo + j) * p.C
                inside = left >= 0 and left + (FOUR - 1) * p.stride + p.WW <= p.W
                if inside and j + FOUR <= p.Wo and c + p.lanes <= p.C:
                    four = repeated(load(b, c, 1), FOUR)
                    for hh in range(first, last):
                        for ww in range(p.WW):
                            pixels = load_spaced(x, (row + hh * p.W + left + ww) * p.C + c,
                                                 p.stride * p.C, FOUR)
                            weights = load(w, (hh * p.WW + ww) * p.C + c, 1)
                            four = fma(pixels, repeated(weights, FOUR), four)
                    store_spaced(out, at + c, p.C, four)
                    j += FOUR
                else:
                    one = get(b, 0, c, p.C, p.lanes)
                    for hh in range(first, last):
                        for ww in range(max(0, -left), min(p.WW, p.W - left)):
                            pixel = get(x, (row + hh * p.W + left + ww) * p.C, c, p.C, p.lanes)
                            weights = get(w, (hh * p.WW + ww) * p.C, c, p.C, p.lanes)
                            one = fma(pixel, weights, one)
                    put(out, at, c, p.C, p.lanes, one)
                    j += 1


@step(FLOATS, FLOATS, FLOATS, INT, Depthwise)
def gradient_of_images(dout, w, dx, image, p):
    """Write dx of an image: for every pixel the sum over the windows that it lies in.

    Pixel (h, k) is number hh = h + pad - i * stride of the rows of window i. Pixels `stride` apart
    have the same place in neighboring windows; four of them are summed together.
    """
    for h in range(p.H):
        # The rows hh of windows i = (h + pad - hh) / stride, 0 <= i < Ho.
        first = max((h + p.pad) % p.stride, h + p.pad - (p.Ho - 1) * p.stride)
        last = min(p.HH, h + p.pad + 1)
        for c in range(0, p.C, p.lanes):
            for phase in range(min(p.stride, p.W)):
                k = phase
                while k < p.W:
                    place = k + p.pad
                    at = ((image * p.H + h) * p.W + k) * p.C
                    low = place % p.stride
                    # Window 0 of the first pixel with its last column, and of the last pixel with
                    # its first one.
                    highest = (place - low) // p.stride + FOUR - 1
                    lowest = (place - low) // p.stride - (p.WW - 1 - low) // p.stride
                    inside = low < p.WW and lowest >= 0 and highest < p.Wo
                    whole = k + (FOUR - 1) * p.stride < p.W and c + p.lanes <= p.C
                    if inside and whole:
                        four = zeros(dx, FOUR)
                        for hh in range(first, last, p.stride):
                            i = (h + p.pad - hh) // p.stride
                            row = (image * p.Ho + i) * p.Wo
                            for ww in range(low, p.WW, p.stride):
                                j = (place - ww) // p.stride
                                gradients = load_spaced(dout, (row + j) * p.C + c, p.C, FOUR)
                                weights = load(w, (hh * p.WW + ww) * p.C + c, 1)
                                four = fma(gradients, repeated(weights, FOUR), four)
                        store_spaced(dx, at + c, p.stride * p.C, four)
                        k += FOUR * p.stride
                    else:
                        one = zeros(dx, 1)
                        begin = max(low, place - (p.Wo - 1) * p.stride)
                        for hh in range(first, last, p.stride):
                            i = (h + p.pad - hh) // p.stride
                            row = (image * p.Ho + i) * p.Wo
                            for ww in range(begin, min(p.WW, place + 1), p.stride):
                                j = (place - ww) // p.stride
                                gradient = get(dout, (row + j) * p.C, c, p.C, p.lanes)
                                weights = get(w, (hh * p.WW + ww) * p.C, c, p.C, p.lanes)
                                one = fma(gradient, weights, one)
                        put(dx, at, c, p.C, p.lanes, one)
                        k += p.stride


@step(FLOATS, FLOATS, FLOATS, INT, Depthwise)
def gradient_of_filters(x, dout, dw, image, p):
    """Write dw and db of one image: dw is (N, HH * WW + 1, C), and db the last row of an image."""
    taps = p.HH * p.WW
    base = image * (taps + 1) * p.C
    clear(dw, base, (taps + 1) * p.C, p.lanes)
    for i in range(p.Ho):
        top = i * p.stride - p.pad
        row = (image * p.Ho + i) * p.Wo
        for c in range(0, p.C, p.lanes):
            add_sum(dout, row, dw, base + taps * p.C, c, p)
            for hh in range(max(0, -top), min(p.HH, p.H - top)):
                pixels = (image * p.H + top + hh) * p.W
                for ww in range(p.WW):
                    add_products(x, pixels, dout, row, dw, base + (hh * p.WW + ww) * p.C, ww, c, p)


@jit(inline=True)
def add_sum(dout, row, dw, at, c, p):
    """Add the gradients of one row of outputs to db."""
    total = get(dw, at, c, p.C, p.lanes)
    for j in range(p.Wo):
        total += get(dout, (row + j) * p.C, c, p.C, p.lanes)
    put(dw, at, c, p.C, p.lanes, total)


@jit(inline=True)
def add_products(x, pixels, dout, row, dw, at, ww, c, p):
    """Add the products of one row of outputs with column ww of their windows to dw."""
    # The outputs j whose windows have column ww in the image: 0 <= j * stride + ww - pad < W.
    j = max(0, -((ww - p.pad) // p.stride))
    end = min(p.Wo, (p.W - 1 + p.pad - ww) // p.stride + 1)
    total = get(dw, at, c, p.C, p.lanes)
    if c + p.lanes <= p.C:
        four = zeros(dw, FOUR)
        while j + FOUR <= end:
            place = pixels + j * p.stride + ww - p.pad
            four = fma(load_spaced(x, place * p.C + c, p.stride * p.C, FOUR),
                       load_spaced(dout, (row + j) * p.C + c, p.C, FOUR), four)
            j += FOUR
        total += (vector(four, 0) + vector(four, 1)) + (vector(four, 2) + vector(four, 3))
    while j < end:
        place = pixels + j * p.stride + ww - p.pad
        total = fma(get(x, place * p.C, c, p.C, p.lanes),
                    get(dout, (row + j) * p.C, c, p.C, p.lanes), total)
        j += 1
    put(dw, at, c, p.C, p.lanes, total)


@jit(parallel=True)
def convolve_images(address, x, w, b, out, numbers, count):
    """Call convolve for every image; numbers is flat(Depthwise)."""
    for image in prange(count):
        call(address, x, w, b, out, image, nested(numbers, Depthwise))


@jit(parallel=True)
def over_images(address, a, b, c, numbers, count):
    """Call a step that reads a and b and writes c for every image."""
    for image in prange(count):
        call(address, a, b, c, image, nested(numbers, Depthwise))
