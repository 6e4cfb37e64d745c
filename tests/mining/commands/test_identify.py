"""Identification from files: draws, two folders, several models, and what is refused."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.command_line import lookalikes
from support.elements import Page

from lookalikes import Embeddings, identify
from mining import embed
from mining.commands.identify import identify_faces
from mining.errors import EmbeddingError, RunError
from pairsets import Faces, IdentificationTargets, IntervalOptions, PairSet
from pairsets.errors import OutputError, SampleError, ScoresError
from pairsets.gallery_draw import GalleryOptions, draw_gallery
from pairsets.tables.identification import FILES, PROBES

PEOPLE, EACH, SIZE = 24, 4, 8
FEW = IntervalOptions(draws=100)


class Planted:
    """A model that reads the number of a picture from its colour, and has a vector for each."""

    similarity = "cosine"

    def __init__(self, vectors: np.ndarray, name: str) -> None:
        self.vectors, self.name, self.fingerprint = vectors, f"python:{name}", name * 8
        self.provenance = {"family": name}

    def preprocess(self, image: Image.Image) -> np.ndarray:
        return np.array(np.asarray(image)[0, 0, :1], np.int64)

    def encode(self, batch: np.ndarray) -> np.ndarray:
        return self.vectors[batch[:, 0]]


def planted(name: str, spread: float) -> Planted:
    rng = np.random.default_rng(len(name))
    middles = np.random.default_rng(0).standard_normal((PEOPLE, SIZE))
    vectors = np.repeat(middles, EACH, axis=0) + spread * rng.standard_normal((PEOPLE * EACH, SIZE))
    return Planted(vectors.astype(np.float32), name)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Faces, their vectors by a good and a poor model, and the same in two halves."""
    root = tmp_path_factory.mktemp("identify")
    for number in range(PEOPLE * EACH):
        person, at = divmod(number, EACH)
        picture = Image.new("RGB", (4, 4), (number, 0, 0))
        sides = ["whole", "gallery" if at < 2 else "probes"]
        for side in sides:
            # Of the last six nobody is in the gallery of two folders.
            if side == "gallery" and person >= PEOPLE - 6:
                continue
            folder = root / "faces" / side / f"p{person:02}"
            folder.mkdir(parents=True, exist_ok=True)
            picture.save(folder / f"{at}.png")
    for model in (planted("good", 0.4), planted("poorer", 1.2)):
        for side in ("whole", "gallery", "probes"):
            home = root / side / model.name.partition(":")[2]
            embed(Faces.scan(root / "faces" / side), model, home)
    return root


@pytest.fixture
def world(kept: Path, tmp_path: Path) -> Path:
    shutil.copytree(kept, tmp_path / "world")
    return tmp_path / "world"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_drawn_from_one_folder(world: Path) -> None:
    made = identify_faces(world / "whole", out=world / "out", intervals=FEW)
    assert [*made.models.models] == ["python:good", "python:poorer"]
    assert {file.name for file in made.files} == {
        *FILES, PROBES, "cmc.png", "cmc.svg", "det.png", "det.svg",
    }  # fmt: skip
    assert all(file.is_file() for file in made.files)
    told = {row.what: row.count for row in made.funnel}
    assert told["identities held out"] == 5
    assert (told["mated"], told["non-mated"]) == (19 * 3, 5 * 4)
    content = json.loads((world / "out/identification.json").read_text("utf-8"))
    good, poorer = (content["models"][name] for name in made.models.models)
    assert good["rates"]["rank-1"]["value"] > poorer["rates"]["rank-1"]["value"] > 0.2
    assert good["gallery_identities"] == 19
    probes = rows(world / "out" / PROBES)
    mated = [row for row in probes if row["model"] == "python:good" and row["mated"] == "1"]
    hits = sum(row["rank"] == "1" for row in mated) / len(mated)
    assert hits == good["rates"]["rank-1"]["value"]
    assert all(row["probe"].startswith(row["identity"]) for row in probes)
    cmc = [row for row in rows(world / "out/cmc.csv") if row["model"] == "python:good"]
    assert len(cmc) == 19
    assert float(cmc[0]["found"]) == hits
    det = rows(world / "out/det.csv")
    assert {float(row["fpir"]) for row in det} >= {0.0, 1.0}
    assert "rank-1" in (world / "out/differences.md").read_text("utf-8")


