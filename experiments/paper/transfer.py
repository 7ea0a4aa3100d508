"""Features of a net pre-trained on CIFAR-10 in grayscale: frozen for a linear SVM, and fine-tuned.

    python experiments/paper/transfer.py --cifar cifar-10-binary.tar.gz   15 epochs, 3 seeds: 50 min
    python experiments/paper/transfer.py --checkpoint best.h5             with another trained net
    python experiments/paper/transfer.py --quick                          a smoke test: waves, faces

The net is the paper's. It is pre-trained on 32x32 images; its convolutions are then applied to
48x48 faces, while the affine layers, whose sizes differ, are newly initialized. The input of the
SVM is the output of the last pooling layer; its strength is chosen on validation. --quick uses
images of waves and synthetic faces.
"""
import sys
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    import experiments.paper  # noqa: F401  here, before NumPy

import time
from dataclasses import replace

import numpy as np

from cs231n_fer.analysis.linear_svm import fit_linear_svm
from cs231n_fer.files.checkpoint import load_checkpoint
from cs231n_fer.nets.inference import features
from cs231n_fer.vis_utils import curves
from experiments import flags
from experiments.paper import findings, options
from experiments.paper.cifar import load_cifar10, waves
from experiments.paper.findings import Finding, verdict_on
from experiments.paper.runs import load_trained, make_model, train, train_seeds
from experiments.paper.statistics import (
    accuracy,
    by_epoch,
    explain,
    gain,
    in_percent,
    mean_history,
    percent,
    points,
)

SCRATCH = "from scratch"
TUNED = "fine-tuned"
CIFAR = "CIFAR-10"
WAVES = "waves"
STRENGTHS = (1e-3, 1e-2, 1e-1)


def parse(argv):
    parser = options.parser("transfer", __doc__, epochs=15, seeds=3)
    parser.add_argument("--cifar", type=Path, default=Path("data/cifar-10-binary.tar.gz"),
                        help="CIFAR-10's binary archive, or HDF5 as in cifar.py (default "
                             "data/cifar-10-binary.tar.gz)")
    parser.add_argument("--checkpoint", type=flags.existing,
                        help="checkpoint of a net to use (default: none, pre-train one)")
    parser.add_argument("--pretrain-epochs", type=flags.whole(1),
                        help="number of epochs on CIFAR-10 (default 15; 3 with --quick)")
    return options.begin(parser, argv)


def pretrain(args, base):
    """Return (source, checkpoint, scratch, results) of a pre-trained net.

    source       name of the data or of the checkpoint
    checkpoint   path of the net
    scratch      run of the same net from scratch
    results      list of the result of pre-training, empty with --checkpoint
    """
    if args.checkpoint:
        model = load_checkpoint(args.checkpoint)[1]["model"]
        options_of_faces = {key: value for key, value in model["options"].items()
                            if key not in ("seed", "reg", "input_dim", "num_classes")}
        scratch = replace(base, name="scratch",
                          model={"kind": model["kind"], "options": options_of_faces})
        return args.checkpoint.name, str(args.checkpoint), scratch, []
    pictures = waves() if args.quick else load_cifar10(args.cifar)
    run = options.base_run(args, "pretrained",
                           num_epochs=args.pretrain_epochs or (3 if args.quick else 15))
    run = run.with_model(input_dim=list(pictures["X_train"].shape[1:]),
                         num_classes=len(pictures["class_names"]))
    result = train(run, pictures, args.runs)
    return WAVES if args.quick else CIFAR, result["checkpoint"], base, [result]


def svm(extract, data, quick):
    """Return the result of a linear SVM on extract(X), with the entries that statistics read."""
    start = time.perf_counter()
    train_X = extract(data["X_train"])
    val_X = extract(data["X_val"])
    net = fit_linear_svm(train_X, data["y_train"], STRENGTHS, (val_X, data["y_val"]),
                         len(data["class_names"]), **{"num_steps": 100} if quick else {})
    on_val = net.predict(val_X).argmax(axis=1)
    on_train = net.predict(train_X).argmax(axis=1)
    right = (on_val == data["y_val"]).astype(int)
    return {"val_acc": float(right.mean()), "right": "".join(map(str, right)), "reg": net.reg,
            "train_acc": float(np.mean(on_train == data["y_train"])),
            "seconds": time.perf_counter() - start,
            "parameters": sum(array.size for array in net.params.values())}


