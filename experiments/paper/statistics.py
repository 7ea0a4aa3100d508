"""Accuracies and gains of results of runs.train, with 95 % intervals over seeds or over faces."""
import math
from statistics import NormalDist, mean, stdev

import numpy as np

from cs231n_fer.analysis.metrics import wilson_interval
from cs231n_fer.shapes import check

ENOUGH = 3  # seeds for an interval; with 2, Student's t is 12.7 and the interval is useless


def t_within(t, freedom):
    """Return the probability that Student's t lies between -t and t.

    freedom   degrees of freedom, an integer of at least 1
    Source: Abramowitz & Stegun 1964, 26.7.3 and 26.7.4.
    """
    check(freedom >= 1, f"freedom: got {freedom}, expected at least 1")
    angle = math.atan(t / math.sqrt(freedom))
    term = total = math.cos(angle) if freedom % 2 else 1.0
    for k in range(3 if freedom % 2 else 2, freedom - 1, 2):
        term *= math.cos(angle) ** 2 * (k - 1) / k
        total += term
    if freedom % 2:
        return 2 / math.pi * (angle + math.sin(angle) * total * (freedom > 1))
    return math.sin(angle) * total


def t_quantile(freedom, confidence=0.95):
    """Return the t for which Student's t lies between -t and t with this probability.

    It is found by bisection.
    """
    low = 0.0
    high = 1e4
    for _ in range(100):
        middle = (low + high) / 2
        if t_within(middle, freedom) < confidence:
            low = middle
        else:
            high = middle
    return low


def mean_interval(values, confidence=0.95):
    """Return (mean, low, high) of two or more random values, by Student's t."""
    check(len(values) >= 2, f"values: got {len(values)}, expected at least 2")
    half = t_quantile(len(values) - 1, confidence) * stdev(values) / math.sqrt(len(values))
    return mean(values), mean(values) - half, mean(values) + half


def accuracy(results):
    """Return (mean, low, high) of the accuracy of a net's results of runs.train, one for each seed.

    With three or more seeds the interval is Student's t over the seeds, with fewer it is Wilson's
    interval over the faces.
    """
    accuracies = [result["val_acc"] for result in results]
    faces = len(results[0]["right"])
    if len(results) >= ENOUGH:
        return mean_interval(accuracies)
    low, high = wilson_interval(mean(accuracies) * faces, faces)
    return mean(accuracies), float(low), float(high)


def gain(results, base):
    """Return (mean, low, high) of the gain in accuracy of results over base.

    Both have the same seeds and faces. With three or more seeds the interval is the paired t
    interval over seeds, with fewer the paired normal interval over faces.
    """
    check(len(results) == len(base) > 0,
          f"results, base: got {len(results)} and {len(base)}, expected as many of both")
    if len(results) >= ENOUGH:
        return mean_interval([a["val_acc"] - b["val_acc"]
                              for a, b in zip(results, base, strict=True)])
    gains = right(results) - right(base)
    half = NormalDist().inv_cdf(0.975) * gains.std() / math.sqrt(len(gains))
    return float(gains.mean()), float(gains.mean() - half), float(gains.mean() + half)


def explain(seeds):
    """Return the sentence that explains the intervals of accuracy() and gain()."""
    if seeds >= ENOUGH:
        return (f"Intervals are 95 % confidence intervals from Student's t over {seeds} seeds; "
                "gains are paired by seed.")
    return ("Intervals are 95 % confidence intervals over the faces (Wilson's interval; gains are "
            "paired by face). They cover the choice of faces, not the choice of seed.")


def right(results):
    """Return the fraction of the results in which each validation face is correct, (N,)."""
    return np.mean([[int(digit) for digit in result["right"]] for result in results], axis=0)


def among(results, mask):
    """Return the results restricted to the validation faces where mask (N,) is true."""
    answers = ["".join(result["right"][n] for n in np.flatnonzero(mask)) for result in results]
    return [{"right": answer, "val_acc": answer.count("1") / len(answer)} for answer in answers]


def share(results, mask):
    """Return (accuracy, low, high) on the faces in mask: the mean over seeds, Wilson's interval."""
    correct = right(among(results, mask))
    low, high = wilson_interval(correct.sum(), len(correct))
    return float(correct.mean()), float(low), float(high)


def mean_history(results, key):
    """Return the mean over results of a quantity of their histories, (E,).

    E is the number of epochs that all of them have completed.
    """
    columns = [[row[key] for row in result["history"]] for result in results]
    return np.mean([column[:min(map(len, columns))] for column in columns], axis=0)


def by_epoch(nets, key="val_acc"):
    """Return {name: (E,) mean accuracy after each epoch in percent}, as plot_curves takes it.

    nets    {name: results}
    """
    return {name: 100 * mean_history(results, key) for name, results in nets.items()}


def in_percent(nets):
    """Return {name: (mean, low, high) of the accuracy in percent}, as plot_intervals takes it.

    nets    {name: results}
    """
    return {name: tuple(100 * value for value in accuracy(results))
            for name, results in nets.items()}


def paired_t(first, second):
    """Return the two-sided p-value of the paired t test for equal means of first and second."""
    differences = [a - b for a, b in zip(first, second, strict=True)]
    check(len(differences) >= 2,
          f"first, second: got {len(differences)} pairs, expected at least 2")
    if stdev(differences) == 0:
        return 1.0 if mean(differences) == 0 else 0.0
    return 1 - t_within(abs(mean(differences)) / stdev(differences) * math.sqrt(len(differences)),
                        len(differences) - 1)


def sign_test(first, second):
    """Return the two-sided p-value of the sign test for first against second, without ties."""
    signs = [a > b for a, b in zip(first, second, strict=True) if a != b]
    n = len(signs)
    more = max(sum(signs), n - sum(signs))
    return min(1.0, 2 * sum(math.comb(n, k) for k in range(more, n + 1)) / 2 ** n)


def bootstrap(statistic, *samples, seed=0, draws=1000, confidence=0.95):
    """Return (value, low, high) of statistic(*samples), by the percentile bootstrap.

    samples   arrays that are resampled independently along their first axis, such as faces
    draws     number of bootstrap samples
    All three are nan if a sample is empty. Source: Efron 1979.
    """
    samples = [np.asarray(sample) for sample in samples]
    rng = np.random.default_rng(seed)
    if any(len(sample) == 0 for sample in samples):
        return math.nan, math.nan, math.nan
    drawn = [statistic(*(sample[rng.integers(len(sample), size=len(sample))] for sample in samples))
             for _ in range(draws)]
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(statistic(*samples)), float(low), float(high)


def bootstrap_mean(values):
    """Return (mean, low, high) of the finite values, by bootstrap."""
    values = np.asarray(values, np.float64)
    return bootstrap(np.mean, values[np.isfinite(values)])


def percent(interval):
    """Return (value, low, high) fractions as text, as in "61.3 % (59.7 to 62.9)"."""
    return f"{100 * interval[0]:.1f} % ({100 * interval[1]:.1f} to {100 * interval[2]:.1f})"


def points(interval):
    """Return a difference (value, low, high) as text, as in "+1.2 points (-0.3 to +2.7)"."""
    return f"{100 * interval[0]:+.1f} points ({100 * interval[1]:+.1f} to {100 * interval[2]:+.1f})"
