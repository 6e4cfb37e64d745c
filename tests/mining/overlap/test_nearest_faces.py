"""The nearest other face of each, beside all scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.worlds import embeddings_of

from indexes import FlatIndex, Neighbours
from mining.embeddings.store import EmbeddingError, Embeddings
from mining.overlap import nearest_faces as home
from mining.overlap.nearest_faces import facts_of, nearest_faces
from pairsets.faces import Faces
from pairsets.storage.resume import Parts

COUNT = 57


@pytest.fixture
def faces() -> Faces:
    return Faces.of_paths(Path("faces"), [f"{at % 9}/{at:02}.png" for at in range(COUNT)])


@pytest.fixture
def model(faces: Faces) -> Embeddings:
    """Vectors of whole numbers, exact in any order, some equal; some faces have none."""
    rows = np.arange(COUNT)[np.arange(COUNT) % 7 != 3][::-1]
    vectors = np.random.default_rng(1).integers(-3, 4, (len(rows), 6)).astype(np.float32)
    vectors[10:14] = vectors[3]
    return embeddings_of(faces.take(rows), vectors)


def naive(model: Embeddings, faces: Faces) -> list[int]:
    """By all scores: of equal ones the first in the order of the vectors."""
    found = [-1] * len(faces)
    scores = np.asarray(model.vectors, np.float64) @ np.asarray(model.vectors, np.float64).T
    np.fill_diagonal(scores, -np.inf)
    rows = {path: row for row, path in enumerate(faces.paths)}
    for path, near in zip(model.faces.paths, scores.argmax(axis=1), strict=True):
        found[rows[path]] = rows[model.faces.paths[int(near)]]
    return found


def test_nearest_is_that_of_all_scores(faces: Faces, model: Embeddings) -> None:
    assert nearest_faces(model, faces).tolist() == naive(model, faces)


def test_blocks_and_parts_that_were_kept_change_nothing(
    faces: Faces, model: Embeddings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(home, "BLOCK", 5)
    parts = Parts(tmp_path / "parts.sqlite", facts_of([model]))
    done: list[tuple[int, int]] = []

    def interrupted(at: int, of: int) -> None:
        done.append((at, of))
        if len(done) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        nearest_faces(model, faces, parts=parts, progress=interrupted)
    assert done == [(5, len(model)), (10, len(model)), (15, len(model))]
    assert parts.read("nearest 10") is not None
    assert parts.read("nearest 15") is None
    asked, search = [], FlatIndex.search

    def counted(self: FlatIndex, queries: np.ndarray, k: int) -> Neighbours:
        asked.append(len(queries))
        return search(self, queries, k)

    monkeypatch.setattr(FlatIndex, "search", counted)
    assert nearest_faces(model, faces, parts=parts).tolist() == naive(model, faces)
    # What was kept is not searched again.
    assert sum(asked) == len(model) - 15
    assert nearest_faces(model, faces, parts=parts, name="other").tolist() == naive(model, faces)
    assert sum(asked) == 2 * len(model) - 15


def test_only_some_are_looked_at(faces: Faces, model: Embeddings) -> None:
    rows = faces.positions(model.faces.paths)
    among = sorted(rows[::2].tolist())
    expected = naive(model.take(np.arange(0, len(model), 2)), faces)
    assert nearest_faces(model, faces, among).tolist() == expected
    assert {*expected} <= {-1, *among}


def test_vectors_that_are_not_finite_are_refused(faces: Faces, model: Embeddings) -> None:
    vectors = np.array(model.vectors)
    vectors[5, 2] = np.nan
    with pytest.raises(EmbeddingError, match=r"row 5.*Embed the faces again"):
        nearest_faces(embeddings_of(model.faces, vectors), faces)


def test_one_vector_has_no_other(faces: Faces, model: Embeddings) -> None:
    for count in (0, 1):
        few = model.take(np.arange(count))
        assert nearest_faces(few, faces).tolist() == [-1] * COUNT


def test_other_vectors_or_faces_are_other_facts(faces: Faces, model: Embeddings) -> None:
    turned = embeddings_of(model.faces, np.asarray(model.vectors)[::-1].copy())
    renamed = embeddings_of(faces.take(np.arange(len(model))), np.asarray(model.vectors))
    facts = [facts_of([one]) for one in (model, turned, renamed)]
    assert facts[0] == facts_of([model])
    assert len({str(one) for one in facts}) == 3
