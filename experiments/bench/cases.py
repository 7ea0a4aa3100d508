"""From a net, a batch and a thread count to the rows of a table."""
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
    """FLOPs of a step or of an inference, convolutions counted directly: training is three forward
    passes."""
    from .peers.ours import flops

    return flops(net) * batch * (3 if training else 1)


def make_reference(folder, name, batch, training):
    """Compute the reference of a case in a process of its own, once; returns its file in the
    folder."""
    path = folder / f"{name.replace(' ', '')}_{batch}_{'training' if training else 'inference'}.npz"
    if not path.exists():
        wanted = json.dumps({"net": NETS[name].as_json(), "batch": batch, "training": training})
        subprocess.run([sys.executable, "-m", "experiments.bench.reference", wanted, str(path)],
                       check=True, env=environment(cores()))
    return path


def ours(rungs):
    """Specs of our rungs."""
    return [{"label": f"ours, {rung}", "group": "ours", "peer": "ours", "rung": rung}
            for rung in rungs]


def pytorch(executors, layouts=("contiguous", "channels_last"), tuned=(False, True)):
    """Specs of PyTorch's variants."""
    return [{"label": f"PyTorch {executor} {layout}{', tuned' if is_tuned else ''}",
             "peer": "pytorch",
             "group": f"PyTorch {'tuned' if is_tuned else 'as installed'}", "executor": executor,
             "layout": layout,
             "tuned": is_tuned} for is_tuned in tuned for executor in executors
            for layout in layouts]


def run_case(name, batch, threads, mode, specs, folder, **turns):
    """Time one case; returns {"net", "batch", "threads", "flops", "peak_gflops", "engines":
    results}.

    An engine whose results differ from the reference keeps its times but is marked by an error.
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
    """GFLOP/s of the FMA loop, at best or in "median_ms", or None if it did not run."""
    return gflops_per_second(peak["info"]["flops"],
                             summary(peak["rounds"])[time]) if peak["rounds"] else None


def title(case):
    """Name a case."""
    threads = case["threads"]
    return f"{case['net']}, batch {case['batch']}, {threads} thread{'s' * (threads > 1)}"


def case_table(case):
    """Return the table of all engines of a case."""
    base = next((each for each in case["engines"] if each["group"] == "ours" and each["rounds"]),
                None)
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
    head = f"{title(case)}, {case['mode']}; {case['flops'] / 1e9:.3g} GFLOP; " + \
           (f"FMA peak {peak:.0f} GFLOP/s" if peak else "FMA peak not measured")
    return f"{head}\n\n{table(HEADER, rows)}"


def percent(rate, peak):
    """Write a rate in percent of the peak."""
    return f"{100 * rate / peak:.0f}" if peak else None


def overview(cases):
    """Return a table with one row per case, and the fastest variant of each group of engines."""
    groups = [group for group in GROUPS
              if any(e["group"] == group for case in cases for e in case["engines"])]
    header = ["case", "ours ms", "images/s", "GFLOP/s", "% of peak", "MiB",
              *(text for group in groups for text in (f"{group} ms", "ratio", "MiB"))]
    rows = []
    for case in cases:
        by_group = {group: [each for each in case["engines"] if each["group"] == group]
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
            row += [summary(best["rounds"])["median_ms"],
                    f"**{ratio(best['rounds'], base['rounds'])['ratio']:.2f}**",
                    best["peak_mib"]] if best else \
                [by_group[group][0]["error"] if by_group[group] else "-", "-", "-"]
        rows.append(row)
    best = {}
    for case in cases:
        best[case["threads"]] = max(best.get(case["threads"], 0), case["peak_gflops"] or 0)
    peaks = [f"{rate:.0f} GFLOP/s with {threads} thread{'s' * (threads > 1)}"
             for threads, rate in best.items() if rate]
    note = f"FMA peak in the same run: {', '.join(peaks) or 'not measured'}. Times are medians. "
    note += ("A ratio is the other engine's time divided by ours; only the fastest variant of each "
             "engine is shown.")
    return f"{note}\n\n{table(header, rows)}"


def failures(cases):
    """List what is wrong or broke, for the exit status; an engine that isn't installed or was too
    slow is neither."""
    return [f"{title(case)}: {each['label']}: {each['error']}" for case in cases
            for each in case["engines"]
            if each["error"] and not each["error"].startswith("gave up")
            and "not installed" not in each["error"]]


def described(**changes):
    """Return a Net like the final one with changes, for scaling over depth and width."""
    return Net(**{**NETS["final"].as_json(), **changes})
