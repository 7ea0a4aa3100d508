"""The experiments of the paper, and what their scripts share.

    runs         a training as a value: Run holds its settings, train() finds it, goes on with it or
                 does it
    options      the command line, the data, the settings printed first
    statistics   means and differences over seeds, with their intervals
    findings     what the paper says and what we measured, as JSON and figures, and the report of
                 them all
    attention    where a net looks, scored (with attention_findings: what that says to the paper)
    people       people's votes beside a net's answers (with people_findings)
"""
import os

# Before NumPy, as in train_final.py: a second pool of threads beside the kernels' doubles the time
# of a step.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
