"""Which pictures may show which: copies are named, whatever else is."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from mining.overlap.candidates import MOST, Twins
from mining.suspects.pictures.features import picture_of
from pairsets.sources.drawn.sample import draw_faces

Mirror = Image.Transpose.FLIP_LEFT_RIGHT


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    drawn = draw_faces(tmp_path_factory.mktemp("drawn") / "sample", characters=12, seed=3)
    return [Image.open(path).convert("RGB") for path in sorted(drawn.faces.rglob("*.png"))]


@pytest.fixture(scope="module")
def twins(faces):
    return Twins.of([picture_of(face)[0] for face in faces])


@pytest.mark.parametrize(
    "change",
    [
        lambda face: face,
        lambda face: face.transpose(Mirror),
        lambda face: face.resize((130, 130), Image.Resampling.LANCZOS),
        lambda face: face.crop((20, 34, 200, 214)),
        lambda face: face.crop((10, 0, 190, 200)).transpose(Mirror).resize((160, 200)),
    ],
)
def test_copies_are_named_and_few_others(faces, twins, change):
    likely = [twins.likely(picture_of(change(face))[0]) for face in faces]
    assert [row for row, named in enumerate(likely) if row not in named] == []
    # By votes, by hashes, and the very same pixels.
    assert max(map(len, likely)) <= 2 * MOST + 1
    assert all(named == sorted(set(named)) for named in likely)


def test_pictures_without_anything_in_them(faces, twins):
    blank = picture_of(Image.new("RGB", (64, 64), "white"))[0]
    assert blank.words.shape == (0, 128)
    assert Twins.of([blank, blank]).likely(blank) == [0, 1]
    assert Twins.of([]).likely(picture_of(faces[0])[0]) == []
    assert len(Twins.of([picture_of(faces[0])[0], blank])) == 2


@pytest.mark.parametrize("table", [2**20, 0])
def test_votes_equal_a_count_one_by_one(faces, twins, table, monkeypatch):
    """Words of a picture that share a key with words of another, as they are or mirrored."""
    from mining.overlap.candidates import _COMMON, _keys
    from mining.suspects.pictures.features import mirrored_words

    pictures = [picture_of(face)[0] for face in faces]
    own = []
    for picture in pictures:
        both = [_keys(way, twins.levels) for way in (picture.words, mirrored_words(picture.words))]
        own.append({*np.concatenate(both).tolist()})
    common = {key for key, count in zip(*np.unique(twins.keys, return_counts=True), strict=True)
              if count > _COMMON}  # fmt: skip
    query = pictures[5]
    keys = _keys(query.words, twins.levels).reshape(len(query.words), -1).tolist()
    monkeypatch.setattr("mining.overlap.candidates.TABLE_BYTES", table)
    naive = [sum(bool(({*word} - common) & mine) for word in keys) for mine in own]
    assert twins._votes(query.words).tolist() == naive
