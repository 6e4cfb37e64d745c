"""Who gets taken for a face: from files to a table, a picture and a score file."""

from __future__ import annotations

import csv
import shutil
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support import oracle
from support.flat_calls import build, show_neighbours
from support.small_models import timm_folder

from mining import Embeddings, embed, load_model
from mining.embeddings.options import EmbeddingOptions
from mining.errors import EmbeddingError, RunError
from pairsets import Faces, PairSet
from pairsets.errors import OutputError
from pairsets.files.score_files import HEADER, read_scores


@pytest.fixture
def embedded(faces_folder, tmp_path):
    return embed(Faces.scan(faces_folder), load_model("pixels"), tmp_path / "e")


@pytest.fixture
def show(faces_folder, embedded):
    def shown(face, **options):
        options = {"embeddings": embedded.folder, "faces": faces_folder, **options}
        return show_neighbours(str(face), encoding=EmbeddingOptions(), **options)

    return shown


def best_of(embedded, query, identity=None):
    """(path, score), most alike first, of all faces that are not of `identity`."""
    faces = embedded.faces
    found = [
        (path, oracle.score(query, vector))
        for path, name, vector in zip(faces.paths, faces.identities, embedded.vectors, strict=True)
        if name != identity
    ]
    return sorted(found, key=lambda hit: (-hit[1], hit[0]))


def test_an_embedded_face(show, embedded, tmp_path):
    found = show("b/1.png", count=4, per_identity=None)
    query = embedded.vectors[embedded.faces.positions(["b/1.png"])[0]]
    expected = best_of(embedded, query, "b")[:4]
    assert list(zip(found.paths, found.scores, strict=True)) == expected
    # Planted: the twin is nearly the same picture.
    assert found.identities[:3].tolist() == ["c (twin)"] * 3
    assert (found.kind, found.query, found.model) == ("face", "b/1.png", "pixels")
    assert (found.candidates, found.own_count, found.files) == (15, 2, [])
    one_each = show("b/1.png", count=9)
    assert one_each.identities.tolist().count("c (twin)") == 1
    assert len(one_each) == 5


@pytest.mark.parametrize("spelling", ["橘_雪", "橘_雪/", "faces/橘_雪", "faces/橘_雪/"])
def test_an_identity(show, embedded, faces_folder, tmp_path, monkeypatch, spelling):
    monkeypatch.chdir(tmp_path)
    found = show(spelling, count=2)
    assert (found.kind, found.query) == ("identity", "橘_雪")
    assert found.faces.tolist() == [f"橘_雪/{number}.png" for number in range(3)]
    assert "橘_雪" not in found.identities


def test_a_face_by_the_way_to_its_file(show, faces_folder, tmp_path, monkeypatch):
    assert show(faces_folder / "d & e" / "2.png").query == "d & e/2.png"
    monkeypatch.chdir(faces_folder / "d & e")
    assert show("2.png").kind == "face"
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunError, match=r"has to be embedded first: name the model with --model"):
        show("faces/d & e/2.png", faces=None)


def test_a_name_in_another_unicode_form(tmp_path):
    name = "だいち"
    decomposed = unicodedata.normalize("NFD", name)
    assert decomposed != name
    for folder, shade in ((decomposed, 10), ("other", 99)):
        (tmp_path / "faces" / folder).mkdir(parents=True)
        Image.new("RGB", (8, 8), (shade, 2, 200)).save(tmp_path / "faces" / folder / "1.png")
    embed(Faces.scan(tmp_path / "faces"), load_model("pixels"), tmp_path / "e")
    found = show_neighbours(name, embeddings=tmp_path / "e", encoding=EmbeddingOptions())
    assert (found.query, found.paths.tolist()) == (decomposed, ["other/1.png"])
    assert found.own_best is None


