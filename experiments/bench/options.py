"""The command line that the bench/*.py scripts share, the settings that they print first, and how they end."""
import argparse
import shlex
import sys
from pathlib import Path

from . import machine
from .interleave import SIMD, WAITING
from .report import write_readme, write_results


def parser(description):
    """Return an ArgumentParser with the common options."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = made.add_argument
    add("--threads", type=int, nargs="+",
        help="thread counts, the same for everybody; default: all cores, and 1 where engines are compared")
    add("--rungs", nargs="+", default=["auto"], help="of ours; the first is the one that ratios are about")
    add("--rounds", type=int, help="blocks of each worker (default 8; 3 with --quick)")
    add("--block-seconds", type=float, help="length of a block (default 0.6; 0.3 with --quick)")
    add("--limit", type=float, default=300, help="seconds in which an engine must be ready (default %(default)s)")
    add("--simd", choices=sorted(SIMD), help="hold ours and PyTorch to this vector unit")
    add("--waiting", choices=sorted(WAITING), default="passive",
        help="idle OpenMP threads: passive ones sleep at once, default ones spin a little (default: %(default)s)")
    add("--machine", metavar="NAME", help="results and README's table get this name of a second machine in theirs")
    add("--quick", action="store_true", help="a smoke test of about a minute; results go to runs/")
    add("--readme", action="store_true", help="also write the tables between the markers of README.md")
    return made


def begin(name, made, one_thread=False):
    """Parse the command line, print settings and machine; returns (args, facts).

    one_thread   whether one thread is timed too, where neither --threads nor --quick is given
    """
    args = made.parse_args()
    everything = {machine.cores(), *([1] if one_thread and not args.quick else [])}
    args.threads = args.threads or sorted(everything, reverse=True)
    args.rounds = args.rounds or (3 if args.quick else 8)
    args.block_seconds = args.block_seconds or (0.3 if args.quick else 0.6)
    facts = machine.describe()
    print(f"{name}: " + ", ".join(f"{key} {value}" for key, value in vars(args).items() if value is not None))
    print(machine.sentence(facts))
    if machine.warning(facts):
        print(machine.warning(facts))
    return args, facts


def turns(args):
    """Return the keywords of time_in_turns."""
    return {"rounds": args.rounds, "block_seconds": args.block_seconds, "limit": args.limit, "simd": args.simd,
            "waiting": args.waiting}


def finish(name, args, facts, results, body):
    """Print README's text, write the JSON and, if it is wanted, that text to the README; body is its tables."""
    name = "_".join(filter(None, [name, getattr(args, "simd", None), getattr(args, "machine", None)]))
    command = shlex.join(["python", f"experiments/bench/{Path(sys.argv[0]).name}", *sys.argv[1:]])
    body = f"Measured by `{command}`: {machine.sentence(facts)}.\n\n{body}"
    print(f"\n{body}\n")
    settings = {key: value for key, value in vars(args).items() if key not in ("readme", "quick")}
    print("results:", write_results(name, {"command": command, "machine": facts, "settings": settings,
                                           "results": results}, args.quick))
    if args.readme:
        print(write_readme(name, body))
