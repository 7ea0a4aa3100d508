"""The training loop (solver) and what belongs to it.

    run_folder, interrupts   what a training leaves behind, however it ends
    diagnosis                where a training that diverges went wrong
    samplers                 which samples an epoch shows, and how much each class counts
    averaging                running averages of weights
    distillation             learning from the probabilities of teachers
    search                   random search by many processes on one folder

To add a sampler: a frozen record with order(rng, labels) in samplers; Solver(sampler=...) takes it.
"""
from .solver import Solver

__all__ = [
    "Solver",
]
