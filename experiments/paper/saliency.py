"""Scores of saliency maps: against the ground truth of synthetic faces, and Ekman's claim.

    python experiments/paper/saliency.py           3 nets of 40 epochs, 3 on synthetic faces: 90 min
    python experiments/paper/saliency.py --quick   a smoke test on synthetic faces

Three maps are computed for every face and the score of its true class: the gradient (the paper's,
Simonyan et al. 2014), SmoothGrad (Smilkov et al. 2017) and occlusion (Zeiler & Fergus 2014). Shares
are means over the nets, intervals are bootstraps over the faces. Maps of nets with re-initialized
layers are the sanity check of Adebayo et al. 2018.
"""
import sys
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    import experiments.paper  # noqa: F401  here, before NumPy

import time

import numpy as np

from cs231n_fer import vis_utils
from cs231n_fer.analysis.saliency import share_inside
from cs231n_fer.data_utils import load_data, restore_pixels
from cs231n_fer.faces.synthetic import CLASS_NAMES, MASK_NAMES
from cs231n_fer.vis_utils import curves
from experiments import flags
from experiments.paper import attention, findings, options
from experiments.paper import attention_findings as judge
from experiments.paper.attention import METHODS
from experiments.paper.runs import load_trained, train_seeds
from experiments.paper.statistics import bootstrap_mean

NOTE = ("Relevant pixels: those that hold 80 % of the change that the emotion makes to the "
        "picture, in percent of the face. Relative to chance: the share of the map in these "
        "pixels, divided by their share of the face (synthetic faces); p compares it with the "
        "relevant pixels of other faces, drawn at random. Upper half: share of the maps in the "
        "upper 24 rows, for {}. Accuracy: on validation faces of which the whole, the upper half "
        "or the lower half is shown.".format(", ".join(METHODS)))


def grouped(y, series, measure):
    """Return {emotion: {name: measure(rows of the emotion, name)}}, as plot_groups takes it."""
    return {emotion: {name: measure(y == label, name) for name in series}
            for label, emotion in enumerate(CLASS_NAMES)}


def score(faces, maps):
    """Return (makes, p, parts).

    makes   {emotion: {method: interval}}, the share in the relevant pixels relative to chance
    p       {method: {class: p-value}} of permutation_p
    parts   {method: {emotion: {part: interval}}}, the share in brows, eyes and mouth relative to
            chance
    """
    def times_chance(method, rows, regions):
        return attention.times_chance(maps[method][rows], regions[rows], faces.face[rows])

    def in_part(method):
        return lambda rows, part: times_chance(method, rows,
                                               faces.parts[:, MASK_NAMES.index(part)])

    shown = faces.y != CLASS_NAMES.index("Neutral")  # Neutral has no relevant pixels
    p = {method: attention.permutation_p(maps[method][shown], faces.makes[shown], faces.face[shown],
                                         faces.y[shown])
         for method in METHODS}
    parts = {method: grouped(faces.y, MASK_NAMES, in_part(method)) for method in METHODS}
    makes = grouped(faces.y, METHODS,
                    lambda rows, method: times_chance(method, rows, faces.makes))
    return makes, p, parts


def compare(results, X, y, data, maps_of_nets):
    """Return {net: {method: interval}}, the agreement of its maps with those of the first net.

    The other nets are the second one, and the first with 1, 2, ... re-initialized layers.
    """
    others = {judge.TWIN: maps_of_nets[1]} if len(maps_of_nets) > 1 else {}
    for count, layer in enumerate(attention.randomised(results[0])[1], start=1):
        model, _ = attention.randomised(results[0], count)
        name = f"{layer}{' and above' * (count > 1)} {judge.RANDOMIZED}"
        others[name] = attention.maps_of(model, X, y, data)
    first = maps_of_nets[0]
    return {name: {method: bootstrap_mean(attention.agreement(first[method], maps[method]))
                   for method in METHODS} for name, maps in others.items()}


def draw_known(faces, maps, makes, parts):
    """Return the figures of synthetic faces, which may be shown individually."""
    first = attention.first_of_each(faces.y, 1)
    tiles = np.stack([faces.pixels[first], faces.change[first],
                      *(maps[method][first] for method in METHODS)], axis=1)
    panels = curves.panels(3, (5, 6))
    for ax, method in zip(panels, METHODS, strict=True):
        curves.plot_groups(parts[method], ax, title=f"{method} in parts of synthetic faces",
                           reference=(1, "chance"), xlabel="Share of the map, times chance",
                           decimals=1)
    return {"maps": vis_utils.plot_tiles(tiles, [CLASS_NAMES[label] for label in faces.y[first]],
                                         ("synthetic face", "what the\nemotion changes", *METHODS),
                                         title="Synthetic faces: maps beside the truth",
                                         cmaps=("gray", *["magma"] * 4)),
            "parts": panels[0],
            "chance": curves.plot_groups(makes, decimals=2,
                                         title="Maps in the pixels that make the emotion "
                                               "(synthetic faces)",
                                         xlabel="Share of the map, times chance",
                                         reference=(1, "chance"))}


