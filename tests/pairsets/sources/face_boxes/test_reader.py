"""Files of annotations: every layout gives one table, and what is wrong is named with its line."""

from __future__ import annotations

import gzip
import json
import lzma
import math
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import zstandard
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pairsets.errors import SourceError
from pairsets.sources.face_boxes import read_annotations
from pairsets.sources.face_boxes.json_fields import picture_id

# Two faces, none, one; posts and a path with an ugly name.
TRUTH = {
    1123: [((10.5, 20, 110, 140), 0.9), ((200, 30.25, 260, 95), 0.4)],
    7: [],
    "rei & 綾波 (eva)/a b.png": [((0, 0, 64, 64), 0.5)],
}
FILES = {1123: "0123/1123.jpg", 7: "0007/7.jpg"}


def faces_in(name, score, found):
    return [{name: list(box), score: value, "class": "face"} for box, value in found]


def file_of(key):
    return FILES.get(key, key)


def as_coco(truth):
    listed = [(number, key) for number, key in enumerate(truth, 50)]
    return {
        "info": {"bbox": "none", "images": []},
        # Before the images they are of.
        "annotations": [
            {
                "id": at,
                "image_id": number,
                "category_id": 1,
                "bbox": [b[0], b[1], b[2] - b[0], b[3] - b[1]],
                "score": score,
            }
            for number, key in listed
            for at, (b, score) in enumerate(truth[key])
        ],
        "images": [{"id": number, "file_name": file_of(key)} for number, key in listed],
        "categories": [{"id": 1, "name": "Anime face"}],
    }


def one_by_one(truth):
    return [
        {"file_name": file_of(key), **face}
        for key, found in truth.items()
        for face in faces_in("bbox", "score", found) or [{"faces": []}]
    ]


def as_lines(records, end="\n"):
    return end.join(json.dumps(record) for record in records) + end


LAYOUTS = {
    "by number, as AnimeCV": lambda t: json.dumps(
        {str(key): faces_in("coordinates", "score", found) for key, found in t.items()}
    ),
    "by file, in an object, indented": lambda t: json.dumps(
        {file_of(k): {"detections": faces_in("bbox", "confidence", v)} for k, v in t.items()},
        indent=1,
        ensure_ascii=False,
    ),
    "boxes alone": lambda t: json.dumps(
        {str(key): [[*box, score] for box, score in found] for key, found in t.items()}
    ),
    "sides by name": lambda t: json.dumps(
        {
            str(key): [
                {"bbox": dict(zip(("x1", "y1", "x2", "y2"), box, strict=True)), "score": score}
                for box, score in found
            ]
            for key, found in t.items()
        }
    ),
    "array of pictures": lambda t: json.dumps(
        [{"id": key, "faces": faces_in("box", "score", found)} for key, found in t.items()]
    ),
    "lines of pictures": lambda t: as_lines(
        [{"post_id": str(key), "faces": faces_in("bbox", "score", v)} for key, v in t.items()]
    ),
    "lines of faces, CRLF and BOM": lambda t: "\ufeff" + as_lines(one_by_one(t), "\r\n\r\n"),
    "array of faces": lambda t: json.dumps(one_by_one(t)),
    "COCO": lambda t: json.dumps(as_coco(t)),
}


def table_of(found):
    """The table as a plain dict."""
    return {
        key: [
            (tuple(box), score)
            for box, score in zip(
                found.boxes[start:stop].tolist(), found.scores[start:stop].tolist(), strict=True
            )
        ]
        for key, start, stop in zip(found.ids, found.starts, found.starts[1:], strict=False)
    }


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("packed", [None, gzip.compress, lzma.compress, zstandard.compress])
def test_each_layout_gives_the_same_table(layout, packed, tmp_path):
    path = tmp_path / "boxes of all kinds.txt"
    content = LAYOUTS[layout](TRUTH).encode()
    path.write_bytes(packed(content) if packed else content)
    steps = []
    found = read_annotations(path, progress=lambda done, total: steps.append((done, total)))
    assert table_of(found) == TRUTH
    assert list(found.ids) == list(TRUTH)
    assert found.characters is None
    assert not found.relative
    assert found.skipped == {}
    assert steps[-1] == (path.stat().st_size,) * 2


