"""Copies, also in other processes, give the same answers and share nothing that changes."""
from concurrent.futures import ProcessPoolExecutor
from copy import copy, deepcopy
from functools import cache, partial
from multiprocessing import get_context
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from layouts import compiled
from small_nets import final_net, grey, mixed_net, packaged, pictures
from toys import faces

from cs231n_fer import fast_layers as F
from cs231n_fer.arrays.flat import flattened
from cs231n_fer.data_utils.augment import HorizontalFlip
from cs231n_fer.fast_layers import batchnorm as B
from cs231n_fer.fast_layers import copies
from cs231n_fer.fast_layers import norm as N
from cs231n_fer.fast_layers import pool as P
from cs231n_fer.fast_layers import sandwiches as S
from cs231n_fer.nets.inference import Predictor
from cs231n_fer.nets.layer import TEST
from cs231n_fer.nets.network import Network
from cs231n_fer.nets.sandwich import fuse
from cs231n_fer.optim.schedules import CosineWarmup
from cs231n_fer.solver import Recipe, RunFolder, Solver
from cs231n_fer.solver.averaging import WeightAverage
from cs231n_fer.solver.distillation import distil, teacher_of
from cs231n_fer.solver.samplers import Shuffle

X = pictures(6, seed=5)
Y = np.arange(6) % 3


def same_bytes(*arrays):
    """Return the bytes of arrays in their logical order."""
    return b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)


def of_network(net):
    """Scores and gradients as they are, then of a training step, which draws and moves running
    averages."""
    scores, cache = net.forward(X, TEST)
    dX, grads = net.backward(scores, cache)
    loss, trained = net.loss(X, Y)
    return same_bytes(scores, dX, *grads.values(), np.float64(loss), *trained.values(),
                      *net.buffers.values(), net.rng.random(3))


def of_predictor(predictor):
    """Return the scores of batches of several sizes."""
    return same_bytes(*(predictor(X[:n]) for n in (6, 1, 3)))


def of_pretrained(net):
    """Return the probabilities, and the scores of its model."""
    return same_bytes(net.predict(grey(X)), net.model.loss(X), net.info["mean_image"])


def of_flat(flat):
    """Return the arrays, before and after all numbers of their block are doubled at once."""
    before = same_bytes(*flat.values())
    whole = flattened(flat)
    whole.numbers *= 2
    return before + same_bytes(*whole.values(), *whole.numbers)


FOLDER = TemporaryDirectory()


def of_solver(solver):
    """Weights after two more epochs that begin with half of the weights, written in place."""
    for array in solver.model.params.values():
        array *= np.float32(0.5)
    solver.num_epochs += 2
    solver.train()
    return same_bytes(*solver.model.params.values(), *solver.model.buffers.values(),
                      solver.loss_history)


def solver_of(rule, folder=None, **choices):
    """Return a Solver of a small net with dropout."""
    net = final_net(dropout_keep_ratio=0.8, reg=1e-2, dtype=np.float32)
    data = {name: array % 3 if name[0] == "y" else array for name, array in faces(12).items()}
    return Solver(net, data, update_rule=rule, batch_size=5, num_epochs=0, verbose=False,
                  folder=folder, recipe=Recipe(keep="last", **choices))


def trained_net():
    """Return a net whose parameters are views of one block."""
    solver = solver_of("adam")
    of_solver(solver)
    return solver.model


def with_a_new_array():
    """Return a Flat in which an array has replaced a view."""
    flat = flattened(final_net().params)
    flat["affine2/b"] = np.arange(3, dtype=np.float32)
    return flat


def average():
    """Return a running average after two steps."""
    net = final_net()
    found = WeightAverage(net, 0.9)
    net.params["affine2/b"] += 1
    found.follow(net, 1)
    return found


