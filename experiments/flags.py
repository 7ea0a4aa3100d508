"""The command line of all scripts: a bad option ends the script with one line and status 2.

Parser reads the options; the other functions are types for them. Values are checked while the
command line is parsed, before data is loaded, a folder is created or a kernel is compiled.
"""
import argparse
from pathlib import Path
from typing import NoReturn

from cs231n_fer.commands.parsing import real, target_folder, whole

__all__ = ["Parser", "existing", "real", "target", "target_folder", "whole"]


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that keeps the line breaks of the docstring and prints errors on one line.

    description    docstring of the script
    prog           name of the script (default: the name of the file)
    add_help       whether to add the option --help
    """

    def __init__(self, description: str | None, prog: str | None = None, add_help: bool = True
                 ) -> None:
        super().__init__(prog, description=description, add_help=add_help,
                         formatter_class=argparse.RawDescriptionHelpFormatter)

    def error(self, message: str) -> NoReturn:
        """End the script with status 2 after one line on standard error."""
        self.exit(2, f"{self.prog}: {message}; see --help\n")


def existing(text: str) -> Path:
    """Convert an option to the path of an existing file."""
    path = Path(text)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"no such file: {text}")
    return path


def target(text: str) -> Path:
    """Convert an option to the path of a file to write."""
    path = Path(text)
    if not text or path.is_dir():
        what = "a folder" if text else "no name"
        raise argparse.ArgumentTypeError(f"got {text!r}, {what}; expected a file to write")
    return path
