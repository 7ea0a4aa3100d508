"""Update rules (rules, over the formulas in formulas) and learning rates (schedules).

To add a rule: a function in rules, its entry in UPDATE_RULES, DEFAULTS and STATE; a formula only if
none of the four fits.
To add a schedule: a frozen record in schedules.
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
