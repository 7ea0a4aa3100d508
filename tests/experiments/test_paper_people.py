"""Tests of votes of people and a net: hand-computed values, properties, and the script."""
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jobs import FACES

from cs231n_fer.analysis.metrics import rank_correlation
from experiments.paper import findings, options, people, people_findings
from experiments.paper import humans as paper_humans

# Columns: neutral, happiness, surprise, sadness, anger, disgust, fear, contempt, unknown, no face
VOTES = np.array([
    [0, 10, 0, 0, 0, 0, 0, 0, 0, 0],
    [4, 0, 0, 4, 0, 0, 0, 2, 0, 0],
    [0, 0, 0, 0, 1, 0, 0, 0, 9, 0],
    [1, 0, 0, 0, 1, 0, 0, 0, 0, 8],   # most voters see no face
    [0, 0, 0, 0, 0, 0, 0, 5, 5, 0],   # no vote for one of the seven emotions
], np.uint8)
LABELS = np.array([3, 4, 6, 0, 0])  # Happy, Sad, Neutral, Anger, Anger
for array in (VOTES, LABELS):
    array.setflags(write=False)


def test_voters_are_right_where_they_say_the_label():
    crowd = people.voters(VOTES, LABELS)
    assert crowd.rows.tolist() == [0, 1, 2] and crowd.y.tolist() == [3, 4, 6]
    np.testing.assert_array_equal(crowd.shares[1], [0, 0, 0, 0, 0.5, 0, 0.5])
    assert crowd.right.tolist() == [1, 0.5, 0] and crowd.of_all.tolist() == [1, 0.4, 0]
    assert crowd.majority.tolist() == [1, 0.5, 0]
    # Face 1 has 4 votes for each of two emotions: 2 * 4 * 3 of 8 * 7 ordered pairs agree
    np.testing.assert_allclose(crowd.agree, [1, 2 * 12 / 56, np.nan])


def test_means_of_each_class_leave_out_nothing_and_are_nan_where_there_is_no_face():
    values, y = np.array([[1.0, 0], [0, 1], [1, 1]]), np.array([2, 2, 0])
    np.testing.assert_allclose(people.mean_of_each(values, y, 3),
                               [[1, 1], [np.nan, np.nan], [0.5, 0.5]])
    np.testing.assert_allclose(people.mean_of_each(values[:, 0], y, 3), [1, np.nan, 0.5])


@given(st.permutations(range(5)))
def test_the_exact_p_counts_orders_that_correlate_as_much(order):
    assert people.exact_p(np.arange(5), np.arange(5)) == 2 / 120
    assert people.exact_p(np.arange(5), -np.arange(5)) == 2 / 120
    p, distance = people.exact_p(np.arange(5), order), abs(np.corrcoef(np.arange(5), order)[0, 1])
    assert 2 / 120 <= p <= 1 and (p == 1) == (distance < 1e-9)
    assert p == people.exact_p(np.exp(order), np.arange(5))


def test_errors_of_the_same_kind_agree_and_errors_under_other_names_do_not():
    rng = np.random.default_rng(0)
    rates = rng.random((5, 5))
    assert people.mantel(rates, rates) == (pytest.approx(1), 1 / 120)
    other = rates.copy()
    np.fill_diagonal(other, 9)  # correct answers are not errors
    assert people.mantel(rates, other) == people.mantel(rates, rates)
    assert people.mantel(rates, rng.random((5, 5)))[1] > 0.05


def test_the_p_of_errors_gives_rows_and_columns_the_same_new_names():
    first, second = np.random.default_rng(1).random((2, 4, 4))
    cells = [(i, j) for i in range(4) for j in range(4) if i != j]
    every = [rank_correlation([first[cell] for cell in cells],
                              [second[names[i], names[j]] for i, j in cells])
             for names in itertools.permutations(range(4))]
    found, p = people.mantel(first, second)
    assert found == pytest.approx(every[0])
    assert p == pytest.approx(np.mean(np.array(every) >= every[0] - 1e-12))
    assert 1 / 24 < p < 1


