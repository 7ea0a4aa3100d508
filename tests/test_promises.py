"""Promises of the whole engine: same bits, any batch size, learning, constant memory, threads."""
import gc
import os
import subprocess
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pytest
from layouts import compiled
from toys import faces

from cs231n_fer.arrays.flat import flattened
from cs231n_fer.classifiers import FinalConvNet
from cs231n_fer.data_utils import load_data
from cs231n_fer.fast_layers import COMPILED
from cs231n_fer.optim import UPDATE_RULES
from cs231n_fer.solver import Recipe, Solver

RUNG = "auto" if COMPILED else "im2col"

TRAINING = """
import hashlib, sys
import numpy as np
from cs231n_fer.data_utils.augment import HorizontalFlip
from cs231n_fer.classifiers import FinalConvNet
from cs231n_fer.data_utils import load_data
from cs231n_fer.fast_layers import set_threads
from cs231n_fer.solver import Recipe, Solver
data = load_data("synthetic", synthetic_train=60, synthetic_val=20, synthetic_test=0)
for threads in map(int, sys.argv[1:]):
    set_threads(threads)
    net = FinalConvNet(seed=0, batchnorm=True, dropout_keep_ratio=0.8, reg=1e-3)
    solver = Solver(net, data, update_rule="adam", batch_size=25, num_epochs=2, verbose=False,
                    recipe=Recipe(augmentation=HorizontalFlip(), keep="last"))
    solver.train()
    digest = hashlib.sha256()
    for array in [*net.params.values(), *net.buffers.values(), np.array(solver.loss_history)]:
        digest.update(array.tobytes())
    print(digest.hexdigest())
"""


@compiled
def test_two_epochs_give_weights_of_the_same_sha256_run_after_run_and_on_1_2_and_4_threads():
    found = [subprocess.run([sys.executable, "-c", TRAINING, *threads], capture_output=True,
                            text=True, check=True,
                            env={**os.environ, "NUMBA_NUM_THREADS": "4"}).stdout.split()
             for threads in (["1", "2", "4"], ["4", "1"])]
    assert [len(digests) for digests in found] == [3, 2] and len({*found[0], *found[1]}) == 1


@cache
def pictures(n):
    """Return built-in faces with their emotions."""
    data = load_data("synthetic", synthetic_train=n, synthetic_val=n, synthetic_test=0)
    return data["X_train"], data["y_train"]


def small_net(batchnorm=True, dtype=np.float32, seed=0):
    return FinalConvNet(num_filters=(8, 12, 16, 24), hidden_dim=40, batchnorm=batchnorm, seed=seed,
                        dtype=dtype, rung=RUNG)


def clone(net, dtype):
    """Return the small net with the same weights in another precision."""
    other = small_net(any("bn" in name for name in net.params), dtype)
    for name, array in net.params.items():
        other.params[name][...] = array
    return other


def amplified_rounding(net, X):
    """Rounding that scores (N, 7) of float32 may have: that of each layer's longest sum, as it
    reaches the scores.

    A sum of K products is off by about eps * sqrt(K) of its size, each layer hands on the relative
    error of the one before, and transforms of Winograd lose up to 10 times more.
    """
    lengths = [array[0].size if array.ndim == 4 else len(array)
               for name, array in net.params.items()
               if name.endswith("/w")]
    return 10 * np.finfo(np.float32).eps * np.sqrt(lengths).sum() * np.abs(net.predict(X)).max()


@pytest.mark.parametrize("batchnorm", [False, True])
def test_the_batch_size_of_evaluation_changes_scores_by_rounding_only(batchnorm):
    X, y = pictures(50)
    net = small_net(batchnorm)
    net.loss(X, y)  # makes running averages differ from 0 and 1
    scores = net.predict(X, batch_size=50)
    limit = amplified_rounding(net, X)
    for batch_size in (1, 2, 7, 16, 49):
        np.testing.assert_allclose(net.predict(X, batch_size), scores, rtol=0, atol=limit)


