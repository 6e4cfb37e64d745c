"""Templates pooled from pictures, from files to the TAR at FAR of planted identities."""

from __future__ import annotations

import json
from collections import defaultdict

import numpy as np
import pytest
from PIL import Image
from support.command_line import lookalikes
from support.flat_calls import evaluate_pairs

from mining import Embeddings, embed
from mining.commands.pool import pool_templates
from mining.embeddings.options import EmbeddingOptions
from mining.errors import EmbeddingError
from pairsets import Faces, PairSet
from pairsets.errors import OutputError, SourceError
from pairsets.evaluation.protocols import tar_at_far
from pairsets.sources.formats import ijb

PEOPLE, EACH, SIZE = 12, 5, 6


class Planted:
    """A model that reads the number of a picture from its colour, and has a vector for each."""

    def __init__(self, vectors, similarity="cosine"):
        self.vectors, self.similarity = vectors, similarity
        self.name, self.fingerprint, self.provenance = "python:planted", "one", {"family": "x"}

    def preprocess(self, image):
        red, green, _ = np.asarray(image)[0, 0].tolist()
        return np.array([256 * red + green], np.int64)

    def encode(self, batch):
        return self.vectors[batch[:, 0]]


class World:
    """People with templates of stills and videos, their files as IJB has them, and the truth."""

    def __init__(self, root, similarity="cosine"):
        generator = np.random.default_rng(7)
        middles = generator.standard_normal((PEOPLE, SIZE))
        self.root, vectors, rows = root, [], []
        self.subject = {}
        for number in range(PEOPLE * EACH):
            template = 1 + 17 * number
            self.subject[template] = number % PEOPLE
            # Media are numbered anew in each template; a video has up to thirty frames.
            for medium in range(int(generator.integers(1, 4))):
                shot = middles[number % PEOPLE] + 0.7 * generator.standard_normal(SIZE)
                for _ in range(int(generator.choice([1, 1, 30]))):
                    rows.append((len(vectors), template, medium))
                    vectors.append(shot + 0.4 * generator.standard_normal(SIZE))
        self.rows = [rows[at] for at in generator.permutation(len(rows))]
        self.vectors = np.array(vectors, np.float32)
        # Flat, as `loose_crop` is, but within a folder, which stands for an identity.
        self.faces = root / "ijb"
        (self.faces / "loose_crop").mkdir(parents=True)
        for number in range(len(vectors)):
            colour = (number // 256, number % 256, 0)
            Image.new("RGB", (4, 4), colour).save(self.faces / "loose_crop" / f"{number}.png")
        self.write(self.rows)
        numbers = sorted(self.subject)
        two = [(a, b) for at, a in enumerate(numbers) for b in numbers[:at]]
        self.pairs = [two[at] for at in generator.permutation(len(two))]
        with (root / "pairs.txt").open("w") as stream:
            for a, b in self.pairs:
                stream.write(f"{a} {b} {int(self.subject[a] == self.subject[b])}\n")
        self.model = Planted(self.vectors, similarity)
        embed(Faces.scan(self.faces), self.model, root / "pictures")

    def write(self, rows):
        with (self.root / "tid_mid.txt").open("w") as stream:
            stream.writelines(f"{number}.png {t} {m}\n" for number, t, m in rows)

    def truth(self, gone=()):
        """The vector of each template, spelled out."""
        unit = self.vectors.astype(float)
        if self.model.similarity == "cosine":
            unit /= np.linalg.norm(unit, axis=1, keepdims=True)
        shots = defaultdict(lambda: defaultdict(list))
        for number, template, medium in self.rows:
            if number not in gone:
                shots[template][medium].append(unit[number])
        found = {
            template: np.mean([np.mean(frames, axis=0) for frames in media.values()], axis=0)
            for template, media in shots.items()
        }
        if self.model.similarity == "cosine":
            return {t: vector / np.linalg.norm(vector) for t, vector in found.items()}
        return found

    def pool(self, pairs="pairs.txt", out="templates", **more):
        return pool_templates(
            self.root / "pictures",
            self.root / "tid_mid.txt",
            self.root / pairs if pairs else None,
            self.root / out,
            **more,
        )


@pytest.fixture(params=["cosine", "inner_product"])
def world(request, tmp_path):
    return World(tmp_path, request.param)


def test_templates_are_means_of_media(world):
    made = world.pool()
    found, truth = Embeddings.load(world.root / "templates"), world.truth()
    assert len(found) == len(truth) == PEOPLE * EACH
    assert found.faces.paths.tolist() == sorted(found.faces.paths)
    for path, vector in zip(found.faces.paths, found.vectors, strict=True):
        np.testing.assert_allclose(vector, truth[int(path.rpartition("/")[2])], atol=1e-6)
    assert (found.model, found.similarity) == ("python:planted", world.model.similarity)
    # The smallest template of a person names the subject.
    assert set(found.faces.identities) == {f"subject_{1 + 17 * p:06d}" for p in range(PEOPLE)}
    kept = {row.what: row.count for row in made.funnel}
    assert kept == {
        "pictures": len(world.rows),
        "media": len({row[1:] for row in world.rows}),
        "templates": PEOPLE * EACH,
    }
    assert not made.warnings


def test_lists_of_nist_say_whose_templates_they_are(world):
    header = "TEMPLATE_ID,SUBJECT_ID,FILENAME,SIGHTING_ID\n"
    lists = [world.root / "gallery.csv", world.root / "probes.csv"]
    for path, kept in zip(lists, (0, 1), strict=True):
        rows = [row for row in world.rows if row[1] % 2 == kept]
        path.write_text(
            header + "".join(f"{t},{world.subject[t]},{n}.png,{m}\n" for n, t, m in rows)
        )
    matches = world.root / "matches.csv"
    matches.write_text("".join(f"{a},{b}\n" for a, b in world.pairs))
    world.pool()
    plain = Embeddings.load(world.root / "templates")
    for name, pairs in (("nist", None), ("by matches", matches), ("by pairs", "pairs.txt")):
        found = world.root / name
        given = pairs if pairs is None else world.root / pairs
        made = pool_templates(world.root / "pictures", lists, given, found)
        mine = Embeddings.load(found)
        assert not made.warnings
        rows = {path.rpartition("/")[2]: row for row, path in enumerate(plain.faces.paths)}
        for path, vector in zip(mine.faces.paths, mine.vectors, strict=True):
            subject, template = path.removeprefix("subject_").split("/")
            assert int(subject) == world.subject[int(template)]
            assert vector.tobytes() == plain.vectors[rows[template]].tobytes()
    found = ijb.read(matches, templates=lists).pairs
    assert {*found.paths} == {*mine.faces.paths}
    # One picture in templates of two subjects cannot stand for both.
    number = world.rows[0][0]
    lists[1].write_text(lists[1].read_text() + f"9999,77,{number}.png,0\n")
    with pytest.raises(SourceError, match=r"probes.csv: .* is in templates of the subjects"):
        pool_templates(world.root / "pictures", lists, None, world.root / "no")
    assert not (world.root / "no").exists()


def test_evaluation_on_templates_is_that_of_the_protocol(world):
    world.pool()
    content = ijb.read(world.root / "pairs.txt")
    content.pairs.write(world.root / "pairs.csv")
    made = evaluate_pairs(
        world.root / "pairs.csv",
        embeddings=[world.root / "templates"],
        draws=0,
        fars=(0.01, 0.1),
        encoding=EmbeddingOptions(),
    )
    truth = world.truth()
    scores = [float(truth[a] @ truth[b]) for a, b in world.pairs]
    labels = [world.subject[a] == world.subject[b] for a, b in world.pairs]
    (found,) = made.protocols.values()
    for mine, theirs in zip(found.tars, tar_at_far(labels, scores, (0.01, 0.1)), strict=True):
        assert (mine.tar, mine.achieved) == (theirs.tar, theirs.achieved)
        assert mine.threshold == pytest.approx(theirs.threshold, abs=1e-5)
        assert 0.2 < mine.tar < 1


def test_the_pairs_may_be_those_converted(world):
    world.pool()
    ijb.read(world.root / "pairs.txt").pairs.write(world.root / "pairs.csv")
    world.pool("pairs.csv", "again")
    one, other = (Embeddings.load(world.root / name) for name in ("templates", "again"))
    assert one.manifest == other.manifest


def test_templates_can_be_mined(world):
    world.pool()
    ijb.read(world.root / "pairs.txt").pairs.write(world.root / "pairs.csv")
    out = world.root / "hard.csv"
    assert lookalikes(
        "mine", world.root / "templates", "--pairs", 20, "--out", out,
        "--test-pairs", world.root / "pairs.csv",
    ).code == 0  # fmt: skip
    hard = PairSet.read(out)
    hard = hard.take(hard.negatives)
    truth = world.truth()
    scores = {
        pair: float(truth[pair[0]] @ truth[pair[1]])
        for pair in world.pairs
        if world.subject[pair[0]] != world.subject[pair[1]]
    }
    found = [
        {int(path.rpartition("/")[2]) for path in pair}
        for pair in zip(hard.path_a, hard.path_b, strict=True)
    ]
    best = sorted(scores, key=scores.__getitem__, reverse=True)[:20]
    assert sorted(map(sorted, found)) == sorted(map(sorted, best))


def test_the_same_files_give_the_same_bytes(world):
    def files(name):
        return [path.read_bytes() for path in sorted((world.root / name).iterdir())]

    world.pool()
    world.pool(out="again")
    assert len(files("templates")) == 3
    assert files("templates") == files("again")
    # In another order the manifest's digest of the file is another; no vector is.
    world.write(sorted(world.rows))
    world.pool(out="again", overwrite=True)
    assert files("templates")[::2] == files("again")[::2]
    assert (world.root / "templates" / "images.csv").read_bytes() == files("again")[0]


def test_pictures_without_a_vector_are_left_out_and_counted(world):
    """One that cannot be read, one that is not there, and a template that has but these."""
    gone = [number for number, template, _ in world.rows if template == 1]
    gone.append(next(n for n, t, _ in world.rows if t != 1))
    for number in gone:
        (world.faces / "loose_crop" / f"{number}.png").write_bytes(b"broken")
    missing = gone.pop(0)
    (world.faces / "loose_crop" / f"{missing}.png").unlink()
    embed(Faces.scan(world.faces), world.model, world.root / "pictures", on_error="skip")
    made = world.pool()
    lost = {row.what: row.count for row in made.funnel if not row.kept}
    assert lost == {
        **({"pictures that cannot be read": len(gone)} if gone else {}),
        "pictures that were not embedded": 1,
        "templates without a picture that has a vector": 1,
    }
    found, truth = Embeddings.load(world.root / "templates"), world.truth({*gone, missing})
    assert len(found) == PEOPLE * EACH - 1
    assert dict(found.skipped) == {"subject_000001/1": "none of its pictures has a vector"}
    for path, vector in zip(found.faces.paths, found.vectors, strict=True):
        np.testing.assert_allclose(vector, truth[int(path.rpartition("/")[2])], atol=1e-6)


def test_without_pairs_each_template_is_its_own_subject(world):
    made = world.pool(None)
    found = Embeddings.load(world.root / "templates")
    assert len(set(found.faces.identities)) == PEOPLE * EACH
    assert "--pair-file" in made.warnings[0]


def test_vectors_that_cancel_out(tmp_path):
    world = World(tmp_path)
    pictures = Embeddings.load(tmp_path / "pictures")
    opposite = np.array(pictures.vectors)
    opposite[1] = -opposite[0]
    model = Planted(opposite)
    numbers = [int(path.rpartition("/")[2][:-4]) for path in pictures.faces.paths]
    model.vectors = opposite[np.argsort(numbers)]
    model.fingerprint = "two"
    embed(Faces.scan(world.faces), model, tmp_path / "pictures")
    a, b = (n for n in numbers[:2])
    world.write([(a, 5, 1), (b, 5, 2), (numbers[3], 6, 1)])
    made = world.pool(None)
    assert {row.what: row.count for row in made.funnel}["templates whose vectors cancel out"] == 1
    found = Embeddings.load(tmp_path / "templates")
    assert found.faces.paths.tolist() == ["subject_000006/6"]
    assert dict(found.skipped) == {"subject_000005/5": "its pictures' vectors cancel out"}
    world.write([(a, 5, 1), (b, 5, 2)])
    with pytest.raises(EmbeddingError, match="of every template cancel out"):
        world.pool(None, "none")
    assert not list((tmp_path / "none").glob("*"))


def test_what_is_refused_leaves_nothing(world):
    world.pool()
    before = (world.root / "templates" / "manifest.json").read_bytes()
    with pytest.raises(OutputError, match="exists"):
        world.pool()
    with pytest.raises(OutputError, match="is read by this command"):
        world.pool(out="pictures", overwrite=True)
    world.write([(9999, 1, 1)])
    with pytest.raises(SourceError, match=r"none of its 1 pictures, such as '9999.png', has a"):
        world.pool(overwrite=True)
    world.write([(3, 2, 1)])
    with pytest.raises(SourceError, match=r"none of the 60 templates of .* such as 1, is in it"):
        world.pool(overwrite=True)
    (world.root / "bad.csv").write_text(
        "pathA,pathB,label,human_prediction,invalid\na/b,c/d,0,0,0\n"
    )
    with pytest.raises(SourceError, match=r"bad.csv: 'a/b' is no template"):
        world.pool("bad.csv", overwrite=True)
    (world.faces / "more").mkdir()
    (world.faces / "loose_crop" / "3.png").rename(world.faces / "more" / "4.png")
    embed(Faces.scan(world.faces), world.model, world.root / "pictures")
    world.write([(4, 1, 1)])
    with pytest.raises(SourceError, match=r"tid_mid.txt: '4.png' could be 'loose_crop/4.png' or"):
        world.pool(overwrite=True)
    assert (world.root / "templates" / "manifest.json").read_bytes() == before
    assert json.loads(before)["provenance"]["pooled"]["pictures"] == len(world.rows)