MUTABLE = {  # public objects that hold memory, addresses or plans: (how to make one, its answer)
    "Network": (final_net, of_network),
    "Network after training": (trained_net, of_network),
    "Network of other layers": (mixed_net, of_network),
    "fused Network": (lambda: Network(fuse(mixed_net().layer), (1, 8, 8), seed=3), of_network),
    "Network with a teacher": (lambda: distil(final_net(), [final_net(1)], 0.5), of_network),
    "Predictor": (lambda: Predictor(final_net()), of_predictor),
    "Predictor of other layers": (lambda: Predictor(mixed_net()), of_predictor),
    "Predictor of features": (lambda: Predictor(final_net(), "affine1"), of_predictor),
    "PretrainedNet": (lambda: packaged(final_net()), of_pretrained),
    "Flat": (lambda: flattened(final_net().params), of_flat),
    "Flat that isn't whole": (with_a_new_array, of_flat),
    "gradients": (lambda: final_net().loss(X, Y)[1], of_flat),
    **{f"Solver of {rule}": (partial(solver_of, rule), of_solver)
       for rule in ("sgd", "sgd_momentum", "rmsprop")},
    "Solver of all": (partial(solver_of, "adam", augmentation=HorizontalFlip(), average_decay=0.9,
                              schedule=CosineWarmup(), sampler=Shuffle(),
                              folder=RunFolder(FOLDER.name, overwrite=True,
                                               info_arrays={"a": np.ones(2)})),
                      of_solver),
    "WeightAverage": (average, lambda found: same_bytes(*found.arrays().values())),
}
PARAM = {"stride": 1, "pad": 1}
POOL = {"pool_height": 3, "pool_width": 2, "stride": 2}
IMAGES = np.random.default_rng(0).standard_normal((3, 5, 7, 7)).astype(np.float32)
W = np.random.default_rng(1).standard_normal((16, 5, 3, 3)).astype(np.float32)
b = np.ones(16, np.float32)
ONES = np.ones(5, np.float32)


def forward(function, backward, *arguments):
    """Return (cache, backward, dout) of a forward pass."""
    out, found = function(*arguments)
    return found, backward, np.cos(np.arange(out.size, dtype=out.dtype)).reshape(out.shape)


def statistics(mode, count):
    """Return the bn_param of a batchnorm over some channels."""
    return {"mode": mode, "running_mean": np.full(count, 0.1, np.float32),
            "running_var": np.full(count, 2, np.float32)}


def of_cache(row):
    """Return the gradients of a backward pass."""
    found, backward, dout = row
    gradients = backward(dout, found)
    return same_bytes(*(gradients if isinstance(gradients, tuple) else (gradients,)))


CACHES = {  # caches of forward passes: function, its backward pass, arguments
    "conv": (F.conv_forward_fast, F.conv_backward_fast, IMAGES, W, b, PARAM),
    "conv by Winograd": (F.conv_forward_winograd, F.conv_backward_fast, IMAGES, W, b, PARAM),
    "conv - ReLU": (S.conv_relu_forward, S.conv_relu_backward, IMAGES, W, b, PARAM),
    "conv - ReLU - pool": (S.conv_relu_pool_forward, S.conv_relu_backward, IMAGES, W, b, PARAM,
                           S.POOL_2X2),
    "conv - ReLU, pool": (S.conv_relu_pool_forward, S.conv_relu_backward, IMAGES, W, b, PARAM,
                          POOL),
    "conv - batchnorm - ReLU - pool": (B.conv_bn_relu_pool_forward, B.conv_bn_relu_backward, IMAGES,
                                       W, b, b, b, PARAM, statistics("train", 16), S.POOL_2X2),
    "the same in test mode": (B.conv_bn_relu_pool_forward, B.conv_bn_relu_backward, IMAGES, W, b, b,
                              b, PARAM, statistics("test", 16), S.POOL_2X2),
    "the same by windows": (B.conv_bn_relu_pool_forward, B.conv_bn_relu_backward, IMAGES[:, :1],
                            W[:, :1], b, b, b, PARAM, statistics("train", 16), S.POOL_2X2),
    "max-pool": (P.max_pool_forward_fast, P.max_pool_backward_fast, IMAGES, POOL),
    "average pool": (P.avg_pool_forward_fast, P.avg_pool_backward_fast, IMAGES, POOL),
    "batchnorm": (N.spatial_batchnorm_forward_fast, N.spatial_batchnorm_backward_fast, IMAGES, ONES,
                  ONES, statistics("train", 5)),
    "groupnorm": (N.spatial_groupnorm_forward_fast, N.spatial_groupnorm_backward_fast, IMAGES,
                  ONES.reshape(1, 5, 1, 1), ONES.reshape(1, 5, 1, 1), 5, {}),
    "affine": (F.affine_forward_fast, F.affine_backward_fast, IMAGES,
               np.tile(W.reshape(-1, 15), (6, 8))[:245], np.ones(120, np.float32)),
}
OBJECTS = {**MUTABLE,
           "teacher": (lambda: teacher_of([final_net(), mixed_net()], 2.0), of_predictor),
           **{name: (partial(forward, *row), of_cache) for name, row in CACHES.items()}}


