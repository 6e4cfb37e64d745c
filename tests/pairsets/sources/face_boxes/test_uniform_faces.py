"""Faces that are read together are those that are read one by one, whatever stands among them."""

from __future__ import annotations

import json
from random import Random

import numpy as np
import pytest

from pairsets.errors import SourceError
from pairsets.sources.face_boxes import keyed_json
from pairsets.sources.face_boxes.uniform_faces import take_members
from pairsets.sources.text.json_stream import JsonStream

PLAIN = '[{"bbox": [1, 2, 30.5, 40], "score": 0.5}]'
# Members of the object, as text.
ODD = {
    "a picture again": f'"7": {PLAIN}, "7": [{{"bbox": [1, 2, 3, 5], "score": 1}}]',
    "a picture under another name": f'"7": {PLAIN}, "7.jpg": []',
    "a score twice": '"7": [{"bbox": [1, 2, 3, 4], "score": 0.5, "score": 0.7}]',
    "a box twice": '"7": [{"bbox": [1, 2, 3, 4], "bbox": [1, 2, 3, 5], "score": 0.7}]',
    "a path": f'"rei/a b.png": {PLAIN}',
    "a path that leaves its folder": f'"../a.png": {PLAIN}',
    "a path that is escaped": f'"a\\u002epng": {PLAIN}',
    "leading zeros": f'"007": {PLAIN}',
    "another kind of digits": f'"٣": {PLAIN}',
    "a large number": f'"{"9" * 18}": {PLAIN}',
    "a number too large": f'"{"9" * 19}": {PLAIN}',
    "no path": f'"": {PLAIN}',
    "a box without area": '"7": [{"bbox": [1, 2, 1, 4], "score": 0.5}]',
    "a box the wrong way": '"7": [{"bbox": [3, 2, 1, 4], "score": 0.5}]',
    "a box of another class": '"7": [{"coordinates": [1, 2, 3, 4], "class": "body", "score": 1}]',
    "a face by its class": '"7": [{"coordinates": [1, 2, 3, 4], "class": "Head", "score": 1}]',
    "a class of no name": '"7": [{"coordinates": [1, 2, 3, 4], "class": "", "score": 1}]',
    "no score": '"7": [{"bbox": [1, 2, 3, 4]}]',
    "a score that is none": '"7": [{"bbox": [1, 2, 3, 4], "score": null}]',
    "a score as text": '"7": [{"bbox": [1, 2, 3, 4], "score": "0.5"}]',
    "a score beyond any float": '"7": [{"bbox": [1, 2, 3, 4], "score": 1e999}]',
    "a side beyond any float": f'"7": [{{"bbox": [1, 2, 3, {"9" * 400}], "score": 1}}]',
    "a side of many digits": '"7": [{"bbox": [1, 2, 3, 12345678901234567890123], "score": 1}]',
    "sides that say little": '"7": [{"bbox": [0.1, 0.30000000000000004, 3, 1e1], "score": 1E-5}]',
    "NaN": '"7": [{"bbox": [1, 2, 3, NaN], "score": 1}]',
    "three sides": '"7": [{"bbox": [1, 2, 3], "score": 1}]',
    "true for a score": '"7": [{"bbox": [1, 2, 3, 4], "score": true}]',
    "a name": '"7": [{"bbox": [1, 2, 3, 4], "score": 1, "character": "rei"}]',
    "faces without names": '"7": [[1, 2, 3, 4, 0.5]]',
    "one face": '"7": {"bbox": [1, 2, 3, 4], "score": 1}',
    "a picture with its size": '"7": {"size": [5, 6], "faces": []}',
    "nothing": '"7": null',
    "no comma": f'"7": {PLAIN} "8": []',
    "a comma too many": f'"7": {PLAIN},, "8": []',
    "no end": f'"7": {PLAIN[:-3]}',
}


def tables(text, monkeypatch, size):
    """What comes of a text in pieces, together and one by one: all of a table, or the error."""
    found = []
    for together in (take_members, lambda table, members: False):
        monkeypatch.setattr(keyed_json, "take_members", together)
        pieces = [text[start : start + size] for start in range(0, len(text), size)]
        try:
            made = keyed_json.read_pictures(JsonStream(iter(pieces))).made()
        except SourceError as error:
            found.append(str(error))
            continue
        assert made.characters is None or len(made.characters) == len(made)
        arrays = made.starts, made.boxes, made.scores, made.sizes
        found.append(
            [
                *(array.tobytes() for array in arrays),
                made.ids.tolist(),
                made.relative,
                None if made.names is None else made.names.tolist(),
                dict(made.skipped),
            ]
        )
    return found


def members(dice, count, first):
    for number in range(first, first + count):
        listed = []
        for _ in range(dice.choice((0, 1, 1, 2))):
            left, top = dice.randrange(300), dice.choice((dice.randrange(300), 10.25))
            box = [left, top, left + dice.randrange(1, 99), top + dice.choice((50, 51.5))]
            listed.append({"bbox": box, "score": dice.random()})
        yield f'"{number}": {json.dumps(listed, indent=dice.choice((None, None, 1)))}'


@pytest.mark.parametrize("odd", ODD.values(), ids=list(ODD))
def test_what_is_odd_among_the_plain(odd, monkeypatch):
    dice = Random(4)
    text = "{{{}}}".format(", ".join([*members(dice, 30, 100), odd, *members(dice, 30, 200)]))
    for size in (7, 500, 10**6):
        together, one_by_one = tables(text, monkeypatch, size)
        assert together == one_by_one


def test_pictures_that_come_again_in_another_piece(monkeypatch):
    dice = Random(5)
    text = "{{{}}}".format(", ".join([*members(dice, 300, 0), *members(dice, 300, 150)]))
    for size in (999, 10**6):
        together, one_by_one = tables(text, monkeypatch, size)
        assert together == one_by_one
        assert len(together[4]) == 450


def test_nearly_all_are_read_together(monkeypatch):
    taken = []

    def counting(table, members, take=keyed_json.take_members):
        before = len(table._rows)
        done = take(table, members)
        taken.append(len(table._rows) - before)
        return done

    monkeypatch.setattr(keyed_json, "take_members", counting)
    for name in ("bbox", "coordinates"):
        taken.clear()
        face = {name: [1, 2, 30, 40]} | ({"class": "face"} if name != "bbox" else {})
        content = {str(number): [face | {"score": number / 10**5}] for number in range(10**4)}
        text = json.dumps(content)
        pieces = [text[start : start + 2**17] for start in range(0, len(text), 2**17)]
        made = keyed_json.read_pictures(JsonStream(iter(pieces))).made()
        assert made.ids.tolist() == list(range(10**4))
        np.testing.assert_array_equal(made.scores, np.arange(10**4) / 10**5)
        assert sum(taken) > 0.99 * 10**4
