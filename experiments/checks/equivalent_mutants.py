"""Mutants that no test can kill, because they give the same results as the original code.

mutation_testing.py leaves them out of its count. Every row names the line of the source that is
changed, so that a test can tell when the line has been rewritten and the row is out of date.
"""
from typing import NamedTuple


class Equivalent(NamedTuple):
    """A mutant with the results of the original.

    file      path of the source, relative to the repository
    line      the line of the source that is changed, without indentation
    mutant    the same line in the mutant, exactly as cosmic-ray writes it
    reason    why the results are the same
    """

    file: str
    line: str
    mutant: str
    reason: str


EQUIVALENT = (
    Equivalent("cs231n_fer/layers/losses.py",
               "dx[n, j] = -2 * t * margin / N",
               "dx[n, j] = -2 / t * margin / N",
               "t is 1 or -1"),
    Equivalent("cs231n_fer/layers/layernorm.py",
               "rstd = np.empty((N * G, 1), dtype=x.dtype)",
               "rstd = np.empty((N << G, 1), dtype=x.dtype)",
               "the array is larger than needed"),
    Equivalent("cs231n_fer/optim/checks.py",
               "near = difflib.get_close_matches(str(name), list(known), n=1)",
               "near = difflib.get_close_matches(str(name), list(known), n= 2)",
               "only the first match is used, and the best match comes first"),
    Equivalent("cs231n_fer/optim/rules.py",
               "if not (type(value) is float and 0 <= value < 1):",
               "if not (type(value) is float and 0 <= value < 0):",
               "the usual case is then checked in full, with the same verdict"),
)
