"""Embeddings -> negatives that stand for all pairs of different identities, and what joins them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from mining.embeddings.store import Embeddings
from mining.errors import FusionError
from mining.miners.fold_results import Content
from mining.miners.inputs import Joined
from mining.miners.provenance import origin_of
from mining.miners.stratified_design import PairStrata, SampledPairs, listed_depth
from mining.ranking.model_ranking import ModelRanking
from mining.ranking.search_checkpoints import Checkpoints
from mining.ranking.search_crews import SearchCrews
from pairsets.faces import Faces
from pairsets.files.designs import Design
from pairsets.funnel import FunnelRow
from pairsets.pairset import PairSet, joined_identities
from pairsets.progress import Progress, silent
from pairsets.random_set import PairSpace


def sample_negatives(
    sources: Mapping[str, Embeddings],
    n: int,
    joined: Joined,
    *,
    seed: int = 0,
    ignore: Iterable[str] = (),
    device: str = "auto",
    crews: SearchCrews | None = None,
    checkpoint: Path | None = None,
    progress: Progress = silent,
) -> Content:
    """Sample n negatives whose probabilities are known; see `mining.miners.stratified_design`.

    Args:
        sources: embeddings of the references, by name, of the same faces.
        n: how many pairs.
        joined: whose valid positives join them.
        seed: of the draw, and of shuffling.
        ignore: base names of images never to take.
        device, crews: where the search runs; the pairs are the same.
        checkpoint: file beside which long searches keep what they have found.
        progress: shows how far the work is.

    Raises:
        FusionError: references of other faces.
        RulesError: as many pairs as exist, or more.
    """
    ignore = frozenset(ignore)
    checkpoints = Checkpoints(checkpoint)
    rankings = {
        name: ModelRanking(
            one, ignore=ignore, checkpoint=checkpoints.next(), device=device, crews=crews
        )
        for name, one in sources.items()
    }
    faces = next(iter(rankings.values())).faces
    for name, ranking in rankings.items():
        if ranking.faces.paths.tolist() != faces.paths.tolist():
            raise FusionError(
                f"{name} embedded other faces than {next(iter(rankings))}; a sample of all pairs "
                "needs references of the same faces"
            )
    space = PairSpace.of(faces)
    depth = listed_depth(space, n)
    ranked = []
    with progress("Comparing all pairs of faces") as step:
        for ranking in rankings.values():
            found = ranking.top(depth, step)
            ranked.append((found.i, found.j))
    drawn = PairStrata.of(ranked, space, n).sample(seed)
    checkpoints.clear()
    return _content(sources, faces, drawn, joined, ignored=len(_faces(sources)) - len(faces))


def _faces(sources: Mapping[str, Embeddings]) -> Faces:
    return next(iter(sources.values())).faces


def _content(
    sources: Mapping[str, Embeddings],
    faces: Faces,
    drawn: SampledPairs,
    joined: Joined,
    *,
    ignored: int,
) -> Content:
    """Content of a pair file of what was drawn and the positives, shuffled."""
    test = joined.pairs
    kept = test.valid & (test.label == 1)
    count = int(kept.sum())
    order = np.random.default_rng(drawn.seed).permutation(count + len(drawn))
    path_a = np.r_[test.path_a[kept], faces.paths[drawn.i]][order]
    path_b = np.r_[test.path_b[kept], faces.paths[drawn.j]][order]
    label = np.r_[test.label[kept], np.zeros(len(drawn), np.int8)][order]
    own = PairSet.of(faces.paths[drawn.i], faces.paths[drawn.j], 0, identities=faces.named)
    pairs = PairSet.of(path_a, path_b, label, identities=joined_identities([own, test.take(kept)]))
    design = Design(
        np.r_[np.full(count, -1), drawn.stratum][order],
        np.r_[np.full(count, np.nan), drawn.probability][order],
        drawn.labels,
        drawn.populations,
    )
    lost = drawn.population - len(drawn)
    what = "pairs of different identities, not sampled: those sampled stand for them"
    rows = [FunnelRow("sample", "faces on the ignore list", ignored)] if ignored else []
    rows += [
        FunnelRow("sample", what, lost),
        FunnelRow("sample", "negatives of known probability", len(drawn), kept=True),
        *joined.funnel(1),
    ]
    facts = {
        "seed": drawn.seed,
        "references": [*sources],
        "boundaries": [*drawn.boundaries],
    }
    return Content(
        pairs,
        np.zeros(len(pairs), np.int64),
        {},
        rows,
        [],
        _origin(sources),
        {},
        facts,
        design=design,
    )


def _origin(sources: Mapping[str, Embeddings]) -> dict[str, object]:
    """The references as a manifest names them; several were not fused, and each has its ranks."""
    return origin_of(sources.values(), {"method": "each"} if len(sources) > 1 else None)
