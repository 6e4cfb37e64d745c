"""Pair files to compare models on, what lies beside them, and what skipped images cost them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mining.embeddings import Embeddings
from mining.run import RunError
from mining.scoring import QUANTILE, RANK, read_quantiles, read_ranks
from pairsets.errors import PairSetError
from pairsets.pairset import PairSet
from pairsets.report import FunnelRow


@dataclass(frozen=True, eq=False)
class Mined:
    """What the score file beside a mined pair file tells of its making."""

    ranks: NDArray[np.int64]
    quantiles: Mapping[str, NDArray[np.float64]]

    def take(self, rows: NDArray[np.bool_]) -> Mined:
        """Of some rows."""
        quantiles = {model: values[rows] for model, values in self.quantiles.items()}
        return Mined(self.ranks[rows], quantiles)


def mined_beside(path: Path, pairs: PairSet) -> Mined | None:
    """None where there is no such file, or nothing in it has a rank."""
    return mined_in(path.with_suffix(".scores.csv"), pairs)


def mined_in(scores: Path, pairs: PairSet) -> Mined | None:
    """Of a score file; None where it cannot be opened, or no pair has a rank in it."""
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
    return Mined(ranks, read_quantiles(scores, pairs) if QUANTILE in columns else {})


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


def _skipped(found: Sequence[Embeddings]) -> set[str]:
    return {path for one in found for path in one.skipped}


def skipped_rows(sets: Mapping[str, PairSet], found: Sequence[Embeddings]) -> list[FunnelRow]:
    """Funnel rows of the images that were skipped, and of the pairs of each set."""
    rows = []
    lost = _skipped(found)
    if lost:
        rows.append(FunnelRow("embed", "images that cannot be read", len(lost)))
    for name, pairs in sets.items():
        readable = unskipped(pairs, found)
        gone = int((~readable).sum())
        if gone:
            rows.append(FunnelRow(name, "pairs with an image that cannot be read", gone))
        invalid = int((readable & ~pairs.valid).sum())
        if invalid:
            rows.append(FunnelRow(name, "pairs marked invalid", invalid))
        kept = int((pairs.valid & readable).sum())
        rows.append(FunnelRow(name, "pairs evaluated", kept, kept=True))
    return rows


def unskipped(pairs: PairSet, found: Sequence[Embeddings]) -> NDArray[np.bool_]:
    """`[N]`: pairs of which both images could be read."""
    lost = _skipped(found)
    kept = [not (a in lost or b in lost) for a, b in zip(pairs.path_a, pairs.path_b, strict=True)]
    return np.array(kept, bool)
