"""Compare inference with PyTorch, ONNX Runtime and OpenVINO, on the same weights and faces.

    python experiments/bench/inference.py --page
    python experiments/bench/inference.py --quick                 a smoke test of about a minute
    python experiments/bench/inference.py --nets final --batches 1 50 --threads 2

PyTorch runs eager, frozen by torch.jit and compiled; contiguous and channels_last; as installed and
with glibc's malloc tuned for it. Before an engine is timed, it must reproduce the scores of our
im2col rung in float64. Exits with 1 if one doesn't. Engines that aren't installed are named and
skipped; `pip install -e ".[bench]"` installs all of them.
"""
import sys
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import tempfile

from experiments import flags
from experiments.bench import cases, options
from experiments.bench.nets import NETS

OTHERS = [{"label": "ONNX Runtime", "group": "ONNX Runtime", "peer": "onnx_runtime"},
          {"label": "OpenVINO", "group": "OpenVINO", "peer": "open_vino"}]


def parse():
    parser = options.parser(__doc__)
    add = parser.add_argument
    add("--nets", nargs="+", choices=NETS, default=["final", "final + bn"],
        help="networks to time (default: final and final + bn)")
    add("--batches", type=flags.whole(1), nargs="+", default=[1, 50, 256],
        help="batch sizes (default: 1 50 256)")
    add("--compile", type=flags.whole(1), nargs="*", metavar="BATCH", default=[1, 50],
        help="batch sizes for which torch.compile is timed too, about a minute per variant "
             "(default: 1 50)")
    return parser


def engines(args, batch):
    """Return the specs of all engines of a case.

    With --simd, ONNX Runtime and OpenVINO are left out: they can't be held to an instruction set.
    """
    others = [] if args.simd else OTHERS
    if args.quick:
        return cases.ours(args.rungs) + cases.pytorch(["jit"], ["channels_last"], [True]) + others
    executors = ["eager", "jit", *(["compile"] if batch in args.compile else [])]
    return cases.ours(args.rungs) + cases.pytorch(executors) + others


def main():
    args, facts = options.begin("bench_inference", parse(), one_thread=True)
    if args.quick:
        args.nets = args.nets[:1]
        args.batches = args.batches[:2]
    done = []
    with tempfile.TemporaryDirectory() as folder:
        for threads in args.threads:
            for net in args.nets:
                for batch in args.batches:
                    case = cases.run_case(net, batch, threads, "inference", engines(args, batch),
                                          Path(folder), **options.turns(args))
                    done.append(case)
                    print(f"\n{cases.case_table(case)}", flush=True)
    options.finish("bench_inference", args, facts, done, cases.overview(done))
    for failure in cases.failures(done):
        print("FAILED", failure)
    return 1 if cases.failures(done) else 0


if __name__ == "__main__":
    sys.exit(main())
