"""Update rules (rules, built on the formulas in formulas) and learning-rate schedules (schedules).

To add a rule: a function in rules, its entries in DEFAULTS, STATE and UPDATE_RULES, and its name in
`__all__` there and here. A hyper-parameter that must be below 1 goes into BELOW_ONE. Only if none
of the four formulas fits, add one: a function in formulas, its entry in FORMULAS, a step in
kernels/update.py, which has room for two arrays of state, and its entry in formulas._one_pass. In
tests/, the rule needs its textbook formula in scalar_steps of optim/test_optim.py, and rows in
PUBLISHED of optim/test_optim_config.py, STATE of test_hostile_arrays.py and RULES of
test_oracle.py.

To add a schedule: a frozen record in schedules, called with (epoch, num_epochs, val_acc_history),
its name in `__all__` there, and rows in CURVES and ALL of tests/optim/test_schedules.py.
Recipe(schedule=...) takes it.
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
