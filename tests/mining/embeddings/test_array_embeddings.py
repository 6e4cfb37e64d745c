"""Embeddings of arrays: what they are, what takes them, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import lookalikes
from indexes import IndexesError
from indexes.unit_rows import unit_rows
from mining.commands.import_vectors import ImportOptions, import_vectors
from mining.embeddings.store import Embeddings
from mining.embeddings.whitening_learner import WhiteningPlan, learn_whitening
from mining.errors import EmbeddingError

NAMES = ["rei", "asuka", "mari", "kaworu"]
RNG = np.random.default_rng(5)
WHO = np.repeat(NAMES, 6)
ROWS = RNG.standard_normal((4, 8)).repeat(6, axis=0) + 0.7 * RNG.standard_normal((24, 8))


@pytest.fixture
def made() -> Embeddings:
    return Embeddings.of(ROWS, WHO)


def test_rows_labels_and_names_by_number(made: Embeddings) -> None:
    assert [*made.faces.paths] == [f"{row:02}" for row in range(24)]
    assert made.faces.identities.tolist() == WHO.tolist()
    assert made.vectors.tobytes() == unit_rows(ROWS).tobytes()
    assert not made.vectors.flags.writeable
    assert (made.model, made.similarity, made.skipped) == ("imported:arrays", "cosine", {})
    told = "24 faces of 4 identities, 8 dimensions, 'imported:arrays', cosine"
    assert repr(made) == f"Embeddings({told})"


def test_what_stands_in_the_working_directory_is_never_read(
    made: Embeddings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "images.csv").write_text("path,sha256\n00,abc\n")
    monkeypatch.chdir(tmp_path)
    assert [*made.digests] == [*made.faces.paths]
    assert "abc" not in made.digests.values()
    assert not made.saw_pictures
    some = made.take(np.array([3, 1]))
    assert [*some.faces.paths] == ["03", "01"]
    assert some.digests["01"] == made.digests["01"]


@pytest.mark.parametrize(
    ("rows", "who"),
    [
        (ROWS.tolist(), WHO.tolist()),
        (torch.from_numpy(ROWS), np.array(WHO, object)),
        (pd.DataFrame(ROWS, index=range(7, 31)), pd.Series(WHO, index=range(7, 31))),
    ],
)
def test_lists_tensors_and_tables_are_the_same(made: Embeddings, rows: object, who: object) -> None:
    found = Embeddings.of(rows, who)
    assert found.manifest == made.manifest
    assert found.digests == made.digests


def test_whole_numbers_are_names() -> None:
    found = Embeddings.of(ROWS, np.arange(24) // 6)
    assert [*dict.fromkeys(found.faces.identities)] == ["0", "1", "2", "3"]


@pytest.mark.parametrize("similarity", ["cosine", "inner_product"])
def test_equals_what_import_makes_of_a_file(tmp_path: Path, similarity: str) -> None:
    paths = [f"{who}/a, {at}.jpg" for at, who in enumerate(WHO)]
    np.save(tmp_path / "rows.npy", ROWS.astype(np.float32))
    (tmp_path / "names.txt").write_text("\n".join(paths) + "\n")
    options = ImportOptions(name="arrays", similarity=similarity)  # type: ignore[arg-type]
    out = tmp_path / "out"
    import_vectors(tmp_path / "rows.npy", str(tmp_path / "names.txt"), out, options=options)
    theirs = Embeddings.load(out)
    ours = Embeddings.of(
        ROWS.astype(np.float32), WHO, paths=paths, similarity=similarity,  # type: ignore[arg-type]
    )  # fmt: skip
    assert [*ours.faces.paths] == sorted(paths) == [*theirs.faces.paths]
    assert ours.vectors.tobytes() == np.asarray(theirs.vectors).tobytes()
    assert ours.digests == theirs.digests
    shared = ("model", "fingerprint", "similarity", "images_sha256", "vectors_sha256", "dimensions")
    assert {key: ours.manifest[key] for key in shared} == {
        key: theirs.manifest[key] for key in shared
    }


def test_all_that_takes_embeddings_takes_them(made: Embeddings) -> None:
    mined = lookalikes.mine_negatives(made, 10)
    best = lookalikes.top_pairs(ROWS, WHO, 10)
    found = zip(map(int, mined.pairs.path_a), map(int, mined.pairs.path_b), strict=True)
    assert [{*pair} for pair in found] == [
        {*pair} for pair in zip(best.i.tolist(), best.j.tolist(), strict=True)
    ]
    told = f"scores {mined.scores[0]:.4g} to {mined.scores[-1]:.4g}"
    assert repr(mined) == f"Mined(10 of 10 pairs of two identities, {told}, exact)"
    assert mined._repr_html_() == mined.pairs.show(scores=mined.scores)._repr_html_()
    assert mined.pairs.identity_a.tolist() == WHO[mined.pairs.path_a.astype(int)].tolist()
    random = lookalikes.random_pairs(made.faces, positives=20, negatives=30, seed=0)
    scores = lookalikes.score_pairs(random, made)
    units = unit_rows(ROWS).astype(np.float64)
    a, b = (side.astype(int) for side in (random.path_a, random.path_b))
    np.testing.assert_allclose(scores, (units[a] * units[b]).sum(axis=1), atol=1e-6)
    adversarial, _ = lookalikes.adversarial_pairs(mined, random, seed=0)
    assert int(adversarial.negatives.sum()) == 10
    assert lookalikes.evaluate(random, scores, draws=0).positives == 20
    assert lookalikes.mine_positives(made, 5).pairs.positives.sum() == 5
    other = Embeddings.of(ROWS[:, :4], WHO, name="half")
    assert lookalikes.take_census(made).population.positives == 4 * 15
    assert len(lookalikes.mine_together({"a": made, "b": other}, 5).pairs) == 5
    assert lookalikes.choose_threshold(made, target_fpr=0.05).value < 1
    assert lookalikes.identify(made, seed=0).rate("rank-1").value >= 0


def test_a_mean_learnt_from_arrays(made: Embeddings) -> None:
    step = learn_whitening(made, WhiteningPlan("centre"))
    np.testing.assert_allclose(step.mean, made.vectors.mean(axis=0), atol=1e-6)
    assert step.shared(["rei", "nobody"], made.digests.values()) == (1, 24)


@pytest.mark.parametrize(
    ("rows", "who", "options", "error", "told"),
    [
        (ROWS, WHO[:-1], {}, IndexesError, r"identities of shape \(23,\) for 24 rows"),
        (ROWS, [*WHO[:-1], None], {}, IndexesError, "identities: row 23 has no label"),
        (ROWS, [*WHO[:-1], ""], {}, EmbeddingError, "row 23 is ''; expected a name"),
        (ROWS, [*WHO[:-1], "\ud800"], {}, EmbeddingError, r"row 23 is '\\ud800'; expected a name"),
        (ROWS[0], WHO, {}, IndexesError, r"X of shape \(8,\)"),
        (np.where(np.eye(24, 8) > 0, np.nan, ROWS), WHO, {}, IndexesError, "X not finite .* row 0"),
        (np.zeros((24, 8)), WHO, {}, IndexesError, "X of nothing but noughts in row 0"),
        (ROWS[:0], [], {}, EmbeddingError, "X of no rows"),
        (ROWS, WHO, {"similarity": "euclid"}, EmbeddingError, "similarity 'euclid'; expected"),
        (ROWS, WHO, {"name": "a/b"}, EmbeddingError, "the name 'a/b'"),
        (ROWS, WHO, {"paths": ["a"]}, EmbeddingError, "1 paths for 24 rows"),
        (ROWS, WHO, {"paths": ["a"] * 24}, EmbeddingError, "'a' in rows 0 and 1"),
        (ROWS, WHO, {"paths": [*"abcdefghijklmnopqrstuvw", "/x"]}, EmbeddingError, "row 23: '/x'"),
        (ROWS, WHO, {"paths": [*range(24)]}, EmbeddingError, "row 0: 0 is no text"),
        (
            pd.DataFrame(ROWS), pd.Series(WHO, index=range(1, 25)), {}, IndexesError,
            "X and identities are tables of different indexes",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_named(
    rows: object, who: object, options: dict[str, object], error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        Embeddings.of(rows, who, **options)  # type: ignore[arg-type]
