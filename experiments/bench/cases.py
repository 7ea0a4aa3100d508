"""Run cases, each a net, a batch size and a number of threads, and make their tables."""
import json
import subprocess
import sys

from .interleave import environment, time_in_turns
from .machine import cores
from .nets import NETS, Net
from .report import table
from .statistics import fastest, gflops_per_second, ratio, summary

PEAK = {"label": "FMA peak", "group": "peak", "peer": "fma_peak", "block_seconds": 0.1}
GROUPS = ("PyTorch tuned", "PyTorch as installed", "ONNX Runtime", "OpenVINO")
HEADER = ("engine", "ms", "min", "images/s", "GFLOP/s", "% of peak", "time / ours", "range",
          "peak MiB", "MiB growth", "page faults", "error vs float64")


def flops_of(net, batch, training):
    """Return the FLOPs of a training step or of inference on a batch.

    Convolutions count as direct convolutions, and a training step as three forward passes.
    """
    from .peers.ours import flops

    return flops(net) * batch * (3 if training else 1)


def make_reference(folder, name, batch, training):
    """Return the path of a case's reference, which is computed in its own process if missing."""
    path = folder / f"{name.replace(' ', '')}_{batch}_{'training' if training else 'inference'}.npz"
    if not path.exists():
        wanted = json.dumps({"net": NETS[name].as_json(), "batch": batch, "training": training})
        subprocess.run([sys.executable, "-m", "experiments.bench.reference", wanted, str(path)],
                       check=True, env=environment(cores()))
    return path


def ours(rungs):
    """Return the specs of our rungs."""
    return [{"label": f"ours, {rung}", "group": "ours", "peer": "ours", "rung": rung}
            for rung in rungs]


def pytorch(executors, layouts=("contiguous", "channels_last"), tuned=(False, True)):
    """Return the specs of PyTorch's variants."""
    return [{"label": f"PyTorch {executor} {layout}{', tuned' if is_tuned else ''}",
             "peer": "pytorch",
             "group": f"PyTorch {'tuned' if is_tuned else 'as installed'}",
             "executor": executor, "layout": layout, "tuned": is_tuned}
            for is_tuned in tuned for executor in executors for layout in layouts]


def run_case(name, batch, threads, mode, specs, folder, **turns):
    """Time one case and return it as a dict.

    name      key of NETS
    mode      "step" or "inference"
    specs     of the engines, without what the case says
    folder    for the reference
    turns     keywords of time_in_turns
    Returns {"net", "batch", "threads", "mode", "flops", "peak_gflops", "engines": results}. An
    engine whose results differ from the reference keeps its times, but gets an error.
    """
    net = NETS[name]
    common = {"mode": mode, "net": net.as_json(), "batch": batch, "threads": threads,
              "reference": str(make_reference(folder, name, batch, mode == "step"))}
    peak, *engines = time_in_turns([{**spec, **common} for spec in (PEAK, *specs)], **turns)
    for engine in engines:
        check = engine.get("check") or {"passed": True}
        if not check["passed"]:
            engine["error"] = (
                f"WRONG: {check['at']} differs by {check['error']:.1e} in {check['dtype']}"
            )
    return {"net": name, "batch": batch, "threads": threads, "mode": mode,
            "flops": flops_of(net, batch, mode == "step"), "peak_gflops": peak_rate(peak),
            "engines": engines}


def peak_rate(peak, time="min_ms"):
    """Return the GFLOP/s of the FMA loop, or None if it did not run.

    time    "min_ms" for the fastest run, "median_ms" for the median
    """
    return gflops_per_second(peak["info"]["flops"],
                             summary(peak["rounds"])[time]) if peak["rounds"] else None


def title(case):
    """Return the name of a case."""
    threads = case["threads"]
    return f"{case['net']}, batch {case['batch']}, {threads} thread{'s' * (threads > 1)}"


