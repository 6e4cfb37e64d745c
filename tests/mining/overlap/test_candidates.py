"""Which pictures may show which: copies are named, whatever else is."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from PIL import Image

from mining.overlap.candidates import (
    BITS,
    LEAST_NEEDED,
    MOST,
    MOST_NEEDED,
    TABLES,
    Postings,
    Twins,
    entry_of,
)
from mining.overlap.near_hashes import NearHashes
from mining.suspects.pictures.alignment import HASH_BITS
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
        lambda face: face.rotate(9, Image.Resampling.BICUBIC),
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


def test_votes_equal_a_count_one_by_one(faces, twins):
    """Words that share a key with those of another, each by the rarest key they share."""
    pictures = [picture_of(face)[0] for face in faces]
    entries = [entry_of(picture, twins.levels) for picture in pictures]
    counts = [
        Counter(np.concatenate([one.keys[:, :, table].ravel() for one in entries]).tolist())
        for table in range(TABLES)
    ]
    query = entries[5].keys[0].tolist()
    naive = []
    for entry in entries:
        both = []
        for way in entry.keys:
            said = 0
            for word in query:
                votes = [
                    840 * 4 // max(4, counts[table][key])
                    for table, key in enumerate(word)
                    if key in {*way[:, table].tolist()}
                ]
                said += max(votes, default=0)
            both.append(said)
        naive.append(max(both))
    for needed in (1, 840, 5000):
        elected = [row for row, votes in enumerate(naive) if votes >= needed]
        elected.sort(key=lambda row: -naive[row])
        rows, votes = twins._elected(entries[5].keys[0], needed)
        assert rows.tolist() == elected
        assert votes.tolist() == [naive[row] for row in elected]
        assert len(elected) > 1
    assert naive[5] == max(naive)


def test_what_is_needed_is_above_what_others_usually_have(faces, twins):
    pictures = [picture_of(face)[0] for face in faces]
    best = []
    for at, picture in enumerate(pictures):
        entry = entry_of(picture, twins.levels)
        rows, votes = twins._elected(entry.keys[0], 0)
        best.append(max(votes[rows != at].tolist(), default=0))
    usual = 1.6 * np.median(best) / 840
    assert twins._needed == int(840 * min(max(usual, LEAST_NEEDED), MOST_NEEDED))
    # Of few nothing is usual, and each of many shares plain words with some other.
    assert Twins.of(pictures[:1])._needed == Twins.of([])._needed == 840 * LEAST_NEEDED


def test_hashes_by_parts_are_those_by_one(monkeypatch):
    dice = np.random.default_rng(0)
    hashes = dice.integers(0, 2**64, (400, 2), np.uint64)
    # Near ones of each number of bits about the limit.
    for row in range(1, 300):
        flipped = dice.choice(64, row % 14, replace=False)
        mask = np.bitwise_or.reduce(np.uint64(1) << flipped.astype(np.uint64), initial=np.uint64(0))
        hashes[row, row % 2] = hashes[0, 0] ^ mask
    wanted = [int(one) for one in hashes[:30].ravel()]
    alone = NearHashes(hashes)
    expected = [alone.near(one, 999).tolist() for one in wanted]
    naive = []
    for one in wanted:
        apart = [min((one ^ other).bit_count() for other in both) for both in hashes.tolist()]
        rows = sorted(range(len(apart)), key=lambda row: (apart[row], row))
        naive.append([row for row in rows if apart[row] <= HASH_BITS])
    monkeypatch.setattr("mining.overlap.near_hashes.FEW", 0)
    parts = NearHashes(hashes)
    assert expected == naive == [parts.near(one, 999).tolist() for one in wanted]
    assert len(naive[0]) > 200
    for most in (0, 1, 7):
        assert [alone.near(one, most).tolist() for one in wanted] == [a[:most] for a in naive]
        assert [parts.near(one, most).tolist() for one in wanted] == [a[:most] for a in naive]
    assert NearHashes(hashes[:0]).near(1, 9).tolist() == []


def test_keys_are_looked_up_as_they_are_searched_for(monkeypatch):
    dice = np.random.default_rng(0)
    owners = np.sort(dice.integers(0, 50, 300)).astype(np.int32)
    tables = [dice.integers(0, 40 * (table + 1), 300).astype(np.int32) for table in range(TABLES)]
    tables[3][:5] = (1 << BITS) - 1
    asked = dice.integers(0, 200, (60, TABLES)).astype(np.int32)
    asked[:3, 3] = (1 << BITS) - 1
    naive = {
        (word, owner)
        for word, keys in enumerate(asked.tolist())
        for table, key in enumerate(keys)
        for owner in owners[tables[table] == key].tolist()
    }
    for few in (10**9, 0):
        monkeypatch.setattr("mining.overlap.candidates.FEW_KEYS", few)
        postings = Postings(tables, owners)
        word, first, many = postings.of(asked)
        found = {
            (at, owner)
            for at, start, count in zip(word, first, many, strict=True)
            for owner in postings.owners[start : start + count].tolist()
        }
        assert found == naive
        assert all(many > 0)
        assert Postings([keys[:0] for keys in tables], owners[:0]).of(asked)[0].tolist() == []
