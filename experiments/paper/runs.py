"""A training as a value: a Run holds every setting that affects its bits.

train() loads the result of a finished run, resumes an interrupted one or runs a new one. All
experiments share a folder of runs: equal settings on equal data give the same run, whatever its
name. Tables (NETS, LOSSES, AUGMENTATIONS, PREPROCESSING, SAMPLERS, EXTRAS) name the objects that
JSON cannot hold; an experiment that needs another net, loss or option adds an entry.
"""
import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from cs231n_fer.classifiers import MODELS, warm_start
from cs231n_fer.data_utils.augment import (
    BrightnessContrast,
    Compose,
    HorizontalFlip,
    RandomErasing,
    RandomSimilarity,
)
from cs231n_fer.files.checkpoint import load_checkpoint, restore, write_text
from cs231n_fer.layers import l2_svm_loss, softmax_loss, svm_loss
from cs231n_fer.optim import schedules
from cs231n_fer.shapes import check
from cs231n_fer.solver import Recipe, RunFolder, Solver
from cs231n_fer.solver.samplers import Balanced, Shuffle
from cs231n_fer.vis_utils.report import measure

# Kind -> function of options, seed and reg
NETS = {**MODELS}
LOSSES = {"softmax": softmax_loss, "svm": svm_loss, "l2_svm": l2_svm_loss}
# "flip+similarity" applies one after the other, "none" is no augmentation
AUGMENTATIONS = {
    "flip": HorizontalFlip(),
    "similarity": RandomSimilarity(),
    "erasing": RandomErasing(),
    "brightness": BrightnessContrast(),
}
# load_data has already subtracted the mean image and divided by one standard deviation
PREPROCESSING = {"mean_image": lambda data: data,
                 "per_image": lambda data: per_image(data)}
# Name in Run.options -> function of its value that makes the Solver's sampler
SAMPLERS = {"balanced": Balanced}
# Name in Run.options -> function(value, model, data) that returns the (model, data) to train
EXTRAS = {}
# Training faces on which the accuracy is measured, about as many as FER2013's PublicTest has
TRAIN_SAMPLES = 3000


@dataclass(frozen=True)
class Run:
    """The settings of a training, serializable as JSON.

    The defaults are those of the paper (section 4.1), with batchnorm.

    name            of the run's folder; the only setting without effect on the training
    model           {"kind": a name in NETS, "options": its keywords without seed and reg}
    lr_decay        factor of the learning rate after each epoch
    schedule        {"kind": a class in schedules.py, ...fields} that overrides lr_decay, or None
    augmentation    names of AUGMENTATIONS joined by "+", or "none"
    loss            a name in LOSSES
    preprocessing   a name in PREPROCESSING
    init            path of a checkpoint; layers of equal names and shapes start from it. Or None
    options         of single experiments, {a name in EXTRAS or SAMPLERS: its value}
    """

    name: str = "run"
    model: dict = field(default_factory=lambda: {"kind": "FinalConvNet", "options": {
        "num_filters": [32, 64, 96, 128], "hidden_dim": 200, "batchnorm": True}})
    update_rule: str = "adam"
    optim_config: dict = field(default_factory=lambda: {"learning_rate": 0.00127})
    lr_decay: float = 0.95
    schedule: dict | None = None
    batch_size: int = 50
    num_epochs: int = 40
    reg: float = 0.00172
    augmentation: str = "flip"
    loss: str = "softmax"
    preprocessing: str = "mean_image"
    init: str | None = None
    seed: int = 0
    options: dict = field(default_factory=dict)

    def with_model(self, **options):
        """Return a copy of the run with some options of its net replaced."""
        return replace(self, model={**self.model, "options": {**self.model["options"], **options}})

    def with_optim(self, **config):
        """Return a copy of the run with some hyper-parameters of its update rule replaced."""
        return replace(self, optim_config={**self.optim_config, **config})


def entry(table, name, argument):
    """Return table[name]; raises ValueError with the argument and the choices if there is none."""
    check(name in table,
          f"{argument}: got {name!r}, expected one of {', '.join(sorted(table)) or 'none'}")
    return table[name]


def augmentation_of(names):
    """Return the augmentation for names such as "flip+similarity", None for "none"."""
    parts = [entry(AUGMENTATIONS, name, "augmentation") for name in names.split("+")
             if names != "none"]
    return Compose(parts) if len(parts) > 1 else parts[0] if parts else None


def schedule_of(run):
    """Return the learning rate schedule of a run."""
    if run.schedule is None:
        return schedules.Exponential(run.lr_decay)
    kinds = {name: kind for name, kind in vars(schedules).items() if isinstance(kind, type)}
    settings = dict(run.schedule)
    return entry(kinds, settings.pop("kind", None), "schedule")(**settings)


def data_digest(data):
    """Return the SHA-256 of the training and validation faces and labels, 64 hex digits."""
    total = hashlib.sha256()
    for key in ("X_train", "y_train", "X_val", "y_val"):
        total.update(f"{key} {data[key].shape} {data[key].dtype}".encode())
        total.update(np.ascontiguousarray(data[key]))
    return total.hexdigest()


