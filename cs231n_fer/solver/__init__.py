"""The training loop (solver) and what it uses.

    recipe                   what a training does beyond the course: Solver(recipe=Recipe(...))
    samplers                 which samples an epoch shows, and how much every class counts
    averaging                running averages of weights
    results                  the course's names for the results of a Solver
    batches                  which samples every step of an epoch gets
    flat_update, own_update  an update rule of optim, applied to all parameters at once; a
                             user-defined one, applied to one parameter at a time
    run_state, run_folder    what a checkpoint holds; the files of a run:
                             Solver(folder=RunFolder(...))
    fingerprint, horizon     which runs may be resumed, and for how many epochs
    interrupts               how Ctrl-C ends a run
    arguments, model_parts   checks of arguments; what a model may have besides its parameters
    progress                 what is shown while a model is trained
    diagnosis                where a training diverged, and what helps
    distillation             learning from the probabilities of teachers
    search, claims           random search by many processes on one folder; which one runs a trial

To add a sampler: a frozen record in samplers with order(rng, labels), which returns indices of
samples, its name in `__all__` there, and a test in tests/solver/test_imbalance.py.
Recipe(sampler=...) takes it.
"""
from .recipe import Recipe
from .run_folder import RunFolder
from .solver import Solver

__all__ = [
    "Recipe",
    "RunFolder",
    "Solver",
]