class TestAFileFromElsewhere:
    def test_every_face_counts(self, show, embedded, faces_folder, tmp_path):
        picture = np.array(Image.open(faces_folder / "b" / "0.png"))
        picture[:4] = 0
        Image.fromarray(picture).save(tmp_path / "mine.png")
        found = show(tmp_path / "mine.png", model="pixels", count=30, per_identity=None)
        alone = Faces.of_paths(tmp_path, ["mine.png"])
        query = embed(alone, load_model("pixels"), tmp_path / "alone").vectors[0]
        assert list(zip(found.paths, found.scores, strict=True)) == best_of(embedded, query)
        assert found.kind == "file"
        assert len(found) == len(embedded) == found.candidates
        assert (found.own_best, found.outscoring, found.duplicates.size) == (None, None, 0)
        assert not found.outscores.any()

    def test_a_face_that_is_embedded_is_no_impostor_of_itself(self, show, faces_folder, tmp_path):
        shutil.copy(faces_folder / "b" / "0.png", tmp_path / "copy.png")
        # The same pixels in another file: known by its vector.
        Image.open(faces_folder / "b" / "0.png").save(tmp_path / "again.bmp")
        for name in ("copy.png", "again.bmp"):
            found = show(tmp_path / name, model="pixels", count=30, per_identity=None)
            assert found.duplicates.tolist() == ["b/0.png"]
            assert "b/0.png" not in found.paths
            assert (found.candidates, len(found)) == (17, 17)
            assert found.notes()[0].endswith("embedded already, not listed: b/0.png")

    def test_another_model_is_refused(self, show, tmp_path, faces_folder, embedded):
        Image.new("RGB", (9, 9), "red").save(tmp_path / "x.png")
        with pytest.raises(RunError, match="name the model with --model, here pixels"):
            show(tmp_path / "x.png")
        manifest = (embedded.folder / "manifest.json").read_text()
        fingerprint = embedded.manifest["fingerprint"]
        (embedded.folder / "manifest.json").write_text(manifest.replace(fingerprint, "f" * 64))
        with pytest.raises(RunError, match="pixels: not the model that made"):
            show(tmp_path / "x.png", model="pixels")

    def test_a_file_that_is_no_picture(self, show, tmp_path):
        (tmp_path / "x.png").write_text("no")
        with pytest.raises(EmbeddingError, match=r"x\.png: is none of JPEG, PNG"):
            show(tmp_path / "x.png", model="pixels")


def test_a_run_of_several_models(faces_folder, embedded, tmp_path):
    run = tmp_path / "run"
    build(faces_folder, "pixels", out=run, pairs=5)

    def shown(**options):
        return show_neighbours("a", embeddings=run, encoding=EmbeddingOptions(), **options)

    assert shown().model == "pixels"
    (floor,) = (run / "embeddings").iterdir()
    for name in ("one", "two"):
        shutil.copytree(floor, tmp_path / name)
        manifest = (tmp_path / name / "manifest.json").read_text()
        spec = f"timm:{name}@/weights/{name}.bin"
        (tmp_path / name / "manifest.json").write_text(manifest.replace('"pixels"', f'"{spec}"', 1))
        shutil.move(tmp_path / name, run / "embeddings" / name)
        if name == "one":
            # The floor is in every run: one other model is meant without a name.
            assert shown().model == "timm:one"
    (run / "embeddings" / "notes").mkdir()
    with pytest.raises(RunError, match="run: vectors of timm:one, pixels, timm:two; name one"):
        shown()
    for name in ("timm:two", "timm:two@/weights/two.bin", "timm:two@/elsewhere/two.bin"):
        assert shown(model=name).model == "timm:two"
    assert shown(model="pixels").model == "pixels"
    with pytest.raises(RunError, match="timm:one, pixels, timm:two; none is timm:x"):
        shown(model="timm:x")
    shutil.copytree(run / "embeddings" / "one", run / "embeddings" / "one too")
    with pytest.raises(RunError, match=r"more than one is timm:one@/weights/one\.bin"):
        shown(model="timm:one@/weights/one.bin")
    shutil.rmtree(run / "embeddings")
    (run / "embeddings").mkdir()
    with pytest.raises(RunError, match="a run without embeddings"):
        shown()


def test_faces_and_a_model(faces_folder, embedded, show, tmp_path):
    expected = show("a/0.png")
    kept = {"kept": tmp_path / "kept", "beside": None}
    for cache in kept.values():
        found = show_neighbours(
            "a/0.png", faces=faces_folder, model="pixels", cache=cache, encoding=EmbeddingOptions()
        )
        assert found.paths.tolist() == expected.paths.tolist()
        assert found.scores.tolist() == expected.scores.tolist()
    for folder in (tmp_path / "kept", tmp_path / "faces.embeddings"):
        (inside,) = folder.iterdir()
        np.testing.assert_array_equal(Embeddings.load(inside).vectors, embedded.vectors)


