"""The table of commands, and how errors are reported."""
from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

# Set before a command imports NumPy, which reads it once: a training step of the paper's net takes
# 169 ms with one OpenBLAS thread and 225 ms with two.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from .. import __version__  # noqa: E402
from . import evaluate, gradients, info, predict, prepare, saliency, train, web  # noqa: E402
from .parsing import Subparsers  # noqa: E402

__all__ = ["COMMANDS", "main", "make_parser"]

# name -> a function that adds its subparser
COMMANDS: dict[str, Callable[[Subparsers, str], None]] = {
    "predict": predict.add,
    "saliency": saliency.add,
    "web": web.add,
    "train": train.add,
    "evaluate": evaluate.add,
    "prepare": prepare.add,
    "check-gradients": gradients.add,
    "info": info.add,
}
FAILURES = (OSError, ValueError, ImportError, FloatingPointError, MemoryError, RuntimeError)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="cs231n-fer",
        description="Recognize facial expressions in photos, and train the networks that do.",
        epilog="example:\n  cs231n-fer predict photo.jpg\n\n"
               "`cs231n-fer COMMAND --help` explains a command.",
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", action="version", version=f"cs231n-fer {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, add in COMMANDS.items():
        add(commands, name)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; argv None: the arguments of the process.

    Raises SystemExit, with 0 for --help and --version, and with 2 for incorrect usage.
    """
    options = make_parser().parse_args(argv)
    try:
        code: int = options.run(options)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # the reader of a pipe, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except FAILURES as error:
        return failed(options.command, str(error))
    except KeyboardInterrupt as stopped:
        return failed(options.command, str(stopped) or "interrupted")


def failed(command: str, message: str) -> int:
    """Print why a command failed, on one line of stderr, and return the exit code 1."""
    print(f"cs231n-fer {command}: {' '.join(message.split())}", file=sys.stderr)
    return 1
