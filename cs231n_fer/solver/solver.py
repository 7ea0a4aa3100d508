"""Solver: trains any model with params and loss(X, y), with the keywords of the course.

A run is a function of its settings: the order of the samples and their augmentation depend only on
(seed, epoch, sample). A run that is resumed from a checkpoint therefore gives the same bits as one
that was never interrupted.
"""
from __future__ import annotations

import inspect
import math
import time
import warnings
import zlib
from collections.abc import Mapping
from contextlib import closing, nullcontext
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays.copying import Independent
from ..files.checkpoint import save_checkpoint
from ..optim.schedules import Exponential
from ..shapes import samples_and_labels
from ..types import Draws, Labels, Model
from .arguments import check_known, check_numbers, check_records, split_of
from .averaging import WeightAverage
from .batches import TRAIN_SUBSET, batches_of, check_normalized, generator
from .diagnosis import LOWER, Finding, Step, cause, diverged, finite
from .fingerprint import fingerprint
from .horizon import check_horizon
from .interrupts import interrupts_noted
from .model_parts import accuracy_of, check_finite, generator_of, goes_on_after_nan
from .own_update import Rule, update_of
from .progress import progress_of
from .recipe import Recipe
from .results import RunResults
from .run_folder import RunFolder, contents_of
from .run_state import RunState
from .samplers import Indices

__all__ = ["Solver"]

EVALUATION_BATCH = 256  # samples at a time after an epoch: a tenth faster than 100


