"""Scripts that produce one result each; those that most people need are here, the others in

    paper/     the experiments of the paper, and what they share
    bench/     timings, and what they share
    checks/    long-running checks of README's promises, and what writes README's tables

A script is started as the file it is, `python experiments/paper/depth.py`, or as a module,
`python -m experiments.paper.depth`. To add an experiment: a script in paper/ with main(argv) that
ends in findings.save, and its row in reproduce_paper.py.
"""
