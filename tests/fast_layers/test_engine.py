"""Tests of the compiled engine as a whole: reproducible bits, reused memory, fused chains."""
import os
import subprocess
import sys
import tracemalloc
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from layouts import compiled

from cs231n_fer import fast_layers as F
from cs231n_fer.arrays import arena
from cs231n_fer.classifiers import FinalConvNet
from cs231n_fer.fast_layers.sandwiches import POOL_2X2
from cs231n_fer.kernels import update
from cs231n_fer.kernels.vectors.calls import X86
from cs231n_fer.nets.chain import Chain, Residual
from cs231n_fer.nets.inference import Predictor
from cs231n_fer.nets.ladder import functions
from cs231n_fer.nets.network import Network
from cs231n_fer.nets.norms import BatchNorm, GroupNorm, LayerNorm
from cs231n_fer.nets.records import (
    Affine,
    AvgPool,
    Conv,
    Dropout,
    GlobalAvgPool,
    LeakyReLU,
    MaxPool,
    ReLU,
)
from cs231n_fer.nets.sandwich import Sandwich, fuse


@compiled
@pytest.mark.parametrize("batchnorm", [False, True])
def test_results_have_the_same_bits_on_any_number_of_threads(batchnorm):
    code = ("import numpy as np, hashlib, sys; from cs231n_fer.classifiers import FinalConvNet;"
            "from cs231n_fer.fast_layers import set_threads; set_threads(int(sys.argv[1]));"
            f"net = FinalConvNet(seed=0, batchnorm={batchnorm}, reg=1e-3); rng = "
            "np.random.default_rng(0);"
            "X = rng.standard_normal((50, 1, 48, 48)).astype(np.float32);"
            "loss, grads = net.loss(X, np.arange(50) % 7); digest = "
            "hashlib.sha256(np.float64(loss).tobytes());"
            "[digest.update(np.ascontiguousarray(grads[k]).tobytes()) for k in sorted(grads)];"
            "[digest.update(np.ascontiguousarray(net.loss(X[:n])).tobytes()) for n in (1, 2, 13)];"
            "print(digest.hexdigest())")
    found = [subprocess.run([sys.executable, "-c", code, threads], capture_output=True, text=True,
                            check=True,
                            env={**os.environ, "NUMBA_NUM_THREADS": "4"}).stdout
             for threads in ("1", "2", "4", "2")]
    assert len(set(found)) == 1


@compiled
@pytest.mark.skipif(not X86, reason="only x86 is slow at subnormal numbers")
def test_kernels_take_subnormal_numbers_as_zero_and_python_keeps_them():
    subnormal = np.float32(1e-40)
    count = 4 * update.BLOCK + 1  # a block for each of four threads
    w, dw, m = (np.full(count, subnormal) for _ in range(3))
    settings = (0.9, 0.999, 1e-3, 1.0, 1e-8, 0.0)
    next_w, next_m, next_v = update.one_pass(update.adam, (w, dw, m, m), settings)
    assert not next_w.any() and not next_m.any() and not next_v.any()
    assert subnormal * np.float32(0.5) > 0


def test_threads_out_of_range_get_a_clear_error():
    for n in (0, 10 ** 6, 1.5):
        with pytest.raises(ValueError, match="threads: got"):
            F.set_threads(n)


def loss_bits(seed):
    """Return loss and gradients of a small net as bytes.

    It is defined at the top of the module, so that a spawned process finds it.
    """
    net = FinalConvNet((1, 16, 16), (4, 8, 16, 32), hidden_dim=20, batchnorm=True, reg=1e-3,
                       seed=seed)
    rng = np.random.default_rng(seed)
    loss, grads = net.loss(rng.standard_normal((30, 1, 16, 16)).astype(np.float32),
                           np.arange(30) % 7)
    return np.float64(loss).tobytes() + grads.numbers.tobytes()


@compiled
def test_two_threads_of_a_program_and_a_spawned_process_get_the_same_bits():
    seeds = [0, 1, 2, 3]
    alone = [loss_bits(seed) for seed in seeds]
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(loss_bits, seeds * 3)) == alone * 3
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(loss_bits, 0).result() == alone[0]


