"""Time all rungs of the operations of cs231n_fer.nets.ladder, on the layers of the paper's net.

    python experiments/bench/ladder.py --page
    python experiments/bench/ladder.py --quick                    a smoke test of about a minute
    python experiments/bench/ladder.py --operations conv --rungs im2col fast winograd

Times are for the forward and backward pass of a batch; the naive rung runs one image, and its time
is multiplied by the batch size. Exits with 1 if the results of a rung differ from those of the rung
before it.
"""
import sys
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[2])


from experiments import flags
from experiments.bench import options
from experiments.bench.cases import PEAK, peak_rate, percent
from experiments.bench.interleave import time_in_turns
from experiments.bench.nets import NETS
from experiments.bench.peers.ladder_rung import ARGUMENTS, LADDER, flops, operations
from experiments.bench.report import number, table
from experiments.bench.statistics import gflops_per_second, summary

AGREE = 1e-4  # largest difference of probes, which lie between -1 and 1, in float32


def parse():
    parser = options.parser(__doc__)
    parser.set_defaults(rungs=None, rounds=4, block_seconds=0.3)  # there are some hundred workers
    parser.add_argument("--operations", nargs="+", choices=LADDER, default=list(LADDER),
                        help="operations to time (default: all)")
    parser.add_argument("--batch", type=flags.whole(1), default=50,
                        help="batch size (default: %(default)s)")
    return parser


def specs_of(operation, shape, outputs, size, rungs, threads):
    """Return the specs of an operation on a shape, of the given rungs or of all."""
    name = f"{operation} {' x '.join(map(str, shape[1:]))}"
    if flops(operation, shape, outputs, size):
        name += f" -> {outputs}"
    return [{"label": f"{name}, {rung}", "peer": "ladder_rung", "operation": operation,
             "rung": rung, "x_shape": shape, "outputs": outputs, "size": size,
             "images": 1 if rung == "naive" else shape[0], "threads": threads}
            for rung in LADDER[operation] if not rungs or rung in rungs]


def rows_of(results, peak):
    """Return the rows of a table, one for every rung of an operation on a shape.

    Their columns are name, rung, ms, GFLOP/s, % of peak, speed-up over the rung before and
    difference from it. A result that differs too much gets an error.
    """
    rows = []
    before = None
    for result in results:
        name, rung = result["label"].split(", ")
        if not result["rounds"]:
            rows.append([name, rung, None, None, None, None, result["error"]])
            continue
        ms = summary(result["rounds"])["median_ms"] * result["x_shape"][0] / result["images"]
        work = flops(result["operation"], result["x_shape"], result["outputs"], result["size"])
        rate = gflops_per_second(work, ms) if work else None
        probes = result["info"]["probes"]
        gap = max(abs(a - b) for a, b in zip(probes, before[1], strict=True)) if before else None
        result["error"] = f"WRONG: differs by {gap:.1e}" if before and not gap < AGREE else None
        rows.append([name, rung, ms, rate, rate and percent(rate, peak), before and before[0] / ms,
                     result["error"] or gap and f"{gap:.0e}"])
        before = ms, probes
    return rows


def overview(groups):
    """Return the table of SPEED.md: a row per operation and shape, a column per rung."""
    rungs = list(dict.fromkeys(row[1] for rows in groups for row in rows))
    lines = []
    for rows in groups:
        cells = {rung: number(ms) + (f" ({number(gain)}x)" if gain else "")
                 for _, rung, ms, _, _, gain, _ in rows if ms}
        best = min((row for row in rows if row[2]), key=lambda row: row[2], default=rows[0])
        lines.append([rows[0][0], *(cells.get(rung, "-") for rung in rungs), best[3], best[4]])
    note = ("Milliseconds for the forward and backward pass of one batch; in parentheses, the "
            "speed-up over the rung to the left.")
    header = ["operation", *rungs, "best GFLOP/s", "% of peak"]
    return f"{note}\n\n{table(header, lines)}"


def main():
    args, facts = options.begin("bench_ladder", parse())
    threads = args.threads[0]
    work = [case for case in dict.fromkeys(operations(NETS["final"], args.batch))
            if case[0] in args.operations]
    unknown = {operation for operation, *_ in work} - set(ARGUMENTS)
    print(f"left out, no arguments known: {sorted(unknown)}" if unknown
          else f"{len(work)} operations and shapes")
    work = [case for case in work if case[0] not in unknown]
    if args.quick:  # the first two layers
        work = [(operation, shape, *rest) for operation, shape, *rest in work
                if operation in ("conv", "conv_bn_relu_pool", "max_pool") and shape[1] <= 32][:5]
    peak = peak_rate(time_in_turns([{**PEAK, "threads": threads}], **options.turns(args))[0])
    groups = []
    results = []
    for case in work:
        rungs = time_in_turns(specs_of(*case, args.rungs, threads), **options.turns(args))
        results += rungs
        groups.append(rows_of(rungs, peak))
        header = ["operation", "rung", "ms", "GFLOP/s", "% of peak", "speed-up", "difference"]
        print(table(header, groups[-1]), end="\n\n", flush=True)
    options.finish("bench_ladder", args, facts, {"peak_gflops": peak, "engines": results},
                   overview(groups))
    return 1 if any(result["error"] for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
