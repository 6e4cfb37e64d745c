"""Identities laid out in the plane: by what, when there is none, and what is said of it then."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.command_line import lookalikes

import mining.scores.identity_layout as module
from mining import Embeddings
from mining.scores.identity_layout import FEWEST, MOST, identity_means, layout_of
from pairsets import Faces

REMEDY = "pip install 'lookalikes[map]'"


def embeddings(identities=70, *, similarity="cosine", seed=0):
    """Three faces an identity, the identities around two far centres by turns."""
    random = np.random.default_rng(seed)
    names = np.repeat([f"p{at:04d}" for at in range(identities)], 3)
    centres = np.where(np.arange(len(names))[:, np.newaxis] // 3 % 2, 5.0, -5.0) * [1, 1, 0, 0, 0]
    vectors = centres + random.normal(size=(len(names), 5))
    return Embeddings.of(vectors, names, similarity=similarity)


class Still:
    """UMAP that puts identities on a diagonal, and keeps what it was given."""

    given: dict[str, object]

    @classmethod
    def UMAP(cls, **options):  # noqa: N802
        cls.given = options
        return cls

    @classmethod
    def fit_transform(cls, vectors):
        cls.given["vectors"] = vectors
        return np.arange(2.0 * len(vectors)).reshape(-1, 2)


@pytest.fixture
def still(monkeypatch):
    monkeypatch.setattr(module, "import_umap", lambda: Still)
    return Still


@pytest.mark.parametrize("similarity", ["cosine", "inner_product"])
def test_identities_that_are_alike_lie_together_and_again_there(similarity):
    made = embeddings(similarity=similarity)
    layout = layout_of({"ours": made}, made.faces)
    assert (layout.model, layout.note, layout.lacking) == ("ours", "", False)
    assert list(layout.names) == sorted(set(made.faces.identities))
    places = np.asarray(layout.places)
    assert np.isfinite(places).all()
    apart = np.linalg.norm(places[:, np.newaxis] - places, axis=2)
    np.fill_diagonal(apart, np.inf)
    nearest = apart.argmin(axis=1)
    assert (nearest % 2 == np.arange(70) % 2).mean() > 0.9
    again = layout_of({"ours": made, "other": embeddings(seed=1)}, made.faces)
    assert np.array_equal(again.places, places)


def test_means_are_those_of_the_faces_of_the_report_by_its_identities():
    made = embeddings(4)
    paths = list(made.faces.paths)[1:9]
    faces = Faces.of_paths(
        Path(), paths, identities={path: "ab"[at > 2] for at, path in enumerate(paths)}
    )
    made = replace(made, manifest={**made.manifest, "skipped": {paths[0]: "unreadable"}})
    names, means = identity_means(made, faces)
    rows = np.asarray(made.vectors, np.float64)
    assert names == ["a", "b"]
    assert np.allclose(means, [rows[2:4].mean(axis=0), rows[4:9].mean(axis=0)])


def test_large_tables_are_read_in_parts(monkeypatch):
    made = embeddings(9)
    whole = identity_means(made, made.faces)[1]
    monkeypatch.setattr(module, "CHUNK", 4)
    assert np.array_equal(identity_means(made, made.faces)[1], whole)


def test_cosine_takes_the_means_and_inner_products_are_distances(still):
    made = embeddings()
    layout_of({"m": made}, made.faces)
    assert still.given["metric"] == "cosine"
    assert np.array_equal(still.given["vectors"], identity_means(made, made.faces)[1])
    made = embeddings(similarity="inner_product")
    layout_of({"m": made}, made.faces)
    means = identity_means(made, made.faces)[1]
    products = means @ means.T
    expected = products.max() - products
    np.fill_diagonal(expected, 0)
    assert still.given["metric"] == "precomputed"
    assert np.allclose(still.given["vectors"], expected)
    assert still.given["vectors"].min() >= 0


def test_few_identities_have_no_map_and_nothing_is_said(still):
    made = embeddings(FEWEST)
    assert layout_of({"m": made}, made.faces) is None
    assert layout_of({}, made.faces) is None
    more = embeddings(FEWEST + 1)
    assert len(layout_of({"m": more}, more.faces).names) == FEWEST + 1


def test_what_has_no_map_says_why(still, monkeypatch):
    made = embeddings()
    assert layout_of({}, made.faces).note == ("No map of identities: scores alone have no vectors.")
    monkeypatch.setattr(module, "MOST", 69)
    found = layout_of({"m": made}, made.faces)
    assert found.note == "No map of identities: 70 are too many for a page (69 at most)."
    assert not found.lacking
    assert MOST == 5000


@pytest.mark.parametrize("error", [ImportError("no numba"), RuntimeError("no locator available")])
def test_a_package_that_cannot_be_imported_is_told_with_the_remedy(monkeypatch, error):
    def fail():
        raise error

    monkeypatch.setattr(module, "import_umap", fail)
    made = embeddings()
    found = layout_of({"m": made}, made.faces)
    assert found.lacking
    assert found.note.startswith("No map of identities: it needs the package umap-learn")
    assert str(error) in found.note
    assert found.note.endswith(REMEDY)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A folder with `faces` of 61 identities of two pictures, hard to tell apart."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for at in range(FEWEST + 1):
        (tmp_path / "faces" / f"p{at:02d}").mkdir(parents=True)
        colours = random.integers(0, 150, (3, 3, 3))
        for number in range(2):
            noisy = (colours + random.integers(0, 100, colours.shape)).astype(np.uint8)
            picture = Image.fromarray(noisy).resize((24, 24), Image.Resampling.NEAREST)
            picture.save(tmp_path / "faces" / f"p{at:02d}" / f"{number}.png")
    return tmp_path


def build(out):
    return lookalikes("build", "faces", "--reference", "pixels", "--pairs", 40, "--out", out)


def test_reports_have_the_map_or_say_what_is_lacking(home, still, monkeypatch):
    """Of a build, of a comparison by vectors and of one by scores."""
    done = build("with")
    assert done.code == 0
    assert "map of identities" not in done.out
    page = Path("with/report.html").read_text("utf-8")
    assert page.count("data-dot=") == FEWEST + 1
    monkeypatch.undo()
    monkeypatch.chdir(home)
    monkeypatch.setitem(sys.modules, "umap", None)
    done = build("without")
    assert done.code == 0
    told = [line for line in done.out.splitlines() if "map of identities" in line]
    assert len(told) == 1
    assert told[0].endswith(REMEDY)
    page = Path("without/report.html").read_text("utf-8")
    assert "data-dot=" not in page
    assert "lookalikes[map]" in page
    pairs = ("compare", "faces", "--pairs", "with/adversarial.csv")
    done = lookalikes(*pairs, "--model", "pixels", "--out", "vectors")
    assert (done.code, done.out.count(REMEDY)) == (0, 1), done.err
    scores = "with/adversarial.scores.csv"
    done = lookalikes(*pairs, "--scores", f"pixels={scores}", "--out", "scores")
    assert done.code == 0, done.err
    assert "map of identities" not in done.out
    assert "scores alone have no vectors" in Path("scores/report.html").read_text("utf-8")
