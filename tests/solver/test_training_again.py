"""A second train() with more epochs gives the bits of one long run, in memory and from the disk."""
import copy

import numpy as np
import pytest
from test_resume import RUNS, outcome, start
from toys import Scripted, faces, numbers

from cs231n_fer.classifiers import FinalConvNet
from cs231n_fer.files.checkpoint import load_checkpoint
from cs231n_fer.optim.schedules import CosineWarmup
from cs231n_fer.solver import Recipe, RunFolder, Solver


def last_state(solver):
    """Return the bits of the state of the update rule and of all generators, by name."""
    arrays, _ = solver.state.update.stored()
    rng = getattr(solver.model, "rng", None)
    return ({name: array.tobytes() for name, array in arrays.items()},
            rng and rng.bit_generator.state)


def longer(solver, epochs):
    solver.num_epochs = epochs
    solver.train()
    return solver


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("between", [lambda solver: solver, copy.deepcopy], ids=["itself", "copy"])
def test_more_epochs_in_memory_give_the_bits_of_one_long_run(name, between):
    whole = start(name, None, 5)
    whole.train()
    again = start(name, None, 2)
    again.train()
    for epochs in (3, 5):
        again = longer(between(again), epochs)
    assert outcome(again) == outcome(whole) and last_state(again) == last_state(whole)


@pytest.mark.parametrize("wrong", [{"num_epochs": 1.5}, {"num_epochs": "3"}, {"num_epochs": None},
                                   {"num_epochs": -1}, {"batch_size": 0}, {"batch_size": 2.0}],
                         ids=str)
def test_numbers_that_were_changed_are_checked_again(wrong):
    solver = worse_after_one_epoch()
    (name, value), = wrong.items()
    setattr(solver, name, value)
    with pytest.raises(ValueError, match=f"{name}: got {value!r}, expected an int of at least"):
        solver.train()
    assert solver.loss_history == []


def worse_after_one_epoch():
    """Return a solver whose best epoch is the first of three."""
    model = Scripted([0.1, 0.9, 0.5, 0.3, 0.2, 0.1])
    return Solver(model, numbers(4), num_epochs=3, verbose=False,
                  optim_config={"learning_rate": 1.0})


def test_the_best_weights_are_given_after_each_training_and_the_last_ones_are_trained():
    solver = worse_after_one_epoch()
    solver.train()
    assert solver.model.params["w"] == 1
    longer(solver, 5)
    assert solver.state.last_params["w"] == 5 and solver.model.params["w"] == 1
    solver.restore_best()
    assert solver.state.last_params["w"] == 5


@pytest.mark.parametrize("change", [
    lambda params: params.update(w=np.full(1, 20.0)),
    lambda params: params["w"].fill(20.0)], ids=["another array", "in place"])
def test_weights_that_were_put_into_the_model_are_those_that_are_trained(change):
    solver = worse_after_one_epoch()
    solver.train()
    change(solver.model.params)
    solver.recipe = Recipe(keep="last")
    assert longer(solver, 5).model.params["w"] == 22


def cosine(folder=None, epochs=4, resume=False, schedule=None):
    net = FinalConvNet((1, 8, 8), (4,), hidden_dim=8, num_classes=2, seed=5)
    return Solver(net, faces(40), batch_size=9, num_epochs=epochs, verbose=False,
                  folder=folder and RunFolder(folder, resume),
                  recipe=Recipe(schedule=schedule or CosineWarmup(1)))


REFUSED = r"num_epochs: was 4, and 8 changes the past of the schedule: at epoch [\d.]+ its factor"


def test_another_horizon_that_changes_the_past_of_a_schedule_is_refused_in_memory(tmp_path):
    solver = cosine()
    solver.train()
    before = {name: array.copy() for name, array in solver.model.params.items()}
    with pytest.raises(ValueError, match=REFUSED):
        longer(solver, 8)
    assert all((solver.model.params[name] == array).all() for name, array in before.items())
    assert longer(solver, 2).epoch == 4  # there is nothing to train


@pytest.mark.parametrize("steps, warmup", [(20, 1), (7, 1), (3, 0)])
def test_another_horizon_is_refused_from_the_disk_before_anything_is_written(
        tmp_path, steps, warmup):
    schedule = CosineWarmup(warmup)
    solver = cosine(tmp_path, schedule=schedule)
    step = solver._step

    def interrupt(*arguments):
        step(*arguments)
        if len(solver.loss_history) == steps:
            solver._interrupts.append(2)
    solver._step = interrupt
    with pytest.raises(KeyboardInterrupt):
        solver.train()
    before = (tmp_path / "last.h5").read_bytes()
    with pytest.raises(ValueError, match=REFUSED):
        cosine(tmp_path, 8, resume=True, schedule=schedule)
    assert (tmp_path / "last.h5").read_bytes() == before
    resumed = cosine(tmp_path, 4, resume=True, schedule=schedule)
    resumed.train()
    whole = cosine(schedule=schedule)
    whole.train()
    assert outcome(resumed) == outcome(whole)


def test_a_schedule_of_ones_own_that_does_not_depend_on_the_horizon_may_go_on(tmp_path):
    def halving(epoch, num_epochs, accuracies):
        return 0.5 ** epoch
    cosine(tmp_path, 2, schedule=halving).train()
    longer_run = cosine(tmp_path, 4, resume=True, schedule=halving)
    longer_run.train()
    whole = cosine(None, 4, schedule=halving)
    whole.train()
    assert outcome(longer_run) == outcome(whole)
    assert load_checkpoint(tmp_path / "last.h5")[1]["num_epochs"] == 4


@pytest.mark.parametrize("factor", [np.nan, np.inf, -0.5])
def test_a_schedule_that_gives_no_learning_rate_is_named(factor):
    with pytest.raises(ValueError, match=f"schedule: returned {factor!r} at epoch 0, which makes "
                                         "the learning rate .*, expected a finite number"):
        cosine(schedule=lambda *_: factor).train()
