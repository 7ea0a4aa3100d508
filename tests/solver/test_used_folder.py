"""A folder holds one run: another one is refused, goes on, or replaces it as a whole."""
import os

import numpy as np
import pytest
from test_resume import outcome, start
from toys import Recorder, Scripted, numbers

from cs231n_fer.files.checkpoint import load_checkpoint, save_checkpoint
from cs231n_fer.solver import RunFolder, Solver
from cs231n_fer.solver.run_folder import BEFORE, BEST, FILES, HISTORY, LAST


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def solver_in(folder, seed=0, **options):
    return Solver(Scripted([0.1, 0.4, 0.7]), numbers(4), num_epochs=2, seed=seed, verbose=False,
                  folder=RunFolder(folder, **options))


@pytest.mark.parametrize("left", [FILES, *((name,) for name in FILES)], ids=str)
def test_a_folder_with_files_of_a_run_is_refused_and_left_as_it_is(tmp_path, left):
    solver_in(tmp_path).train()
    for name in set(FILES) - set(left):
        (tmp_path / name).unlink()
    before = contents(tmp_path)
    with pytest.raises(ValueError, match=r"folder: .* holds .* of another run; continue it with "
                                         "resume=True, replace it with overwrite=True"):
        solver_in(tmp_path, seed=1)
    assert contents(tmp_path) == before


def test_overwriting_leaves_nothing_of_the_old_run_and_everything_else(tmp_path):
    solver_in(tmp_path).train()
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / f".{LAST}.12345.tmp").write_bytes(b"half")
    solver = solver_in(tmp_path, seed=1, overwrite=True)
    assert os.listdir(tmp_path) == ["notes.txt"]
    solver.num_epochs = 1
    solver.train()
    assert sorted(os.listdir(tmp_path)) == sorted([BEST, HISTORY, LAST, "notes.txt"])
    assert {load_checkpoint(tmp_path / name)[1]["settings"]["seed"] for name in (BEST, LAST)} == {1}


@pytest.mark.parametrize("wrong", [{"batch_size": 0}, {"update_rule": "adma"},
                                   {"optim_config": {"learning_rate": -1}}])
def test_a_solver_that_is_refused_overwrites_nothing(tmp_path, wrong):
    solver_in(tmp_path).train()
    before = contents(tmp_path)
    with pytest.raises(ValueError):
        Solver(Recorder(), numbers(4), folder=RunFolder(tmp_path, overwrite=True), **wrong)
    assert contents(tmp_path) == before


def test_a_run_that_was_killed_in_its_first_save_begins_again_with_the_same_bits(tmp_path):
    whole = start("adam", tmp_path / "whole", 3)
    whole.train()
    start("adam", tmp_path / "cut", 1).train()
    (tmp_path / "cut" / LAST).unlink()
    with pytest.raises(ValueError, match="update_rule: got sgd, but .*best.h5 was trained with"):
        start("sgd", tmp_path / "cut", 3, resume=True)
    again = start("adam", tmp_path / "cut", 3, resume=True)
    again.train()
    for name, array in whole.model.params.items():
        np.testing.assert_array_equal(again.model.params[name], array)
    assert contents(tmp_path / "cut").keys() == contents(tmp_path / "whole").keys()


def test_a_run_of_which_the_best_epoch_alone_is_left_is_not_begun_again(tmp_path):
    start("adam", tmp_path, 1).train()
    (tmp_path / LAST).unlink()
    arrays, info = load_checkpoint(tmp_path / BEST)
    save_checkpoint(tmp_path / BEST, arrays, {**info, "epoch": 2})
    with pytest.raises(ValueError, match="resume: .* holds best.h5, but neither last.h5 "):
        start("adam", tmp_path, 4, resume=True)


def test_a_folder_whose_last_checkpoint_is_lost_goes_on_from_the_one_before(tmp_path):
    whole = start("adam", tmp_path / "whole", 4)
    whole.train()
    start("adam", tmp_path / "cut", 3).train()
    (tmp_path / "cut" / LAST).unlink()
    assert (tmp_path / "cut" / BEFORE).exists()
    with pytest.warns(UserWarning, match="last.h5.*going on from before.h5, of epoch 2"):
        resumed = start("adam", tmp_path / "cut", 4, resume=True)
    resumed.train()
    assert outcome(resumed) == outcome(whole)


def test_a_linked_checkpoint_is_resumed_through_its_link(tmp_path):
    disk = tmp_path / "disk"
    run = tmp_path / "run"
    disk.mkdir()
    run.mkdir()
    for name in (LAST, BEFORE, BEST):
        (run / name).symlink_to(disk / name)
    (disk / f".{LAST}.12345.tmp").write_bytes(b"half")
    start("adam", run, 2, resume=True).train()
    resumed = start("adam", run, 4, resume=True)
    assert sorted(os.listdir(disk)) == sorted([LAST, BEFORE, BEST])
    resumed.train()
    whole = start("adam", None, 4)
    whole.train()
    assert outcome(resumed) == outcome(whole)
    assert all((run / name).is_symlink() for name in (LAST, BEFORE, BEST))
    epochs = [load_checkpoint(run / name)[1]["epoch"] for name in (LAST, BEFORE)]
    assert epochs == [4, 3] and np.isfinite(load_checkpoint(run / BEST)[1]["best_val_acc"])


@pytest.mark.parametrize("options", [{}, {"resume": True}, {"overwrite": True}], ids=str)
@pytest.mark.parametrize("place", ["file", "file/run", "file/a/b"])
def test_a_file_in_the_place_of_the_folder_is_refused_before_an_epoch_is_trained(tmp_path, place,
                                                                               options):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ValueError, match="folder: .*file is a file, expected a folder"):
        solver_in(tmp_path / place, **options)
    assert contents(tmp_path) == {"file": b"mine"}


def test_a_folder_that_cannot_be_written_to_is_refused_before_an_epoch_is_trained(tmp_path,
                                                                                 monkeypatch):
    monkeypatch.setattr("os.access", lambda *arguments: False)  # root may write everywhere
    with pytest.raises(ValueError, match="folder: .* cannot be written to"):
        solver_in(tmp_path / "run")
