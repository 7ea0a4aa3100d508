"""Solver: trains any model that has params and loss(X, y); the course's keywords, and a run that can be interrupted.

A run is a function of its settings: the order of the samples and their augmentation depend only on (seed, epoch,
sample), so a run that is resumed from a checkpoint ends with the same bits as one that was never interrupted.
"""
import difflib
import inspect
import math
import sys
import time
import zlib
from contextlib import nullcontext
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ..arrays.copying import Independent
from ..arrays.flat import Flat, flattened
from ..optim import DEFAULTS, UPDATE_RULES, check_config
from ..optim.schedules import Exponential
from ..shapes import check
from .averaging import WeightAverage, copies
from .diagnosis import finite, origin
from .fingerprint import fingerprint
from .interrupts import interrupts_noted
from .run_folder import resume_run, save_epoch, save_last
from .samplers import Shuffle

ORDER, AUGMENTATION, TRAIN_SUBSET = range(3)
JUDGED = 256  # samples at a time after an epoch: a tenth faster than 100


def like(layout, values):
    """Copy values into a new array with the shape, dtype and memory layout of another (HDF5 only keeps C order)."""
    copy = np.empty_like(layout)
    copy[...] = values
    return copy


def _suggest(keyword):
    near = difflib.get_close_matches(keyword, inspect.signature(Solver).parameters, n=1)
    return repr(keyword) + (f" (did you mean {near[0]!r}?)" if near else "")


def _check_data(data):
    for split in ("train", "val"):
        missing = [key for key in (f"X_{split}", f"y_{split}") if key not in data]
        check(not missing, f"data: has no {' and '.join(missing)}, expected X_train, y_train, X_val and y_val")
        X, y = data[f"X_{split}"], data[f"y_{split}"]
        check(len(X) == len(y) > 0, f"data: X_{split} has {len(X)} samples and y_{split} {len(y)} labels, "
                                    "expected as many of both, at least 1")


