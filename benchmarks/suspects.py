"""How right each check of suspects is where no limit was set, and how well it foretold that.

    python -m benchmarks.suspects [--demo demo] [--cache FOLDER] [--runs 5] [--quick]

Wants the weights that `make demo` leaves; with LOOKALIKES_DATA also real faces (`suspect_sets`).
Every set is looked at by an ImageNet network, by the trained reference `drawn_faces` (which knows
the first style alone) and by `pixels`. Mistakes are planted at several rates, several times each:

- `alias`: that share of identities is split into two names at any place (those of three faces or
  more); asked of the hardest negatives, twice as many as there are faces. Counted are different
  pairs of names, look-alikes among the false ones.
- `mislabel`: that share of faces is moved, to identities at random or to one of the five nearest;
  asked of all faces. `either_of_two` also calls right what is said of the other face of a folder of
  two, as which of them is wrong cannot be told.
- `veto`: both, at that share; another reference mined the pairs. Counted are pairs, right ones of
  which show one identity.
- `twins`: how many pairs of different identities that were drawn to differ in one trait `alias`
  would drop, at several shares of twins, without mistakes and with 3 % of identities split. All of
  them are asked of, besides the hardest negatives.
- `duplicate`, `crop`: see `suspect_changes`; `variant`, `source`: see `suspect_variants`; peers,
  where asked for: see `suspect_peers`.

`rate 0` is the set as it is: every flag counts as false, though real names may be wrong by
themselves. For intervals, and what `within` means, see `suspect_rates`. On real faces what limits
had been set on before was another half of identities, of which these are half.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import suspect_changes, suspect_checks, suspect_peers, suspect_variants
from benchmarks.machine import RESULTS, describe
from benchmarks.suspect_checks import expected_of
from benchmarks.suspect_identities import hardest, one_each
from benchmarks.suspect_rates import Run, of_all, of_flags, summary
from benchmarks.suspect_sets import (
    FIRST,
    PLANTED_IN,
    REFERENCES,
    STYLE,
    TWINS,
    Names,
    Views,
    drawn,
    real,
    row_of,
)  # fmt: skip
from mining.embeddings.store import Embeddings
from pairsets.pairset import PairSet
from pairsets.storage.artefacts import installed, write_json

RATES = (0.0, 0.01, 0.03, 0.1)
SPLIT_AMONG_TWINS = (0.0, 0.03)
LEAST = 3
"""Faces of an identity that is split."""
MINERS = {"network": "pixels", "drawn_faces": "network", "pixels": "network"}
"""Who mined the pairs that a reference vetoes."""
PAIRS_A_FACE = 2
Row = dict[str, Any]


def split(views: Views, share: float, seed: int) -> tuple[Names, frozenset[tuple[str, str]]]:
    """Names `[N]` where a share of identities has two, and the pairs of names of one identity."""
    generator = np.random.default_rng([seed, 1])
    names = views.identities.copy()
    unique, counts = np.unique(names.astype(str), return_counts=True)
    large = unique[counts >= LEAST]
    generator.shuffle(large)
    planted = set()
    for at, name in enumerate(large[: _count(share, len(unique))].tolist()):
        rows = generator.permutation(np.flatnonzero(views.identities == name))
        other = f"zz{at}"
        names[rows[: int(generator.integers(1, len(rows)))]] = other
        planted.add((min(name, other), max(name, other)))
    return names, frozenset(planted)


def move(
    views: Views, names: Names, share: float, near: bool, seed: int
) -> tuple[Names, frozenset[int]]:
    """Names `[N]` where a share of faces has another identity's, and the rows of those faces.

    Nobody loses its last face. Who is near is what the network says, whoever is to look later.
    """
    generator = np.random.default_rng([seed, 2])
    moved_names = names.copy()
    unique = np.unique(names.astype(str))
    vectors = np.asarray(views.by["network"].vectors)
    means = np.stack([vectors[names == name].mean(axis=0) for name in unique.tolist()])
    moved: set[int] = set()
    for row in generator.permutation(len(names)).tolist():
        if len(moved) == _count(share, len(names)):
            break
        if (moved_names == moved_names[row]).sum() < 2:
            continue
        order = np.argsort(-(means @ vectors[row])) if near else generator.permutation(len(unique))
        others = [name for name in unique[order].tolist() if name != names[row]][:5]
        moved_names[row] = others[int(generator.integers(len(others)))]
        moved.add(row)
    return moved_names, frozenset(moved)


def _count(share: float, whole: int) -> int:
    return max(1, round(share * whole)) if share else 0


def ask_aliases(
    looking: Embeddings, pairs: PairSet, planted: frozenset[tuple[str, str]]
) -> tuple[Run, set[tuple[str, str]]]:
    """Run of `alias` over some pairs of faces, and the pairs of names that it flags."""
    check = suspect_checks.alias(looking)
    flagged = np.flatnonzero(check(pairs).flagged).tolist()
    said = {(min(both), max(both)) for row in flagged if (both := pairs.names(row))}
    return of_flags([*said], planted, expected_of(check)), said


def aliases(views: Views, reference: str, rate: float, seeds: Sequence[int]) -> list[Run]:
    """Runs of `alias` at one rate."""
    runs = []
    for seed in seeds:
        names, planted = split(views, rate, seed)
        looking = views.relabelled(names)[reference]
        runs.append(ask_aliases(looking, mined(looking), planted)[0])
    return runs


def mined(looking: Embeddings) -> PairSet:
    """The hardest negatives by who looks."""
    return hardest(looking, PAIRS_A_FACE * len(looking.faces))


def mislabels(
    views: Views, reference: str, rate: float, near: bool, seeds: Sequence[int]
) -> tuple[list[Run], list[Run]]:
    """Runs of `mislabel` at one rate, strictly and with either face of two called right."""
    strict, either = [], []
    for seed in seeds:
        names, moved = move(views, views.identities, rate, near, seed)
        looking = views.relabelled(names)[reference]
        check = suspect_checks.mislabel(looking)
        paths = looking.faces.paths.tolist()
        _, reasons = check.of_faces(paths)
        said = [row_of(path) for path, why in zip(paths, reasons, strict=True) if why]
        expected = expected_of(check)
        run = of_flags([*said], frozenset(moved), expected)
        strict.append(run)
        beside = {
            row
            for row in said
            if (names == names[row]).sum() == 2
            and any(other in moved for other in np.flatnonzero(names == names[row]).tolist())
        }
        hits = run.right_keys | beside
        either.append(
            Run(run.flags, len(hits), run.planted, run.found, hits, run.wrong_keys - hits, expected)
        )
    return strict, either


def vetoes(views: Views, reference: str, rate: float, seeds: Sequence[int]) -> list[Run]:
    """Runs of `veto` at one rate, on pairs that another reference mined."""
    runs = []
    true = views.identities
    for seed in seeds:
        names, _ = split(views, rate, seed)
        names, _ = move(views, names, rate, False, seed)
        looking = views.relabelled(names)
        pairs = mined(looking[MINERS[reference]])
        check = suspect_checks.veto(looking[reference])
        flagged = check(pairs).flagged
        rows = [(row_of(a), row_of(b)) for a, b in zip(pairs.path_a, pairs.path_b, strict=True)]
        keys = [(min(both), max(both)) for both in rows]
        wrong = frozenset(key for key in keys if true[key[0]] == true[key[1]])
        said = [key for key, yes in zip(keys, flagged.tolist(), strict=True) if yes]
        runs.append(of_flags([*said], frozenset(wrong), expected_of(check)))
    return runs


def twins(views: Views, reference: str, rate: float, seed: int) -> Row:
    """Twins that `alias` drops, with a share of the other identities split."""
    names, planted = split(views, rate, seed)
    looking = views.relabelled(names)[reference]
    left = {*looking.faces.identities.tolist()}
    asked = [both for both in views.twins if left.issuperset(both)]
    pairs = _both(mined(looking), one_each(looking.faces, asked))
    run, said = ask_aliases(looking, pairs, planted)
    dropped = sorted(said & {*asked})
    return {
        "twins": len(asked),
        "dropped": len(dropped),
        "abstained": run.abstained,
        "flags": run.flags,
        "right": run.right,
    }


def _both(one: PairSet, other: PairSet) -> PairSet:
    """Pairs of either, each once."""
    ends = {
        (min(key), max(key)): None
        for key in zip([*one.path_a, *other.path_a], [*one.path_b, *other.path_b], strict=True)
    }
    return PairSet.of([a for a, _ in ends], [b for _, b in ends], 0)


def of_identities(
    sets: Sequence[Views], rates: Sequence[float], seeds: Sequence[int]
) -> Iterator[Row]:
    """Cells of the checks of identities: every set, reference and rate."""
    for views in sets:
        for reference in REFERENCES:
            for rate in rates:
                # Without a mistake all plantings are one.
                drawn_seeds = seeds if rate else seeds[:1]
                start = time.perf_counter()
                for kind, runs in _kinds(views, reference, rate, drawn_seeds):
                    cell = {"set": views.name, "reference": reference, "rate": rate, "kind": kind}
                    cell |= summary(runs)
                    if kind == "alias":
                        wrong = frozenset[Hashable]().union(*(run.wrong_keys for run in runs))
                        cell["distinct_wrong_twins"] = len(wrong & {*views.twins})
                    yield cell
                spent = time.perf_counter() - start
                print(f"{views.name}, {reference}, {rate:.0%}: {spent:.0f} s", flush=True)


def _kinds(
    views: Views, reference: str, rate: float, seeds: Sequence[int]
) -> Iterator[tuple[str, list[Run]]]:
    yield "alias", aliases(views, reference, rate, seeds)
    for name, near in (("at random", False), ("to the nearest", True)):
        if rate or not near:
            strict, either = mislabels(views, reference, rate, near, seeds)
            yield f"mislabel, {name}", strict
            yield f"mislabel, {name}, either of two", either
    yield "veto", vetoes(views, reference, rate, seeds)


def of_twins(
    make: Callable[[str, float], Views], shares: Sequence[float], styles: Sequence[str]
) -> Iterator[Row]:
    """Cells of twins, of every style, share, reference and rate of mistakes."""
    for style in styles:
        for share in shares:
            views = make(style, share)
            for reference in REFERENCES:
                for rate in SPLIT_AMONG_TWINS:
                    cell = {"set": views.name, "share": share, "reference": reference, "rate": rate}
                    yield cell | twins(views, reference, rate, 0)


def table(content: Row) -> Iterator[str]:
    """Lines to print."""
    yield (
        "check | set | reference | rate | runs spoken | flags | precision | recall | "
        "expected precision, runs within its interval: strictly, allowing for chance"
    )
    for cell in content.get("identities", []):
        if "either" not in cell["kind"]:
            yield _line(cell)
    for cell in content.get("twins", []):
        yield (
            f"twins | {cell['set']} | {cell['reference']} | {cell['share']:.0%} twins, "
            f"{cell['rate']:.0%} split | dropped {cell['dropped']} of {cell['twins']}"
            + (" | abstained" if cell["abstained"] else "")
        )
    for cell in content.get("duplicates", []):
        reach = cell["recall_at"]
        yield (
            f"duplicate | {cell['set']} | {cell['copies']} copies | recall "
            f"{_percent(cell['recall'])}, of decoys {_percent(cell['decoys_flagged'])}, of redraws "
            f"{_percent(cell['redraws_flagged'])} | recall at {reach['precision']:.0%} precision "
            f"{reach['recall']:.1%}"
        )
    for cell in content.get("crops", []):
        for rate in cell["rates"]:
            yield (
                f"crop | {cell['set']} | {rate['rate']:.0%} | {rate['flags']} flags | "
                f"{_percent(rate['precision'])} | {_percent(rate['recall'])}"
            )
    for cell in content.get("variants", []):
        yield (
            f"variant | {cell['style']} | {cell['variants']} variants | recall "
            f"{_percent(cell['recall'])}, of decoys {_percent(cell['decoys_flagged'])}, taken for "
            f"copies {_percent(cell['taken_for_copies'])}"
        )
    for cell in content.get("sources", []):
        yield (
            f"source | {cell['set']} | {cell['cuts']} cuts | recall {_percent(cell['recall'])}, "
            f"of decoys {_percent(cell['decoys_flagged'])}"
        )


def _line(cell: Row) -> str:
    spoken = f"{cell['runs'] - cell['abstained']}/{cell['runs']}"
    told = "-"
    if cell["expected"]:
        of = cell["expected"]["precision"]
        told = f"{of['mean']}: {of['within']}, {of['within_noise']} of {of['judged']}"
    return (
        f"{cell['kind']} | {cell['set']} | {cell['reference']} | {cell['rate']:.0%} | {spoken} "
        f"| {cell['flags']} | {_percent(cell['precision'])} | {_percent(cell['recall'])} | {told}"
    )


def _percent(found: Sequence[float] | None) -> str:
    if found is None:
        return "-"
    return "{:.1%} ({:.1%} to {:.1%})".format(*found)


def pooled(cells: Sequence[Row]) -> Row:
    """Each check's figures where it spoke, over sets and rates above nought; by reference."""
    found: Row = {}
    for kind in dict.fromkeys(cell["kind"] for cell in cells):
        for reference in REFERENCES:
            some = [
                cell
                for cell in cells
                if (cell["kind"], cell["reference"]) == (kind, reference) and cell["rate"]
            ]
            flags = sum(cell["flags"] for cell in some)
            planted = sum(cell["planted"] for cell in some)
            clean = [
                cell
                for cell in cells
                if (cell["kind"], cell["reference"], cell["rate"]) == (kind, reference, 0)
            ]
            found[f"{kind}, {reference}"] = {
                "runs": sum(cell["runs"] for cell in some),
                "abstained": sum(cell["abstained"] for cell in some),
                "flags": flags,
                "precision": round(sum(c["right"] for c in some) / flags, 4) if flags else None,
                "recall": round(sum(c["found"] for c in some) / planted, 4) if planted else None,
                "foretold": of_all(some),
                "without_mistakes": {
                    "sets": len(clean),
                    "abstained": sum(cell["abstained"] for cell in clean),
                    "flags": sum(cell["flags"] for cell in clean),
                },
            }
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Plant, ask, print a table and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--demo", type=Path, default=Path("demo"))
    parser.add_argument("--cache", type=Path, help="where drawn faces and vectors are kept")
    parser.add_argument("--runs", type=int, default=5, help="plantings of each rate")
    parser.add_argument("--identities", type=int, default=300, help="of each drawn set")
    parser.add_argument("--parts", default="identities,twins,duplicates,crops,variants,sources")
    parser.add_argument("--peers", default="", help="names; see benchmarks/suspect_peers.py")
    parser.add_argument("--environments", type=Path, help="where those of the peers are kept")
    parser.add_argument("--quick", action="store_true", help="a smoke run; nothing is kept")
    parser.add_argument("--out", type=Path, default=RESULTS / "suspects.json")
    options = parser.parse_args(arguments)
    if options.quick:
        options.runs, options.identities = min(options.runs, 2), min(options.identities, 60)
    with tempfile.TemporaryDirectory() as temporary:
        content = measured(options, options.cache or Path(temporary))
    content = {"benchmark": "suspects", "machine": describe(), **content}
    print(*table(content), sep="\n")
    if options.quick:
        print("a smoke run: nothing is kept")
        return
    # Parts that were not asked for stay as they were measured before.
    before = json.loads(options.out.read_text("utf-8")) if options.out.is_file() else {}
    write_json(options.out, before | content)