def test_a_picture_and_a_score_file(show, embedded, tmp_path):
    out, scores = tmp_path / "new" / "n.png", tmp_path / "n.csv"
    found = show("b", out=out, scores=scores, count=3, per_identity=None)
    assert found.files == [out, scores]
    with Image.open(out) as picture:
        assert picture.width > 1000
    rows = list(csv.reader(scores.read_text("utf-8").splitlines()))
    assert tuple(rows[0]) == HEADER
    assert [row[1] for row in rows[1:]] == found.paths.tolist()
    assert [row[2] for row in rows[1:]] == ["1", "2", "3"]
    pairs = PairSet.of(found.resembles, found.paths, 0)
    np.testing.assert_array_equal(read_scores(scores, pairs)["pixels"], found.scores)
    with pytest.raises(OutputError, match="exists"):
        show("b", out=out)
    again = tmp_path / "again.svg"
    before = out.read_bytes()
    show("b", out=out, overwrite=True, count=3, per_identity=None)
    show("b/0.png", out=again)
    assert out.read_bytes() == before
    assert again.read_text("utf-8").count("<image") == 7


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"face": "nobody"}, "'nobody': no image file there, and neither one of the 18 embedded"),
        ({"face": "c twin"}, r"did you mean 'c \(twin\)'"),
        ({"face": "b/9.png"}, "did you mean 'b/"),
        ({"face": ""}, "a folder, but neither one of the 18 embedded faces nor one of their 6"),
        ({"count": 0}, "--count 0; expected 1 or more"),
        ({"per_identity": 0}, "--per-identity 0; expected 1 or more"),
        ({"out": "x.png", "faces": None}, "--out needs --faces"),
        ({"out": "x.gif"}, "a figure is written as .png or .svg, not '.gif'"),
        ({"out": "faces/x.png"}, "inside the faces folder"),
        ({"cache": "c"}, "--cache keeps the vectors of --model"),
        ({"embeddings": None}, "no vectors to search: name --embeddings"),
        ({"embeddings": None, "model": "pixels", "faces": None}, "no vectors to search"),
        ({"embeddings": None, "model": "pixels", "cache": "faces/c"}, "inside the faces folder"),
        ({"embeddings": "none"}, "not a finished folder of embeddings"),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_is_written(
    show, tmp_path, monkeypatch, options, message
):
    monkeypatch.chdir(tmp_path)
    paths = {"out", "faces", "cache", "embeddings"}
    given = {k: Path(v) if k in paths and v is not None else v for k, v in options.items()}
    face = given.pop("face", "a/0.png")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises((RunError, OutputError, EmbeddingError), match=message):
        show(face, **given)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_face_that_was_left_out(faces_folder, tmp_path):
    (faces_folder / "a" / "9.png").write_text("no")
    embed(Faces.scan(faces_folder), load_model("pixels"), tmp_path / "e", on_error="skip")
    with pytest.raises(RunError, match=r"a/9\.png: was left out when faces were embedded: is none"):
        show_neighbours("a/9.png", embeddings=tmp_path / "e", encoding=EmbeddingOptions())


def test_one_identity_has_no_impostors(faces_folder, tmp_path):
    for other in sorted(faces_folder.iterdir())[1:]:
        shutil.rmtree(other)
    (only,) = faces_folder.iterdir()
    embed(Faces.scan(faces_folder), load_model("pixels"), tmp_path / "e")
    with pytest.raises(RunError, match="no face of another identity among the 3"):
        show_neighbours(only.name, embeddings=tmp_path / "e", encoding=EmbeddingOptions())


@pytest.mark.parametrize("engine", ["onnx", "torch"])
def test_a_file_is_embedded_by_the_engine_of_the_vectors(
    faces_folder, tmp_path, monkeypatch, engine
):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    (tmp_path / "model").mkdir()
    spec = timm_folder(tmp_path / "model", 0)
    encoding = EmbeddingOptions(device="cpu", batch_size=4)
    made = embed(
        Faces.scan(faces_folder), encoding.load(spec), tmp_path / "e", batch_size=4, engine=engine
    )
    elsewhere = tmp_path / "elsewhere.png"
    shutil.copy(faces_folder / "b" / "1.png", elsewhere)
    asked = []
    embed_with = EmbeddingOptions.embed

    def watched(self, *given):
        found = embed_with(self, *given)
        asked.append(found.manifest["engine"]["name"])
        return found

    monkeypatch.setattr(EmbeddingOptions, "embed", watched)
    found = show_neighbours(
        str(elsewhere), embeddings=made.folder, faces=faces_folder, model=spec, encoding=encoding
    )
    assert asked == [engine]
    assert found.kind == "file"
