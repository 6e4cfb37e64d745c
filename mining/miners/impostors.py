"""The faces of other identities that are most like a face: its nearest impostors, exactly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from indexes import FlatIndex, pair_scores
from mining.embeddings.journal import Vectors
from mining.embeddings.store import Embeddings
from mining.errors import RunError
from mining.models.names import short_name
from pairsets.paths import strings
from pairsets.progress import Step

Kind = Literal["face", "identity", "file"]
Rows = NDArray[np.int64]
Scores = NDArray[np.float64]
Mask = NDArray[np.bool_]
# Fetched at first; four times as many wherever these do not settle the answer.
_SPARE = 32
# Neighbours held at once.
_FETCHED = 2**22


@dataclass(frozen=True, eq=False)
class Query:
    """Query for impostors: vectors, and which faces can be none.

    Attributes:
        name, kind: see `Neighboured`.
        faces: `[Q]` what the vectors are of.
        vectors: `[Q, D]`.
        rows: `[Q]` rows of the embeddings; none for a file.
        own: rows of all faces of the identity, or, for a file, of those that it is itself.
        file: the picture that was given.
    """

    name: str
    kind: Kind
    faces: NDArray[np.object_]
    vectors: Vectors
    rows: Rows
    own: Rows
    file: Path | None = None

    @classmethod
    def of_face(cls, space: Embeddings, row: int) -> Query:
        """The embedded face in a row."""
        identity = space.faces.identities[row]
        return cls._of_rows(space, space.faces.paths[row], "face", np.array([row]), identity)

    @classmethod
    def of_identity(cls, space: Embeddings, name: str) -> Query:
        """All embedded faces of an identity."""
        rows = np.flatnonzero(space.faces.identities == name)
        return cls._of_rows(space, name, "identity", rows, name)

    @classmethod
    def of_file(cls, name: str, file: Path, vector: Vectors, own: Rows) -> Query:
        """A picture from elsewhere, its `vector [1, D]`, and the rows that it is itself."""
        none = np.empty(0, np.int64)
        return cls(name, "file", strings([name]), vector, none, own, file)

    @classmethod
    def _of_rows(cls, space: Embeddings, name: str, kind: Kind, rows: Rows, identity: str) -> Query:
        own = np.flatnonzero(space.faces.identities == identity)
        return cls(name, kind, space.faces.paths[rows], space.vectors[rows], rows, own)


@dataclass(frozen=True, eq=False)
class Neighboured:
    """A face, or all faces of an identity, and its nearest impostors.

    Attributes:
        query: the face's path, the identity's name, or the file as it was given.
        kind: which of the three it is.
        model: whose scores these are.
        faces: `[Q]` the faces that were asked about.
        paths, identities: `[M]` the impostors, most alike first; equal scores by path.
        scores: `[M]`, falling.
        resembles: `[M]`, which of `faces` each is most like; of several, the first.
        outscores: `[M]`, whether it is more like that face than any other one of its identity.
        same_picture: `[M]`, whether it has the very vector of that face: the same picture, or to
            this model the same, under two names.
        own_best, own_worst: score of the most and the least alike pair of the identity, each with
            one of `faces`; None where there is none.
        own_count: how many other faces the identity has.
        own_match: `[Q]`, the most alike other face of each one's identity; empty where none is.
        own_scores: `[Q]`, how alike that is; nan where none is.
        outscoring: how many of all impostors are more like one of `faces` than any other face of
            its identity; None where it has none.
        candidates: how many impostors there are in all.
        duplicates: embedded faces that are the given file; they are not listed.
        files: what was written.
        said: sentences on how the model was read.
    """

    query: str
    kind: Kind
    model: str
    faces: NDArray[np.object_]
    paths: NDArray[np.object_]
    identities: NDArray[np.object_]
    scores: Scores
    resembles: NDArray[np.object_]
    outscores: Mask
    same_picture: Mask
    own_best: float | None
    own_worst: float | None
    own_count: int
    own_match: NDArray[np.object_]
    own_scores: Scores
    outscoring: int | None
    candidates: int
    duplicates: NDArray[np.object_]
    files: Sequence[Path] = ()
    said: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def header(self) -> tuple[str, ...]:
        """Names of the columns of `rows`."""
        resembles = ("resembles",) if len(self.faces) > 1 else ()
        return ("rank", "score", "impostor", "identity", *resembles, "")

    def rows(self) -> list[tuple[str, ...]]:
        """The impostors as a person reads them, one a row."""
        found = []
        for at in range(len(self)):
            mark = "above its own" if self.outscores[at] else ""
            mark = "the same picture" if self.same_picture[at] else mark
            resembles = (str(self.resembles[at]),) if len(self.faces) > 1 else ()
            cells = (str(at + 1), f"{self.scores[at]:.4f}", self.paths[at], self.identities[at])
            found.append((*cells, *resembles, mark))
        return found

    def notes(self) -> list[str]:
        """Sentences on what the scores are to be held against."""
        found = [*self.said]
        if len(self.duplicates):
            known = ", ".join(self.duplicates)
            found.append(f"{self.query} is a face that is embedded already, not listed: {known}")
        if self.kind == "file":
            return [*found, f"its identity is unknown: {self.candidates:,} faces count"]
        if self.own_best is None:
            return [*found, "its own: no other face of its identity to compare with"]
        faces = f"its {len(self.faces):,} faces"
        if self.kind == "face":
            faces = "one other face" if self.own_count == 1 else f"{self.own_count:,} other faces"
        return [
            *found,
            f"its own: {self.own_best:.4f} best, {self.own_worst:.4f} worst of {faces}",
            f"{self.outscoring:,} of {self.candidates:,} faces of other identities outscore "
            + ("that best" if self.kind == "face" else "the own best of a face they are like"),
        ]


def nearest_impostors(
    query: Query,
    space: Embeddings,
    count: int,
    per_identity: int | None = 1,
    step: Step | None = None,
) -> Neighboured:
    """The `count` best impostors of `query`, exact; at most `per_identity` of one identity.

    Raises:
        RunError: nobody else is embedded.
    """
    own_scores, own_match = _own_scores(query, space)
    outside = np.ones(len(space), bool)
    outside[query.own] = False
    candidates = int(outside.sum())
    if not candidates:
        raise RunError(
            f"{query.name}: no face of another identity among the {len(space):,} that are embedded"
        )
    # Where there is none of its own to outscore, nothing does.
    bound = own_scores.max(axis=1, initial=-np.inf)
    bound[np.isneginf(bound)] = np.inf
    with space.watched(step) as watched:
        search = _Search(query, space, outside, bound)
        chosen = search.best(count, per_identity, watched)
    faces = search.face[chosen]
    scores = search.score[chosen]
    genuine = own_scores.shape[1] > 0
    return Neighboured(
        query=query.name,
        kind=query.kind,
        model=short_name(space.called),
        faces=query.faces,
        paths=space.faces.paths[chosen],
        identities=space.faces.identities[chosen],
        scores=scores,
        resembles=query.faces[faces],
        outscores=scores > bound[faces],
        same_picture=(space.vectors[chosen] == query.vectors[faces]).all(axis=1),
        own_best=float(own_scores.max()) if genuine else None,
        own_worst=float(own_scores[own_scores > -np.inf].min()) if genuine else None,
        own_count=own_scores.shape[1] - 1 if genuine else 0,
        own_match=own_match,
        own_scores=np.where(np.isinf(bound), np.nan, bound),
        outscoring=int((search.above & outside).sum()) if genuine else None,
        candidates=candidates,
        duplicates=space.faces.paths[query.own] if query.kind == "file" else strings([]),
    )


class _Search:
    """The best score of every face with any of the queries, as far as it has to be known."""

    def __init__(self, query: Query, space: Embeddings, outside: Mask, bound: Scores) -> None:
        """`outside`: who may be an impostor; `bound [Q]`: what outscores a query's own faces."""
        self.query, self.bound, self.outside = query, bound, outside
        self.index = FlatIndex(space.vectors)
        self.identities = space.faces.identities
        # Equal scores stand by path, whatever order the faces were embedded in.
        self.by_path = np.argsort(space.faces.paths, kind="stable")
        self.score = np.full(len(space), -np.inf)
        self.face = np.zeros(len(space), np.int64)
        self.above = np.zeros(len(space), bool)
        # What a face that was not fetched can score at most, by query.
        self.floor = np.full(len(bound), np.inf)

    def best(self, count: int, per_identity: int | None, step: Step | None) -> Rows:
        """Rows of the impostors, best first."""
        total = len(self.floor)
        open_ = np.arange(total)
        fetch = count + len(self.query.own) + _SPARE
        while True:
            fetch = min(fetch, len(self.index))
            part = max(1, _FETCHED // fetch)
            for start in range(0, open_.size, part):
                self._fetch(open_[start : start + part], fetch)
                if step is not None:
                    step(total - open_.size + min(open_.size, start + part), total)
            chosen = self._choose(count, per_identity)
            # A face not fetched may tie with the last one, and stand before it by its path.
            last = self.score[chosen[-1]] if chosen.size == count else -np.inf
            open_ = np.flatnonzero((self.floor >= last) | (self.floor > self.bound))
            if fetch == len(self.index) or not open_.size:
                return chosen
            fetch *= 4

    def _fetch(self, queries: Rows, k: int) -> None:
        found = self.index.search(self.query.vectors[queries], k)
        for query, rows, scores in zip(queries.tolist(), found.rows, found.scores, strict=True):
            known = self.score[rows]
            better = (scores > known) | ((scores == known) & (query < self.face[rows]))
            self.score[rows[better]] = scores[better]
            self.face[rows[better]] = query
            self.above[rows[scores > self.bound[query]]] = True
            self.floor[query] = scores[-1]

    def _choose(self, count: int, per_identity: int | None) -> Rows:
        rows = self.by_path[(self.outside & (self.score > -np.inf))[self.by_path]]
        taken: list[int] = []
        have: Counter[str] = Counter()
        for row in rows[np.argsort(-self.score[rows], kind="stable")].tolist():
            if len(taken) == count:
                break
            name = self.identities[row]
            if per_identity is None or have[name] < per_identity:
                have[name] += 1
                taken.append(row)
        return np.array(taken, np.int64)


def _own_scores(query: Query, space: Embeddings) -> tuple[Scores, NDArray[np.object_]]:
    """`[Q, C]` scores with the C faces of the identity, -inf with itself; and the best ones.

    C is 0 where there is no other face.
    """
    none = strings([""] * len(query.faces))
    if query.kind == "file" or len(query.own) < 2:
        return np.empty((len(query.faces), 0)), none
    own = query.own
    scores = np.empty((len(query.rows), len(own)))
    for at, row in enumerate(query.rows.tolist()):
        scores[at] = pair_scores(space.vectors, space.vectors, np.full(len(own), row), own)
        scores[at, own == row] = -np.inf
    return scores, space.faces.paths[own[scores.argmax(axis=1)]]
