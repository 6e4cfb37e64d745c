"""A pair set's scores under a model, and score files."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from indexes import pair_scores
from mining.embeddings import Embeddings
from pairsets.artefacts import write_csv
from pairsets.errors import ScoresError
from pairsets.pairset import PairSet

HEADER = ("pathA", "pathB", "rank", "score", "model")


def score_pairs(pairs: PairSet, embeddings: Embeddings) -> NDArray[np.float64]:
    """Score of each row, `[N]`: the inner product of the two faces' vectors.

    The same numbers as the miner ranks by, whatever the order of the two faces.

    Raises:
        pairsets.FacesError: a face of a pair was not embedded.
    """
    vectors = embeddings.vectors
    return pair_scores(
        vectors,
        vectors,
        embeddings.faces.positions(pairs.path_a),
        embeddings.faces.positions(pairs.path_b),
    )


def write_scores(
    path: Path,
    pairs: PairSet,
    scores: Mapping[str, NDArray[np.float64]],
    rank: NDArray[np.int64] | None = None,
) -> Path:
    """Write `pathA,pathB,rank,score,model`: for each model, a line a pair in the pairs' order.

    `rank` is empty where it is 0 or not given. Scores are written so that reading them gives the
    same float64 back.
    """
    ranks = [""] * len(pairs) if rank is None else [str(r) if r else "" for r in rank.tolist()]
    rows = (
        (a, b, place, repr(score), model)
        for model, values in scores.items()
        for a, b, place, score in zip(
            pairs.path_a, pairs.path_b, ranks, values.tolist(), strict=True
        )
    )
    return write_csv(path, HEADER, rows)


def read_scores(path: str | Path, pairs: PairSet) -> dict[str, NDArray[np.float64]]:
    """Scores of `pairs` from a CSV: model -> `[N]`, matched by the two paths in either order.

    The columns `pathA`, `pathB` and `score` are needed; without `model` the file's name is the
    model's. Rows of pairs that are not in `pairs` are left alone.

    Raises:
        ScoresError: a column, a pair or a number is missing, wrong or there twice.
    """
    path = Path(path)
    rows = {key: row for row, key in enumerate(_keys(pairs.path_a, pairs.path_b))}
    found: dict[str, NDArray[np.float64]] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            missing = {"pathA", "pathB", "score"} - set(reader.fieldnames or ())
            if missing:
                raise ScoresError(f"{path}, line 1: column {', '.join(sorted(missing))} missing")
            for record in reader:
                where = f"{path}, line {reader.line_num}"
                if None in record or record["pathA"] is None or record["pathB"] is None:
                    raise ScoresError(
                        f"{where}: more or fewer values than line 1 has; "
                        "is a comma in a path not quoted?"
                    )
                key = _keys([record["pathA"]], [record["pathB"]])[0]
                if key not in rows:
                    continue
                model = record.get("model") or path.stem
                if model not in found:
                    found[model] = np.full(len(pairs), np.nan)
                values = found[model]
                if not np.isnan(values[rows[key]]):
                    raise ScoresError(f"{where}: a second score of {key[0]}, {key[1]} for {model}")
                values[rows[key]] = _number(record["score"], where)
    except FileNotFoundError:
        raise ScoresError(f"{path}: no such score file") from None
    except IsADirectoryError:
        raise ScoresError(
            f"{path}: a folder; expected a score file (vectors are given with --embeddings)"
        ) from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise ScoresError(f"{path}: not a CSV file ({error})") from None
    if not found:
        raise ScoresError(
            f"{path}: no score of any of the {len(pairs)} pairs; are they another pair set's?"
        )
    for model, values in found.items():
        lacking = np.flatnonzero(np.isnan(values) & pairs.valid)
        if lacking.size:
            row = int(lacking[0])
            raise ScoresError(
                f"{path}: {lacking.size} of {len(pairs)} valid pairs have no score of {model}, the "
                f"first {pairs.path_a[row]}, {pairs.path_b[row]}"
            )
    return found


def _keys(path_a: ArrayLike, path_b: ArrayLike) -> list[tuple[str, str]]:
    return [
        (a, b) if a < b else (b, a)
        for a, b in zip(np.asarray(path_a, object), np.asarray(path_b, object), strict=True)
    ]


def _number(text: str | None, where: str) -> float:
    try:
        value = float(text or "")
    except ValueError:
        raise ScoresError(f"{where}: score is {text!r}, expected a number") from None
    if not np.isfinite(value):
        raise ScoresError(f"{where}: score is {text!r}, expected a finite number")
    return value
