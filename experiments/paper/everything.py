"""The paper's architecture with later methods: augmentation, schedule, averaged weights, a teacher.

    python experiments/train_best.py                 first: trains the teacher, runs/best/best.h5
    python experiments/paper/everything.py           40 epochs, 3 seeds: about an hour on 2 cores
    python experiments/paper/everything.py --quick   a smoke test on synthetic faces, no teacher

The layers are those of the final net with batchnorm, the recipe is that of train_best.py. It is
compared with the paper's own recipe. An interrupted training resumes from its folder,
runs/paper/everything-...
"""
import sys
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    import experiments.paper  # noqa: F401  here, before NumPy

import hashlib
import json

from cs231n_fer.classifiers import load_model
from cs231n_fer.files.checkpoint import load_checkpoint
from cs231n_fer.shapes import check
from cs231n_fer.vis_utils import curves
from experiments import flags, train_best
from experiments.paper import findings, options
from experiments.paper.findings import Finding, verdict_on
from experiments.paper.runs import data_digest, located, train_seeds
from experiments.paper.statistics import accuracy, by_epoch, gain, in_percent, percent, points

PAPER = 0.607
EVERYTHING = "all later methods"
RECIPE = "the paper's recipe"


def parse(argv):
    parser = options.parser("everything", __doc__, seeds=3)
    parser.add_argument("--teacher", type=flags.existing,
                        help="checkpoint to learn from (default runs/best/best.h5)")
    args, data = options.begin(parser, argv)
    args.teacher = args.teacher or (None if args.quick
                                    else options.ROOT / "runs" / "best" / "best.h5")
    check(args.teacher is None or args.teacher.exists(),
          f"--teacher: {args.teacher} does not exist; python experiments/train_best.py makes it")
    return args, data


def arguments(args, base):
    """Return the arguments with which train_best.py trains the net of a base run.

    Data, seed and folders are left out.
    """
    net = base.model["options"]
    found = ["--blocks", *map(str, net["num_filters"]), "--hidden-dim", str(net["hidden_dim"]),
             "--dropout-keep", "0.7", "--epochs", str(args.epochs),
             "--warmup-epochs", str(args.epochs / 20)]
    return found + (["--teacher", str(args.teacher)] if args.teacher else [])


def folder_of(args, words, data):
    """Return the folder of the trainings with these arguments.

    Its name has a digest of the recipe, the teacher and the faces.
    """
    teacher = hashlib.sha256(args.teacher.read_bytes()).hexdigest() if args.teacher else ""
    text = json.dumps([words[:-2] if teacher else words, teacher, data_digest(data)])
    return args.runs / f"everything-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def train(args, words, seed, data):
    """Return the result of train_best.py with a seed, in the form of runs.train.

    A finished training is loaded, not repeated.
    """
    folder = folder_of(args, words, data) / str(seed)
    if not (folder / "metrics.json").exists():
        command = [*words, "--data", data["source"], "--seed", str(seed), "--out", str(folder)]
        command += ["--resume"] if (folder / "last.h5").exists() else []
        train_best.train(train_best.make_parser().parse_args(command), data)
    return result_of(folder, data)


def result_of(folder, data):
    """Return the outcome of train_best.py in a folder, in the form of runs.train."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    _, state = load_checkpoint(folder / "last.h5")
    model, _ = load_model(folder / "best.h5")
    right = (model.predict(data["X_val"]).argmax(axis=1) == data["y_val"]).astype(int)
    return located({**metrics, "run": {"name": EVERYTHING, **config, "init": None},
                    "digest": folder.parent.name[-8:],
                    "right": "".join(map(str, right)), "history": state["history"],
                    "stopped": False, "diverged": None,
                    "train_acc": state["train_acc_history"][metrics["best_epoch"]],
                    "last_val_acc": state["val_acc_history"][-1],
                    "flops": model.layer.flops(model.input_shape)}, folder)


def conclude(results):
    """Return the findings on {name: results}."""
    ours = accuracy(results[EVERYTHING])
    more = gain(results[EVERYTHING], results[RECIPE])
    mirrored = sum(result["val_acc_with_mirror"]
                   for result in results[EVERYTHING]) / len(results[EVERYTHING])
    return [
        Finding("Abstract, 5: a convolutional network of four blocks reaches 60.7 % on validation",
                f"{results[EVERYTHING][0]['parameters']:,} parameters reach {percent(ours)} with "
                f"all later methods, {100 * mirrored:.1f} % with mirror images; the paper's recipe "
                f"{percent(accuracy(results[RECIPE]))}",
                "refined" if ours[1] > PAPER else "refuted", "accuracy"),
        Finding("6: there is room for improvement",
                f"augmentation, schedule, averaged weights and a teacher add {points(more)} with "
                "the same layers",
                verdict_on(more, "more"), "curves")]


def main(argv=None):
    args, data = parse(argv)
    base = options.base_run(args, "final")
    words = arguments(args, base)
    results = {RECIPE: train_seeds(base, data, args.runs, args.seeds),
               EVERYTHING: [train(args, words, seed, data) for seed in range(args.seeds)]}
    figures = {"accuracy": curves.plot_intervals(in_percent(results),
                                                 title="The same layers: accuracy on validation"),
               "curves": curves.plot_curves(by_epoch(results),
                                            title="The same layers: accuracy on validation")}
    findings.save_nets(args, data, 16, title="The paper's net with all later methods", nets=results,
                       findings=conclude(results), figures=figures)


if __name__ == "__main__":
    main()
