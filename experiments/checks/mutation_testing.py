"""Count the mutants of the layers and the update rules that the tests kill.

    pip install -e ".[test,mutation]"
    python experiments/checks/mutation_testing.py               # 300 mutants, drawn with --seed
    python experiments/checks/mutation_testing.py --sample 0    # all mutants
    python experiments/checks/mutation_testing.py --only conv   # a trial: only the files whose
                                                                # names contain "conv"

cosmic-ray makes the mutants: copies of a file with one operator or number changed. Those that are
not valid Python, or parse to the same program as the original, are left out. Every mutant is tested
in its own process, which is forked after NumPy and pytest have been imported. Numba compiles
nothing, and only the tests of the mutant's file are run, until the first one fails. Exits with 1 if
less than 90 % of the mutants are killed.
"""
import sys
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import ast
import difflib
import multiprocessing
import os
import random
import resource
from importlib.machinery import SourceFileLoader

os.environ |= {"NUMBA_DISABLE_JIT": "1", "OPENBLAS_NUM_THREADS": "1"}

import numba  # noqa: E402, F401  imported once, before the forks
import pytest  # noqa: E402
from cosmic_ray import plugins  # noqa: E402
from cosmic_ray.ast import ast_nodes, get_ast  # noqa: E402
from cosmic_ray.mutating import mutate_code  # noqa: E402
from hypothesis import Phase, settings  # noqa: E402

from cs231n_fer.files.checkpoint import write_text  # noqa: E402
from experiments import flags  # noqa: E402
from experiments.bench.report import json_text  # noqa: E402
from experiments.checks import equivalent_mutants  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
RESULT = ROOT / "experiments" / "results" / "reliability" / "mutation.json"
FILES = [*sorted((ROOT / "cs231n_fer" / "layers").glob("[!_]*.py")),
         ROOT / "cs231n_fer" / "optim" / "rules.py"]
LAYERS = ["tests/layers/test_layer_edges.py", "tests/layers/test_layers.py",
          "tests/course/test_notebooks.py", "tests/gradient_check/test_gradients.py"]
WORDS = {"activations": "relu", "im2col": "conv or im2col", "batchnorm": "batchnorm or bn_param",
         "layernorm": "layernorm or groupnorm or groups",
         "initializers": "weight or shape"}  # of other files: the name of the file
TESTS = {"course_random": ["tests/course/test_random_numbers.py"],
         "losses": ["tests/layers/test_layer_edges.py", "tests/layers/test_losses.py"],
         "rules": ["tests/optim/test_optim_config.py", "tests/optim/test_optim.py"]}
EQUIVALENT = {(row.file, row.mutant) for row in equivalent_mutants.EQUIVALENT}


def tests_of(path):
    """Return the arguments of pytest that select the fastest tests of a file."""
    if path.stem in TESTS:
        return TESTS[path.stem]
    words = WORDS.get(path.stem, path.stem)
    return [*LAYERS, "-k",
            f"(({words}) and not fast and not winograd and not fused and not affine_relu "
            "and not conv_relu and not conv_bn and not Net and not broken and not script) "
            "or edges or scalars or channels_last"]


def candidates(path):
    """Yield (path, operator, occurrence) of every mutant of a file.

    Operators that take arguments, such as names of variables, are left out.
    """
    nodes = list(ast_nodes(get_ast(path.read_text(encoding="utf-8"))))
    for name in plugins.operator_names():
        operator = plugins.get_operator(name)
        if not operator.arguments():
            found = sum(len(list(operator().mutation_positions(node))) for node in nodes)
            yield from ((path, name, occurrence) for occurrence in range(found))


def mutant(path, name, occurrence):
    """Return the source of a mutant and its changed line, or None.

    None stands for a mutant that isn't valid Python, or parses to the original program.
    """
    source = path.read_text(encoding="utf-8")
    code = mutate_code(source, plugins.get_operator(name)(), occurrence)
    try:
        if ast.dump(ast.parse(code)) == ast.dump(ast.parse(source)):
            return None
    except SyntaxError:
        return None
    changed = [line for line in difflib.ndiff(source.splitlines(), code.splitlines())
               if line.startswith("+ ")]
    return code, changed[0][2:].partition("  #")[0].strip()


