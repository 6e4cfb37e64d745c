"""Pairs of different names that may be one identity's."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mining.embeddings.store import Embeddings
from mining.models.names import model_names
from mining.suspects.identity.identities import Identities, grouped
from mining.suspects.identity.names import WHY, Likeness, likeness
from mining.suspects.identity.nearness import FACES, NEAR, Nearness, nearness
from pairsets.errors import PairSetError
from pairsets.faces import identity_of
from pairsets.files.aliases import Aliases
from pairsets.files.cannot_links import CannotLinks
from pairsets.files.suspects import Doubt
from pairsets.pairset import PairSet
from pairsets.progress import Step, unheard

THRESHOLD = 0.5
"""Scores from here on are flagged.

That is where `NEAR` is reached by images alone. Names alone reach it or not, by their kind.
"""
EACH = 0.0
"""What every single model's strength must reach where there are several, whose mean `NEAR` is for.

A weak model that sees two identities nearly as near as one may agree with a better one, but not
decide.
"""
# What names that are not enough alone take off `NEAR`: namesakes are often one identity.
_EASIER = {Likeness.SHARED: 0.3, Likeness.STEM: 0.5}
# Scores of names that need no images, and of those that do.
_BY_NAME = {
    Likeness.NONE: 0.0,
    Likeness.SHARED: 0.2,
    Likeness.STEM: 0.4,
    Likeness.ORDER: 0.85,
    Likeness.COSTUME: 0.9,
    Likeness.SPELLING: 0.98,
}
# How fast a score rises with the strength.
_SLOPE = 4.0


class SameIdentity:
    """Doubts a negative whose two identities may be one under two names.

    There are three kinds of evidence: a list of aliases, which is believed; the names, flagged
    alone only where one is the other in another spelling, order of words or costume; and, with
    `embeddings`, the pictures. Names that are merely similar make less of the pictures do.

    Identities of which faces are known to be of different people, as those of one picture are, are
    not doubted, whatever else speaks for it.

    Args:
        embeddings: of one or more models, or their `Identities`, which several checks may share;
            see `NEAR` and `EACH`.
        aliases: names known to be one identity's.
        cannot: faces that cannot be one identity's.
        by_name: whether names alone may flag; else they only make less of the pictures do.
    """

    kind = "alias"

    def __init__(
        self,
        embeddings: Sequence[Embeddings | Identities] = (),
        *,
        aliases: Aliases | None = None,
        cannot: CannotLinks | None = None,
        by_name: bool = True,
    ) -> None:
        self._aliases = aliases or Aliases()
        self._cannot, self._by_name = cannot, by_name
        self._apart: frozenset[tuple[str, str]] = frozenset()
        self._models = grouped(embeddings)
        self._names = model_names([each.model for each in self._models])
        self._near: dict[tuple[str, str], list[Nearness]] = {}

    def __call__(self, pairs: PairSet, progress: Step = unheard) -> Doubt:
        """Doubt of each pair by names and pictures of its identities; none of positives.

        Raises:
            pairsets.FacesError: a face of a negative was not embedded.
        """
        negatives = np.flatnonzero(pairs.label == 0)
        for model in self._models:
            model.rows(np.concatenate([pairs.path_a[negatives], pairs.path_b[negatives]]))
        self._apart = self._apart_in(pairs)
        rows: dict[tuple[str, str], list[int]] = {}
        for row in negatives.tolist():
            a, b = sorted(pairs.names(row))
            if a != b:
                rows.setdefault((a, b), []).append(row)
        searched = self._prepare(list(rows), progress)
        score = np.full(len(pairs), np.nan)
        reasons = [""] * len(pairs)
        for done, ((a, b), where) in enumerate(rows.items(), 1):
            value, reason = self._judge(a, b)
            score[where] = value
            if value >= THRESHOLD:
                for row in where:
                    reasons[row] = reason
            if done % 256 == 0 or done == len(rows):
                progress(searched + done, searched + len(rows))
        return Doubt(self.kind, score, score >= THRESHOLD, tuple(reasons))

    def unknown(self, pairs: PairSet) -> list[str]:
        """Names of the list that neither the pairs nor the embedded faces have, sorted.

        Most likely they are misspelt. Without embeddings they may just have no pair.
        """
        known = {pairs.identity(path) for path in pairs.paths}
        return self._aliases.unknown(known.union(*(model.names for model in self._models)))

    def misfits(self, pairs: PairSet) -> tuple[int, int]:
        """Number of paths known to be of different people that are strangers, and of pairs of one.

        Raises:
            pairsets.PairSetError: none of the paths is one of the pairs or of the embedded faces.
        """
        if self._cannot is None:
            return 0, 0
        known = {*pairs.paths}.union(*(model.owners for model in self._models))
        strangers = self._cannot.refuse_strangers(known, "these pairs and faces")
        return strangers, self._cannot.identities(self._owners(pairs))[1]

    def _apart_in(self, pairs: PairSet) -> frozenset[tuple[str, str]]:
        """Names of two identities each, sorted, that cannot be one."""
        if self._cannot is None:
            return frozenset()
        if self._models:
            self.misfits(pairs)
        found = self._cannot.identities(self._owners(pairs))[0]
        for a, b in sorted(found):
            if self._aliases.same(a, b):
                raise PairSetError(
                    f"{', '.join(map(str, self._cannot.sources))}: {a!r} and {b!r} cannot be one "
                    "identity by it, and are by the list of aliases; mend one of the two"
                )
        return found

    def _owners(self, pairs: PairSet) -> dict[str, Sequence[str]]:
        """Who is shown on the faces that are known to be of different people."""
        owners: dict[str, Sequence[str]] = {}
        for path in [] if self._cannot is None else self._cannot.paths:
            for model in self._models:
                if path in model.owners:
                    owners[path] = model.owners[path]
            if path in owners:
                continue
            # Of a face in no pair, too: what is said of a pair is not to hang on the others.
            name = identity_of(path) if pairs.identities is None else pairs.identities.get(path)
            if name is not None:
                owners[path] = [name]
        return owners

    def _prepare(self, names: list[tuple[str, str]], progress: Step) -> int:
        """Search the nearest identities of all faces in one go, which is much quicker.

        Returns how many faces; the progress is to end with as many more as there are names.
        """
        todo = []
        new = sorted({name for both in names if both not in self._near for name in both})
        for model in self._models:
            faces = [model.members(model.number(name), FACES) for name in new]
            todo.append(model.unsearched(np.concatenate(faces)) if faces else np.empty(0, int))
        total = sum(map(len, todo))
        before = 0

        def tell(done: int, _: int) -> None:
            progress(before + done, total + len(names))

        for model, rows in zip(self._models, todo, strict=True):
            model.rivals(rows, tell)
            before += len(rows)
        return total

    def _judge(self, a: str, b: str) -> tuple[float, str]:
        """Score of two identities, and why they may be one."""
        if (a, b) in self._apart:
            return 0.0, ""
        if self._aliases.same(a, b):
            return 1.0, f"{a} and {b}: one identity by the list of aliases"
        kind = likeness(a, b)
        by_name = _BY_NAME[kind] if self._by_name else 0.0
        near = self._nearness(a, b)
        strength = together(near)
        by_image = 0.0
        if not math.isnan(strength):
            # Very far below, the exponential would overflow.
            excess = max(strength - self._limit + self._easier(kind), -50.0)
            by_image = self._believed(round(1 / (1 + math.exp(-_SLOPE * excess)), 6))
        # What is not strong enough alone is still said where the pictures agree.
        alike = by_image >= THRESHOLD
        said = [WHY[kind]] if kind and (alike or by_name >= THRESHOLD) else []
        if alike:
            said.append(self._alike(near))
        return max(by_name, by_image), f"{a} and {b}: {', and '.join(said)}"

    def _easier(self, kind: Likeness) -> float:
        """Discount on the limit for names of a likeness that is not enough alone."""
        return _EASIER.get(kind, 0.0)

    @property
    def _limit(self) -> float:
        """Strength from which pictures alone say that two identities are one."""
        return NEAR

    def _believed(self, by_image: float) -> float:
        """Score by pictures as far as they are to be believed."""
        return by_image

    def _nearness(self, a: str, b: str) -> list[Nearness]:
        if (a, b) not in self._near:
            self._near[a, b] = [
                nearness(model, model.number(a), model.number(b)) for model in self._models
            ]
        return self._near[a, b]

    def _alike(self, near: list[Nearness]) -> str:
        """Words on how alike two identities are to the model that is the least sure."""
        at = min(range(len(near)), key=lambda at: near[at].strength)
        found = near[at]
        who = f", {self._names[at]}" if len(near) > 1 else ""
        count = f"{found.pairs} {'pair' if found.pairs == 1 else 'pairs'} of them"
        return f"{count}, as alike as their own ({found.cross:.2f} against {found.own:.2f}{who})"


def together(near: list[Nearness]) -> float:
    """The mean strength; one model that finds the pictures apart is enough. nan: cannot be told."""
    strengths = [each.strength for each in near]
    if not strengths or any(map(math.isnan, strengths)):
        return math.nan
    least = min(strengths)
    return sum(strengths) / len(strengths) if least >= EACH else min(least, 0.0)
