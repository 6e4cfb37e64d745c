"""Table rows with the rates over all pairs of different identities, of which a set is a sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from numpy.typing import ArrayLike

from pairsets.arrays import Mask
from pairsets.evaluation.clusters import By
from pairsets.evaluation.population_rates import (
    label_error_sentence,
    label_errors,
    population_rates,
)
from pairsets.files.designs import Design
from pairsets.files.side_files import design_of
from pairsets.pairset import PairSet
from pairsets.tables.leaderboard import Leaderboard


@dataclass(frozen=True)
class OverAll:
    """Table with the rates over all pairs, and what is to be told of them.

    Attributes:
        board: the table.
        sentences: the rates of each model, and label errors.
        warnings: of estimates that one pair carries.
    """

    board: Leaderboard
    sentences: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def design_beside(path: Path, pairs: PairSet) -> Design | None:
    """The design of a pair file; None where there is none beside it.

    Raises:
        PairSetError: it is not that of these pairs.
    """
    file = design_of(path)
    return Design.read(file, pairs) if file.is_file() else None


def over_all_pairs(
    board: Leaderboard,
    pairs: PairSet,
    design: Design | None,
    scores: Mapping[str, ArrayLike],
    *,
    kept: Mask | None = None,
    clusters: By = "identity",
) -> OverAll:
    """The table with the rates of its models over all pairs; as it is without a design.

    Args:
        board: the table.
        pairs, scores, kept, clusters: see `pairsets.evaluation.population_rates`.
        design: of the pairs.
    """
    if design is None:
        return OverAll(board)
    cuts = {one.model: one.evaluation.threshold for one in board.entries if one.evaluation}
    judged = {model: one for model, one in scores.items() if model in cuts}
    found = population_rates(pairs, design, judged, cuts, kept=kept, clusters=clusters)
    entries = tuple(
        replace(one, evaluation=replace(one.evaluation, population=found[one.model]))
        if one.evaluation is not None and one.model in found
        else one
        for one in board.entries
    )
    said = [found[one.model].sentence(one.model) for one in entries if one.model in found]
    share = label_errors(pairs, design, clusters)
    said += [] if share is None else [label_error_sentence(share, design.population)]
    warned = [text for model, rates in found.items() for text in rates.warnings(model)]
    return OverAll(replace(board, entries=entries), tuple(said), tuple(warned))
