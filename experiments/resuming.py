"""The folder of a run of train_final.py or train_best.py: it holds one run, to resume or replace.

A new run needs a folder without a run. With --resume, the run in the folder continues with the
settings in config.json; options that contradict them are refused, except --epochs. With
--overwrite, a new run replaces it: old files are removed once all options are known to be valid.
"""
import argparse
import json
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cs231n_fer.files.checkpoint import write_text
from cs231n_fer.shapes import check
from cs231n_fer.solver.run_folder import BEFORE, FILES, LAST

__all__ = ["NotBegun", "add_options", "before_the_run", "begin_folder", "check_same_run",
           "how_to_continue", "parsed"]

CONFIG = "config.json"
FIGURES = ("class_distribution", "examples", "accuracy", "loss", "confusion_matrix", "saliency",
           "per_class_accuracy")
RESULTS = ("metrics.json", *(f"{name}.png" for name in FIGURES))
OWN = ("out", "resume", "overwrite")  # options that are not settings of a run
PATHS = ("data", "init", "teacher")  # config.json holds their names without folders


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add --resume and --overwrite to a parser."""
    parser.add_argument("--resume", action="store_true",
                        help="continue the run in --out with its settings; only --epochs may "
                             "differ (default: start a new run)")
    parser.add_argument("--overwrite", action="store_true",
                        help="replace the run in --out (default: refuse a folder with a run)")


def parsed(parser: argparse.ArgumentParser, argv: Sequence[str] | None = None
           ) -> argparse.Namespace:
    """Return the options of a command line, completed by those of a run to resume.

    Raises ValueError if --out holds a run that is to be neither resumed nor replaced, if there is
    no run to resume, or if its settings contradict the options.
    """
    args = parser.parse_args(argv)
    check(not (args.resume and args.overwrite),
          "--resume, --overwrite: got both, expected at most one: continue the run, or replace it")
    found = [name for name in (*FILES, *RESULTS) if (args.out / name).exists()]
    check(args.resume or args.overwrite or not found,
          f"--out: {args.out} holds {', '.join(found)} of another run; continue it with "
          "--resume, replace it with --overwrite, or give another folder")
    if args.resume:
        take_settings(args, given_options(parser, args, argv))
    return args


def given_options(parser: argparse.ArgumentParser, args: argparse.Namespace,
                  argv: Sequence[str] | None) -> set[str]:
    """Return the names of the options that a command line gives; args is what it was parsed to."""
    nothing = object()
    # A parser sets no default for a name that the namespace has already.
    marked = parser.parse_args(argv, argparse.Namespace(**dict.fromkeys(vars(args), nothing)))
    return {name for name, value in vars(marked).items() if value is not nothing}


def take_settings(args: argparse.Namespace, given: set[str]) -> None:
    """Replace the options that are not given with those of the run in args.out.

    Raises ValueError if there is no run, or if a given option contradicts it.
    """
    check((args.out / LAST).exists() or (args.out / BEFORE).exists(),
          f"--resume: {args.out} has no run to continue, neither {LAST} nor {BEFORE}; start one "
          "without --resume")
    saved = saved_config(args.out / CONFIG)
    for name, value in vars(args).items():
        if name in OWN or name not in saved or name in PATHS or name == "epochs" and name in given:
            continue
        check(name not in given or json.loads(json.dumps(value)) == saved[name],
              f"--resume: {name} is {value!r}, but {args.out} was trained with {saved[name]!r}")
        setattr(args, name, saved[name])
    if "data" not in given and str(saved.get("data")).startswith("synthetic"):
        args.data = "synthetic"
    if "init" not in given and saved.get("init"):
        args.init = Path(saved["init"])  # its weights are in the checkpoint
    check("teacher" in given or not saved.get("teacher"),
          f"--resume: {args.out} was trained with the teachers {saved.get('teacher')}; "
          "give their paths with --teacher")


def saved_config(path: Path) -> dict[str, Any]:
    """Return the settings in config.json; raise ValueError if there are none."""
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"--resume: {path} cannot be read ({error})") from error
    check(isinstance(saved, dict), f"--resume: {path} does not hold the settings of a run")
    config: dict[str, Any] = saved
    return config


def check_same_run(config: Mapping[str, Any], path: Path) -> None:
    """Raise ValueError if the run to resume had other settings than config.

    path    config.json of that run; only the number of epochs and the environment may differ
    """
    before = saved_config(path)
    for key in config.keys() - {"epochs", "environment"}:
        hint = "; give the same --data" if key.startswith("data") else ""
        check(config[key] == before.get(key), f"--resume: {key} is {config[key]!r}, but "
                                              f"{path.parent} was trained with {before.get(key)!r}"
                                              f"{hint}")


def begin_folder(out: Path, config: Mapping[str, Any], overwrite: bool) -> None:
    """Write config.json of a run whose Solver has been made; remove the files of another run."""
    if overwrite:
        for name in RESULTS:
            (out / name).unlink(missing_ok=True)
    write_text(out / CONFIG, json.dumps(config, indent=2) + "\n")


class NotBegun(KeyboardInterrupt):
    """Ctrl-C before a run has changed its folder."""


@contextmanager
def before_the_run() -> Iterator[None]:
    """Raise NotBegun for a Ctrl-C inside, where the folder holds what it held before."""
    try:
        yield
    except KeyboardInterrupt as stopped:
        raise NotBegun("interrupted before the run began") from stopped


def how_to_continue(stopped: KeyboardInterrupt, out: Path) -> str:
    """Return what Ctrl-C has stopped, and the command that continues this process.

    Where the run has not begun, that is its own command: the folder may hold another run.
    """
    words = sys.argv
    if not isinstance(stopped, NotBegun):
        words = [word for word in words
                 if word != "--resume" and not (len(word) > 3 and "--overwrite".startswith(word))]
        if (out / LAST).exists() or (out / BEFORE).exists():
            words.append("--resume")
    return (f"{str(stopped) or 'interrupted'}; continue with\n"
            f"    {shlex.join(['python', *words])}")
