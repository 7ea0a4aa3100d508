"""Python threads that share an object get the same bits as a single thread."""
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest
from layouts import compiled
from small_nets import final_net, grey, mixed_net, packaged, pictures
from toys import faces

from cs231n_fer.analysis.saliency import occlusion_map, saliency_map, smooth_grad
from cs231n_fer.arrays import arena
from cs231n_fer.data_utils.augment import (
    BrightnessContrast,
    Compose,
    HorizontalFlip,
    RandomErasing,
    RandomSimilarity,
)
from cs231n_fer.fast_layers import set_threads
from cs231n_fer.kernels.vectors.machine import MOST_THREADS, threads
from cs231n_fer.nets.inference import MOST_SIZES, Predictor, features
from cs231n_fer.nets.ladder import functions
from cs231n_fer.nets.layer import TEST
from cs231n_fer.solver import Recipe, Solver
from cs231n_fer.solver.distillation import distil, teacher_of

CALLERS, CALLS = 4, 100
SIZES = (1, 2, 3, 5, 8, 13)  # batch sizes, more than a Predictor keeps ready


@contextmanager
def frequent_switches():
    """Let Python hand over from thread to thread a thousands of times as often: races that are rare
    become likely."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def at_once(work, callers=CALLERS):
    """Return [work(caller)] of threads that begin together."""
    barrier = Barrier(callers)

    def begin(caller):
        barrier.wait()
        return work(caller)
    with frequent_switches(), ThreadPoolExecutor(callers) as pool:
        return list(pool.map(begin, range(callers)))


def test_arrays_of_the_arena_belong_to_one_thread_each_and_have_room_for_their_class(monkeypatch):
    monkeypatch.setattr(arena, "SLAB", 2 ** 11)  # small slabs are used up often
    arena.release()

    def spoiled(caller):
        """Take arrays and count those on which somebody else has written when they are given
        back."""
        rng = np.random.default_rng(caller)
        held = []
        wrong = 0
        for step in range(25000):
            mark = caller * 10 ** 6 + step
            held.append((arena.empty(int(rng.integers(1, 2 ** 7)), np.int64), mark))
            held[-1][0].fill(mark)
            if step % 500 == 499:
                wrong += sum(not (array == mark).all() for array, mark in held)
                held = held[::7]
                arena.release()
        return wrong
    assert at_once(spoiled) == [0] * CALLERS
    assert all(len(block) == size for size, blocks in arena._blocks.items() for block in blocks)


def on_some_threads(function, X):
    """Call a function while its kernels use a number of threads that depends on the batch size."""
    before = threads()
    set_threads(1 + len(X) % MOST_THREADS)
    found = function(X)
    set_threads(before)
    return found


def trained(X):
    """Return the weights after some steps of a Solver, on faces shifted by the pictures."""
    net = final_net()
    data = faces(12)
    Solver(net, {**data, "X_train": data["X_train"] + X[0]}, update_rule="adam", batch_size=4,
           num_epochs=1, verbose=False,
           recipe=Recipe(augmentation=HorizontalFlip(), average_decay=0.5)).train()
    return np.concatenate([array.ravel() for array in net.params.values()])


def there_and_back(net, X):
    """Return scores, and the gradients of images and parameters, without training."""
    scores, cache = net.forward(X, TEST)
    dX, grads = net.backward(np.ones_like(scores), cache)
    return np.concatenate([scores.ravel(), dX.ravel(), *(grad.ravel() for grad in grads.values())])


def gradients(net, X):
    """Return the loss and the gradients of a training pass, which also moves the running
    averages."""
    loss, grads = net.loss(X, classes(X))
    return np.concatenate([[loss], grads.numbers])


def through_layers(X):
    """Return the outputs and gradients of operations of the ladder, whose plans depend on X."""
    found = []
    w = np.linspace(-1, 1, 45, dtype=np.float32).reshape(5, 1, 3, 3)
    vectors = np.linspace(0.5, 1, 15, dtype=np.float32).reshape(3, 5)
    conv = {"stride": 1, "pad": len(X) % 3}
    pool = {"pool_height": 2, "pool_width": 2, "stride": 2}
    for operation, arguments in {
            "conv": (X, w, vectors[0], conv),
            "conv_relu_pool": (X, w, vectors[0], conv, pool),
            "conv_bn_relu_pool": (X, w, *vectors, conv, {"mode": "train"}, pool),
            "max_pool": (X, pool), "avg_pool": (X, pool), "relu": (X,),
            "affine": (X, np.ones((64, 5), np.float32), vectors[0]),
            "spatial_groupnorm": (X, X[:1, :1, :1, :1], X[:1, :1, :1, :1], 1, {})}.items():
        forward, backward = functions(operation, "auto")
        out, cache = forward(*arguments)
        back = backward(np.ones_like(out), cache)
        found += [out, *(back if isinstance(back, tuple) else (back,))]
    return np.concatenate([array.ravel() for array in found])


def distilled(teacher, X):
    """Return the loss and the gradients of a student of a shared teacher."""
    student = distil(final_net(2), [final_net(1)], 0.5)
    student.teacher = teacher
    loss, grads = student.loss(X, classes(X))
    return np.concatenate([[loss], grads.numbers])


def classes(X):
    """Return a label for every picture."""
    return np.arange(len(X)) % 3


AUGMENTATION = Compose((HorizontalFlip(), RandomSimilarity(), RandomErasing(),
                        BrightnessContrast()))
# Objects that threads may share: (how to make one, its answer for pictures)
SHARED = {
    "Predictor": (lambda: Predictor(final_net()), lambda shared, X: shared(X)),
    "Predictor of other layers": (lambda: Predictor(mixed_net()), lambda shared, X: shared(X)),
    "Predictor of features": (lambda: Predictor(final_net(), "affine1"), lambda shared,
                              X: shared(X)),
    "Predictor and set_threads": (lambda: Predictor(final_net()), on_some_threads),
    "PretrainedNet": (lambda: packaged(final_net()), lambda shared,
                      X: shared.predict(grey(X), batch_size=4)),
    "teacher_of": (lambda: teacher_of([final_net(1), mixed_net()], 2.0), lambda shared,
                   X: shared(X)),
    "distil": (lambda: teacher_of([final_net(1)]), distilled),
    "features": (final_net, lambda shared, X: features(shared, X, batch_size=4)),
    "Network.predict": (mixed_net, lambda shared, X: shared.predict(X, batch_size=4)),
    "Network.backward": (final_net, there_and_back),
    "Network.loss": (final_net, gradients),
    "a Network that gets new Predictors": (final_net, lambda shared, X: Predictor(shared)(X)),
    "a Network that is copied": (mixed_net, lambda shared, X: copy(shared).predict(X)),
    "a Predictor that is copied": (lambda: Predictor(mixed_net()),
                                   lambda shared, X: copy(shared)(X)),
    "layers": (lambda: None, lambda shared, X: through_layers(X)),
    "saliency_map": (final_net, lambda shared,
                     X: saliency_map(shared, X, classes(X), batch_size=4)),
    "smooth_grad": (final_net, lambda shared, X: smooth_grad(shared, X, classes(X), copies=2)),
    "occlusion_map": (final_net, lambda shared, X: occlusion_map(shared, X, classes(X), size=4)),
    "augmentation": (lambda: AUGMENTATION, lambda shared,
                     X: shared(X, np.random.default_rng(len(X)))),
    **{f"{type(part).__name__}": (lambda part=part: part, lambda shared,
                                  X: shared(X, np.random.default_rng(len(X))))
       for part in AUGMENTATION.augmentations},
    "Solver": (lambda: None, lambda shared, X: trained(X)),
}


def wrong_answers(name):
    """Return how many answers to concurrent threads differ from those to a single thread."""
    make, answer = SHARED[name]
    shared = make()
    questions = [[pictures(n, seed=caller) for n in SIZES] for caller in range(CALLERS)]
    alone = [[answer(shared, X).tobytes() for X in batches] for batches in questions]

    def ask(caller):
        found = [answer(shared, questions[caller][call // 4 % len(SIZES)]).tobytes()
                 for call in range(CALLS)]
        return sum(mine != alone[caller][call // 4 % len(SIZES)] for call, mine in enumerate(found))
    return sum(at_once(ask))


@compiled
@pytest.mark.parametrize("name", SHARED)
def test_what_threads_share_gives_each_of_them_the_bits_that_it_gets_alone(name):
    assert wrong_answers(name) == 0


@compiled
def test_they_do_so_as_well_where_the_threads_of_numba_serve_one_caller_at_a_time():
    code = ("import numba; from test_threads import SHARED, wrong_answers;"
            "wrong = {name: wrong_answers(name) for name in SHARED};"
            "assert not any(wrong.values()), wrong; print(numba.threading_layer())")
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                           cwd=Path(__file__).parent,
                           env={**os.environ, "NUMBA_THREADING_LAYER": "workqueue",
                                "PYTHONPATH": os.pathsep.join(sys.path)})
    assert (found.returncode, found.stdout) == (0, "workqueue\n"), found.stderr


@compiled
@pytest.mark.parametrize("layer", ["omp", "workqueue"])
def test_threads_may_run_the_first_kernels_of_a_process_at_once(layer):
    """Threads of Numba, plans and compiled code come into being in several threads at once."""
    code = ("import numba; import numpy as np; from small_nets import pictures;"
            "from test_threads import CALLERS, at_once, through_layers;"
            "found = at_once(lambda caller: through_layers(pictures(3)).tobytes());"
            "assert found == [through_layers(pictures(3)).tobytes()] * CALLERS;"
            "print(numba.threading_layer())")
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                           cwd=Path(__file__).parent, timeout=600,
                           env={**os.environ, "NUMBA_THREADING_LAYER": layer,
                                "PYTHONPATH": os.pathsep.join(sys.path)})
    assert (found.returncode, found.stdout) == (0, layer + "\n"), found.stderr


def test_a_predictor_keeps_a_few_sizes_ready_and_for_each_as_many_as_callers_needed_at_once():
    predictor = Predictor(final_net())
    for n in range(1, 30):
        assert predictor(pictures(n)).shape == (n, 3)
        assert len(predictor.ready) <= MOST_SIZES
    at_once(lambda caller: [predictor(pictures(n)) for n in range(1, 12)])
    assert len(predictor.ready) <= MOST_SIZES + CALLERS  # threads may reach the limit together
    assert all(len(kept) <= CALLERS for kept in predictor.ready.values())
