"""The command line that the scripts of paper/ share, their data, and their printed settings."""
import shlex
from dataclasses import replace
from pathlib import Path

from cs231n_fer.data_utils import load_data
from experiments import flags
from experiments.bench import machine

from .runs import Run

ROOT = Path(__file__).resolve().parents[2]
RUNS = ROOT / "runs" / "paper"
RESULTS = ROOT / "experiments" / "results" / "paper"
QUICK_RUNS = ROOT / "runs" / "paper-quick"
QUICK_FACES = {"synthetic_train": 1000, "synthetic_val": 300, "synthetic_test": 0}
QUICK_NET = {"num_filters": [16, 16, 32, 32], "hidden_dim": 32}
QUICK_EPOCHS = 3
QUICK_BATCH = 25
PAPER_EPOCHS = 40
PAPER_DECAY = 0.95


def parser(name, description, epochs=PAPER_EPOCHS, seeds=1):
    """Return an ArgumentParser with the common options.

    name            of the script, without .py
    description     the script's docstring
    epochs, seeds   defaults of --epochs and --seeds; with --quick they are QUICK_EPOCHS and 1
    """
    made = flags.Parser(description, name)
    made.set_defaults(defaults=(epochs, seeds))
    add = made.add_argument
    add("--data",
        help="prepared .h5, Kaggle's CSV or archive, an image folder, or 'synthetic' (default: as "
             "train_final.py)")
    add("--quick", action="store_true",
        help="run a smoke test on a few synthetic faces; its results are meaningless")
    add("--seeds", type=flags.whole(1),
        help=f"number of seeds, from 0 to SEEDS - 1 (default {seeds}; 1 with --quick)")
    add("--epochs", type=flags.whole(1),
        help="number of epochs of a training; the learning rate's decay is stretched to fit "
             f"(default {epochs}; {QUICK_EPOCHS} with --quick)")
    add("--runs", type=flags.target_folder,
        help="folder of all trainings, where finished ones are found again (default runs/paper)")
    add("--results", type=flags.target_folder,
        help="folder of JSON files and figures (default experiments/results/paper; with --quick "
             "runs/paper-quick/results)")
    return made


def begin(made, argv=None):
    """Parse the command line, load the faces, print the settings; returns (args, data).

    args    also has name (of the script) and command (which repeats it)
    Raises SystemExit for a wrong option, and what load_data raises.
    """
    args = made.parse_args(argv)
    args.name = made.prog
    args.command = command(made, args)
    epochs, seeds = (QUICK_EPOCHS, 1) if args.quick else args.defaults
    args.epochs = epochs if args.epochs is None else args.epochs
    args.seeds = args.seeds or seeds
    folders(args)
    if args.quick and args.data is None:
        data = load_data("synthetic", **QUICK_FACES)
    else:
        data = load_data(args.data)
    print(f"{args.name}: " + ", ".join(f"{key} {value}" for key, value in settings(args).items()))
    print(f"{Path(data['source']).name}: {len(data['X_train']):,} faces to train, "
          f"{len(data['X_val']):,} to validate")
    print(machine.sentence(machine.describe()), flush=True)
    return args, data


def folders(args):
    """Set args.runs and args.results where they are not given; returns args.

    Results of --quick have folders of their own.
    """
    args.runs = args.runs or (QUICK_RUNS if args.quick else RUNS)
    args.results = args.results or (QUICK_RUNS / "results" if args.quick else RESULTS)
    return args


def settings(args):
    """Return {option: value} of the options that affect the results, serializable as JSON."""
    left_out = ("name", "command", "defaults", "runs", "results", "data")
    return {key: value.name if isinstance(value, Path) else value
            for key, value in vars(args).items() if key not in left_out}


def command(made, args):
    """Return the command that repeats a script.

    It has the options that differ from their defaults, and files without their folders.
    """
    words = ["python", f"experiments/paper/{made.prog}.py"]
    for action in made._actions:
        value = getattr(args, action.dest, None)
        if action.dest not in ("runs", "results", "help") and value != action.default:
            words.append(action.option_strings[-1 if value is False else 0])  # --no-x is the last
            if isinstance(value, list):
                values = value
            else:
                values = [] if isinstance(value, bool) else [value]
            words += [Path(item).name if action.dest == "data" or isinstance(item, Path)
                      else str(item) for item in values]
    return shlex.join(words)


def base_run(args, name, num_epochs=None):
    """Return the paper's run with batchnorm; a small one with --quick.

    num_epochs   by default args.epochs. The decay is stretched: for any number of epochs the
                 learning rate ends at the value that it has after the paper's 40.
    """
    epochs = num_epochs or args.epochs
    run = Run(name=name, num_epochs=epochs,
              lr_decay=round(PAPER_DECAY ** (PAPER_EPOCHS / epochs), 6))
    return replace(run.with_model(**QUICK_NET), batch_size=QUICK_BATCH) if args.quick else run
