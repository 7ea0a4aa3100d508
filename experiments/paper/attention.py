"""Where a net looks: maps by three methods, how much of them lies where, and what chance would
give."""
from dataclasses import dataclass, replace

import numpy as np

from cs231n_fer.analysis.metrics import rank_correlation
from cs231n_fer.analysis.saliency import occlusion_map, saliency_map, share_inside, smooth_grad
from cs231n_fer.data_utils import normalise
from cs231n_fer.data_utils.load import SYNTHETIC_STARTS
from cs231n_fer.faces.regions import expression_change, grow, strongest
from cs231n_fer.faces.synthetic import make_faces
from cs231n_fer.shapes import check

from .runs import Run, load_trained, make_model
from .statistics import bootstrap

METHODS = ("gradient", "SmoothGrad", "occlusion")
MARGIN, CHANGE = 2, 0.8  # pixels around a mask; the share of the change that makes the emotion
HALF = 24                # rows 0 to 23 are the upper half of a picture


@dataclass(frozen=True)
class KnownFaces:
    """Synthetic faces and the truth about them.

    X, y      normalised (n, 1, 48, 48), and labels (n,)
    pixels    (n, 48, 48) uint8
    face      (n, 48, 48) bool
    parts     (n, 3, 48, 48) bool in the order of synthetic.MASK_NAMES, grown by MARGIN
    change    (n, 48, 48) grey levels that the expression changes
    makes     (n, 48, 48) bool: what makes the emotion, the fewest pixels that hold a share CHANGE
              of the change
    """
    X: np.ndarray
    y: np.ndarray
    pixels: np.ndarray
    face: np.ndarray
    parts: np.ndarray
    change: np.ndarray
    makes: np.ndarray


def first_of_each(y, count):
    """Return the first `count` rows of each class, class by class."""
    return np.concatenate([np.flatnonzero(y == label)[:count] for label in np.unique(y)])


def known_faces(data, count):
    """Return the first `count` validation faces of each emotion of load_data("synthetic"), as
    KnownFaces."""
    rows = first_of_each(data["y_val"], count)
    numbers = SYNTHETIC_STARTS["val"] + rows
    faces, change = make_faces(0, numbers), expression_change(0, numbers)
    X = normalise(faces.pixels, data["mean_image"], data["std"])
    check(np.array_equal(X, data["X_val"][rows]),
          f"data: {data['source']} holds other faces than those of seed 0")
    return KnownFaces(X, data["y_val"][rows], faces.pixels, faces.face, grow(faces.masks, MARGIN),
                      change, strongest(change, CHANGE))


def grey(data):
    """What a covered pixel shows: the mean grey level of all training faces, as normalised pixels
    (48, 48)."""
    return (data["mean_image"].mean() - data["mean_image"]) / np.float32(data["std"])


def maps_of(model, X, y, data):
    """Return {method: (N, 48, 48) >= 0} for the classes y; where a patch speaks against its class,
    occlusion is 0."""
    return {"gradient": saliency_map(model, X, y), "SmoothGrad": smooth_grad(model, X, y),
            "occlusion": np.maximum(occlusion_map(model, X, y, grey=grey(data), batch_size=256), 0)}


def mean_maps(several):
    """Return {method: (N, 48, 48)}, the mean of several nets' maps, each of which counts as much:
    its sum is 1."""
    return {method: np.mean([maps[method] / np.maximum(maps[method].sum(axis=(1, 2), keepdims=True),
                                                       1e-30)
                             for maps in several], axis=0) for method in METHODS}


def times_chance(maps, regions, within):
    """Return (value, low, high): how often chance is the maps' share in regions; chance is their
    share of the area."""
    shares = [share_inside(each, regions, within) for each in (maps, np.ones(maps.shape))]
    pairs = np.stack(shares, axis=1)[np.isfinite(shares[0])]
    return bootstrap(lambda rows: rows[:, 0].mean() / rows[:, 1].mean(), pairs)


def permutation_p(maps, regions, within, y, seed=0, draws=2000):
    """Return {class: p}: how often do maps fill the regions of other faces, drawn at random, as
    well as their own?

    Filling is the share in a region over its share of the area. The maps are shuffled among all
    faces of all classes given: a class scores by what sets its regions apart, and gains nothing by
    what lies at one place in every face.
    """
    flat = [array.reshape(len(maps), -1).astype(np.float64)
            for array in (maps, regions & within, within)]
    area = flat[1].sum(axis=1) / np.maximum(flat[2].sum(axis=1), 1)
    filling = flat[0] @ flat[1].T / np.maximum(flat[0] @ flat[2].T,
                                               1e-300) / np.maximum(area, 1e-300)
    rng = np.random.default_rng(seed)
    members = {label: np.flatnonzero(y == label) for label in np.unique(y).tolist()}
    reached = dict.fromkeys(members, 0)
    for _ in range(draws):
        order = rng.permutation(len(y))
        for label, rows in members.items():
            reached[label] += filling[rows,
                                      order[rows]].mean() >= filling[rows, rows].mean() - 1e-12
    return {label: (count + 1) / (draws + 1) for label, count in reached.items()}


def upper_share(maps):
    """Return the share of each map that lies in the upper half of the picture, (N,); nan where it
    is 0."""
    everywhere = np.ones(maps.shape, bool)
    return share_inside(maps, everywhere & (np.arange(maps.shape[1]) < HALF)[:, None], everywhere)


def half_accuracy(models, data):
    """Return {"all", "upper", "lower": (N,)}: how often each validation face is right when the rest
    of it is grey."""
    right = {}
    for name, rows in (("all", slice(0, None)), ("upper", slice(0, HALF)),
                       ("lower", slice(HALF, None))):
        X = np.broadcast_to(grey(data), data["X_val"].shape).copy()
        X[:, :, rows] = data["X_val"][:, :, rows]
        right[name] = np.mean([model.predict(X).argmax(axis=1) == data["y_val"]
                               for model in models], axis=0)
    return right


def randomised(result, count=None):
    """Return (net, names): a trained run with its top `count` layers, default all, drawn anew
    (Adebayo et al. 2018).

    names   of the layers drawn anew, from the top
    """
    model = load_trained(result)
    settings = Run(**{**result["run"], "init": None})
    fresh = make_model(replace(settings, seed=settings.seed + 1000))
    names = list(dict.fromkeys(name.split("/")[0] for name in model.params))[::-1][:count]
    for mine, new in ((model.params, fresh.params), (model.buffers, fresh.buffers)):
        for name in mine:
            if name.split("/")[0] in names:
                mine[name][...] = new[name]
    return model, names


def agreement(first, second):
    """Return the rank correlation of each pair of maps, (N,); nan where a map is the same
    everywhere."""
    return rank_correlation(first.reshape(len(first), -1), second.reshape(len(second), -1))