@cache
def other_process():
    """Return a spawned process, which shares nothing with this one."""
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"))


def answer_there(name, found):
    """Return a copy of an object made before it answers, and its answer."""
    untouched = deepcopy(found)
    return untouched, OBJECTS[name][1](found)


def made(name, used):
    """Make an object, and let it answer once if `used`."""
    make, answer = OBJECTS[name]
    found = make()
    if used:
        answer(found)
    return found


def expected(name, used):
    """Return the answer of an object that nobody has copied."""
    return OBJECTS[name][1](made(name, used))


WAYS = {"copy": copy, "deepcopy": deepcopy}


def spoil(value):
    """Write on all that belongs to an object: arrays, dicts, generators; but not on what it has
    ready for a pass."""
    if isinstance(value, np.ndarray) and value.flags.writeable:
        value.fill(1)
    elif isinstance(value, np.random.Generator):
        value.random()
    elif isinstance(value, partial):
        spoil(value.args)
    elif isinstance(value, tuple | list):
        for item in value:
            spoil(item)
    elif isinstance(value, dict):
        spoil(vars(value) if hasattr(value, "__dict__") else ())
        spoil(list(value.values()))
        value.clear()
    elif type(value).__module__.startswith("cs231n_fer") and hasattr(value, "__dict__"):
        spoil([each for name, each in vars(value).items() if name != "ready"])


@compiled
@pytest.mark.parametrize("used", [False, True], ids=["new", "used"])
@pytest.mark.parametrize("way", ["copy", "deepcopy", "another process"])
@pytest.mark.parametrize("name", OBJECTS)
def test_a_copy_gives_the_same_answer_and_neither_changes_with_the_other(name, way, used):
    answer = OBJECTS[name][1]
    true = expected(name, used)

    def copied(found):
        if way != "another process":
            return WAYS[way](found)
        back, there = other_process().submit(answer_there, name, found).result()
        assert there == true
        return back
    first = made(name, used)
    second = copied(first)
    assert answer(second) == true
    if name in MUTABLE:
        spoil(second)
    assert answer(first) == true
    if name in MUTABLE:
        first = made(name, used)
        second = copied(first)
        spoil(first)
        assert answer(second) == true


@compiled
@pytest.mark.parametrize("name", ["conv", "max-pool", "batchnorm", "groupnorm"])
def test_a_cache_of_a_processor_with_other_vectors_is_refused(name, monkeypatch):
    found, _, _ = forward(*CACHES[name])
    part = found if name == "max-pool" else found.conv if name == "conv" else found.size
    make, arguments = part.__reduce__()
    assert type(make(*arguments)) is type(part)
    monkeypatch.setattr(copies, "VECTOR_BYTES", 2 * copies.VECTOR_BYTES)
    with pytest.raises(
        ValueError, match="cache: is of a forward pass with vectors of .* bytes, here they have"
    ):
        make(*arguments)


def test_an_array_in_another_memory_order_keeps_what_the_update_rule_remembers_of_it():
    solvers = [solver_of("adam"), solver_of("adam")]
    for solver in solvers:
        of_solver(solver)
    params = solvers[0].model.params
    params["block2/conv/w"] = np.ascontiguousarray(params["block2/conv/w"])
    params["affine1/w"] = np.asfortranarray(params["affine1/w"])
    for solver in solvers:
        of_solver(solver)
    for name, array in solvers[1].model.params.items():
        # A step changes them by 1e-3.
        np.testing.assert_allclose(params[name], array, rtol=0, atol=1e-5, err_msg=name)