@pytest.mark.parametrize("layout", LAYOUTS)
def test_many_small_blocks_give_the_same_as_one(layout, tmp_path, monkeypatch):
    many = {number: TRUTH[1123][: number % 3] for number in range(1, 300)}
    path = tmp_path / "boxes"
    path.write_text(LAYOUTS[layout]({**TRUTH, **many}), encoding="utf-8")
    whole = table_of(read_annotations(path))
    monkeypatch.setattr("pairsets.sources.text.text_stream.BLOCK", 4096)
    assert table_of(read_annotations(path)) == whole == {**TRUTH, **many}


def written(tmp_path, content, name="boxes.json"):
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        text = content if isinstance(content, str) else json.dumps(content)
        path.write_text(text, encoding="utf-8")
    return path


def test_characters_of_zaci_20(tmp_path):
    face = {"id": 5, "bbox": [1, 2, 30, 40]}
    path = written(
        tmp_path,
        {"22": [face], "b": [{"id": "x/1.png", "bbox": [1, 2, 30, 40]}], "c_(d)": [face]},
    )
    found = read_annotations(path)
    assert found.ids.tolist() == [5, "x/1.png"]
    # Post 5 is of two characters: of none alone. Its one face is listed twice and counts once.
    assert found.characters.tolist() == [None, "b"]
    assert found.counts.tolist() == [1, 1]
    assert found.skipped == {"box of a picture that is listed again": 1}


def test_faces_with_numbers_of_their_own_are_of_the_picture_by_whose_file_they_are(tmp_path):
    faces = [{"id": 0, "bbox": [1, 2, 30, 40]}, {"id": 1, "bbox": [5, 2, 30, 40]}]
    found = read_annotations(written(tmp_path, {"0123/1123.jpg": faces, "a b.PNG": faces[:1]}))
    assert found.ids.tolist() == [1123, "a b.PNG"]
    assert found.counts.tolist() == [2, 1]
    assert found.characters is None


def test_the_published_test_set(real_data):
    path = real_data / "zaci20" / "zaci20_test.json"
    content = json.loads(path.read_text())
    found = read_annotations(path)
    owners = {}
    for name, faces in content.items():
        for face in faces:
            owners.setdefault(face["id"], []).append((name, face["bbox"]))
    assert found.ids.tolist() == list(owners)
    assert found.boxes.tolist() == [faces[0][1] for faces in owners.values()]
    assert found.characters.tolist() == [
        faces[0][0] if len(faces) == 1 else None for faces in owners.values()
    ]


TSV = (
    "0446\\332446.jpg\t1\t0.448534,0.441995,0.584106,0.654420,0.337403\n"
    "\n"
    "0001\\1001.jpg\t0\t0.1, -0.02, 0.3, 1.01 0.5\r\n"
    "0446\\332446.jpg\t1\t0.1,0.1,0.2,0.2,0.9\n"
    "0001\\1001.jpg\t70\t0.5,0.5,0.6,0.6\n"
    "odd name\\12.png\t9\t0.1,0.1,5000,0.6,1\n"
)


@pytest.mark.parametrize(
    "names",
    [
        'miyu_(vampire)\t1\n"don\'t" #99\t0\n39\t70\n',
        '1\tmiyu_(vampire)\r\n0\t"don\'t" #99\r\n70\tof letters\r\n',
    ],
)
def test_faces_tsv_and_its_names(names, tmp_path):
    path = written(tmp_path, TSV, "faces.tsv")
    plain = read_annotations(path)
    assert plain.relative
    assert plain.characters is None
    assert table_of(plain) == {
        332446: [((0.448534, 0.441995, 0.584106, 0.654420), 0.337403), ((0.1, 0.1, 0.2, 0.2), 0.9)],
        1001: [
            ((0.1, -0.02, 0.3, 1.01), 0.5),
            ((0.5, 0.5, 0.6, 0.6), pytest.approx(math.nan, nan_ok=True)),
        ],
        "odd name/12.png": [],
    }
    assert plain.skipped == {"box far outside its picture": 1}
    named = read_annotations(path, tag_ids=written(tmp_path, names, "tagIds.tsv"))
    assert named.characters.tolist() == ["miyu_(vampire)", None, None]
    assert named.skipped["tag of a face that the file of tags does not name"] == 1


