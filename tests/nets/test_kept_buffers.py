"""A cache stays valid after a step in training mode, which updates running averages in place."""
import numpy as np
import pytest
from layouts import compiled, protected

from cs231n_fer import layers as L
from cs231n_fer.classifiers import DeepConvNet, FinalConvNet, FullyConnectedNet, ResidualNet
from cs231n_fer.nets.ladder import LADDER, RUNGS, functions
from cs231n_fer.nets.layer import TEST, Mode

AVERAGES = ("running_mean", "running_var")
CONV = {"stride": 1, "pad": 1}
POOLS = {"2 x 2": {"pool_height": 2, "pool_width": 2, "stride": 2},
         "3 x 3": {"pool_height": 3, "pool_width": 3, "stride": 1}}
# name: (forward, backward)
ROWS = {"naive": (L.batchnorm_forward_naive, L.batchnorm_backward_naive),
        "graph": (L.batchnorm_forward, L.batchnorm_backward),
        "alt": (L.batchnorm_forward, L.batchnorm_backward_alt)}
SANDWICHES = [(operation, rung, channels, pool) for operation in LADDER if "_bn_" in operation
              for rung in (*RUNGS[1:], "auto") for channels in (1, 2)
              for pool in (POOLS if operation.endswith("pool") else [None])]


def arrays_in(cache):
    """Yield all arrays that a cache, of tuples, lists and dictionaries, refers to."""
    if isinstance(cache, np.ndarray):
        yield cache
    elif isinstance(cache, (tuple, list)):
        for item in cache:
            yield from arrays_in(item)
    elif isinstance(cache, dict):
        yield from arrays_in(list(cache.values()))


def bits(found):
    """Return copies of gradients, as bytes."""
    return [array.tobytes() for array in arrays_in(found)]


def assert_a_step_changes_no_gradient(forward, backward, arguments, settings, F, mode):
    """Compare backward before and after another forward, in training mode with the same
    bn_param."""
    rng = np.random.default_rng(1)
    bn_param = {"mode": mode, "running_mean": rng.standard_normal(F), "running_var": rng.random(F)}
    out, cache = forward(*arguments, *settings(bn_param))
    dout = protected(rng.standard_normal(out.shape))
    before = bits(backward(dout, cache))
    for array in arrays_in(cache):
        assert not any(np.shares_memory(array, bn_param[name]) for name in AVERAGES)
    bn_param["mode"] = "train"
    forward(protected(arguments[0] + 5), *arguments[1:], *settings(bn_param))
    for name in AVERAGES:
        bn_param[name][:] = np.nan
    assert bits(backward(dout, cache)) == before


@pytest.mark.parametrize("mode", ["test", "train"])
@pytest.mark.parametrize("name", ROWS)
def test_batchnorm_of_rows_keeps_no_running_average(name, mode):
    drawn = np.random.default_rng(2).standard_normal((7, 3))
    arguments = [protected(drawn), protected(drawn[0]), protected(drawn[1])]
    assert_a_step_changes_no_gradient(*ROWS[name], arguments, lambda bn_param: [bn_param], 3, mode)


@pytest.mark.parametrize("mode", ["test", "train"])
@pytest.mark.parametrize("rung", [*RUNGS, "auto"])
def test_spatial_batchnorm_keeps_no_running_average(rung, mode):
    rng = np.random.default_rng(3)
    arguments = [protected(rng.standard_normal(shape)) for shape in ((3, 2, 5, 4), 2, 2)]
    pair = functions("spatial_batchnorm", rung)
    assert_a_step_changes_no_gradient(*pair, arguments, lambda bn_param: [bn_param], 2, mode)


@pytest.mark.parametrize("mode", ["test", "train"])
@pytest.mark.parametrize(("operation", "rung", "channels", "pool"), SANDWICHES)
def test_sandwiches_keep_no_running_average(operation, rung, channels, pool, mode):
    rng = np.random.default_rng(4)
    shapes = (2, channels, 5, 6), (3, channels, 3, 3), 3, 3, 3
    arguments = [protected(rng.standard_normal(shape)) for shape in shapes]
    rest = [POOLS[pool]] if pool else []
    assert_a_step_changes_no_gradient(*functions(operation, rung), arguments,
                                      lambda bn_param: [CONV, bn_param, *rest], 3, mode)


NETS = {
    "rows": lambda: FullyConnectedNet([6, 5], input_dim=64, num_classes=7,
                                      normalization="batchnorm", dtype=np.float64, seed=1),
    "final": lambda: FinalConvNet((1, 8, 8), num_filters=(3,), hidden_dim=5, batchnorm=True,
                                  dtype=np.float64, seed=1),
    "deep": lambda: DeepConvNet((1, 8, 8), ((3, 4),), dtype=np.float64, seed=1),
    "residual": lambda: ResidualNet((1, 8, 8), 3, ((3,), (4,)), dtype=np.float64, seed=1),
}


@compiled
@pytest.mark.parametrize("mode", [TEST, Mode(train=True)])
@pytest.mark.parametrize("name", NETS)
def test_a_step_between_the_passes_of_a_net_changes_no_gradient(name, mode):
    net = NETS[name]()
    X = protected(np.random.default_rng(5).standard_normal((4, 1, 8, 8)))
    scores, cache = net.forward(X, mode)
    dscores = protected(np.random.default_rng(6).standard_normal(scores.shape))
    before = bits(net.backward(dscores, cache))
    for array in arrays_in(cache):
        assert not any(np.shares_memory(array, buffer) for buffer in net.buffers.values())
    net.loss(3 * X, np.array([0, 1, 2, 3]))
    for buffer in net.buffers.values():
        buffer[:] = np.nan
    assert len(net.buffers) and bits(net.backward(dscores, cache)) == before
