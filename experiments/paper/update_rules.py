"""Update rules: the same learning rate search for all, then full trainings at the best rates.

    python experiments/paper/update_rules.py           12 epochs, 3 seeds: about an hour on 2 cores
    python experiments/paper/update_rules.py --epochs 40 --seeds 1
    python experiments/paper/update_rules.py --quick   a smoke test on synthetic faces

In the search every rule has the same number of trials and epochs, at learning rates half a decade
apart around a common value (seed 0; a trial that diverges counts as accuracy 0). Everything else is
as in the paper: net with batchnorm, L2, flips, decay.
"""
import sys
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    import experiments.paper  # noqa: F401  here, before NumPy

from dataclasses import replace

from cs231n_fer.vis_utils import curves
from experiments import flags
from experiments.paper import findings, options
from experiments.paper.findings import Finding, verdict_on
from experiments.paper.runs import train, train_seeds
from experiments.paper.statistics import (
    accuracy,
    by_epoch,
    explain,
    gain,
    mean_history,
    percent,
    points,
)

CENTRES = {"sgd": 0.1, "sgd_momentum": 0.01, "nesterov": 0.01, "adagrad": 0.01, "rmsprop": 0.001,
           "adam": 0.001}
NAMES = {"sgd": "SGD", "sgd_momentum": "momentum", "nesterov": "Nesterov", "adagrad": "Adagrad",
         "rmsprop": "RMSProp", "adam": "Adam"}
SLIGHTLY = 0.03  # the largest gain that counts as "slightly better"


def parse():
    parser = options.parser("update_rules", __doc__, epochs=12, seeds=3)
    parser.add_argument("--trials", type=flags.whole(1),
                        help="number of learning rates tried for each rule (default 5; 2 with "
                             "--quick)")
    parser.add_argument("--trial-epochs", type=flags.whole(1),
                        help="number of epochs of a trial (default 3; 1 with --quick)")
    return parser


def learning_rates(center, count):
    """Return `count` learning rates half a decade apart, the middle one at the center."""
    return [float(f"{center * 10 ** ((i - (count - 1) // 2) / 2):.3g}") for i in range(count)]


def search(rule, base, args, data):
    """Return {learning rate: result} of a rule's trials."""
    run = replace(base, name=f"trial-{rule}", update_rule=rule)
    return {rate: train(replace(run, optim_config={"learning_rate": rate}), data, args.runs)
            for rate in learning_rates(CENTRES[rule], args.trials)}


def reached(result):
    """Return the best validation accuracy of a trial, 0 if it diverged."""
    return 0.0 if result["diverged"] else result["val_acc"]


def conclude(results):
    """Return the findings on {rule: results}."""
    adam = results["adam"]
    others = [rule for rule in results if rule != "adam"]
    second = max(others, key=lambda rule: accuracy(results[rule])[0])
    over_second = gain(adam, results[second])
    over_rmsprop = gain(adam, results["rmsprop"])
    order = sorted(results, key=lambda rule: -accuracy(results[rule])[0])
    ranks = ", ".join(f"{NAMES[rule]} {percent(accuracy(results[rule]))}" for rule in order)
    return [
        Finding("3.4: Adam performs the best among SGD, Adagrad, RMSProp and Adam",
                f"{ranks}. Adam compared with {NAMES[second]}, the best of the other rules: "
                f"{points(over_second)}", verdict_on(over_second, "more"), "curves"),
        Finding("3.4: Adam is slightly better than RMSProp",
                f"Adam compared with RMSProp: {points(over_rmsprop)}",
                "refined" if over_rmsprop[1] > SLIGHTLY else verdict_on(over_rmsprop, "more"),
                "curves")]


def draw(results):
    """Return the figure of training loss and validation accuracy over epochs."""
    left, right = curves.panels(2)
    histories = {NAMES[rule]: rule_results for rule, rule_results in results.items()
                 if all(result["history"] for result in rule_results)}
    losses = {name: mean_history(rule_results, "loss") for name, rule_results in histories.items()}
    curves.plot_curves(losses, left, decimals=2, title="Update rules: training loss",
                       ylabel="Loss, mean of an epoch")
    curves.plot_curves(by_epoch(histories), right, title="Update rules: accuracy on validation")
    return {"curves": left}


def main(argv=None):
    args, data = options.begin(parse(), argv)
    args.trials = args.trials or (2 if args.quick else 5)
    args.trial_epochs = args.trial_epochs or (1 if args.quick else 3)
    base = options.base_run(args, "rules")
    results = {}
    tried = []
    rows = []
    notes = [explain(args.seeds)]
    short = options.base_run(args, "trial", num_epochs=args.trial_epochs)
    for rule in CENTRES:
        trials = search(rule, short, args, data)
        best = max(trials, key=lambda rate: reached(trials[rate]))
        tried += trials.values()
        at_edge = best in (min(trials), max(trials))
        rates = ", ".join(f"{rate:g}: {100 * reached(result):.1f} %"
                          for rate, result in trials.items())
        ending = "; the best one lies at the edge of the range." if at_edge else "."
        notes.append(f"{NAMES[rule]}, accuracy after {args.trial_epochs} epochs by learning rate: "
                     f"{rates}{ending}")
        run = replace(base, name=f"rule-{rule}", update_rule=rule,
                      optim_config={"learning_rate": best})
        results[rule] = train_seeds(run, data, args.runs, args.seeds)
        rows.append(findings.row_of(f"{NAMES[rule]}, {best:g}", results[rule]))
    findings.save(args, data, 2, title="Update rules",
                  header=("rule, learning rate", *findings.HEADER[1:]), rows=rows,
                  findings=conclude(results), figures=draw(results),
                  results=sum(results.values(), tried), notes=notes)


if __name__ == "__main__":
    main()
