"""Findings on section 5.1 of the paper from the maps of attention.py.

Intervals are (value, low, high). The arguments makes, upper and checks are {emotion or comparison:
{method: interval}}, as curves.plot_groups takes them.
"""
from cs231n_fer.faces.synthetic import CLASS_NAMES, MASK_NAMES

from .attention import METHODS
from .findings import Finding
from .statistics import percent

# The part that the net reacts to in figure 7 of the paper: smile, eye, frown
FIGURE_7 = {"Happy": "mouth", "Fear": "eyes", "Anger": "brows"}
TWIN = "a net of another seed"
RANDOMIZED = "drawn anew"


def on_face(inside, area):
    """Return the finding on the share of the maps in the face.

    inside   {method: interval}, the share of its maps in the face
    area     the face's share of the image
    """
    shares = "; ".join(f"{method} {percent(inside[method])}" for method in METHODS)
    low = min(low for _, low, _ in inside.values())
    return Finding("5.1: the net reacts to the face and not the background (synthetic faces)",
                   f"the face covers {100 * area:.0f} % of the picture; its share of the maps is "
                   f"{shares}",
                   "confirmed" if low > 0.9 else "refined" if low > area else "refuted", "maps")


def on_figure_7(parts):
    """Return the finding on the part of the face that holds most of the gradient for its area.

    parts   {emotion: {part: interval}}, relative to chance
    """
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
    """Return the finding on the share of the maps in the relevant pixels.

    makes   the share relative to chance
    p       {method: {class: p-value}} of permutation_p
    """
    cases = [(makes[CLASS_NAMES[label]][method], value)
             for method in METHODS for label, value in p[method].items()]
    values = [value for (value, *_), _ in cases]
    above = sum(low > 1 for (_, low, _), _ in cases)
    own = sum(value < 0.05 for _, value in cases)
    return Finding("5.1: saliency maps show which parts of the image the net reacts to (compared "
                   "with the pixels that change with the emotion; synthetic faces)",
                   f"for six emotions and three methods: above chance in {above} of {len(cases)} "
                   f"cases, by a factor of {min(values):.2f} to {max(values):.2f}; in {own} cases "
                   "also above the corresponding pixels of other faces (p < 0.05)",
                   "confirmed" if above == len(cases) == own else "refined" if above else "refuted",
                   "chance")


def on_ekman(upper, right, y):
    """Return the finding on anger in the upper and happiness in the lower half of the face.

    upper   the share of the maps in the upper half, in percent
    right   {"upper", "lower": (N,)}, the accuracy on each face from one half alone
    y       (N,) labels
    """
    def agreement(anger, happy):
        # One point if the intervals are disjoint, another if each lies in its own half
        return (anger[1] > happy[2]) + (anger[1] > 50 > happy[2])

    def interval(emotion, method):
        value, low, high = upper[emotion][method]
        return f"{emotion} {value:.1f} % ({low:.1f} to {high:.1f})"

    def numbers(method):
        return f"{method}: {interval('Anger', method)}, {interval('Happy', method)}"

    def accuracies(emotion):
        rows = y == CLASS_NAMES.index(emotion)
        from_upper = 100 * right["upper"][rows].mean()
        from_lower = 100 * right["lower"][rows].mean()
        return f"{emotion} {from_upper:.0f} and {from_lower:.0f} %"

    agreed = [agreement(upper["Anger"][method], upper["Happy"][method]) for method in METHODS]
    return Finding("5.1: anger is detected on the upper part of the face, happiness on the lower "
                   "(Ekman)",
                   f"share of the maps in the upper half: {'; '.join(map(numbers, METHODS))}. "
                   f"Accuracy from the upper and from the lower half alone: {accuracies('Anger')}; "
                   f"{accuracies('Happy')}",
                   "confirmed" if min(agreed) == 2 else "refined" if max(agreed) else "refuted",
                   "halves")


def on_noise(checks):
    """Return the finding on the agreement of two nets that differ only in their seed."""
    statement = "5.1, 6: most saliency maps are quite noisy"
    if TWIN not in checks:
        return Finding(statement, "needs two seeds", "not measured")
    agree = ", ".join(f"{method} {checks[TWIN][method][0]:.2f}" for method in METHODS)
    return Finding(statement,
                   "rank correlation between maps of the same face by two nets with different "
                   f"seeds: {agree}",
                   "confirmed" if checks[TWIN]["gradient"][2] < 0.5 else "refined", "sanity")


def on_sanity(checks):
    """Return the finding on whether maps change when the weights are re-initialized.

    The rank correlation must be below that of two trained nets, and below 0.5.
    """
    randomized = [compared for name, compared in checks.items() if RANDOMIZED in name][-1]
    bound = {method: min(0.5, checks[TWIN][method][1] if TWIN in checks else 1)
             for method in METHODS}
    agree = ", ".join(f"{method} {randomized[method][0]:.2f}" for method in METHODS)
    return Finding("5.1: maps show what the net has learned to react to (so that random weights "
                   "give different maps: Adebayo et al. 2018)",
                   "rank correlation with the maps of the same net after all its weights were "
                   f"re-initialized: {agree}",
                   "confirmed" if all(randomized[method][2] < bound[method] for method in METHODS)
                   else "refuted", "sanity")
