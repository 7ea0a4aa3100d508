"""EMPATH (Dailey et al. 2002): Gabor filters, principal components and a small net.

    python experiments/paper/empath.py --data fer2013.h5   2 minutes, and 20 to train the final net
    python experiments/paper/empath.py --quick             a smoke test on synthetic faces

EMPATH is compared with the same net on as many principal components of the pixels (the effect of
the filters), with EMPATH without its hidden layer, with four times the components, and with the
paper's final net, a convolutional net that learns its filters.
"""
import sys
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    import experiments.paper  # noqa: F401  here, before NumPy

import time

import numpy as np

from cs231n_fer.analysis import empath
from cs231n_fer.vis_utils import curves
from experiments.paper import findings, options
from experiments.paper.findings import Finding, verdict_on
from experiments.paper.gabor_figures import draw_components, draw_filters
from experiments.paper.runs import Run, train_seeds
from experiments.paper.statistics import accuracy, explain, gain, in_percent, percent, points

EMPATH = "EMPATH"
PIXELS = "pixels instead of filters"
LINEAR = "no hidden layer"
WIDE = "4 times the components"
CONV = "final conv net"
HIDDEN = 100


def small_run(args, name, num_components, hidden_dims):
    """Return the run of a small softmax net on projections."""
    model = {"kind": "FullyConnectedNet",
             "options": {"hidden_dims": hidden_dims, "input_dim": num_components,
                         "num_classes": 7, "weight_scale": 0.05}}
    return Run(name=f"empath-{name}", model=model, optim_config={"learning_rate": 1e-3}, reg=1e-3,
               batch_size=100, schedule={"kind": "CosineWarmup", "warmup_epochs": 0},
               num_epochs=args.epochs, augmentation="none")


def with_features(data, extract):
    """Return the data with the faces of every split replaced by extract(faces)."""
    return {**data, **{key: extract(data[key]) for key in ("X_train", "X_val")}}


def flat(faces):
    """Return faces (N, 1, H, W) as rows of pixels, (N, H * W)."""
    return faces.reshape(len(faces), -1)


def project(data, bank):
    """Return (gabor, pixels, pca): the data with two kinds of projections instead of faces.

    gabor    on 4 * COMPONENTS principal components of the filters' magnitudes
    pixels   on COMPONENTS principal components of the pixels
    pca      of the magnitudes
    """
    pca = empath.fit_embedding(data["X_train"], bank, 4 * empath.COMPONENTS)
    pca_of_pixels = empath.fit_pca(empath.in_batches(data["X_train"], flat), empath.COMPONENTS)

    def of_pixels(faces):
        def projections(batch):
            return empath.project(flat(batch), pca_of_pixels)

        return np.concatenate(list(empath.in_batches(faces, projections)))

    gabor = with_features(data, lambda faces: empath.embed(faces, bank, pca))
    return gabor, with_features(data, of_pixels), pca


def train_all(args, data, gabor, pixels):
    """Return {net: results}; gabor and pixels are those of project()."""
    K = empath.COMPONENTS
    first = with_features(gabor, lambda features: np.ascontiguousarray(features[:, :K]))
    nets = {EMPATH: (first, K, [HIDDEN]), PIXELS: (pixels, K, [HIDDEN]), LINEAR: (first, K, []),
            WIDE: (gabor, 4 * K, [HIDDEN])}
    results = {name: train_seeds(small_run(args, name.replace(" ", "-"), size, hidden), features,
                                 args.runs, args.seeds)
               for name, (features, size, hidden) in nets.items()}
    return {**results,
            CONV: train_seeds(options.base_run(args, "final"), data, args.runs, args.seeds)}


def conclude(results, pca):
    """Return the findings on {net: results}."""
    ours = results[EMPATH]
    filters = gain(ours, results[PIXELS])
    hidden = gain(ours, results[LINEAR])
    more = gain(results[WIDE], ours)
    learned = gain(results[CONV], ours)
    share = pca.variances[:empath.COMPONENTS].sum() / len(pca.mean)
    return [
        Finding("2: EMPATH performs Gabor filtering on the raw images, followed by various "
                "transformations and PCA, before applying a 3 layer neural net",
                f"our implementation reaches {percent(accuracy(ours))}. The filters add "
                f"{points(filters)}, the hidden layer {points(hidden)}; its {empath.COMPONENTS} "
                f"components explain {100 * share:.0f} % of the variance, and four times as many "
                f"add {points(more)}",
                verdict_on(filters, "more"), "components"),
        Finding("2: more recently, deep and convolutional networks have been used to classify "
                "emotions",
                f"the final net, whose filters are learned, is {points(learned)} above EMPATH",
                verdict_on(learned, "more"), "accuracy")]


def draw(results, pca, projections, data):
    """Return the figures: the filters, the first components, and the accuracies."""
    return {"filters": draw_filters(),
            "components": draw_components(pca, projections, data["X_train"]),
            "accuracy": curves.plot_intervals(in_percent(results),
                                              title="EMPATH and what it is made of")}


def main(argv=None):
    args, data = options.begin(options.parser("empath", __doc__), argv)
    start = time.perf_counter()
    bank = empath.gabor_bank(step=2 * empath.STEP if args.quick else empath.STEP)
    gabor, pixels, pca = project(data, bank)
    seconds = time.perf_counter() - start
    results = train_all(args, data, gabor, pixels)
    trained = sum(results.values(), [])
    rows = [findings.row_of(name, net_results) for name, net_results in results.items()]
    findings.save(args, data, 11, title="EMPATH", header=findings.HEADER, rows=rows,
                  findings=conclude(results, pca),
                  figures=draw(results, pca, gabor["X_train"], data), results=trained,
                  seconds=seconds + sum(result["seconds"] for result in trained),
                  notes=[explain(args.seeds),
                         f"EMPATH: {bank.shape[2]:,} magnitudes, z-scored on the training faces; "
                         f"{empath.COMPONENTS} principal components; {HIDDEN} hidden units. "
                         "Computing the filters and components of all faces took "
                         f"{seconds:.0f} s."])


if __name__ == "__main__":
    main()
