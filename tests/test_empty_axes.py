"""An empty axis of an argument: right shapes and empty sums, or one clear error, on every rung."""
import copy

import numpy as np
import pytest

from cs231n_fer import layers as L
from cs231n_fer.fast_layers import COMPILED
from cs231n_fer.fast_layers.losses import softmax_loss_fast
from cs231n_fer.layer_utils import affine_relu_backward, affine_relu_forward
from cs231n_fer.nets.ladder import LADDER

CONV = {"stride": 1, "pad": 2}
POOL = {"pool_height": 2, "pool_width": 2, "stride": 2}
LENGTHS = {"N": 4, "C": 6, "H": 6, "W": 8, "F": 5, "h": 3, "w": 3, "D": 48, "M": 5, "1": 1}


def batchnorm(mode):
    """Return a bn_param without running averages."""
    return {"mode": mode, "eps": 0.1}


# operation -> rows of (axes of the arrays, settings, axes that must not be empty). For an affine
# layer D is H * W. Where filters are empty there is no convolution, where images are there is a
# border of zeros, but it has no variance.
CONV_AXES = "NCHW,FChw,F"
ROWS = {
    "affine": [("NHW,DM,M", (), "")],
    "relu": [("NCHW", (), "")],
    "conv": [(CONV_AXES, (CONV,), "CFhw")],
    "grouped_conv": [(CONV_AXES, (CONV, 1), "CFhw")],
    "max_pool": [("NCHW", (POOL,), "HW")],
    "avg_pool": [("NCHW", (POOL,), "HW")],
    "spatial_batchnorm": [("NCHW,C,C", (batchnorm(mode),), "NCHW") for mode in ("train", "test")],
    "spatial_groupnorm": [("NCHW,1C11,1C11", (3, {}), "NCHW")],
    "conv_relu": [(CONV_AXES, (CONV,), "CFhw")],
    "conv_relu_pool": [(CONV_AXES, (CONV, POOL), "CFhw")],
    "conv_bn_relu": [(f"{CONV_AXES},F,F", (CONV, batchnorm(mode)), "NCHWFhw")
                     for mode in ("train", "test")],
    "conv_bn_relu_pool": [(f"{CONV_AXES},F,F", (CONV, batchnorm(mode), POOL), "NCHWFhw")
                          for mode in ("train", "test")],
}
DROP = {"p": 0.5, "mode": "train", "seed": 1}
OTHERS = {
    "affine_relu": (affine_relu_forward, affine_relu_backward, "NHW,DM,M", (), ""),
    "leaky_relu": (L.leaky_relu_forward, L.leaky_relu_backward, "NCHW", (), ""),
    "leaky_relu naive": (L.leaky_relu_forward_naive, L.leaky_relu_backward_naive, "NCHW", (), ""),
    "dropout": (L.dropout_forward, L.dropout_backward, "NCHW", (DROP,), ""),
    "dropout naive": (L.dropout_forward_naive, L.dropout_backward_naive, "NCHW", (DROP,), ""),
    "reshape": (L.max_pool_forward_reshape, L.max_pool_backward_reshape, "NCHW", (POOL,), "HW"),
    "global_avg_pool": (L.global_avg_pool_forward, L.global_avg_pool_backward, "NCHW", (), "HW"),
    "pad": (L.pad_forward, L.pad_backward, "NCHW", (1,), ""),
    "pad naive": (L.pad_forward_naive, L.pad_backward_naive, "NCHW", (1,), ""),
    "layernorm": (L.layernorm_forward, L.layernorm_backward, "ND,D,D", ({},), "ND"),
    "layernorm naive": (L.layernorm_forward_naive, L.layernorm_backward_naive, "ND,D,D", ({},),
                        "ND"),
    **{f"batchnorm {name} {mode}": (forward, backward, "ND,D,D", (batchnorm(mode),), "ND")
       for mode in ("train", "test")
       for name, forward, backward in (
           ("naive", L.batchnorm_forward_naive, L.batchnorm_backward_naive),
           ("graph", L.batchnorm_forward, L.batchnorm_backward),
           ("formula", L.batchnorm_forward, L.batchnorm_backward_alt))},
}
CASES = OTHERS | {f"{operation} {rung} {row}": (*pair, *ROWS[operation][row])
                  for operation in LADDER for rung, pair in LADDER[operation].items()
                  for row in range(len(ROWS[operation]))
                  if COMPILED or rung in ("naive", "im2col")}
LOSSES = {"softmax": L.softmax_loss, "softmax naive": L.softmax_loss_naive,
          "softmax fast": softmax_loss_fast, "svm": L.svm_loss, "svm naive": L.svm_loss_naive,
          "l2_svm": L.l2_svm_loss, "l2_svm naive": L.l2_svm_loss_naive,
          "smoothed": L.smoothed_softmax_loss,
          "distillation": lambda x, y: L.distillation_loss(x, y, x + 1),
          "distillation naive": lambda x, y: L.distillation_loss_naive(x, y, x + 1)}


def lengths_with(empty):
    """Return the lengths of all axes, some of which are empty."""
    lengths = LENGTHS | dict.fromkeys(empty, 0)
    if {"H", "W"} & set(empty):
        lengths["D"] = 0
    return lengths


def tuple_of(gradients):
    """Return the gradients of a backward pass, which may be a single array, as a tuple."""
    return gradients if isinstance(gradients, tuple) else (gradients,)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", CASES)
def test_an_empty_axis_gives_the_right_shapes_and_empty_sums_or_one_clear_error(name, dtype):
    forward, backward, axes, settings, refused = CASES[name]
    names = sorted(set(axes) - set(",1"))
    if "H" in names and "D" in names:
        names.remove("D")
    for empty in [*names, *(a + b for a in names for b in names if a < b)]:
        lengths = lengths_with(empty)
        arrays = [np.ones([lengths[axis] for axis in array], dtype) for array in axes.split(",")]
        given = copy.deepcopy(settings)
        if set(empty) & set(refused):
            with pytest.raises(ValueError, match="has shape .*expected|does not fit into 0"):
                forward(*arrays, *given)
            assert given == settings, "running averages are added for a pass that is refused"
            continue
        out, cache = forward(*arrays, *given)
        gradients = tuple_of(backward(np.ones_like(out), cache))
        assert out.dtype == dtype and np.isfinite(out).all()
        for array, gradient in zip(arrays, gradients, strict=True):
            assert gradient.shape == array.shape and gradient.dtype == dtype
            # Every sum of the first arrays is over the empty axis; the last gradient is a sum over
            # the outputs, of which there are some unless the batch is empty.
            sums = out.size if array is arrays[-1] and len(arrays) > 1 else 0
            np.testing.assert_array_equal(gradient, sums and sums // gradient.size)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("shape", [(0, 4), (3, 0), (0, 0)])
def test_a_loss_of_no_scores_is_refused(name, shape):
    with pytest.raises(ValueError, match="x: scores have shape"):
        LOSSES[name](np.zeros(shape), np.zeros(shape[0], int))


def test_the_regularization_of_no_weights_is_zero():
    loss, dw = L.l2_loss(np.zeros((0, 3), np.float32), 0.1)
    assert (loss, dw.shape, dw.dtype) == (0, (0, 3), np.float32)
