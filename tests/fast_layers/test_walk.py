"""A batch walks through one fused pass, file by file, as the docstring of fast_layers says."""
import sys
from pathlib import Path

import numpy as np
import pytest

from cs231n_fer import fast_layers
from cs231n_fer.fast_layers import batchnorm as B
from cs231n_fer.fast_layers import sandwiches as S

FOLDER = Path(fast_layers.__file__).parent
PARAM = {"stride": 1, "pad": 1}
SANDWICH = (["sandwiches", "pool", "plans", "passes"], ["sandwiches", "passes"])
TRAINING = (["batchnorm", "pool", "plans", "passes", "channels"],
            ["batchnorm", "channels", "passes"])
FOLDED = (["batchnorm", "pool", "plans", "sandwiches", "passes"],
          ["batchnorm", "sandwiches", "passes"])
WINDOWS = (["batchnorm", "pool", "plans", "windows", "sandwiches", "passes", "channels"],
           ["batchnorm", "sandwiches", "passes"])


def walk(function, *arguments):
    """Return what a function returns, and the files of fast_layers in the order of their entries.

    A file is entered by a call from another file; ConvCache.size is read like a field.
    """
    files = []

    def note(frame, event, _):
        code = frame.f_code
        path = Path(code.co_filename)
        inside = path.parent == FOLDER and code.co_name not in ("size", "<module>")
        if event == "call" and inside and frame.f_back.f_code.co_filename != code.co_filename:
            files.append(path.stem)
    sys.setprofile(note)
    try:
        result = function(*arguments)
    finally:
        sys.setprofile(None)
    return result, [name for i, name in enumerate(files) if files[i - 1:i] != [name]]


def sandwich(channels):
    """Return images, weights and biases."""
    rng = np.random.default_rng(0)
    return (rng.standard_normal((2, channels, 6, 6)), rng.standard_normal((4, channels, 3, 3)),
            rng.standard_normal(4))


@pytest.mark.parametrize("mode, channels, expected", [
    (None, 3, SANDWICH), ("train", 3, TRAINING), ("test", 3, FOLDED), ("train", 1, WINDOWS)])
def test_a_fused_pass_never_comes_back_to_a_file_that_it_has_left(mode, channels, expected):
    arguments = [*sandwich(channels), PARAM, S.POOL_2X2]
    forward = S.conv_relu_pool_forward
    backward = S.conv_relu_pool_backward
    if mode:
        arguments[3:3] = [np.ones(4), np.zeros(4)]
        arguments.insert(6, {"mode": mode})
        forward = B.conv_bn_relu_pool_forward
        backward = B.conv_bn_relu_pool_backward
    forward(*arguments)  # from now on, plans are cached
    (out, cache), there = walk(forward, *arguments)
    _, back = walk(backward, out, cache, False)
    assert (there, back) == expected


def test_a_fused_pool_of_outputs_that_are_too_small_says_so():
    x = np.ones((2, 3, 4, 3))
    w = np.ones((4, 3, 3, 3))
    b = np.ones(4)
    ones = np.ones((2, 4))
    for mode in ("train", "test"):
        with pytest.raises(ValueError, match="size 2 does not fit into 2 x 1, the outputs"):
            B.conv_bn_relu_pool_forward(x, w, b, *ones, {"stride": 1, "pad": 0}, {"mode": mode},
                                        S.POOL_2X2)
    with pytest.raises(ValueError, match="size 2 does not fit into 2 x 1, the outputs"):
        S.conv_relu_pool_forward(x, w, b, {"stride": 1, "pad": 0}, S.POOL_2X2)
