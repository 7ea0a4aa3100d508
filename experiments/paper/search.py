"""Random search in log space over learning rate, L2 strength and decay of the final net.

    python experiments/paper/search.py                       30 trials: about an hour on 2 cores
    python experiments/paper/search.py --processes 2         the same trials with the same results
    python experiments/paper/search.py --trials 60           continues after the first 30
    python experiments/paper/search.py --quick               a smoke test on synthetic faces

Trial 0 has the paper's values, the others are random. By successive halving, all trials are trained
for 1/40 of the epochs, the best two thirds of them for 1/10, the best fifth for 3/10, and the best
two in full; trial 0 is never dropped. The same command on any machine that sees the folder --runs
works on the same search; a process that is killed loses only its current epoch.
"""
import sys
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    import experiments.paper  # noqa: F401  here, before NumPy

from cs231n_fer.solver.search import LogUniform, draw, survivors
from cs231n_fer.vis_utils import curves
from experiments import flags
from experiments.paper import findings, options
from experiments.paper import trials as trainings
from experiments.paper.findings import Finding, verdict_on
from experiments.paper.runs import train_seeds
from experiments.paper.statistics import accuracy, explain, gain, percent, points

SPACE = {"learning_rate": LogUniform(3e-5, 3e-2), "reg": LogUniform(1e-6, 1e-1),
         "lr_decay": LogUniform(0.8, 1.0)}
PAPER = {"learning_rate": 0.00127, "reg": 0.00172, "lr_decay": 0.95}
NAMES = {"learning_rate": "learning rate", "reg": "L2 strength", "lr_decay": "decay"}
SHARES = ((1 / 40, 1), (1 / 10, 2 / 3), (3 / 10, 1 / 5))  # (of the epochs, of the trials)
IN_FULL = 2  # trials that are trained for all epochs


def parse():
    parser = options.parser("search", __doc__)
    parser.add_argument("--trials", type=flags.whole(1),
                        help="number of random trials (default 30; 4 with --quick)")
    parser.add_argument("--search-seed", type=flags.whole(), default=0,
                        help="seed of the random trials (default 0)")
    parser.add_argument("--processes", type=flags.whole(1), default=1,
                        help="number of processes that share the trials and threads (default 1)")
    parser.add_argument("--worker", action="store_true",
                        help="run trials without writing results")
    return parser


def text(settings):
    """Return settings as text."""
    return ", ".join(f"{NAMES[name]} {value:.3g}" for name, value in settings.items())


def draw_space(trials, found):
    """Return the figure of all trials, colored by accuracy and sized by the epochs of training."""
    panels = curves.panels(2)
    for ax, other in zip(panels, ("reg", "lr_decay"), strict=True):
        spots = [(trials[number]["learning_rate"], trials[number][other], 100 * result["score"],
                  epochs)
                 for number, (epochs, result) in trainings.longest(found).items()]
        curves.plot_space(spots, ax, title=f"Random search: {len(spots) - 1} trials",
                          log=(True, other == "reg"),
                          xlabel="Learning rate",
                          ylabel="L2 strength" if other == "reg" else "Decay after each epoch",
                          reference=(PAPER["learning_rate"], PAPER[other], "the paper"))
    return {"space": panels[0]}


def conclude(best, results, trials):
    """Return the findings.

    best      number of the best random trial
    results   {number: results of runs.train, one for each seed}
    trials    {number: settings}
    """
    above = gain(results[best], results[0])
    return [Finding(f"4.1: {text(PAPER)} yield the best validation accuracy of a random search in "
                    "log space",
                    f"the best of {len(trials) - 1} random trials, {text(trials[best])}, reaches "
                    f"{percent(accuracy(results[best]))}, the paper's values "
                    f"{percent(accuracy(results[0]))}; the difference is {points(above)}",
                    verdict_on(above, "no more"), "space")]


def remarks(trials, found):
    """Yield a sentence for each rung: the rank of the paper's values and the range of the best."""
    for epochs, results in found.items():
        better = sum(result["score"] > results[0]["score"] for result in results.values())
        best = survivors({number: result["score"] for number, result in results.items()},
                         1 + len(results) // 5)
        ranges = (f"{name} {min(values):.3g} to {max(values):.3g}" for key, name in NAMES.items()
                  for values in [[trials[number][key] for number in best]])
        yield (f"After epoch {epochs}: {better} of {len(results) - 1} random trials exceed the "
               f"paper's values, which reach {100 * results[0]['score']:.1f} %. Range of the best "
               f"{len(best)}: {', '.join(ranges)}.")


def main(argv=None):
    argv = sys.argv[1:] if argv is None else argv
    args, data = options.begin(parse(), argv)
    args.trials = args.trials or (4 if args.quick else 30)
    base = options.base_run(args, "search")
    rungs = trainings.rungs(args.epochs, args.trials, SHARES, IN_FULL)
    print(f"{args.trials} trials from {SPACE}; (epochs, trials): {rungs}", flush=True)
    trials = {0: PAPER, **{number: draw(SPACE, args.search_seed, number)
                           for number in range(1, args.trials + 1)}}
    with trainings.workers(__file__, argv, args.processes - 1):
        found = trainings.search(base, trials, rungs, data, args.runs, always=(0,),
                                 key=[repr(SPACE), args.search_seed])
    if args.worker:
        return
    results = {number: train_seeds(trainings.run_of(base, number, trials[number]), data, args.runs,
                                   args.seeds)
               for number in found[args.epochs]}
    best = max((number for number in results if number),
               key=lambda number: accuracy(results[number])[0])
    rows = [findings.row_of(f"{text(trials[number])}{'' if number else ' (the paper)'}",
                            trial_results) for number, trial_results in results.items()]
    seconds = sum(result["seconds"] for _, result in trainings.longest(found).values())
    # The search trains seed 0 only
    seconds += sum(result["seconds"]
                   for trial_results in results.values() for result in trial_results[1:])
    findings.save(args, data, 3, title="Random search", header=findings.HEADER, rows=rows,
                  seconds=seconds, findings=conclude(best, results, trials),
                  figures=draw_space(trials, found), results=sum(results.values(), []),
                  notes=[*remarks(trials, found), explain(args.seeds),
                         "Trials are ranked by their best epoch, on the same faces as the "
                         "reported accuracy."])


if __name__ == "__main__":
    main()
