"""One identity under two names across two sets: planted ones found, by the naive way's answer."""

from __future__ import annotations

import csv
import itertools
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support import oracle
from support.command_line import lookalikes
from support.identities import people
from support.refusals import misused, refused

from indexes.join.stack import Stacked
from mining.commands.check_overlap import find_overlap
from mining.embeddings.store import Embeddings
from mining.overlap.alike_identities import alike_identities, nearest_pairs
from mining.overlap.embedded_sides import EmbeddedSides
from mining.suspects.aliases import SameIdentity
from mining.suspects.identity import nearest_pairs as module
from pairsets import Faces, PairSet
from pairsets.errors import PairSetError
from pairsets.files.cannot_links import CannotLinks

RENAMED = range(0, 40, 5)
IN_BOTH = range(2, 40, 10)


def naively(ours, theirs, known, count):
    found = set()
    for one, other, turn in ((ours, theirs, False), (theirs, ours, True)):
        for i, row in enumerate(one):
            scores = [
                (-oracle.score(row, column), j)
                for j, column in enumerate(other)
                if ((j, i) if turn else (i, j)) not in known
            ]
            found |= {(j, i) if turn else (i, j) for _, j in sorted(scores)[:count]}
    return sorted(found)


@given(
    sizes=st.tuples(st.integers(0, 9), st.integers(0, 9)),
    known=st.sets(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=8),
    count=st.integers(1, 4),
    scale=st.sampled_from([1.0, 1e-20, 1e25]),
    seed=st.integers(0, 9),
    held=st.sampled_from([1, 7, 2**22]),
)
@settings(derandomize=True, deadline=None)
def test_nearest_equal_the_double_loop(sizes, known, count, scale, seed, held):
    generator = np.random.default_rng(seed)
    # Small whole numbers make ties.
    ours, theirs = (
        (generator.integers(-2, 3, (size, 3)) * scale).astype(np.float32) for size in sizes
    )
    known = {(i, j) for i, j in known if i < len(ours) and j < len(theirs)}
    before, module._SCORES = module._SCORES, held
    try:
        array = np.array(sorted(known), np.int64).reshape(-1, 2)
        found = nearest_pairs(ours, theirs, array, count)
    finally:
        module._SCORES = before
    assert [tuple(pair) for pair in found.tolist()] == naively(ours, theirs, known, count)


def sets_of(vectors, people_of):
    """Two sets of faces `<identity>/<row>`: whose, and in which, is what `people_of` says."""
    rows = sorted(range(len(vectors)), key=lambda row: (people_of[row][0] == "test", row))
    paths = np.array(["/".join((*people_of[row], f"{row:04}")) for row in rows], object)
    names = np.array([people_of[row][1] for row in rows], object)
    split = sum(side == "train" for side, _ in people_of)
    array = np.asarray(vectors, np.float32)[rows]
    return Faces(Path(), paths, names, split=split), array, split


