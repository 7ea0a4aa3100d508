"""Medians, ratios and slopes of timed rounds, which are lists of blocks of seconds."""
import math
from statistics import median


def summary(rounds):
    """Return {"median_ms", "min_ms", "p90_ms"} of all runs of all rounds."""
    runs = sorted(1e3 * seconds for block in rounds for seconds in block)
    return {"median_ms": median(runs), "min_ms": runs[0],
            "p90_ms": runs[math.ceil(0.9 * len(runs)) - 1]}


def ratio(slow, fast):
    """Return {"ratio", "low", "high"}, where the ratio is median of slow / median of fast.

    low and high are the smallest and largest ratio within a round. A round compares runs that are
    close in time, so low and high show how much the machine's speed varies.
    """
    of_rounds = [median(a) / median(b) for a, b in zip(slow, fast, strict=False)]
    return {"ratio": summary(slow)["median_ms"] / summary(fast)["median_ms"],
            "low": min(of_rounds), "high": max(of_rounds)}


def gflops_per_second(flops, milliseconds):
    """Return the rate of a computation in GFLOP/s."""
    return flops / milliseconds / 1e6


def exponents(sizes, times):
    """Return e of time ~ size ** e between every point and the one before; None for the first.

    1 means proportional, less than 1 that a fixed cost is shared by more work, more than 1 that
    large sizes are less efficient.
    """
    points = list(zip(sizes, times, strict=True))
    return [None] + [math.log(t / t0) / math.log(s / s0)
                     for (s0, t0), (s, t) in zip(points, points[1:], strict=False)]


def line(sizes, times):
    """Return (fixed, slope) of time = fixed + slope * size.

    The fit is by least squares on relative errors, so that small sizes count as much as large ones.
    """
    weights = [1 / t ** 2 for t in times]
    total = sum(weights)
    mean_size = sum(w * s for w, s in zip(weights, sizes, strict=True)) / total
    mean_time = sum(w * t for w, t in zip(weights, times, strict=True)) / total
    spread = sum(w * (s - mean_size) ** 2 for w, s in zip(weights, sizes, strict=True))
    slope = sum(w * (s - mean_size) * (t - mean_time)
                for w, s, t in zip(weights, sizes, times, strict=True)) / spread
    return mean_time - slope * mean_size, slope


def fastest(results):
    """Return the result with the smallest median, or None if none was timed."""
    timed = [result for result in results if result["rounds"]]
    return min(timed, key=lambda result: summary(result["rounds"])["median_ms"], default=None)
