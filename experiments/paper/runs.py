"""A training as a value: a Run holds every setting that decides its bits, train() finds it, resumes
it or does it.

A folder of runs is shared by all experiments: whoever asks for the same settings on the same data
gets the run that is there, whatever its name. Tables (NETS, LOSSES, AUGMENTATIONS, PREPROCESSING,
EXTRAS) give names to what JSON can't hold; an experiment that needs another net, loss or option
adds a line to its table.
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

NETS = {**MODELS}  # kind -> function of options, seed and reg
LOSSES = {"softmax": softmax_loss, "svm": svm_loss, "l2_svm": l2_svm_loss}
AUGMENTATIONS = {
    "flip": HorizontalFlip(),
    "similarity": RandomSimilarity(),
    "erasing": RandomErasing(),
    "brightness": BrightnessContrast(),
}  # "flip+similarity" is one after the other, "none" is none
# What load_data did: the mean image off, one deviation for all
PREPROCESSING = {"mean_image": lambda data: data,
                 "per_image": lambda data: per_image(data)}
# Name in Run.options -> function of its value that makes the Solver's sampler
SAMPLERS = {"balanced": Balanced}
# Name in Run.options -> function(value, model, data) -> (model, data) that are trained instead
EXTRAS = {}
# On which the training accuracy is measured: about as many as FER2013's PublicTest has
TRAIN_SAMPLES = 3000


@dataclass(frozen=True)
class Run:
    """The settings of one training, all of them JSON-able; the defaults are the paper's (section
    4.1) with batchnorm.

    name            of its folder, the one setting that decides nothing
    model           {"kind": a name in NETS, "options": its keywords without seed and reg}
    lr_decay        factor after each epoch; schedule {"kind": a class in schedules.py, ...fields}
                    overrides it
    augmentation    names of AUGMENTATIONS joined by "+", or "none"
    loss            a name in LOSSES
    preprocessing   a name in PREPROCESSING
    init            checkpoint whose layers of equal name and shapes the training starts from, or
                    None
    options         what other experiments need, {a name in EXTRAS or SAMPLERS: its value}
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
        """Return the run with these options of its net changed."""
        return replace(self, model={**self.model, "options": {**self.model["options"], **options}})

    def with_optim(self, **config):
        """Return the run with these hyper-parameters of its update rule changed."""
        return replace(self, optim_config={**self.optim_config, **config})


def entry(table, name, argument):
    """Return table[name]; raises ValueError naming the argument and the choices."""
    check(name in table,
          f"{argument}: got {name!r}, expected one of {', '.join(sorted(table)) or 'none'}")
    return table[name]


def augmentation_of(names):
    """Return the augmentation of "flip+similarity", None for "none"."""
    parts = [entry(AUGMENTATIONS, name, "augmentation") for name in names.split("+")
             if names != "none"]
    return Compose(parts) if len(parts) > 1 else parts[0] if parts else None


def schedule_of(run):
    """Return the schedule of a run."""
    if run.schedule is None:
        return schedules.Exponential(run.lr_decay)
    kinds = {name: kind for name, kind in vars(schedules).items() if isinstance(kind, type)}
    settings = dict(run.schedule)
    return entry(kinds, settings.pop("kind", None), "schedule")(**settings)


def data_digest(data):
    """Return the sha256 of the faces and labels, training and validation, as 64 hex digits."""
    total = hashlib.sha256()
    for key in ("X_train", "y_train", "X_val", "y_val"):
        total.update(f"{key} {data[key].shape} {data[key].dtype}".encode())
        total.update(np.ascontiguousarray(data[key]))
    return total.hexdigest()


