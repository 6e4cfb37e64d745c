"""Mining within folds: the hardest pairs of each fold's own identities, for a k-fold protocol.

Folds share no identity, so that a threshold fixed on some is tested on strangers. Every fold has
as many mined pairs, and as many of the other label to join them, as LFW's and SLLFW's have.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mining.embeddings.store import Embeddings
from mining.errors import RulesError
from mining.miners.fold_results import Content, Part
from mining.miners.fold_shares import KINDS, Shares
from mining.miners.inputs import Joined
from mining.miners.provenance import origin_of
from mining.miners.search import Search, WorkFiles
from mining.ranking.mined_pairs import Mined
from pairsets.errors import PairSetError
from pairsets.evaluation.hubness import Hubness
from pairsets.faces import Faces, some_of
from pairsets.files.exclusions import EXCLUDED, Exclusions, PathPairs
from pairsets.files.folds import Folds
from pairsets.files.score_files import quantile_columns
from pairsets.files.suspects import Suspects
from pairsets.funnel import FunnelRow
from pairsets.pairset import PairSet, joined_identities
from pairsets.progress import Progress, silent
from pairsets.random_set import PairSpace
from pairsets.storage.resume import Parts

Ints = NDArray[np.int64]


def mine_within(
    search: Search,
    sources: Mapping[str, Embeddings],
    shares: Shares,
    out: Path,
    *,
    ignore: Iterable[str] = (),
    exclude: Sequence[PathPairs] = (),
    progress: Progress = silent,
) -> Content:
    """The hardest pairs among the identities of each fold, and those that join them.

    Args:
        search: what is asked of each fold alone.
        sources: by name, the embeddings of the references, of all faces.
        shares: what each fold gets.
        out: the pair file, in a folder that is there: what long work keeps lies beside it. A fold
            that is done is not mined again after an interruption.
        ignore, exclude: faces and pairs not to be taken.
        progress: shows how far each fold is.

    Raises:
        PairSetError: a fold has fewer pairs that keep to the rules.
        RulesError: it has none; the message names the fold.
    """
    ignore, folds = frozenset(ignore), shares.folds
    facts = [search.facts, shares.each, *folds.numbers.items()]
    finished = Parts(out.with_suffix(".folds.partial.sqlite"), facts)
    parts = []
    for fold in range(1, len(folds) + 1):
        kept = finished.read(f"{fold}")
        if kept is None:
            stem = out.with_suffix(f".fold-{fold}.csv")
            mined = _mined(search, sources, shares, fold, stem, ignore, exclude, progress)
            part = Part.of(mined, Joined(shares.joined[fold - 1], ignore, shares.drawn))
            finished.write(part.content(), f"{fold}")
        else:
            part = Part.read(kept)
        parts.append(part)
    content = _together(parts, shares, list(sources), [*sources.values()])
    funnel = [*_outside(shares, ignore, exclude), *shares.funnel, *content.funnel]
    finished.clear()
    return replace(content, funnel=funnel)


def _mined(
    search: Search,
    sources: Mapping[str, Embeddings],
    shares: Shares,
    fold: int,
    stem: Path,
    ignore: frozenset[str],
    exclude: Sequence[PathPairs],
    progress: Progress,
) -> Mined:
    """The pairs of one fold."""
    folds, where = shares.folds, f"fold {fold} of {len(shares.folds)}"
    inside = {
        name: source.take(np.flatnonzero(folds.of(source.faces.identities) == fold))
        for name, source in sources.items()
    }
    faces = next(iter(inside.values())).faces
    try:
        mined = search.mine(
            inside,
            shares.each,
            WorkFiles.beside(stem),
            # Names of other folds' images would count as ones that no face has.
            ignore=faces.known_names(ignore),
            exclude=[_among(pairs, faces) for pairs in exclude],
            what=f"Comparing all pairs of faces, {where}",
            progress=progress,
        )
    except RulesError as error:
        raise RulesError(f"{where}: {error}") from None
    count = len(mined)
    if count < shares.each:
        raise PairSetError(
            f"{where}: {count:,} {KINDS[shares.label]} of its own were found, and every fold needs "
            f"{shares.each:,}; ask for {count * len(folds):,} pairs at most, fewer folds or looser "
            "rules"
        )
    return mined


def _together(
    parts: Sequence[Part], shares: Shares, names: Sequence[str], sources: Sequence[Embeddings]
) -> Content:
    """One pair file of all folds: fold by fold, positives first, the hardest of the mined first."""
    lots = list[tuple[PairSet, Ints, Ints, Ints]]()
    before = 0
    for fold, (part, joined) in enumerate(zip(parts, shares.joined, strict=True), 1):
        own = np.arange(1, len(part.mined) + 1)
        none = np.zeros(len(joined), np.int64)
        mine = (part.mined, own, own + before, np.full_like(own, fold))
        theirs = (joined, none, none, np.full_like(none, fold))
        lots += [mine, theirs] if shares.label else [theirs, mine]
        before += len(part.mined)
    pairs = [lot[0] for lot in lots]
    rank, place, numbers = (np.concatenate([lot[at] for lot in lots]) for at in (1, 2, 3))
    quantiles = [part.quantiles for part in parts if part.quantiles is not None]
    # A row's place among the mined pairs of all folds tells whose quantiles are its.
    columns = quantile_columns(names, np.concatenate(quantiles), place) if quantiles else {}
    mined = Hubness.of(
        np.concatenate([part.mined.path_a for part in parts]),
        np.concatenate([part.mined.path_b for part in parts]),
        shares.faces.named,
    )
    fused = [dict(part.fusion) for part in parts if part.fusion is not None]
    fusion = None
    if fused:
        sure, exact = sum(one["sure"] for one in fused), all(one["exact"] for one in fused)
        fusion = fused[0] | {"sure": sure, "exact": exact}
    facts = [part.facts for part in parts]
    recalls = [found["recall"] for found in facts if found["recall"] is not None]
    folds = enumerate(zip(facts, shares.folds.sizes, strict=True), 1)
    return Content(
        PairSet.of(
            *(
                np.concatenate([getattr(one, name) for one in pairs])
                for name in ("path_a", "path_b", "label", "human_prediction", "invalid")
            ),
            identities=joined_identities(pairs),
        ),
        rank,
        columns,
        _summed(part.funnel for part in parts),
        [*shares.warnings, *_told(parts)],
        origin_of(sources, fusion),
        {"mined pairs": mined},
        {
            "exact": all(found["exact"] for found in facts),
            "hubness": {"mined pairs": mined.content()},
            "folds": [{"fold": fold, "identities": size, **found} for fold, (found, size) in folds],
        },
        # Folds have as many pairs each: the mean is the share of all.
        float(np.mean(recalls)) if recalls else None,
        looked=_looked_at(parts),
        folds=Folds(numbers.astype(np.int32)),
    )


def _outside(
    shares: Shares, ignore: frozenset[str], exclude: Sequence[PathPairs]
) -> list[FunnelRow]:
    """Funnel rows of what no fold sees."""
    faces = shares.faces
    kept = faces.without(ignore)
    number = shares.folds.of(faces.identities)
    paths = {path for pairs in exclude for path in [*pairs.path_a, *pairs.path_b]}
    inside = [
        PairSpace.of(some_of(faces, kept & (number == fold)))
        for fold in range(1, len(shares.folds) + 1)
    ]
    apart = PairSpace.of(some_of(faces, kept & (number > 0))).count_negatives
    rows = {
        "names on the ignore list that no face has": len(ignore - faces.known_names(ignore)),
        "paths in the excluded pairs that no face has": int((faces.paths.find(paths) < 0).sum()),
        "faces of identities in no fold": int((kept & (number == 0)).sum()),
    }
    if not shares.label:
        rows["pairs of identities of two folds"] = apart - sum(
            space.count_negatives for space in inside
        )
    return [FunnelRow("mine", what, count) for what, count in rows.items() if count]


def _summed(lots: Iterable[Sequence[FunnelRow]]) -> list[FunnelRow]:
    """Rows of the same name added up, in the order in which they first come."""
    counts: Counter[tuple[str, str, bool]] = Counter()
    for rows in lots:
        for row in rows:
            counts[row.stage, row.what, row.kept] += row.count
    return [
        FunnelRow(stage, what, count, kept=kept) for (stage, what, kept), count in counts.items()
    ]


def _told(parts: Sequence[Part]) -> list[str]:
    """The warnings of all folds; what every fold says is said once."""
    often = Counter(text for part in parts for text in {*part.warnings})
    found: dict[str, None] = {}
    for fold, part in enumerate(parts, 1):
        for text in part.warnings:
            found[text if often[text] == len(parts) else f"Fold {fold}: {text}"] = None
    return list(found)


def _looked_at(parts: Sequence[Part]) -> Suspects | None:
    """Verdicts of the checks on all folds, in turn; None where nothing was looked for."""
    found = [part.looked for part in parts if part.looked is not None]
    if not found:
        return None
    return Suspects(
        np.concatenate([one.path_a for one in found]),
        np.concatenate([one.path_b for one in found]),
        np.concatenate([one.label for one in found]),
        {kind: np.concatenate([one.scores[kind] for one in found]) for kind in found[0].scores},
        {kind: np.concatenate([one.flags[kind] for one in found]) for kind in found[0].flags},
        tuple(reason for one in found for reason in one.reasons),
        np.concatenate([one.dropped for one in found]),
    )


def _among(pairs: PathPairs, faces: Faces) -> Exclusions:
    """Pairs of these with both ends among the faces."""
    known = (faces.paths.find(pairs.path_a) >= 0) & (faces.paths.find(pairs.path_b) >= 0)
    return Exclusions(
        pairs.path_a[known],
        pairs.path_b[known],
        getattr(pairs, "why", EXCLUDED),
    )