def test_the_same_bytes_again(world: Path) -> None:
    made = [
        identify_faces(world / "whole", out=world / name, intervals=FEW) for name in ("one", "two")
    ]
    for one, other in zip(made[0].files, made[1].files, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name


def test_two_folders_equal_the_arrays(world: Path) -> None:
    made = identify_faces(world / "gallery", world / "probes", out=world / "out", intervals=FEW)
    found = made.models.models["python:good"]
    told = {row.what: row.count for row in made.funnel}
    assert (told["mated"], told["non-mated"], told["identities"]) == (18 * 2, 6 * 2, 18)
    gallery, probes = (Embeddings.load(world / side / "good") for side in ("gallery", "probes"))
    by_embeddings = identify(gallery, probes=probes, intervals=FEW)
    by_arrays = identify(
        # Cosines do not ask how long vectors are.
        3 * np.array(gallery.vectors),
        gallery.faces.identities,
        probes=np.array(probes.vectors),
        probe_identities=probes.faces.identities,
        intervals=FEW,
    )
    for one in (by_embeddings, by_arrays):
        assert one.cmc.tolist() == found.cmc.tolist()
        assert [rate.value for rate in one.rates] == pytest.approx(
            [rate.value for rate in found.rates]
        )
    assert "18 identities" in repr(by_arrays)


def test_pooling_finds_more_than_one_picture(world: Path) -> None:
    rank = {}
    for name, size, pool in (("one", 1, False), ("three", 3, False), ("pooled", 3, True)):
        drawn = GalleryOptions(size=size, held_out=0.0, pool=pool)
        made = identify_faces(world / "whole/poorer", out=world / name, drawn=drawn, intervals=FEW)
        found = made.models.models["python:poorer"]
        rank[name] = found.rate("rank-1").value
        assert found.curve is None
        assert not (world / name / "det.png").exists()
    assert rank["pooled"] > rank["one"]
    # With one entry an identity, average precision is the reciprocal of the rank.
    searches = found.searches
    np.testing.assert_allclose(searches.precisions, 1 / searches.ranks)


def test_pooled_arrays_by_hand() -> None:
    found = identify(
        [[1, 0], [0, 1], [-1, 0.1]],
        ["a", "a", "b"],
        probes=[[0.7, 0.7], [-1, 0]],
        probe_identities=["a", "b"],
        pool=True,
    )
    assert found.searches.own_scores.tolist() == pytest.approx([1.0, 1 / 1.01**0.5])
    assert found.rate("map").value == 1


def test_a_copy_in_both_is_left_out_and_told(world: Path) -> None:
    shutil.copy(world / "faces/gallery/p00/0.png", world / "faces/probes/p20/copy.png")
    embed(Faces.scan(world / "faces/probes"), planted("good", 0.4), world / "again")
    made = identify_faces(world / "gallery/good", world / "again", out=world / "out")
    (row,) = [row for row in made.funnel if not row.kept]
    assert (row.count, row.what) == (1, "pictures of the gallery itself, by their bytes")
    assert "p20/copy.png" not in {row["probe"] for row in rows(world / "out" / PROBES)}


@pytest.mark.parametrize(
    ("given", "options", "error", "said"),
    [
        (["whole/good", "whole/good"], {}, RunError, "each of 96 probes is a picture of the gall"),
        (["gallery/good", "probes/poorer"], {}, EmbeddingError, "fingerprint"),
        (["gallery", "probes/good"], {}, RunError, "vectors of other models"),
        (["faces"], {}, EmbeddingError, "not a finished folder of embeddings"),
        (["whole/good"], {"drawn": GalleryOptions(held_out=1.0)}, SampleError, "held out"),
        (
            ["whole/good"],
            {"targets": IdentificationTargets((0.01,))},
            ScoresError,
            r"20 non-mated probes: the smallest is 0\.05",
        ),
        (["whole/good"], {"intervals": IntervalOptions(draws=5)}, ScoresError, "5 bootstrap"),
    ],
)
def test_what_is_refused_leaves_nothing(
    world: Path, given: list[str], options: dict[str, object], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        identify_faces(*(world / one for one in given), out=world / "out", **options)  # type: ignore[arg-type]
    assert not [*(world / "out").glob("*")]


def test_identities_of_one_picture_are_refused(world: Path) -> None:
    for folder in (world / "faces/whole").iterdir():
        for picture in sorted(folder.iterdir())[1:]:
            picture.unlink()
    embed(Faces.scan(world / "faces/whole"), planted("good", 0.4), world / "single")
    with pytest.raises(SampleError, match="none that is in the gallery has a second face"):
        identify_faces(world / "single", out=world / "out")


def test_strangers_alone_are_refused(world: Path) -> None:
    for person in range(PEOPLE - 6):
        shutil.rmtree(world / f"faces/probes/p{person:02}")
    embed(Faces.scan(world / "faces/probes"), planted("good", 0.4), world / "strangers")
    with pytest.raises(ScoresError, match="none of 12 probes has its identity in the gallery"):
        identify_faces(world / "gallery/good", world / "strangers", out=world / "out")


def test_what_is_there_is_replaced_when_asked(world: Path) -> None:
    identify_faces(world / "whole/good", out=world / "out", intervals=FEW)
    with pytest.raises(OutputError, match="exists"):
        identify_faces(world / "whole/good", out=world / "out", intervals=FEW)
    drawn = GalleryOptions(held_out=0.0)
    identify_faces(
        world / "whole/good", out=world / "out", drawn=drawn, intervals=FEW, overwrite=True
    )
    # Nobody is held out: the picture of the open set was of the earlier result.
    assert not (world / "out/det.png").exists()


def test_the_command_line(world: Path) -> None:
    given = (str(world / "gallery"), str(world / "probes"), "--out", str(world / "out"))
    summary = lookalikes("identify", *given, "--draws", "100", "--fpir", "0.1").summary
    assert "rank-1 (%)" in summary
    assert "FNIR (%) at an FPIR of 10 %" in summary
    assert "36 mated and 12 non-mated probes" in summary
    usage = lookalikes("identify", *given, "--held-out", "0.3").usage
    assert "--held-out draw a gallery" in usage
    usage = lookalikes("identify", *given, "--identity-level", "1").usage
    assert "it counts with --model alone" in usage


def test_faces_and_a_model(world: Path) -> None:
    faces = [str(world / "faces" / side) for side in ("gallery", "probes")]
    out = world / "out"
    summary = lookalikes("identify", *faces, "--model", "pixels", "--out", str(out)).summary
    assert "36 mated" in summary
    assert (out / "embeddings/probes").is_dir()
    message = lookalikes("identify", faces[0], "--model", "pixels", "--out", str(out)).message
    assert "exists" in message


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"identities": ["a"]}, RunError, "identities of shape"),
        ({"identities": None}, RunError, "expected who each shows"),
        ({"gallery": [[0, 0], [1, 0]]}, RunError, "vector 0 is nought"),
        ({"metric": "euclid"}, RunError, "a metric of 'euclid'"),
        ({"gallery": [[1, 0], [-1, 0]], "pool": True}, EmbeddingError, "cancel out"),
    ],
)
def test_arrays_that_are_refused(
    given: dict[str, object], error: type[Exception], said: str
) -> None:
    arrays: dict[str, object] = {
        "gallery": [[1, 0], [0, 1]],
        "identities": ["a", "a"],
        "probes": [[1, 0]],
        "probe_identities": ["a"],
    }
    with pytest.raises(error, match=said):
        identify(**{**arrays, **given})  # type: ignore[arg-type]


