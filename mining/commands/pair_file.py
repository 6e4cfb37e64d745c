"""A pair file with its manifest, scores, suspects, folds and design: all of them or none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pairsets.files.designs import Design
from pairsets.files.folds import Folds
from pairsets.files.identity_folds import IdentityFolds
from pairsets.files.score_files import write_scores
from pairsets.files.side_files import (
    design_of,
    folds_of,
    identity_folds_of,
    manifest_of,
    mined_folds_of,
    suspects_of,
)
from pairsets.files.suspects import Suspects
from pairsets.pairset import PairSet, identities_of
from pairsets.storage.publication import written_together

Numbers = NDArray[np.float64]


def files_of(
    out: Path, *, suspects: bool = False, folds: bool = False, design: bool = False
) -> list[Path]:
    """The pair file `out` and what is written with it, but for identities that folders tell."""
    files = [out, manifest_of(out), out.with_suffix(".scores.csv")]
    files += [suspects_of(out)] if suspects else []
    files += [design_of(out)] if design else []
    return files + ([folds_of(out), identity_folds_of(out)] if folds else [])


def write_pair_file(
    out: Path,
    pairs: PairSet,
    manifest: Mapping[str, object],
    scores: Mapping[str, Numbers],
    *,
    rank: NDArray[np.int64] | None = None,
    quantiles: Mapping[str, Numbers] | None = None,
    suspects: Suspects | None = None,
    folds: tuple[Folds, IdentityFolds] | None = None,
    design: Design | None = None,
    overwrite: bool = True,
) -> list[Path]:
    """Write `out` and all that belongs beside it; what lay beside an older one there goes.

    Args:
        out: the pair file.
        pairs: its rows.
        manifest: what they were made from, and how.
        scores, rank, quantiles: see `pairsets.files.score_files.write_scores`.
        suspects: of the mined pairs, and of those dropped.
        folds: of the pairs, and of the identities.
        design: of the negatives, where their probabilities are known.
        overwrite: replace what is there.

    Returns:
        The files.
    """
    files = files_of(
        out, suspects=suspects is not None, folds=folds is not None, design=design is not None
    )
    named, parted = identities_of(out), [folds_of(out), identity_folds_of(out)]
    files += [named] if pairs.named is not None else []
    stale = {suspects_of(out), design_of(out), named, *mined_folds_of(out)} - {*files}
    with written_together(
        files, manifest=manifest_of(out), stale=sorted(stale), overwrite=overwrite
    ) as folder:
        pairs.write(folder / out.name, manifest)
        write_scores(folder / files[2].name, pairs, scores, rank, quantiles)
        if suspects is not None:
            suspects.write(folder / suspects_of(out).name)
        if design is not None:
            design.write(folder / design_of(out).name, pairs)
        if folds is not None:
            folds[0].write(folder / parted[0].name, pairs)
            folds[1].write(folder / parted[1].name)
    return files