def test_coco_categories_are_characters_unless_they_are_faces(tmp_path):
    content = as_coco({number: [((0, 0, 9, 9), 1)] * (number < 4) for number in range(5)})
    content["categories"] += [{"id": 2, "name": "rei"}, {"id": 3, "name": "arrowhead"}]
    for at, category in enumerate([2, 3, 1, 8]):
        content["annotations"][at]["category_id"] = category
    content["annotations"].append({"image_id": 50, "category_id": 3, "bbox": [5, 5, 9, 9]})
    content["annotations"].append({"image_id": 999, "category_id": 3, "bbox": [5, 5, 9, 9]})
    content["images"][4] |= {"width": 640, "height": 480}
    found = read_annotations(written(tmp_path, content))
    assert found.characters.tolist() == [None, "arrowhead", None, None, None]
    assert found.counts.tolist() == [2, 1, 1, 1, 0]
    assert found.sizes.tolist() == [[0, 0]] * 4 + [[640, 480]]
    assert found.skipped == {
        "box of an image that is not among `images`": 1,
        "category of a box that is not among `categories`": 1,
    }


def test_coco_results_have_widths_and_heights(tmp_path):
    path = written(
        tmp_path, [{"image_id": 42, "category_id": 1, "bbox": [258, 41, 10, 20], "score": 0.2}]
    )
    assert table_of(read_annotations(path)) == {42: [((258, 41, 268, 61), 0.2)]}


def test_sizes_of_pictures_and_those_of_boxes(tmp_path):
    records = [
        {"id": 1, "size": [640, 480], "faces": []},
        {"id": 2, "image_width": "640", "image_height": 481.0, "faces": []},
        {"id": 3, "width": 640, "height": 482, "bbox": [1, 2, 30, 40]},
        {"id": 4, "left": 1, "top": 2, "width": 29, "height": 38},
        {"id": 5, "x": 1, "y": 2, "w": 29, "h": 38, "image_width": 640, "image_height": 483},
        {"id": 6, "size": [0, 480], "faces": []},
        {"id": 7, "width": None, "height": 480, "faces": []},
        {"id": 8, "size": [640, 2**40], "faces": []},
    ]
    found = read_annotations(written(tmp_path, as_lines(records)))
    known = [[640, 480], [640, 481], [640, 482], [0, 0], [640, 483]]
    assert found.sizes.tolist() == known + [[0, 0]] * 3
    assert found.counts.tolist() == [0, 0, 1, 1, 1, 0, 0, 0]
    assert (found.boxes == [1, 2, 30, 40]).all()


def test_what_is_left_out_is_counted(tmp_path):
    good = [0, 0, 50, 50]
    faces = [
        {"bbox": good},
        {"bbox": good, "score": 0.1},
        {"bbox": [5, 5, 5, 9]},
        {"bbox": [9, 5, 7, 9]},
        {"bbox": [0, 0, "nan", 1]},
        {"bbox": [0, 0, 10**400, 1]},
        {"bbox": good, "class": "hand"},
        *({"bbox": [0, 0, 50, 60 + at], "class": "anime_face", "score": None} for at in range(9)),
    ]
    content = {"5": faces, "../up.png": [{"bbox": good}], "\ud800.png": [], "6": None}
    found = read_annotations(written(tmp_path, content))
    assert found.ids.tolist() == [5, 6]
    assert found.counts.tolist() == [10, 0]
    assert np.isnan(found.scores).all()  # of the box that comes again, the first score
    assert found.skipped == {
        "box of a picture that is listed again": 1,
        "box of the class 'hand', no face": 1,
        "box that is no finite numbers": 2,
        "box whose right is before its left, or bottom above top": 1,
        "box without area": 1,
        "picture whose path cannot be used": 2,
    }


def test_a_file_with_any_number_of_classes_has_a_short_list_of_reasons(tmp_path):
    faces = [{"bbox": [0, 0, 9, 9], "class": f"thing {at}"} for at in range(500)]
    found = read_annotations(written(tmp_path, {"5": faces}))
    assert sum(found.skipped.values()) == 500
    assert len(found.skipped) < 30


@pytest.mark.parametrize(
    ("boxes", "relative"),
    [
        ([[0.1, 0.1, 0.4, 0.4], [-0.1, 0, 1.2, 1]], True),
        ([[0, 0, 1, 1]], False),
        ([[0.1, 0.1, 0.4, 0.4], [10.5, 10, 80, 90], [10, 10, 70, 90]], False),
        ([[0.5, 0, 300, 300]], False),
        ([], False),
    ],
)
def test_the_whole_file_says_whether_boxes_are_shares(boxes, relative, tmp_path):
    found = read_annotations(
        written(tmp_path, {str(at): [box] for at, box in enumerate(boxes)} or {"1": []})
    )
    assert found.relative == relative
    assert len(found.boxes) == len(boxes)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("1123", 1123),
        ("1123.jpg", 1123),
        ("0123/1123.jpg", 1123),
        ("0123\\1123.jpg", 1123),
        ("/data/512px/0123/1123.jpg", 1123),
        ("./0123/1123.jpg", 1123),
        ("0124/1123.jpg", "0124/1123.jpg"),
        ("asuka/1123.jpg", "asuka/1123.jpg"),
        ("0123/01123.jpg", "0123/01123.jpg"),
        ("00.jpg", "00.jpg"),
        ("²", "²"),
        ("9" * 30, "9" * 30),
    ],
)
def test_the_number_of_a_post_by_its_file(name, key):
    assert picture_id(name) == key