@pytest.mark.parametrize("batchnorm", [False, True])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_first_loss_is_that_of_a_guess_among_seven(batchnorm, seed):
    X, y = pictures(50)
    assert abs(small_net(batchnorm, seed=seed).loss(X, y)[0] - np.log(7)) < 1e-2


@pytest.mark.parametrize("batchnorm", [False, True])
def test_fifty_pictures_are_learnt_by_heart(batchnorm):
    X, y = pictures(50)
    solver = Solver(small_net(batchnorm), {"X_train": X, "y_train": y, "X_val": X, "y_val": y},
                    update_rule="adam",
                    optim_config={"learning_rate": 3e-3}, batch_size=25, num_epochs=40,
                    verbose=False,
                    recipe=Recipe(stop=lambda history: history[-1]["train_acc"] == 1))
    solver.train()
    assert solver.check_accuracy(X, y) == 1


@pytest.mark.parametrize("batchnorm", [False, True])
def test_fifty_steps_in_float32_end_where_those_in_float64_do(batchnorm):
    """The distance of the two ends, over the way that the training went: a stricter measure than
    over the weights.

    The learning rate is one at which the loss falls steadily: at 0.01 the plain net jumps, and what
    differs by rounding grows to 2e-2 of the way.
    """
    X, y = pictures(50)
    begin = small_net(batchnorm)
    ends = []
    for dtype in (np.float32, np.float64):
        net = clone(begin, dtype)
        config = {"learning_rate": 1e-3, "momentum": 0.9}
        for _ in range(50):
            params = flattened(net.params)
            _, grads = net.loss(X, y)
            numbers, config = UPDATE_RULES["sgd_momentum"](params.numbers, grads.numbers, config)
            net.params.update(type(params)(params, numbers))
        ends.append(np.concatenate([net.params[name].ravel()
                                    for name in begin.params]).astype(np.float64))
    first = np.concatenate([array.ravel() for array in begin.params.values()]).astype(np.float64)
    distance = np.linalg.norm(ends[0] - ends[1])
    way = np.linalg.norm(ends[1] - first)
    assert distance <= 1e-3 * way and way > 0.1


def resident():
    """Return the resident memory of this process in bytes."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@compiled
@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="no /proc")
def test_two_thousand_steps_take_no_more_memory_than_five_hundred():
    net = FinalConvNet((1, 8, 8), (4, 6), hidden_dim=8, num_classes=2, batchnorm=True,
                       dropout_keep_ratio=0.7, seed=0)
    sizes = {}

    def note(history):
        if len(history) in (50, 199):
            gc.collect()
            sizes[len(history)] = np.array([tracemalloc.get_traced_memory()[0], resident()])
    solver = Solver(net, faces(40), update_rule="adam", batch_size=4, num_epochs=200, verbose=False,
                    recipe=Recipe(average_decay=0.9, stop=note))
    tracemalloc.start()
    try:
        solver.train()
    finally:
        tracemalloc.stop()
    assert len(solver.loss_history) == 2000
    traced, in_memory = sizes[199] - sizes[50]
    # The histories grow by about 100 bytes per step.
    assert traced < 2 ** 18 and in_memory < 2 ** 21, (traced, in_memory)


@compiled
@pytest.mark.parametrize("batchnorm", [False, True])
def test_threads_that_share_a_network_get_the_bits_that_they_get_alone(batchnorm):
    net = small_net(batchnorm)
    X, y = pictures(50)
    parts = [slice(0, 9), slice(9, 30), slice(30, 50)]

    def work(part):
        loss, grads = net.loss(X[part], y[part])
        return np.float64(loss).tobytes() + grads.numbers.tobytes()
    alone = [work(part) for part in parts]
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(work, parts * 15)) == alone * 15
    scores = [net.loss(X[part]).tobytes() for part in parts]
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(lambda part: net.loss(X[part]).tobytes(), parts * 15)) == scores * 15
