"""A resumed run gives the bits of an uninterrupted one."""
import numpy as np
import pytest
from toys import Scripted, faces, numbers

from cs231n_fer.classifiers import FinalConvNet, FullyConnectedNet
from cs231n_fer.data_utils.augment import HorizontalFlip
from cs231n_fer.files.checkpoint import load_checkpoint, save_checkpoint
from cs231n_fer.optim import UPDATE_RULES
from cs231n_fer.optim.schedules import Exponential, Plateau
from cs231n_fer.solver import Recipe, RunFolder, Solver
from cs231n_fer.solver.samplers import Balanced


def batchnorm_net():
    return FinalConvNet((1, 8, 8), (4, 6), hidden_dim=8, num_classes=2, batchnorm=True,
                        dropout_keep_ratio=0.7, reg=1e-3, seed=5)


def plain_net():
    return FullyConnectedNet([7], input_dim=64, num_classes=2, seed=5)


# The whole state of a run: state of the rule, running averages, generator of dropout, accuracies.
RUNS = {
    "adam, batchnorm, dropout, flips": (batchnorm_net, {
        "update_rule": "adam", "optim_config": {"learning_rate": 0.01},
        "recipe": Recipe(HorizontalFlip())}),
    "a balanced sampler, flips": (plain_net, {
        "recipe": Recipe(HorizontalFlip(), sampler=Balanced(0.5))}),
    "momentum on a plateau": (batchnorm_net, {
        "update_rule": "sgd_momentum", "num_val_samples": 9,
        "recipe": Recipe(schedule=Plateau(patience=1, factor=0.5))}),
    "averaged weights": (batchnorm_net, {
        "update_rule": "nesterov", "recipe": Recipe(average_decay=0.9)}),
    **{rule: (plain_net, {"update_rule": rule, "lr_decay": 0.9, "num_train_samples": 11})
       for rule in UPDATE_RULES},
}


def outcome(solver):
    """Return all results of a run, except times, as comparable bytes and numbers."""
    best = {**solver.best_params, **solver.state.best_buffers}
    arrays = {**solver.model.params, **getattr(solver.model, "buffers", {}),
              "loss": np.array(solver.loss_history),
              **{f"best/{name}": array for name, array in best.items()}}
    rows = [{key: row[key] for key in ("epoch", "loss", "train_acc", "val_acc", "learning_rate")}
            for row in solver.history]
    return {name: (array.dtype, array.tobytes()) for name, array in arrays.items()}, rows, (
        solver.train_acc_history, solver.val_acc_history, solver.best_val_acc, solver.best_epoch,
        solver.epoch)


def start(name, folder, epochs, resume=False):
    make, options = RUNS[name]
    return Solver(make(), faces(40), batch_size=9, num_epochs=epochs, seed=2, verbose=False,
                  folder=folder and RunFolder(folder, resume), **options)


def train_until(solver, steps):
    """Train, but raise an error in the given step."""
    loss = solver.model.loss

    def plug(X, y=None):
        if y is not None and len(solver.loss_history) == steps:
            raise KeyboardInterrupt
        return loss(X, y)
    solver.model.loss = plug
    with pytest.raises(KeyboardInterrupt):
        solver.train()


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("cuts", [[12], [3], [7, 16]], ids=["in epoch 3", "in epoch 1", "twice"])
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(tmp_path, name, cuts):
    whole = start(name, tmp_path / "whole", 4)
    whole.train()
    for cut in cuts:
        train_until(start(name, tmp_path / "cut", 4, resume=True), cut)
    resumed = start(name, tmp_path / "cut", 4, resume=True)
    resumed.train()
    assert outcome(resumed) == outcome(whole)
    for file in ("best.h5", "last.h5"):
        arrays, info = load_checkpoint(tmp_path / "cut" / file)
        wanted, wanted_info = load_checkpoint(tmp_path / "whole" / file)
        found = {key: array.tobytes() for key, array in arrays.items()}
        assert found == {key: array.tobytes() for key, array in wanted.items()}
        del info["history"], wanted_info["history"]  # they hold times
        assert info == wanted_info


def test_a_crash_between_the_two_checkpoints_of_an_epoch_loses_nothing(tmp_path, monkeypatch):
    name = "rmsprop"
    whole = start(name, tmp_path / "whole", 4)
    whole.train()
    assert whole.best_epoch == 3

    def crash_in_last(path, arrays, info):
        if path.name == "last.h5" and info["epoch"] == whole.best_epoch:
            raise OSError("power cut")
        save_checkpoint(path, arrays, info)
    monkeypatch.setattr("cs231n_fer.solver.run_folder.save_checkpoint", crash_in_last)
    with pytest.raises(OSError, match="power cut"):
        start(name, tmp_path / "cut", 4).train()
    monkeypatch.undo()
    resumed = start(name, tmp_path / "cut", 4, resume=True)
    assert resumed.epoch == whole.best_epoch - 1
    resumed.train()
    assert outcome(resumed) == outcome(whole)