# --- in a comparison


@pytest.fixture
def pairs(world: Path) -> Path:
    """Pairs of the faces in one folder."""
    file = world / "random.csv"
    given = ("--positives", 40, "--negatives", 40, "--out", str(file))
    assert lookalikes("random", str(world / "faces/whole"), *given).code == 0
    return file


def compared(world: Path, pairs: Path, *options: object, models: int = 2) -> tuple[object, ...]:
    names = [world / "whole" / name for name in ("good", "poorer")[:models]]
    given = [text for one in names for text in ("--embeddings", str(one))]
    base = ("compare", str(world / "faces/whole"), "--pair-file", str(pairs), *given)
    return (*base, "--draws", "100", "--out", str(world / "run"), *options)


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--gallery-size", "2", "--pool", "--seed", "3"),
        ("--held-out", "0", "--spreadsheet-safe"),
    ],
)
def test_a_comparison_writes_what_identify_does(
    world: Path, pairs: Path, options: tuple[str, ...]
) -> None:
    made = lookalikes(*compared(world, pairs, "--identify", *options, "--json"))
    assert made.code == 0, made.err
    alone = lookalikes(
        *("identify", str(world / "whole"), "--out", str(world / "alone"), "--draws", "100"),
        *options,
        "--json",
    )
    assert alone.code == 0, alone.err
    names = sorted(path.name for path in (world / "alone").iterdir())
    assert sorted(path.name for path in (world / "run/identification").iterdir()) == names
    for name in names:
        mine, theirs = (world / where / name for where in ("run/identification", "alone"))
        assert mine.read_bytes() == theirs.read_bytes(), name
    mine, theirs = json.loads(made.out), json.loads(alone.out)
    assert mine["identification"] == theirs["identification"]
    assert mine["identification_differences"] == theirs["differences"]
    rows = [row for row in mine["funnel"] if row["stage"] in ("gallery", "probes")]
    assert rows == theirs["funnel"]
    assert {*map(str, (world / "run/identification").iterdir())} < {*mine["files"]}


