"""Tests of fingerprints, the texts of all that determines the bits of a run.

Equal runs have equal texts in every process.
"""
import array
import datetime
import os
import subprocess
import sys
from collections import deque
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import partial, wraps
from pathlib import Path
from types import FunctionType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toys import faces

from cs231n_fer.classifiers import FinalConvNet, FullyConnectedNet, TwoLayerNet
from cs231n_fer.data_utils.augment import Compose, HorizontalFlip
from cs231n_fer.files.checkpoint import load_checkpoint, save_checkpoint
from cs231n_fer.layers import l2_svm_loss, softmax_loss
from cs231n_fer.optim.schedules import Exponential
from cs231n_fer.solver import Recipe, RunFolder, Solver
from cs231n_fer.solver.distillation import distil
from cs231n_fer.solver.fingerprint import ROWS, describe, describe_array, excerpts
from cs231n_fer.solver.samplers import Balanced, Shuffle


class Half:
    """A sampler that shows a part of the samples and has no repr."""

    def __init__(self, share=0.5):
        self.share = share

    def order(self, rng, labels):
        return rng.permutation(len(labels))[:int(len(labels) * self.share)]


class Spoken(Half):
    """A sampler with a repr of its own."""

    def __repr__(self):
        return "half of them"


def net(keep=0.8, **options):
    return FullyConnectedNet([7], 64, 2, keep, seed=5, **options)


def falling(rate):
    """A schedule that remembers a number."""
    def schedule(epoch, num_epochs, history):
        return rate ** epoch
    return schedule


def run(folder, model=net, change=None, resume=False, num_epochs=1, **choices):
    """Return the Solver of a run; `change` names an array of which one value is another."""
    data = faces(40)
    if change:
        data[change] = data[change].copy()
        data[change][-1] = 1 - data[change][-1]
    recipe = Recipe(**{"schedule": falling(0.5), "sampler": Half(), **choices})
    return Solver(model(), data, verbose=False, num_epochs=num_epochs, recipe=recipe,
                  folder=RunFolder(folder, resume))


IN_A_PROCESS = """
import sys
from test_fingerprint import Half, run
schedule = lambda epoch, num_epochs, history: 0.9 if epoch in {1, 2, "a", None} else 1.0
run(sys.argv[1], num_epochs=int(sys.argv[2]), resume=True, schedule=schedule).train()
"""


def test_a_lambda_schedule_and_a_sampler_without_repr_are_gone_on_with_in_another_process(tmp_path):
    for epochs in (1, 2):
        command = sys.executable, "-c", IN_A_PROCESS, tmp_path, str(epochs)
        done = subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": str(epochs),
                                           "PYTHONPATH": os.pathsep.join(sys.path)},
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert load_checkpoint(tmp_path / "last.h5")[1]["epoch"] == epochs


def distilled(seed):
    """A student of a teacher with weights of a seed."""
    teacher = FinalConvNet((1, 8, 8), (2,), hidden_dim=3, num_classes=2, seed=seed, rung="im2col")
    return distil(net(), [teacher])


def with_loss(loss):
    def make():
        model = net()
        model.loss_function = loss
        return model
    return make