def digest(run, data):
    """Return 8 hex digits that are equal for trainings with the same bits.

    They are a digest of the settings without the name, the checkpoint init and the data.
    """
    settings = {**asdict(run), "augmentation": repr(augmentation_of(run.augmentation)),
                "init": run.init and hashlib.sha256(Path(run.init).read_bytes()).hexdigest()}
    del settings["name"]
    text = json.dumps([settings, data_digest(data)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def run_folder(run, data, folder):
    """Return folder/NAME-DIGEST, or the folder of an equal run with another name."""
    short = digest(run, data)
    return next(iter(sorted(Path(folder).glob(f"*-{short}"))), Path(folder) / f"{run.name}-{short}")


def make_model(run):
    """Return the net of a run with its loss; layers that fit those of init start from them."""
    make = entry(NETS, run.model["kind"], "model")
    model = make(**{**run.model["options"], "seed": run.seed, "reg": run.reg})
    model.loss_function = entry(LOSSES, run.loss, "loss")
    if run.init:
        print(f"{run.name}: {warm_start(model, run.init)}")
    return model


def load_trained(result):
    """Return the net of a result of train() with its best parameters.

    Raises ValueError if the result has no checkpoint.
    """
    settings = Run(**{**result["run"], "init": None})
    check(result["checkpoint"],
          f"{settings.name}: has no checkpoint, its training diverged in the first epoch")
    model = make_model(settings)
    arrays, _ = load_checkpoint(result["checkpoint"])
    restore(model.params, arrays, "params", result["checkpoint"])
    restore(model.buffers, arrays, "buffers", result["checkpoint"])
    return model


def train(run, data, folder, stop=None):
    """Return the result of a run: load it if the run is finished, else train or resume in folder.

    data    dict as returned by load_data
    stop    function of the history so far (a list with a dict for each epoch, as in
            Solver.history); the training stops early when it returns true. A later call with a rule
            that would not have stopped resumes the training.
    Returns a dict with

    run                  the settings
    digest               of digest()
    val_acc, best_epoch  the best validation accuracy and its epoch
    last_val_acc         validation accuracy after the last epoch
    train_acc            training accuracy after the best epoch
    epochs               number of epochs trained
    stopped              whether `stop` ended the training
    diverged             None, or the message of the solver
    history              list with a dict for each epoch
    seconds              training time
    images_per_second    median over epochs
    parameters           number of parameters
    flops                of a forward pass of one image
    per_class, confusion, right   of the best epoch; right has a 0 or 1 for each validation face
    checkpoint           path of best.h5, None if no epoch was completed
    """
    path = run_folder(run, data, folder)
    if (path / "result.json").exists():
        result = json.loads((path / "result.json").read_text(encoding="utf-8"))
        if not result["stopped"] or stop and stop(result["history"]):
            return located(result, path)
    data = entry(PREPROCESSING, run.preprocessing, "preprocessing")(data)
    model = make_model(run)
    for name, value in run.options.items():
        if name not in SAMPLERS:
            model, data = entry(EXTRAS, name, "options")(value, model, data)
    path.mkdir(parents=True, exist_ok=True)
    write_text(path / "run.json", json.dumps(asdict(run), indent=2) + "\n")
    print(f"training {path.name}", flush=True)
    solver = make_solver(run, model, data, path, stop)
    diverged = None
    try:
        solver.train()
    except FloatingPointError as error:
        diverged = str(error)
        solver.restore_best()
    measured, scores = measure(solver, data)
    right = (scores.argmax(axis=1) == data["y_val"]).astype(int)
    result = {"run": asdict(run), "digest": path.name[-8:], **measured,
              "seconds": round(sum(row["seconds"] for row in solver.history), 3),
              "last_val_acc": solver.val_acc_history[-1],
              "train_acc": solver.train_acc_history[solver.best_epoch],
              "flops": model.layer.flops(model.input_shape),
              "stopped": not diverged and solver.epoch < run.num_epochs, "diverged": diverged,
              "right": "".join(map(str, right)), "history": solver.history}
    write_text(path / "result.json", json.dumps(result, indent=1) + "\n")
    return located(result, path)


def train_seeds(run, data, folder, seeds):
    """Return the results of a run for seeds 0 to seeds - 1."""
    return [train(replace(run, seed=seed), data, folder) for seed in range(seeds)]


def located(result, path):
    """Return a copy of a result with the path of its checkpoint, None if there is none."""
    return {**result, "checkpoint": str(path / "best.h5") if (path / "best.h5").exists() else None}


def make_solver(run, model, data, path, stop):
    """Return the Solver of a run, which resumes from path/last.h5 if it exists."""
    info = {"model": {**run.model,
                      "options": {**run.model["options"], "seed": run.seed, "reg": run.reg}},
            "run": asdict(run), "class_names": list(data["class_names"]), "std": data["std"]}
    samplers = [SAMPLERS[name](value) for name, value in run.options.items() if name in SAMPLERS]
    recipe = Recipe(augmentation=augmentation_of(run.augmentation), schedule=schedule_of(run),
                    sampler=samplers[0] if samplers else Shuffle(), stop=stop)
    folder = RunFolder(path, resume=True, info=info, info_arrays={"mean_image": data["mean_image"]})
    return Solver(model, data, update_rule=run.update_rule, optim_config=run.optim_config,
                  batch_size=run.batch_size, num_epochs=run.num_epochs,
                  num_train_samples=TRAIN_SAMPLES, seed=run.seed, recipe=recipe, folder=folder)


def per_image(data):
    """Return the data with standardized faces, then standardized pixels (Tang 2013).

    Pixels are standardized with the statistics of the training faces. A constant face becomes zeros
    in the first step.
    """
    new = dict(data)
    for key in [key for key in ("X_train", "X_val", "X_test") if key in data]:
        pixels = data[key] * np.float32(data["std"]) + data["mean_image"]
        pixels -= pixels.mean(axis=(2, 3), keepdims=True)
        deviation = pixels.std(axis=(2, 3), keepdims=True)
        # A deviation below half a gray level is rounding, not a face
        new[key] = pixels / np.where(deviation > 0.5, deviation, 1)
    mean = new["X_train"].mean(axis=0)
    deviation = new["X_train"].std(axis=0)
    for key in [key for key in ("X_train", "X_val", "X_test") if key in data]:
        new[key] = (new[key] - mean) / np.where(deviation > 0, deviation, 1)
    return new
