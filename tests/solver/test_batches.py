"""A normalization of one number at a time is refused by name, as nothing before it learns."""
import numpy as np
import pytest
from toys import faces

from cs231n_fer.classifiers import FinalConvNet, FullyConnectedNet
from cs231n_fer.nets.chain import Chain, Residual
from cs231n_fer.nets.network import Network
from cs231n_fer.nets.norms import BatchNorm, GroupNorm
from cs231n_fer.nets.records import Affine, Conv, GlobalAvgPool, ReLU
from cs231n_fer.solver import Recipe, Solver


def net(*layers):
    return Network(Chain((*layers, ("scores", Affine(2)))), (1, 8, 8), seed=0)


def fully_connected(norm):
    return FullyConnectedNet([5, 4], 64, 2, normalization=norm, seed=0)


def conv_net(side):
    """Return a net whose second batchnorm gets images of side x side pixels."""
    return FinalConvNet((1, 2 * side, 2 * side), (3, 4), hidden_dim=5, num_classes=2,
                        batchnorm=True, seed=0)


ONE_NUMBER = {  # name: (net, samples, batch size, the part that is named)
    "batch_size=1": (lambda: fully_connected("batchnorm"), 8, 1, r"norm1 \(BatchNorm\)"),
    "a last batch of one": (lambda: fully_connected("batchnorm"), 3, 2, r"norm1 \(BatchNorm\)"),
    "one sample": (lambda: fully_connected("batchnorm"), 1, 100, r"norm1 \(BatchNorm\)"),
    "1 x 1 pixels": (lambda: net(("conv", Conv(3, 8, pad=0)), ("bn", BatchNorm()), ("r", ReLU())),
                     8, 1, r"bn \(BatchNorm\)"),
    "pooled": (lambda: net(("mean", GlobalAvgPool()), ("bn", BatchNorm())), 8, 1,
               r"bn \(BatchNorm\)"),
    "in a residual": (lambda: net(("mean", GlobalAvgPool()),
                                  ("res", Residual(Chain((("bn", BatchNorm()),))))), 8, 1,
                      r"res/body/bn \(BatchNorm\)"),
    "a layernorm of one unit": (lambda: FullyConnectedNet([5, 1], 64, 2, normalization="layernorm",
                                                          seed=0), 8, 4, r"norm2 \(LayerNorm\)"),
    "a group of one number": (lambda: net(("conv", Conv(3, 8, pad=0)), ("gn", GroupNorm(3))), 8, 4,
                              r"gn \(GroupNorm\)"),
}


def solver_of(model, samples, batch_size, **choices):
    return Solver(model, faces(samples), batch_size=batch_size, num_epochs=1, verbose=False,
                  recipe=Recipe(**choices))


@pytest.mark.parametrize("name", ONE_NUMBER)
def test_a_normalization_of_one_number_is_refused_by_name(name):
    make, samples, batch_size, part = ONE_NUMBER[name]
    with pytest.raises(ValueError, match=rf"in a batch of \d, {part} normalizes one number"):
        solver_of(make(), samples, batch_size).train()


@pytest.mark.parametrize("make, samples, batch_size", [
    (lambda: fully_connected("batchnorm"), 9, 4), (lambda: fully_connected("batchnorm"), 4, 2),
    (lambda: fully_connected("layernorm"), 4, 1), (lambda: fully_connected(None), 4, 1),
    (lambda: net(("conv", Conv(3)), ("bn", BatchNorm())), 4, 1),
    (lambda: net(("conv", Conv(4, 8, pad=0)), ("gn", GroupNorm(2))), 4, 1)])
def test_a_normalization_of_more_numbers_trains_and_everything_before_it_learns(
        make, samples, batch_size):
    model = make()
    before = {name: array.copy() for name, array in model.params.items()}
    solver_of(model, samples, batch_size, keep="last").train()
    changed = {name for name, array in model.params.items() if (array != before[name]).any()}
    assert {name for name in before if name.endswith("/w") or name[0] == "W"} <= changed


def test_the_numbers_of_the_smallest_batch_count_of_whatever_a_sampler_shows():
    class Few:
        def order(self, rng, labels):
            return np.arange(5)
    with pytest.raises(ValueError, match="5 samples give 3 batches"):
        solver_of(fully_connected("batchnorm"), 8, 2, sampler=Few()).train()