@compiled
def test_threads_of_a_program_take_turns_where_the_threads_of_numba_serve_one_at_a_time():
    code = ("import numba; from concurrent.futures import ThreadPoolExecutor; from test_engine "
            "import loss_bits;"
            "alone = [loss_bits(seed) for seed in range(4)]; pool = ThreadPoolExecutor(3);"
            "assert list(pool.map(loss_bits, [0, 1, 2, 3] * 5)) == alone * 5; "
            "print(numba.threading_layer())")
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                           cwd=Path(__file__).parent,
                           env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path),
                                "NUMBA_THREADING_LAYER": "workqueue"})
    assert (found.returncode, found.stdout) == (0, "workqueue\n"), found.stderr


def test_memory_is_used_again_only_when_no_view_of_it_is_left():
    arena.release()
    a = arena.empty((3, 4), np.float32)
    place = a.ctypes.data
    view = a[1:].T
    assert place % arena.ALIGN == 0
    del a
    other = arena.empty((3, 4), np.float32)
    assert other.ctypes.data != place
    del view
    assert arena.empty((4, 3), np.float32).ctypes.data == place
    assert arena.release() > 0 and arena.release() == 0


@pytest.mark.parametrize("rung", ["fast", "winograd"])
@pytest.mark.parametrize("left_over", [3e38, np.nan])
def test_what_memory_held_before_is_neither_seen_nor_warned_of(monkeypatch, left_over, rung):
    take = arena._take

    def filled(size):
        block = take(size)
        block[:size // 4 * 4].view(np.float32)[:] = left_over
        return block
    monkeypatch.setattr(arena, "_take", filled)
    rng = np.random.default_rng(0)
    x, w, b, gamma, beta = (rng.standard_normal(shape).astype(np.float32) for shape in (
        (3, 2, 7, 9), (5, 2, 3, 3), 5, 5, 5))
    results = []
    for used in (rung, "im2col"):
        forward, backward = functions("conv_bn_relu_pool", used)
        out, cache = forward(x, w, b, gamma, beta, {"stride": 1, "pad": 1}, {"mode": "train"},
                             POOL_2X2)
        results.append([out, *backward(np.ones_like(out), cache)])
    for found, true in zip(*results, strict=True):
        np.testing.assert_allclose(found, true, rtol=0, atol=1e-4 * max(1, np.abs(true).max()))


@compiled
def test_training_allocates_nothing_large_after_the_first_steps():
    net = FinalConvNet(seed=0, batchnorm=True, reg=1e-3)
    X = np.random.default_rng(0).standard_normal((8, 1, 48, 48)).astype(np.float32)
    y = np.arange(8) % 7
    for _ in range(3):
        net.loss(X, y)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(20):
        net.loss(X, y)
    grown, peak = (value - before for value in tracemalloc.get_traced_memory())
    tracemalloc.stop()
    assert grown < 2 ** 17 and peak < 2 ** 23, f"{grown} bytes more, {peak} at the most"


@pytest.mark.parametrize("rung", ["auto", "im2col"])
@pytest.mark.parametrize("batchnorm", [False, True])
def test_a_predictor_gives_the_scores_of_the_network_it_was_made_of(batchnorm, rung):
    net = FinalConvNet((1, 16, 16), (3, 5, 4, 20), hidden_dim=33, batchnorm=batchnorm,
                       dropout_keep_ratio=0.5, dtype=np.float64, seed=0, rung=rung)
    rng = np.random.default_rng(0)
    for name, array in [*net.params.items(), *net.buffers.items()]:
        array[...] = (
            rng.random(array.shape) + 0.1
            if "running_var" in name
            else rng.standard_normal(array.shape)
        )
    X = rng.standard_normal((7, 1, 16, 16))
    predictor = Predictor(net)
    expected = net.loss(X)
    net.params["affine2/b"] += 1
    limit = 1e-12 * np.abs(expected).max()
    for part in (slice(0, 7), slice(0, 1)):
        np.testing.assert_allclose(predictor(X[part]), expected[part], rtol=0, atol=limit)
    with pytest.raises(ValueError, match="X: has shape"):
        predictor(X[:, 0])


UNUSUAL = {  # settings that differ from all defaults
    "sandwich": [Conv(4, 5, 2, 1), BatchNorm(eps=0.3, momentum=0.1), ReLU(), MaxPool()],
    "without bias": [Conv(4, bias=False), BatchNorm(eps=0.3), ReLU()],
    "pool of its own": [Conv(4), BatchNorm(eps=0.3), ReLU(), MaxPool(3, 1)],
    "no ReLU": [Conv(4), BatchNorm(eps=0.3), MaxPool(3), LeakyReLU(0.4)],
    "groups": [Conv(4), GroupNorm(2, eps=0.3), ReLU(), AvgPool(3, 2)],
    "affine": [Affine(5), LayerNorm(eps=0.3), ReLU(), Dropout(0.3)],
    "batchnorm of affine": [Affine(5), BatchNorm(eps=0.3), ReLU()],
}


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("name", UNUSUAL)
def test_a_predictor_heeds_every_setting_of_every_layer(name, fused):
    chain = Chain(tuple((f"layer{i}", layer)
                        for i, layer in enumerate([*UNUSUAL[name], Affine(3)])))
    net = Network(fuse(chain) if fused else chain, (2, 8, 8), dtype=np.float64, seed=0)
    rng = np.random.default_rng(1)
    for path, array in [*net.params.items(), *net.buffers.items()]:
        array[...] = (
            rng.random(array.shape) / 4 + 0.01
            if "running_var" in path
            else rng.standard_normal(array.shape)
        )
    X = rng.standard_normal((4, 2, 8, 8))
    rungs = Network(by_hand(chain), (2, 8, 8), dtype=np.float64)
    rungs.params = net.params
    rungs.buffers = net.buffers
    expected = rungs.loss(X)
    for found in (Predictor(net)(X), net.loss(X)):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * np.abs(expected).max())


