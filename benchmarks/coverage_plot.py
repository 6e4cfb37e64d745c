"""Figure of `results/coverage.json`: how often the truth lies in 95 % intervals, by pair set.

python -m benchmarks.coverage_plot
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmarks.machine import RESULTS
from benchmarks.plots import IMAGES
from pairsets.figures import BLUE, GREEN, GRID, INK, MUTED, PAPER, VERMILLION, encode
from pairsets.storage.artefacts import atomic_write

STATISTICS = {
    "fpr(T)": "FPR at a given threshold",
    "fpr@0.139": "FPR at FNR 13.9 %",
    "eer": "EER",
    "auc": "AUC",
}
# Method: label, colour, marker, filled.
METHODS: dict[str, tuple[str, str, str, bool]] = {
    "independent": ("as if pairs were independent", VERMILLION, "s", True),
    "uncorrected": ("double-or-nothing, uncorrected", GREEN, "D", False),
    "ours": ("lookalikes (bar: two standard errors)", BLUE, "o", True),
}
TESTS = {
    "ours": "lookalikes",
    "independent": "paired, pairs independent",
    "unpaired": "two samples, pairs independent",
    "McNemar": "McNemar, of verdicts on negatives",
}
LEAST = 20


def coverage(cases: dict[str, Any]) -> Figure:
    """A panel for each statistic, a row for each way to draw and cluster pairs."""
    figure = Figure(figsize=(9.2, 0.34 * len(cases) + 1.5), dpi=200, layout="constrained")
    figure.set_facecolor(PAPER)
    panels = figure.subplots(1, len(STATISTICS), sharey=True)
    for axes, (statistic, title) in zip(panels, STATISTICS.items(), strict=True):
        _frame(axes, title)
        for row, case in enumerate(cases.values()):
            for method in METHODS:
                found = case["statistics"][statistic].get(method, {})
                if "coverage" in found:
                    _point(axes, row, method, 100 * found["coverage"], 100 * found["error"])
    panels[0].set_yticks(range(len(cases)), list(cases))
    panels[0].set_ylim(len(cases) - 0.5, -0.5)
    panels[0].tick_params(axis="y", labelcolor=INK)
    handles = [
        Line2D(
            [], [], linestyle="", marker=marker, color=color, markersize=5,
            markerfacecolor=color if filled else PAPER, label=label,
        )
        for label, color, marker, filled in METHODS.values()
    ]  # fmt: skip
    figure.legend(
        handles=handles, loc="outside lower left", ncols=3, frameon=False, fontsize=8,
        labelcolor=INK,
    )  # fmt: skip
    return figure


def _frame(axes: Axes, title: str) -> None:
    axes.set_title(title, size=9, color=INK)
    axes.set_facecolor(PAPER)
    axes.set_xlim(LEAST, 102)
    axes.set_xticks([30, 50, 70, 95], ["30", "50", "70", "95"])
    axes.axvspan(93, 97, color=GRID, alpha=0.6, linewidth=0)
    axes.grid(axis="y", color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, colors=MUTED, labelsize=8)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(MUTED)


def _point(axes: Axes, row: int, method: str, share: float, error: float) -> None:
    _, color, marker, filled = METHODS[method]
    if method == "ours":
        axes.plot([share - 2 * error, share + 2 * error], [row, row], color=color, linewidth=1.2)
    axes.plot(
        share, row, marker=marker, color=color, markersize=5,
        markerfacecolor=color if filled else PAPER, clip_on=False,
    )  # fmt: skip


def coverage_table(cases: dict[str, Any]) -> str:
    """Markdown: ours, and in brackets that of independent pairs, in percent."""
    columns = {**STATISTICS, "dprime": "d'"}
    lines = [
        "| pairs | design effect | " + " | ".join(columns.values()) + " |",
        "|---|---|" + "---|" * len(columns),
    ]
    for name, case in cases.items():
        cells = [f"{case['median_of_sets']['fpr_design_effect']:.1f}"]
        for statistic in columns:
            found = case["statistics"][statistic]
            shares = [100 * found[method]["coverage"] for method in ("ours", "independent")]
            cells.append("{:.1f} ({:.0f})".format(*shares))
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def difference_table(worlds: dict[str, Any]) -> str:
    """Markdown: how often two models are told apart, equal ones and others, in percent."""
    columns = [(kind, name) for kind in ("equal", "better") for name in ("fpr", "eer")]
    lines = [
        "| pairs | test | "
        + " | ".join(f"{kind}, {name.upper()}" for kind, name in columns)
        + " |",
        "|---|---|" + "---|" * len(columns),
    ]
    for world, kinds in worlds.items():
        for method, label in TESTS.items():
            cells = []
            for kind, name in columns:
                found = kinds[kind][name].get(method)
                cells.append(f"{100 * found['told_apart']:.1f}" if found else "")
            lines.append(f"| {world} | {label} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Draw the figure, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, default=RESULTS / "coverage.json")
    parser.add_argument("--image", type=Path, default=IMAGES / "coverage.svg")
    options = parser.parse_args()
    content = json.loads(options.results.read_text(encoding="utf-8"))
    with atomic_write(options.image) as stream:
        stream.write(encode(coverage(content["cases"]), "svg"))
    print(options.image)
    print("", coverage_table(content["cases"]), "", sep="\n")
    print(difference_table(content["differences"]))


if __name__ == "__main__":
    main()
