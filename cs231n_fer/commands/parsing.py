"""What all commands share: how a subparser is made, and types of arguments."""
from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

__all__ = ["Run", "Subparsers", "box", "command", "real", "target_folder", "whole"]

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
Run: TypeAlias = Callable[[argparse.Namespace], int]  # returns the exit code


def command(commands: Subparsers, name: str, run: Run, summary: str, example: str
            ) -> argparse.ArgumentParser:
    """Return the new subparser of a command.

    run        called with the options
    summary    a sentence without a full stop
    example    example command lines, shown at the end of the help
    """
    shown = example.replace("%", "%%")
    parser = commands.add_parser(
        name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=f"example:\n  {shown}", formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.set_defaults(run=run)
    return parser


def whole(least: int = 0) -> Callable[[str], int]:
    """Return a type of argument: integers of at least `least`."""
    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least:
            raise argparse.ArgumentTypeError(f"got {text}, expected an integer of at least {least}")
        return value
    return parse


def real(*, least: float = -math.inf, above: float = -math.inf, most: float = math.inf,
         below: float = math.inf) -> Callable[[str], float]:
    """Return a type of argument: finite real numbers within bounds.

    least, most     inclusive bounds
    above, below    exclusive bounds
    """
    limits = [(f"at least {least}", least), (f"above {above}", above), (f"at most {most}", most),
              (f"below {below}", below)]
    bounds = " and ".join(text for text, bound in limits if math.isfinite(bound))
    expected = f"a number, {bounds}" if bounds else "a number"

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and least <= value <= most and above < value < below):
            raise argparse.ArgumentTypeError(f"got {text}, expected {expected}")
        return value
    return parse


def target_folder(text: str) -> Path:
    """Convert an argument to the path of a folder to write to, which may not exist yet."""
    path = Path(text)
    if not text or (path.exists() and not path.is_dir()):
        what = "a file" if text else "no name"
        raise argparse.ArgumentTypeError(f"got {text!r}, {what}; expected a folder to write to")
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
