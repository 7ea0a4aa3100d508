"""Tests of the config of update rules: defaults, ranges, states and error messages."""
import copy

import numpy as np
import pytest

from cs231n_fer.optim import DEFAULTS, STATE, UPDATE_RULES, check_config

RULES = sorted(UPDATE_RULES)
PUBLISHED = {  # defaults of the course, or of the papers for other rules
    "sgd": {"learning_rate": 1e-2},
    "sgd_momentum": {"learning_rate": 1e-2, "momentum": 0.9},
    "nesterov": {"learning_rate": 1e-2, "momentum": 0.9},
    "adagrad": {"learning_rate": 1e-2, "epsilon": 1e-8},
    "rmsprop": {"learning_rate": 1e-2, "decay_rate": 0.99, "epsilon": 1e-8},
    "adam": {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8},
    "adamw": {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8,
              "weight_decay": 1e-2},
}


@pytest.mark.parametrize("rule", RULES)
def test_the_passed_config_is_brought_up_to_date_as_in_the_course(rule):
    config = {"learning_rate": 0.1}
    _, returned = UPDATE_RULES[rule](np.ones(3), np.ones(3), config)
    assert returned is config
    assert set(config) == {*DEFAULTS[rule], *STATE[rule]}
    assert config["learning_rate"] == 0.1


def test_defaults_are_those_of_the_course_and_every_rule_has_its_tables():
    assert DEFAULTS == PUBLISHED
    assert DEFAULTS.keys() == STATE.keys() == UPDATE_RULES.keys()


def test_using_a_rule_never_changes_the_table_of_defaults():
    before = copy.deepcopy(DEFAULTS)
    for rule, update in UPDATE_RULES.items():
        update(np.ones(2), np.ones(2))
        update(np.ones(2), np.ones(2), {"learning_rate": 0.5})
        assert DEFAULTS == before, rule


RATE = "expected a number finite and at least 0"
SHARE = "expected a number in [0, 1)"
SAME = "the shape of w"
WHOLE = "expected the number of steps so far, an int of at least 0"
W = np.ones((2, 3))
BAD = [
    ("sgd", {"learning_rate": -1e-3}, f"learning_rate is -0.001, {RATE}"),
    ("sgd", {"learning_rate": float("nan")}, f"learning_rate is nan, {RATE}"),
    ("sgd", {"learning_rate": float("inf")}, f"learning_rate is inf, {RATE}"),
    ("sgd", {"learning_rate": "fast"}, f"learning_rate is 'fast', {RATE}"),
    ("sgd", {"learning_rate": None}, f"learning_rate is None, {RATE}"),
    ("sgd", {"lr": 0.1}, "no key 'lr'; the keys are learning_rate"),
    ("sgd", {"momentum": 0.9}, "no key 'momentum'; the keys are learning_rate"),
    ("adam", {"beta_1": 0.9},
     "no key 'beta_1' (did you mean 'beta1'?); the keys are learning_rate, beta1, beta2, "
                              "epsilon, m, v, t"),
    ("adam", {"beta1": 1.0}, f"beta1 is 1.0, {SHARE}"),
    ("adam", {"beta2": 1}, f"beta2 is 1, {SHARE}"),
    ("adam", {"beta2": -0.5}, f"beta2 is -0.5, {SHARE}"),
    ("adam", {"beta1": float("nan")}, f"beta1 is nan, {SHARE}"),
    ("adam", {"epsilon": -1e-8}, f"epsilon is -1e-08, {RATE}"),
    ("adam", {"t": -1}, f"t is -1, {WHOLE}"),
    ("adam", {"t": 1.5}, f"t is 1.5, {WHOLE}"),
    ("adam", {"m": np.zeros(6)}, f"m has shape (6,), expected (2, 3), {SAME}"),
    ("adam", {"v": np.zeros(6)}, f"v has shape (6,), expected (2, 3), {SAME}"),
    ("adamw", {"weight_decay": -0.1}, f"weight_decay is -0.1, {RATE}"),
    ("rmsprop", {"decay_rate": 1}, f"decay_rate is 1, {SHARE}"),
    ("nesterov", {"momentum": 1.5}, f"momentum is 1.5, {SHARE}"),
    ("sgd_momentum", {"velocity": np.zeros((3, 2))},
     f"velocity has shape (3, 2), expected (2, 3), {SAME}"),
]


@pytest.mark.parametrize(("rule", "config", "message"), BAD)
def test_a_bad_config_is_named_and_left_as_it_came(rule, config, message):
    before = dict(config)
    with pytest.raises(ValueError) as error:
        UPDATE_RULES[rule](W, W, config)
    assert str(error.value) == f"{rule}: {message}"
    assert config.keys() == before.keys()


TINY = {np.float32: 1e-40, np.float64: 1e-310}  # subnormal, and 0 on some processors
TOO_LARGE = [(rule, key) for rule in RULES for key in DEFAULTS[rule]
             if key in ("learning_rate", "epsilon", "weight_decay")]