def run_tests(path, code, seconds):
    """Run the tests of a file with `code` in its place, and exit with pytest's exit code.

    seconds    limit of CPU time, after which the process is killed
    """
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    settings.register_profile("mutants", database=None, derandomize=True,
                              phases=[Phase.explicit, Phase.generate])
    settings.load_profile("mutants")
    original = SourceFileLoader.get_code
    SourceFileLoader.get_code = lambda self, name: (
        self.source_to_code(code, self.path) if self.path == str(path) else original(self, name))
    sys.stdout = sys.stderr = open(os.devnull, "w")
    os._exit(pytest.main(["-x", "--tb=no", "-p", "no:cacheprovider", "-W", "ignore",
                          *tests_of(path)]))


def outcome(path, code, seconds):
    """Return "killed" or "survived"; a mutant that exceeds its CPU time counts as killed.

    Raises ValueError if pytest finds no tests of the file.
    """
    process = multiprocessing.get_context("fork").Process(target=run_tests,
                                                          args=(path, code, seconds))
    process.start()
    process.join()
    if process.exitcode in (pytest.ExitCode.NO_TESTS_COLLECTED, pytest.ExitCode.USAGE_ERROR):
        raise ValueError(f"{path.name}: pytest finds no tests by {tests_of(path)}")
    return "survived" if process.exitcode == 0 else "killed"


def main():
    parser = flags.Parser(__doc__)
    parser.add_argument("--sample", type=flags.whole(), default=300,
                        help="number of mutants to run, 0 for all (default: %(default)s)")
    parser.add_argument("--seed", type=flags.whole(), default=0,
                        help="seed of the sample (default: %(default)s)")
    parser.add_argument("--only", default="",
                        help="mutate only files whose names contain this text, and write no result "
                             "(default: all files)")
    options = parser.parse_args()
    files = [path for path in FILES if options.only in path.name]
    print(f"mutation testing: {len(files)} files, sample {options.sample or 'all'}, seed "
          f"{options.seed}", flush=True)
    os.chdir(ROOT)
    seconds = {}
    for path in files:
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        if outcome(path, path.read_text(encoding="utf-8"), 600) != "survived":
            sys.exit(f"mutation_testing: the tests of {path.name} fail before anything is broken")
        took = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
        print(f"{path.name}: its tests take {took:.1f} s", flush=True)
        seconds[path] = 10 + int(5 * took)
    every = [candidate for path in files for candidate in candidates(path)]
    random.Random(options.seed).shuffle(every)
    survived = []
    equivalent = []
    killed = 0
    for path, name, occurrence in every:
        if options.sample and killed + len(survived) == options.sample:
            break
        made = mutant(path, name, occurrence)
        if made is None:
            continue
        code, line = made
        if (path.relative_to(ROOT).as_posix(), line) in EQUIVALENT:
            equivalent.append(f"{path.name}: {line}")
        elif outcome(path, code, seconds[path]) == "killed":
            killed += 1
        else:
            survived.append(f"{path.name}: {line}")
            print(f"survived  {survived[-1]}", flush=True)
    run = killed + len(survived)
    print(f"{killed} of {run} mutants killed, {killed / max(1, run):.1%}; {len(equivalent)} "
          "equivalent ones left out")
    if not options.only:
        write_text(RESULT, json_text({
            "promise": "The tests detect defects in layers and update rules",
            "measured": f"{killed} of {run} mutants killed; {killed / run:.0%}"
                        + (f", drawn from {len(every):,} mutants" if options.sample else ""),
            "command": f"python experiments/checks/mutation_testing.py --sample {options.sample} "
                       f"--seed {options.seed}",
            "killed": killed, "run": run, "possible": len(every), "survived": survived,
            "equivalent": equivalent}))
    return 0 if killed >= 0.9 * run else 1


if __name__ == "__main__":
    sys.exit(main())
