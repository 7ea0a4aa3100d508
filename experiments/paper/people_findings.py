"""Findings on section 5.2 of the paper from the votes of people.

The argument right (n,) is the fraction of the nets that classify a face correctly, for the faces
that people voted on; crowd is their Voters.
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
AUTHORS = HUMAN_FER2013 / 100
FACES = 100   # that each of the authors classified
CLOSE = 0.05  # difference of accuracies that counts as close
AGREED = 0.8  # share of votes for the label from which voters count as agreeing
NOT_ASKED = "nobody voted on these faces"
AUTHORS_SAY = "the authors classified 100 faces each and were right on 63.4 %"
OTHERS_SAY = "other participants report human accuracies around 60 %, close to the net's"
HARD = "some emotions are hard to tell even for people, and labels are occasionally dubious"


def conclude(answers, y, crowd):
    """Return the findings.

    answers   (N, 7) fraction of the nets that predict each emotion for each validation face
    y         (N,) labels
    crowd     Voters, or None if there are no votes
    """
    right = answers[np.arange(len(y)), y]
    if crowd is None:
        not_measured = [Finding(f"5.2: {statement}", NOT_ASKED, "not measured")
                        for statement in (AUTHORS_SAY, OTHERS_SAY, HARD)]
        return [*not_measured, on_table(right, y)]
    missing = [name for label, name in enumerate(CLASS_NAMES) if label not in crowd.y]
    check(not missing,
          f"votes: no face with votes shows {', '.join(missing)}, expected all seven emotions")
    voted = right[crowd.rows]
    return [on_authors(crowd), on_others(voted, crowd), on_table(right, y, crowd),
            on_figure_8(voted, crowd), on_hard(answers[crowd.rows], crowd)]


def on_authors(crowd):
    """Return the finding on the authors' own accuracy.

    Confirmed if it lies within the interval of a single voter, refined if the voter lies within
    the interval of the authors' 100 faces.
    """
    voter = bootstrap_mean(crowd.right)
    most = bootstrap_mean(crowd.majority)
    agree = bootstrap_mean(crowd.agree)
    low, high = wilson_interval(AUTHORS * FACES, FACES)
    verdict = ("confirmed" if voter[1] <= AUTHORS <= voter[2]
               else "refined" if low <= voter[0] <= high else "refuted")
    return Finding(f"5.2: {AUTHORS_SAY}",
                   f"a single voter of FER+ agrees with the label on {percent(voter)} of "
                   f"{len(crowd.y):,} faces ({percent(bootstrap_mean(crowd.of_all))} if contempt, "
                   "unknown and no face count as wrong), the majority of ten voters on "
                   f"{percent(most)}; two voters agree with each other on {percent(agree)}. The "
                   f"95 % interval of 63.4 % on 100 faces is {100 * low:.0f} to {100 * high:.0f} %",
                   verdict, "figure8")


def on_others(right, crowd):
    """Return the finding on whether the net is as good as a single person, within CLOSE."""
    ahead = bootstrap_mean(right - crowd.right)
    majority = bootstrap_mean(right - crowd.majority)
    verdict = "confirmed" if abs(ahead[0]) <= CLOSE else "refined" if ahead[0] > 0 else "refuted"
    return Finding(f"5.2: {OTHERS_SAY}",
                   f"on the same faces the net reaches {percent(bootstrap_mean(right))}: "
                   f"{points(ahead)} compared with a single voter, {points(majority)} compared "
                   "with the majority of ten", verdict, "figure8")


def on_table(right, y, crowd=None):
    """Return the finding on Ekman's table: people on clear images and people on FER2013.

    Without votes, the net takes the place of the people on FER2013.
    """
    who = "the net"
    values = right
    labels = y
    if crowd is not None:
        who = "people on FER2013"
        values = crowd.right
        labels = crowd.y
    gaps = {CLASS_NAMES[label]: bootstrap(lambda faces, label=label: TABLE[label] - faces.mean(),
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
    """Return the finding on whether the same emotions are hard for people and for the net.

    It rests on two rank correlations of seven points each.
    """
    def means(*emotions):
        return np.array([faces.mean(axis=0) for faces in emotions]).T

    emotions = [np.stack([right, crowd.right], axis=1)[crowd.y == label]
                for label in range(len(CLASS_NAMES))]
    of_net, of_people = means(*emotions)
    people, low, high = bootstrap(lambda *drawn: rank_correlation(*means(*drawn)), *emotions)
    ekman, ekman_low, ekman_high = bootstrap(
        lambda *drawn: rank_correlation(means(*drawn)[0], TABLE), *emotions)
    better = [name for name, gap in zip(CLASS_NAMES, of_net - of_people, strict=True) if gap > 0]
    p = exact_p(of_net, of_people)
    return Finding("5.2, figure 8: people and the net, emotion by emotion (are the same emotions "
                   "hard for both?)",
                   f"the net is better than a single voter for {', '.join(better) or 'none'}. The "
                   f"rank correlation over emotions is {people:.2f} with the voters (bootstrap "
                   f"interval {low:.2f} to {high:.2f}; exact p {p:.3f}) and {ekman:.2f} with "
                   f"Ekman's table ({ekman_low:.2f} to {ekman_high:.2f}; p "
                   f"{exact_p(of_net, TABLE):.3f}); both are based on only seven points",
                   "confirmed" if p < 0.05 and people > 0 else "refuted" if p < 0.05 else "refined",
                   "figure8")


def on_hard(answers, crowd):
    """Return the finding on whether the net fails where people disagree and confuses what they do.

    answers   (n, 7), those of conclude() for the faces of crowd
    """
    agreed = crowd.right >= AGREED
    right = answers[np.arange(len(crowd.y)), crowd.y]
    alike, p = mantel(mean_of_each(answers, crowd.y), mean_of_each(crowd.shares, crowd.y))
    on_agreed = bootstrap_mean(right[agreed])
    elsewhere = bootstrap_mean(right[~agreed])
    easier = bootstrap(lambda first, second: first.mean() - second.mean(), right[agreed],
                       right[~agreed])
    dubious = bootstrap_mean(crowd.majority == 0)
    return Finding(f"5.2, 6: {HARD}",
                   f"the label differs from the majority of the voters on {percent(dubious)} of "
                   f"the faces. Where {100 * AGREED:.0f} % of the voters agree with the label "
                   f"({100 * agreed.mean():.0f} % of the faces), the net's accuracy is "
                   f"{percent(on_agreed)}, elsewhere {percent(elsewhere)}: {points(easier)}. The "
                   "rank correlation between the 42 kinds of error of the net and of people is "
                   f"{alike:.2f} (p {p:.4f} over all permutations of the emotions)",
                   "not measured" if np.isnan(easier[0]) else verdict_on(easier, "more"),
                   "confusions")