class Solver(RunResults, Independent):
    """Train a model by stochastic gradient descent or one of its variants.

    model   has params (dict of arrays), loss(X, y) -> (loss, grads) and loss(X) -> scores (N, C);
            may have buffers (dict of arrays) and rng (np.random.Generator)
    data    {"X_train", "y_train", "X_val", "y_val"}: samples (N, ...) and integer labels (N,)

    Keywords of the course:
    update_rule         name of a rule in optim.rules, or a function (w, dw, config) -> (w, config)
    optim_config        its hyper-parameters, {"learning_rate": ...}
    lr_decay            factor on the learning rate after every epoch
    batch_size          samples in a step; the batches of an epoch differ by at most one sample
    num_epochs          epochs of training; an epoch shows every sample once, or what a sampler says
    num_train_samples   random training samples used to measure accuracy after an epoch; None: all
    num_val_samples     the same for validation samples
    print_every         steps between the lines of the course's Solver; None: a progress bar
    verbose             show progress
    checkpoint_name     if given, write NAME_epoch_E.h5 after every epoch E

    Beyond the course:
    seed                of the order of the samples and of their augmentation
    recipe              Recipe(augmentation=, schedule=, sampler=, average_decay=, stop=, ...)
    folder              RunFolder(path, resume=, overwrite=, ...): write checkpoints there

    Raises ValueError for an unknown keyword, a value out of range, unsuitable data, or a folder of
    another run. A run that diverges ends with a FloatingPointError that says where it began. The
    first Ctrl-C ends the step, saves, and says how to continue; the second one ends at once.
    """

    def __init__(self, model: Model, data: Mapping[str, ArrayLike], *,
                 update_rule: str | Rule = "sgd", optim_config: Mapping[str, Any] | None = None,
                 lr_decay: float = 1.0, batch_size: int = 100, num_epochs: int = 10,
                 num_train_samples: int | None = 1000, num_val_samples: int | None = None,
                 print_every: int | None = None, verbose: bool = True,
                 checkpoint_name: str | None = None, seed: int = 0, recipe: Recipe | None = None,
                 folder: RunFolder | None = None, **unknown: object) -> None:
        check_known(unknown, inspect.signature(Solver).parameters)
        check_numbers(batch_size=batch_size, num_epochs=num_epochs, seed=seed,
                      print_every=print_every, num_train_samples=num_train_samples,
                      num_val_samples=num_val_samples)
        recipe = Recipe() if recipe is None else recipe
        check_records(recipe, folder)
        self.model = model
        self.X_train, self.y_train = split_of(data, "train")
        self.X_val, self.y_val = split_of(data, "val")
        self.batch_size = batch_size
        self.num_epochs = num_epochs
        self.num_train_samples = num_train_samples
        self.num_val_samples = num_val_samples
        self.print_every = print_every
        self.verbose = verbose
        self.checkpoint_name = checkpoint_name
        self.seed = seed
        self.recipe = recipe
        self.schedule = Exponential(lr_decay) if recipe.schedule is None else recipe.schedule
        self.folder = folder
        self.state = self._new_state(update_rule, optim_config or {})
        self.learning_rate = float(self.state.update.settings["learning_rate"])
        self._interrupts: list[int] = []
        if folder or checkpoint_name:
            arrays = {"X_train": self.X_train, "y_train": self.y_train,
                      "X_val": self.X_val, "y_val": self.y_val}
            choices = {"schedule": self.schedule, "augmentation": recipe.augmentation,
                       "sampler": recipe.sampler}
            self.state.fingerprint = fingerprint(model, arrays, choices)
        if folder:
            folder.begin(self.state)
            check_horizon(self.schedule, self.state, num_epochs)

    def _new_state(self, update_rule: str | Rule, optim_config: Mapping[str, Any]) -> RunState:
        """Return the state of a run that has not begun."""
        decay = self.recipe.average_decay
        update = update_of(update_rule, optim_config, self.model.params)
        average = WeightAverage(self.model, decay) if decay else None
        # Earlier checkpoints hold the same names and values, and can be resumed.
        settings = {
            "seed": self.seed,
            "update_rule": update.text,
            "optim_config": update.settings,
            "batch_size": self.batch_size,
            "num_train_samples": self.num_train_samples,
            "num_val_samples": self.num_val_samples,
            "schedule": repr(self.schedule),
            "augmentation": repr(self.recipe.augmentation),
            "sampler": repr(self.recipe.sampler),
            "average_decay": decay or None,
            "training_labels": zlib.crc32(np.asarray(self.y_train, np.int64).tobytes()),
        }
        return RunState(self.model, update, average, settings)

    def train(self) -> None:
        """Train until num_epochs; then give the model the parameters that recipe.keep names.

        After num_epochs is raised, train() continues from the last step and gives the same bits as
        one long run, unless other parameters have been put into the model. Raises ValueError if
        this changes the past of the schedule, for initial parameters that are not finite, and for
        batches that a normalization cannot normalize.
        """
        stop = self.recipe.stop
        check_numbers(batch_size=self.batch_size, num_epochs=self.num_epochs)  # may be changed
        check_horizon(self.schedule, self.state, self.num_epochs)
        self.state.num_epochs = self.num_epochs
        self.state.give_last()
        goes_on = goes_on_after_nan(self.model, self.recipe.on_divergence)
        quiet = np.errstate(all="ignore") if goes_on else nullcontext()
        with quiet, interrupts_noted() as self._interrupts:
            if not self.val_acc_history:
                if not goes_on:
                    check_finite(self.model)
                self._evaluate()
            while self.epoch < self.num_epochs:
                if stop and self.history and stop(self.history):
                    break
                self._train_epoch()
            self._stop_if_interrupted()
        if self.recipe.keep == "best":
            self.restore_best()

    def restore_best(self) -> None:
        """Give the model its best parameters and buffers so far, by validation accuracy."""
        self.state.give_best()

    def check_accuracy(self, X: ArrayLike, y: ArrayLike, num_samples: int | None = None,
                       batch_size: int = 100) -> float:
        """Return the fraction of samples whose highest score is that of their label.

        X, y          samples (N, ...) and integer labels (N,)
        num_samples   measure it on that many random samples; None: on all
        batch_size    samples in a forward pass
        Raises ValueError for other samples and labels, or labels beyond the classes of the scores.
        """
        X, y = samples_and_labels(X, y)
        return self._accuracy(X, y, num_samples, batch_size)

    def _accuracy(self, X: NDArray[Any], y: Labels, num_samples: int | None, batch_size: int,
                  name: str = "y") -> float:
        """Do the work of check_accuracy; error messages call the labels by a name."""
        largest = int(y.max())
        if num_samples is not None and num_samples < len(X):
            rng = generator(self.seed, self.epoch, TRAIN_SUBSET)
            chosen = rng.choice(len(X), num_samples, replace=False)
            X = X[chosen]
            y = y[chosen]
        return accuracy_of(self.model, X, y, batch_size, name, largest)

    def _train_epoch(self) -> None:
        """Train for one epoch: a step for every batch, then an evaluation, then the checkpoints.

        Ctrl-C takes effect only between two steps, when weights, state of the update rule, and
        number of steps belong together. An epoch that was interrupted is resumed by skipping the
        steps that are done, see batches.py. Weights that the last update made infinite or NaN raise
        a FloatingPointError before the evaluation, so that no checkpoint holds them.
        """
        state = self.state
        start = time.perf_counter()
        learning_rate = self._learning_rate(self.epoch)
        batches = batches_of(self.recipe, self.y_train, self.batch_size, self.seed, self.epoch)
        check_normalized(self.model, batches.samples)
        steps = len(batches.samples)
        resumed_at = state.step
        with closing(progress_of(self.verbose, self.print_every)) as shown:
            shown.begin(self.epoch + 1, self.num_epochs, steps, resumed_at)
            for i in range(resumed_at, steps):
                self._stop_if_interrupted()
                self._step(batches.samples[i], batches.draws[i], self.epoch + i / steps)
                state.step = i + 1
                shown.step(len(state.loss_history), state.loss_history[-1])
            seconds = time.perf_counter() - start
            if not finite(self.model.params):
                self._diverged("weights: became infinite or NaN", learning_rate,
                               Finding("the update of this step", LOWER), len(state.loss_history))
            state.epoch += 1
            state.step = 0
            improved = self._evaluate()
            images = sum(map(len, batches.samples)) * (1 - resumed_at / steps)
            state.note_epoch(steps, learning_rate, seconds, images)
            left = (self.num_epochs - self.epoch) * (time.perf_counter() - start)
            shown.end(state.history[-1], left)
        if self.checkpoint_name:
            contents = self.folder.contents if self.folder else contents_of
            save_checkpoint(f"{self.checkpoint_name}_epoch_{self.epoch}.h5", *contents(state))
        if self.folder:
            self.folder.save_epoch(state, improved)

    def _step(self, chosen: Indices, draws: Draws | None, epoch: float) -> None:
        """Train on one batch: augment it, compute loss and gradients, and update all parameters.

        chosen   (B,) indices of the samples of the batch in X_train
        draws    (B, columns) random numbers of their augmentation; None without augmentation
        epoch    time for the schedule: completed epochs, plus the completed part of this one

        The loss is appended to loss_history, and the running average of the weights follows them.
        If the loss or a gradient is infinite or NaN, the batch is run again to find the layer where
        this began, with the same dropout masks: the state of the model's random generator is noted
        before the step. Raises FloatingPointError with what was found, or warns and continues.
        """
        raw = X = self.X_train[chosen]
        y = self.y_train[chosen]
        if self.recipe.augmentation and draws is not None:
            X = self.recipe.augmentation.apply(X, draws)
        learning_rate = self._learning_rate(epoch)
        rng = generator_of(self.model)
        rng_state = rng.bit_generator.state if rng else None
        loss, grads = self.model.loss(X, y)
        if not (math.isfinite(loss) and finite(grads)):
            what = ("gradient: became infinite or NaN" if math.isfinite(loss)
                    else f"loss: became {loss}")
            step = Step(X, y, raw, len(self.loss_history) + 1, rng_state)
            self._diverged(what, learning_rate, cause(self.model, step), step.number)
        self.state.loss_history.append(float(loss))
        self.state.update.apply(self.model.params, grads, learning_rate)
        if self.state.average:
            self.state.average.follow(self.model, len(self.state.loss_history))

    def _diverged(self, what: str, learning_rate: float, found: Finding, number: int) -> None:
        """Raise the FloatingPointError of a run that diverged in a step, or warn the first time."""
        message = diverged(what, self.state, learning_rate, found, number)
        if not goes_on_after_nan(self.model, self.recipe.on_divergence):
            raise FloatingPointError(message)
        if not self.state.diverged:
            warnings.warn(f"{message}; continuing, see Recipe(on_divergence=...)", stacklevel=2)
        self.state.diverged = True

    def _stop_if_interrupted(self) -> None:
        """After a Ctrl-C, save the run and raise a KeyboardInterrupt that says how to continue."""
        if not self._interrupts:
            return
        saved = "nothing is saved, as there is no folder"
        if self.folder:
            self.folder.save_last(self.state)
            saved = f"saved in {self.folder.path}: to continue, start the same run with resume"
        raise KeyboardInterrupt(f"interrupted in epoch {self.epoch + 1} of {self.num_epochs}, "
                                f"after {self.state.step} of its steps; {saved}")

    def _learning_rate(self, epoch: float) -> float:
        """Return the learning rate at a time, in epochs; raise ValueError unless it is finite."""
        factor = self.schedule(epoch, self.num_epochs, self.val_acc_history)
        rate = self.learning_rate * factor
        if not 0 <= rate < math.inf:
            raise ValueError(f"schedule: returned {factor!r} at epoch {epoch:g}, which makes the "
                             f"learning rate {rate!r}, expected a finite number of at least 0")
        return rate

    def _evaluate(self) -> bool:
        """Append both accuracies; keep the best parameters, and return whether these are."""
        state = self.state
        with state.average.lent_to(self.model) if state.average else nullcontext():
            train_acc = self._accuracy(self.X_train, self.y_train, self.num_train_samples,
                                       EVALUATION_BATCH, "y_train")
            val_acc = self._accuracy(self.X_val, self.y_val, self.num_val_samples,
                                     EVALUATION_BATCH, "y_val")
            shown = progress_of(self.verbose, self.print_every)
            shown.evaluated(self.epoch, self.num_epochs, train_acc, val_acc)
            return state.note_accuracies(train_acc, val_acc)
