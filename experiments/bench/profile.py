"""Measure how the time of a training step divides among compiled kernels and Python code.

    python experiments/bench/profile.py --page   the benchmark's nets, batch 50, all cores
    python experiments/bench/profile.py --nets final --batch 256
    python experiments/bench/profile.py --quick    a smoke test

Every kernel called from Python is timed; the rest of a step is Python code. "Multiply-adds at the
FMA peak" is the time that the matrix products of convolutions and affine layers would take at the
peak rate, with the number of multiplications that Winograd convolution needs.
"""
import sys
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import time
from statistics import median

import numpy as np

from cs231n_fer.fast_layers.plans import PLAN_IMAGES, choose_plan
from cs231n_fer.kernels import (
    batchnorm,
    conv,
    elementwise,
    gradients,
    losses,
    patches,
    pool,
    product,
    update,
)
from cs231n_fer.solver import Solver
from experiments import flags
from experiments.bench import machine, options
from experiments.bench.nets import FACE_SHAPE, NETS
from experiments.bench.peers import fma_peak, ours
from experiments.bench.reference import faces
from experiments.bench.report import number, table

PARTS = {  # kernel: row of the table
    (conv, "forward"): "convolutions, forward", (conv, "backward"): "convolutions, backward",
    (conv, "prepare"): "weight preparation", (patches, "over_images"): "batchnorm",
    (batchnorm, "over_images"): "batchnorm", (batchnorm, "forward_vectors"): "batchnorm",
    (batchnorm, "backward_vectors"): "batchnorm", (batchnorm, "update_average"): "batchnorm",
    (patches, "combine"): "batchnorm", (patches, "moments_of_outputs"): "batchnorm",
    (pool, "over_images"): "unfused pooling and ReLU",
    (pool, "means_over_images"): "unfused pooling and ReLU",
    (elementwise, "relu"): "unfused pooling and ReLU",
    (elementwise, "relu_back"): "unfused pooling and ReLU",
    (product, "product"): "affine layers", (product, "transpose"): "affine layers",
    (losses, "softmax"): "loss", (gradients, "gather"): "L2 and update",
    (update, "over_blocks"): "L2 and update"}
PYTHON = "Python code between kernels"
STEP = "whole step"
PEAK = "multiply-adds at the FMA peak"


def parse():
    parser = flags.Parser(__doc__)
    parser.add_argument("--nets", nargs="+", choices=NETS, default=list(NETS),
                        help="networks to time (default: all)")
    parser.add_argument("--batch", type=flags.whole(1), default=50,
                        help="batch size (default: %(default)s)")
    parser.add_argument("--steps", type=flags.whole(1), default=100,
                        help="number of steps, whose median is reported (default: %(default)s)")
    parser.add_argument("--quick", action="store_true",
                        help="a smoke test; results and page go to runs/")
    parser.add_argument("--page", action="store_true",
                        help="also write the table to experiments/results/SPEED.md")
    return parser.parse_args()


def timed(kernel, part, spent):
    """Return a function that calls the kernel and adds its time to spent[part]."""
    def call(*arguments):
        start = time.perf_counter()
        result = kernel(*arguments)
        spent[part] = spent.get(part, 0) + time.perf_counter() - start
        return result
    return call


def profile(net, batch, steps, spent):
    """Return {part: median ms} over steps of Solver.

    spent    dict to which the timed kernels add their seconds
    """
    X, y = faces(batch)
    network = ours.build_network(net, "auto")
    solver = Solver(network, {"X_train": X, "y_train": y, "X_val": X, "y_val": y},
                    update_rule="adam", optim_config={"learning_rate": 1e-3}, batch_size=batch,
                    verbose=False)
    found = []
    for _ in range(steps + steps // 4 + 3):
        spent.clear()
        start = time.perf_counter()
        solver._step(np.arange(batch), None, 0.0)
        whole = time.perf_counter() - start
        found.append({**spent, PYTHON: whole - sum(spent.values()), STEP: whole})
    found = found[-steps:]
    return {part: 1e3 * median(times[part] for times in found) for part in found[0]}


def products(net, batch):
    """Return the FLOPs of all matrix products of a training step, as our kernels compute them."""
    C, H, _ = FACE_SHAPE
    total = 0
    is_first = True
    for kind, _, outputs in net.layers():
        if kind == "conv":
            m = choose_plan(min(batch, PLAN_IMAGES), (C, H, H), (outputs, C, net.size, net.size), 1,
                            net.size // 2, np.dtype(np.float32), "auto").m
            # Winograd's share of the multiplications of direct convolution.
            share = ((m + 2) / (3 * m)) ** 2 if m else 1
            # The first layer needs no gradient of the images.
            passes = 2 if is_first else 3
            total += 2 * batch * H * H * C * outputs * net.size ** 2 * share * passes
            C = outputs
            is_first = False
        elif kind == "affine":
            total += 6 * batch * C * H * H * outputs
            C = outputs
            H = 1
        H = H // 2 if kind == "pool" else H
    return total


def peak_gflops(threads):
    """Return the GFLOP/s of multiply-adds between registers, the best of ten runs."""
    task = fma_peak.build({"threads": threads})
    best = 0
    for _ in range(10):
        start = time.perf_counter()
        task.run()
        best = max(best, task.info["flops"] / (time.perf_counter() - start) / 1e9)
    return best


def main():
    args = parse()
    facts = machine.describe()
    print(machine.sentence(facts), machine.warning(facts) or "", sep="\n")
    nets, steps = (args.nets[:1], 5) if args.quick else (args.nets, args.steps)
    spent = {}
    peak = peak_gflops(facts["cores"])
    results = {}
    for (module, name), part in PARTS.items():
        setattr(module, name, timed(getattr(module, name), part, spent))
    for name in nets:
        results[name] = profile(NETS[name], args.batch, steps, spent)
        results[name][PEAK] = products(NETS[name], args.batch) / peak / 1e6
        print(name, {part: round(ms, 3) for part, ms in results[name].items()}, flush=True)
    parts = [part for part in [*dict.fromkeys(PARTS.values()), PYTHON, STEP, PEAK]
             if any(part in times for times in results.values())]
    rows = [[part, *(times.get(part) for times in results.values())] for part in parts]
    note = (f"Batch {args.batch}, {facts['cores']} threads, FMA peak {number(peak)} GFLOP/s; times "
            f"are medians over {steps} steps of `Solver`, in milliseconds.")
    body = f"{note}\n\n{table(['part of the step', *results], rows)}"
    options.finish("bench_profile", args, facts, {"peak_gflops": peak, "parts": results}, body)


if __name__ == "__main__":
    sys.exit(main())
