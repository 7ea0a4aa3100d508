"""The common command line of the benchmarks, and what they print and write."""
import shlex
import sys
from pathlib import Path

from cs231n_fer.nets.ladder import RUNGS
from experiments import flags

from . import machine
from .interleave import SIMD, WAITING
from .report import SPEED, quick_copy, write_page, write_results


def parser(description):
    """Return an ArgumentParser with the common options.

    description    docstring of the script
    """
    made = flags.Parser(description)
    add = made.add_argument
    add("--threads", type=flags.whole(1), nargs="+",
        help="numbers of threads, the same for all engines (default: all cores; also 1 where "
             "engines are compared)")
    add("--rungs", nargs="+", choices=("auto", *RUNGS), default=["auto"],
        help="rungs of this engine; ratios refer to the first (default: auto)")
    add("--rounds", type=flags.whole(1),
        help="timed blocks per worker (default 8; 3 with --quick)")
    add("--block-seconds", type=flags.real(above=0),
        help="duration of a block (default 0.6; 0.3 with --quick)")
    add("--limit", type=flags.real(above=0), default=300,
        help="seconds after which an engine that is not ready is skipped "
             "(default: %(default)s)")
    add("--simd", choices=sorted(SIMD),
        help="restrict this engine and PyTorch to this instruction set (default: the best one)")
    add("--waiting", choices=sorted(WAITING), default="passive",
        help="idle OpenMP threads: passive ones sleep at once, default ones spin briefly "
             "(default: %(default)s)")
    add("--machine", metavar="NAME",
        help="suffix for the results and the table of a second machine, such as zen3 (default: "
             "none)")
    add("--quick", action="store_true",
        help="a smoke test of about a minute; results and page go to runs/")
    add("--page", action="store_true", help="also write the table to experiments/results/SPEED.md")
    return made


def begin(name, made, one_thread=False):
    """Parse the command line, print settings and machine, and return (args, facts).

    name          name of the benchmark
    made          its ArgumentParser
    one_thread    whether one thread is timed too if neither --threads nor --quick is given
    """
    args = made.parse_args()
    everything = {machine.cores(), *([1] if one_thread and not args.quick else [])}
    args.threads = args.threads or sorted(everything, reverse=True)
    args.rounds = args.rounds or (3 if args.quick else 8)
    args.block_seconds = args.block_seconds or (0.3 if args.quick else 0.6)
    facts = machine.describe()
    print(f"{name}: "
          + ", ".join(f"{key} {value}" for key, value in vars(args).items() if value is not None))
    print(machine.sentence(facts))
    if machine.warning(facts):
        print(machine.warning(facts))
    return args, facts


def turns(args):
    """Return the keywords for time_in_turns."""
    return {"rounds": args.rounds, "block_seconds": args.block_seconds, "limit": args.limit,
            "simd": args.simd, "waiting": args.waiting}


def finish(name, args, facts, results, body):
    """Print the table and write the results as JSON; with --page, write the table to SPEED.md.

    body    text of the page: notes and tables
    """
    parts = [name, getattr(args, "simd", None), getattr(args, "machine", None)]
    name = "_".join(filter(None, parts))
    command = shlex.join(["python", f"experiments/bench/{Path(sys.argv[0]).name}", *sys.argv[1:]])
    body = f"Measured with `{command}`: {machine.sentence(facts)}.\n\n{body}"
    print(f"\n{body}\n")
    settings = {key: value for key, value in vars(args).items() if key not in ("page", "quick")}
    stored = {"command": command, "machine": facts, "settings": settings, "results": results}
    print("results:", write_results(name, stored, args.quick))
    if args.page:
        print(write_page(quick_copy(SPEED) if args.quick else SPEED, name, body))
