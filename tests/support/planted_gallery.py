"""Gallery whose every filter and order is known: 3,000 pairs, 800 faces, 3 models.

The oracle reads the pairs themselves, in the plainest words there are.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.stats import rankdata

from pairsets.report.content import GalleryPair, Report
from pairsets.report.gallery import GalleryParts, gallery_parts

EVIL = "</script><script>alert(1)</script>\"'&<b>"
MODELS = ("timm:tf_lite0", f"m {EVIL}", "第三のモデル")
# What stands in an identity's name, and a search that must find exactly these.
KINDS = {
    "Ayanami Rei": "ayanami",
    "Ｓｏｒｙｕ＿Asuka": "soryu a",
    "Éloïse_de_Ÿ": "eloise de",
    "ガラスの仮面": "ｶﾞﾗｽ",
    "ＡＢＣストア": "abcスト",
    "שרה_כהן": "כהן",
    "\u202etxet desrever": "desrever",
    EVIL: "<script>alert",
}
# In the one set the second model has none.
THRESHOLDS = {
    "mined & ranked": dict.fromkeys(MODELS, 0.6),
    "random": {MODELS[0]: 0.6, MODELS[2]: 0.6},
}
IDENTITIES, FACES_EACH, PAIRS = 200, 4, 3000


def names() -> list[str]:
    """Names of two hundred identities; of each kind equally many."""
    kinds = list(KINDS)
    return [f"{kinds[at % len(kinds)]}_{at}" for at in range(IDENTITIES)]


def planted_report(root: Path, pairs: int = PAIRS, seed: int = 0) -> Report:
    """Report of the gallery, its faces drawn below `root`; scores tie, some are missing."""
    generator = np.random.default_rng(seed)
    called = names()
    for at in range(IDENTITIES * FACES_EACH):
        file = root / _path(at)
        file.parent.mkdir(parents=True, exist_ok=True)
        blocks = generator.integers(0, 256, (3, 3, 3), dtype=np.uint8)
        Image.fromarray(blocks).resize((24, 24), Image.Resampling.NEAREST).save(file)
    ranks = iter(generator.permutation(pairs) + 1)
    gallery = []
    for at in range(pairs):
        same = bool(generator.random() < 0.3)
        first = at % IDENTITIES if at < IDENTITIES else int(generator.integers(IDENTITIES))
        step = 0 if same else int(generator.integers(1, IDENTITIES))
        second = (first + step) % IDENTITIES
        faces = generator.choice(FACES_EACH, 2, replace=False)
        mined = not same and bool(generator.random() < 0.6)
        of = "mined & ranked" if mined or generator.random() < 0.3 else "random"
        scores = {
            model: round(float(generator.normal(0.5 + 0.15 * same, 0.2)), 2)
            for model in MODELS
            if generator.random() < (0.85 if model == MODELS[2] else 1)
        }
        gallery.append(
            GalleryPair(
                rank=int(next(ranks)) if mined else 0,
                path_a=_path(first * FACES_EACH + faces[0]),
                path_b=_path(second * FACES_EACH + faces[1]),
                name_a=called[first],
                name_b=called[second],
                scores=scores,
                label=int(same),
                verdicts={m: s >= 0.6 for m, s in scores.items() if generator.random() < 0.95},
                human_prediction=int(generator.choice([-1, int(same), 1 - int(same)])),
                quantiles={MODELS[0]: 1 - at / 1e6} if mined else {},
                set=of,
                also=("random",) if of != "random" and at % 4 == 0 else (),
            )
        )
    return Report("Planted", root, gallery=gallery, thresholds=THRESHOLDS)


def _path(face: int) -> str:
    return f"{face // FACES_EACH}/{face}.png"


def page_of(parts: GalleryParts) -> str:
    """Page of the gallery alone, under the policy that a report has."""
    base = files("pairsets.report").joinpath("assets/page.css").read_text("utf-8")
    styles = (base, *parts.styles)
    policy = (
        "default-src 'none'; img-src data:; "
        f"style-src {_digests(styles)}; script-src {_digests(parts.scripts)}; "
        "base-uri 'none'; form-action 'none'"
    )
    return "".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            "<title>Gallery</title>",
            *(f"<style>{style}</style>" for style in styles),
            '</head><body><main><a href="#other">Other</a><section id="other">Other</section>',
            str(parts.section),
            "</main>",
            *(f"<script>{script}</script>" for script in parts.scripts),
            "</body></html>",
        ]
    )


def _digests(texts: tuple[str, ...]) -> str:
    found = (base64.b64encode(hashlib.sha256(text.encode()).digest()) for text in texts)
    return " ".join(f"'sha256-{digest.decode()}'" for digest in found)


def write_page(report: Report, path: Path) -> Path:
    """Write the page of `report`, faces small."""
    path.write_text(page_of(gallery_parts(report, thumbnail_pixels=24)), "utf-8")
    return path


def kept(pair: GalleryPair, view: Mapping[str, str]) -> bool:
    """Whether a view shows the pair."""
    both = (pair.name_a, pair.name_b)
    wrong = {model: pair.mistaken(model) for model in MODELS}
    verdicts = set(pair.verdicts.values())
    kind, _, model = view.get("show", "").partition(":")
    person = None if pair.human_prediction < 0 else pair.human_prediction != pair.label
    rules = {
        "q": lambda q: any(KINDS[name.rpartition("_")[0]] == q for name in both),
        "name": lambda name: name in both,
        "with": lambda name: both == (name, name) if view.get("name") == name else name in both,
        "face": lambda path: path in (pair.path_a, pair.path_b),
        "set": lambda name: name in pair.sets,
        "label": lambda label: (label == "same") == bool(pair.label),
        "show": lambda _: {
            "fa": wrong[model] is True and not pair.label,
            "fr": wrong[model] is True and bool(pair.label),
            "wrong": wrong[model] is True,
            "right": wrong[model] is False,
        }[kind],
        "wrong": lambda name: wrong[name] is True,
        "right": lambda name: wrong[name] is False,
        "human": lambda said: person is {"wrong": True, "right": False, "none": None}[said],
        "split": lambda _: verdicts == {True, False},
    }
    return all(rules[key](value) for key, value in view.items() if key in rules)


def ordered(report: Report, sort: str) -> list[int]:
    """Pairs in an order, ties by rank, those without a rank after the others as listed."""
    gallery = report.gallery
    everything = range(len(gallery))
    if not sort:
        return list(everything)
    ranked = sorted(everything, key=lambda at: (gallery[at].rank == 0, gallery[at].rank, at))
    if sort == "rank":
        return ranked
    kind, _, model = sort.partition(":")
    if kind in ("high", "low"):
        sign = -1 if kind == "high" else 1

        def by_score(at: int) -> tuple[bool, float]:
            score = gallery[at].scores.get(model)
            return score is None, 0 if score is None else sign * score

        return sorted(ranked, key=by_score)
    if kind == "human":
        return sorted(ranked, key=lambda at: -_against_person(gallery[at]))
    spread = _spreads(report)
    return sorted(ranked, key=lambda at: (-_minority(gallery[at]), -spread[at]))


def _against_person(pair: GalleryPair) -> float:
    if pair.human_prediction < 0:
        return -1
    said = [verdict != bool(pair.human_prediction) for verdict in pair.verdicts.values()]
    return sum(said) / len(said) if said else 0


def _minority(pair: GalleryPair) -> int:
    said = list(pair.verdicts.values())
    return min(said.count(True), said.count(False))


def _spreads(report: Report) -> np.ndarray:
    """Spread of the models' places of each pair, in whole numbers, so that ties are ties."""
    places = np.full((len(MODELS), len(report.gallery)), np.nan)
    for row, model in enumerate(MODELS):
        scores = np.array([pair.scores.get(model, np.nan) for pair in report.gallery])
        scored = ~np.isnan(scores)
        # `first + end` of a tie counted from 0 is twice its mean rank, less one.
        places[row, scored] = (2 * rankdata(scores[scored]) - 1) / (2 * scored.sum())
    return np.nanmax(places, axis=0) - np.nanmin(places, axis=0)


def shown(report: Report, view: Mapping[str, str]) -> list[int]:
    """Pairs of a view, in its order."""
    return [at for at in ordered(report, view.get("sort", "")) if kept(report.gallery[at], view)]
