"""optim_config and update_rule as in the course: unknown keys, functions of one's own, the configs.
"""
import numpy as np
import pytest
from test_resume import outcome, train_until
from toys import Recorder, faces, numbers

from cs231n_fer.classifiers import FullyConnectedNet
from cs231n_fer.optim import DEFAULTS, STATE, UPDATE_RULES, adam, sgd_momentum
from cs231n_fer.solver import Recipe, RunFolder, Solver


def my_momentum(w, dw, config):
    """The course's solution of sgd_momentum, with a counter beside the array."""
    config.setdefault("momentum", 0.9)
    v = config.get("velocity", np.zeros_like(w))
    v = config["momentum"] * v - config["learning_rate"] * dw
    config["velocity"] = v
    config["count"] = config.get("count", 0) + 1
    return w + v, config


def in_place(w, dw, config):
    """A rule that writes on the weights."""
    w -= config["learning_rate"] * dw
    return w, config


def solver_of(rule, folder=None, resume=False, epochs=3, **config):
    net = FullyConnectedNet([7], input_dim=64, num_classes=2, seed=5, dtype=np.float64)
    return Solver(net, faces(40), batch_size=9, num_epochs=epochs, verbose=False,
                  update_rule=rule, optim_config={"learning_rate": 0.1, **config},
                  lr_decay=0.9, recipe=Recipe(keep="last"),
                  folder=folder and RunFolder(folder, resume))


def trained(*arguments, **options):
    solver = solver_of(*arguments, **options)
    solver.train()
    return solver


@pytest.mark.parametrize("rule, config, key, meant", [
    ("adam", {"lr": 1}, "lr", ""), ("adam", {"beta_1": 0.8}, "beta_1", "did you mean 'beta1'"),
    ("sgd", {"momentum": 0.9}, "momentum", "")])
def test_an_unknown_key_of_optim_config_is_ignored_with_a_warning_that_names_the_known_ones(
        rule, config, key, meant):
    known = ", ".join((*DEFAULTS[rule], *STATE[rule]))
    with pytest.warns(UserWarning, match=f"optim_config: {rule} has no key '{key}'.*{meant}.*"
                                         f"the keys are {known}") as caught:
        solver = solver_of(rule, **config)
    assert caught[0].filename == __file__
    solver.train()
    assert outcome(solver) == outcome(trained(rule))


def test_a_value_out_of_range_is_still_refused():
    with pytest.raises(ValueError, match="adam: beta1 is 2"):
        solver_of("adam", beta1=2)


@pytest.mark.parametrize("rule", UPDATE_RULES)
def test_a_rule_of_this_package_may_be_given_as_a_function(tmp_path, rule):
    trained(rule, tmp_path, epochs=1)
    solver = trained(UPDATE_RULES[rule], tmp_path, resume=True)
    assert outcome(solver) == outcome(trained(rule))


def test_a_rule_of_ones_own_moves_the_weights_as_the_same_rule_here_does():
    mine = trained(my_momentum)
    ours = trained(sgd_momentum)
    for name, array in mine.model.params.items():
        np.testing.assert_allclose(array, ours.model.params[name], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(mine.loss_history, ours.loss_history, rtol=1e-12)
    changed = trained(in_place)
    plain = trained("sgd")
    for name, array in changed.model.params.items():
        np.testing.assert_allclose(array, plain.model.params[name], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("cut", [3, 7])
def test_a_rule_of_ones_own_is_resumed_bit_for_bit(tmp_path, cut):
    whole = trained(my_momentum)
    train_until(solver_of(my_momentum, tmp_path), cut)
    resumed = trained(my_momentum, tmp_path, resume=True)
    assert outcome(resumed) == outcome(whole)
    assert resumed.optim_configs["W1"]["count"] == 15
    again = trained(my_momentum, epochs=1)
    again.num_epochs = 3
    again.train()
    assert outcome(again) == outcome(whole)


def times(factor):
    """Return a rule that has captured a number."""
    def rule(w, dw, config):
        return w - factor * config["learning_rate"] * dw, config
    return rule


@pytest.mark.parametrize("first, other", [(my_momentum, in_place), (times(1), times(2)),
                                          (my_momentum, "sgd_momentum")])
def test_another_rule_is_another_run(tmp_path, first, other):
    trained(first, tmp_path, epochs=1)
    with pytest.raises(ValueError, match="update_rule: got "):
        solver_of(other, tmp_path, resume=True)


@pytest.mark.parametrize("result", [None, 3, (1, {}), (np.zeros(2), {}), (None, {}),
                                    lambda w: (w, None), lambda w: (w * 1j, {}),
                                    lambda w: (np.ma.masked_array(w), {})], ids=str)
def test_what_is_no_result_of_a_rule_is_refused(result):
    def rule(w, dw, config):
        return result(w) if callable(result) else result
    with pytest.raises(ValueError, match="update_rule: "):
        Solver(Recorder(), numbers(4), update_rule=rule, verbose=False,
               optim_config={"learning_rate": 1}).train()


@pytest.mark.parametrize("rule", [*UPDATE_RULES, my_momentum])
def test_optim_configs_holds_what_the_courses_attribute_does(rule):
    solver = solver_of(rule)
    assert solver.optim_configs.keys() == solver.model.params.keys()
    assert solver.optim_configs["W1"]["learning_rate"] == 0.1
    solver.train()
    for name, config in solver.optim_configs.items():
        assert config["learning_rate"] == pytest.approx(0.1 * 0.9 ** 2)
        for key in (STATE[rule] if isinstance(rule, str) else ("velocity",)):
            if key == "t":
                assert config["t"] == 15
                continue
            assert config[key].shape == solver.model.params[name].shape and config[key].any()
            with pytest.raises(ValueError, match="read-only"):
                config[key][...] = 0


def test_a_function_called_adam_that_is_not_ours_is_a_rule_of_ones_own():
    def adam_too(w, dw, config):
        return adam(w, dw, config)
    ours = trained("adam", epochs=1)
    own = trained(adam_too, epochs=1)
    assert own.optim_configs["W1"]["t"] == 5
    np.testing.assert_array_equal(own.model.params["W1"], ours.model.params["W1"])