def draw(data, y, maps, upper, checks):
    """Return the figures of the data's faces, of which only averages are shown.

    Mean faces are over all validation faces, mean maps over those that have maps.
    """
    labels = np.unique(y)
    means = [restore_pixels(data["X_val"][data["y_val"] == label].mean(axis=0, keepdims=True),
                            data["mean_image"], data["std"])[0] for label in labels]
    averages = np.stack([[mean, *(maps[method][y == label].mean(axis=0) for method in METHODS)]
                         for label, mean in zip(labels, means, strict=True)])
    return {"means": vis_utils.plot_tiles(averages, [CLASS_NAMES[label] for label in labels],
                                          ("mean face", *METHODS),
                                          title="Mean map of each emotion",
                                          cmaps=("gray", *["magma"] * 3)),
            "halves": curves.plot_groups(upper, title="Maps in the upper half of the picture",
                                         reference=(50, "half"), xlabel="Share of the map (%)"),
            "sanity": curves.plot_groups(checks, title="Agreement with the maps of a trained net",
                                         decimals=2,
                                         xlabel="Rank correlation of two maps of one face")}


def known_part(data, results, count):
    """Return (rows of the table, findings, figures) of nets on synthetic faces.

    count   faces of each emotion that get maps
    """
    faces = attention.known_faces(data, count)
    maps = attention.mean_maps([attention.maps_of(load_trained(result), faces.X, faces.y, data)
                                for result in results])
    makes, p, parts = score(faces, maps)
    everywhere = np.ones(faces.face.shape, bool)
    inside = {method: bootstrap_mean(share_inside(maps[method], faces.face, everywhere))
              for method in METHODS}
    area = share_inside(everywhere, faces.makes, faces.face)
    rows = [[emotion, f"{100 * area[faces.y == label].mean():.0f} %",
             *(f"{makes[emotion][method][0]:.2f}"
               + (f", p {p[method][label]:.4f}" if label in p[method] else "")
               for method in METHODS)] for label, emotion in enumerate(CLASS_NAMES)]
    found = [judge.on_face(inside, faces.face.mean()), judge.on_figure_7(parts["gradient"]),
             judge.on_regions(makes, p)]
    return rows, found, draw_known(faces, maps, makes, parts)


def data_part(data, results, count):
    """Return (rows of the table, findings, figures) of nets on the data's faces.

    count   faces of each emotion that get maps
    """
    chosen = attention.first_of_each(data["y_val"], count)
    X = data["X_val"][chosen]
    y = data["y_val"][chosen]
    models = [load_trained(result) for result in results]
    maps_of_nets = [attention.maps_of(model, X, y, data) for model in models]
    maps = attention.mean_maps(maps_of_nets)
    checks = compare(results, X, y, data, maps_of_nets)
    upper = grouped(y, METHODS, lambda rows, method: bootstrap_mean(
        100 * attention.upper_share(maps[method][rows])))
    right = attention.half_accuracy(models, data)
    rows = [[" / ".join(f"{upper[emotion][method][0]:.0f}" for method in METHODS) + " %",
             " / ".join(f"{100 * share[data['y_val'] == label].mean():.0f}"
                        for share in right.values()) + " %"]
            for label, emotion in enumerate(CLASS_NAMES)]
    found = [judge.on_ekman(upper, right, data["y_val"]), judge.on_noise(checks),
             judge.on_sanity(checks)]
    return rows, found, draw(data, y, maps, upper, checks)


def parse():
    parser = options.parser("saliency", __doc__, seeds=3)
    parser.add_argument("--faces", type=flags.whole(1), default=100,
                        help="number of faces of each emotion that get maps (default 100; at most "
                             "10 with --quick)")
    parser.add_argument("--synthetic-epochs", type=flags.whole(1), default=10,
                        help="number of epochs of the nets on synthetic faces (default 10)")
    return parser


def main(argv=None):
    args, data = options.begin(parse(), argv)
    results = train_seeds(options.base_run(args, "final"), data, args.runs, args.seeds)
    count = min(args.faces, 10) if args.quick else args.faces
    known = results
    known_data = data
    if not data["synthetic"]:
        known_data = load_data("synthetic", **options.QUICK_FACES if args.quick else {})
        run = options.base_run(args, "synthetic",
                               num_epochs=min(args.epochs, args.synthetic_epochs))
        known = train_seeds(run, known_data, args.runs, args.seeds)
    start = time.perf_counter()
    known_rows, known_found, known_figures = known_part(known_data, known, count)
    rows, found, figures = data_part(data, results, count)
    print(f"maps and scores: {time.perf_counter() - start:.0f} s")
    findings.save(args, data, 8, title="Saliency maps", notes=[NOTE], findings=known_found + found,
                  header=["", "relevant pixels",
                          *(f"{method}, relative to chance" for method in METHODS), "upper half",
                          "accuracy: all / upper / lower"],
                  rows=[first + second for first, second in zip(known_rows, rows, strict=True)],
                  figures=known_figures | figures, synthetic=tuple(known_figures),
                  results=results if known is results else results + known)


if __name__ == "__main__":
    main()