OTHERS = {  # case: (the difference, the name in the error)
    **{name: ({"change": name}, name) for name in ("X_train", "X_val", "y_val")},
    "y_train": ({"change": "y_train"}, "training_labels"),
    "reg": ({"model": partial(net, reg=0.5)}, "reg: got 0.5"),
    "dropout": ({"model": partial(net, 0.7)}, r"layer: got .*keep=0\.7.* trained with .*keep=0\.8"),
    "layernorm without weights": ({"model": partial(net, 1)}, "layer: got "),
    "another class": ({"model": lambda: TwoLayerNet(64, 7, 2, dtype=np.float32)},
                      "model: got .*TwoLayerNet"),
    "loss": ({"model": with_loss(l2_svm_loss)}, "loss_function: got .*l2_svm_loss"),
    "a lambda as loss": ({"model": with_loss(lambda scores, y: softmax_loss(scores, y))},
                         "loss_function: got "),
    "teacher": ({"model": partial(distilled, 1)}, "(teacher|loss_function): got "),
    "schedule": ({"schedule": falling(0.25)}, "schedule: got "),
    "sampler": ({"sampler": Half(0.6)}, r"sampler: got .*share=0\.6"),
    "augmentation": ({"augmentation": HorizontalFlip()}, "augmentation: got HorizontalFlip"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_run_that_would_have_other_bits_is_refused_and_its_net_is_left_as_it_was(tmp_path, name):
    run(tmp_path).train()
    how, message = OTHERS[name]
    other = how.get("model", net)()
    before = {key: array.copy() for key, array in other.params.items()}
    with pytest.raises(ValueError, match=message):
        run(tmp_path, resume=True, **{**how, "model": lambda: other})
    assert all((other.params[key] == array).all() for key, array in before.items())


def test_a_run_with_another_teacher_is_refused_and_one_with_the_same_goes_on(tmp_path):
    run(tmp_path, partial(distilled, 1)).train()
    used = distilled(1)
    used.teacher(faces(40)["X_train"])
    for same in (partial(distilled, 1), lambda: used):
        assert run(tmp_path, same, resume=True).epoch == 1
    with pytest.raises(ValueError, match="teacher: got "):
        run(tmp_path, partial(distilled, 2), resume=True)


@pytest.mark.parametrize("sampler, other", [(Balanced(0.5), Balanced(0.6)), (Spoken(), Shuffle())])
def test_a_folder_from_before_there_were_fingerprints_is_gone_on_with(tmp_path, sampler, other):
    options = {"schedule": Exponential(0.9), "sampler": sampler}
    run(tmp_path, **options).train()
    arrays, info = load_checkpoint(tmp_path / "last.h5")
    del info["fingerprint"]
    save_checkpoint(tmp_path / "last.h5", arrays, info)
    assert run(tmp_path, resume=True, **options).epoch == 1
    with pytest.raises(ValueError, match="sampler: got "):
        run(tmp_path, resume=True, **{**options, "sampler": other})


class CourseNet:
    """A model as students of the course write it."""

    def __init__(self, reg=0.1, dropout=0.5, mode="train"):
        self.params = {"W1": np.zeros((64, 2))}
        self.reg = reg
        self.dropout_param = {"mode": mode, "p": dropout, "seed": None}
        self.layers = [64, 2]
        self._cache = 3

    def loss(self, X, y=None):
        scores = X.reshape(len(X), -1) @ self.params["W1"]
        if y is None:
            return scores
        loss, dscores = softmax_loss(scores, y)
        return loss, {"W1": X.reshape(len(X), -1).T @ dscores + self.reg * self.params["W1"]}


@pytest.mark.parametrize("change, message", [
    ({"reg": 0.2}, "reg: got 0.2"), ({"dropout": 0.6}, "attributes: got .*'p': 0.6"),
    ({"mode": "test"}, "attributes: got .*'test'")])
def test_a_model_that_is_no_network_is_compared_by_its_settings(tmp_path, change, message):
    run(tmp_path, CourseNet).train()
    assert run(tmp_path, CourseNet, resume=True).epoch == 1
    with pytest.raises(ValueError, match=message):
        run(tmp_path, partial(CourseNet, **change), resume=True)


def test_a_checkpoint_that_describes_less_of_a_model_is_gone_on_with(tmp_path):
    run(tmp_path, CourseNet).train()
    arrays, info = load_checkpoint(tmp_path / "last.h5")
    del info["fingerprint"]["attributes"]
    save_checkpoint(tmp_path / "last.h5", arrays, info)
    assert run(tmp_path, CourseNet, resume=True).epoch == 1


@pytest.mark.parametrize("name", ["X_train", "X_val", "y_val", "reg"])
def test_a_checkpoint_by_name_is_as_particular_as_one_in_a_folder(tmp_path, name):
    Solver(net(), faces(40), verbose=False, num_epochs=1,
           checkpoint_name=str(tmp_path / "my")).train()
    (tmp_path / "my_epoch_1.h5").rename(tmp_path / "last.h5")
    (tmp_path / "best.h5").write_bytes((tmp_path / "last.h5").read_bytes())
    data = faces(40)
    folder = RunFolder(tmp_path, resume=True)
    assert Solver(net(), data, verbose=False, folder=folder).epoch == 1
    if name != "reg":
        data[name] = 1 - data[name]
    with pytest.raises(ValueError, match=f"{name}: got "):
        Solver(net(reg=float(name == "reg")), data, verbose=False, folder=folder)


RECORDS = [Exponential(0.9), Balanced(), Compose((HorizontalFlip(), HorizontalFlip(0.1))),
           Compose(())]


@pytest.mark.parametrize("record", RECORDS, ids=repr)
def test_the_text_of_a_record_is_its_repr_as_older_checkpoints_hold_it(record):
    assert describe(record) == repr(record)


leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
values = st.recursive(leaves, lambda each: st.lists(each) | st.tuples(each)
                      | st.dictionaries(st.text(), each), max_leaves=9)


@given(values)
def test_the_text_of_plain_values_is_their_repr(value):
    assert describe(value) == repr(value)


def constant(epoch, num_epochs, history):
    return 1.0


@wraps(constant)
def decorated(*arguments):
    return constant(*arguments)


class Methods:
    """Something whose method is a schedule."""

    def __init__(self, rate):
        self.rate = rate
        self.itself = self
        self.lock = object()

    def schedule(self, epoch, num_epochs, history):
        return self.rate


def counting(first):
    """A function that has captured itself, an array and a generator."""
    rng = np.random.default_rng(first)
    weights = np.arange(first)

    def count(n):
        return count(n - 1) + rng.random() + weights if n else 0
    return count


def reading_global(rate):
    """A lambda that reads a global number."""
    scope = {"RATE": rate, "np": np, "__name__": __name__}
    return FunctionType((lambda epoch, *_: RATE ** epoch).__code__, scope, "<lambda>")  # noqa: F821


class Slotted:
    """Something that keeps its number in a slot."""

    __slots__ = ("rate", "missing")

    def __init__(self, rate):
        self.rate = rate


class Under(Slotted):
    """A subclass with a slot and a dict of its own."""

    __slots__ = "more", "__dict__"


@dataclass(frozen=True, slots=True)
class SlottedRecord:
    """A record with slots."""

    rate: float


PAIRS = [  # (make, make another)
    (lambda: falling(0.5), lambda: falling(0.6)),
    (lambda: Methods(1).schedule, lambda: Methods(2).schedule),
    (lambda: partial(constant, history=[1]), lambda: partial(constant, history=[2])),
    (lambda: constant, lambda: falling), (lambda: np.sin, lambda: np.cos),
    (lambda: Half(np.arange(5)), lambda: Half(np.arange(6))),
    (lambda: counting(3), lambda: counting(4)),
    (lambda: {"a", "b", "c"}, lambda: {"a", "b"}),
    (lambda: lambda x: x + 1, lambda: lambda x: x + 2),
    (lambda: lambda x: x + 1, lambda: lambda x: x - 1),
    (lambda: lambda x: np.sin(x), lambda: lambda x: np.cos(x)),
    (lambda: lambda x=1: x, lambda: lambda x=2: x),
    (lambda: lambda: (lambda: 1), lambda: lambda: (lambda: 2)),
    (lambda: reading_global(0.5), lambda: reading_global(0.6)),
    (lambda: Slotted(1), lambda: Slotted(2)), (lambda: Under(1), lambda: Under(2)),
    (lambda: SlottedRecord(1), lambda: SlottedRecord(2)),
    (lambda: deque([1]), lambda: deque([2])), (lambda: Fraction(1, 2), lambda: Fraction(1, 3)),
    (lambda: Decimal("0.1"), lambda: Decimal("0.2")), (lambda: Path("a"), lambda: Path("b")),
    (lambda: bytearray(b"a"), lambda: bytearray(b"b")),
    (lambda: datetime.date(2026, 1, 1), lambda: datetime.date(2026, 1, 2)),
    (lambda: array.array("d", [1]), lambda: array.array("d", [2])),
    (lambda: np.array([1, None]), lambda: np.array([2, None])),
    (lambda: np.array(1.0), lambda: np.array(2.0)),
    (lambda: np.float32(0.5), lambda: np.float32(0.25)),
    (lambda: np.dtype("f4"), lambda: np.dtype("f8")),
]


@pytest.mark.parametrize("make, other", PAIRS)
def test_equal_things_have_equal_texts_without_an_address_and_others_have_other_texts(make, other):
    first = make()
    second = make()
    assert describe(first) == describe(second) != describe(other())
    assert hex(id(first)) not in describe(first)


def test_a_decorated_function_is_described_by_its_name():
    assert describe(decorated) == describe(constant) == f"{__name__}.constant"


@pytest.mark.parametrize("change", [
    lambda a: a.astype(np.float64), lambda a: a.reshape(len(a), 4, 3), lambda a: -a,
    lambda a: a[:-1], lambda a: a.astype(">f4")])
def test_an_array_is_described_by_dtype_shape_and_values_and_not_by_its_memory(change):
    array = np.random.default_rng(0).standard_normal((ROWS + 3, 3, 4)).astype(np.float32)
    gaps = np.repeat(array, 2, axis=0)[::2]
    for same in (np.asfortranarray(array), gaps):
        assert describe_array(same) == describe_array(array)
    assert describe_array(array) != describe_array(change(array))
    last = array.copy()
    last[-1, -1, -1] += 1
    assert describe_array(array) != describe_array(last)


def test_of_long_texts_the_part_around_their_difference_is_shown():
    first, second = excerpts("x" * 300 + "a" + "y" * 300, "x" * 300 + "b" + "y" * 300)
    assert first == "..." + "x" * 30 + "a" + "y" * 59 + "..." and second == first.replace("a", "b")
    assert excerpts("a", "b") == ["a", "b"]
