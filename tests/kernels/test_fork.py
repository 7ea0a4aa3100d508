"""A process that is forked after kernels have run gives the same bits, or an error that says what
to do; it neither dies nor waits for ever."""
import os
import subprocess
import sys
from pathlib import Path

import pytest
from layouts import compiled

pytestmark = [compiled, pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")]
BEGIN = """
import os, sys, threading
import numba
import numpy as np
from small_nets import final_net, grey, packaged, pictures
from cs231n_fer.arrays import arena
from cs231n_fer.fast_layers import threads
from cs231n_fer.fast_layers.conv import conv_forward
from cs231n_fer.nets.inference import Predictor

def forked(function):
    '''Call a function in a forked process; return its exit status, -14 if it took a minute.'''
    child = os.fork()
    if child == 0:
        import signal
        signal.alarm(60)
        try:
            function()
        except RuntimeError as error:
            assert "'spawn'" in str(error), error
            os._exit(1)
        except BaseException as error:
            print(repr(error), flush=True)
            os._exit(2)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

net = final_net()
X = pictures(5)
"""
AFTER_A_PREDICTION = """
shared = Predictor(net)
face = packaged(net)
calls = (lambda: shared(X), lambda: Predictor(net)(X), lambda: face.predict(grey(X)),
         lambda: final_net().loss(X, np.arange(5) % 3)[1].numbers,
         lambda: conv_forward(X, np.ones((4, 1, 3, 3)), np.zeros(4), {"stride": 1, "pad": 1})[0])
alone = [call() for call in calls]

def same():
    for call, right in zip(calls, alone):
        np.testing.assert_array_equal(call(), right)

def refused_again():
    for call in calls * 2:
        try:
            call()
        except RuntimeError:
            continue
        os._exit(2)

def forked_again():
    status = forked(same)  # in a process that the forked one forks
    if status == 1:
        raise RuntimeError("'spawn'")
    assert status == 0, status
status = [forked(same), forked(forked_again)]
if numba.threading_layer() == "omp":
    status.append(forked(refused_again))
np.testing.assert_array_equal(shared(X), alone[0])  # the parent goes on
print(numba.threading_layer(), status)
"""
AFTER_A_QUESTION = """
threads()
print(numba.threading_layer(), [forked(lambda: Predictor(net)(X))])
"""
BEFORE_ALL_KERNELS = """
from small_nets import mixed_net
fresh = mixed_net()
print(os.environ["NUMBA_THREADING_LAYER"], [forked(lambda: Predictor(fresh)(X))])
"""
WHILE_OTHERS_WORK = """
from concurrent.futures import ThreadPoolExecutor
import multiprocessing
shared = Predictor(net)
right = shared(X)
done = threading.Event()

def work():
    while not done.is_set():
        shared(X)
        arena.empty(1000, np.float32)

def once():
    arena.empty(1000, np.float32)
    np.testing.assert_array_equal(shared(X), right)

sys.setswitchinterval(1e-6)
others = [threading.Thread(target=work) for _ in range(3)]
for other in others:
    other.start()
status = [forked(once) for _ in range(30)]
done.set()
for other in others:
    other.join()
print(numba.threading_layer(), sorted(set(status)))
"""
FORKED_POOL = """
import multiprocessing

def scores(X):
    return Predictor(net)(X)
right = scores(X)
with multiprocessing.get_context("fork").Pool(2) as pool:
    try:
        assert all((found == right).all() for found in pool.map(scores, [X, X]))
        print(numba.threading_layer(), [0])
    except RuntimeError as error:
        assert "'spawn'" in str(error), error
        print(numba.threading_layer(), [1])
"""


def answer(code, layer):
    """Return what a process with a threading layer prints."""
    begin = BEGIN.replace("net = final_net()", "net = None") if "fresh" in code else BEGIN
    found = subprocess.run([sys.executable, "-c", begin + code], capture_output=True, text=True,
                           cwd=Path(__file__).parents[1], timeout=300,
                           env={**os.environ, "NUMBA_THREADING_LAYER": layer,
                                "PYTHONPATH": os.pathsep.join(sys.path)})
    assert found.returncode == 0, found.stderr
    return found.stdout


@pytest.mark.parametrize(("code", "omp", "workqueue"), [
    (AFTER_A_PREDICTION, [1, 1, 0], [0, 0]), (AFTER_A_QUESTION, [1], [0]),
    (BEFORE_ALL_KERNELS, [0], [0]), (WHILE_OTHERS_WORK, [1], [0]), (FORKED_POOL, [1], [0])],
    ids=["after a prediction", "after threads()", "before all kernels", "while others work",
         "in a pool"])
@pytest.mark.parametrize("layer", ["omp", "workqueue"])
def test_a_forked_process_gives_the_same_bits_or_says_what_to_do(layer, code, omp, workqueue):
    if layer == "omp" and not sys.platform.startswith("linux"):
        pytest.skip("only GNU OpenMP ends a forked process")
    assert answer(code, layer) == f"{layer} {omp if layer == 'omp' else workqueue}\n"
