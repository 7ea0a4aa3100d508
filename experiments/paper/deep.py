"""More layers and more filters (the paper's future work): conv-conv-pool nets and residual nets.

    python experiments/paper/deep.py           15 epochs, one seed: about 45 minutes on 2 cores
    python experiments/paper/deep.py --epochs 40 --seeds 3
    python experiments/paper/deep.py --quick   a smoke test on synthetic faces, 1/4 of the filters

They are compared with the final net, with the paper's hyper-parameters and batchnorm. Cost is
reported as parameters, FLOPs of a forward pass, and training time for a face in the fastest epoch,
which is the one that other programs on the machine disturbed least.
"""
import sys
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    import experiments.paper  # noqa: F401  here, before NumPy

from dataclasses import replace
from statistics import mean

from cs231n_fer.vis_utils import curves
from experiments.paper import findings, options
from experiments.paper.findings import Finding, verdict_on
from experiments.paper.runs import train_seeds
from experiments.paper.statistics import accuracy, by_epoch, gain, in_percent, percent, points

FINAL = "the final net"
WIDE = "1.5 times the filters"
DEEPER = {  # name: (kind, options)
    "conv-conv, hidden layer": ("DeepConvNet", {"blocks": [[32], [32, 64], [96, 96], [128, 128]],
                                                "hidden_dim": 200}),
    "conv-conv, averaged": ("DeepConvNet", {"blocks": [[32], [64], [96, 96], [128, 128, 192]]}),
    "residual, 3 blocks": ("ResidualNet", {"stem": 32, "stages": [[32], [64], [128]]}),
    "residual, 5 blocks": ("ResidualNet", {"stem": 32, "stages": [[32], [64, 64], [128, 128]]})}


def quarter(value):
    """Divide all numbers of filters or units in nested lists or dicts by four."""
    if isinstance(value, dict):
        return {key: quarter(item) for key, item in value.items()}
    return [quarter(item) for item in value] if isinstance(value, list) else max(value // 4, 1)


def nets(base, quick):
    """Return {name: run} of the nets that are compared, the final net first."""
    filters = base.model["options"]["num_filters"]
    wide = base.with_model(num_filters=[F * 3 // 2 for F in filters])
    deeper = {name: {"kind": kind, "options": quarter(settings) if quick else settings}
              for name, (kind, settings) in DEEPER.items()}
    return {FINAL: base, WIDE: replace(wide, name="wide"),
            **{name: replace(base, name=name.replace(", ", "-").replace(" ", "-"), model=model)
               for name, model in deeper.items()}}


def conclude(results):
    """Return the findings on {name: results}."""
    base = results[FINAL]
    best = max(DEEPER, key=lambda name: accuracy(results[name])[0])
    layers = gain(results[best], base)
    filters = gain(results[WIDE], base)
    by_net = "; ".join(f"{name} {percent(accuracy(results[name]))}, "
                       f"{points(gain(results[name], base))}"
                       for name in DEEPER)
    return [
        Finding("6: adding more layers would further improve the network",
                f"{FINAL} {percent(accuracy(base))}. {by_net}. The best, {best}, takes "
                f"{ratio(results[best], base)}", verdict_on(layers, "more"), "cost"),
        Finding("6: adding more filters would further improve the network",
                f"{WIDE}: {percent(accuracy(results[WIDE]))}, {points(filters)}; it takes "
                f"{ratio(results[WIDE], base)}", verdict_on(filters, "more"), "cost")]


COSTS = {  # name: (function of a result, axis label)
    "parameters": (lambda result: result["parameters"] / 1e3, "Thousand parameters"),
    "FLOPs": (lambda result: result["flops"] / 1e6, "MFLOP of a forward pass"),
    "training time": (lambda result: 1e3 / max(epoch["images_per_second"]
                                               for epoch in result["history"]),
                      "Milliseconds of training a face")}


def cost(results, name):
    """Return the mean cost over the results, one for each seed."""
    return mean(COSTS[name][0](result) for result in results)


def ratio(results, base):
    """Return the costs relative to those of base as text, as in "1.5 times the parameters, ..."."""
    return ", ".join(f"{cost(results, name) / cost(base, name):.1f} times the {name}"
                     for name in COSTS)


def draw(results):
    """Return the figures: accuracy against the three costs, and over epochs."""
    panels = curves.panels(3, (6, 4.5))
    for ax, name in zip(panels, COSTS, strict=True):
        shown = {net: (cost(results[net], name), *value)
                 for net, value in in_percent(results).items()}
        curves.plot_cost(shown, ax, title=f"Accuracy against {name}", xlabel=COSTS[name][1])
    return {"cost": panels[0],
            "curves": curves.plot_curves(by_epoch(results),
                                         title="More layers, more filters: accuracy on validation")}


def main(argv=None):
    args, data = options.begin(options.parser("deep", __doc__, epochs=15), argv)
    results = {name: train_seeds(run, data, args.runs, args.seeds)
               for name, run in nets(options.base_run(args, "final"), args.quick).items()}
    findings.save_nets(args, data, 15, title="More layers, more filters", nets=results,
                       findings=conclude(results), figures=draw(results), notes=[
                           "Training time is based on the fastest epoch; images/s in the table "
                           "are medians, which are more affected by other programs on the "
                           "machine."])


if __name__ == "__main__":
    main()
