"""What Solver shows: a bar on a terminal, one line an epoch elsewhere, or the course's lines."""
import io
import os
import re
import subprocess
import sys

import pytest
from toys import Scripted, numbers

from cs231n_fer.solver import Solver

LINE = r"epoch  {}/2 100% 00:00, loss {}\.\d+  train 1\.0000  val 0\.{}000  \d+ images/s  left 0:00"


def train(**options):
    Solver(Scripted([0.1, 0.4, 0.7, 0.8, 0.9]), numbers(4), num_epochs=2, **options).train()


def test_off_a_terminal_an_epoch_is_one_line_without_carriage_returns(capsys):
    train()
    out, err = capsys.readouterr()
    assert out == "" and "\r" not in err
    lines = err.splitlines()
    assert len(lines) == 2
    for line, pattern in zip(lines, (LINE.format(1, 1, 4), LINE.format(2, 2, 7)), strict=True):
        assert re.fullmatch(pattern, line), line


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_on_a_terminal_a_bar_is_written_again_and_again(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    train(batch_size=2)
    text = sys.stderr.getvalue()
    assert "\r" in text and "epoch  1/2   0%" in text
    assert re.search(r"epoch  2/2 100% 00:00, loss .* left 0:00", text)


PIPED = """
from test_progress import train
train()
"""


def test_a_pipe_gets_one_line_an_epoch():
    done = subprocess.run([sys.executable, "-c", PIPED], capture_output=True, check=True,
                          env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    assert done.stderr.count(b"\n") == 2 and b"\r" not in done.stderr and not done.stdout


def test_where_print_every_is_given_the_lines_are_those_of_the_course(capsys):
    train(batch_size=2, print_every=3)
    out, err = capsys.readouterr()
    assert err == ""
    assert out == ("(Epoch 0 / 2) train acc: 0.250000; val_acc: 0.100000\n"
                   "(Iteration 1 / 4) loss: 1.000000\n"
                   "(Epoch 1 / 2) train acc: 1.000000; val_acc: 0.700000\n"
                   "(Iteration 4 / 4) loss: 4.000000\n"
                   "(Epoch 2 / 2) train acc: 1.000000; val_acc: 0.900000\n")


def test_a_training_that_goes_on_counts_the_iterations_on(capsys):
    model = Scripted([0.1] * 9)
    solver = Solver(model, numbers(4), num_epochs=1, batch_size=2, print_every=1, verbose=False)
    solver.train()
    solver.verbose = True
    solver.num_epochs = 2
    solver.train()
    assert capsys.readouterr().out.splitlines()[:2] == ["(Iteration 3 / 4) loss: 3.000000",
                                                       "(Iteration 4 / 4) loss: 4.000000"]


@pytest.mark.parametrize("print_every", [None, 1])
def test_a_solver_that_is_not_verbose_shows_nothing(capsys, print_every):
    train(print_every=print_every, verbose=False)
    assert capsys.readouterr() == ("", "")


def test_without_standard_error_a_training_goes_on(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)  # so it is for programs without a console on Windows
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    train()


def test_the_line_of_a_bar_is_ended_by_an_error(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    model = Scripted([0.1])
    with pytest.raises(IndexError):  # there is no accuracy after the first step
        Solver(model, numbers(4), num_epochs=1).train()
    assert sys.stderr.getvalue().endswith("\n")