class Solver(Independent):
    """Train a model on data by stochastic gradient descent or one of its relatives.

    model   has params (dict of arrays), loss(X, y) -> (loss, grads), loss(X) -> scores; may have buffers and rng
    data    {"X_train", "y_train", "X_val", "y_val"}: images (N, ...) and integer labels (N,)

    Keywords of the course:
    update_rule         name of a rule in optim/rules.py
    optim_config        its hyper-parameters, {"learning_rate": ...}
    lr_decay            factor on the learning rate after each epoch
    batch_size          samples in a step; the batches of an epoch differ by at most one sample
    num_epochs          each uses every training sample exactly once, unless a sampler says otherwise
    num_train_samples   random training samples on which the training accuracy is measured; None means all
    num_val_samples     the same for validation; both are drawn anew after each epoch
    print_every         steps between updates of the shown loss
    verbose             show progress
    checkpoint_name     if given, also write NAME_epoch_E.h5 after each epoch E

    Beyond the course:
    seed                of the order of samples and of the augmentation
    augmentation        of data_utils/augment.py, applied to each training batch
    schedule            of optim/schedules.py; overrides lr_decay
    sampler             which samples an epoch shows: order(rng, labels) -> indices, see samplers.py; default Shuffle()
    average_decay       in [0, 1), e.g. 0.999: judge and keep a running average of the weights (averaging.py) in place
                        of the weights themselves; 0: no average
    checkpoint_dir      folder for the files of run_folder.py, written after each epoch and at a keyboard interrupt
    resume              go on from checkpoint_dir/last.h5 where there is one; only num_epochs may have
                        changed: other data, another net or other settings (see fingerprint.py)
                        are refused
    stop                function of the history (a list of one dict an epoch, as in history.csv); asked after each
                        epoch, true ends the training
    keep                "best": train() leaves the parameters that were best on validation in the model; "last": those
                        of the last epoch
    info                JSON-able dict kept in every checkpoint; info_arrays the same for arrays

    Results: loss_history (each step), train_acc_history and val_acc_history (before training and after each epoch),
    best_params, best_val_acc, best_epoch.
    Raises ValueError for an unknown keyword, a value out of range, or a checkpoint of another run.

    A run that diverges ends with a FloatingPointError that says where it began; the first Ctrl-C ends the step, saves
    and says how to go on, a second one breaks off at once.
    """

    def __init__(self, model, data, *, update_rule="sgd", optim_config=None, lr_decay=1.0, batch_size=100,
                 num_epochs=10, num_train_samples=1000, num_val_samples=None, print_every=10, verbose=True,
                 checkpoint_name=None, seed=0, augmentation=None, schedule=None, sampler=None, average_decay=0.0,
                 checkpoint_dir=None, resume=False, stop=None, keep="best", info=None, info_arrays=None, **unknown):
        check(not unknown, f"Solver: no keyword {', '.join(map(_suggest, unknown))}")
        check_config(update_rule, optim_config or {})
        for name, value, least in (("batch_size", batch_size, 1), ("num_epochs", num_epochs, 0),
                                   ("print_every", print_every, 1), ("num_train_samples", num_train_samples, 1),
                                   ("num_val_samples", num_val_samples, 1), ("seed", seed, 0)):
            check(value is None and name.endswith("samples") or isinstance(value, int | np.integer) and value >= least,
                  f"{name}: got {value!r}, expected an int of at least {least}")
        check(0 <= average_decay < 1, f"average_decay: got {average_decay!r}, expected a number in [0, 1)")
        check(keep in ("best", "last"), f"keep: got {keep!r}, expected 'best' or 'last'")
        check(not resume or checkpoint_dir, "resume: needs checkpoint_dir, the folder of the run to go on with")
        _check_data(data)
        self.model, self.update_rule = model, UPDATE_RULES[update_rule]
        self.X_train, self.y_train = data["X_train"], data["y_train"]
        self.X_val, self.y_val = data["X_val"], data["y_val"]
        self.batch_size, self.num_epochs = batch_size, num_epochs
        self.num_train_samples, self.num_val_samples = num_train_samples, num_val_samples
        self.print_every, self.verbose, self.checkpoint_name = print_every, verbose, checkpoint_name
        self.seed, self.augmentation, self.stop, self.keep = seed, augmentation, stop, keep
        self.schedule, self.sampler = schedule or Exponential(lr_decay), sampler or Shuffle()
        self.average = WeightAverage(model, average_decay) if average_decay else None
        self.checkpoint_dir = Path(checkpoint_dir) if checkpoint_dir else None
        self.info, self.info_arrays = info or {}, info_arrays or {}
        settings = {**DEFAULTS[update_rule], **(optim_config or {})}
        self.learning_rate = settings["learning_rate"]
        self.optim_config, self._flat = dict(settings), None
        # What decides the bits of a run, for resume; earlier checkpoints hold no fingerprint.
        self.settings = {"seed": seed, "update_rule": update_rule, "optim_config": settings, "batch_size": batch_size,
                         "num_train_samples": num_train_samples, "num_val_samples": num_val_samples,
                         "schedule": repr(self.schedule), "augmentation": repr(augmentation),
                         "sampler": repr(self.sampler),
                         "average_decay": average_decay or None,  # None: what older checkpoints don't hold
                         "training_labels": zlib.crc32(np.asarray(self.y_train, np.int64).tobytes())}
        self.fingerprint = fingerprint(self) if checkpoint_dir else {}
        self._reset()
        if resume:
            resume_run(self)

    def __getstate__(self):
        """The state of the update rule goes by the names of the parameters, whose memory orders a copy may not keep."""
        return {**self.__dict__, "optim_config": self.rule_state(), "_flat": None}

    def __setstate__(self, state):
        self.__dict__.update(state)
        if any(isinstance(value, Flat) for value in self.optim_config.values()):
            self._flat = self._flat_params()

    def rule_state(self):
        """Return optim_config with each array as a Flat, by the names of the parameters."""
        like = self._flat or self.model.params
        return {key: Flat(like, value) if isinstance(value, np.ndarray) else value
                for key, value in self.optim_config.items()}

    def _flat_params(self):
        """Return the parameters as a Flat; the state of the update rule gets its order."""
        if self._flat and self._flat.holds(self.model.params):
            return self._flat
        flat = flattened(self.model.params)
        self.optim_config = {key: flattened(value, flat).numbers if isinstance(value, Flat) else value
                             for key, value in self.rule_state().items()}
        return flat

    def _reset(self):
        self.epoch, self.step = 0, 0  # whole epochs done, and steps of the one that has begun
        self.saved_epoch, self._interrupts = None, []
        self.best_val_acc, self.best_epoch, self.best_params, self.best_buffers = -1.0, 0, {}, {}
        self.loss_history, self.train_acc_history, self.val_acc_history, self.history = [], [], [], []

    def train(self):
        """Train to num_epochs; then give the model the parameters that keep names."""
        with interrupts_noted() as self._interrupts:
            if not self.val_acc_history:
                self._evaluate()
            while self.epoch < self.num_epochs and not (self.stop and self.history and self.stop(self.history)):
                self._train_epoch()
            self._heed_interrupt()
        if self.keep == "best":
            self.restore_best()

    def restore_best(self):
        """Give the model its best parameters so far (by validation accuracy)."""
        for name, array in self.best_params.items():
            self.model.params[name] = like(self.model.params[name], array)
        for name, array in self.best_buffers.items():
            self.model.buffers[name][...] = array

    def check_accuracy(self, X, y, num_samples=None, batch_size=100):
        """Return the fraction of samples whose highest score is their label; of num_samples random ones if given."""
        check(len(X) == len(y) > 0, f"X, y: got {len(X)} samples and {len(y)} labels, expected as many, at least 1")
        if num_samples is not None and num_samples < len(X):
            chosen = self._generator(TRAIN_SUBSET).choice(len(X), num_samples, replace=False)
            X, y = X[chosen], y[chosen]
        predicted = [np.argmax(self.model.loss(X[i:i + batch_size]), axis=1) for i in range(0, len(X), batch_size)]
        return float(np.mean(np.concatenate(predicted) == y))

    def _generator(self, purpose):
        return np.random.default_rng([self.seed, self.epoch, purpose])

    def _train_epoch(self):
        start, learning_rate, order = time.perf_counter(), self._learning_rate(self.epoch), self._order()
        first_step, done = len(self.loss_history) - self.step, self.step
        # Batches of nearly equal size: a last batch of one sample would give batchnorm nothing to normalise.
        steps = -(-len(order) // self.batch_size)
        draws = np.array_split(self._draws(order), steps) if self.augmentation else [None] * steps
        with self._progress(steps) as bar:
            bar.update(done)
            for i, chosen in enumerate(np.array_split(order, steps)[done:], start=done):
                self._heed_interrupt()
                self._step(chosen, draws[i], self.epoch + i / steps)
                self.step = i + 1
                if i % self.print_every == 0:
                    bar.set_postfix_str(f"loss {self.loss_history[-1]:.4f}", refresh=False)
                bar.update()
            seconds = time.perf_counter() - start
            if not finite(self.model.params):  # the last update spoiled them: no checkpoint of that
                self._diverged("weights: became infinite or NaN", learning_rate, "the update of this step", step=0)
            self.epoch, self.step = self.epoch + 1, 0
            improved = self._evaluate()
            self.history.append({
                "epoch": self.epoch, "loss": float(np.mean(self.loss_history[first_step:])),
                "train_acc": self.train_acc_history[-1], "val_acc": self.val_acc_history[-1],
                "learning_rate": learning_rate, "seconds": round(seconds, 3),
                "images_per_second": round(len(order) * (1 - done / steps) / seconds, 1)})
            bar.set_postfix_str(self._epoch_line(time.perf_counter() - start), refresh=False)
        save_epoch(self, improved)

    def _heed_interrupt(self):
        """After a Ctrl-C save what is done, say how to go on, and end."""
        if self._interrupts:
            where = f"interrupted in epoch {self.epoch + 1} of {self.num_epochs}, after {self.step} of its steps"
            if not self.checkpoint_dir:
                raise KeyboardInterrupt(f"{where}; nothing is saved, as there is no checkpoint_dir")
            save_last(self)
            raise KeyboardInterrupt(f"{where}; saved in {self.checkpoint_dir}: the same run with resume goes on there")

    def _order(self):
        """Return the samples of an epoch as the sampler orders them, after a check."""
        order, N = np.asarray(self.sampler.order(self._generator(ORDER), self.y_train)), len(self.X_train)
        check(order.ndim == 1 and len(order) > 0 and order.dtype.kind in "iu" and 0 <= order.min() <= order.max() < N,
              f"sampler: {self.sampler} gave {order.dtype} {order.shape}, expected indices from 0 to {N - 1}, "
              "at least one")
        return order

    def _draws(self, order):
        """Return the draws of the augmentation for each place of the order.

        A sample has a row of its own; each time that it comes again in the epoch, a fresh one.
        """
        rows, N = order.copy(), len(self.X_train)
        again = np.ones(len(order), bool)
        again[np.unique(order, return_index=True)[1]] = False
        rows[again] = N + np.arange(again.sum())
        return self.augmentation.draw(self._generator(AUGMENTATION), N + again.sum())[rows]

    def _step(self, chosen, draws, epoch):
        X = self.X_train[chosen]
        if self.augmentation:
            X = self.augmentation.apply(X, draws)
        y, rng, learning_rate = self.y_train[chosen], getattr(self.model, "rng", None), self._learning_rate(epoch)
        masks = rng.bit_generator.state if rng else None
        loss, grads = self.model.loss(X, y)
        if not math.isfinite(loss):
            self._diverged(f"loss: became {loss}", learning_rate, origin(self.model, X, y, masks))
        if not finite(grads):
            self._diverged("gradient: became infinite or NaN", learning_rate, origin(self.model, X, y, masks))
        self.loss_history.append(float(loss))
        self._update(grads, learning_rate)
        if self.average:
            self.average.follow(self.model, len(self.loss_history))

    def _diverged(self, what, learning_rate, began, step=1):
        saved = "none" if self.saved_epoch is None else f"last.h5, of epoch {self.saved_epoch}"
        raise FloatingPointError(
            f"{what} in epoch {self.epoch + 1}, step {len(self.loss_history) + step}, at learning rate "
            f"{learning_rate:g}; it began in {began}; last good checkpoint: {saved}; train with a lower learning rate")

    def _update(self, grads, learning_rate):
        """Apply the rule to all parameters at once; they become views of one flat array."""
        params = self._flat_params()
        numbers, self.optim_config = self.update_rule(
            params.numbers, flattened(grads, params).numbers, {**self.optim_config, "learning_rate": learning_rate})
        self._flat = Flat(params, numbers)
        self.model.params.update(self._flat)

    def _learning_rate(self, epoch):
        return self.learning_rate * self.schedule(epoch, self.num_epochs, self.val_acc_history)

    def _evaluate(self):
        """Append both accuracies; keep the parameters if they are the best so far, and say whether they are."""
        with self.average.lent_to(self.model) if self.average else nullcontext():
            self.train_acc_history.append(
                self.check_accuracy(self.X_train, self.y_train, self.num_train_samples, JUDGED))
            self.val_acc_history.append(self.check_accuracy(self.X_val, self.y_val, self.num_val_samples, JUDGED))
            improved = self.val_acc_history[-1] > self.best_val_acc
            if improved:
                self.best_val_acc, self.best_epoch = self.val_acc_history[-1], self.epoch
                self.best_params, self.best_buffers = copies(self.model.params), copies(self._buffers())
        return improved

    def _buffers(self):
        return getattr(self.model, "buffers", {})

    def _progress(self, steps):
        interval = 0.1 if sys.stderr.isatty() else 30
        return tqdm(total=steps, desc=f"epoch {self.epoch + 1:2}/{self.num_epochs}", disable=not self.verbose,
                    mininterval=interval, bar_format="{desc} {percentage:3.0f}% {elapsed}{postfix}")

    def _epoch_line(self, seconds):
        row, left = self.history[-1], (self.num_epochs - self.epoch) * seconds
        return (f"loss {row['loss']:.4f}  train {row['train_acc']:.4f}  val {row['val_acc']:.4f}  "
                f"{row['images_per_second']:.0f} images/s  left {int(left // 60)}:{int(left % 60):02}")
