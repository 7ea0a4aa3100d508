"""What all commands share: how a subparser is made, and the types of arguments."""
from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

__all__ = ["Run", "Subparsers", "box", "command", "folder", "positive", "whole"]

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
Run: TypeAlias = Callable[[argparse.Namespace], int]  # returns the exit code


def command(commands: Subparsers, name: str, run: Run, summary: str, example: str
            ) -> argparse.ArgumentParser:
    """Return the new subparser of a command.

    run        called with the options
    summary    a sentence without a full stop
    example    command lines, shown at the end of the help
    """
    shown = example.replace("%", "%%")
    parser = commands.add_parser(
        name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=f"example:\n  {shown}", formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.set_defaults(run=run)
    return parser


def whole(least: int) -> Callable[[str], int]:
    """Return a type of argument: integers of at least `least`."""
    def convert(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least:
            raise argparse.ArgumentTypeError(f"got {text!r}, expected an integer of at least "
                                             f"{least}")
        return number
    return convert


def positive(text: str) -> float:
    """Convert an argument to a finite number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a number above 0")
    return number


def folder(text: str) -> Path:
    """Convert an argument to the path of a folder to write to, which may not exist yet."""
    path = Path(text)
    if not text or (path.exists() and not path.is_dir()):
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a folder to write to")
    return path


def box(text: str) -> tuple[float, ...]:
    """Convert an argument such as 178,63,89,112 to the numbers x, y, w, h of a box."""
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    finite = all(abs(number) < float("inf") for number in numbers)
    if len(numbers) != 4 or not finite or min(numbers[2:]) <= 0:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected x,y,w,h in pixels, such as "
                                         "178,63,89,112, with w and h above 0")
    return numbers
