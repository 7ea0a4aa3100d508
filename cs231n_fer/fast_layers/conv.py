"""The compiled rungs of convolution: directly, or by Winograd's algorithm.

The contract is that of layers/conv.py.
"""
from ..arrays.seam import channels_first
from ..shapes import checked_cache
from ..types import Array, ConvParam
from .passes import LINEAR, Gradients, run_backward, run_forward
from .plans import ConvCache, conv_cache

__all__ = ["conv_backward", "conv_backward_fast", "conv_backward_winograd", "conv_forward",
           "conv_forward_fast", "conv_forward_winograd"]


def conv_forward(x: Array, w: Array, b: Array, conv_param: ConvParam, rung: str = "auto",
                 ) -> tuple[Array, ConvCache]:
    """Convolve x with w and add b; arguments, returns and errors as layers.conv_forward_naive.

    rung   "fast", "winograd" or "auto", see plans
    The cache keeps x and w.
    """
    cached, b = conv_cache(x, w, b, conv_param, rung)
    return channels_first(run_forward(cached, b, LINEAR).out), cached


def conv_backward(dout: Array, cache: ConvCache, want_dx: bool = True) -> Gradients:
    """Return dx, dw, db of conv_forward; dx is None if want_dx is False."""
    return run_backward(checked_cache(cache, ConvCache, "conv"), dout, want_dx=want_dx)


def conv_forward_fast(x: Array, w: Array, b: Array, conv_param: ConvParam,
                      ) -> tuple[Array, ConvCache]:
    """Convolve directly, with any window and stride; see conv_forward."""
    return conv_forward(x, w, b, conv_param, "fast")


def conv_forward_winograd(x: Array, w: Array, b: Array, conv_param: ConvParam,
                          ) -> tuple[Array, ConvCache]:
    """Convolve by Winograd's algorithm (Lavin & Gray 2016); see conv_forward.

    Filters other than 3 x 3 of stride 1 are convolved directly. In float32 the error against
    float64 is about 5e-6 of the largest output, ten times that of direct convolution. The
    transforms multiply elements of x by up to 100, so those above 3e36 may overflow where other
    rungs are finite, and a NaN or infinity in x spreads over all outputs of its tiles.
    """
    return conv_forward(x, w, b, conv_param, "winograd")


conv_backward_fast = conv_backward
conv_backward_winograd = conv_backward
