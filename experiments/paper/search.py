"""Random search in log space over learning rate, L2 strength and decay of the final net, beside the
paper's values.

    python experiments/paper/search.py                       30 trials: about an hour on 2 cores
    python experiments/paper/search.py --processes 2         the same trials with the same results
    python experiments/paper/search.py --trials 60           goes on: the first 30 are there
    python experiments/paper/search.py --quick               a smoke test on synthetic faces

Trial 0 has the paper's values, the others are drawn. The hopeless are given up: all are trained for
1/40 of the epochs, the best two thirds of them for 1/10, the best fifth for 3/10, the best two in
full, trial 0 always. The same command on any machine that sees the folder --runs works on the same
search; who is killed loses the epoch that it was in.
"""
import sys
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    import experiments.paper  # noqa: F401  here, before NumPy


from cs231n_fer.solver.search import LogUniform, draw, survivors
from cs231n_fer.vis_utils import curves
from experiments.paper import findings, options
from experiments.paper import trials as trainings
from experiments.paper.findings import Finding, verdict_on
from experiments.paper.runs import train_seeds
from experiments.paper.statistics import accuracy, explain, gain, percent, points

SPACE = {"learning_rate": LogUniform(3e-5, 3e-2), "reg": LogUniform(1e-6, 1e-1),
         "lr_decay": LogUniform(0.8, 1.0)}
PAPER = {"learning_rate": 0.00127, "reg": 0.00172, "lr_decay": 0.95}
NAMES = {"learning_rate": "learning rate", "reg": "L2 strength", "lr_decay": "decay"}
SHARES, IN_FULL = ((1 / 40, 1), (1 / 10, 2 / 3), (3 / 10, 1 / 5)), 2


def parse():
    parser = options.parser("search", __doc__)
    parser.add_argument("--trials", type=int, help="random ones (default 30; 4 with --quick)")
    parser.add_argument("--search-seed", type=int, default=0, help="of the random trials")
    parser.add_argument("--processes", type=int, default=1,
                        help="that share the trials and the threads")
    parser.add_argument("--worker", action="store_true", help="do trials, write no results")
    return parser


def text(settings):
    """Write settings for people."""
    return ", ".join(f"{NAMES[name]} {value:.3g}" for name, value in settings.items())


def draw_space(trials, found):
    """Return the figure: each trial where it lies, coloured by its accuracy, the larger the longer
    it was trained."""
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
    """Return the finding: best is the number of the best random trial, results {number: results
    over seeds}."""
    above = gain(results[best], results[0])
    return [Finding(f"4.1: {text(PAPER)} yield the best validation accuracy of a random search in "
                    "log space",
                    f"the best of {len(trials) - 1} random trials, {text(trials[best])}, reaches "
                    f"{percent(accuracy(results[best]))}, the paper's values "
                    f"{percent(accuracy(results[0]))}; the difference is {points(above)}",
                    verdict_on(above, "no more"), "space")]


def remarks(trials, found):
    """Yield a sentence for each rung: how the paper's values do among the random ones, and where
    the best lie."""
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
    rows = [findings.row_of(f"{text(trials[number])}{'' if number else ' (the paper)'}", each)
            for number, each in results.items()]
    seconds = sum(result["seconds"] for _, result in trainings.longest(found).values())
    # The other seeds
    seconds += sum(result["seconds"] for each in results.values() for result in each[1:])
    findings.save(args, data, 3, title="Random search", header=findings.HEADER, rows=rows,
                  seconds=seconds,
                  findings=conclude(best, results, trials), figures=draw_space(trials, found),
                  results=sum(results.values(), []),
                  notes=[*remarks(trials, found), explain(args.seeds),
                         "Trials are ranked by their best epoch, on the same faces as the "
                         "reported accuracy."])


if __name__ == "__main__":
    main()
