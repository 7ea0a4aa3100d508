"""Findings, statements of the paper with our measurements: stored as JSON, shown in a report."""
import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import mean

from cs231n_fer.files.checkpoint import write_text
from cs231n_fer.shapes import check
from cs231n_fer.vis_utils import add_note, save_figure
from experiments.bench import machine
from experiments.bench.report import json_text, table

from .options import settings
from .runs import data_digest
from .statistics import accuracy, explain, percent

VERDICTS = ("confirmed", "refuted", "refined", "not measured")
HEADER = ("", "accuracy (95 %)", "best epoch", "training accuracy", "parameters", "MFLOP",
          "images/s", "minutes")


@dataclass(frozen=True)
class Finding:
    """A statement of the paper and our result.

    statement   of the paper, with its section: "3.4: Adam performs best among the update rules"
    ours        our result, with its numbers
    verdict     one of VERDICTS
    figure      key of a figure that is given to save(), or "" for none
    command     the command that measured it; by default save() fills in the script's
    """

    statement: str
    ours: str
    verdict: str
    figure: str = ""
    command: str = ""

    def __post_init__(self):
        check(self.verdict in VERDICTS,
              f"verdict: got {self.verdict!r}, expected one of {', '.join(VERDICTS)}")


def row_of(name, results):
    """Return the row of a net under HEADER.

    results   of runs.train, one for each seed; the row has their means, but the sum of their times
    """
    def average(key):
        return mean(result[key] for result in results)

    minutes = sum(result["seconds"] for result in results) / 60
    return [name, percent(accuracy(results)), f"{average('best_epoch'):.0f}",
            f"{100 * average('train_acc'):.1f} %", results[0]["parameters"],
            results[0]["flops"] / 1e6, average("images_per_second"), minutes]


def verdict_on(gain, claim):
    """Return the verdict on the claim of a gain, given the measured (mean, low, high).

    claim   "more", the gain is positive: refined if the interval contains zero
            "no more", the gain is not positive: refined if the interval is negative
    """
    check(claim in ("more", "no more"), f"claim: got {claim!r}, expected 'more' or 'no more'")
    _, low, high = gain
    if claim == "more":
        return "confirmed" if low > 0 else "refuted" if high < 0 else "refined"
    return "refuted" if low > 0 else "refined" if high < 0 else "confirmed"


def stem(number, name):
    """Return the file name of an experiment's results without suffix, as in "02_update_rules"."""
    return f"{number:02}_{name}"


def save(args, data, number, *, title, header, rows, findings, figures=None, results=(),
         seconds=None, notes=(), synthetic=()):
    """Write the results of an experiment as NUMBER_NAME.json and a PNG for each figure.

    args       of options.begin
    data       the data that it was measured on
    header     of the table, texts
    rows       of the table, lists of texts and numbers
    findings   list of Finding
    figures    {name: Axes or Figure}
    results    of runs.train; the JSON stores them without confusion matrix and paths
    seconds    total time; by default the sum over the results
    notes      sentences below the table
    synthetic  names of the figures that show synthetic faces, whatever data is
    Returns the path of the JSON.
    """
    name = stem(number, args.name)
    files = {key: f"{name}_{key}.png" for key in figures or {}}
    for key, figure in (figures or {}).items():
        add_note(figure, drawn_from(data, results, args.seeds, key in synthetic))
        save_figure(figure, args.results / files[key], close=True)
    found = []
    for finding in findings:
        check(finding.figure in files or not finding.figure,
              f"figure: got {finding.figure!r}, expected one of {', '.join(files) or 'none'}")
        found.append(asdict(replace(finding, figure=files.get(finding.figure, ""),
                                    command=finding.command or args.command)))
    source = {"name": Path(data["source"]).name, "sha256": data_digest(data),
              "synthetic": data["synthetic"], "training": len(data["X_train"]),
              "validation": len(data["X_val"])}
    seconds = sum(result["seconds"] for result in results) if seconds is None else seconds
    text = json_text({"number": number, "title": title, "command": args.command,
                      "settings": settings(args), "seeds": list(range(args.seeds)),
                      "seconds": round(seconds, 3), "data": source, "machine": machine.describe(),
                      "header": list(header), "rows": [list(row) for row in rows],
                      "notes": list(notes), "findings": found, "figures": list(files.values()),
                      "runs": [kept_of(result) for result in results]})
    write_text(args.results / f"{name}.json", text)
    # A copy among the runs tells reproduce_paper.py that the experiment was run on this machine
    write_text(args.runs / f"{name}.json", text)
    print(f"\n{table(header, rows)}\n")
    for finding in findings:
        print(f"{finding.verdict}: {finding.statement}\n    {finding.ours}")
    print("results:", os.path.relpath(args.results / f"{name}.json"))
    return args.results / f"{name}.json"


