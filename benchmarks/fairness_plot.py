"""Figure of `results/fairness.json`: models over all pairs, and on a mined set.

python -m benchmarks.fairness_plot
"""

from __future__ import annotations

import argparse
import json

from matplotlib.figure import Figure

from benchmarks.machine import RESULTS
from benchmarks.plots import IMAGES
from pairsets.figures import BLUE, GRID, INK, MUTED, PAPER, VERMILLION, encode
from pairsets.storage.artefacts import atomic_write

TITLES = {
    "reference": "EfficientNet-Lite0, which mined the set",
    "centred": "the same, mean-centred: its kin",
    "pixels": "thumbnails of pixels",
    "coin": "a coin",
}
# Two of them end at one place: their numbers are moved apart.
SHIFTS = {"reference": 7, "centred": -7}
COLORS = {"reference": MUTED, "centred": BLUE, "pixels": "#009e73", "coin": VERMILLION}


def slopes(found: dict[str, dict[str, float]]) -> Figure:
    """A line a model, from its FPR over all pairs to that on the mined set."""
    figure = Figure(figsize=(6.4, 3.7), dpi=200, layout="constrained")
    figure.set_facecolor(PAPER)
    axes = figure.subplots()
    for model, title in TITLES.items():
        ends = [
            100 * found["fpr_over_all_pairs"][model][0],
            100 * found["fpr_on_the_mined_set"][model],
        ]
        dash = (0, (4, 2)) if model == "reference" else "-"
        axes.plot([0, 1], ends, color=COLORS[model], linewidth=1.8, marker="o", linestyle=dash)
        axes.annotate(
            f"{title}: {ends[0]:.1f} %", (0, ends[0]), xytext=(-8, 0), textcoords="offset points",
            ha="right", va="center", fontsize=8, color=INK,
        )  # fmt: skip
        axes.annotate(
            f"{ends[1]:.1f} %", (1, ends[1]), xytext=(8, SHIFTS.get(model, 0)),
            textcoords="offset points", ha="left", va="center", fontsize=8, color=INK,
        )  # fmt: skip
    axes.set(xlim=(-1.6, 1.35), ylim=(0, 105))
    axes.set_xticks([0, 1], ["over all pairs", "on the mined set"], fontsize=9)
    axes.set_ylabel("FPR at an FNR of 13.9 % (%)", fontsize=8.5, color=MUTED)
    axes.tick_params(length=0, labelcolor=INK)
    axes.grid(axis="y", color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)
    return figure


def main() -> None:
    """Draw the figure beside the docs."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    found = json.loads((RESULTS / "fairness.json").read_text())["real"]
    atomic_write(IMAGES / "fairness.png", encode(slopes(found), "png"))


if __name__ == "__main__":
    main()
