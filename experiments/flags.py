"""The command line of all scripts: a wrong option ends the script with one line and status 2.

Parser reads the options; the other functions are their types. A value is checked while the command
line is read, before data is loaded, a folder is made or a kernel is compiled.
"""
import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

__all__ = ["Parser", "existing", "real", "target", "target_folder", "whole"]


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that keeps the lines of a docstring, and whose errors are one line.

    description    docstring of the script
    prog           name of the script; default: that of the file
    add_help       whether there is an option --help
    """

    def __init__(self, description: str | None, prog: str | None = None, add_help: bool = True
                 ) -> None:
        super().__init__(prog, description=description, add_help=add_help,
                         formatter_class=argparse.RawDescriptionHelpFormatter)

    def error(self, message: str) -> NoReturn:
        """End the script with status 2 after one line on standard error."""
        self.exit(2, f"{self.prog}: {message}; see --help\n")


def whole(least: int = 0) -> Callable[[str], int]:
    """Return the type of options that are whole numbers of at least `least`."""
    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least:
            raise argparse.ArgumentTypeError(f"got {text}, expected a whole number of at least "
                                             f"{least}")
        return value
    return parse


def real(*, least: float = -math.inf, above: float = -math.inf, most: float = math.inf,
         below: float = math.inf) -> Callable[[str], float]:
    """Return the type of options that are finite real numbers between bounds.

    least, most     bounds that are allowed values
    above, below    bounds that are not
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


def existing(text: str) -> Path:
    """Return the path of a file that exists, the type of options that name one to read."""
    path = Path(text)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"there is no file {text}")
    return path


def target(text: str) -> Path:
    """Return the path of a file to write, the type of options that name one."""
    path = Path(text)
    if not text or path.is_dir():
        what = "a folder" if text else "no name"
        raise argparse.ArgumentTypeError(f"got {text!r}, {what}; expected a file to write")
    return path


def target_folder(text: str) -> Path:
    """Return the path of a folder to write to, the type of options that name one."""
    path = Path(text)
    if not text or (path.exists() and not path.is_dir()):
        what = "a file" if text else "no name"
        raise argparse.ArgumentTypeError(f"got {text!r}, {what}; expected a folder to write to")
    return path
