"""The stages one by one, from files to files, as the command line offers them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mining.encoder import Encoding, notes_of
from mining.presentation import sample_rows
from mining.provenance import faces_rows, skipped_rows
from mining.refusals import refuse_single
from mining.run import Progress, RunError, refuse_inside, silent
from mining.scoring import read_scores
from mining.setfiles import mined_in
from pairsets import figures
from pairsets.annotators import Agreement
from pairsets.artefacts import refuse_below_file, refuse_existing, versions
from pairsets.errors import PairSetError, ScoresError
from pairsets.faces import Faces, read_ignore_list, resolve
from pairsets.folds import folds_of
from pairsets.hubness import Hubness
from pairsets.identities import Rule
from pairsets.images import MAX_PIXELS
from pairsets.leaderboard import Leaderboard
from pairsets.pairset import PairSet, identities_of
from pairsets.protocol_tables import Protocols
from pairsets.publication import alone, written_together
from pairsets.report import FunnelRow, save_figure
from pairsets.sampling import random_pairs


@dataclass(frozen=True, eq=False)
class Made:
    """What a stage wrote, and what it dropped."""

    files: Sequence[Path]
    funnel: Sequence[FunnelRow] = ()
    warnings: Sequence[str] = ()
    leaderboard: Leaderboard | None = None
    hints: Sequence[str] = ()
    hubness: Mapping[str, Hubness] = field(default_factory=dict)
    agreement: Agreement | None = None
    protocols: Mapping[str, Protocols] = field(default_factory=dict)


@alone(folder=True)
def embed_faces(
    faces: Path,
    model: str,
    out: Path,
    *,
    identities: Rule | None = None,
    encoding: Encoding,
    progress: Progress = silent,
) -> Made:
    """Embed a folder of faces into `out`; who each shows `identities` say, else the folders."""
    refuse_inside(out, faces)
    refuse_below_file(out)
    found = Faces.scan(faces, identities)
    loaded = encoding.load(model)
    embeddings = encoding.embed(found, loaded, out, progress)
    names = ["vectors.npy", "images.csv", "identities.csv", "manifest.json"]
    files = [out / name for name in names if (out / name).exists()]
    funnel = [*faces_rows(found), *skipped_rows(embeddings)]
    return Made(files, funnel, [*found.notes, *notes_of([loaded])])


@alone()
def sample_pairs(
    faces: Path,
    out: Path,
    *,
    identities: Rule | None = None,
    positives: int | None = None,
    negatives: int | None = None,
    ignore_list: Path | None = None,
    seed: int = 0,
    overwrite: bool = False,
) -> Made:
    """Draw random pairs of a folder of faces into the pair file `out`."""
    files, named = [out, manifest_of(out)], identities_of(out)
    refuse_existing([*files, folds_of(out), named], overwrite=overwrite, inputs=[ignore_list])
    if positives == 0 and negatives == 0:
        raise PairSetError("0 positive and 0 negative pairs asked for: there is nothing to draw")
    found = Faces.scan(faces, identities)
    refuse_single(found, faces)
    ignored = read_ignore_list(ignore_list) if ignore_list is not None else frozenset[str]()
    pairs = random_pairs(found, positives=positives, negatives=negatives, seed=seed, ignore=ignored)
    kept = int(found.without(ignored).sum())
    funnel = faces_rows(found)
    if kept < len(found):
        funnel.append(FunnelRow("random", "faces on the ignore list", len(found) - kept))
    unknown = len(ignored - found.base_names)
    if unknown:
        funnel.append(FunnelRow("random", "names on the ignore list that no face has", unknown))
    counts = {
        "positives": int((pairs.label == 1).sum()),
        "negatives": int((pairs.label == 0).sum()),
    }
    funnel += [FunnelRow("random", what, count, kept=True) for what, count in counts.items()]
    content = {
        "schema": 1,
        "kind": "random",
        "pairs": counts,
        "parameters": {
            "positives": positives,
            "negatives": negatives,
            "seed": seed,
            **({"identities": found.said} if found.said is not None else {}),
        },
        "versions": versions("lookalikes", "numpy"),
    }
    if pairs.named is not None:
        files.append(named)
    # Of the pairs that stood here before.
    stale = sorted({folds_of(out), named} - {*files})
    with written_together(
        files, manifest=manifest_of(out), stale=stale, overwrite=overwrite
    ) as folder:
        pairs.write(folder / out.name, content)
    return Made(files, funnel, found.notes)


def show_pairs(
    path: Path,
    faces: Path,
    out: Path,
    *,
    count: int = 10,
    label: int = 0,
    scores: Path | None = None,
    model: str | None = None,
    names: bool = False,
    identities: Rule | None = None,
    seed: int = 0,
    overwrite: bool = False,
    max_pixels: int = MAX_PIXELS,
) -> Made:
    """Draw pairs in columns: with scores the hardest ones, else some at random.

    Those are the highest-scoring ones of `model`. Without `model`, where a file with several models
    has the ranks of a mined set, they are its first ones, whoever mined it: several references have
    a rank in common, and no score.
    """
    refuse_inside(out, faces)
    refuse_existing([out], overwrite=overwrite, inputs=[path, scores])
    pairs = PairSet.read(path, identities)
    chosen = pairs.take(pairs.valid & (pairs.label == label))
    if not len(chosen):
        raise PairSetError(f"{path}: no valid pair with label {label} to show")
    shown: list[float] | None = None
    hints: list[str] = []
    if scores is None:
        rows = sample_rows(len(chosen), count, seed)
    else:
        kept = pairs.valid & (pairs.label == label)
        rows, shown, hints = _hardest(scores, pairs, kept, model, count)
    present = resolve(faces, [*chosen.path_a[rows], *chosen.path_b[rows]])
    figure = figures.pair_columns(
        present.locate_pairs(chosen.path_a[rows], chosen.path_b[rows]),
        scores=shown,
        names=[chosen.names(int(r)) for r in rows] if names else None,
        max_pixels=max_pixels,
    )
    save_figure(figure, out)
    return Made([out], hints=hints)


@alone(folder=True)
def make_sample(
    out: Path, *, characters: int, seed: int, overwrite: bool, progress: Progress = silent
) -> Made:
    """Draw sample faces into `out/faces` and unpack small ImageNet weights beside them."""
    from mining.models.sample import write_sample_weights
    from pairsets.sources.drawn import draw_faces

    weights = out / "tf_efficientnet_lite0"
    with progress("Drawing faces") as step:
        drawn = draw_faces(
            out,
            characters=characters,
            seed=seed,
            overwrite=overwrite,
            progress=step,
            further=lambda folder: write_sample_weights(folder / weights.name),
        )
    hint = (
        f"\nNow try: lookalikes build {drawn.faces} "
        f"--reference timm:tf_efficientnet_lite0@{weights} --out {out / 'run'}\n"
    )
    return Made([drawn.faces, weights], hints=[drawn.credit, hint])


def manifest_of(out: Path) -> Path:
    """Where the manifest of the pair file `out` goes."""
    if out.suffix.lower() == ".json":
        raise RunError(f"{out}: the manifest's name; expected that of a pair file, such as .csv")
    return out.with_suffix(".json")


def _hardest(
    path: Path, pairs: PairSet, kept: NDArray[np.bool_], model: str | None, count: int
) -> tuple[NDArray[np.int64], list[float] | None, list[str]]:
    """Of the rows `kept`, those to show, their scores, and whose these are where that is open."""
    found = {name: values[kept] for name, values in read_scores(path, pairs).items()}
    if model is not None and model not in found:
        raise ScoresError(f"{path}: no scores of {model}; it has {', '.join(found)}")
    mined = mined_in(path, pairs) if model is None and len(found) > 1 else None
    ranks = np.zeros(0) if mined is None else mined.ranks[kept]
    if mined is not None and ranks.any():
        rows = np.argsort(np.where(ranks > 0, ranks, ranks.max() + 1), kind="stable")
        rows = rows[: np.count_nonzero(ranks)]
        miner = None if mined.quantiles else _falling(found, rows)
        if miner is None:
            hint = "By the rank that they were mined with; --model NAME goes by a model's scores"
            return rows[:count], None, [hint]
        hint = f"By the rank that they were mined with, that of {miner}, whose scores are shown"
        return rows[:count], found[miner][rows[:count]].tolist(), [hint]
    name = next(iter(found)) if model is None else model
    rows = np.lexsort((np.arange(found[name].size), -found[name]))[:count]
    others = [one for one in found if one != name and model is None]
    hints = [f"Scores of {name}; --model takes {' or '.join(others)}"] if others else []
    return rows, found[name][rows].tolist(), hints


def _falling(found: Mapping[str, NDArray[np.float64]], rows: NDArray[np.int64]) -> str | None:
    """The model whose scores fall, or rise, all along the ranks: the one that mined."""
    for model, values in found.items():
        steps = np.diff(values[rows])
        if (steps <= 0).all() or (steps >= 0).all():
            return model
    return None
