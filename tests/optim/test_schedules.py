"""Tests of schedules: values worked out by hand, bounds, and that they keep no state."""
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cs231n_fer.optim.schedules import CosineWarmup, Exponential, Plateau, Step

CURVES = [  # schedule, epoch, num_epochs, history, factor
    (Exponential(0.95), 0, 10, [], 1),
    (Exponential(0.95), 0.999, 10, [], 1),
    (Exponential(0.95), 1, 10, [], 0.95),
    (Exponential(0.95), 9.5, 10, [], 0.95**9),
    (Exponential(1.0), 9.5, 10, [], 1),
    (Step(every=3, factor=0.1), 2.99, 10, [], 1),
    (Step(every=3, factor=0.1), 3, 10, [], 0.1),
    (Step(every=3, factor=0.1), 9.7, 10, [], 1e-3),
    (CosineWarmup(2, floor=0), 0, 10, [], 0),
    (CosineWarmup(2, floor=0), 1, 10, [], 0.5),
    (CosineWarmup(2, floor=0), 2, 10, [], 1),
    (CosineWarmup(2, floor=0), 6, 10, [], 0.5),
    (CosineWarmup(2, floor=0), 4, 10, [], (1 + math.sqrt(0.5)) / 2),
    (CosineWarmup(2, floor=0), 10, 10, [], 0),
    (CosineWarmup(2, floor=0.2), 0, 10, [], 0.2),
    (CosineWarmup(2, floor=0.2), 6, 10, [], 0.6),
    (CosineWarmup(0, floor=0), 0, 10, [], 1),
    (Plateau(2, 0.5), 5, 10, [], 1),
    (Plateau(2, 0.5), 5, 10, [0.1, 0.2, 0.3, 0.4], 1),
    (Plateau(2, 0.5), 5, 10, [0.4, 0.3], 1),
    (Plateau(2, 0.5), 5, 10, [0.4, 0.3, 0.4], 0.5),  # an accuracy equal to the best is no gain
    (Plateau(2, 0.5), 5, 10, [0.4, 0.3, 0.41, 0.3, 0.4], 0.5),  # a new best starts the count again
    (Plateau(2, 0.5), 6, 10, [0.4, 0.3, 0.3, 0.3], 0.5),  # and so does a reduction
    (Plateau(2, 0.5), 7, 10, [0.4, 0.3, 0.3, 0.3, 0.3], 0.25),
    (Plateau(2, 0.5, min_delta=0.05), 5, 10, [0.4, 0.44, 0.44], 0.5),
    (Plateau(2, 0.5, min_delta=0.05), 5, 10, [0.4, 0.46, 0.44], 1),
    (Plateau(1, 0.5), 5, 10, [0.4, float("nan"), 0.5], 0.5),
]
ALL = [Exponential(0.9), Step(2, 0.5), CosineWarmup(1.5, 0.01), Plateau(1, 0.5, 0.01)]


@pytest.mark.parametrize(("schedule", "epoch", "num_epochs", "history", "factor"), CURVES)
def test_every_curve_passes_through_points_worked_out_by_hand(
        schedule, epoch, num_epochs, history, factor):
    assert schedule(epoch, num_epochs, history) == pytest.approx(factor, rel=1e-12, abs=1e-15)


def reduced_by_pytorch(patience, accuracies):
    """Return how often torch.optim.lr_scheduler.ReduceLROnPlateau reduces, by its source."""
    best = -math.inf
    bad = 0
    reductions = 0
    for accuracy in accuracies:
        bad = 0 if accuracy > best else bad + 1
        best = max(best, accuracy)
        if bad > patience:
            reductions += 1
            bad = 0
    return reductions


@given(patience=st.integers(1, 5), accuracies=st.lists(st.integers(0, 9), max_size=30))
def test_a_plateau_of_a_patience_is_pytorchs_of_one_less(patience, accuracies):
    factor = Plateau(patience, 0.5)(0, 1, accuracies)
    assert factor == 0.5 ** reduced_by_pytorch(patience - 1, accuracies)


@pytest.mark.parametrize("schedule", ALL, ids=repr)
@given(epoch=st.floats(0, 20, exclude_max=True), history=st.lists(st.floats(0, 1), max_size=20))
def test_a_factor_is_a_python_float_from_0_to_1_and_repeats(schedule, epoch, history):
    before = list(history)
    factor = schedule(epoch, 20, history)
    assert type(factor) is float and 0 <= factor <= 1
    schedule(0, 20, [])
    assert schedule(epoch, 20, history) == factor
    assert history == before


@pytest.mark.parametrize("schedule", ALL[:2], ids=repr)
@given(epochs=st.lists(st.floats(0, 20, exclude_max=True), min_size=2, max_size=2).map(sorted))
def test_exponential_and_step_never_rise(schedule, epochs):
    assert schedule(epochs[1], 20, []) <= schedule(epochs[0], 20, [])


@given(history=st.lists(st.floats(0, 1), max_size=20))
def test_plateau_never_rises_as_the_history_grows(history):
    factors = [Plateau(2, 0.5)(1, 20, history[:length]) for length in range(len(history) + 1)]
    assert factors == sorted(factors, reverse=True)


BAD = [
    (Exponential, {"decay": 0}, "Exponential: decay is 0"),
    (Exponential, {"decay": 1.1}, "Exponential: decay is 1.1"),
    (Exponential, {"decay": float("nan")}, "Exponential: decay is nan"),
    (Step, {"every": 0}, "Step: every is 0"),
    (Step, {"every": 1.5}, "Step: every is 1.5"),
    (Step, {"factor": -0.1}, "Step: factor is -0.1"),
    (CosineWarmup, {"warmup_epochs": -1}, "CosineWarmup: warmup_epochs is -1"),
    (CosineWarmup, {"floor": 2}, "CosineWarmup: floor is 2"),
    (Plateau, {"patience": 0}, "Plateau: patience is 0"),
    (Plateau, {"patience": float("inf")}, "Plateau: patience is inf"),
    (Plateau, {"factor": 0}, "Plateau: factor is 0"),
    (Plateau, {"min_delta": -1}, "Plateau: min_delta is -1"),
]


@pytest.mark.parametrize(("schedule", "settings", "message"), BAD)
def test_a_hyper_parameter_out_of_range_is_named(schedule, settings, message):
    with pytest.raises(ValueError, match=message):
        schedule(**settings)


@pytest.mark.parametrize("schedule", ALL, ids=repr)
@pytest.mark.parametrize("epoch", [-0.1, 10.1, float("nan")])
def test_an_epoch_outside_of_the_training_is_refused(schedule, epoch):
    with pytest.raises(ValueError, match="epoch is"):
        schedule(epoch, 10, [])


def test_a_warm_up_as_long_as_the_training_is_refused():
    with pytest.raises(ValueError, match="warmup_epochs is 10"):
        CosineWarmup(10)(1, 10, [])
