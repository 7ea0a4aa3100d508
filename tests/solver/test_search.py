"""Tests of random search: distributions, claims of concurrent processes, recovery from kills."""
import collections
import json
import math
import multiprocessing
import os
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from searching import RUNGS, SPACE, TRIALS, claim_all, halve, hang, score

from cs231n_fer.solver import claims
from cs231n_fer.solver.search import (
    Choice,
    LogUniform,
    Uniform,
    claim,
    draw,
    results,
    results_frame,
    run_trials,
    successive_halving,
    survivors,
    working,
)

spawn = multiprocessing.get_context("spawn")
positive = st.floats(1e-12, 1e12)


@given(st.tuples(positive, positive).map(sorted), st.integers(0, 10**9), st.integers(0, 10**9))
def test_draws_stay_in_their_ranges(ends, seed, number):
    space = {"log": LogUniform(*ends), "plain": Uniform(*ends), "one": Choice(["a", "b", 3])}
    drawn = draw(space, seed, number)
    assert ends[0] <= drawn["log"] <= ends[1]
    assert ends[0] <= drawn["plain"] <= ends[1]
    assert drawn["one"] in ("a", "b", 3)
    assert drawn == draw(space, seed, number) and json.loads(json.dumps(drawn)) == drawn


@settings(max_examples=20, deadline=None)
@given(st.tuples(positive, positive).map(sorted).filter(lambda ends: ends[1] > 1.01 * ends[0]),
       st.integers(0, 10**9))
def test_logarithms_are_uniform_plain_draws_are_and_choices_equally_likely(ends, seed):
    n = 1000
    drawn = [draw({"log": LogUniform(*ends), "plain": Uniform(*ends), "one": Choice(range(4))},
                  seed, number)
             for number in range(n)]
    # Dvoretzky, Kiefer & Wolfowitz 1956, Massart 1990: the distance from the true distribution
    # function exceeds this with a probability of at most 1e-9.
    bound = math.sqrt(math.log(2 / 1e-9) / (2 * n))
    low, high = map(math.log, ends)
    for name, share in (("log", lambda d: (math.log(d["log"]) - low) / (high - low)),
                        ("plain", lambda d: (d["plain"] - ends[0]) / (ends[1] - ends[0]))):
        shares = np.sort([share(draw) for draw in drawn])
        distance = max((np.arange(1, n + 1) / n - shares).max(), (shares - np.arange(n) / n).max())
        assert distance < bound, name
    counts = np.bincount([draw["one"] for draw in drawn], minlength=4) / n
    # A difference of two values of the distribution function
    assert abs(counts - 0.25).max() < 2 * bound


def test_settings_numbers_and_seeds_do_not_hang_together():
    n = 2000
    drawn = np.log([list(draw(SPACE, 3, number).values()) for number in range(n)])
    other = np.log([draw(SPACE, 4, number)["reg"] for number in range(n)])
    pairs = [drawn.T, (drawn[:, 1], other), (drawn[:-1, 0], drawn[1:, 0])]
    for a, b in pairs:
        # Six standard errors of no correlation
        assert abs(np.corrcoef(a, b)[0, 1]) < 6 / math.sqrt(n)
    assert draw(SPACE, 3, 5) != draw(SPACE, 5, 3) and draw(SPACE, 3, 5) != draw(SPACE, 4, 4)


def test_a_setting_does_not_change_when_another_joins_the_space():
    more = {"decay": Uniform(0.8, 1), **dict(reversed(SPACE.items()))}
    for number in range(5):
        drawn = draw(more, 7, number)
        assert list(drawn) == ["decay", "reg", "learning_rate"]
        assert {name: drawn[name] for name in SPACE} == draw(SPACE, 7, number)


def together(target, calls):
    """Call a function with every list of arguments, each in its own process, all at once."""
    barrier = spawn.Barrier(len(calls))
    processes = [spawn.Process(target=target, args=(barrier, *arguments)) for arguments in calls]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0