def digest(run, data):
    """Return 8 hex digits of the settings and of the data's sha256: equal where the training has
    the same bits."""
    settings = {**asdict(run), "augmentation": repr(augmentation_of(run.augmentation)),
                "init": run.init and hashlib.sha256(Path(run.init).read_bytes()).hexdigest()}
    del settings["name"]
    text = json.dumps([settings, data_digest(data)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def run_folder(run, data, folder):
    """Return folder/NAME-DIGEST, or the folder of an equal run that has another name."""
    short = digest(run, data)
    return next(iter(sorted(Path(folder).glob(f"*-{short}"))), Path(folder) / f"{run.name}-{short}")


def make_model(run):
    """Build the net of a run, with its loss and with the layers of init where they fit."""
    make = entry(NETS, run.model["kind"], "model")
    model = make(**{**run.model["options"], "seed": run.seed, "reg": run.reg})
    model.loss_function = entry(LOSSES, run.loss, "loss")
    if run.init:
        print(f"{run.name}: {warm_start(model, run.init)}")
    return model


def load_trained(result):
    """Return the net of a train() result with its best parameters."""
    settings = Run(**{**result["run"], "init": None})
    check(result["checkpoint"],
          f"{settings.name}: has no checkpoint, its training diverged in the first epoch")
    model, (arrays, _) = make_model(settings), load_checkpoint(result["checkpoint"])
    restore(model.params, arrays, "params", result["checkpoint"])
    restore(model.buffers, arrays, "buffers", result["checkpoint"])
    return model


def train(run, data, folder, stop=None):
    """Return what became of a run: the stored result of a finished one at once, else train, or go
    on, in folder.

    data    as load_data gives it
    stop    function of the history so far (a list of one dict an epoch, as Solver.history); true
            ends a hopeless run. Whoever asks again with a rule that would not have stopped gets the
            rest of the training.
    Returns a dict: run (settings), digest, val_acc and best_epoch (the best on validation),
    last_val_acc, train_acc of the best epoch, epochs (done), stopped, diverged (None or what the
    solver said), history (a dict an epoch), seconds, images_per_second (median), parameters, flops
    (forward, one image); of the best epoch per_class, confusion, right (a text of a 0 or 1 for each
    validation face) and checkpoint (path of best.h5, None if no epoch ended).
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
    solver, diverged = make_solver(run, model, data, path, stop), None
    try:
        solver.train()
    except FloatingPointError as error:
        diverged = str(error)
        solver.restore_best()
    measured, scores = measure(solver, data)
    result = {"run": asdict(run), "digest": path.name[-8:], **measured,
              "seconds": round(sum(row["seconds"] for row in solver.history), 3),
              "last_val_acc": solver.val_acc_history[-1],
              "train_acc": solver.train_acc_history[solver.best_epoch],
              "flops": model.layer.flops(model.input_shape),
              "stopped": not diverged and solver.epoch < run.num_epochs, "diverged": diverged,
              "right": "".join(map(str, (scores.argmax(axis=1) == data["y_val"]).astype(int))),
              "history": solver.history}
    write_text(path / "result.json", json.dumps(result, indent=1) + "\n")
    return located(result, path)


def train_seeds(run, data, folder, seeds):
    """Return the results of a run for seeds 0 to seeds - 1."""
    return [train(replace(run, seed=seed), data, folder) for seed in range(seeds)]


def located(result, path):
    """Return a result with the path of its checkpoint."""
    return {**result, "checkpoint": str(path / "best.h5") if (path / "best.h5").exists() else None}


def make_solver(run, model, data, path, stop):
    """Return the Solver of a run, which goes on from path/last.h5 where there is one."""
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
    """Standardise each face, then each pixel over the training faces (Tang 2013); a constant face
    becomes zeros."""
    new = dict(data)
    for key in [key for key in ("X_train", "X_val", "X_test") if key in data]:
        pixels = data[key] * np.float32(data["std"]) + data["mean_image"]
        pixels -= pixels.mean(axis=(2, 3), keepdims=True)
        deviation = pixels.std(axis=(2, 3), keepdims=True)
        # Half a grey level: rounding, not a face
        new[key] = pixels / np.where(deviation > 0.5, deviation, 1)
    mean, deviation = new["X_train"].mean(axis=0), new["X_train"].std(axis=0)
    for key in [key for key in ("X_train", "X_val", "X_test") if key in data]:
        new[key] = (new[key] - mean) / np.where(deviation > 0, deviation, 1)
    return new
