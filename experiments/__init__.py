"""Scripts, each of which makes one result; those that most people need are here, the others in

    paper/     the experiments of the paper, and what they share
    bench/     timings, and what they share
    checks/    what README promises, tried for long; and what writes README's tables

A script is started as the file it is, `python experiments/paper/depth.py`, or as a module,
`python -m experiments.paper.depth`. To add an experiment: a script in paper/ with main(argv) that
ends in findings.save, and its row in reproduce_paper.py.
"""
