"""Copies of pictures and bad crops, planted in sets that no limit was set on.

- `duplicate`: copies of some faces by every change of `suspect_pictures`, and besides turned by 2,
  5 and 10 degrees (the corners white, or cut away) and brighter or darker by 0.5 to 1.8. Decoys are
  the most alike pairs of different identities, look-alikes among them, and redraws: pairs of one
  identity. A flag on one is a false alarm; of real redraws nobody knows, and they are told apart.
- `crop`: a share of faces is spoilt in one of the ways of `suspect_pictures`; asked of all faces.

Precision of `duplicate` hangs on how many copies stand beside how many decoys, which `copies` and
`decoys` tell. `recall_at` is the highest recall at a limit where 99 % of flags are copies: chosen
afterwards, so no more than what the scores could do.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.suspect_checks import expected_of
from benchmarks.suspect_pictures import (
    BICUBIC,
    CHANGES,
    Generator,
    Pair,
    Picture,
    copies,
    decoys,
    natural,
    open_face,
    shares,
    spoilt,
)  # fmt: skip
from benchmarks.suspect_rates import Run, share, summary
from benchmarks.suspect_sets import UNSEEN, Views
from mining.suspects.crops import BadCrops
from mining.suspects.duplicates import DuplicatePictures
from pairsets.pairset import PairSet

ANGLES, BRIGHTNESS = (2, 5, 10), (0.5, 0.75, 1.25, 1.5, 1.8)
COPIED, DECOYS, REDRAWS = 16, 1000, 1000
"""Faces that are copied, decoys and redraws."""
QUICK_COPIED = 2
CROP_RATES = (0.01, 0.03, 0.1)
PRECISION = 0.99
Row = dict[str, Any]


def turned(image: Picture, degrees: float) -> Picture:
    """Turned about its middle; what was outside is white."""
    return image.rotate(degrees, BICUBIC, fillcolor=(255, 255, 255))


def turned_and_cut(image: Picture, degrees: float) -> Picture:
    """Turned about its middle, and cut to the largest square-like window without corners."""
    angle = np.radians(abs(degrees))
    keep = 1 / (np.cos(angle) + np.sin(angle) * max(image.size) / min(image.size))
    width, height = (side * keep for side in image.size)
    left, top = (image.width - width) / 2, (image.height - height) / 2
    box = (round(left), round(top), round(left + width), round(top + height))
    return image.rotate(degrees, BICUBIC).crop(box)


def all_copies(image: Picture, generator: Generator) -> Iterator[tuple[str, Pair]]:
    """Every change of one face, those of `suspect_pictures` and the further ones."""
    yield from copies(image, generator)
    for degrees in ANGLES:
        side = degrees * (1 if generator.random() < 0.5 else -1)
        yield f"turned {degrees}", (image, turned(image, side))
        yield f"turned {degrees}, cut", (image, turned_and_cut(image, side))
    brightness, _ = CHANGES["brightness"]
    for by in BRIGHTNESS:
        yield f"brighter by {by:g}", (image, brightness(image, by))


@dataclass(frozen=True, eq=False)
class Copies:
    """Copies on disk.

    Attributes:
        pairs: of files, relative to the folder.
        kinds: change of each pair.
        whose: `[N]` number of the face that each pair was made of.
    """

    pairs: PairSet
    kinds: list[str]
    whose: NDArray[np.int64]


def not_copies(views: Views, quick: bool) -> tuple[PairSet, PairSet]:
    """The most alike pairs of different identities, and some pairs of one identity."""
    asked, some = (100, 100) if quick else (DECOYS, REDRAWS)
    hard = decoys(views.by["network"], asked, UNSEEN)
    same = natural(views.faces, UNSEEN)
    rows = np.random.default_rng(5).permutation(len(same))[:some]
    return hard, same.take(np.sort(rows))


def duplicates(views: Views, quick: bool) -> Row:
    """Recall by kind of change, and false alarms on decoys and redraws."""
    copied = QUICK_COPIED if quick else COPIED
    hard, same = not_copies(views, quick)
    check = DuplicatePictures(views.root)
    alarms, redraws = check(hard), check(same)
    with tempfile.TemporaryDirectory() as folder:
        planted = plant_copies(views, copied, Path(folder))
        doubt = DuplicatePictures(Path(folder))(planted.pairs)
    kinds = planted.kinds
    known = "drawn" in views.name
    wrong = np.concatenate([alarms.score, redraws.score]) if known else alarms.score
    false = alarms.count + (redraws.count if known else 0)
    flagged = doubt.flagged
    # Copies of one face are found or missed together.
    by_face = [flagged[planted.whose == face].tolist() for face in range(copied)]
    return {
        "set": views.name,
        "copied": copied,
        "copies": len(flagged),
        "decoys": len(hard),
        "redraws": len(same),
        "recall": share([sum(each) for each in by_face], [*map(len, by_face)], copied),
        "decoys_flagged": share([alarms.count], [len(hard)], len(hard)),
        "redraws_flagged": share([redraws.count], [len(same)], len(same)),
        "redraws_are_known_not_to_be_copies": known,
        "precision": share([doubt.count], [doubt.count + false], doubt.count + false),
        "recall_at": recall_at(doubt.score, wrong),
        "recall_by_kind": shares(flagged, [kind.split()[0].strip(",") for kind in kinds]),
        "recall_by_strength": shares(flagged, kinds),
        "decoys_flagged_paths": _paths(hard, alarms.flagged),
        "expected": _content(check),
    }


def plant_copies(views: Views, count: int, folder: Path) -> Copies:
    """Write both pictures of each copy of some faces below a folder."""
    generator = np.random.default_rng(7)
    chosen = generator.choice(views.faces.paths, count, replace=False)
    kinds: list[str] = []
    whose: list[int] = []
    for side in "ab":
        (folder / side).mkdir()
    for number, path in enumerate(chosen.tolist()):
        for kind, both in all_copies(open_face(views.root, path), generator):
            for side, image in zip("ab", both, strict=True):
                image.save(folder / side / f"{len(kinds)}.png", compress_level=1)
            kinds.append(kind)
            whose.append(number)
    names = [f"{number}.png" for number in range(len(kinds))]
    pairs = PairSet.of([f"a/{name}" for name in names], [f"b/{name}" for name in names], 1)
    return Copies(pairs, kinds, np.array(whose))


def recall_at(right: NDArray[np.float64], wrong: NDArray[np.float64]) -> Row:
    """Highest recall at a limit from which on `PRECISION` of the flags are right; and the limit.

    Raises:
        ValueError: nothing that is right.
    """
    if not len(right):
        raise ValueError("no copies")
    limits = np.unique(right[~np.isnan(right)])
    hits = np.array([(right >= limit).sum() for limit in limits])
    false = np.array([(wrong >= limit).sum() for limit in limits])
    fine = np.flatnonzero(hits >= PRECISION * (hits + false))
    if not fine.size:
        return {"precision": PRECISION, "recall": 0.0, "limit": None}
    at = fine[0]
    recall = round(float(hits[at] / len(right)), 4)
    return {"precision": PRECISION, "recall": recall, "limit": round(float(limits[at]), 4)}


def _paths(pairs: PairSet, flagged: NDArray[np.bool_]) -> list[list[str]]:
    return [list(pairs.keys[row]) for row in np.flatnonzero(flagged).tolist()]


def _content(check: object) -> Row | None:
    expected = expected_of(check)
    return None if expected is None else expected.content()


def crops(views: Views, runs: int, quick: bool) -> Row:
    """Precision and recall of `crop`, at several shares of spoilt faces."""
    paths = views.faces.paths.tolist()
    if quick:
        paths = paths[:100]
    check = BadCrops(views.root)
    clean = {path for path, why in faults(check, paths).items() if why}
    rates: list[Row] = []
    ways: dict[str, list[bool]] = {}
    for rate in CROP_RATES:
        done = []
        for run in range(runs):
            chosen, generator = chosen_to_spoil(paths, rate, run)
            count = len(chosen)
            found = _spoilt(views, chosen, generator)
            for way, said in found:
                ways.setdefault(way, []).append(said)
            hits = frozenset(
                (run, path) for path, (_, said) in zip(chosen, found, strict=True) if said
            )
            false = frozenset(clean - {*chosen})
            done.append(Run(len(hits) + len(false), len(hits), count, len(hits), hits, false, None))
        rates.append({"rate": rate} | summary(done))
    return {
        "set": views.name,
        "clean_faces": len(paths),
        "clean_flagged": sorted(clean),
        "rates": rates,
        "recall_by_kind": {way: round(float(np.mean(said)), 4) for way, said in ways.items()},
    }


def chosen_to_spoil(paths: Sequence[str], rate: float, run: int) -> tuple[list[str], Generator]:
    """Faces that are to be spoilt in a run, and what else is drawn in it."""
    generator = np.random.default_rng([run, round(rate * 1000), 9])
    # Two at least, as pairs are asked of.
    count = max(2, round(rate * len(paths)))
    return generator.choice(paths, count, replace=False).tolist(), generator


def _spoilt(views: Views, chosen: Sequence[str], generator: Generator) -> list[tuple[str, bool]]:
    """The way that each face was spoilt in, and whether that is said of it."""
    with tempfile.TemporaryDirectory() as folder:
        ways, names = plant_spoilt(views, chosen, generator, Path(folder))
        said = faults(BadCrops(Path(folder)), names)
    return [(way, said[name]) for way, name in zip(ways, names, strict=True)]


def plant_spoilt(
    views: Views, chosen: Sequence[str], generator: Generator, folder: Path
) -> tuple[list[str], list[str]]:
    """Write each face, spoilt in one way, below a folder; ways, and paths relative to it."""
    ways = []
    (folder / "bad").mkdir()
    for number, path in enumerate(chosen):
        every = list(spoilt(open_face(views.root, path), generator))
        way, bad = every[int(generator.integers(len(every)))]
        bad.save(folder / "bad" / f"{number}.png", compress_level=1)
        ways.append(way)
    return ways, [f"bad/{number}.png" for number in range(len(chosen))]


def faults(check: Callable[[PairSet], Any], paths: Sequence[str]) -> dict[str, bool]:
    """Whether something is said of each face; two stand in a pair, whose reason names the bad ones.

    A single face is paired with the first one, of which nothing more is asked.
    """
    found = dict.fromkeys(paths, False)
    if len(paths) < 2:
        raise ValueError("one face; expected two or more, as pairs are asked of")
    ends = [(paths[at], paths[at + 1]) for at in range(0, len(paths) - 1, 2)]
    if len(paths) % 2:
        ends.append((paths[-1], paths[0]))
    doubt = check(PairSet.of([a for a, _ in ends], [b for _, b in ends], 0))
    for both, reason in zip(ends, doubt.reasons, strict=True):
        for path in both:
            found[path] |= reason.startswith(f"{path}: ") or f", {path}: " in reason
    return found
