"""Compare a training step (forward, backward, Adam with L2) with PyTorch, on the same data.

    python experiments/bench/step.py --page   every net, batch size and thread count, for SPEED.md
    python experiments/bench/step.py --quick   a smoke test of about a minute
    python experiments/bench/step.py --nets final --batches 50 --threads 2 --rungs winograd fast
    python experiments/bench/step.py --simd avx2 --batches 50   both engines restricted to AVX2

PyTorch runs eager and compiled; contiguous and channels_last; as installed and with glibc's malloc
tuned for it. All engines start from the same weights and faces. Before an engine is timed, it must
reproduce the loss and gradients of our im2col rung in float64. Exits with 1 if one doesn't.
"""
import sys
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import tempfile

from experiments import flags
from experiments.bench import cases, options
from experiments.bench.nets import NETS

BATCHES = {"final": (16, 50, 128, 256), "final + bn": (16, 50, 128, 256), "baseline": (50,),
           "conv-conv-pool": (50,)}
ONE_THREAD = (50,)


def parse():
    parser = options.parser(__doc__)
    add = parser.add_argument
    add("--nets", nargs="+", choices=NETS, default=list(NETS),
        help="networks to time (default: all)")
    add("--batches", type=flags.whole(1), nargs="+",
        help="batch sizes (default: the paper's 50; with several threads, the final net also runs "
             "16, 128 and 256)")
    add("--compile", type=flags.whole(1), nargs="*", metavar="BATCH", default=[50],
        help="batch sizes for which torch.compile is timed too, about a minute per variant "
             "(default: 50)")
    return parser


def engines(args, batch):
    """Return the specs of all engines of a case."""
    if args.quick:
        return cases.ours(args.rungs) + cases.pytorch(["eager"], ["channels_last"])
    executors = ["eager", *(["compile"] if batch in args.compile else [])]
    return cases.ours(args.rungs) + cases.pytorch(executors)


def main():
    args, facts = options.begin("bench_step", parse(), one_thread=True)
    if args.quick:
        args.nets = args.nets[:2]
        args.batches = args.batches or [50]
    done = []
    with tempfile.TemporaryDirectory() as folder:
        for threads in args.threads:
            for net in args.nets:
                for batch in args.batches or (BATCHES[net] if threads > 1 else ONE_THREAD):
                    case = cases.run_case(net, batch, threads, "step", engines(args, batch),
                                          Path(folder), **options.turns(args))
                    done.append(case)
                    print(f"\n{cases.case_table(case)}", flush=True)
    options.finish("bench_step", args, facts, done, cases.overview(done))
    for failure in cases.failures(done):
        print("FAILED", failure)
    return 1 if cases.failures(done) else 0


if __name__ == "__main__":
    sys.exit(main())
