"""What people's answers say to each statement of the paper's section 5.2.

right (n,) is how often the nets name a face right, for the faces that people voted on.
"""
import numpy as np

from cs231n_fer.analysis.metrics import rank_correlation, wilson_interval
from cs231n_fer.faces.synthetic import CLASS_NAMES
from cs231n_fer.shapes import check
from cs231n_fer.vis_utils import EKMAN, HUMAN_FER2013

from .findings import Finding, verdict_on
from .people import exact_p, mantel, mean_of_each
from .statistics import bootstrap, bootstrap_mean, percent, points

TABLE = np.array([EKMAN[name] for name in CLASS_NAMES]) / 100
AUTHORS, FACES = HUMAN_FER2013 / 100, 100  # each of the authors saw so many
CLOSE = 0.05
AGREED = 0.8
NOT_ASKED = "nobody voted on these faces"
AUTHORS_SAY = "the authors classified 100 faces each and were right on 63.4 %"
OTHERS_SAY = "other participants report human accuracies around 60 %, close to the net's"
HARD = "some emotions are hard to tell even for people, and labels are occasionally dubious"


def conclude(said, y, crowd):
    """Return the findings.

    said     (N, 7) how often nets say each emotion of each validation face, whose labels are y (N,)
    crowd    Voters, or None where nobody voted
    """
    right = said[np.arange(len(y)), y]
    if crowd is None:
        return [
            Finding(f"5.2: {statement}", NOT_ASKED, "not measured")
            for statement in (AUTHORS_SAY, OTHERS_SAY, HARD)
        ] + [on_table(right, y)]
    missing = [name for label, name in enumerate(CLASS_NAMES) if label not in crowd.y]
    check(not missing,
          f"votes: no face with votes shows {', '.join(missing)}, expected all seven emotions")
    mine = right[crowd.rows]
    return [on_authors(crowd), on_others(mine, crowd), on_table(right, y, crowd),
            on_figure_8(mine, crowd), on_hard(said[crowd.rows], crowd)]


def on_authors(crowd):
    """Judge the authors' accuracy: within one voter's interval, within the chance of 100 faces, or
    neither."""
    voter, most, agree = (bootstrap_mean(each)
                          for each in (crowd.right, crowd.majority, crowd.agree))
    low, high = wilson_interval(AUTHORS * FACES, FACES)
    verdict = (
        "confirmed"
        if voter[1] <= AUTHORS <= voter[2]
        else "refined" if low <= voter[0] <= high else "refuted"
    )
    return Finding(f"5.2: {AUTHORS_SAY}",
                   f"a single voter of FER+ agrees with the label on {percent(voter)} of "
                   f"{len(crowd.y):,} faces ({percent(bootstrap_mean(crowd.of_all))} if contempt, "
                   "unknown and no face count as wrong), the majority of ten voters on "
                   f"{percent(most)}; two voters agree with each other on {percent(agree)}. The "
                   f"95 % interval of 63.4 % on 100 faces is {100 * low:.0f} to {100 * high:.0f} %",
                   verdict, "figure8")


def on_others(right, crowd):
    """Judge whether the net is as good as one person, to CLOSE."""
    ahead, majority = (bootstrap_mean(right - each) for each in (crowd.right, crowd.majority))
    verdict = "confirmed" if abs(ahead[0]) <= CLOSE else "refined" if ahead[0] > 0 else "refuted"
    return Finding(f"5.2: {OTHERS_SAY}",
                   f"on the same faces the net reaches {percent(bootstrap_mean(right))}: "
                   f"{points(ahead)} compared with a single voter, {points(majority)} compared "
                   "with the majority of ten", verdict,
                   "figure8")


def on_table(right, y, crowd=None):
    """Judge Ekman's table: people on clear pictures beside those on FER2013, or the net where
    nobody voted."""
    who, values, labels = ("the net", right,
                           y) if crowd is None else ("people on FER2013", crowd.right, crowd.y)
    gaps = {CLASS_NAMES[label]: bootstrap(lambda each, label=label: TABLE[label] - each.mean(),
                                          values[labels == label])
            for label in np.unique(labels)}
    above = sum(low > 0 for _, low, _ in gaps.values())
    widest = max(gaps, key=lambda name: gaps[name][0])
    return Finding("5.2, table 1: on larger and clearer images people are much better (88 to 99 %, "
                   "Ekman)",
                   f"Ekman's participants are better than {who} in {above} of {len(gaps)} "
                   f"emotions, by {100 * min(gap for gap, *_ in gaps.values()):.0f} to "
                   f"{100 * gaps[widest][0]:.0f} points (most for {widest}); the pictures differ "
                   "in more respects than their size",
                   "not measured" if crowd is None else "confirmed" if above == len(gaps)
                   else "refined", "figure8")


def on_figure_8(right, crowd):
    """Judge whether the emotions that are hard for people are hard for the net: two rank
    correlations of 7 points."""
    def means(*emotions):
        return np.array([faces.mean(axis=0) for faces in emotions]).T

    emotions = [np.stack([right, crowd.right], axis=1)[crowd.y == label]
                for label in range(len(CLASS_NAMES))]
    mine, theirs = means(*emotions)
    people, low, high = bootstrap(lambda *drawn: rank_correlation(*means(*drawn)), *emotions)
    ekman, ekman_low, ekman_high = bootstrap(lambda *drawn: rank_correlation(means(*drawn)[0],
                                                                             TABLE), *emotions)
    better = [name for name, gap in zip(CLASS_NAMES, mine - theirs, strict=True) if gap > 0]
    p = exact_p(mine, theirs)
    return Finding("5.2, figure 8: people and the net, emotion by emotion (are the same emotions "
                   "hard for both?)",
                   f"the net is better than a single voter for {', '.join(better) or 'none'}. The "
                   f"rank correlation over emotions is {people:.2f} with the voters (bootstrap "
                   f"interval {low:.2f} to {high:.2f}; exact p {p:.3f}) and {ekman:.2f} with "
                   f"Ekman's table ({ekman_low:.2f} to {ekman_high:.2f}; p "
                   f"{exact_p(mine, TABLE):.3f}); both are based on only seven points",
                   "confirmed" if p < 0.05 and people > 0 else "refuted" if p < 0.05 else "refined",
                   "figure8")


def on_hard(said, crowd):
    """Judge whether the net fails where people disagree, and takes for each other what they do."""
    agreed, right = crowd.right >= AGREED, said[np.arange(len(crowd.y)), crowd.y]
    alike, p = mantel(mean_of_each(said, crowd.y), mean_of_each(crowd.shares, crowd.y))
    first, second = (bootstrap_mean(right[rows]) for rows in (agreed, ~agreed))
    easier = bootstrap(lambda first, second: first.mean() - second.mean(), right[agreed],
                       right[~agreed])
    dubious = bootstrap_mean(crowd.majority == 0)
    return Finding(f"5.2, 6: {HARD}",
                   f"the label differs from the majority of the voters on {percent(dubious)} of "
                   f"the faces. Where {100 * AGREED:.0f} % of the voters agree with the label "
                   f"({100 * agreed.mean():.0f} % of the faces), the net's accuracy is "
                   f"{percent(first)}, elsewhere {percent(second)}: {points(easier)}. The rank "
                   "correlation between the 42 kinds of error of the net and of people is "
                   f"{alike:.2f} (p {p:.4f} over all permutations of the emotions)",
                   "not measured" if np.isnan(easier[0]) else verdict_on(easier, "more"),
                   "confusions")
