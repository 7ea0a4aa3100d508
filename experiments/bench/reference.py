"""Compute the weights and faces of a case, and the float64 results that engines must reproduce.

    python -m experiments.bench.reference '{"net": {...}, "batch": 50, "training": true}' FILE.npz

The file holds X, y, params/NAME, buffers/NAME and the test-time scores; with "training", also the
loss, grads/NAME, and stepped/NAME, the parameters after STEPS steps of Adam. The names are those of
nets.Net.arrays.
"""
import json
import sys

import numpy as np

from .nets import LEARNING_RATE, REG, Net

STEPS = 2
# Limits of the norm of the difference divided by the norm of the reference. In float32, rounding
# decides ReLUs near zero and maxima that nearly tie. This changes a gradient by about 1e-3 in any
# engine, and by 1e-2 below eight convolutions; an incorrect layer changes it by 1.
LIMITS = {"float32": 5e-2, "float64": 1e-6}


def faces(count):
    """Return normalized faces (count, 1, 48, 48) float32 and labels (count,) int64.

    There are 256 different faces; more are copies of these.
    """
    from cs231n_fer.faces.synthetic import make_faces

    drawn = make_faces(0, np.arange(min(count, 256)))
    X = drawn.pixels[:, None].astype(np.float32)
    chosen = np.arange(count) % len(X)
    return ((X - X.mean()) / X.std())[chosen], drawn.emotion[chosen].astype(np.int64)


def difference(value, reference):
    """Return norm(value - reference) / norm(reference); NaN if value contains NaN."""
    reference = np.asarray(reference, np.float64)
    gap = np.linalg.norm(np.asarray(value, np.float64) - reference)
    return float(gap / max(np.linalg.norm(reference), np.finfo(np.float64).tiny))


def worst_difference(arrays, reference, prefix):
    """Return {"error", "at"}: the largest difference of arrays from a reference, and its place.

    arrays       {name: array}
    reference    {"prefix/name": array}
    """
    errors = {name: difference(array, reference[f"{prefix}/{name}"])
              for name, array in arrays.items()}
    at = max(errors, key=lambda name: np.nan_to_num(errors[name], nan=np.inf))
    return {"error": errors[at], "at": f"{prefix}/{at}"}


def verdict(checks, dtype="float32"):
    """Return the largest difference with "dtype" and "passed", whether it is within its limit.

    checks    list of {"error", "at"}
    dtype     key of LIMITS
    """
    worst = max(checks, key=lambda check: np.nan_to_num(check["error"], nan=np.inf))
    return {**worst, "dtype": dtype, "passed": bool(worst["error"] <= LIMITS[dtype])}


def make_reference(net, batch, training):
    """Return the arrays of the file, computed by our im2col rung in float64."""
    from cs231n_fer.optim import UPDATE_RULES

    from .peers.ours import build_network, public_names

    network = build_network(net, "im2col", np.float64)
    rng = np.random.default_rng(1)
    X, y = faces(batch)
    names, buffers = public_names(net, network)
    # Biases, gammas and betas are drawn too: at their initial values, errors might not show.
    for name in names.values():
        array = network.params[name]
        network.params[name] = (
            (array + 0.1 * rng.standard_normal(array.shape)).astype(np.float32).astype(np.float64)
            if array.ndim == 1
            else array.astype(np.float32).astype(np.float64)
        )
    for name in buffers.values():
        noise = 0.1 * rng.random(network.buffers[name].shape)
        network.buffers[name][...] += noise.astype(np.float32)
    found = {"X": X, "y": y, "scores": network.loss(X)}
    found |= {f"params/{neutral}": network.params[name].copy() for neutral, name in names.items()}
    found |= {f"buffers/{neutral}": network.buffers[path].copy()
              for neutral, path in buffers.items()}
    configs = {name: {"learning_rate": LEARNING_RATE} for name in names.values()}
    for step in range(STEPS if training else 0):
        loss, grads = network.loss(X, y)
        if step == 0:
            found |= {"loss": loss,
                      **{f"grads/{neutral}": grads[name] for neutral, name in names.items()}}
        for name, config in configs.items():
            network.params[name], configs[name] = UPDATE_RULES["adam"](
                network.params[name], grads[name], config)
    if training:
        found |= {f"stepped/{neutral}": network.params[name] for neutral, name in names.items()}
    return found


def penalty(net, params):
    """Return the L2 term, which our loss contains, while peers leave it to their optimizer."""
    return 0.5 * REG * sum(float(np.sum(np.square(params[name], dtype=np.float64)))
                           for name in net.arrays() if name.endswith("/w"))


if __name__ == "__main__":
    wanted = json.loads(sys.argv[1])
    np.savez(sys.argv[2],
             **make_reference(Net(**wanted["net"]), wanted["batch"], wanted["training"]))
