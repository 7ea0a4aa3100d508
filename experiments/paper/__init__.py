"""The experiments of the paper, and the code that their scripts share.

    runs         a training as a value: Run holds its settings; train() loads, resumes or runs it
    options      the shared command line, the data, and the settings that are printed first
    statistics   means and differences over seeds, with confidence intervals
    findings     statements of the paper and our measurements, as JSON and figures, and the report
    attention    scores of saliency maps (attention_findings compares them with the paper)
    people       human votes compared with a net's predictions (with people_findings)
"""
import os

# Set before NumPy is imported, as in train_final.py: a second thread pool beside the one of the
# kernels doubles the time of a step.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
