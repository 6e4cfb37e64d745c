"""A model's census: its rates over all pairs of its embeddings, found by exact counts.

Two ways, of which the second is taken where it is affordable:

**The tail.** All pairs of two identities that score as high as the FAR of 1e-3 asks are found by
the exact search (`FlatIndex.top_pairs` with a score limit), at a fraction of the time of scoring
all: every rate at a FAR of 1e-3 or less is exact, down to one pair in all.

**All scores.** Besides, every pair is counted (`indexes.AllPairs`), so that the FPR at a target
FNR, the EER, FARs above 1e-3 and the AUC are known, too.

Memory does not grow with the number of pairs: of more pairs in the tail than are held
(`mining.scores.score_tail`) the next lower FAR begins it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from indexes.join import SearchOptions
from mining.embeddings.store import Embeddings
from mining.errors import RunError
from mining.scores.census_counts import CensusCounts
from mining.scores.collection import names_of
from pairsets.errors import ScoresError
from pairsets.evaluation.census import Census, CensusComparison, compare_census
from pairsets.evaluation.human import DEFAULT_TARGET_FNR
from pairsets.evaluation.rates import checked_share
from pairsets.progress import Progress, Step, silent, unheard

# Work up to which all scores are looked at, unless it is said: that of 50,000 faces in 512
# dimensions is 2.2e12.
FULL = 3e12
# What is done with a pair beside its product takes as long as so many multiplications.
_BESIDE = 1280


def take_census(
    embeddings: Embeddings,
    target_fnr: float = DEFAULT_TARGET_FNR,
    *,
    fars: Sequence[float] = (),
    full: bool | None = None,
    how: SearchOptions | None = None,
    progress: Step | None = None,
    checkpoint: Path | None = None,
) -> Census:
    """Rates of a model over all pairs of its faces, exact; see the module.

    Args:
        embeddings: of the faces.
        target_fnr: at which FPR is reported.
        fars: FARs to report FNR at, beside the powers of ten.
        full: whether all scores are looked at; None where that is at most `FULL` (`census_work`).
        how: device and threads of the search.
        progress: shows how far it is.
        checkpoint: file that a long search of the tail goes on from.

    Raises:
        ScoresError: no two identities, or no two faces of one.
        EmbeddingError: the file of the vectors changed meanwhile.
    """
    with embeddings.watched(progress or unheard, checkpoint) as step:
        return CensusCounts(
            embeddings,
            target_fnr,
            census_work(*embeddings.vectors.shape) <= FULL if full is None else full,
            how or SearchOptions(),
            step,
            checkpoint,
        ).census(fars)


def take_all(
    sources: Mapping[str, Embeddings],
    target_fnr: float | str | None = None,
    *,
    fars: Sequence[float] = (),
    full: bool | None = None,
    device: str = "auto",
    ignore: Collection[str] = (),
    progress: Progress = silent,
    checkpoint: Path | None = None,
) -> CensusComparison:
    """Census of several models over the same faces, compared.

    Args:
        sources: embeddings of the same faces, by the name of the model.
        target_fnr: a share; None is 0.139, as in the original evaluator.
        fars, full: see `take_census`.
        device: of the search; of other names than `auto` and CUDA's it is the processor.
        ignore: base names of images that are in no pair.
        progress: shows a step a model.
        checkpoint: file beside which long searches keep where they are.

    Raises:
        RunError: embeddings of different faces.
        ScoresError: no share, or a person's FNR, which is that of a pair file; faces of which no
            two are of one identity, or of two.
    """
    target = target_share(target_fnr)
    refuse_other_faces(list(sources.values()))
    found = {}
    how = SearchOptions(device=device if device.startswith(("auto", "cuda")) else "cpu")
    for at, (model, one) in enumerate(sources.items()):
        kept = checkpoint and checkpoint.with_name(f"{checkpoint.name}.{at}")
        with progress(f"Counting all pairs of {model}") as step:
            found[model] = take_census(
                without_ignored(one, ignore),
                target,
                fars=fars,
                full=full,
                how=how,
                progress=step,
                checkpoint=kept,
            )
    return compare_census(found)


def without_ignored(embeddings: Embeddings, ignore: Collection[str]) -> Embeddings:
    """The embeddings of the faces whose base names are not to be ignored."""
    kept = embeddings.faces.without(ignore)
    return embeddings if kept.all() else embeddings.take(np.flatnonzero(kept))


def named_embeddings(folders: Sequence[Path]) -> dict[str, Embeddings]:
    """The embeddings of different models, by the names that tables have for them."""
    sources = [Embeddings.load_named(folder) for folder in folders]
    return dict(zip(names_of(sources), sources, strict=True))


def unresolved_fars(found: CensusComparison, fars: Sequence[float]) -> list[str]:
    """A sentence on each FAR that was asked for and that some model is not known at."""
    texts = []
    negatives = found.population.negatives
    for far in fars:
        lacking = [name for name, one in found.models.items() if one.point("fpr", far) is None]
        if not lacking:
            continue
        if far * negatives < 1:
            texts.append(
                f"No FNR at a FAR of {far:g}: of {negatives:,} pairs of different identities one "
                f"is {1 / negatives:.2g}."
            )
        else:
            texts.append(
                f"No FNR at a FAR of {far:g} of {', '.join(lacking)}: the pairs were counted up to "
                f"{found.models[lacking[0]].highest_far:g}; --census full counts all."
            )
    return texts


def target_share(target_fnr: float | str | None) -> float:
    """The target FNR of a census; ScoresError where it is no share."""
    if isinstance(target_fnr, str):
        raise ScoresError(
            f"a target FNR of {target_fnr!r} over all pairs; a person's FNR is known of a pair "
            "file alone: give a share, such as 0.139"
        )
    return DEFAULT_TARGET_FNR if target_fnr is None else checked_share(float(target_fnr))


def refuse_other_faces(sources: Sequence[Embeddings]) -> None:
    """Raise RunError unless all embeddings are of the same faces, and say the same of each."""
    for first, one in pairwise(sources):
        mine, theirs = first.faces, one.faces
        if mine.paths.equals(theirs.paths):
            if bool((mine.identities == theirs.identities).all()):
                continue
            at = int(np.flatnonzero(mine.identities != theirs.identities)[0])
            raise RunError(
                f"{first.folder} and {one.folder}: {mine.paths[at]!r} shows "
                f"{mine.identities[at]!r} in the one and {theirs.identities[at]!r} in the other; "
                "embed both with the same identities"
            )
        both = frozenset(mine.paths), frozenset(theirs.paths)
        lacking = [len(both[0] - both[1]), len(both[1] - both[0])]
        skipped = len(first.skipped) + len(one.skipped)
        why = f" ({skipped:,} images were skipped while embedding)" if skipped else ""
        raise RunError(
            f"{first.folder} and {one.folder}: embeddings of different faces: {lacking[0]:,} of "
            f"{len(mine):,} are missing in the second, {lacking[1]:,} of {len(theirs):,} in the "
            f"first{why}; models are compared over all pairs of the same faces: embed the same "
            "folder with each"
        )


def census_work(faces: int, dimensions: int) -> float:
    """Work of looking at all scores of so many faces, in multiplications, about.

    >>> census_work(50_000, 512) <= FULL < census_work(200_000, 512)
    True
    """
    return faces * (faces - 1) / 2 * (dimensions + _BESIDE)