def test_a_comparison_shows_the_search_beside_its_pairs(world: Path, pairs: Path) -> None:
    found = lookalikes(*compared(world, pairs, "--identify")).summary
    assert found.index("random pairs") < found.index("identification, 1:N")
    assert "57 mated and 20 non-mated probes" in found
    page = (world / "run/report.html").read_text("utf-8")
    assert 'href="#identification"' in page
    said = " ".join(text for _, text in Page(page).of("p", "intro"))
    assert "the same gallery, one picture of each of 19 identities, for 57 other pictures" in said
    assert "20 pictures of 5 strangers" in said
    # Without the option nothing is left of it.
    found = lookalikes(*compared(world, pairs, "--overwrite")).summary
    assert "1:N" not in found
    assert not (world / "run/identification").exists()
    assert "#identification" not in (world / "run/report.html").read_text("utf-8")


def test_what_others_put_beside_it_stays(world: Path, pairs: Path) -> None:
    base = compared(world, pairs, "--identify", models=1)
    assert lookalikes(*base, "--spreadsheet-safe").code == 0
    own = world / "run/identification/notes.txt"
    own.write_text("mine")
    assert lookalikes(*base, "--held-out", "0", "--overwrite").code == 0
    names = {path.name for path in own.parent.iterdir()}
    assert names == {*FILES, PROBES, "cmc.png", "cmc.svg", "notes.txt"}
    assert lookalikes(*compared(world, pairs, "--overwrite", models=1)).code == 0
    assert [*own.parent.iterdir()] == [own]


def test_a_model_is_run_on_all_faces_to_be_searched(world: Path) -> None:
    few = PairSet.of(["p00/0.png", "p00/0.png"], ["p00/1.png", "p01/0.png"], [1, 0])
    few.write(world / "few.csv")
    base = ("compare", str(world / "faces/whole"), "--pair-file", str(world / "few.csv"))
    given = ("--model", "pixels", "--identify", "--out", str(world / "run"))
    assert "57 mated and 20 non-mated probes" in lookalikes(*base, *given).summary


def test_scores_alone_cannot_be_searched(world: Path, pairs: Path) -> None:
    sent = str(world / "sent.csv")
    made = lookalikes(
        *("export-scores", str(pairs), "--embeddings", str(world / "whole/good"), "--out", sent)
    )
    assert made.code == 0
    faces, out = str(world / "faces/whole"), str(world / "run")
    base = ("compare", faces, "--pair-file", str(pairs), "--scores", sent, "--identify")
    message = lookalikes(*base, "--out", out).message
    assert "--identify needs vectors of all faces" in message
    assert "name --model or --embeddings" in message
    assert not (world / "run").exists()
    more = ("--embeddings", str(world / "whole/poorer"), "--out", out)
    summary = lookalikes(*base, *more).summary
    assert "searched by the models with vectors alone" in summary
    assert "run/identification" in summary
    names = {row["model"] for row in rows(world / "run/identification/identification.csv")}
    assert names == {"python:poorer"}


def test_how_a_gallery_is_drawn_asks_for_one(world: Path, pairs: Path) -> None:
    usage = lookalikes(*compared(world, pairs, "--gallery-size", "2", "--pool")).usage
    assert "--gallery-size and --pool say how a gallery is drawn; add --identify" in usage


def test_vectors_of_other_faces_are_refused(world: Path) -> None:
    (world / "faces/whole/p23/3.png").unlink()
    shutil.rmtree(world / "whole/poorer")
    embed(Faces.scan(world / "faces/whole"), planted("poorer", 1.2), world / "whole/poorer")
    few = world / "few.csv"
    PairSet.of(["p00/0.png", "p00/0.png"], ["p00/1.png", "p01/0.png"], [1, 0]).write(few)
    message = lookalikes(*compared(world, few, "--identify")).message
    assert "embeddings of different faces: 1 of 96 are missing in the second" in message
    assert not (world / "run/identification").exists()


