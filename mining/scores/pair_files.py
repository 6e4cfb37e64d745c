"""Pair files to compare models on, what lies beside them, and what missing scores cost them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mining.embeddings.store import Embeddings
from mining.errors import RunError
from mining.scores.collection import Gathered, miners
from mining.scores.score_pairs import readable
from pairsets.errors import PairSetError, PairsetsError, ScoresError
from pairsets.files.score_files import QUANTILE, RANK, read_quantiles, read_ranks
from pairsets.funnel import FunnelRow
from pairsets.pairset import PairSet
from pairsets.storage.json_files import JsonError, JsonObject, read_object

UNREADABLE = "with an image that cannot be read"


@dataclass(frozen=True, eq=False)
class RankColumns:
    """Ranks and quantiles that the score file beside a mined pair file has."""

    ranks: NDArray[np.int64]
    quantiles: Mapping[str, NDArray[np.float64]]

    def take(self, rows: NDArray[np.bool_]) -> RankColumns:
        """The ranks and quantiles of some rows."""
        quantiles = {model: values[rows] for model, values in self.quantiles.items()}
        return RankColumns(self.ranks[rows], quantiles)


def mined_beside(path: Path, pairs: PairSet) -> RankColumns | None:
    """The rank columns beside a pair file; None where no score file with ranks lies there."""
    return mined_in(path.with_suffix(".scores.csv"), pairs)


def mined_in(scores: Path, pairs: PairSet) -> RankColumns | None:
    """The rank columns of a score file; None where it cannot be opened, or has no ranks."""
    try:
        with scores.open(encoding="utf-8-sig") as stream:
            columns = stream.readline().strip().split(",")
    except (OSError, UnicodeDecodeError):
        return None
    if RANK not in columns:
        return None
    ranks = read_ranks(scores, pairs)
    if not ranks.any():
        return None
    return RankColumns(ranks, read_quantiles(scores, pairs) if QUANTILE in columns else {})


def named_sets(paths: Sequence[Path], out: Path) -> dict[str, Path]:
    """Pair files by the names of their sets."""
    if not paths:
        raise PairSetError("no pair file to compare models on; expected at least one")
    found: dict[str, Path] = {}
    for path in paths:
        if path.stem in found:
            raise PairSetError(
                f"{path}: a second set called {path.stem}, beside {found[path.stem]}; rename one"
            )
        refuse_inside_out(path, out)
        found[path.stem] = path
    return found


def refuse_inside_out(path: Path, out: Path) -> None:
    """Raise RunError where an input lies in the folder that is written."""
    if path.resolve().is_relative_to(out.resolve()):
        raise RunError(f"{path}: inside {out}, which this command writes; choose another --out")


def without_skipped(
    pairs: PairSet, found: Sequence[Embeddings], stage: str, what: str = "pairs"
) -> tuple[PairSet, list[FunnelRow]]:
    """`pairs` less those of images that some model skipped while embedding, and the funnel row."""
    kept = readable(pairs, found)
    if kept.all():
        return pairs, []
    row = FunnelRow(stage, f"{what} {UNREADABLE}", int((~kept).sum()))
    return pairs.take(kept), [row]


def unread_rows(found: Sequence[Embeddings]) -> list[FunnelRow]:
    """The funnel row of images that some model skipped while embedding, where there are any."""
    lost = {path for one in found for path in one.skipped}
    return [FunnelRow("embed", "images that cannot be read", len(lost))] if lost else []


def made_rows(files: Mapping[str, Path]) -> list[FunnelRow]:
    """Funnel rows of how pair files were made, as the manifests beside them say it.

    Sets of one run say the same: it stands there once. A file without a manifest, or with one that
    says nothing of the kind, has no rows.
    """
    rows: list[FunnelRow] = []
    known: list[list[FunnelRow]] = []
    for name, path in files.items():
        try:
            found = read_object(path.with_suffix(".json"), "the manifest of a pair file")
            said = [_made_row(one) for one in found.objects("funnel")]
        except (OSError, JsonError, PairsetsError):
            continue
        if said not in known:
            known.append(said)
            rows += [replace(row, stage=f"{name} pairs, when made: {row.stage}") for row in said]
    return rows


def _made_row(one: JsonObject) -> FunnelRow:
    kept = one.content.get("kept", False) is True
    return FunnelRow(one.text("stage"), one.text("what"), one.count("count"), kept)


def lost_rows(stage: str, name: str, found: Gathered) -> list[FunnelRow]:
    """Funnel rows of the pairs of the set `name` that are left out, or counted as rejected."""
    rows = []
    gone = int((~found.kept[name]).sum()) - found.dropped[name]
    if gone:
        rows.append(FunnelRow(stage, f"pairs {UNREADABLE}", gone))
    if count := found.dropped[name]:
        rows.append(FunnelRow(stage, "pairs that some model has no score of", count))
    for model, values in found.scores[name].items():
        if count := int(np.isneginf(values).sum()):
            what = f"pairs without a score of {model}, counted as rejected"
            rows.append(FunnelRow(stage, what, count, kept=True))
    return rows


def set_rows(sets: Mapping[str, PairSet], found: Gathered) -> list[FunnelRow]:
    """Funnel rows of each set, less what is left out already: lost, invalid, evaluated."""
    rows = []
    for name, pairs in sets.items():
        rows += lost_rows(name, name, found)
        if invalid := int((~pairs.valid).sum()):
            rows.append(FunnelRow(name, "pairs marked invalid", invalid))
        rows.append(FunnelRow(name, "pairs evaluated", int(pairs.valid.sum()), kept=True))
    return rows


def was_mined(path: Path, pairs: PairSet) -> bool:
    """True where the manifest or score file beside a pair file says that a model mined it."""
    if miners(path):
        return True
    try:
        return mined_beside(path, pairs) is not None
    except ScoresError:
        return False


def low_aucs(
    name: str, aucs: Mapping[str, float], found: Gathered, *, alone: bool = False
) -> list[str]:
    """A sentence on each model of which positives score lower than negatives.

    Not for sets that were mined, where that is normal: their negatives were chosen by score. Where
    a model is `alone` there is no option to name it.
    """
    texts = []
    for model, auc in aucs.items():
        if not auc < 0.5:
            continue
        lead = f"{name}: AUC of {model} is {auc:.3f}: positives score lower than negatives. "
        if model in found.distances:
            texts.append(
                lead + "They were turned round as distances: are they similarities, where higher "
                "is more alike? Then leave out --distance."
            )
        elif model in found.from_files:
            texts.append(
                lead
                + "Are they distances, where lower is more alike? --distance turns "
                + ("them" if alone else f"all score files round, --distance-of '{model}' this one")
                + "."
            )
        else:
            texts.append(lead + "Labels the wrong way round, or vectors that another measure fits?")
    return texts
