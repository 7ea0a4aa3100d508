"""Solver: trains any model with params and loss(X, y), with the keywords of the course.

A run is a function of its settings: the order of the samples and their augmentation depend only on
(seed, epoch, sample). A run that is resumed from a checkpoint therefore gives the same bits as one
that was never interrupted.
"""
from __future__ import annotations

import inspect
import math
import time
import zlib
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays.copying import Independent
from ..files.checkpoint import save_checkpoint
from ..optim import check_config
from ..optim.schedules import Exponential
from ..shapes import check, samples_and_labels
from ..types import Draws, Labels, Model
from .arguments import check_count, check_known, check_records, split_of
from .averaging import WeightAverage
from .diagnosis import finite, origin
from .fingerprint import fingerprint
from .flat_update import FlatUpdate
from .interrupts import interrupts_noted
from .model_parts import buffers_of, copies, generator_of, laid_out_like, predicted_labels
from .progress import epoch_line, progress_bar
from .recipe import Recipe
from .results import RunResults
from .run_folder import RunFolder, contents_of
from .run_state import RunState
from .samplers import Indices, checked_order, rows_of_draws

__all__ = ["Solver"]

ORDER, AUGMENTATION, TRAIN_SUBSET = range(3)  # purposes of random generators
EVALUATION_BATCH = 256  # samples at a time after an epoch: a tenth faster than 100