def crowd_of(share_right, faces=20):
    """Return Voters of `faces` faces of each emotion.

    share_right   (7,) shares of the correct votes; the others are for the next emotion
    """
    y = np.repeat(np.arange(7), faces)
    votes, columns = np.zeros((len(y), 10), int), np.array([4, 5, 6, 1, 3, 2, 0])
    most = np.rint(10 * np.asarray(share_right))[y].astype(int)
    votes[np.arange(len(y)), columns[y]] = most
    votes[np.arange(len(y)), columns[(y + 1) % 7]] = 10 - most
    return people.voters(votes.astype(np.uint8), y)


RISING = np.array([0.1, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])


@pytest.mark.parametrize("net, crowd, verdicts", [
    # Verdicts on the authors, other participants, Ekman's table, figure 8, hard faces
    (RISING, RISING, ["refined", "confirmed", "confirmed", "confirmed", "confirmed"]),
    (RISING[::-1], RISING, ["refined", "confirmed", "confirmed", "refuted", "refuted"]),
    (RISING + 0.1, RISING, ["refined", "refined", "confirmed", "confirmed", "confirmed"]),
])
def test_verdicts_follow_from_what_was_measured(net, crowd, verdicts):
    crowd = crowd_of(crowd)
    right = net[crowd.y]
    said = (1 - right)[:, None] / 6 * np.ones(7)
    said[np.arange(len(right)), crowd.y] = right
    assert [each.verdict for each in people_findings.conclude(said, crowd.y, crowd)] == verdicts


def test_where_people_are_always_right_they_are_better_than_the_authors_and_no_face_is_hard():
    crowd = crowd_of(np.ones(7))
    assert people_findings.on_authors(crowd).verdict == "refuted"
    assert people_findings.on_table(crowd.right, crowd.y, crowd).verdict == "refined"
    assert people_findings.on_hard(crowd.shares, crowd).verdict == "not measured"


def test_without_votes_nothing_about_people_is_measured():
    said, y = np.full((70, 7), 1 / 7), np.repeat(np.arange(7), 10)
    found = people_findings.conclude(said, y, None)
    assert [each.verdict for each in found] == ["not measured"] * 4
    assert "better than the net" in found[-1].ours


def test_an_emotion_without_votes_is_an_error():
    crowd = people.voters(VOTES, LABELS)
    with pytest.raises(ValueError,
                       match="shows Anger, Disgust, Fear, Surprise, expected all seven"):
        people_findings.conclude(np.full((5, 7), 1 / 7), LABELS, crowd)


@pytest.mark.parametrize("asked", [False, True])
def test_the_script_lays_people_beside_the_net(asked, tmp_path, monkeypatch):
    def load(path=None, **sizes):
        data = FACES("synthetic", synthetic_val=60)
        votes = np.random.default_rng(0).integers(0, 4, (60, 10)).astype(np.uint8)
        return {**data, "votes_val": votes} if asked else data
    monkeypatch.setattr(options, "load_data", load)
    monkeypatch.setattr(options, "QUICK_NET", {"num_filters": [3, 4], "hidden_dim": 6})
    paper_humans.main(["--quick", "--epochs", "1", "--runs", str(tmp_path / "runs"), "--results",
                       str(tmp_path)])
    found = findings.load_results(tmp_path, 9, "humans")
    figures = ("figure8", "confusions") if asked else ("figure8",)
    assert found["figures"] == [f"09_humans_{name}.png" for name in figures]
    assert len(found["rows"]) == 7
    assert {row[4] for row in found["rows"]} == {88.9, 92.3, 87.7, 98.7, 89.2, 92.4, 91.6}
    assert all(row[3] != "-" for row in found["rows"]) == asked
    assert (found["findings"][0]["verdict"] == "not measured") != asked
