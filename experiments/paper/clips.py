"""From still images to clips (Kahou et al. 2013): an SVM on the frame-wise outputs of a net.

    python experiments/paper/clips.py           8,000 faces, 2,000 clips: about 8 min on 2 cores
    python experiments/paper/clips.py --quick   a smoke test

FER2013 has no clips, so the script uses synthetic faces and ignores --data. A net trained on still
faces classifies every frame; its probabilities are pooled into one vector per clip, by their mean
or in 10 bins over time. The SVM is compared with the middle frame and with the frame at the apex,
which is known only for synthetic clips.
"""
import sys
from pathlib import Path

if __package__ is None:  # started as a file, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    import experiments.paper  # noqa: F401  here, before NumPy

import time

import numpy as np

from cs231n_fer.analysis.linear_svm import fit_linear_svm
from cs231n_fer.data_utils import normalise
from cs231n_fer.faces.clips import BINS, clip_bins, clip_mean, make_clip
from cs231n_fer.layers.losses import log_softmax
from cs231n_fer.vis_utils import curves
from experiments import flags
from experiments.paper import findings, options
from experiments.paper.clip_figures import draw_clip
from experiments.paper.findings import Finding, verdict_on
from experiments.paper.runs import load_trained, train_seeds
from experiments.paper.statistics import accuracy, explain, gain, in_percent, percent, points

SPLITS = {"train": 800, "val": 400, "test": 800}
FIRST_CLIP = 3_000_000  # above the numbers of the still faces: training saw no person of a clip
MIDDLE = "middle frame"
APEX = "frame at the apex"
ARGMAX = "mean of the frames"
MEAN = "mean, SVM"
BINNED = f"{BINS} bins, SVM"
STRENGTHS = [10.0 ** power for power in range(-5, 0)]


def numbers_of(sizes):
    """Return {split: numbers of its clips} for {split: size}; no two splits share a person."""
    ends = FIRST_CLIP + np.cumsum(list(sizes.values()))
    return {split: range(end - count, end)
            for (split, count), end in zip(sizes.items(), ends.tolist(), strict=True)}


def look(net, data, clips):
    """Return the net's probabilities for each clip, a list of (T, 7) arrays."""
    images = (normalise(clip.pixels, data["mean_image"], data["std"]) for clip in clips)
    return [np.exp(log_softmax(net.predict(frames))) for frames in images]


def classify(seen, clips):
    """Return {method: (N, 7) scores of the test clips}.

    seen    {split: list of the (T, 7) probabilities of its clips}
    clips   {split: list of Clip}
    """
    labels = {split: labels_of(clips_of_split) for split, clips_of_split in clips.items()}
    test = list(zip(seen["test"], clips["test"], strict=True))
    scores = {MIDDLE: np.stack([frames[len(frames) // 2] for frames, _ in test]),
              APEX: np.stack([frames[clip.strength.argmax()] for frames, clip in test]),
              ARGMAX: np.stack([clip_mean(frames) for frames, _ in test])}
    for way, pool in ((MEAN, clip_mean), (BINNED, clip_bins)):
        vectors = {split: np.stack([pool(frames) for frames in probabilities])
                   for split, probabilities in seen.items()}
        svm = fit_linear_svm(vectors["train"], labels["train"], STRENGTHS,
                             (vectors["val"], labels["val"]), 7)
        scores[way] = svm.predict(vectors["test"])
    return scores


def labels_of(clips):
    """Return the labels of clips, (N,) integers."""
    return np.array([clip.emotion for clip in clips])


def changes(frames):
    """Return (number of different predictions, T) for the (T, C) probabilities of a clip.

    The clip that is shown has the most of them.
    """
    return len(set(frames.argmax(axis=1))), len(frames)


def outcome(scores, labels):
    """Return the entries of a result of runs.train that accuracy() and gain() read."""
    right = scores.argmax(axis=1) == labels
    return {"val_acc": float(right.mean()), "right": "".join(map(str, right.astype(int)))}


def conclude(results, still):
    """Return the findings.

    results   {method: outcomes, one for each seed}
    still     accuracy on still faces, (value, low, high)
    """
    over_middle, over_mean, over_apex = (gain(results[BINNED], results[way])
                                         for way in (MIDDLE, MEAN, APEX))
    return [
        Finding("2: Kahou et al. train a deep convolutional network on static images, but then "
                "apply it to video data",
                f"the SVM on {BINS} bins classifies {percent(accuracy(results[BINNED]))} of the "
                f"clips correctly, {points(over_middle)} compared with the middle frame; the net "
                f"classifies {percent(still)} of still faces correctly",
                verdict_on(over_middle, "more"), "clip"),
        Finding("2, its source: the frames' probabilities are averaged in bins over time",
                f"{BINS} bins are {points(over_mean)} above the mean, which ignores the order of "
                f"the frames, and {points(over_apex)} above the single frame at the apex",
                verdict_on(over_mean, "more"), "accuracy")]


def main(argv=None):
    faces = flags.Parser(None, add_help=False)
    faces.add_argument("--data")
    argv = faces.parse_known_args(argv)[1]
    made = options.parser("clips", __doc__, epochs=10)
    args, data = options.begin(made, argv if "--quick" in argv else [*argv, "--data", "synthetic"])
    sizes = {split: count // 10 for split, count in SPLITS.items()} if args.quick else SPLITS
    trained = train_seeds(options.base_run(args, "frames"), data, args.runs, args.seeds)
    start = time.perf_counter()
    clips = {split: [make_clip(0, number) for number in numbers]
             for split, numbers in numbers_of(sizes).items()}
    results = {}
    labels = labels_of(clips["test"])
    for result in trained:
        net = load_trained(result)
        seen = {split: look(net, data, clips_of_split) for split, clips_of_split in clips.items()}
        for way, scores in classify(seen, clips).items():
            results.setdefault(way, []).append(outcome(scores, labels))
    rows = [[way, percent(accuracy(outcomes)), points(gain(outcomes, results[MIDDLE]))]
            for way, outcomes in results.items()]
    # seen holds the probabilities of the last net
    shown = max(range(len(labels)), key=lambda k: changes(seen["test"][k]))
    figures = {"clip": draw_clip(clips["test"][shown], seen["test"][shown], data["class_names"]),
               "accuracy": curves.plot_intervals(in_percent(results),
                                                  title=f"{len(labels):,} clips of 6 to 40 frames")}
    findings.save(args, data, 14, title="From still images to clips", rows=rows, figures=figures,
                  results=trained,
                  header=("input", "accuracy (95 %)", "gain over the middle frame"),
                  findings=conclude(results, accuracy(trained)),
                  seconds=time.perf_counter() - start
                  + sum(result["seconds"] for result in trained),
                  notes=[explain(args.seeds).replace("faces", "clips"),
                         f"The SVM is trained on {sizes['train']:,} clips; its regularization "
                         f"strength is chosen on {sizes['val']:,} others."])


if __name__ == "__main__":
    main()