RECORD = '{"id": 5, "bbox": [1, 2, 3, 4]}\n'


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "no such file of face annotations"),
        ("folder", "a folder without .xml or .txt"),
        (b"", "empty; expected JSON of boxes"),
        (b" \n\n", "empty; expected"),
        (b"{}", "no picture that can be used in it"),
        (b"[]", "no picture that can be used in it"),
        (
            '{"/data/5.png": [[1, 2, 3, 4]], "../6.png": []}',
            r"path cannot be used: 2; the first, '/data/5.png', is absolute.. Expected paths below",
        ),
        (b"12", "begins with '12'; expected JSON of boxes by picture"),
        (b"PK\x03\x04...", "a zip archive; unpack it"),
        (b"\x1f\x8b12345678901234567890", "broken packed data"),
        (gzip.compress(RECORD.encode() * 9)[:-12], "ends in the middle of its packed data"),
        (zstandard.compress(RECORD.encode() * 9)[:-2], "ends in the middle of its packed data"),
        (RECORD.encode() * 2 + b'{"id": 6, "bbox": [1,\n', "line 4: the file ends within an entry"),
        (RECORD.encode() * 2 + b'{"id": 6, "bbox" [1]}\n', "line 3: not JSON: Expecting ':'"),
        (RECORD.encode() * 2 + b"\n\xff\xfe{}\n", "line 4: not UTF-8 text: b'.xff.xfe{"),
        (RECORD + '{"bbox": [1, 2, 3, 4]}\n', "line 2, record 2: {'bbox': .* names its picture"),
        (RECORD + '{"id": 6}\n', "line 2, record 2: face 1: {'id': 6}; expected a bbox"),
        (
            RECORD + '{"id": 6, "bbox": [1, 2, 3]}',
            "record 2: face 1: bbox .1, 2, 3.; expected four",
        ),
        (RECORD + '{"id": 6, "faces": [[1, 2, 3, "x"]]}', "face 1: .*'x'; expected a number"),
        (RECORD + '{"id": true, "faces": []}', "picture True; expected the number"),
        ('{"id": 5, "faces": 7}', "line 1, record 1: 7; expected a list of faces"),
        ('{"1": [[1, 2, 3, 4]],\n"2": ["x"]}', "line 2, picture '2': face 1: 'x'; expected an obj"),
        ('{"1": [], }', "line 1: not JSON: '}'; expected another entry"),
        ('{"1": []', "the file ends before ','; is it whole"),
        ('{"1": []} x', "not JSON: 'x'; expected the end of the file"),
        ('{"1": [] "2": []}', "expected ','"),
        ('{"a": [{"id": 1, "bbox": [1, 2, 3, 4]}],\n"b": {}}', "line 2, 'b': {}; expected a list"),
        ('{"a": [{"id": 1, "bbox": [1, 2, 3, 4]}, 4]}', "'a', face 2: 4; expected an object with"),
        ('{"faces": [{"id": 1, "bbox": [1, 2, 3, 4]}]}', "an object with 'faces', .* alone"),
        ('{"images": [], "annotations": [{"bbox": [1, 2, 3, 4]}]}', "annotations 1: .*image_id"),
        ('{"images": [{"id": 4}, {"file_name": "a"}]}', "images 2: .*expected an image with id"),
        ('{"categories": [{"id": 4}], "annotations": []}', "categories 1: .* with id and name"),
        (
            '{"images": [{"id": 4, "file_name": "a/1.png"}, {"id": "4", "file_name": "b/1.png"}]}',
            "images 2: image '4' is 'a/1.png' already, now 'b/1.png'",
        ),
        (
            '{"categories": [{"id": 4, "name": "rei"}, {"id": 4, "name": "asuka"}]}',
            "categories 2: category 4 is 'rei' already, now 'asuka'",
        ),
        ('{"1": [[100, 100, 20, 30]]}', "in 1 of 1 boxes .* are they x, y, width, height"),
        ('{"1": ' + "[" * 100_000, "nested too deeply"),
        ('{"1": [[1, 2, 3, ' + "4" * 5000 + "]]}", "line 1: Exceeds the limit"),
        ("a.jpg\t1\t1,2,3,4\nb.jpg\t1\t1,2,3\n", "line 2: '1,2,3' is no box"),
        ("a.jpg\t1\t1,2,3,4\nb.jpg 1 1,2,3\n", "line 2: .*; expected 0446"),
        ("a.jpg\t1\t1,2,3,4\nb.jpg\t1\t1,2,x,4\n", "line 2: box .*'x'; expected a number"),
    ],
)
def test_files_that_are_refused(content, told, tmp_path):
    path = tmp_path / "boxes & faces.json"
    if content == "folder":
        path.mkdir()
    elif content is not None:
        written(tmp_path, content, path.name)
    with pytest.raises(SourceError, match=told) as caught:
        read_annotations(path)
    assert str(caught.value).startswith(str(path))
    assert str(caught.value).count(str(path)) == 1


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ("a\n", "line 1: 'a'; expected name<TAB>id"),
        ("a\t1\nb\tc\n", r"line 2: \['b', 'c'\]; expected a number in one column"),
        ("a\t1\nb\t1\n", "line 2: 1 is 'a' already, now 'b'"),
    ],
)
def test_files_of_tags_that_are_refused(names, told, tmp_path):
    tags = written(tmp_path, names, "tagIds.tsv")
    with pytest.raises(SourceError, match=told) as caught:
        read_annotations(written(tmp_path, TSV, "faces.tsv"), tag_ids=tags)
    assert str(caught.value).startswith(str(tags))


