"""Saliency maps by three methods, the shares of them inside given regions, and chance levels."""
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
MARGIN = 2    # pixels by which masks are grown
CHANGE = 0.8  # share of the change that the relevant pixels hold
HALF = 24     # rows 0 to 23 are the upper half of an image


@dataclass(frozen=True)
class KnownFaces:
    """Synthetic faces with their ground truth.

    X         (n, 1, 48, 48) normalized images
    y         (n,) labels
    pixels    (n, 48, 48) uint8 images
    face      (n, 48, 48) bool, the pixels of the face
    parts     (n, 3, 48, 48) bool in the order of synthetic.MASK_NAMES, grown by MARGIN
    change    (n, 48, 48) change of the gray level due to the expression
    makes     (n, 48, 48) bool, the relevant pixels: the smallest set that holds a share CHANGE of
              the change
    """
    X: np.ndarray
    y: np.ndarray
    pixels: np.ndarray
    face: np.ndarray
    parts: np.ndarray
    change: np.ndarray
    makes: np.ndarray


def first_of_each(y, count):
    """Return the indices of the first `count` rows of each class, class by class."""
    return np.concatenate([np.flatnonzero(y == label)[:count] for label in np.unique(y)])


def known_faces(data, count):
    """Return KnownFaces: the first `count` validation faces of each emotion.

    data    of load_data("synthetic")
    Raises ValueError if the validation faces are not those of seed 0.
    """
    rows = first_of_each(data["y_val"], count)
    numbers = SYNTHETIC_STARTS["val"] + rows
    faces = make_faces(0, numbers)
    change = expression_change(0, numbers)
    X = normalise(faces.pixels, data["mean_image"], data["std"])
    check(np.array_equal(X, data["X_val"][rows]),
          f"data: {data['source']} holds other faces than those of seed 0")
    return KnownFaces(X, data["y_val"][rows], faces.pixels, faces.face, grow(faces.masks, MARGIN),
                      change, strongest(change, CHANGE))


def grey(data):
    """Return the (48, 48) normalized image whose pixels all have the mean gray level of training.

    Covered pixels show it.
    """
    return (data["mean_image"].mean() - data["mean_image"]) / np.float32(data["std"])


def maps_of(model, X, y, data):
    """Return {method: (N, 48, 48) maps >= 0} for the scores of the classes y.

    Occlusion is clipped at 0: pixels that lower the score of the class count as 0.
    """
    return {"gradient": saliency_map(model, X, y), "SmoothGrad": smooth_grad(model, X, y),
            "occlusion": np.maximum(occlusion_map(model, X, y, grey=grey(data), batch_size=256), 0)}


def mean_maps(maps_of_nets):
    """Return {method: (N, 48, 48)}, the mean over nets of maps normalized to a sum of 1."""
    def normalized(maps):
        return maps / np.maximum(maps.sum(axis=(1, 2), keepdims=True), 1e-30)

    return {method: np.mean([normalized(maps[method]) for maps in maps_of_nets], axis=0)
            for method in METHODS}


def times_chance(maps, regions, within):
    """Return (value, low, high): the maps' share in regions relative to chance.

    Chance is the regions' share of the area of `within`.
    """
    shares = share_inside(maps, regions, within)
    areas = share_inside(np.ones(maps.shape), regions, within)
    pairs = np.stack([shares, areas], axis=1)[np.isfinite(shares)]
    return bootstrap(lambda rows: rows[:, 0].mean() / rows[:, 1].mean(), pairs)


def permutation_p(maps, regions, within, y, seed=0, draws=2000):
    """Return {class: p} of a permutation test that maps fill their own face's region better.

    Filling is the share of a map in a region divided by the region's share of the area. Regions
    are permuted among the faces of all classes given: a class scores by what is specific to its
    regions, and gains nothing from pixels that are relevant in every face.
    """
    flat = [array.reshape(len(maps), -1).astype(np.float64)
            for array in (maps, regions & within, within)]
    area = flat[1].sum(axis=1) / np.maximum(flat[2].sum(axis=1), 1)
    filling = (flat[0] @ flat[1].T / np.maximum(flat[0] @ flat[2].T, 1e-300)
               / np.maximum(area, 1e-300))
    rng = np.random.default_rng(seed)
    members = {label: np.flatnonzero(y == label) for label in np.unique(y).tolist()}
    reached = dict.fromkeys(members, 0)
    for _ in range(draws):
        order = rng.permutation(len(y))
        for label, rows in members.items():
            own = filling[rows, rows].mean()
            reached[label] += filling[rows, order[rows]].mean() >= own - 1e-12
    return {label: (count + 1) / (draws + 1) for label, count in reached.items()}


def upper_share(maps):
    """Return the share of each map in the upper half of the image, (N,); nan for a map of zeros."""
    everywhere = np.ones(maps.shape, bool)
    return share_inside(maps, everywhere & (np.arange(maps.shape[1]) < HALF)[:, None], everywhere)


def half_accuracy(models, data):
    """Return the accuracy on each validation face when only a part of it is shown.

    The result is {"all", "upper", "lower": (N,)}, means over models; the other pixels are gray.
    """
    right = {}
    for name, rows in (("all", slice(0, None)), ("upper", slice(0, HALF)),
                       ("lower", slice(HALF, None))):
        X = np.broadcast_to(grey(data), data["X_val"].shape).copy()
        X[:, :, rows] = data["X_val"][:, :, rows]
        right[name] = np.mean([model.predict(X).argmax(axis=1) == data["y_val"]
                               for model in models], axis=0)
    return right


def randomised(result, count=None):
    """Return (net, names): a trained net with its top `count` layers re-initialized.

    count   number of layers; by default all of them
    names   the re-initialized layers, from the top
    Source: Adebayo et al. 2018.
    """
    model = load_trained(result)
    settings = Run(**{**result["run"], "init": None})
    fresh = make_model(replace(settings, seed=settings.seed + 1000))
    names = list(dict.fromkeys(name.split("/")[0] for name in model.params))[::-1][:count]
    for arrays, initial in ((model.params, fresh.params), (model.buffers, fresh.buffers)):
        for name in arrays:
            if name.split("/")[0] in names:
                arrays[name][...] = initial[name]
    return model, names


def agreement(first, second):
    """Return the rank correlation of each pair of maps, (N,); nan where a map is constant."""
    return rank_correlation(first.reshape(len(first), -1), second.reshape(len(second), -1))
