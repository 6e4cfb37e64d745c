"""Copies within one folder: those that all pairs have, whatever the threads, and again."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance
from support.worlds import embeddings_of

from mining.overlap import inner_copies
from mining.overlap.candidates import Twins
from mining.overlap.inner_copies import Copies, copies_within
from mining.suspects.evidence import Evidence
from pairsets.faces import Faces
from pairsets.pairset import PairSet
from pairsets.sources.drawn.sample import draw_faces


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Faces:
    """8 drawn identities; of some faces a changed copy under another name, and one file broken."""
    root = tmp_path_factory.mktemp("inner")
    drawn = draw_faces(root / "drawn", characters=8, seed=2).faces
    ways = (
        lambda face: face.rotate(7, Image.Resampling.BICUBIC),
        lambda face: ImageEnhance.Brightness(face).enhance(1.4),
        lambda face: face.crop((20, 30, 200, 210)).transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        lambda face: face,
    )
    folders = sorted(path for path in drawn.iterdir() if path.is_dir())
    for at, folder in enumerate(folders):
        picture = sorted(folder.iterdir())[0]
        other = folders[(at + 1) % len(folders)]
        face = Image.open(picture).convert("RGB")
        ways[at % len(ways)](face).save(other / f"copy of {at}.png")
    (folders[0] / "broken.png").write_bytes(b"no picture")
    (folders[0] / "20001_1.png").write_bytes(sorted(folders[0].glob("0*.png"))[1].read_bytes())
    (folders[1] / "20001_2.png").write_bytes(sorted(folders[1].glob("0*.png"))[1].read_bytes())
    return Faces.scan(drawn)


@pytest.fixture(scope="module")
def found(faces: Faces) -> Copies:
    return copies_within(faces, threads=1)


def test_copies_are_those_of_all_pairs(faces: Faces, found: Copies) -> None:
    paths, names = faces.paths.tolist(), dict(zip(faces.paths, faces.identities, strict=True))
    both = list(combinations(paths, 2))
    labels = [int(names[a] == names[b]) for a, b in both]
    pairs = PairSet.of([a for a, _ in both], [b for _, b in both], labels)
    naive = set()
    for check in Evidence(faces.root).checks(["duplicate", "source", "variant"]):
        doubt = check(pairs)
        naive |= {
            (*pairs.keys[row], doubt.kind, float(doubt.score[row]), reason)
            for row, reason in enumerate(doubt.reasons)
            if reason
        }
    ours = {tuple(one) for one in found.found}
    assert {one for one in naive - ours if one[2] != "variant"} == set()
    # Of drawings that an identity has in many expressions not each two are named.
    assert ours <= naive
    assert len(ours) > 0.6 * len(naive)
    assert sum(one[2] == "duplicate" for one in ours) >= 8
    assert [one[2] for one in ours if "20001" in one[4]] == ["source"]
    assert found.found == tuple(sorted(found.found))
    assert [*found.unread] == [path for path in paths if "broken" in path]


def test_threads_change_nothing(faces: Faces, found: Copies) -> None:
    again = copies_within(faces, threads=3)
    assert again.found == found.found
    assert again.unread == found.unread


def test_an_interrupted_search_goes_on(
    faces: Faces, found: Copies, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inner_copies, "BLOCK", 16)
    block, seen = inner_copies.Search.block, []

    def interrupted(self: inner_copies.Search, rows: range) -> list[inner_copies.Copy]:
        seen.append(rows)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return block(self, rows)

    monkeypatch.setattr(inner_copies.Search, "block", interrupted)
    journal = tmp_path / "blocks.sqlite"
    with pytest.raises(KeyboardInterrupt):
        copies_within(faces, journal=journal)
    assert copies_within(faces, journal=journal).found == found.found
    assert seen[1] == seen[2]
    assert len({*map(str, seen)}) == len(seen) - 1
    # Others are who they are said to be: what is kept is of other work.
    others = Faces.of_paths(faces.root, faces.paths.tolist()[:-1])
    copies_within(others, journal=journal)
    assert seen[-1].stop == len(others)


def test_what_words_and_hashes_miss_is_found_by_vectors(
    faces: Faces, found: Copies, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Twins, "likely", lambda self, picture, most: [])
    alone = {one[:2] for one in copies_within(faces).found}
    wanted = next(one for one in found.found if one.kind == "duplicate" and one[:2] not in alone)
    vectors = np.random.default_rng(0).normal(size=(len(faces), 64)).astype(np.float32)
    near, far = faces.positions(wanted[:2])
    vectors[near] = vectors[far] + 0.1 * vectors[near]
    read = copies_within(faces, references=[embeddings_of(faces, vectors)]).found
    assert wanted in read
    # Others that are found are what the checks say of each one's nearest.
    assert set(read) <= {*found.found, *copies_within(faces).found}
    # What other vectors say is no answer here.
    journal = tmp_path / "blocks.sqlite"
    others = embeddings_of(faces, vectors[::-1].copy())
    assert wanted not in copies_within(faces, references=[others], journal=journal).found
    again = copies_within(faces, references=[embeddings_of(faces, vectors)], journal=journal)
    assert again.found == read


def test_no_copies_of_few(faces: Faces) -> None:
    assert copies_within(faces.take([0])).found == ()