class Solver(RunResults, Independent):
    """Train a model by stochastic gradient descent or one of its variants.

    model   has params (dict of arrays), loss(X, y) -> (loss, grads) and loss(X) -> scores (N, C);
            may have buffers (dict of arrays) and rng (np.random.Generator)
    data    {"X_train", "y_train", "X_val", "y_val"}: samples (N, ...) and integer labels (N,)

    Keywords of the course:
    update_rule         name of a rule in optim.rules
    optim_config        its hyper-parameters, {"learning_rate": ...}
    lr_decay            factor on the learning rate after every epoch
    batch_size          samples in a step; the batches of an epoch differ by at most one sample
    num_epochs          epochs of training; an epoch shows every sample once, or what a sampler says
    num_train_samples   random training samples used to measure accuracy after an epoch; None: all
    num_val_samples     the same for validation samples
    print_every         steps between updates of the displayed loss
    verbose             show progress
    checkpoint_name     if given, write NAME_epoch_E.h5 after every epoch E

    Beyond the course:
    seed                of the order of the samples and of their augmentation
    recipe              Recipe(augmentation=, schedule=, sampler=, average_decay=, stop=, keep=)
    folder              RunFolder(path, resume=, info=, info_arrays=): write checkpoints there

    Raises ValueError for an unknown keyword, a value out of range, unsuitable data, or a checkpoint
    of another run. A run that diverges ends with a FloatingPointError that says where it began. The
    first Ctrl-C ends the step, saves, and says how to continue; the second one ends at once.
    """

    def __init__(self, model: Model, data: Mapping[str, ArrayLike], *, update_rule: str = "sgd",
                 optim_config: Mapping[str, Any] | None = None, lr_decay: float = 1.0,
                 batch_size: int = 100, num_epochs: int = 10, num_train_samples: int | None = 1000,
                 num_val_samples: int | None = None, print_every: int = 10, verbose: bool = True,
                 checkpoint_name: str | None = None, seed: int = 0, recipe: Recipe | None = None,
                 folder: RunFolder | None = None, **unknown: object) -> None:
        check_known(unknown, inspect.signature(Solver).parameters)
        check_config(update_rule, optim_config or {})
        check_count("batch_size", batch_size, least=1)
        check_count("num_epochs", num_epochs, least=0)
        check_count("print_every", print_every, least=1)
        check_count("seed", seed, least=0)
        if num_train_samples is not None:
            check_count("num_train_samples", num_train_samples, least=1)
        if num_val_samples is not None:
            check_count("num_val_samples", num_val_samples, least=1)
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
        self.learning_rate: float = self.state.update.settings["learning_rate"]
        self._interrupts: list[int] = []
        if folder:
            arrays = {"X_train": self.X_train, "y_train": self.y_train,
                      "X_val": self.X_val, "y_val": self.y_val}
            choices = {"schedule": self.schedule, "augmentation": recipe.augmentation,
                       "sampler": recipe.sampler}
            self.state.fingerprint = fingerprint(model, arrays, choices)
            if folder.resume:
                folder.load(self.state)

    def _new_state(self, update_rule: str, optim_config: Mapping[str, Any]) -> RunState:
        """Return the state of a run that has not begun."""
        decay = self.recipe.average_decay
        update = FlatUpdate(update_rule, optim_config, self.model.params)
        average = WeightAverage(self.model, decay) if decay else None
        # Earlier checkpoints hold the same names and values, and can be resumed.
        settings = {
            "seed": self.seed,
            "update_rule": update_rule,
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
        """Train until num_epochs; then give the model the parameters that recipe.keep names."""
        stop = self.recipe.stop
        with interrupts_noted() as self._interrupts:
            if not self.val_acc_history:
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
        for name, array in self.state.best_params.items():
            self.model.params[name] = laid_out_like(self.model.params[name], array)
        buffers = buffers_of(self.model)
        for name, array in self.state.best_buffers.items():
            buffers[name][...] = array

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
            chosen = self._generator(TRAIN_SUBSET).choice(len(X), num_samples, replace=False)
            X = X[chosen]
            y = y[chosen]
        predicted, classes = predicted_labels(self.model, X, batch_size)
        check(largest < classes,
              f"{name}: the largest label is {largest}, expected labels from 0 to {classes - 1}; "
              f"use a model of {largest + 1} classes, or "
              f"np.unique({name}, return_inverse=True)[1]")
        return float(np.mean(predicted == y))

    def _generator(self, purpose: int) -> np.random.Generator:
        """Return the random generator of this epoch for a purpose."""
        return np.random.default_rng([self.seed, self.epoch, purpose])

    def _train_epoch(self) -> None:
        """Train for one epoch: a step for every batch, then an evaluation, then the checkpoints.

        The sampler returns the indices of the epoch's samples, in order. They are split into
        ceil(M / batch_size) batches whose sizes differ by at most one, because batch normalization
        has no variance to normalize by in a last batch of one sample.

        Order and augmentation are drawn for the whole epoch from generators that depend on seed and
        epoch alone. An epoch that was interrupted is thus resumed by drawing the same numbers again
        and skipping the steps that are done. Ctrl-C takes effect only between two steps, when
        weights, state of the update rule, and number of steps belong together.

        After the last step, the accuracies are measured (with the averaged weights, if there are
        any), a row is appended to the history, and checkpoints are written. Weights that the last
        update made infinite or NaN raise a FloatingPointError before that, so that no checkpoint
        holds them.
        """
        state = self.state
        start = time.perf_counter()
        learning_rate = self._learning_rate(self.epoch)
        order = self._order()
        resumed_at = state.step
        first_loss = len(state.loss_history) - resumed_at
        steps = math.ceil(len(order) / self.batch_size)
        batches = np.array_split(order, steps)
        drawn = self._draws(order)
        draws = [None] * steps if drawn is None else np.array_split(drawn, steps)
        with progress_bar(self.epoch + 1, self.num_epochs, steps, self.verbose) as bar:
            bar.update(resumed_at)
            for i in range(resumed_at, steps):
                self._stop_if_interrupted()
                self._step(batches[i], draws[i], self.epoch + i / steps)
                state.step = i + 1
                if i % self.print_every == 0:
                    bar.set_postfix_str(f"loss {state.loss_history[-1]:.4f}", refresh=False)
                bar.update()
            seconds = time.perf_counter() - start
            if not finite(self.model.params):
                self._diverged("weights: became infinite or NaN", learning_rate,
                               "the update of this step", step=0)
            state.epoch += 1
            state.step = 0
            improved = self._evaluate()
            state.history.append({
                "epoch": state.epoch,
                "loss": float(np.mean(state.loss_history[first_loss:])),
                "train_acc": state.train_acc_history[-1],
                "val_acc": state.val_acc_history[-1],
                "learning_rate": learning_rate,
                "seconds": round(seconds, 3),
                "images_per_second": round(len(order) * (1 - resumed_at / steps) / seconds, 1),
            })
            left = (self.num_epochs - self.epoch) * (time.perf_counter() - start)
            bar.set_postfix_str(epoch_line(state.history[-1], left), refresh=False)
        self._save_epoch(improved)

    def _step(self, chosen: Indices, draws: Draws | None, epoch: float) -> None:
        """Train on one batch: augment it, compute loss and gradients, and update all parameters.

        chosen   (B,) indices of the samples of the batch in X_train
        draws    (B, columns) random numbers of their augmentation; None without augmentation
        epoch    time for the schedule: completed epochs, plus the completed part of this one

        The loss is appended to loss_history, and the running average of the weights follows them.
        If the loss or a gradient is infinite or NaN, no parameter is updated. Instead the batch is
        run again to find the layer where that began, with the same dropout masks: the state of the
        model's random generator is noted before the step. Raises FloatingPointError with what was
        found.
        """
        X = self.X_train[chosen]
        y = self.y_train[chosen]
        if self.recipe.augmentation and draws is not None:
            X = self.recipe.augmentation.apply(X, draws)
        learning_rate = self._learning_rate(epoch)
        rng = generator_of(self.model)
        rng_state = rng.bit_generator.state if rng else None
        loss, grads = self.model.loss(X, y)
        if not math.isfinite(loss):
            self._diverged(f"loss: became {loss}", learning_rate,
                           origin(self.model, X, y, rng_state))
        if not finite(grads):
            self._diverged("gradient: became infinite or NaN", learning_rate,
                           origin(self.model, X, y, rng_state))
        self.state.loss_history.append(float(loss))
        self.state.update.apply(self.model.params, grads, learning_rate)
        if self.state.average:
            self.state.average.follow(self.model, len(self.state.loss_history))

    def _diverged(self, what: str, learning_rate: float, began: str, step: int = 1) -> NoReturn:
        """Raise the FloatingPointError of a run that diverged.

        what    became infinite or NaN
        began   where it began, as origin() says
        step    1 if the failed step is not in loss_history, else 0
        """
        epoch = self.state.saved_epoch
        saved = "none" if epoch is None else f"last.h5, of epoch {epoch}"
        raise FloatingPointError(
            f"{what} in epoch {self.epoch + 1}, step {len(self.loss_history) + step}, at learning "
            f"rate {learning_rate:g}; it began in {began}; last good checkpoint: {saved}; "
            "train with a lower learning rate")

    def _stop_if_interrupted(self) -> None:
        """After a Ctrl-C, save the run and raise a KeyboardInterrupt that says how to continue."""
        if not self._interrupts:
            return
        where = (f"interrupted in epoch {self.epoch + 1} of {self.num_epochs}, "
                 f"after {self.state.step} of its steps")
        if not self.folder:
            raise KeyboardInterrupt(f"{where}; nothing is saved, as there is no folder")
        self.folder.save_last(self.state)
        raise KeyboardInterrupt(f"{where}; saved in {self.folder.path}: "
                                "to continue, start the same run with resume")

    def _save_epoch(self, improved: bool) -> None:
        """Write the checkpoints of a completed epoch."""
        if self.checkpoint_name:
            path = f"{self.checkpoint_name}_epoch_{self.epoch}.h5"
            contents = self.folder.contents if self.folder else contents_of
            save_checkpoint(path, *contents(self.state))
        if self.folder:
            self.folder.save_epoch(self.state, improved)

    def _order(self) -> Indices:
        """Return the indices (M,) of the samples of this epoch, in order."""
        return checked_order(self.recipe.sampler, self._generator(ORDER), self.y_train)

    def _draws(self, order: Indices) -> Draws | None:
        """Return the random numbers of the augmentation of this epoch, (M, columns)."""
        augmentation = self.recipe.augmentation
        if augmentation is None:
            return None
        rows, count = rows_of_draws(order, len(self.X_train))
        return augmentation.draw(self._generator(AUGMENTATION), count)[rows]

    def _learning_rate(self, epoch: float) -> float:
        """Return the learning rate at a time, in epochs."""
        return self.learning_rate * self.schedule(epoch, self.num_epochs, self.val_acc_history)

    def _evaluate(self) -> bool:
        """Append both accuracies; keep the best parameters, and return whether these are."""
        state = self.state
        with state.average.lent_to(self.model) if state.average else nullcontext():
            train_acc = self._accuracy(self.X_train, self.y_train, self.num_train_samples,
                                       EVALUATION_BATCH, "y_train")
            val_acc = self._accuracy(self.X_val, self.y_val, self.num_val_samples,
                                     EVALUATION_BATCH, "y_val")
            state.train_acc_history.append(train_acc)
            state.val_acc_history.append(val_acc)
            improved = val_acc > state.best_val_acc
            if improved:
                state.best_val_acc = val_acc
                state.best_epoch = state.epoch
                state.best_params = copies(self.model.params)
                state.best_buffers = copies(buffers_of(self.model))
        return improved