def measured(options: argparse.Namespace, cache: Path) -> Row:
    """Results of the parts that were asked for."""

    def make(style: str, share: float) -> Views:
        return drawn(options.demo, cache, style, share, options.identities)

    parts = options.parts.split(",")
    styles = (STYLE, FIRST)
    sets = [make(style, PLANTED_IN) for style in styles]
    of_people = real(options.demo, cache)
    if of_people is not None:
        sets.append(of_people)
    seeds = range(1000, 1000 + options.runs)
    found: Row = {
        "sets": [
            {"set": v.name, "faces": len(v.identities), "identities": len({*v.identities})}
            for v in sets
        ],
        "left_out": "" if of_people is not None else "real: no LOOKALIKES_DATA",
        "libraries": installed("opencv-python-headless", "imagehash"),
    }
    if "identities" in parts:
        rates = (0.03,) if options.quick else RATES
        found["identities"] = list(of_identities(sets, rates, seeds))
        found["pooled"] = pooled(found["identities"])
    if "twins" in parts:
        shares = (PLANTED_IN,) if options.quick else TWINS
        found["twins"] = list(of_twins(make, shares, styles))
    for views in sets:
        if "duplicates" in parts:
            found.setdefault("duplicates", []).append(
                suspect_changes.duplicates(views, options.quick)
            )
        if "crops" in parts:
            found.setdefault("crops", []).append(
                suspect_changes.crops(views, options.runs, options.quick)
            )
        if "sources" in parts:
            found.setdefault("sources", []).append(suspect_variants.sources(views, options.quick))
        print(f"{views.name}, pictures: done", flush=True)
    if "variants" in parts:
        found["variants"] = [suspect_variants.variants(style, options.quick) for style in styles]
    if options.peers:
        place = options.environments or cache / "environments"
        names = options.peers.split(",")
        found["peers"] = suspect_peers.compare(
            sets, names, place, options.demo, move, seeds[:3], options.quick
        )
    return found


if __name__ == "__main__":
    main()
