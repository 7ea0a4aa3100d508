"""Update rules and learning-rate schedules.

    rules        the update rules, with the defaults and the state of each
    formulas     the formulas behind the rules, in NumPy and compiled
    checks       checks of hyper-parameters
    schedules    factors of the learning rate over the epochs

To add a rule: write a function in rules, add entries to DEFAULTS, STATE and UPDATE_RULES, and its
name to `__all__` there and here. A hyper-parameter that must be below 1 belongs in BELOW_ONE. If
none of the four formulas fits, add one: a function in formulas, its entry in FORMULAS, a step in
kernels/update.py, which has room for two arrays of state, and its entry in formulas._one_pass. In
tests/, add the textbook formula of the rule to scalar_steps in optim/test_optim.py, and rows to
PUBLISHED in optim/test_optim_config.py, STATE in test_hostile_arrays.py and RULES in
test_oracle.py.

To add a schedule: write a frozen record in schedules, called with (epoch, num_epochs,
val_acc_history), and add its name to `__all__` there and rows to CURVES and ALL in
tests/optim/test_schedules.py. It is then passed as Recipe(schedule=...).
"""
from .rules import (
    BELOW_ONE,
    DEFAULTS,
    STATE,
    UPDATE_RULES,
    adagrad,
    adam,
    adamw,
    check_config,
    nesterov,
    rmsprop,
    sgd,
    sgd_momentum,
)

__all__ = [
    "BELOW_ONE",
    "DEFAULTS",
    "STATE",
    "UPDATE_RULES",
    "adagrad",
    "adam",
    "adamw",
    "check_config",
    "nesterov",
    "rmsprop",
    "sgd",
    "sgd_momentum",
]
