"""Scripts that each produce one result. The most commonly used ones are here, the others in

    paper/     the experiments of the paper, and the code that they share
    bench/     timings, and the code that they share
    checks/    long-running checks of the README's promises, and the scripts that write its tables

Start a script as a file, `python experiments/paper/depth.py`, or as a module,
`python -m experiments.paper.depth`. flags reads the command line of all of them.

To add an experiment, write a script in paper/ whose main(argv) ends with findings.save, and add its
row to reproduce_paper.py. Its options take their types from flags, and get a row in WRONG of
tests/experiments/test_flags.py.
"""