def by_hand(chain):
    """Return a Chain whose layers use the rung im2col, where they have it."""
    return Chain(tuple((name, replace(layer, rung="im2col") if "rung" in vars(layer) else layer)
                       for name, layer in chain.layers))


@compiled
def test_a_size_that_was_used_once_leaves_a_few_kilobytes(monkeypatch):
    net = Network(PLAIN, (2, 8, 8), seed=0)

    def use(sizes):
        for n in sizes:
            X = np.zeros((2, 2, n, n + 1), np.float32)
            found = Network(PLAIN, X.shape[1:], seed=0)
            found.loss(X, np.arange(2))
            net.loss(np.zeros((n, 2, 8, 8), np.float32))
        arena.release()
    use((8, 9))
    # Otherwise a slab of 32 MiB may be added while memory is counted, after some other tests.
    monkeypatch.setattr(arena, "_slab", arena._Slab(arena.SLAB))
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    use(range(10, 40))
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 30 * 2 ** 15, f"{grown} bytes for 30 sizes of batches and of images"


PLAIN = Chain((("block", Chain((("conv", Conv(4)), ("bn", BatchNorm()), ("relu", ReLU()),
                                ("pool", MaxPool())))),
               ("res", Residual(Chain((("conv", Conv(4)), ("relu", ReLU()), ("conv2", Conv(4)))))),
               ("conv3", Conv(5, 5)), ("relu3", ReLU()), ("mean", GlobalAvgPool()),
               ("scores", Affine(3))))


def test_fuse_finds_every_sandwich_and_changes_no_name_and_no_result():
    plain, fused = (Network(layer, (2, 8, 8), dtype=np.float64, seed=1, reg=0.1)
                    for layer in (PLAIN, fuse(PLAIN)))
    assert list(plain.params) == list(fused.params) and list(plain.buffers) == list(fused.buffers)
    found = [layer for _, layer in fused.layer.layers if isinstance(layer, Sandwich)]
    assert len(found) == 2 and isinstance(fused.layer.layers[1][1].body.layers[0][1], Sandwich)
    rng = np.random.default_rng(0)
    X = rng.standard_normal((5, 2, 8, 8))
    y = np.arange(5) % 3
    loss, grads = fused.loss(X, y)
    true_loss, true_grads = plain.loss(X, y)
    assert loss == pytest.approx(true_loss, rel=1e-12)
    for name in grads:
        np.testing.assert_allclose(grads[name], true_grads[name], atol=1e-11)
    np.testing.assert_allclose(fused.loss(X), plain.loss(X), atol=1e-11)
    assert fused.summary() == plain.summary()


def test_a_sandwich_of_other_layers_gets_a_clear_error():
    with pytest.raises(ValueError, match="Sandwich: got .*'ReLU', 'Conv'.*expected Conv"):
        Sandwich((("relu", ReLU()), ("conv", Conv(3))))
