"""The compiled rungs of convolution, the contract of layers/conv.py: directly, or by Winograd's algorithm."""
from .passes import LINEAR, run_backward, run_forward
from .plans import conv_cache


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
