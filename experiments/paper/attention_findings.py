"""What the maps of attention.py say to each statement of the paper's section 5.1.

Intervals are (value, low, high); makes, upper and checks are {emotion or what was compared:
{method: interval}}, as curves.plot_groups takes them.
"""
from cs231n_fer.faces.synthetic import CLASS_NAMES, MASK_NAMES

from .attention import METHODS
from .findings import Finding
from .statistics import percent

# What the net reacts to there: smile, eye, frown
FIGURE_7 = {"Happy": "mouth", "Fear": "eyes", "Anger": "brows"}
TWIN, ANEW = "a net of another seed", "drawn anew"


def on_face(inside, area):
    """Judge the share of each method's maps in the face, {method: interval}, against the face's
    area."""
    shares = "; ".join(f"{method} {percent(inside[method])}" for method in METHODS)
    low = min(low for _, low, _ in inside.values())
    return Finding("5.1: the net reacts to the face and not the background (synthetic faces)",
                   f"the face covers {100 * area:.0f} % of the picture; its share of the maps is "
                   f"{shares}",
                   "confirmed" if low > 0.9 else "refined" if low > area else "refuted", "maps")


def on_figure_7(parts):
    """Judge which part holds most of the gradient for its area, parts as {emotion: {part:
    interval}}."""
    strongest = {emotion: max((value, part) for part, (value, *_) in parts[emotion].items())[1]
                 for emotion in FIGURE_7}
    hits = sum(strongest[emotion] == part for emotion, part in FIGURE_7.items())
    numbers = "; ".join(f"{emotion}: "
                        + ", ".join(f"{part} {parts[emotion][part][0]:.2f}" for part in MASK_NAMES)
                        for emotion in FIGURE_7)
    return Finding("5.1, figure 7: it reacts to the smile in Happy, the eye in Fear, the brows in "
                   "Anger (synthetic)",
                   f"gradient in brows, eyes and mouth, relative to chance: {numbers}",
                   ("refuted", "refined", "refined", "confirmed")[hits], "parts")


def on_regions(makes, p):
    """Judge how the maps fill what makes the emotion, and p as {method: {class: p}}."""
    cases = [(makes[CLASS_NAMES[label]][method], value) for method in METHODS for label,
             value in p[method].items()]
    values = [value for (value, *_), _ in cases]
    above = sum(low > 1 for (_, low, _), _ in cases)
    own = sum(
        value < 0.05 for _, value in cases)
    return Finding("5.1: saliency maps show which parts of the image the net reacts to (compared "
                   "with the pixels that change with the emotion; synthetic faces)",
                   f"for six emotions and three methods: above chance in {above} of {len(cases)} "
                   f"cases, by a factor of {min(values):.2f} to {max(values):.2f}; in {own} cases "
                   "also above the corresponding pixels of other faces (p < 0.05)",
                   "confirmed" if above == len(cases) == own else "refined" if above else "refuted",
                   "chance")


def on_ekman(upper, right, y):
    """Judge the share of the maps in the upper half, in percent, and the accuracy by one half alone
    (N,) each."""
    def reads(anger, happy):
        # Apart from each other; each in its half
        return (anger[1] > happy[2]) + (anger[1] > 50 > happy[2])

    def numbers(method):
        return f"{method}: " + ", ".join(f"{emotion} {value:.1f} % ({low:.1f} to {high:.1f})"
                                         for emotion, (
            value, low,
            high) in ((emotion, upper[emotion][method]) for emotion in ("Anger", "Happy")))

    def seen(emotion):
        rows = y == CLASS_NAMES.index(emotion)
        upper = 100 * right["upper"][rows].mean()
        lower = 100 * right["lower"][rows].mean()
        return f"{emotion} {upper:.0f} and {lower:.0f} %"

    read = [reads(upper["Anger"][method], upper["Happy"][method]) for method in METHODS]
    return Finding("5.1: anger is detected on the upper part of the face, happiness on the lower "
                   "(Ekman)",
                   f"share of the maps in the upper half: {'; '.join(map(numbers, METHODS))}. "
                   f"Accuracy from the upper and from the lower half alone: {seen('Anger')}; "
                   f"{seen('Happy')}",
                   "confirmed" if min(read) == 2 else "refined" if max(read) else "refuted",
                   "halves")


def on_noise(checks):
    """Judge how well two nets agree that differ in nothing but their seed."""
    statement = "5.1, 6: most saliency maps are quite noisy"
    if TWIN not in checks:
        return Finding(statement, "needs two seeds", "not measured")
    agree = ", ".join(f"{method} {checks[TWIN][method][0]:.2f}" for method in METHODS)
    return Finding(statement,
                   "rank correlation between maps of the same face by two nets with different "
                   f"seeds: {agree}",
                   "confirmed" if checks[TWIN]["gradient"][2] < 0.5 else "refined", "sanity")


def on_sanity(checks):
    """Judge whether maps change with the weights: less alike than those of two trained nets, and
    than 0.5."""
    anew = [compared for what, compared in checks.items() if ANEW in what][-1]
    bound = {method: min(0.5, checks[TWIN][method][1] if TWIN in checks else 1)
             for method in METHODS}
    agree = ", ".join(f"{method} {anew[method][0]:.2f}" for method in METHODS)
    return Finding("5.1: maps show what the net has learned to react to (so that random weights "
                   "give different maps: Adebayo et al. 2018)",
                   "rank correlation with the maps of the same net after all its weights were "
                   f"re-initialized: {agree}",
                   "confirmed" if all(anew[method][2] < bound[method] for method in METHODS)
                   else "refuted", "sanity")
