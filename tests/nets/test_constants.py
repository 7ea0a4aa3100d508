"""Momentum and eps of a layer reach every rung that repeats them, fused or not."""
import numpy as np
import pytest
from layouts import compiled, protected

from cs231n_fer.nets.chain import Chain
from cs231n_fer.nets.ladder import RUNGS
from cs231n_fer.nets.layer import TEST, Mode
from cs231n_fer.nets.norms import BatchNorm, GroupNorm
from cs231n_fer.nets.records import Conv, MaxPool, ReLU
from cs231n_fer.nets.sandwich import Sandwich

SHAPE = 5, 6
TRAIN = Mode(train=True)
MOMENTA = (0.5, 0.99)
EPSILONS = (1e-3, 0.1)


def by_definition(layers, params, buffers, x, mode):
    """Run the layers one by one on the NumPy rung, and return out and their gradients."""
    chain = Chain(layers)
    out, cache = chain.forward(params, buffers, x, mode)
    return out, chain.backward(out, cache)[1]


def drawn(layers, channels):
    """Return parameters, running averages unlike the batch's, and images of variance about eps."""
    rng = np.random.default_rng(channels)
    params, buffers = Chain(layers).init(rng, (channels, *SHAPE), np.float64)
    x = protected(0.3 * rng.standard_normal((4, channels, *SHAPE)))
    params = {name: protected(0.2 * rng.standard_normal(p.shape)) for name, p in params.items()}
    return params, {name: rng.random(b.shape) for name, b in buffers.items()}, x


def assert_same(layers, rung, fused, channels, mode):
    """Compare layers(rung), in one Sandwich or one by one, with layers("im2col") one by one."""
    params, buffers, x = drawn(layers("im2col"), channels)
    true_buffers = {name: array.copy() for name, array in buffers.items()}
    true, true_grads = by_definition(layers("im2col"), params, true_buffers, x, mode)
    chain = Sandwich(layers(rung)) if fused else Chain(layers(rung))
    out, cache = chain.forward(params, buffers, x, mode)
    np.testing.assert_allclose(out, true, rtol=0, atol=1e-12)
    grads = chain.backward(true, cache)[1]
    for name, grad in grads.items():
        limit = 1e-11 * max(1, np.abs(true_grads[name]).max())
        np.testing.assert_allclose(grad, true_grads[name], rtol=0, atol=limit, err_msg=name)
    for name, array in buffers.items():
        np.testing.assert_allclose(array, true_buffers[name], rtol=1e-11, err_msg=name)


@compiled
@pytest.mark.parametrize("mode", [TRAIN, TEST])
@pytest.mark.parametrize("pool", [None, MaxPool(2), MaxPool(3, 1)])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rung", [*RUNGS[1:], "auto"])
@pytest.mark.parametrize("momentum", MOMENTA)
@pytest.mark.parametrize("eps", EPSILONS)
def test_eps_and_momentum_of_batchnorm_reach_sandwiches(rung, channels, pool, momentum, eps, mode):
    def layers(rung):
        norm = BatchNorm(momentum=momentum, eps=eps)
        end = (("pool", pool),) if pool else ()
        return ("conv", Conv(3, rung=rung)), ("bn", norm), ("relu", ReLU()), *end
    for fused in (True, False):
        assert_same(layers, rung, fused, channels, mode)


@pytest.mark.parametrize("mode", [TRAIN, TEST])
@pytest.mark.parametrize("rung", [*RUNGS, "auto"])
@pytest.mark.parametrize("momentum", MOMENTA)
@pytest.mark.parametrize("eps", EPSILONS)
def test_eps_and_momentum_reach_batchnorm_alone(rung, momentum, eps, mode):
    assert_same(lambda rung: (("bn", BatchNorm(momentum=momentum, eps=eps, rung=rung)),),
                rung, False, 2, mode)


@pytest.mark.parametrize("rung", [*RUNGS, "auto"])
@pytest.mark.parametrize("eps", EPSILONS)
def test_eps_reaches_groupnorm(rung, eps):
    assert_same(lambda rung: (("gn", GroupNorm(2, eps=eps, rung=rung)),), rung, False, 4, TRAIN)


@pytest.mark.parametrize("momentum", MOMENTA)
@pytest.mark.parametrize("eps", EPSILONS)
def test_averages_move_by_one_minus_momentum_and_eps_is_below_the_root(momentum, eps):
    _, _, x = drawn((("bn", BatchNorm()),), 2)
    buffers = {"running_mean": np.full(2, 3.0), "running_var": np.full(2, 5.0)}
    params = {"gamma": np.ones(2), "beta": np.zeros(2)}
    out, _ = BatchNorm(momentum=momentum, eps=eps).forward(params, buffers, x, TRAIN)
    mean = x.mean(axis=(0, 2, 3))
    var = x.var(axis=(0, 2, 3))
    np.testing.assert_allclose(buffers["running_mean"], 3 * momentum + (1 - momentum) * mean)
    np.testing.assert_allclose(buffers["running_var"], 5 * momentum + (1 - momentum) * var)
    np.testing.assert_allclose(out.var(axis=(0, 2, 3)), var / (var + eps))
