"""Every name that the notebooks of assignment 2 import, from 2016 to 2026, is where they expect it.
"""
import importlib

import numpy as np
import pytest
from test_architecture import run

import cs231n_fer

NAMES = {
    "layers": """affine_forward affine_backward relu_forward relu_backward batchnorm_forward
        batchnorm_backward batchnorm_backward_alt layernorm_forward layernorm_backward
        dropout_forward dropout_backward conv_forward_naive conv_backward_naive
        max_pool_forward_naive max_pool_backward_naive spatial_batchnorm_forward
        spatial_batchnorm_backward spatial_groupnorm_forward spatial_groupnorm_backward svm_loss
        softmax_loss""",
    "layer_utils": """affine_relu_forward affine_relu_backward conv_relu_forward
        conv_relu_backward conv_bn_relu_forward conv_bn_relu_backward conv_relu_pool_forward
        conv_relu_pool_backward""",
    "fast_layers": """conv_forward_im2col conv_backward_im2col conv_forward_strides
        conv_backward_strides conv_forward_fast conv_backward_fast max_pool_forward_fast
        max_pool_backward_fast max_pool_forward_reshape max_pool_backward_reshape
        max_pool_forward_im2col max_pool_backward_im2col""",
    "im2col": "get_im2col_indices im2col_indices col2im_indices",
    "gradient_check": """eval_numerical_gradient eval_numerical_gradient_array
        eval_numerical_gradient_blobs eval_numerical_gradient_net grad_check_sparse""",
    "optim": "sgd sgd_momentum rmsprop adam",
    "solver": "Solver",
    "vis_utils": "visualize_grid vis_grid vis_nn",
    "classifiers.fc_net": "TwoLayerNet FullyConnectedNet",
    "classifiers.cnn": "ThreeLayerConvNet",
}


def star_import(module):
    """Return the names that `from cs231n_fer.MODULE import *` brings."""
    found = vars(importlib.import_module(f"cs231n_fer.{module}"))
    return {name: found[name] for name in found["__all__"]}


@pytest.mark.parametrize("module", NAMES)
def test_a_star_import_brings_every_name_of_the_course(module):
    scope = star_import(module)
    assert set(NAMES[module].split()) <= scope.keys()
    assert all(callable(scope[name]) for name in NAMES[module].split())


@pytest.mark.parametrize("module, rooms", [
    ("classifiers.fc_net", ("layers", "layer_utils")),
    ("classifiers.cnn", ("layers", "layer_utils", "fast_layers"))])
def test_a_star_import_of_a_net_brings_its_layers_as_in_the_courses_files(module, rooms):
    scope = star_import(module)
    found = [vars(importlib.import_module(f"cs231n_fer.{room}")) for room in rooms]
    for name in {name for room in found for name in room["__all__"]}:
        assert any(scope[name] is room.get(name) for room in found), name


@pytest.mark.parametrize("room", sorted(cs231n_fer.ROOMS))
def test_a_room_can_be_named_when_the_package_alone_was_imported(room):
    done = run(f"import cs231n_fer; print(cs231n_fer.{room}.__name__)")
    assert done.stdout.strip() == f"cs231n_fer.{room}", done.stderr


def test_what_is_no_room_is_no_attribute():
    package = importlib.import_module("cs231n_fer")
    assert not hasattr(package, "layer")
    with pytest.raises(AttributeError, match="'cs231n_fer' has no attribute 'layer'"):
        package.layer  # noqa: B018


def test_the_strides_version_gives_the_maps_of_the_naive_one():
    names = importlib.import_module("cs231n_fer.fast_layers")
    naive = importlib.import_module("cs231n_fer.layers")
    rng = np.random.default_rng(0)
    arguments = (rng.standard_normal((2, 3, 7, 6)), rng.standard_normal((4, 3, 3, 2)),
                 rng.standard_normal(4), {"stride": 1, "pad": 1})
    out, cache = names.conv_forward_strides(*arguments)
    expected, naive_cache = naive.conv_forward_naive(*arguments)
    np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-13)
    dout = rng.standard_normal(out.shape)
    for found, right in zip(names.conv_backward_strides(dout, cache),
                            naive.conv_backward_naive(dout, naive_cache), strict=True):
        np.testing.assert_allclose(found, right, rtol=1e-12, atol=1e-12)