def test_a_finished_run_goes_on_where_more_epochs_are_wanted(tmp_path):
    start("adam", tmp_path / "run", 2).train()
    longer = start("adam", tmp_path / "run", 4, resume=True)
    whole = start("adam", None, 4)
    assert longer.epoch == 2
    longer.train()
    whole.train()
    assert outcome(longer) == outcome(whole)


CHANGES = {"seed": 3, "batch_size": 8, "update_rule": "sgd_momentum", "lr_decay": 0.8,
           "num_val_samples": 7, "optim_config": {"learning_rate": 0.1},
           **{keyword: Recipe(**{keyword: value}) for keyword, value in {
               "augmentation": HorizontalFlip(0.4), "schedule": Exponential(0.5),
               "sampler": Balanced(), "average_decay": 0.5}.items()}}


@pytest.mark.parametrize("keyword", CHANGES)
def test_resume_refuses_a_run_with_other_settings(tmp_path, keyword):
    options = {"seed": 2, "num_epochs": 1, "verbose": False}
    Solver(Scripted([0.1, 0.2]), numbers(4), folder=RunFolder(tmp_path), **options).train()
    change = CHANGES[keyword]
    options["recipe" if isinstance(change, Recipe) else keyword] = change
    with pytest.raises(ValueError, match="schedule" if keyword == "lr_decay" else keyword):
        Solver(Scripted([0.1, 0.2]), numbers(4), folder=RunFolder(tmp_path, resume=True), **options)


def test_resume_refuses_other_data_and_another_net(tmp_path):
    start("sgd", tmp_path, 1).train()
    _, options = RUNS["sgd"]
    same = {"batch_size": 9, "seed": 2, "verbose": False,
            "folder": RunFolder(tmp_path, resume=True), **options}
    with pytest.raises(ValueError, match="training_labels"):
        Solver(plain_net(), faces(40, seed=1), **same)
    with pytest.raises(ValueError, match="params/W1 is float32"):
        Solver(FullyConnectedNet([8], input_dim=64, num_classes=2, seed=5), faces(40), **same)
    save_checkpoint(tmp_path / "last.h5", {}, {})
    with pytest.raises(ValueError, match="is not a run of a Solver"):
        Solver(plain_net(), faces(40), **same)


def without(name):
    return lambda arrays, info: (arrays if name in arrays else info).pop(name)


def holding(**values):
    return lambda arrays, info: info.update(values)


ODD_STATES = {**{f"no {name}": without(name)
                 for name in ("loss_history", "optim_numbers", "epoch", "history", "rng")},
              "settings that are a list": holding(settings=[1]),
              "settings null": holding(settings=None),
              "a fingerprint that is a text": holding(fingerprint="x"),
              "numbers null": holding(optim_numbers=None),
              "a generator without a state": holding(rng={}),
              "another generator": holding(rng={"bit_generator": "x"}),
              "a generator that is a text": holding(rng="x"),
              "optim without a name": lambda arrays, info: arrays.update({"optim/w": np.ones(2)})}


@pytest.mark.parametrize("name", ODD_STATES)
def test_a_whole_file_that_holds_no_state_of_a_run_is_refused_with_its_name(tmp_path, name):
    start("adam, batchnorm, dropout, flips", tmp_path, 1).train()
    arrays, info = load_checkpoint(tmp_path / "last.h5")
    ODD_STATES[name](arrays, info)
    save_checkpoint(tmp_path / "last.h5", arrays, info)
    with pytest.raises(ValueError, match="last.h5"):
        start("adam, batchnorm, dropout, flips", tmp_path, 2, resume=True)


def test_resume_starts_afresh_where_there_is_no_checkpoint(tmp_path):
    folder = RunFolder(tmp_path / "new", resume=True)
    assert Solver(Scripted([0.1]), numbers(4), folder=folder).epoch == 0


def test_a_parameter_replaced_in_another_memory_order_keeps_its_state_in_the_checkpoint(tmp_path):
    """The state of a rule lies in the order of the parameters at the last step, not in that of the
    new array."""
    solver = start("adam, batchnorm, dropout, flips", tmp_path, 2)
    solver.train()
    name = next(name for name, w in solver.model.params.items() if w.ndim == 2)
    state = {key: value[name].copy() for key, value in solver.state.update.state().items()
             if isinstance(value, dict)}
    solver.model.params[name] = np.asfortranarray(solver.model.params[name])
    solver.folder.save_last(solver.state)
    arrays, _ = load_checkpoint(tmp_path / "last.h5")
    assert state
    for key, value in state.items():
        np.testing.assert_array_equal(arrays[f"optim/{key}/{name}"], value)