@pytest.mark.parametrize("rung", ["numpy", "auto"])
@pytest.mark.parametrize("dtype", TINY)
@pytest.mark.parametrize("rule", [rule for rule in RULES if "epsilon" in DEFAULTS[rule]])
def test_an_epsilon_that_is_rounded_to_0_is_refused_and_the_smallest_normal_one_works(
        rule, dtype, rung):
    w = np.ones(2, dtype)
    for epsilon in (TINY[dtype], np.nextafter(np.finfo(dtype).tiny, dtype(0))):
        with pytest.raises(ValueError, match=f"{rule}: epsilon is .*, expected 0 or at least"):
            UPDATE_RULES[rule](w, 0 * w, {"epsilon": epsilon}, rung)
    smallest = float(np.finfo(dtype).tiny)
    next_w, _ = UPDATE_RULES[rule](w, 0 * w, {"epsilon": smallest, "weight_decay": 0.0}
                                   if rule == "adamw" else {"epsilon": smallest}, rung)
    assert (next_w == 1).all()


@pytest.mark.parametrize("rule, key", TOO_LARGE)
def test_a_number_that_float32_rounds_to_infinity_is_refused(rule, key):
    config = {key: 1e39}
    with pytest.raises(ValueError, match=rf"{rule}: {key} is 1e\+39, expected at most 3.403e\+38"):
        UPDATE_RULES[rule](np.ones(2, np.float32), np.zeros(2, np.float32), config)
    assert config == {key: 1e39}


@pytest.mark.parametrize("rule, config, name", [
    ("adam", {"learning_rate": 1e38}, r"learning_rate / \(1 - beta1 \*\* 1\)"),
    ("adamw", {"learning_rate": 1e30, "weight_decay": 1e30}, "learning_rate \\* weight_decay")])
def test_a_product_of_numbers_that_float32_rounds_to_infinity_is_refused(rule, config, name):
    with pytest.raises(ValueError, match=f"{rule}: {name} is .*, expected at most 3.403e\\+38"):
        UPDATE_RULES[rule](np.ones(2, np.float32), np.zeros(2, np.float32), config)


@pytest.mark.parametrize("rule", RULES)
def test_a_masked_array_is_refused_wherever_it_comes(rule):
    masked = np.ma.masked_array(W, W > 0)
    states = {key: masked for key in STATE[rule] if key != "t"}
    for arguments in ((masked, W), (W, masked), *((W, W, {key: m}) for key, m in states.items())):
        with pytest.raises(ValueError, match="got a masked array, whose mask would be lost"):
            UPDATE_RULES[rule](*arguments)


@pytest.mark.parametrize(("rule", "config"), [
    ("sgd", {"learning_rate": 0}), ("sgd", {"learning_rate": 1.0}), ("sgd", {"learning_rate": 2.5}),
    ("sgd", {"learning_rate": "0.5"}), ("sgd", {"learning_rate": np.float32(3)}),
    ("sgd_momentum", {"momentum": 0}),
    ("nesterov", {"momentum": 0.0}), ("rmsprop", {"decay_rate": 0}), ("adagrad", {"epsilon": 0.0}),
    ("adam", {"beta1": 0, "beta2": 0.0, "t": 0}), ("adam", {"t": np.int64(3)}),
    ("adamw", {"weight_decay": 0})])
def test_the_ends_of_every_range_are_accepted(rule, config):
    next_w, after = UPDATE_RULES[rule](W, W, dict(config))
    assert np.isfinite(next_w).all() and ("t" not in STATE[rule]
                                          or after["t"] == config.get("t", 0) + 1)


@pytest.mark.parametrize("key, rules", [("velocity", ("sgd_momentum", "nesterov")),
                                        ("cache", ("adagrad", "rmsprop")),
                                        ("m", ("adam", "adamw"))])
def test_a_state_that_comes_along_is_used_and_a_missing_one_is_zero(key, rules):
    for rule in rules:
        configs = ({}, {key: np.zeros((2, 3))}, {key: np.full((2, 3), 0.5)})
        fresh, zero, other = (UPDATE_RULES[rule](W, W, config)[0] for config in configs)
        np.testing.assert_array_equal(fresh, zero)
        assert (fresh != other).all()


def test_gradients_of_another_shape_and_weights_of_integers_are_refused():
    with pytest.raises(ValueError, match=r"sgd: dw has shape \(4, 3\), expected \(2, 3\)"):
        UPDATE_RULES["sgd"](W, np.ones((4, 3)))
    # These shapes would broadcast.
    with pytest.raises(ValueError, match=r"sgd: dw has shape \(3,\), expected \(2, 3\)"):
        UPDATE_RULES["sgd"](W, np.ones(3))
    with pytest.raises(ValueError, match="sgd: w is int64, expected float32 or float64"):
        UPDATE_RULES["sgd"](np.ones(3, np.int64), np.ones(3))


def test_an_unknown_rule_is_named_with_its_nearest_neighbour():
    with pytest.raises(ValueError) as error:
        check_config("adma", {})
    assert str(error.value) == ("update_rule: no rule 'adma' (did you mean 'adam'?); the rules are "
                                "sgd, sgd_momentum, "
                                "nesterov, adagrad, rmsprop, adam, adamw")


def test_an_unknown_rung_is_named():
    with pytest.raises(ValueError, match="rung: got 'quick', expected 'auto', 'numpy', 'fast'"):
        UPDATE_RULES["adam"](W, W, {}, "quick")