def case_table(case):
    """Return the table of all engines of a case."""
    base = next((engine for engine in case["engines"]
                 if engine["group"] == "ours" and engine["rounds"]), None)
    rows = []
    for engine in case["engines"]:
        if not engine["rounds"]:
            rows.append([engine["label"], *["-"] * (len(HEADER) - 2), engine["error"]])
            continue
        times = summary(engine["rounds"])
        rate = gflops_per_second(case["flops"], times["median_ms"])
        against = ratio(engine["rounds"], base["rounds"]) if base and base is not engine else None
        rows.append([engine["label"], times["median_ms"], times["min_ms"],
                     1e3 * case["batch"] / times["median_ms"],
                     rate, percent(rate, case["peak_gflops"]), against and against["ratio"],
                     against and f"{against['low']:.2f}-{against['high']:.2f}", engine["peak_mib"],
                     engine["rise_mib"], round(engine["page_faults"]),
                     engine["error"] or f"{engine['check']['error']:.0e}"])
    peak = case["peak_gflops"]
    speed = f"FMA peak {peak:.0f} GFLOP/s" if peak else "FMA peak not measured"
    head = f"{title(case)}, {case['mode']}; {case['flops'] / 1e9:.3g} GFLOP; {speed}"
    return f"{head}\n\n{table(HEADER, rows)}"


def percent(rate, peak):
    """Return a rate in percent of the peak as text, or None if the peak is unknown."""
    return f"{100 * rate / peak:.0f}" if peak else None


def overview(cases):
    """Return a table with one row per case and the fastest variant of every group of engines."""
    groups = [group for group in GROUPS
              if any(e["group"] == group for case in cases for e in case["engines"])]
    header = ["case", "ours ms", "images/s", "GFLOP/s", "% of peak", "MiB",
              *(text for group in groups for text in (f"{group} ms", "ratio", "MiB"))]
    rows = []
    for case in cases:
        by_group = {group: [engine for engine in case["engines"] if engine["group"] == group]
                    for group in ("ours", *groups)}
        base = by_group["ours"][0]
        if not base["rounds"]:
            rows.append([title(case), base["error"], *["-"] * (len(header) - 2)])
            continue
        median = summary(base["rounds"])["median_ms"]
        rate = gflops_per_second(case["flops"], median)
        row = [title(case), median, 1e3 * case["batch"] / median, rate,
               percent(rate, case["peak_gflops"]), base["peak_mib"]]
        for group in groups:
            best = fastest(by_group[group])
            if best:
                row += [summary(best["rounds"])["median_ms"],
                        f"**{ratio(best['rounds'], base['rounds'])['ratio']:.2f}**",
                        best["peak_mib"]]
            else:
                row += [by_group[group][0]["error"] if by_group[group] else "-", "-", "-"]
        rows.append(row)
    highest = {}
    for case in cases:
        highest[case["threads"]] = max(highest.get(case["threads"], 0), case["peak_gflops"] or 0)
    peaks = [f"{rate:.0f} GFLOP/s with {threads} thread{'s' * (threads > 1)}"
             for threads, rate in highest.items() if rate]
    note = f"FMA peak in the same run: {', '.join(peaks) or 'not measured'}. Times are medians. "
    note += ("A ratio is the other engine's time divided by ours; only the fastest variant of each "
             "engine is shown.")
    return f"{note}\n\n{table(header, rows)}"


def failures(cases):
    """Return the errors that make a script fail, as a list of texts.

    An engine that isn't installed or was too slow is no failure.
    """
    return [f"{title(case)}: {engine['label']}: {engine['error']}" for case in cases
            for engine in case["engines"]
            if engine["error"] and not engine["error"].startswith("gave up")
            and "not installed" not in engine["error"]]


def described(**changes):
    """Return the final Net with some fields changed, to vary its depth and width."""
    return Net(**{**NETS["final"].as_json(), **changes})
