"""How fast the report opens and its gallery filters, in a headless Chromium.

    python -m benchmarks.report_page [--pairs 20000] [--faces 10000] [--models 4] [--repeats 5]

A report of mined, random and positive pairs is written as `compare` writes it and opened from the
disk in a fresh profile each time. Measured are

- **opening**: from the start of the navigation until the gallery's cards and their pictures are
  painted: two frames after the last picture on the screen is decoded;
- **filtering**: from a change of the controls until the second frame after it, so that the new
  cards are painted, their pictures still being decoded; a choice of every kind, in turn, half a
  second after the one before;
- **memory**: of the page's script after a collection, and of all processes of the browser (the
  proportional share of their pages);
- **writing** of the page, and its size.

Both cores of a small machine are busy while a page opens: what else runs there shows in the times.

The faces are drawn at random, 160 x 160 pixels, as detailed as real ones are: about 2.1 kB each as
thumbnails of 96 pixels. They are deleted afterwards.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from support.browser import running_browser

from benchmarks.machine import keep
from pairsets.arrays import Rows
from pairsets.faces import Faces
from pairsets.pairset import PairSet
from pairsets.report import write_report
from pairsets.report.assembly import report_of
from pairsets.report.inputs import ReportInputs
from pairsets.tables.leaderboard import make_leaderboard

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PAUSE_MS = 500  # of a person, before each choice
SIDE, EACH = 160, 8  # pixels of a face, faces of an identity
AIM_OPENING, AIM_FILTERING = 2.0, 0.1
# Filters and orders, a step each, from the one view to the next.
STEPS: tuple[Mapping[str, str], ...] = (
    {"label": "same"},
    {"label": "different"},
    {"show": "fa:model 1"},
    {"show": "fr:model 2"},
    {"wrong": "model 0", "right": "model 1"},
    {"split": "1"},
    {"q": "12"},
    {"sort": "high:model 2"},
    {"sort": "low:model 3"},
    {"sort": "split"},
    {"sort": "split", "show": "wrong:model 3", "q": "identity 1"},
    {},
)
# Resolves when the second frame from now begins: by then the first is painted.
_PAINTED = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
_OPENED = f"""async () => {{
    while (!document.querySelector(".pair-grid [data-place] img"))
        await new Promise((done) => setTimeout(done, 5));
    const near = [...document.querySelectorAll(".pair-grid [data-place] img")]
        .filter((face) => face.getBoundingClientRect().top < innerHeight);
    await Promise.all(near.map((face) => face.decode()));
    await {_PAINTED};
    return performance.now();
}}"""
_CHOSEN = f"""async (view) => {{
    const form = document.getElementById("pair-controls");
    for (const control of form.querySelectorAll("[name]")) {{
        const value = view[control.name] ?? "";
        if (control.type === "checkbox") control.checked = value !== "";
        else control.value = value;
    }}
    await new Promise((done) => setTimeout(done, {PAUSE_MS}));
    await {_PAINTED};
    const start = performance.now();
    form.elements.sort.dispatchEvent(new Event("input", {{ bubbles: true }}));
    await {_PAINTED};
    return performance.now() - start;
}}"""


def draw_faces(root: Path, count: int) -> list[str]:
    """Paths of `count` faces below `root`, `EACH` of an identity: smooth shapes with some grain."""
    paths = [f"identity {at // EACH}/{at}.jpg" for at in range(count)]
    for path in paths[::EACH]:
        (root / path).parent.mkdir(parents=True)

    def draw(at: int) -> None:
        dice = np.random.default_rng(at)
        size = (SIDE, SIDE)
        coarse, fine = (dice.integers(0, 256, (side, side, 3), dtype=np.uint8) for side in (7, 40))
        shapes = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
        grain = Image.fromarray(fine).resize(size, Image.Resampling.BICUBIC)
        Image.blend(shapes, grain, 0.17).save(root / paths[at], quality=92)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(draw, range(count)))
    return paths


def inputs_of(root: Path, paths: list[str], pairs: int, models: int) -> ReportInputs:
    """Two sets, random and mined, that hold `pairs` distinct pairs together and show every face."""
    dice = np.random.default_rng(0)
    sizes = {"random": (pairs // 4, pairs // 4), "adversarial": (pairs // 2, 0)}
    positives = _positives(dice, len(paths), sizes["random"][1])
    seen: set[tuple[int, int]] = set()
    boards, ranks = [], {}
    for name, (negatives, _) in sizes.items():
        first, second = _negatives(dice, len(paths), negatives, seen)
        a, b = np.r_[first, positives[0]], np.r_[second, positives[1]]
        label = np.r_[np.zeros(negatives, int), np.ones(len(positives[0]), int)]
        made = PairSet.of([paths[at] for at in a], [paths[at] for at in b], label)
        hard = 0.5 if name == "adversarial" else 0.0
        # A pair has one score, in whichever set it is.
        shared = np.random.default_rng(1).standard_normal((models, len(positives[0])))
        scores = {
            f"model {at}": np.r_[dice.standard_normal(negatives) + hard, shared[at] + 2]
            for at in range(models)
        }
        boards.append(make_leaderboard(name, made, scores, 0.05, draws=0))
        if name == "adversarial":
            ranks[name] = np.r_[np.arange(negatives) + 1, np.zeros(len(positives[0]), int)]
    faces = Faces.of_paths(root, sorted(paths))
    return ReportInputs("A report to be measured", faces, boards, ranks=ranks)


def _negatives(
    dice: np.random.Generator, faces: int, count: int, seen: set[tuple[int, int]]
) -> tuple[Rows, Rows]:
    """Pairs of different identities, none twice; the first ones show every face once."""
    order = dice.permutation(faces)
    found: list[tuple[int, int]] = []
    for a, b in zip(order[::2].tolist(), order[1::2].tolist(), strict=False):
        _take(found, seen, a, b)
    while len(found) < count:
        _take(found, seen, *dice.integers(0, faces, 2).tolist())
    first, second = np.array(found[:count], np.int64).T
    return first, second


def _take(found: list[tuple[int, int]], seen: set[tuple[int, int]], a: int, b: int) -> None:
    if a // EACH != b // EACH and (min(a, b), max(a, b)) not in seen:
        seen.add((min(a, b), max(a, b)))
        found.append((a, b))


def _positives(dice: np.random.Generator, faces: int, count: int) -> tuple[Rows, Rows]:
    """Pairs of one identity, none twice."""
    every = [
        (at, other)
        for at in range(faces)
        for other in range(at + 1, min(faces, (at // EACH + 1) * EACH))
    ]
    first, second = np.array(every, np.int64)[dice.choice(len(every), count, replace=False)].T
    return first, second


def measure(browser: Browser, file: Path) -> dict[str, Any]:
    """One opening of the page, and one round of filters."""
    profile = browser.new_context(viewport={"width": 1300, "height": 900})
    try:
        page = profile.new_page()
        page.set_default_timeout(600_000)
        page.goto(file.as_uri() + "#pairs?", wait_until="commit")
        opened = page.evaluate(_OPENED) / 1000
        shown = page.inner_text("#pair-count")
        before = _memory(page)
        steps = [page.evaluate(_CHOSEN, dict(step)) / 1000 for step in STEPS]
        return {"opening": opened, "shown": shown, "filtering": steps, **before}
    finally:
        profile.close()


def _memory(page: Page) -> dict[str, float]:
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    session.send("Performance.enable")
    told = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    return {"script": told["JSHeapUsedSize"] / 2**20, "browser": _browser_mib()}


def _browser_mib() -> float:
    """Memory of all processes of the browser that this one started, what they share divided."""
    parents, kib = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        # A process may end while it is looked at.
        with suppress(OSError, StopIteration):
            name, _, rest = (folder / "stat").read_text().rpartition(")")
            parents[int(folder.name)] = int(rest.split()[1])
            if "chrom" in name:
                lines = (folder / "smaps_rollup").read_text().splitlines()
                kib[int(folder.name)] = next(int(x.split()[1]) for x in lines if x[:4] == "Pss:")

    def ours(process: int) -> bool:
        return process == os.getpid() or (process in parents and ours(parents[process]))

    return sum(value for process, value in kib.items() if ours(process)) / 1024


def main() -> None:
    """Measure, and keep the result."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    options.add_argument("--pairs", type=int, default=20_000)
    options.add_argument("--faces", type=int, default=10_000)
    options.add_argument("--models", type=int, default=4)
    options.add_argument("--repeats", type=int, default=5)
    options.add_argument("--name", default="report_page", help="of the file in results/")
    given = options.parse_args()
    with TemporaryDirectory() as folder:
        root = Path(folder)
        paths = draw_faces(root / "faces", given.faces)
        shown = inputs_of(root / "faces", paths, given.pairs, given.models)
        start = time.perf_counter()
        report = report_of(shown)
        file = write_report(report, root / "report.html")
        writing = time.perf_counter() - start
        with running_browser() as browser:
            version = browser.version
            runs = [measure(browser, file) for _ in range(given.repeats + 1)][1:]
        size = file.stat().st_size
    filtering = [
        statistics.median(step) for step in zip(*(one["filtering"] for one in runs), strict=True)
    ]
    opening = statistics.median(one["opening"] for one in runs)
    keep(
        given.name,
        {
            "options": {
                "pairs": given.pairs,
                "faces": given.faces,
                "models": given.models,
                "repeats": given.repeats,
            },
            "browser": version,
            "gallery": runs[0]["shown"],
            "aims": {"opening_s": AIM_OPENING, "filtering_s": AIM_FILTERING},
            "opening_s": round(opening, 3),
            "opening_s_each": [round(one["opening"], 3) for one in runs],
            "filtering_s": [
                {"view": dict(step), "seconds": round(took, 4)}
                for step, took in zip(STEPS, filtering, strict=True)
            ],
            "filtering_s_slowest": round(max(filtering), 4),
            "script_mib": round(statistics.median(one["script"] for one in runs), 1),
            "browser_mib": round(statistics.median(one["browser"] for one in runs)),
            "page_mib": round(size / 2**20, 1),
            "writing_s": round(writing, 1),
        },
    )


if __name__ == "__main__":
    main()
