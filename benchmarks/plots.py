"""Figures of `results/mining.json`: time against N beside the peers, a file per D.

    python -m benchmarks.plots [--pairs 3000] [--device cpu] [--machine AMX]

A row of panels is a kind of machine, a column a set of vectors. Both axes are logarithmic; a hollow
marker is a prediction, no measurement. They are drawn on paper of their own, so that they read the
same on a light and on a dark page.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from benchmarks.mining import OUTPUT
from pairsets.figures import BLUE, GREEN, GRID, INK, MUTED, PAPER, VERMILLION, encode
from pairsets.storage.artefacts import atomic_write

IMAGES = Path(__file__).parents[1] / "docs" / "images"
# Side: label, colour, line, marker.
STYLES: dict[str, tuple[str, str, Any, str]] = {
    "original": ("ZACI-20's procedure", INK, "-", "*"),
    "sentence-transformers": ("sentence-transformers", "#cc79a7", (0, (6, 1.5, 1.2, 1.5)), "v"),
    "faiss-range": ("FAISS range search", "#e69f00", (0, (5, 1.5)), "^"),
    "faiss-panorama": ("FAISS Panorama, k = 100", VERMILLION, (0, (1.2, 1.2)), "s"),
    "torchdr": ("TorchDR, k = 100", "#e69f00", (0, (1.2, 1.2)), "^"),
    "faiss-knn": ("FAISS k-NN, k = 100", VERMILLION, "-", "s"),
    "torch-fp32": ("torch tiles, fp32", "#56b4e9", (0, (5, 1.5)), "D"),
    "numkong-f32": ("NumKong, fp32", "#56b4e9", "-", "P"),
    "numkong-bf16": ("NumKong, bf16", "#56b4e9", (0, (1.2, 1.2)), "P"),
    "numkong-int8": ("NumKong, int8", "#56b4e9", (0, (6, 1.5, 1.2, 1.5)), "P"),
    "bare-fp32": ("bare product, fp32", MUTED, (0, (1.2, 1.2)), ""),
    "ours-fp32": ("lookalikes, fp32", GREEN, "-", "o"),
    "bare-bf16": ("bare product, bf16", INK, (0, (1.2, 1.2)), ""),
    "bare-int8": ("bare product, int8", INK, (0, (5, 1.5)), ""),
    "previous": ("lookalikes before int8", BLUE, (0, (1.2, 1.2)), "o"),
    "ours": ("lookalikes", BLUE, "-", "o"),
}
TITLES = {
    "clustered": "random identities, nearly flat spectrum",
    "real": "real faces and jittered copies",
}
Case = dict[str, Any]


def growth(cases: dict[str, list[Case]], dimensions: int, pairs: int) -> Figure:
    """Seconds over N for each side: a row of panels per kind of machine, a column per set.

    The `cases` of a machine differ in N and set.
    """
    every = [case for shown in cases.values() for case in shown]
    sets = [name for name in TITLES if any(case["set"] == name for case in every)]
    size = (4.1 * len(sets), 1.2 + 3.2 * len(cases))
    figure = Figure(figsize=size, dpi=200, layout="constrained")
    figure.set_facecolor(PAPER)
    panels = figure.subplots(len(cases), len(sets), sharey=True, squeeze=False)
    handles: dict[str, Any] = {}
    for row, (machine, of_machine) in zip(panels, cases.items(), strict=True):
        for axes, name in zip(row, sets, strict=True):
            shown = sorted(
                (case for case in of_machine if case["set"] == name), key=lambda c: c["rows"]
            )
            if not shown:
                axes.set_visible(False)
                continue
            _frame(axes, shown)
            axes.set_title(f"{TITLES[name]}\n{machine}", size=8, color=INK)
            for side in STYLES:
                handle = _line(axes, shown, side)
                if handle is not None:
                    handles.setdefault(side, handle)
        row[0].set_ylabel("seconds", color=MUTED)
    threads = max(case["threads"] for case in every)
    device = every[0]["device"]
    where = f"{threads} threads" if device == "cpu" else "one GPU"
    figure.suptitle(
        f"The {pairs:,} best pairs, D = {dimensions:,}, {where} (hollow: predicted)",
        size=10, color=INK, x=0.01, ha="left",
    )  # fmt: skip
    shown_sides = [side for side in STYLES if side in handles]
    figure.legend(
        [handles[side] for side in shown_sides], [STYLES[side][0] for side in shown_sides],
        loc="outside lower left", ncols=4 if len(sets) > 1 else 2, frameon=False, fontsize=8,
        labelcolor=INK, handlelength=2.6,
    )  # fmt: skip
    return figure


def _frame(axes: Axes, cases: list[Case]) -> None:
    sizes = [case["rows"] for case in cases]
    axes.set(xscale="log", yscale="log", facecolor=PAPER)
    axes.set_xlabel("vectors N", color=MUTED)
    axes.xaxis.set_major_locator(FixedLocator(sizes))
    axes.xaxis.set_major_formatter(FuncFormatter(_thousands))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(LogLocator(numticks=12))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.grid(color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, which="both", colors=MUTED, labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(MUTED)
    if len(sizes) > 1:
        # A guide of slope two, below everything.
        least = min(
            side["median_seconds"] / case["rows"] ** 2
            for case in cases
            for name, side in case["sides"].items()
            if name in STYLES
        )
        ends = [sizes[0], sizes[-1]]
        axes.plot(ends, [0.5 * least * n**2 for n in ends], color=GRID, linewidth=2)
        axes.annotate("N²", (ends[1], 0.5 * least * ends[1] ** 2), color=MUTED, size=8)


def _thousands(value: float, _: int) -> str:
    return f"{value / 1000:g}k" if value % 1000 == 0 else f"{value:,.0f}"


def _line(axes: Axes, cases: list[Case], side: str) -> Any:
    """One side's measured points joined, then its predictions; its handle, None without any."""
    label, color, dash, marker = STYLES[side]
    measured = [
        (case["rows"], case["sides"][side]["median_seconds"])
        for case in cases
        if side in case["sides"]
    ]
    predicted = [
        (case["rows"], case["predicted"][side]["seconds"])
        for case in cases
        if side in case["predicted"]
    ]
    wide = 2.2 if side == "ours" else 1.4
    handle = None
    if measured:
        style: dict[str, Any] = {"linestyle": dash, "marker": marker, "linewidth": wide}
        size = 8 if marker == "*" else 4.5
        (handle,) = axes.plot(
            *zip(*measured, strict=True), color=color, label=label, markersize=size, **style
        )
    if predicted:
        points = sorted([*measured[-1:], *predicted])
        axes.plot(*zip(*points, strict=True), color=color, linestyle=(0, (1, 3)), linewidth=1)
        axes.plot(
            *zip(*predicted, strict=True), linestyle="", marker=marker or "o", markersize=4.5,
            markerfacecolor=PAPER, markeredgecolor=color,
        )  # fmt: skip
    return handle


def main() -> None:
    """Draw every D there are cases of."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=3000)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--machine", default="", metavar="WORDS", help="part of its kind's name")
    parser.add_argument("--results", type=Path, default=OUTPUT)
    parser.add_argument("--images", type=Path, default=IMAGES)
    options = parser.parse_args()
    content = json.loads(options.results.read_text(encoding="utf-8"))
    every = [
        (kind, case)
        for kind, cases in content["cases"].items()
        for case in cases.values()
        if options.machine in kind
        and (case["pairs"], case["device"]) == (options.pairs, options.device)
    ]
    if not every:
        parser.error(f"no cases of {options.pairs} pairs on {options.device}")
    for dimensions in sorted({case["dimensions"] for _, case in every}):
        chosen: dict[str, list[Case]] = {}
        for kind, case in every:
            if case["dimensions"] == dimensions:
                chosen.setdefault(kind, []).append(case)
        figure = growth(chosen, dimensions, options.pairs)
        suffix = "" if options.device == "cpu" else f"-{options.device}"
        path = options.images / f"mining-{dimensions}{suffix}.svg"
        with atomic_write(path) as stream:
            stream.write(encode(figure, "svg"))
        print(path)


if __name__ == "__main__":
    main()
