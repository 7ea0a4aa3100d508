"""Tests of the scripts on earlier systems, EMPATH and Kahou et al., on a few faces."""
import json
from functools import partial

import numpy as np
import pytest
from jobs import FACES

from cs231n_fer.analysis.linear_svm import fit_linear_svm
from cs231n_fer.faces.clips import Clip
from experiments.paper import clips as paper_clips
from experiments.paper import empath as paper_empath
from experiments.paper import findings, options


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return the folder of the results of both scripts, run with --quick on a few clips."""
    folder = tmp_path_factory.mktemp("earlier")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(options, "load_data", lambda path=None, **sizes: FACES(path))
        patch.setattr(options, "QUICK_NET",
                      {"num_filters": [3, 4], "hidden_dim": 6, "rung": "im2col"})
        patch.setattr(paper_clips, "SPLITS", {"train": 100, "val": 50, "test": 50})
        patch.setattr(paper_clips, "fit_linear_svm", partial(fit_linear_svm, num_steps=20))
        argv = ["--quick", "--epochs", "1", "--runs", str(folder / "runs"), "--results",
                str(folder)]
        paper_empath.main(argv)
        paper_clips.main([*argv, "--data", "/no/such/file.h5"])
    return folder


@pytest.mark.parametrize("number, name, rows, figures", [
    (11, "empath", 5, ["filters", "components", "accuracy"]),
    (14, "clips", 5, ["clip", "accuracy"])])
def test_a_script_leaves_its_table_findings_and_figures(number, name, rows, figures, folder):
    found = findings.load_results(folder, number, name)
    assert len(found["rows"]) == rows and len(found["findings"]) == 2
    assert found["figures"] == [f"{number:02}_{name}_{figure}.png" for figure in figures]
    assert all((folder / figure).stat().st_size > 10000 for figure in found["figures"])
    assert str(folder) not in json.dumps(found) and found["seconds"] > 0
    assert found["findings"][0]["statement"].startswith("2: ")
    assert "%" in found["findings"][0]["ours"]


def test_clips_are_synthetic_whatever_the_data_and_no_person_is_in_two_splits(folder):
    assert findings.load_results(folder, 14, "clips")["data"]["synthetic"]
    numbers = paper_clips.numbers_of({"train": 3, "val": 2, "test": 4})
    assert [len(each) for each in numbers.values()] == [3, 2, 4]
    assert len(set().union(*numbers.values())) == 9
    # data_utils takes the still faces of the last split from there on
    assert min(numbers["train"]) > 2_000_000 + 100_000


def test_each_way_of_reading_a_clip_reads_the_right_frames(monkeypatch):
    """The frames show the emotion at the apex only.

    The mean misses it, the apex frame and the SVM on bins find it.
    """
    monkeypatch.setattr(paper_clips, "fit_linear_svm", partial(fit_linear_svm, num_steps=300))
    rng = np.random.default_rng(0)
    clips, seen = {}, {}
    for split, count in (("train", 60), ("val", 30), ("test", 30)):
        emotions = rng.integers(0, 7, count)
        clips[split] = [Clip(np.zeros((12, 48, 48), np.uint8), int(e), np.eye(12)[9])
                        for e in emotions]
        seen[split] = [np.concatenate([np.eye(7)[[6] * 9], np.eye(7)[[e]], np.eye(7)[[6] * 2]])
                       for e in emotions]
    labels = paper_clips.labels_of(clips["test"])
    named = {way: paper_clips.outcome(scores, labels)["val_acc"]
             for way, scores in paper_clips.classify(seen, clips).items()}
    assert named[paper_clips.APEX] == named[paper_clips.BINNED] == 1
    assert named[paper_clips.MIDDLE] == named[paper_clips.ARGMAX] == np.mean(labels == 6)