def test_tags_are_for_the_tsv_alone(tmp_path):
    tags = written(tmp_path, "a\t1\n", "tagIds.tsv")
    with pytest.raises(SourceError, match=r"JSON; the names in .* are those of tags in faces\.tsv"):
        read_annotations(written(tmp_path, RECORD), tag_ids=tags)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=5)
    | st.dictionaries(
        st.sampled_from(
            ["id", "bbox", "faces", "x1", "left", "path", "score", "class", "size", "images",
             "annotations", "categories", "image_id", "category_id", "1", "22"]
        ) | st.text(max_size=3),
        inner,
        max_size=5,
    ),
    max_leaves=25,
)  # fmt: skip


@settings(
    max_examples=400,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
)
@given(
    st.one_of(
        st.binary(max_size=200),
        values.map(lambda value: json.dumps(value).encode()),
        st.lists(values, max_size=4).map(lambda some: as_lines(some).encode()),
        st.lists(st.text("\t0123456789.,ae\n\\-", max_size=40), max_size=3).map(
            lambda some: "\n".join(some).encode()
        ),
    ),
    st.integers(0, 60),
)
@example(b'{"id": 1, "bbox": [1e308, -1e308, 1.7e308, 1e308]}', 0)
@example(b'{"id": 1, "bbox": [Infinity, NaN, -Infinity, 1]}', 0)
@example(b"{\x00", 0)
def test_no_bytes_end_in_anything_but_a_table_or_one_message(tmp_path, content, cut):
    path = tmp_path / "fuzzed"
    path.write_bytes(content[: len(content) - cut] if cut < 20 else content)
    message, found = "", None
    try:
        found = read_annotations(path)
    except SourceError as error:
        message = str(error)
    assert (found is None) == message.startswith(str(path))
    assert found is None or len(found) == len(found.counts) > 0


def test_memory_does_not_grow_with_the_text(tmp_path):
    """The same few faces behind 60 MB of what is not kept take no more than a few blocks."""
    path = tmp_path / "long.json"
    padding = "x" * 6000
    with path.open("w") as stream:
        stream.write("[")
        for number in range(10_000):
            stream.write(("," if number else "") + f'{{"id": {number % 50}, "bbox": [1, 2, 3, 4]')
            stream.write(f', "note": "{padding}"}}')
        stream.write("]")
    tracemalloc.start()
    try:
        found = read_annotations(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(found) == 50
    assert found.counts.tolist() == [1] * 50
    assert peak < 16e6
    assert path.stat().st_size > 60e6


def test_an_entry_without_end_is_refused_before_it_fills_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("pairsets.sources.text.json_stream.LONGEST", 10**5)
    path = written(tmp_path, RECORD + '{"id": "' + "x" * 5_000_000)
    with pytest.raises(SourceError, match="line 2: an entry of more than"):
        read_annotations(Path(path))
