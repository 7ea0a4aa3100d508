"""Update rules (rules, built on the formulas in formulas) and learning-rate schedules (schedules).

To add a rule: a function in rules and its entries in UPDATE_RULES, DEFAULTS and STATE; a new
formula only if none of the four fits.
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