def drawn_from(data, results, seeds, synthetic=False):
    """Return the note below a figure: its faces, the kinds of net and their seeds.

    synthetic   whether the faces are synthetic although data are not
    """
    faces = "synthetic faces" if synthetic or data["synthetic"] else Path(data["source"]).name
    kinds = dict.fromkeys(result["run"]["model"]["kind"] for result in results
                          if "model" in result["run"])
    range_of_seeds = "seed 0" if seeds == 1 else f"seeds 0 to {seeds - 1}"
    return ", ".join([faces, *kinds, range_of_seeds])


def save_nets(args, data, number, *, nets, others=(), notes=(), **rest):
    """Call save() with a row for each net; returns the path of the JSON.

    nets     {name: results of runs.train, one for each seed}
    others   further results that the JSON stores
    notes    sentences after the one on the intervals
    rest     the other keywords of save()
    """
    return save(args, data, number, header=HEADER,
                rows=[row_of(name, results) for name, results in nets.items()],
                results=sum(nets.values(), list(others)), notes=[explain(args.seeds), *notes],
                **rest)


def kept_of(result):
    """Return the part of a result of runs.train that the JSON stores.

    The path of init is shortened to the file and its folder.
    """
    kept = ("run", "digest", "val_acc", "best_epoch", "train_acc", "last_val_acc", "epochs",
            "stopped", "diverged", "seconds", "images_per_second", "parameters", "flops",
            "per_class")
    init = result["run"]["init"] and "/".join(Path(result["run"]["init"]).parts[-2:])
    return {key: result[key] for key in kept} | {"run": {**result["run"], "init": init},
                                                 "history": columns(result["history"])}


def columns(history):
    """Turn a list with a dict for each epoch into a dict with a list for each quantity."""
    return {key: [row[key] for row in history] for key in ("loss", "train_acc", "val_acc")}


def load_results(folder, number, name):
    """Return the JSON that save() wrote as a dict, or None if there is none."""
    path = Path(folder) / f"{stem(number, name)}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def report(folder, experiments, failures=()):
    """Return the text of REPORT.md, a file next to folder, from the JSON files in folder.

    experiments   list of (number, name, title); those without a JSON are listed as not measured
    failures      {number: message} of the experiments that failed
    """
    all_results = [(number, title, load_results(folder, number, name))
                   for number, name, title in experiments]
    lines = ["# The paper, statement by statement", "",
             "This page is written by `python experiments/reproduce_paper.py` from the JSON files "
             "in [paper/](paper); every number comes from a completed run.", ""]
    lines += [f"Experiment {number} {message}.\n" for number, message in dict(failures).items()]
    rows = []
    for number, title, found in all_results:
        if not found:
            rows.append([str(number), title, "-", "not measured", "-", "-"])
            continue
        where = " on synthetic faces" if found["data"]["synthetic"] else ""
        rows += [[str(number), finding["statement"], finding["ours"],
                  f"**{finding['verdict']}**{where}", picture(folder, finding["figure"], "figure"),
                  f"`{finding['command']}`"] for finding in found["findings"]]
    lines += [markdown(["", "the paper says", "we find", "verdict", "figure", "command"], rows), ""]
    for number, _, found in all_results:
        if found:
            lines += section(folder, number, found)
    return "\n".join(lines)


def section(folder, number, found):
    """Return the lines of an experiment's section in the report."""
    data = found["data"]
    faces = "synthetic faces" if found["data"]["synthetic"] else found["data"]["name"]
    seeds = ", ".join(map(str, found["seeds"]))
    return [f"## {number}. {found['title']}", "",
            f"`{found['command']}`: {faces} ({data['training']:,} training and "
            f"{data['validation']:,} validation images), seeds {seeds}, "
            f"{found['seconds'] / 60:.0f} minutes; {machine.sentence(found['machine'])}.", "",
            table(found["header"], found["rows"]), "", *(f"{note}\n" for note in found["notes"]),
            *(f"!{picture(folder, name, found['title'])}\n" for name in found["figures"])]


def picture(folder, name, text):
    """Return a link to a figure, relative to the folder above, or a dash for no figure."""
    return f"[{text}]({Path(folder).name}/{name})" if name else "-"


def markdown(header, rows):
    """Return a Markdown table of long texts, not aligned; bars in the texts are escaped."""
    lines = [header, ["---"] * len(header),
             *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
