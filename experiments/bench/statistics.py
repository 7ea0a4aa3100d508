"""Medians, ratios and slopes of timed rounds: lists of lists of seconds, one list for each
block."""
import math
from statistics import median


def summary(rounds):
    """Return median_ms, min_ms and p90_ms of all runs."""
    runs = sorted(1e3 * seconds for block in rounds for seconds in block)
    return {"median_ms": median(runs), "min_ms": runs[0],
            "p90_ms": runs[math.ceil(0.9 * len(runs)) - 1]}


def ratio(slow, fast):
    """Return {"ratio": median of slow / median of fast, "low", "high": the same within single
    rounds}.

    The ratio of a round compares neighbours in time, so low and high tell how far the machine's
    moods reach.
    """
    of_rounds = [median(a) / median(b) for a, b in zip(slow, fast, strict=False)]
    return {"ratio": summary(slow)["median_ms"] / summary(fast)["median_ms"],
            "low": min(of_rounds), "high": max(of_rounds)}


def gflops_per_second(flops, milliseconds):
    """Return the rate of so many FLOPs in so many milliseconds."""
    return flops / milliseconds / 1e6


def exponents(sizes, times):
    """Return e of time ~ size ** e between each point and the one before; None for the first.

    1 is proportional; less than 1: a fixed cost is being spread; more than 1: something gets worse
    with size.
    """
    points = list(zip(sizes, times, strict=True))
    return [None] + [math.log(t / t0) / math.log(s / s0) for (s0, t0),
                     (s, t) in zip(points, points[1:], strict=False)]


def line(sizes, times):
    """Fit time = fixed + slope * size by least squares on relative errors, so that small sizes
    count; returns both."""
    weights = [1 / t ** 2 for t in times]
    total = sum(weights)
    mean_size = sum(w * s for w, s in zip(weights, sizes, strict=True)) / total
    mean_time = sum(w * t for w, t in zip(weights, times, strict=True)) / total
    spread = sum(w * (s - mean_size) ** 2 for w, s in zip(weights, sizes, strict=True))
    slope = sum(w * (s - mean_size) * (t - mean_time) for w, s,
                t in zip(weights, sizes, times, strict=True)) / spread
    return mean_time - slope * mean_size, slope


def fastest(results):
    """Return the result with the smallest median, or None where none was timed."""
    timed = [each for each in results if each["rounds"]]
    return min(timed, key=lambda each: summary(each["rounds"])["median_ms"], default=None)