def row_of_svm(name, result):
    """Return the row of an SVM under findings.HEADER."""
    return [f"{name}, strength {result['reg']:g}", percent(accuracy([result])), "-",
            f"{100 * result['train_acc']:.1f} %", result["parameters"], "-", "-",
            result["seconds"] / 60]


def conclude(trained, svms, source):
    """Return the findings on {name: results} of nets and {name: result} of SVMs."""
    scratch = trained[SCRATCH]
    frozen = svms[source]
    controls = [name for name in svms if name != source]
    first = scratch[:1]  # an SVM has one seed
    below = gain([frozen], first)
    tuned = gain(trained[TUNED], scratch)
    about_cifar = source in (CIFAR, WAVES)
    others = "; ".join(f"on {name} {percent(accuracy([svms[name]]))}, "
                       f"{points(gain([frozen], [svms[name]]))}" for name in controls)
    return [
        Finding("2: the winner extracts features with a deep net trained on CIFAR-10 and "
                "classifies them with an SVM",
                f"an SVM on features of {source}: {percent(accuracy([frozen]))}, {points(below)} "
                "compared with the net trained from scratch. Accuracy of the same SVM, and the "
                f"gain over it: {others}",
                verdict_on(below, "more") if about_cifar else "not measured", "accuracy"),
        Finding("6: a classifier that uses nets pre-trained on CIFAR-10 is worth a try",
                f"fine-tuned {percent(accuracy(trained[TUNED]))}, from scratch "
                f"{percent(accuracy(scratch))}: {points(tuned)}; after the first epoch "
                f"{100 * early(trained):+.1f} points",
                verdict_on(tuned, "more") if about_cifar else "not measured", "curves")]


def early(trained):
    """Return the gain in accuracy from pre-training after the first epoch."""
    return float(mean_history(trained[TUNED], "val_acc")[0]
                 - mean_history(trained[SCRATCH], "val_acc")[0])


def draw(trained, svms):
    """Return the figures: the best accuracies, and accuracy over epochs."""
    values = {**{f"SVM on {name}": [result] for name, result in svms.items()}, **trained}
    return {"accuracy": curves.plot_intervals(in_percent(values),
                                              title="Pre-training: best accuracy on validation"),
            "curves": curves.plot_curves(by_epoch(trained),
                                         title="Pre-training: accuracy on validation")}


def main(argv=None):
    args, data = parse(argv)
    source, checkpoint, base, pretrained = pretrain(args, options.base_run(args, "final"))
    tuned = replace(base, name="fine-tuned", init=checkpoint)
    trained = {SCRATCH: train_seeds(base, data, args.runs, args.seeds),
               TUNED: train_seeds(tuned, data, args.runs, args.seeds)}
    nets = {source: make_model(tuned), "an untrained net": make_model(base),
            "the net from scratch": load_trained(trained[SCRATCH][0])}
    svms = {"pixels": svm(lambda X: X, data, args.quick)}
    svms |= {name: svm(lambda X, net=net: features(net, X), data, args.quick)
             for name, net in nets.items()}
    rows = [row_of_svm(f"SVM on {name}", result) for name, result in svms.items()]
    rows += [findings.row_of(name, net_results) for name, net_results in trained.items()]
    notes = [explain(args.seeds)]
    if pretrained:
        notes.append(f"{source}: {percent(accuracy(pretrained))} on its own test split after "
                     f"{pretrained[0]['epochs']} epochs.")
    results = [*pretrained, *sum(trained.values(), [])]
    findings.save(args, data, 13, title="Features of a pre-trained net", header=findings.HEADER,
                  rows=rows, findings=conclude(trained, svms, source), figures=draw(trained, svms),
                  results=results,
                  seconds=sum(result["seconds"] for result in [*results, *svms.values()]),
                  notes=notes)


if __name__ == "__main__":
    main()
