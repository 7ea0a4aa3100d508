"""The effect of depth: the paper's three-layer baseline, and its final net with 1 to 4 blocks.

    python experiments/paper/depth.py           40 epochs, one seed: about 45 minutes on 2 cores
    python experiments/paper/depth.py --epochs 20 --seeds 3
    python experiments/paper/depth.py --quick   a smoke test on synthetic faces

All nets use the paper's hyper-parameters, and all but the baseline have batchnorm. The paper's
learning rate was chosen for the final net; with it, the baseline learns less than a linear model,
so the baseline gets the best of three learning rates. The fewer the blocks, the larger the input of
the hidden layer: deeper nets have fewer parameters here.
"""
import sys
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    import experiments.paper  # noqa: F401  here, before NumPy

from dataclasses import replace

from cs231n_fer.vis_utils import curves
from experiments.paper import findings, options
from experiments.paper.findings import Finding, verdict_on
from experiments.paper.runs import train, train_seeds
from experiments.paper.statistics import accuracy, by_epoch, gain, in_percent, percent, points
from experiments.paper.update_rules import reached

PAPER = 0.607
BASELINE = "baseline, 5x5"
BASELINE_RATES = (0.00127, 0.0004, 0.000127)  # the first is the paper's


def nets(base):
    """Return {name: run} of the nets that are compared, the shallowest first."""
    options = base.model["options"]
    filters = options["num_filters"]
    baseline = {"input_dim": [1, 48, 48], "num_filters": filters[0], "filter_size": 5,
                "hidden_dim": 100, "num_classes": 7, "weight_scale": None}
    found = {BASELINE: replace(base, name="baseline",
                               model={"kind": "ThreeLayerConvNet", "options": baseline})}
    for blocks in range(1, len(filters)):
        name = f"{blocks} block{'s' * (blocks > 1)}"
        found[name] = replace(base.with_model(num_filters=filters[:blocks]), name=f"blocks{blocks}")
    return {**found, f"{len(filters)} blocks, the final net": replace(base, name="final")}


def search(run, data, folder):
    """Return {learning rate: result} of the baseline with seed 0."""
    return {rate: train(run.with_optim(learning_rate=rate), data, folder)
            for rate in BASELINE_RATES}


def conclude(results):
    """Return the findings on {name: results}."""
    (first, baseline), *steps, (name, final) = results.items()
    whole = gain(final, baseline)
    last = gain(final, steps[-1][1])
    ours = accuracy(final)
    by_net = [f"{net} {percent(accuracy(results[net]))}" for net in list(results)[:-1]]
    on_accuracy = ("confirmed" if ours[1] <= PAPER <= ours[2]
                   else "refined" if ours[1] > PAPER else "refuted")
    return [
        Finding("3.2: a three-layer net is the baseline from which the final architecture improves",
                f"{name}: {points(whole)} over the {first} net, with {final[0]['parameters']:,} "
                f"parameters instead of {baseline[0]['parameters']:,}",
                verdict_on(whole, "more"), "cost"),
        Finding("Abstract, 5: the final net reaches 60.7 % on validation", percent(ours),
                on_accuracy, "curves"),
        Finding("6: adding more layers would further improve the network",
                f"{'; '.join(by_net)}; {name} {percent(ours)}. The last block adds {points(last)}",
                verdict_on(last, "more"), "cost")]


def draw(results):
    """Return the figures: accuracy over epochs, and accuracy against parameters and FLOPs."""
    over_epochs = curves.plot_curves(by_epoch(results), title="Depth: accuracy on validation")
    panels = curves.panels(2)
    costs = [("parameters", 1e3, "Thousand parameters"), ("flops", 1e6, "MFLOP of a forward pass")]
    for ax, (key, unit, label) in zip(panels, costs, strict=True):
        shown = {name: (results[name][0][key] / unit, *value)
                 for name, value in in_percent(results).items()}
        curves.plot_cost(shown, ax, title="Depth: accuracy against its cost", xlabel=label)
    return {"curves": over_epochs, "cost": panels[0]}


def main(argv=None):
    args, data = options.begin(options.parser("depth", __doc__), argv)
    runs = nets(options.base_run(args, "final"))
    tried = search(runs[BASELINE], data, args.runs)
    best = max(tried, key=lambda rate: reached(tried[rate]))
    runs[BASELINE] = runs[BASELINE].with_optim(learning_rate=best)
    results = {name: train_seeds(run, data, args.runs, args.seeds) for name, run in runs.items()}
    rates = ", ".join(f"{rate:g}: {100 * reached(result):.1f} %" for rate, result in tried.items())
    findings.save_nets(args, data, 1, title="Depth", nets=results, findings=conclude(results),
                       figures=draw(results),
                       others=[tried[rate] for rate in tried if rate != best],
                       notes=[f"Accuracy of the baseline by learning rate: {rates}; {best:g} was "
                              "used."])


if __name__ == "__main__":
    main()
