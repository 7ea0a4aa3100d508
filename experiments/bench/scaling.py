"""Measure how time grows with batch size, threads, depth, width and number of faces.

    python experiments/bench/scaling.py --page
    python experiments/bench/scaling.py --quick                   a smoke test of about a minute
    python experiments/bench/scaling.py --sections threads --threads-batch 256

Sizes are timed in turns, each in its own process. From one row to the next, time ~ size ** exponent
(FLOPs ** exponent for depth and width); 1 means proportional. Efficiency is the speed-up divided by
the number of threads. It is shown beside the speed-up of multiply-adds between registers, because
two threads of one core share its vector unit.
"""
import sys
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[2])


from experiments import flags
from experiments.bench import machine, options
from experiments.bench.cases import PEAK, described, flops_of, peak_rate, percent
from experiments.bench.interleave import time_in_turns
from experiments.bench.nets import FINAL, NETS, Net
from experiments.bench.report import number, table
from experiments.bench.statistics import exponents, gflops_per_second, line, summary

BATCHES = (1, 2, 4, 8, 16, 32, 50, 64, 128, 256, 512)
SIZES = {"batch": BATCHES, "inference": BATCHES,
         "depth": (1, 2, 3, 4), "width": (0.5, 0.75, 1, 1.5, 2),
         "data": (500, 1000, 2000, 4000, 8000)}
SECTIONS = {  # name: (heading, first column)
    "batch": ("Training step by batch size", "batch size"),
    "inference": ("Inference by batch size", "batch size"),
    "threads": ("Training step by number of threads", "threads"),
    "depth": ("Training step by depth", "convolutions per block"),
    "width": ("Training step by width", "filters, times the original"),
    "data": ("Epoch by number of training images", "training images")}


def parse():
    parser = options.parser(__doc__)
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=list(SECTIONS),
                        help="what is varied (default: everything)")
    parser.add_argument("--batch", type=flags.whole(1), default=50,
                        help="batch size for depth, width and data (default: %(default)s)")
    parser.add_argument("--threads-batch", type=flags.whole(1), default=256,
                        help="batch size for threads (default: %(default)s)")
    return parser


def sizes_of(section, args):
    """Return the sizes of a section; with --quick, only some small ones."""
    if section == "threads":
        return [2 ** k for k in range(10) if 2 ** k < machine.cores()] + [machine.cores()]
    if not args.quick:
        return SIZES[section]
    if section == "data":
        return [size // 4 for size in SIZES["data"][:3]]
    return SIZES[section][:5:2]


def spec_of(section, size, args):
    """Return the spec of one size of a section."""
    net = NETS["final"]
    batch = args.batch
    extra = {"mode": "step"}
    if section in ("batch", "inference"):
        batch = size
        extra = {"mode": "step" if section == "batch" else "inference"}
    elif section == "threads":
        batch = 32 if args.quick else args.threads_batch
    elif section == "depth":
        net = described(blocks=tuple(filters * size for filters in FINAL), batchnorm=True,
                        classifier="Chain")
    elif section == "width":
        net = described(blocks=tuple((int(filters * size),) for filters, in FINAL))
    else:
        extra = {"mode": "epoch", "images": size}
    return {"label": f"{section} {size}", "peer": "ours", "rung": args.rungs[0],
            "net": net.as_json(), "batch": batch,
            "threads": size if section == "threads" else args.threads[0], **extra}


def peaks_of(specs, args):
    """Return the GFLOP/s of multiply-adds between registers, {threads: {"best", "median"}}.

    It is measured for every number of threads in the specs.
    """
    counts = sorted({spec["threads"] for spec in specs})
    timed = time_in_turns([{**PEAK, "threads": count} for count in counts], **options.turns(args))
    return {count: {"best": peak_rate(peak), "median": peak_rate(peak, "median_ms")}
            for count, peak in zip(counts, timed, strict=True)}


def section_table(section, sizes, results, peaks):
    """Return the table of a section and, where it makes sense, a line fitted to its times.

    results    of time_in_turns, one for every size
    peaks      of peaks_of
    """
    good = [(size, result) for size, result in zip(sizes, results, strict=True) if result["rounds"]]
    if not good:
        return f"{section}: nothing could be timed"
    sizes, results = zip(*good, strict=True)
    times = [summary(result["rounds"])["median_ms"] for result in results]
    images = [result.get("images", result["batch"]) for result in results]
    work = [flops_of(Net(**result["net"]), count, result["mode"] != "inference")
            for result, count in zip(results, images, strict=True)]
    along = work if section in ("depth", "width") else sizes
    rows = []
    slopes = exponents(along, times)
    for size, result, ms, count, flops, e in zip(sizes, results, times, images, work, slopes,
                                                 strict=True):
        rate = gflops_per_second(flops, ms)
        peak = peaks[result["threads"]]
        scaled = [e]
        if section == "threads":
            least = peaks[results[0]["threads"]]
            alone = peak["median"] / least["median"] if peak["median"] and least["median"] else None
            scaled = [times[0] / ms, f"{times[0] / ms / size * sizes[0]:.0%}", alone]
        rows.append([str(size), ms, 1e3 * ms / count, 1e3 * count / ms, rate,
                     percent(rate, peak["best"]), *scaled])
    last = ["speed-up", "efficiency", "FMA speed-up"] if section == "threads" else ["exponent"]
    heading, first = SECTIONS[section]
    body = table([first, "ms", "us/image", "images/s", "GFLOP/s", "% of peak", *last], rows)
    if section in ("batch", "inference", "data") and len(sizes) > 1:
        fixed, slope = line(sizes, times)
        body += f"\n\nTime = {fixed:.3g} ms + {1e3 * slope:.3g} us per image."
    return f"{heading}:\n\n{body}"


def main():
    args, facts = options.begin("bench_scaling", parse())
    specs = {section: [spec_of(section, size, args) for size in sizes_of(section, args)]
             for section in args.sections}
    peaks = peaks_of([spec for section in specs.values() for spec in section], args)
    tables = []
    done = {}
    for section in args.sections:
        rounds = {**options.turns(args),
                  "rounds": min(args.rounds, 3 if section == "data" else args.rounds)}
        done[section] = time_in_turns(specs[section], **rounds)
        tables.append(section_table(section, sizes_of(section, args), done[section], peaks))
        print(f"\n{tables[-1]}", flush=True)
    listed = ", ".join(f"{number(peak['best'])} with {count}" for count, peak in peaks.items())
    note = (f"FMA peak in the same run, GFLOP/s: {listed} threads. Times are medians with "
            f"{args.threads[0]} threads unless the table says otherwise.")
    results = {"peaks_gflops": peaks, "sections": done}
    options.finish("bench_scaling", args, facts, results, "\n\n".join([note, *tables]))
    return 1 if any(result["error"] for results in done.values() for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