def all_flagged(whole, split, known=(), cannot=None):
    """Every pair of names, looked at in one array of all faces."""
    firsts = [{}, {}]
    for row, name in enumerate(whole.faces.identities):
        firsts[row >= split].setdefault(name, whole.faces.paths[row])
    both = [(a, b) for a, b in itertools.product(*firsts) if a != b and (a, b) not in known]
    pairs = PairSet.of(
        [firsts[0][a] for a, _ in both],
        [firsts[1][b] for _, b in both],
        0,
        identities=dict(zip(whole.faces.paths, whole.faces.identities, strict=True)),
    )
    doubt = SameIdentity([whole], cannot=cannot, by_name=False)(pairs)
    return {both[row]: float(doubt.score[row]) for row in np.flatnonzero(doubt.flagged)}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_planted_ones_are_found_as_by_looking_at_all(seed):
    vectors, names = people(40, 8, seed=seed)
    people_of = [
        (
            ("train", "test")[row % 2],
            f"{('a', 'b')[row % 2]}{name}" if int(name[1:]) in RENAMED else name,
        )
        if int(name[1:]) in (*RENAMED, *IN_BOTH)
        else (("train", "test")[int(name[1:]) % 2], name)
        for row, name in enumerate(names)
    ]
    faces, array, split = sets_of(vectors, people_of)
    manifest = {"model": "pixels", "similarity": "cosine"}
    stacked = Stacked(array[:split], array[split:])
    both = Embeddings(faces, stacked.rows, manifest, Path("nowhere"))
    whole = Embeddings(
        Faces(Path(), faces.paths, faces.identities), array, manifest, Path("nowhere")
    )
    planted = {(f"ap{person:03}", f"bp{person:03}") for person in RENAMED}
    found = alike_identities(both)
    assert {(one.train, one.test): one.score for one in found} == all_flagged(whole, split)
    assert {(one.train, one.test) for one in found} <= planted
    assert len(found) >= 6
    assert {one.kind for one in found} == {"alias"}
    assert all(one.why.startswith("16 pairs of them, as alike as their own (0.") for one in found)
    # What is known is not told again, and what cannot be is not said.
    (first, second, *_) = found
    known = {(first.train, first.test)}
    rest = alike_identities(both, known)
    assert {(one.train, one.test) for one in rest} == {(one.train, one.test) for one in found[1:]}
    member = {name: path for path, name in zip(faces.paths, faces.identities, strict=True)}
    cannot = CannotLinks([], [[member[second.train], member[second.test]]], ["x.csv"])
    rest = alike_identities(both, cannot=cannot)
    assert {(one.train, one.test) for one in rest} == {
        (one.train, one.test) for one in found if one is not second
    }


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Pictures whose pixels are vectors, in two sets of five and five people, one of them in both.

    `ayame` of training is `botan` of the test set; a model that reads the pixels.
    """
    vectors, _ = people(9, 12, noise=0.5)
    names = [("train", name) for name in ("ayame", "carol", "dana", "emma", "both")]
    names += [("test", name) for name in ("botan", "fay", "gina", "hana", "both")]
    person = [0, 1, 2, 3, 4, 0, 5, 6, 7, 4]
    for at, (side, name) in enumerate(names):
        (tmp_path / side / name).mkdir(parents=True)
        own = vectors[12 * person[at] : 12 * person[at] + 12]
        for number, row in enumerate(own[:6] if side == "train" else own[6:]):
            pixels = np.clip(np.round(128 + 200 * row), 0, 255).astype(np.uint8).reshape(2, 4, 3)
            Image.fromarray(pixels).save(tmp_path / side / name / f"{number}.png")
    (tmp_path / "seen.py").write_text(
        "import numpy as np\n"
        "def pixels():\n"
        "    return lambda images: np.array([np.asarray(i, float).ravel() - 128 for i in images])\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "seen", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


SIDES = ("check-overlap", "--train", "train", "--test", "test", "--names-only")
BY_MODEL = (*SIDES, "--model", "python:seen:pixels", "--out", "out.csv")


def rows_of(file):
    with file.open(newline="", encoding="utf-8") as stream:
        return [(row["kind"], row["train"], row["test"]) for row in csv.DictReader(stream)]


TRUTH = [("identity", "both", "both"), ("alias", "ayame", "botan")]


def test_the_command_embeds_both_sets(home):
    made = lookalikes(*BY_MODEL)
    assert made.code == 3  # `both` is in both
    assert rows_of(home / "out.csv") == TRUTH
    assert "botan (in training: ayame): 36 pairs of them" in " ".join(made.out.split())
    # An alias that is only suspected is no overlap.
    for side in ("train", "test"):
        (home / side / "both").rename(home / side / f"only_{side}_{'xy'[side == 'test']}")
    shutil.rmtree(home / "test" / "only_test_y")
    assert lookalikes(*BY_MODEL, "--overwrite").code == 0
    assert rows_of(home / "out.csv") == TRUTH[1:]


@pytest.fixture
def embedded(home):
    for side in ("train", "test"):
        made = lookalikes("embed", side, "--model", "python:seen:pixels", "--out", f"emb/{side}")
        assert made.code == 0
    return ("--train-embeddings", "emb/train", "--test-embeddings", "emb/test")


def test_embeddings_that_are_there_give_the_same(home, embedded):
    assert lookalikes(*SIDES, *embedded, "--out", "own.csv").code == 3
    assert lookalikes(*BY_MODEL).code == 3
    assert (home / "own.csv").read_bytes() == (home / "out.csv").read_bytes()
    # Lists of names have no pictures; vectors of their faces are enough.
    (home / "test.txt").write_text("botan\nfay\ngina\nhana\nboth\n")
    sides = ("check-overlap", "--train", "train", "--test", "test.txt")
    assert lookalikes(*sides, *embedded, "--out", "list.csv").code == 3
    assert rows_of(home / "list.csv") == TRUTH


def test_aliases_are_not_told_twice(home, embedded):
    (home / "aliases.csv").write_text("identity,alias\nayame,botan\n")
    made = lookalikes(*SIDES, *embedded, "--aliases", "aliases.csv", "--out", "out.csv")
    assert made.code == 3
    assert rows_of(home / "out.csv") == [
        ("identity", "ayame", "botan"),
        ("identity", "both", "both"),
    ]


LINKS = {
    "pairs": "pathA,pathB\nayame/0.png,botan/3.png\n",
    "turned": "pathA,pathB\nbotan/3.png,ayame/0.png\n",
    "pictures": "path,picture\nayame/1.png,p1\nbotan/0.png,p1\n",
}


@pytest.mark.parametrize("form", LINKS)
def test_faces_of_one_picture_are_two_people(home, embedded, form):
    (home / "links.csv").write_text(LINKS[form])
    made = lookalikes(*SIDES, *embedded, "--cannot-link", "links.csv", "--out", "out.csv")
    assert made.code == 3
    assert rows_of(home / "out.csv") == TRUTH[:1]


def test_tables_of_crops_of_both_sets(home, embedded):
    for side, name in (("train", "ayame"), ("test", "botan")):
        (home / f"{side}.csv").write_text(
            "path,id,left,top,right,bottom,picture_bytes,crop_bytes\n"
            f"{name}/2.png,4711,0,0,9,9,1,1\n"
        )
    links = ("--cannot-link", "train.csv", "--cannot-link", "test.csv")
    assert lookalikes(*SIDES, *embedded, *links, "--out", "out.csv").code == 3
    assert rows_of(home / "out.csv") == TRUTH[:1]


def test_misfits_of_links_are_told(home, embedded):
    (home / "links.csv").write_text(
        "pathA,pathB\nayame/0.png,nobody/1.png\nfay/0.png,fay/1.png\ndana/0.png,gina/1.png\n"
    )
    made = lookalikes(*SIDES, *embedded, "--cannot-link", "links.csv")
    told = " ".join(made.out.split())
    assert "1 of its paths are of neither set" in told
    assert "1 of its pairs of faces are of one identity" in told


REFUSED = {
    "one set's vectors": (["--train-embeddings", "emb/train"], "vectors of one set alone"),
    "both ways": (["--model", "pixels", "--out", "o.csv"], "expected one of the two"),
    "strange links": (["--cannot-link", "strange.csv"], "none of its paths is of these two sets"),
    "no links": (["--cannot-link", "none.csv"], "none.csv: no such file"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals(home, embedded, case):
    (home / "strange.csv").write_text("pathA,pathB\nx/1.png,y/1.png\n")
    options, message = REFUSED[case]
    vectors = () if case == "one set's vectors" else embedded
    assert message in refused(home, *SIDES, *vectors, *options)


def test_refusals_without_vectors(home):
    (home / "links.csv").write_text(LINKS["pairs"])
    (home / "names.txt").write_text("fay\n")
    by = ("--model", "pixels")
    assert "--model needs --out" in refused(home, *SIDES, *by)
    sides = ("check-overlap", "--train", "train", "--test", "names.txt")
    assert "names.txt: no folder of faces" in refused(home, *sides, *by, "--out", "o.csv")
    assert "name --model, or embeddings" in refused(home, *SIDES, "--cannot-link", "links.csv")
    assert "--device is that of --model" in misused(home, *SIDES, "--device", "cpu")


def test_vectors_of_other_faces_are_refused(home, embedded):
    message = refused(
        home, *SIDES, "--train-embeddings", "emb/test", "--test-embeddings", "emb/train"
    )
    assert "train: 6 of its 30 pictures are among the embedded ones" in message
    (home / "new").mkdir()
    shutil.copytree(home / "test" / "fay", home / "new" / "zoe")
    sides = ("check-overlap", "--train", "train", "--test", "new", "--names-only")
    message = refused(home, *sides, *embedded)
    assert "new: 0 of its 6 pictures are among the embedded ones, and 'zoe/0.png' is" in message


def test_pictures_without_a_vector_are_told(home, embedded):
    shutil.copy(home / "test" / "fay" / "0.png", home / "test" / "fay" / "9.png")
    (home / "train" / "dana" / "0.png").unlink()
    sides = EmbeddedSides(Path("emb/train"), Path("emb/test"))
    found = find_overlap(Path("train"), Path("test"), pictures=False, vectors=sides)
    told = " ".join(found.made.warnings)
    assert "test: 1 pictures have no vector" in told
    assert "train: 1 embedded pictures are not in it any more" in told


def test_the_same_set_twice_is_refused(home, embedded):
    with pytest.raises(ValueError, match="a set against itself"):
        find_overlap(
            Path("train"),
            Path("train"),
            pictures=False,
            vectors=EmbeddedSides(Path("emb/train"), Path("emb/train")),
        )
    (home / "l.csv").write_text("pathA,pathB\n")
    sides = EmbeddedSides(Path("emb/train"), Path("emb/test"), cannot_link=[Path("l.csv")])
    with pytest.raises(PairSetError, match="nothing is said by it"):
        find_overlap(Path("train"), Path("test"), pictures=False, vectors=sides)
