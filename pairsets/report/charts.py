"""The drawn figures of the page, as SVG with what stands above and below."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from pairsets.evaluation.confusion import Confusion
from pairsets.evaluation.hardness import Hardness
from pairsets.evaluation.human import HumanRates
from pairsets.report.content import DetSet, ModelScores
from pairsets.report.phrases import listed, share
from pairsets.report.svg import to_svg
from pairsets.tables.leaderboard import interval_text, percent

if TYPE_CHECKING:
    from pairsets.figures import Figure

# CSS pixels of the smallest words of a map, which scrolls rather than shrinks.
_MAP_TYPE = 11.5


@dataclass(frozen=True)
class Chart:
    """A drawn figure, what stands above it and what below."""

    svg: Markup
    title: str
    caption: str


def trade_off(group: DetSet, at: int) -> list[Chart]:
    """DET and ROC curves of a set."""
    from pairsets.figures import det_curves, roc_curves

    if not group.curves:
        return []
    models = ", ".join(group.curves)
    person = _person_words(group)
    targets = (
        listed([f"{percent(target)} %" for target in group.target_fnrs], most=9)
        if (group.target_fnrs)
        else ""
    )
    lines = f" Dotted: an FNR of {targets}." if targets else ""
    made: list[tuple[str, Callable[..., Figure], str]] = [
        (
            "DET",
            det_curves,
            "Both kinds of error, small rates drawn large. Lower left is better; the rising "
            "diagonal is FPR = FNR, the falling one, FPR = 1 - FNR, is chance."
            f"{lines}{person}",
        ),
        (
            "ROC",
            roc_curves,
            "The pairs of one identity that are found, over the pairs of two that are taken for "
            "one. Upper left is better; the solid diagonal is chance, and where a curve crosses "
            "the dashed one lies its EER.",
        ),
    ]
    return [
        drawn_chart(
            draw(group.curves, human=group.human, target_fnrs=group.target_fnrs),
            f"{kind.lower()}-{at}",
            f"{kind} curves on the {group.name} set: {models}",
            kind,
            caption,
        )
        for kind, draw, caption in made
    ]


def _person_words(group: DetSet) -> str:
    human = group.human
    if not isinstance(human, HumanRates) or not (human.positives and human.negatives):
        return ""
    rates = (human.fpr_rate, human.fnr_rate)
    fpr, fnr = (f"{share(one.value)} % {interval_text(one.interval)}" for one in rates)
    return f" The star is the person: FPR {fpr}, FNR {fnr}; the cross reaches as far as that."


def histogram(scores: ModelScores, at: int) -> Chart | None:
    """Histogram of a model's scores; None where it has none."""
    from pairsets.figures import score_histograms

    groups = {name: values for name, values in scores.groups.items() if len(values)}
    if not groups:
        return None
    counts = ", ".join(f"{len(values):,} {name}" for name, values in groups.items())
    unit = f"score ({scores.measure})" if scores.measure else "score"
    axis = f"{unit}, to the right more alike"
    figure = score_histograms(groups, threshold=scores.threshold, xlabel=axis)
    label = f"Histogram of the scores of {scores.model}: {counts}"
    return drawn_chart(figure, f"scores-{at}", label, scores.model, f"{counts}.")


def hardness_chart(hardness: Hardness, at: int, chance: float | None) -> Chart | None:
    """Chart of FPR over rank, with the FPR of chance where it is known; None without a model."""
    from pairsets.figures import hardness_curves

    if not hardness.models:
        return None
    label = f"FPR by rank of {', '.join(hardness.models)}"
    caption = "Bands are intervals of 95 %."
    if hardness.hub_pairs:
        caption += " Where a dotted line lies on its own model, hubs make no difference."
    return drawn_chart(
        hardness_curves(hardness, chance=chance), f"hardness-{at}", label, "", caption
    )


def confusion_chart(name: str, confusion: Confusion, at: int) -> Chart:
    """Chart of a model's false accepts as a map; without any, words alone."""
    from pairsets.figures import confusion_map
    from pairsets.figures.style import smallest_type

    title = name
    if not len(confusion):
        words = f"None of {confusion.pairs:,} pairs of different identities is taken for one."
        return Chart(Markup(""), title, words)
    caption = (
        f"{confusion.errors_inside:,} of {confusion.errors:,} false accepts are of two of these "
        f"{len(confusion)} identities. {confusion.confused:,} identities are in one or more."
    )
    if confusion.groups:
        groups = "; ".join(listed(list(group), most=6) for group in confusion.groups)
        caption += (
            f" Groups: {groups}. Their modularity is {confusion.modularity:.2f}, where chance "
            f"gives {confusion.chance:.2f} at most."
        )
    else:
        caption += " They are in no groups: no more so than if they were spread by chance."
    label = f"Map of the false accepts of {name}: {', '.join(confusion.identities)}"
    figure = confusion_map(confusion, None)
    wide = 72 * figure.get_size_inches()[0] * _MAP_TYPE / smallest_type(figure)
    svg = to_svg(figure, name=f"confusion-{at}", description=label, width=wide)
    return Chart(Markup(svg), title, caption)


def drawn_chart(figure: Figure, name: str, description: str, title: str, caption: str) -> Chart:
    """A figure as the page has it; `name` is its own on the page."""
    svg = to_svg(figure, name=name, description=description)
    return Chart(Markup(svg), title, caption)
