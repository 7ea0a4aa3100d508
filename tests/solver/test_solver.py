"""Tests of the training loop: epochs, the parameters that are kept, output and errors."""
import csv
import inspect
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import Recorder, Scripted, faces, numbers

from cs231n_fer.classifiers import FinalConvNet
from cs231n_fer.data_utils.augment import HorizontalFlip
from cs231n_fer.files.checkpoint import load_checkpoint
from cs231n_fer.optim.schedules import CosineWarmup, Plateau, Step
from cs231n_fer.solver import Recipe, RunFolder, Solver
from cs231n_fer.solver.run_folder import HISTORY_COLUMNS


@settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 70), batch_size=st.integers(1, 80), seed=st.integers(0, 9))
def test_an_epoch_uses_every_sample_once_in_nearly_equal_batches(n, batch_size, seed):
    model = Recorder()
    Solver(model, numbers(n), batch_size=batch_size, num_epochs=2, seed=seed, verbose=False).train()
    steps = -(-n // batch_size)
    assert len(model.batches) == 2 * steps
    for epoch in (model.batches[:steps], model.batches[steps:]):
        assert sorted(itertools.chain(*epoch)) == list(range(n))
        sizes = [len(batch) for batch in epoch]
        assert max(sizes) <= batch_size and max(sizes) - min(sizes) <= 1
        assert min(sizes) > 1 or n == 1 or batch_size <= 2  # batchnorm cannot normalize one sample


def orders(**options):
    """Return the order of the samples in two epochs."""
    model = Recorder()
    Solver(model, numbers(60), batch_size=60, num_epochs=2, verbose=False, **options).train()
    return model.batches


def test_the_order_depends_on_seed_and_epoch_and_on_nothing_else():
    first, second = orders(seed=3)
    assert orders(seed=3) == [first, second] and first != second and orders(seed=4)[0] != first


class Listed:
    """A sampler whose epochs show the listed samples, in the listed order."""

    def __init__(self, *order):
        self.order = lambda rng, labels: np.array(order)


def test_an_epoch_shows_what_the_sampler_says():
    model = Recorder()
    Solver(model, numbers(9), batch_size=2, num_epochs=2, verbose=False,
           recipe=Recipe(sampler=Listed(5, 5, 0, 8, 5))).train()
    assert model.batches == 2 * [[5, 5], [0, 8], [5]]


@pytest.mark.parametrize("order", [(), (0, 4), (-1, 0), (0.0, 1.0), ((0, 1), (1, 0))], ids=str)
def test_a_sampler_that_gives_no_indices_is_refused(order):
    with pytest.raises(ValueError, match="sampler: .* expected indices from 0 to 3"):
        Solver(Recorder(), numbers(4), num_epochs=1, verbose=False,
               recipe=Recipe(sampler=Listed(*order))).train()


class Noting(HorizontalFlip):
    """A flip that records the random number of every sample, which is its only pixel."""

    def apply(self, images, draws):
        NOTED.update(zip(images.ravel().tolist(), draws.ravel().tolist(), strict=True))
        return images


NOTED = {}


def test_a_samples_augmentation_depends_on_seed_epoch_and_sample_but_not_on_its_batch():
    found = []
    for batch_size, seed, epochs in ((7, 0, 1), (60, 0, 1), (60, 1, 1), (60, 0, 2)):
        Solver(Recorder(), numbers(60), batch_size=batch_size, num_epochs=epochs, seed=seed,
               verbose=False, recipe=Recipe(Noting())).train()
        found.append(dict(NOTED))
    assert found[0] == found[1] and len(found[0]) == 60
    assert all(a != b for a, b in itertools.combinations(found[1:], 2))


def test_a_sample_that_comes_again_in_an_epoch_is_augmented_anew():
    class Collecting(HorizontalFlip):
        def apply(self, images, draws):
            seen.extend(zip(images.ravel().tolist(), draws.ravel().tolist(), strict=True))
            return images

    def draws(*order):
        seen.clear()
        Solver(Recorder(), numbers(9), batch_size=2, num_epochs=1, verbose=False,
               recipe=Recipe(Collecting(), sampler=Listed(*order))).train()
        return list(seen)
    seen = []
    once = draws(5, 0, 8)
    again = draws(5, 5, 0, 8, 5)
    assert [sample for sample, _ in again] == [5, 5, 0, 8, 5]
    assert len({draw for _, draw in again}) == 5
    assert [again[0], *again[2:4]] == once  # the first draw of a sample is the usual one


def test_the_best_epoch_is_kept_and_of_equal_ones_the_first(tmp_path):
    model = Scripted([0.1, 0.4, 0.7, 0.6, 0.7, 0.2])
    solver = Solver(model, numbers(4), batch_size=4, num_epochs=5,
                    optim_config={"learning_rate": 1.0}, verbose=False, folder=RunFolder(tmp_path))
    solver.train()
    assert solver.val_acc_history == model.accuracies
    assert (solver.best_val_acc,
            solver.best_epoch) == (0.7, 2) and solver.best_params["w"] == model.params["w"] == 2
    assert load_checkpoint(tmp_path / "best.h5")[0]["params/w"] == 2
    assert load_checkpoint(tmp_path / "last.h5")[0]["params/w"] == 5


def test_the_last_parameters_stay_where_they_are_to_be_kept():
    model = Scripted([0.1, 0.3, 0.7, 0.2])
    solver = Solver(model, numbers(10), num_epochs=3, batch_size=10, verbose=False,
                    recipe=Recipe(keep="last"))
    solver.train()
    assert model.params["w"] > solver.best_params["w"] and solver.best_epoch == 2


def test_a_net_that_never_gets_better_than_at_its_start_is_given_back_as_it_was():
    model = Scripted([0.3, 0.2, 0.1])
    Solver(model, numbers(4), num_epochs=2, optim_config={"learning_rate": 1.0},
           verbose=False).train()
    assert model.params["w"] == 0


def test_a_rule_that_reads_the_history_ends_the_training_and_the_best_parameters_stay():
    model = Scripted([0.1, 0.4, 0.3, 0.6])
    solver = Solver(model, numbers(4), num_epochs=3, optim_config={"learning_rate": 1.0},
                    verbose=False, recipe=Recipe(stop=lambda history: history[-1]["val_acc"] < 0.4))
    solver.train()
    assert solver.epoch == 2 == len(solver.history) and solver.best_epoch == 1 == model.params["w"]


def test_the_history_is_also_a_frame_with_a_row_for_every_epoch():
    solver = Solver(Scripted([0.1, 0.4, 0.3]), numbers(4), num_epochs=2,
                    optim_config={"learning_rate": 1.0}, verbose=False)
    assert solver.history_frame.empty and "val_acc" in solver.history_frame
    solver.train()
    assert solver.history_frame.reset_index().to_dict("records") == solver.history
    assert list(solver.history_frame.index) == [1, 2]


def test_after_training_the_net_has_its_best_accuracy_running_averages_and_memory_layout():
    data = faces(60)
    model = FinalConvNet((1, 8, 8), (4, 6), hidden_dim=8, num_classes=2, batchnorm=True, seed=0)
    solver = Solver(model, data, update_rule="adam", optim_config={"learning_rate": 0.05},
                    batch_size=10, num_epochs=6, verbose=False)
    solver.train()
    assert solver.best_epoch < 6  # so that the last parameters had to be replaced by the best
    assert solver.check_accuracy(data["X_val"], data["y_val"]) == solver.best_val_acc
    assert model.params["block2/conv/w"].transpose(2, 3, 1, 0).flags.c_contiguous


SCHEDULES = {
    "lr_decay": ({"lr_decay": 0.5}, [1, 0.5, 0.25, 0.125]),
    "schedule before lr_decay": ({"recipe": Recipe(schedule=Step(2, 0.1)), "lr_decay": 0.5},
                                 [1, 1, 0.1, 0.1]),
    "warm-up": ({"recipe": Recipe(schedule=CosineWarmup(2))}, [0, 0.5, 1, 0.5]),
    "plateau": ({"recipe": Recipe(schedule=Plateau(patience=1, factor=0.1))}, [1, 0.1, 0.1, 0.01]),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_schedule_multiplies_the_learning_rate_of_each_epoch(name):
    options, factors = SCHEDULES[name]
    # Of the second to fourth accuracy, only the third is a new best: the plateau acts after the
    # second and the fourth.
    solver = Solver(Scripted([0.5, 0.5, 0.6, 0.1, 0.7]), numbers(4), num_epochs=4, verbose=False,
                    optim_config={"learning_rate": 2.0}, **options)
    solver.train()
    np.testing.assert_allclose([row["learning_rate"] for row in solver.history],
                               2 * np.array(factors), rtol=1e-15)
    # The last epoch is the best
    np.testing.assert_allclose(solver.model.params["w"], 2 * sum(factors), rtol=1e-15)


def test_a_schedule_moves_within_an_epoch():
    solver = Solver(Scripted([0.5, 0.5, 0.5, 0.5, 0.6]), numbers(8), num_epochs=2, batch_size=4,
                    verbose=False, optim_config={"learning_rate": 1.0},
                    recipe=Recipe(schedule=CosineWarmup(2 - 1e-9)))
    solver.train()
    np.testing.assert_allclose(solver.model.params["w"], (0 + 0.5 + 1 + 1.5) / 2, rtol=1e-8)


def test_accuracy_is_measured_on_as_many_samples_as_wanted():
    seen = []
    model = Recorder()
    model.loss = lambda X, y=None: seen.append(len(X)) or np.zeros((len(X), 2))
    solver = Solver(model, numbers(500, 300), num_train_samples=250, num_val_samples=None,
                    num_epochs=0, verbose=False)
    solver.train()
    assert seen == [250, 256, 44]
    X = np.arange(500)[:, None]
    assert solver.check_accuracy(X, np.arange(500) % 2, num_samples=500, batch_size=7) == 0.5
    subset = [], []
    for seed, chosen in enumerate(subset):
        model.loss = lambda X, chosen=chosen: chosen.extend(X.ravel()) or np.zeros((len(X), 2))
        Solver(model, numbers(500), seed=seed).check_accuracy(X, X.ravel() % 2, num_samples=40)
        assert len(set(chosen)) == 40
    assert subset[0] != subset[1]


def test_the_history_is_a_csv_file_with_a_row_for_each_epoch(tmp_path):
    solver = Solver(Scripted([0.1] + 2 * [0.3] + 4 * [0.2]), numbers(4), num_epochs=3, batch_size=2,
                    verbose=False, folder=RunFolder(tmp_path))
    solver.train()
    with open(tmp_path / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(HISTORY_COLUMNS)
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    for row, accuracy, loss in zip(rows, (0.3, 0.2, 0.2), (1.5, 3.5, 5.5), strict=True):
        assert float(row["val_acc"]) == accuracy and float(row["loss"]) == loss
        assert float(row["images_per_second"]) > 0


def test_each_epoch_leaves_one_line_with_loss_accuracies_speed_and_time_left(capsys):
    Solver(Scripted([0.1, 0.4, 0.7]), numbers(4), num_epochs=2).train()
    lines = [line.split("\r")[-1] for line in capsys.readouterr().err.strip().split("\n")]
    assert len(lines) == 2
    for line, epoch, accuracy in zip(lines, "12", ("0.4000", "0.7000"), strict=True):
        assert line.startswith(f"epoch  {epoch}/2 100%")
        for part in (f"loss {epoch}.0000", "train 1.0000", f"val {accuracy}", "images/s",
                     "left 0:00"):
            assert part in line


def test_a_quiet_solver_prints_nothing(capsys):
    Solver(Scripted([0.1, 0.4]), numbers(4), num_epochs=1, verbose=False).train()
    assert capsys.readouterr() == ("", "")


def test_checkpoint_name_writes_a_file_each_epoch_as_in_the_course(tmp_path):
    Solver(Scripted([0.1, 0.4, 0.2]), numbers(4), num_epochs=2,
           checkpoint_name=str(tmp_path / "mine"), verbose=False,
           optim_config={"learning_rate": np.float64(1)},
           folder=RunFolder(tmp_path / "run", info={"kind": "x", "n": np.int64(3)})).train()
    names = sorted(file.name for file in tmp_path.glob("*.h5"))
    assert names == ["mine_epoch_1.h5", "mine_epoch_2.h5"]
    arrays, info = load_checkpoint(tmp_path / "mine_epoch_2.h5")
    assert arrays["params/w"] == 2 and info["kind"] == "x" and info["n"] == 3


@pytest.mark.parametrize("loss", [np.nan, np.inf, -np.inf])
def test_a_loss_that_is_no_number_stops_the_training_and_leaves_the_last_checkpoint(tmp_path, loss):
    model = Scripted([0.1, 0.2, 0.3])
    usual = model.loss

    def diverged(X, y=None):
        if y is None or model.steps < 1:
            return usual(X, y)
        return loss, {"w": np.ones(1)}

    model.loss = diverged
    with pytest.raises(FloatingPointError,
                       match=f"loss: became {loss} in epoch 2, step 2, at learning rate 0.01"):
        Solver(model, numbers(4), num_epochs=2, verbose=False, folder=RunFolder(tmp_path)).train()
    assert load_checkpoint(tmp_path / "last.h5")[1]["epoch"] == 1


BAD = {
    "recipe": ({"recipe": HorizontalFlip()}, r"recipe: got HorizontalFlip\(.*expected a Recipe"),
    "folder": ({"folder": "run"}, "folder: got 'run', expected a RunFolder"),
    "of Recipe": ({"average_decay": 0.9},
                  r"no keyword 'average_decay' \(use recipe=Recipe\(average_decay=\.\.\.\)"),
    "of RunFolder": ({"resume": True},
                     r"no keyword 'resume' \(use folder=RunFolder\(path, resume=\.\.\.\)"),
    "an old name": ({"checkpoint_dir": "run"},
                    r"no keyword 'checkpoint_dir' \(use folder=RunFolder\(path\)\)"),
    "num_epoch": ({"num_epoch": 3},
                  r"Solver: no keyword 'num_epoch' \(did you mean 'num_epochs'\?\)"),
    "unlike any": ({"zzz": 3, "yyy": 1}, "Solver: no keyword 'zzz', 'yyy'"),
    "update_rule": ({"update_rule": "adamm"}, "update_rule: no rule 'adamm'"),
    "update_rule of another type": ({"update_rule": 3}, "update_rule: got 3, expected a name or"),
    "a rule of one's own": ({"update_rule": lambda w, dw, config: (w, config)},
                            "optim_config: has no 'learning_rate', which a user-defined"),
    "learning_rate": ({"optim_config": {"learning_rate": -1}}, "sgd: learning_rate is -1"),
    "batch_size": ({"batch_size": 0}, "batch_size: got 0, expected an int of at least 1"),
    "batch_size, no int": ({"batch_size": 2.5}, "batch_size: got 2.5"),
    "num_epochs": ({"num_epochs": -1}, "num_epochs: got -1, expected an int of at least 0"),
    "print_every": ({"print_every": 0}, "print_every: got 0"),
    "num_train_samples": ({"num_train_samples": 0}, "num_train_samples: got 0"),
    "num_val_samples": ({"num_val_samples": 1.5}, "num_val_samples: got 1.5"),
    "seed": ({"seed": None}, "seed: got None"),
    "lr_decay": ({"lr_decay": 1.5}, "Exponential: decay is 1.5"),
    "no y_val": ({"y_val": ...}, "data: has no y_val, expected"),
    "no training data": ({"X_train": ..., "y_train": ...}, "data: has no X_train and y_train"),
    "labels": ({"y_train": np.zeros(3, int)}, "X_train, y_train: got 4 samples and 3 labels"),
    "empty": ({"X_val": np.zeros((0, 1)), "y_val": np.zeros(0)},
              "X_val, y_val: got 0 samples and 0 labels"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_wrong_argument_gets_an_error_that_names_it(name):
    changes, message = BAD[name]
    data = {key: changes.get(key, value)
            for key, value in numbers(4).items() if changes.get(key, value) is not ...}
    options = {key: value for key, value in changes.items() if key not in numbers(4)}
    with pytest.raises(ValueError, match=message):
        Solver(Recorder(), data, **options)


def test_help_on_solver_fits_a_screen():
    assert len(inspect.getdoc(Solver).splitlines()) <= 32
    assert len(inspect.signature(Solver).parameters) <= 16  # including model, data and unknown ones


BAD_RECORDS = {
    "keep": (lambda: Recipe(keep="first"), "keep: got 'first', expected 'best' or 'last'"),
    "average_decay": (lambda: Recipe(average_decay=1.0),
                      r"average_decay: got 1.0, expected a number in \[0, 1\)"),
    "no path": (lambda: RunFolder(None), "path: got None, expected the path of a folder"),
    "an empty path": (lambda: RunFolder(""), "path: got '', expected the path of a folder"),
    "two wishes": (lambda: RunFolder("a", resume=True, overwrite=True), "resume, overwrite: got"),
    "on_divergence": (lambda: Recipe(on_divergence="stop"), "on_divergence: got 'stop'"),
}


@pytest.mark.parametrize("name", BAD_RECORDS)
def test_a_record_with_a_wrong_value_is_refused(name):
    make, message = BAD_RECORDS[name]
    with pytest.raises(ValueError, match=message):
        make()


def test_accuracy_of_nothing_is_an_error():
    with pytest.raises(ValueError, match="X, y: got 0 samples and 0 labels"):
        Solver(Recorder(), numbers(4)).check_accuracy(np.zeros((0, 1)), np.zeros(0))


def test_what_is_judged_and_kept_is_the_running_average_of_the_weights():
    model = Scripted([0.1] * 9)  # every one of 5 steps, at learning rate 1, adds 1 to the weight
    solver = Solver(model, numbers(10), batch_size=2, num_epochs=1, verbose=False,
                    recipe=Recipe(average_decay=0.5), optim_config={"learning_rate": 1.0})
    average = 0.0
    judged = []
    for step in range(1, 6):
        average += (1 - min(0.5, (1 + step) / (10 + step))) * (step - average)
    accuracy = solver._accuracy
    solver._accuracy = lambda *rest: judged.append(model.params["w"].item()) or accuracy(*rest)
    model.accuracies = [0.1, 0.1, 0.1, 0.1, 0.1, 0.9]
    solver.train()
    assert judged == [0.0, 0.0, pytest.approx(average), pytest.approx(average)]
    assert model.params["w"].item() == solver.best_params["w"].item() == pytest.approx(average)
    assert average < 5


def test_training_goes_on_from_the_weights_themselves_whatever_is_judged():
    ends = []
    for decay in (0.0, 0.9):
        net = FinalConvNet((1, 8, 8), (4,), hidden_dim=8, num_classes=2, batchnorm=True, seed=5)
        solver = Solver(net, faces(40), batch_size=9, num_epochs=2, verbose=False,
                        recipe=Recipe(average_decay=decay))
        solver.train()
        ends.append(solver)
    assert ends[0].loss_history == ends[1].loss_history
    first, second = ends
    differ = [name for name in first.best_params
              if (first.best_params[name] != second.best_params[name]).any()]
    assert first.val_acc_history != second.val_acc_history or differ


@pytest.mark.parametrize("value", [0.0, np.inf])
def test_gradients_that_a_model_puts_in_the_place_of_its_own_are_those_that_count(value):
    net = FinalConvNet((1, 8, 8), (4,), hidden_dim=8, num_classes=2, seed=5)
    own = net.loss
    before = {name: array.copy() for name, array in net.params.items()}

    def loss(X, y=None):
        if y is None:
            return own(X)
        found, grads = own(X, y)
        return found, grads | {name: np.full_like(array, value) for name, array in grads.items()}

    def loss_in_place(X, y=None):
        result = loss(X, y)
        if y is not None:
            grads = own(X, y)[1]
            for name, array in result[1].items():
                grads[name] = array
            result = result[0], grads
        return result

    for net.loss in (loss, loss_in_place):
        solver = Solver(net, faces(40), batch_size=9, num_epochs=1, verbose=False,
                        recipe=Recipe(keep="last"))
        if value:
            with pytest.raises(FloatingPointError, match="gradient: became infinite or NaN"):
                solver.train()
        else:
            solver.train()
        assert all((net.params[name] == array).all() for name, array in before.items())