def test_processes_that_claim_at_once_get_disjoint_trials_and_all_of_them(tmp_path):
    numbers = list(range(200))
    outs = [tmp_path / f"{i}.txt" for i in range(4)]
    # Half of the processes go through the numbers backwards, so that they meet.
    together(claim_all,
             [(tmp_path / "claims", numbers[::1 - 2 * (i % 2)], out) for i, out in enumerate(outs)])
    got = [int(number) for out in outs for number in out.read_text().split()]
    assert sorted(got) == numbers


def nobody(*arguments, **budget):
    """Raise AssertionError: this evaluation must not be called."""
    raise AssertionError(arguments)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Return the outcome of a search by one process."""
    return successive_halving(tmp_path_factory.mktemp("alone"), TRIALS, RUNGS, score, always=(0,))


def test_three_processes_do_the_search_of_one_each_trial_once(tmp_path, alone):
    outs = [tmp_path / f"{i}.txt" for i in range(3)]
    together(halve, [(tmp_path / "search", out) for out in outs])
    assert successive_halving(tmp_path / "search", TRIALS, RUNGS, nobody, always=(0,)) == alone
    asked = collections.Counter(line for out in outs if out.exists()
                                for line in out.read_text().splitlines())
    assert set(asked.values()) == {1}
    assert len(asked) == sum(map(len, alone.values())) == 12 + (5 + 1) + (2 + 1)


def test_the_best_go_on_and_the_reference_always_does(alone):
    assert list(alone) == [1, 4, 16]
    assert [list(found) for found in alone.values()][0] == list(range(12))
    for budget, below, count in ((4, 1, 5), (16, 4, 2)):
        contest = {number: result["score"] for number, result in alone[below].items() if number}
        assert list(alone[budget]) == sorted([0, *survivors(contest, count)])
    assert survivors({3: 0.5, 1: 0.5, 2: 0.7, 0: 0.1}, 3) == [2, 1, 3]


def test_a_killed_process_loses_no_trial_and_its_claim_is_taken_over_when_it_is_old(tmp_path):
    folder = tmp_path / "search"
    started = tmp_path / "started"
    process = spawn.Process(target=hang, args=(folder, started))
    process.start()
    while not started.exists():
        time.sleep(0.01)
    process.kill()
    process.join()
    # No process knows yet that it is dead.
    assert list(results(folder)) == [0] and claim(folder, 1) is None
    os.utime(folder / "0001.claim-0", (0, 0))
    asked = []
    done = run_trials(folder, TRIALS, lambda number,
                      settings: asked.append(number) or {"number": number})
    assert asked == list(range(1, 12)) and done == {number: {"number": number} for number in TRIALS}
    assert (folder / "0001.claim-1").exists() and list(results(folder)) == list(TRIALS)


def test_of_those_who_find_an_old_claim_one_takes_it_over(tmp_path):
    first = claim(tmp_path, 3)
    assert claim(tmp_path, 3) is None
    os.utime(first, (0, 0))
    second = claim(tmp_path, 3)
    assert second.name == "0003.claim-1" and claim(tmp_path, 3) is None
    assert second.read_text().split()[1] == str(os.getpid())


def test_who_is_overtaken_while_it_looks_at_an_old_claim_gets_nothing(tmp_path, monkeypatch):
    claim(tmp_path, 3)

    def slow_look(path):
        path.with_suffix(".claim-1").write_text("another")
        return math.inf
    monkeypatch.setattr(claims, "age", slow_look)
    assert claim(tmp_path, 3) is None and (tmp_path / "0003.claim-1").read_text() == "another"


def test_a_trial_whose_result_came_while_it_was_claimed_is_not_done_again(tmp_path):
    os.utime(claim(tmp_path, 3), (0, 0))
    (tmp_path / "0003.json").write_text("{}")
    assert claim(tmp_path, 3) is None


def test_a_claim_is_touched_while_its_trial_is_worked_on_and_made_old_when_that_is_interrupted(
    tmp_path,
):
    mine = claim(tmp_path, 0)
    os.utime(mine, (0, 0))
    with pytest.raises(KeyboardInterrupt), working(mine, stale=0.1):
        end = time.monotonic() + 60
        while mine.stat().st_mtime == 0 and time.monotonic() < end:
            time.sleep(0.01)
        assert claims.age(mine) < 60
        raise KeyboardInterrupt
    assert mine.stat().st_mtime == 0 and claim(tmp_path, 0).name == "0000.claim-1"


def test_a_process_that_slept_until_its_trial_was_taken_over_leaves_the_result_to_its_heir(
    tmp_path,
):
    def sleeper(number, settings):
        if not (tmp_path / "0000.claim-1").exists():
            os.utime(tmp_path / "0000.claim-0", (0, 0))
            assert run_trials(tmp_path, {0: {}}, lambda number,
                              settings: {"by": "heir"}) == {0: {"by": "heir"}}
        return {"by": "sleeper"}
    assert run_trials(tmp_path, {0: {}}, sleeper) == {0: {"by": "heir"}}


def test_a_trial_that_fails_is_free_again(tmp_path):
    with pytest.raises(ZeroDivisionError):
        run_trials(tmp_path, {0: {}}, lambda number, settings: 1 / 0)
    assert run_trials(tmp_path, {0: {}}, lambda number, settings: {"a": 1}) == {0: {"a": 1}}


def test_results_are_listed_in_order_of_number_and_settings_may_hold_tuples(tmp_path):
    trials = {number: {"sizes": (number, 2)} for number in (10001, 2, 300)}
    for _ in range(2):
        done = run_trials(tmp_path, trials, lambda number, settings: {"size": settings["sizes"][0]})
        assert list(done) == list(results(tmp_path)) == [2, 300, 10001]
    assert done[300] == {"size": 300} and results(tmp_path)[2]["settings"] == {"sizes": [2, 2]}


def numpy_result(number, settings):
    return {"score": np.float32(0.5), "n": np.int64(3), "yes": np.bool_(True),
            "all": [np.float16(2)], "each": np.arange(3), "none": None}


def test_results_and_settings_may_hold_numpy_numbers_and_arrays_and_nan(tmp_path):
    trials = {0: {"width": np.int64(8), "rate": np.float32(0.5), "nothing": math.nan}}
    for _ in range(2):
        done = run_trials(tmp_path, trials, numpy_result)
        assert done == {0: {"score": 0.5, "n": 3, "yes": True, "all": [2.0], "each": [0, 1, 2],
                            "none": None}}
    with pytest.raises(ValueError, match="holds trial 0 of another search"):
        run_trials(tmp_path, {0: {**trials[0], "width": 9}}, nobody)


@pytest.mark.parametrize("result, message", [
    (None, "evaluate: returned None for trial 0, expected a dict"),
    ([1], r"evaluate: returned \[1\] for trial 0"),
    ({"model": object()}, "JSON cannot hold <object"),
    ({(1, 2): 3}, "JSON cannot hold {.*keys must be str"),
])
def test_a_result_that_json_cannot_hold_is_refused_and_its_trial_is_free_again(
        tmp_path, result, message):
    with pytest.raises(ValueError, match=message):
        run_trials(tmp_path, {0: {}}, lambda number, settings: result)
    assert run_trials(tmp_path, {0: {}}, lambda number, settings: {"a": 1}) == {0: {"a": 1}}


BROKEN = {"null": "null", "a list": "[]", "an empty dict": "{}", "a number": "1", "a text": '"a"',
          "empty": "",
          "half": '{"number": 1, "settings": {', "no result": '{"number": 1, "settings": {}}',
          "a result that is a list": '{"number": 1, "settings": {}, "result": []}',
          "settings that are null": '{"number": 1, "settings": null, "result": {}}',
          "of another trial": '{"number": 2, "settings": {}, "result": {}}',
          "no number": '{"settings": {}, "result": {}}', "deep": "[" * 1_000_000}


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_is_no_result_is_named_in_one_clear_error(tmp_path, name):
    (tmp_path / "0001.json").write_text(BROKEN[name])
    with pytest.raises(ValueError, match="folder: .*0001.json is not the result of a trial: "):
        run_trials(tmp_path, {1: {}}, nobody)


SPOILS = [lambda path: path.mkdir(), lambda path: path.write_bytes(b'{"a": "\xff"}')]


@pytest.mark.parametrize("spoil", SPOILS)
@pytest.mark.parametrize("file", ["0001.json", "notes.json"])
def test_a_folder_or_other_bytes_in_place_of_a_result_are_named_too(tmp_path, spoil, file):
    spoil(tmp_path / file)
    with pytest.raises(ValueError, match=f"folder: .*{file} is not the result of a trial: "):
        results(tmp_path)


@pytest.mark.parametrize("spoilt", [math.nan, math.inf, -math.inf, np.float32("nan")])
def test_a_score_that_is_not_finite_ranks_last_and_the_search_goes_on(tmp_path, spoilt):
    def evaluate(number, settings, budget):
        return {"score": spoilt if number in (3, 4) else -number}
    trials = {number: {} for number in range(6)}
    found = successive_halving(tmp_path, trials, ((1, 6), (2, 3), (3, 1)), evaluate)
    assert [list(trials) for trials in found.values()] == [list(range(6)), [0, 1, 2], [0]]
    scores = {4: spoilt, 0: 0.1, 3: spoilt, 2: 0.5}
    assert survivors(scores, 4) == [2, 0, 3, 4] and survivors(scores, 1) == [2]


def test_a_search_whose_trials_all_diverged_or_have_no_score_says_so(tmp_path):
    def search_of(result, name):
        successive_halving(tmp_path / name, {0: {}, 1: {}}, ((1, 2), (2, 1)), lambda *_,
                           budget: result)
    with pytest.raises(ValueError, match="scores: got {0: nan, 1: nan}, expected at least one"):
        search_of({"score": math.nan}, "nan")
    for i, result in enumerate(({}, {"score": None}, {"score": "0.5"})):
        with pytest.raises(ValueError,
                           match="evaluate: returned .* for trial 0, .* a number as 'score'"):
            search_of(result, str(i))


@pytest.mark.parametrize("seconds, taken", [(-1e9, True), (-3600, True), (-10, False), (10, False),
                                            (3600, True)])
def test_a_claim_far_in_the_past_or_in_the_future_is_taken_over(tmp_path, seconds, taken):
    first = claim(tmp_path, 3)
    now = first.stat().st_mtime
    os.utime(first, (now - seconds, now - seconds))
    assert (claim(tmp_path, 3) is not None) == taken


def test_bad_input_gets_an_error_that_names_it(tmp_path):
    run_trials(tmp_path, {0: {"a": 1}}, lambda number, settings: {})
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "0001.json").write_text("{")
    for call, message in (
            (lambda: LogUniform(0, 1), "LogUniform: got 0 to 1, expected two numbers above 0"),
            (lambda: LogUniform(2, 1), "LogUniform: got 2 to 1"),
            (lambda: Choice(()), "Choice: got no values"),
            (lambda: Uniform(1, math.inf), "Uniform: got 1 to inf"),
            (lambda: Uniform(math.nan, 1), "Uniform: got nan"),
            (lambda: draw(SPACE, -1, 0), "seed: got -1"),
            (lambda: draw(SPACE, 0, 0.5), "number: got 0.5"),
            (lambda: survivors({0: math.nan}, 1), "scores: got {0: nan}"),
            (lambda: results(tmp_path / "bad"), "folder: .*0001.json is not the result of a trial"),
            (lambda: run_trials(tmp_path, {0: {"a": 2}}, nobody),
             "folder: .* holds trial 0 of another search")):
        with pytest.raises(ValueError, match=message):
            call()


def test_results_are_also_a_frame_with_a_row_for_every_trial(tmp_path):
    assert results_frame(tmp_path).empty
    run_trials(tmp_path, {4: {"rate": 0.5}, 2: {"rate": 2, "net": {"depth": 3}}},
               lambda number, settings: {"accuracy": settings["rate"] / 4})
    frame = results_frame(tmp_path)
    assert list(frame.index) == [2, 4] and list(frame["settings.rate"]) == [2, 0.5]
    assert list(frame["result.accuracy"]) == [0.5, 0.125]
    assert frame["settings.net.depth"].tolist()[0] == 3 and frame["settings.net.depth"].isna()[4]