def test_a_gallery_that_nobody_is_in_is_refused_before_the_work(world: Path, pairs: Path) -> None:
    message = lookalikes(*compared(world, pairs, "--identify", "--held-out", "0.99")).message
    assert "none that is in the gallery has a second face to look for" in message
    assert not (world / "run").exists()


# --- in a build


def built(world: Path, *options: object) -> tuple[object, ...]:
    base = ("build", str(world / "faces/whole"), "--reference", "pixels", "--no-floor")
    return (*base, "--pairs", "10", "--out", str(world / "built"), *options)


def test_a_build_writes_what_identify_does_unless_told_not_to(world: Path) -> None:
    made = lookalikes(*built(world, "--seed", "3", "--json"))
    assert made.code == 0, made.err
    vectors = str(world / "built/embeddings")
    alone = lookalikes("identify", vectors, "--seed", "3", "--out", str(world / "alone"), "--json")
    assert alone.code == 0, alone.err
    names = sorted(path.name for path in (world / "alone").iterdir())
    assert sorted(path.name for path in (world / "built/identification").iterdir()) == names
    for name in names:
        mine, theirs = (world / where / name for where in ("built/identification", "alone"))
        assert mine.read_bytes() == theirs.read_bytes(), name
    assert json.loads(made.out)["identification"] == json.loads(alone.out)["identification"]
    page = (world / "built/report.html").read_text("utf-8")
    assert "one picture of each of 19 identities, for 57 other pictures" in page
    found = lookalikes(*built(world, "--no-identify", "--no-all-pairs", "--overwrite")).summary
    assert "1:N" not in found
    assert not (world / "built/identification").exists()
    assert "#identification" not in (world / "built/report.html").read_text("utf-8")


def test_a_build_of_few_identities_says_why_it_does_not_search(world: Path) -> None:
    for number in range(9, PEOPLE):
        shutil.rmtree(world / f"faces/whole/p{number:02}")
    given = built(world, "--no-all-pairs")
    found = lookalikes(*given).summary
    assert "fewer than 10, so no search 1:N; --identify makes it" in found
    assert not (world / "built/identification").exists()
    found = lookalikes(*given, "--identify", "--overwrite").summary
    assert "21 mated and 8 non-mated probes" in found


def test_a_build_of_many_faces_leaves_the_search_to_the_user(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mining.commands.build_report.ALL_PAIRS", 1.0)
    found = lookalikes(*built(world)).summary
    assert "a search 1:N may take more than a minute; --identify makes it" in found
    assert not (world / "built/identification").exists()


def test_images_to_ignore_are_not_searched_in_a_build(world: Path) -> None:
    (world / "ignore.csv").write_text("0.png\n")
    listed = ("--ignore-list", str(world / "ignore.csv"), "--no-all-pairs")
    found = lookalikes(*built(world, *listed, "--json"))
    funnel = json.loads(found.out)["funnel"]
    told = {row["what"]: row["count"] for row in funnel if row["stage"] in ("gallery", "probes")}
    assert told["faces on the ignore list"] == PEOPLE
    assert (told["mated"], told["non-mated"]) == (19 * 2, 5 * 3)
    probes = rows(world / "built/identification" / PROBES)
    assert not [row for row in probes if row["probe"].endswith("/0.png")]


def test_a_build_that_nobody_can_be_found_in_is_refused_before_the_work(world: Path) -> None:
    for number in range(3, PEOPLE):
        shutil.rmtree(world / f"faces/whole/p{number:02}")
    for number in (1, 2):
        for at in (1, 2, 3):
            (world / f"faces/whole/p{number:02}/{at}.png").unlink()
    # A draw that holds out the only one who has further pictures.
    faces = Faces.scan(world / "faces/whole")
    seed = next(one for one in range(100) if not can_draw(faces.identities, one))
    one = ("--positives", "1", "--negatives", "1", "--identify", "--seed", str(seed))
    assert "has a second face to look for" in lookalikes(*built(world, *one)).message
    assert not (world / "built").exists()


def can_draw(names: np.ndarray, seed: int) -> bool:
    """Whether a gallery can be drawn."""
    try:
        draw_gallery(names, seed=seed)
    except SampleError:
        return False
    return True
