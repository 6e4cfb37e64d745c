"""Kinship of models with the references that mined a set, from vectors or from scores at hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from indexes import FlatIndex, pair_scores
from indexes.join import SearchOptions
from indexes.memory import gather
from mining.embeddings.store import Embeddings
from mining.models.names import short_name
from mining.scores.collection import Gathered, miners
from mining.scores.pair_files import was_mined
from pairsets.arrays import Rows
from pairsets.evaluation.clusters import Clusters
from pairsets.evaluation.kinship import (
    FEWEST_PAIRS,
    Correlation,
    Kinship,
    Overlap,
    hardest_overlap,
    rank_correlation,
)
from pairsets.faces import some_of
from pairsets.pairset import PairSet
from pairsets.random_set import PairSpace
from pairsets.storage.json_files import JsonError, read_object

# Random pairs that a rank correlation is of, where there are so many.
PAIRS = 20_000
# Faces beyond which no hardest pairs are searched for: each search goes over all pairs of faces,
# and there is one more of it for every model.
MOST_FACES = 50_000


@dataclass(frozen=True)
class Kinships:
    """Kinship of models with the references of one set.

    Attributes:
        by_model: of each model that is no reference itself, or one of several: one a reference
            that anything is known of.
        warnings: sentences on what is not known.
    """

    by_model: Mapping[str, Sequence[Kinship]] = field(default_factory=dict)
    warnings: Sequence[str] = ()


@dataclass(eq=False)
class Likeness:
    """Likeness of models whose vectors are at hand, measured on the faces that both have.

    Attributes:
        hardest: how many hardest pairs of either are looked at.
        seed: of the random pairs.
        how: how the hardest pairs are searched for; it changes the time alone.
    """

    hardest: int
    seed: int = 0
    how: SearchOptions | None = None
    # Of each search the vectors, the rows that it was of, and what it found.
    _searched: list[tuple[Embeddings, Rows, Rows]] = field(default_factory=list)

    def between(
        self, model: Embeddings, reference: Embeddings
    ) -> tuple[Correlation | None, Overlap | None]:
        """Rank correlation on random pairs of two identities, and overlap of the hardest ones.

        The correlation is None for faces without ten such pairs, or where all of a model's scores
        are equal; the overlap is None for more than 50,000 faces.

        Raises:
            EmbeddingError: the file of the vectors changed since it was opened.
        """
        ours, theirs = _shared_rows(model, reference)
        everywhere = len(theirs) == len(reference)
        there = np.zeros(len(reference), np.bool_)
        there[theirs] = True
        faces = reference.faces if everywhere else some_of(reference.faces, there)
        space, groups = PairSpace.of(faces), faces.groups
        count = space.count_negatives
        if count < FEWEST_PAIRS:
            return None, None
        generator = np.random.default_rng(self.seed)
        i, j = space.negatives(generator.choice(count, min(PAIRS, count), replace=False))
        with model.watched():
            mine = pair_scores(model.vectors, model.vectors, ours[i], ours[j])
        with reference.watched():
            other = pair_scores(reference.vectors, reference.vectors, theirs[i], theirs[j])
        if any((values == values[0]).all() for values in (mine, other)):
            return None, None
        clusters = Clusters(groups[i], groups[j], int(groups.max()) + 1)
        correlation = rank_correlation(mine, other, clusters)
        if len(faces) > MOST_FACES or not self.hardest:
            return correlation, None
        hardest = self._top(reference, theirs, groups), self._top(model, ours, groups)
        return correlation, hardest_overlap(*hardest, len(faces), count)

    def _top(self, embeddings: Embeddings, rows: Rows, groups: Rows) -> Rows:
        """Hardest pairs of two identities among these rows, `[n, 2]`; searched for once."""
        for one, known, top in self._searched:
            if one is embeddings and np.array_equal(known, rows):
                return top
        with embeddings.watched():
            everywhere = np.array_equal(rows, np.arange(len(embeddings)))
            vectors = embeddings.vectors if everywhere else gather(embeddings.vectors, rows)
            found = FlatIndex(vectors).top_pairs(
                self.hardest, groups, how=self.how or SearchOptions()
            )
        top = np.stack([found.i, found.j], axis=1)
        self._searched.append((embeddings, rows, top))
        return top


def kinships_between(
    models: Mapping[str, Embeddings],
    references: Mapping[str, Embeddings],
    hardest: int,
    seed: int = 0,
    how: SearchOptions | None = None,
) -> Kinships:
    """Kinship of models with references, where the vectors of all are at hand.

    Args:
        models: by name; references among them are measured against the other references.
        references: by name.
        hardest: how many hardest pairs of either are looked at: as many as were mined.
        seed: of the random pairs.
        how: how the hardest pairs are searched for; it changes the time alone.

    Raises:
        EmbeddingError: the file of some vectors changed since it was opened.
    """
    likeness = Likeness(hardest, seed, how)
    found: dict[str, list[Kinship]] = {}
    for name, reference in references.items():
        for model, vectors in models.items():
            if model == name:
                continue
            correlation, overlap = likeness.between(vectors, reference)
            same = _same_weights(vectors, reference.manifest.get("provenance"))
            if correlation is not None or same:
                kinship = Kinship(name, correlation, overlap, same)
                found.setdefault(model, []).append(kinship)
    return Kinships(found)


def kinships_of(
    name: str,
    files: Mapping[str, Path],
    sets: Mapping[str, PairSet],
    gathered: Gathered,
    embeddings: Sequence[Embeddings],
    how: SearchOptions | None = None,
) -> Kinships:
    """Kinship of the models of a table with the references that mined its set.

    From the vectors of both where they are at hand; else from the negatives of a set that nobody
    mined, where both have scores; else it is not known, and a sentence says what to give.

    Args:
        name: of the set.
        files, sets: all pair files and sets, by name.
        gathered: the scores of the sets.
        embeddings: the vectors at hand.
        how: how the hardest pairs are searched for; it changes the time alone.

    Raises:
        EmbeddingError: the file of some vectors changed since it was opened.
    """
    mined_by = gathered.mined_by(files[name])
    vectors = {str(one.manifest["fingerprint"]): one for one in embeddings}
    at_hand = {
        model: vectors[fingerprint]
        for model, fingerprint in gathered.fingerprints.items()
        if fingerprint in vectors
    }
    # Where positives were mined the negatives are nobody's hardest.
    hardest = 0 if _of_positives(files[name]) else int(sets[name].negatives.sum())
    likeness = Likeness(hardest, how=how)
    found: dict[str, list[Kinship]] = {}
    unknown: dict[str, list[str]] = {}
    for miner in miners(files[name]):
        known_as = gathered.known_as_miner(miner)
        reference = vectors.get(miner.fingerprint)
        shown = known_as[0] if known_as else miner.label or short_name(miner.model)
        for model in gathered.models:
            if model in known_as:
                continue
            mine = at_hand.get(model)
            correlation, overlap = None, None
            if mine is not None and reference is not None:
                correlation, overlap = likeness.between(mine, reference)
            if correlation is None and known_as:
                correlation = _on_free_set(name, (model, known_as[0]), files, sets, gathered)
            same = mine is not None and _same_weights(mine, miner.provenance)
            if correlation is not None or same:
                kinship = Kinship(shown, correlation, overlap, same)
                found.setdefault(model, []).append(kinship)
            elif model not in mined_by:
                unknown.setdefault(shown, []).append(model)
    return Kinships(found, [_unknown(name, one, models) for one, models in unknown.items()])


def _unknown(name: str, reference: str, models: Sequence[str]) -> str:
    """Sentence on models of which it is not known how far they follow a reference."""
    return (
        f"{name}: whether {', '.join(models)} {'is' if len(models) == 1 else 'are'} kin of "
        f"{reference}, which mined the pairs, is unknown. A model that scores as {reference} does "
        f"is punished here for that. Give the vectors of {reference} and of the model "
        "(--embeddings), or let compare have a random set that both have scores of."
    )


def _of_positives(path: Path) -> bool:
    """Whether the manifest beside a pair file says that its positives were mined."""
    try:
        found = read_object(path.with_suffix(".json"), "the manifest of mined pairs")
        return found.inner("parameters").content.get("label") == "positive"
    except (OSError, JsonError):
        return False


def _shared_rows(model: Embeddings, reference: Embeddings) -> tuple[Rows, Rows]:
    """Rows of the faces that both have, in either; in the order of the reference."""
    if model.faces.paths.equals(reference.faces.paths):
        rows = np.arange(len(reference))
        return rows, rows
    found = model.faces.paths.find(reference.faces.paths)
    theirs = np.flatnonzero(found >= 0)
    return found[theirs], theirs


def _same_weights(model: Embeddings, provenance: object) -> bool:
    """Whether both say one digest of the weights; what has none, as thumbnails, says nothing."""
    mine = model.manifest.get("provenance")
    if not isinstance(mine, Mapping) or not isinstance(provenance, Mapping):
        return False
    digest = mine.get("weights")
    return isinstance(digest, str) and digest != "" and digest == provenance.get("weights")


def _on_free_set(
    name: str,
    models: tuple[str, str],
    files: Mapping[str, Path],
    sets: Mapping[str, PairSet],
    gathered: Gathered,
) -> Correlation | None:
    """Rank correlation of two models on the negatives of a set that nobody is known to have mined.

    The one called `random` comes first, the others in their order. Pairs that one of the two
    rejects for want of a score are left out.
    """
    for other in sorted(sets, key=lambda one: one != "random"):
        pairs, scores = sets[other], gathered.scores.get(other, {})
        if other in (name, "adversarial") or any(model not in scores for model in models):
            continue
        if was_mined(files[other], pairs):
            continue
        first, second = (scores[model] for model in models)
        rows = np.flatnonzero(pairs.negatives & np.isfinite(first) & np.isfinite(second))
        values = first[rows], second[rows]
        if rows.size < FEWEST_PAIRS or any((one == one[0]).all() for one in values):
            continue
        return rank_correlation(*values, Clusters.of(pairs).take(rows))
    return None
