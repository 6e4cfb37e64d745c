"""Pairs of different identities in the order of one model's scores."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from indexes import pair_scores
from indexes.join import SearchOptions
from indexes.join.stack import rows_of
from mining.embeddings.store import Embeddings
from mining.errors import RulesError
from mining.ranking.ranked_pairs import COUNTED, Mask, RankedPairs, Rows, Scores, Spent, in_window
from mining.ranking.rules import Rules
from mining.ranking.search_checkpoints import Checkpoints
from mining.ranking.search_crews import SearchCrews
from mining.ranking.search_space import SearchSpace
from pairsets.faces import Faces
from pairsets.files.exclusions import PathPairs
from pairsets.progress import Step


class ModelRanking:
    """The pairs of different identities by one model's score, exact; the rules keep to it.

    Score limits, margins and exclusions are part of the join, so nothing that they turn away is
    ever listed. The occurrence caps of `rules` are left to `mining.ranking.occurrence_caps`.

    Args:
        embeddings: of the reference model.
        rules: which pairs count.
        ignore: base names of images never to take.
        exclude: pairs not to be taken.
        checkpoint: first of the files in which long searches keep what they have found, those that
            are done too, until `checkpoints.clear`.
        device: see `search_on`.
        crews: who shares the searches; this machine alone where it is None.

    Raises:
        RulesError: a margin, where no searched face has another of its identity.
        ModelError: there is no such device.
    """

    def __init__(
        self,
        embeddings: Embeddings,
        *,
        rules: Rules | None = None,
        ignore: Iterable[str] = (),
        exclude: Iterable[PathPairs] = (),
        checkpoint: Path | None = None,
        device: str = "auto",
        crews: SearchCrews | None = None,
    ) -> None:
        self.rules = rules or Rules()
        self.space = SearchSpace.of(embeddings.faces, ignore, exclude)
        self._how = _options(embeddings, self.space.kept, device, crews)
        self.faces = self.space.faces
        self.checkpoints = Checkpoints(checkpoint)
        if self.rules.margins:
            refuse_without_positives(self.faces)
        self._embeddings = embeddings
        self._index = self.space.index(embeddings.vectors)
        self._groups = self.faces.groups
        self._excluded = self.space.excluded(same=False)

    @cached_property
    def _best(self) -> Scores:
        """`[N]`: p(x), the highest score of each face with another of its identity."""
        with self._embeddings.watched():
            return self._index.best_of_group(self._groups)

    @cached_property
    def _ceilings(self) -> Scores | None:
        return self.rules.ceilings(self._best) if self.rules.margins else None

    def top(self, depth: int, progress: Step | None = None) -> RankedPairs:
        """The `depth` best pairs; all if fewer exist."""
        return self._top(
            depth,
            progress,
            min_score=self.rules.min_score,
            max_score=self.rules.max_score,
            exclude=self._excluded.rows,
            ceilings=self._ceilings,
        )

    def below(self, depth: int, spent: Spent, progress: Step | None = None) -> RankedPairs:
        """The `depth` best pairs of what `spent` leaves; all if fewer exist."""
        return self._top(
            depth,
            progress,
            min_score=self.rules.min_score,
            max_score=spent.score,
            exclude=np.concatenate([self._excluded.rows, spent.pairs]),
            ceilings=self._ceilings,
            active=spent.active,
            exclude_groups=spent.identities,
        )

    def _top(self, depth: int, progress: Step | None, **limits: Any) -> RankedPairs:
        """The `depth` best pairs within these limits of `FlatIndex.top_pairs`."""
        checkpoint = self.checkpoints.next()
        with self._embeddings.watched(progress, checkpoint) as step:
            found = self._index.top_pairs(
                depth,
                self._groups,
                how=self._how,
                progress=step,
                checkpoint=checkpoint,
                **limits,
            )
        return RankedPairs(found.i, found.j, found.scores)

    def without_bound(self, i: Rows, j: Rows) -> int:
        """Number of the pairs of no face with another of its identity, so no margin."""
        return int((np.isneginf(self._best[i]) & np.isneginf(self._best[j])).sum())

    def turned_away(
        self, last: float | None, progress: Step | None = None
    ) -> list[tuple[str, int]]:
        """Counts of what each rule turned away; of `max_score` and margins, by one more search."""
        vectors, rules = rows_of(self._index.vectors), self.rules
        drops = []
        i, j = self._excluded.rows.T
        if i.size:
            scores = pair_scores(vectors, vectors, i, j)
            fits = self._fits(i, j, scores)
            alike = fits if last is None else fits & (scores >= last)
            drops += self._excluded.counts(alike)
        if rules.max_score is None and not rules.margins:
            return drops
        floor = rules.min_score if last is None else last
        if not rules.margins and rules.max_score is not None:
            above = float(np.nextafter(rules.max_score, np.inf))
            floor = above if floor is None else max(floor, above)
        found = self._top(COUNTED, progress, min_score=floor, exclude=self._excluded.rows)
        high = found.scores > (np.inf if rules.max_score is None else rules.max_score)
        close = ~high & ~self._fits(found.i, found.j, found.scores)
        more = ", at least" if len(found) == COUNTED else ""
        if rules.max_score is not None:
            drops.append((f"scoring above {rules.max_score:g}{more}", int(high.sum())))
        if rules.margins:
            drops.append((f"as alike as a face's own identity{more}", int(close.sum())))
        return drops

    def _fits(self, i: Rows, j: Rows, scores: Scores) -> Mask:
        """`[M]`: the pairs within the score limits and the margins."""
        fits = in_window(scores, self.rules)
        if self._ceilings is not None:
            fits &= scores <= np.minimum(self._ceilings[i], self._ceilings[j])
        return fits


def search_on(device: str) -> SearchOptions | None:
    """Options of a search on a device named as for models; its answer is the same on each.

    `auto` decides by the work, `cuda`, `cuda:N`, `cuda:0,1` and `cuda:all` are what they say;
    all else is the processor,
    `mps` too: the search has no code for it.

    Raises:
        ModelError: there is no such CUDA device.

    >>> search_on("mps").device
    'cpu'
    """
    if device == "auto":
        return None
    if not device.startswith("cuda"):
        return SearchOptions(device="cpu")
    from mining.models.torch_model import resolve_devices

    resolve_devices(device)
    return SearchOptions(device=device)


def _options(
    embeddings: Embeddings, kept: Mask, device: str, crews: SearchCrews | None
) -> SearchOptions:
    """Options of the searches of these faces; the crews know their own devices."""
    if crews is not None:
        return SearchOptions(device="cpu", crew=crews.over(embeddings, kept), keep_checkpoint=True)
    return replace(search_on(device) or SearchOptions(), keep_checkpoint=True)


def refuse_without_positives(faces: Faces, ignore: Iterable[str] = ()) -> None:
    """Raise RulesError where no face has another of its identity, so that no margin is one."""
    names = faces.identities[faces.without(ignore)].tolist()
    if len(set(names)) == len(names):
        raise RulesError(
            f"a margin was asked for, but none of the {len(names)} faces has another of its own "
            "identity to be compared with; leave the margin out"
        )
