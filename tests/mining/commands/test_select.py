"""From metadata and boxes to a zero-shot split: by the rule, the same bytes, nothing lost."""

from __future__ import annotations

import json
import lzma
import os
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path
from random import Random

import pytest
from support.command_line import HANGS
from support.danbooru import names_of, newer, post, quirky, tag, write_faces, write_lines
from support.flat_calls import select_faces

from mining.commands import select, select_boxes
from pairsets.errors import OutputError, SourceError
from pairsets.sources.danbooru import processes
from pairsets.sources.danbooru.boxes_aside import boxes_aside
from pairsets.sources.dataset import Dataset

NAMES = names_of(120)
BOX = (100, 90, 180, 200)
YES = ("true", "1", "t")


def plainly(posts, faces, min_images=2):
    """The kept faces by character, and the funnel, one post after the other."""
    seen, kept, funnel = set(), defaultdict(dict), Counter()
    for one in posts:
        number = int(one["id"])
        tags = [t for t in one.get("tags") or [] if isinstance(t, dict)]
        names = {str(t.get("name")) for t in tags if str(t.get("category")) == "4"}
        if not one.get("tags"):
            names = set(one.get("tag_string_character", "").split())
        if number in seen:
            why = "posts that were there before"
        elif str(one.get("is_deleted")).lower() in YES:
            why = "deleted"
        elif str(one.get("is_banned")).lower() in YES:
            why = "banned"
        elif "rating" not in one:
            why = "no rating"
        elif str(one["rating"] or "?").lower()[0] not in "gs":
            why = "rated other than g, s"
        elif "file_ext" not in one:
            why = "no type of the file"
        elif one["file_ext"] not in ("jpg", "png", "PNG", "gif"):
            why = "files other than avif, bmp, gif, jpeg, jpg, png, webp"
        elif "tags" not in one and "tag_string_character" not in one:
            why = "tags without categories, so that none is known to be a character"
        elif len(names) != 1:
            why = "more than one character tag" if names else "no character tag"
        elif names <= {"None", "[]", "  "}:
            why = "a character tag without a name"
        elif len(faces.get(number, ())) != 1:
            why = "more than one face" if faces.get(number) else "no face"
        else:
            why = "kept"
            kept[names.pop()][number] = list(faces[number][0])
        seen.add(number)
        funnel[why] += 1
    few = {name for name, listed in kept.items() if len(listed) < min_images}
    funnel["images of characters of fewer than 2 images"] = sum(len(kept[name]) for name in few)
    return {name: listed for name, listed in kept.items() if name not in few}, funnel


@pytest.fixture(scope="module")
def world():
    """3,000 posts with all quirks, some of them twice, and the faces of most."""
    dice = Random(0)
    posts = [quirky(dice, dice.randrange(1, 2900), NAMES) for _ in range(3000)]
    faces = {
        number: [(number % 300, 20, number % 300 + 99, 120)] * dice.choice((0, 1, 1, 1, 1, 1))
        for number in dice.sample(range(4000), 3600)
    }
    for number in dice.sample(sorted(faces), 300):
        faces[number] = [BOX, (1, 2, 300, 400)]
    return posts, faces


@pytest.fixture
def small(tmp_path):
    """Ten characters of two posts and five of three, one face each; as files."""
    posts = [post(at, NAMES[at % 10]) for at in range(20)]
    posts += [newer(at, NAMES[20 + at % 5]) for at in range(100, 115)]
    faces = write_faces(tmp_path / "faces.json", {int(one["id"]): [BOX] for one in posts})
    return faces, write_lines(tmp_path / "posts.json", posts)


def test_as_the_rule_has_it(world, tmp_path):
    posts, faces = world
    boxes = write_faces(tmp_path / "faces.json", faces)
    metadata = write_lines(tmp_path / "in" / "posts.json", [*posts, '{"id": "12", "tags'])
    out = tmp_path / "out"
    made = select_faces(boxes, out, metadata=[metadata.parent], test_characters=5, workers=1)
    kept, funnel = plainly(posts, faces)
    train, test = Dataset.read(out / "train.json"), Dataset.read(out / "test.json")
    found = defaultdict(dict)
    for face in [*train, *test]:
        found[face.character][face.id] = list(face.bbox)
    assert found == kept
    assert len(kept) > 80
    assert len(test.characters) == 5
    assert test.histogram == {2: 5}
    assert list(train.characters) == sorted(train.characters)
    assert not set(train.characters) & set(test.characters)
    rows = {row.what: row.count for row in made.funnel}
    assert min(funnel.values()) > 0
    assert {what: rows.get(what) for what in funnel if what != "kept"} == {
        what: count for what, count in funnel.items() if what != "kept"
    }
    assert rows["pictures of one character with one face"] == funnel["kept"]
    assert rows["lines that are not a post"] == 1
    assert made.warnings[0] == "Lines of the metadata that are not a post: posts.json, line 3001"
    assert "posts come again and disagree with the first time" in made.warnings[1]
    facts = json.loads((out / "selection.json").read_text("utf-8"))
    assert facts["sets"]["train"]["characters"] == len(kept) - 5
    assert facts["sets"]["train"]["images"] == sum(map(len, kept.values())) - 10
    assert facts["inputs"]["metadata"][0]["posts"] == len(posts)
    histogram = Counter(len(listed) for name, listed in kept.items() if name in train.characters)
    lines = (out / "statistics.csv").read_text().splitlines()
    assert lines[0] == "set,images_per_character,characters"
    assert lines[1:] == [*(f"train,{n},{histogram[n]}" for n in sorted(histogram)), "test,2,5"]
    assert sorted(file.name for file in out.iterdir()) == sorted(f.name for f in made.files)


def contents(out):
    return {file.name: file.read_bytes() for file in out.iterdir()}


def test_the_same_bytes_however_it_is_read(world, tmp_path, monkeypatch):
    posts, faces = world
    boxes = write_faces(tmp_path / "faces.json", faces)
    metadata = write_lines(tmp_path / "posts.json", posts)
    select_faces(boxes, tmp_path / "one", metadata=[metadata], test_characters=5)
    expected = contents(tmp_path / "one")
    for workers, block in ((1, 5000), (2, 5000), (3, 10**6)):
        monkeypatch.setattr(select, "BLOCK", block)
        out = tmp_path / f"{workers}"
        select_faces(boxes, out, metadata=[metadata], test_characters=5, workers=workers)
        assert contents(out) == expected
    # Packed and in parts, other inputs are listed, but the sets are the same.
    parts = [
        write_lines(tmp_path / "in" / name, some)
        for name, some in (("a.json", posts[:1000]), ("b.jsonl", posts[1000:]))
    ]
    parts[0].with_suffix(".json.xz").write_bytes(lzma.compress(parts[0].read_bytes()))
    parts[0].unlink()
    select_faces(boxes, tmp_path / "parts", metadata=[tmp_path / "in"], test_characters=5)
    found = contents(tmp_path / "parts")
    assert found.pop("selection.json") != expected.pop("selection.json")
    assert found == expected
    select_faces(boxes, tmp_path / "other", metadata=[metadata], test_characters=5, seed=1)
    assert contents(tmp_path / "other")["test.json"] != expected["test.json"]


def test_large_boxes_are_read_aside(world, tmp_path, monkeypatch):
    posts, faces = world
    boxes = write_faces(tmp_path / "faces.json", faces)
    metadata = write_lines(tmp_path / "posts.json", posts)
    given = {"metadata": [metadata], "test_characters": 5, "workers": 2, "min_score": 0.5}
    expected = select_faces(boxes, tmp_path / "one", **given)
    # In this process it fails.
    monkeypatch.setattr(select_boxes, "LARGE", 0)
    monkeypatch.setattr(select_boxes, "read_annotations", None)
    monkeypatch.setattr(select, "BLOCK", 5000)
    found = select_faces(boxes, tmp_path / "aside", **given)
    assert contents(tmp_path / "aside") == contents(tmp_path / "one")
    assert (found.funnel, found.warnings) == (expected.funnel, expected.warnings)
    with pytest.raises(TypeError):
        select_faces(boxes, tmp_path / "here", **given | {"workers": 1})


def test_what_is_wrong_with_boxes_that_are_read_aside(world, tmp_path, monkeypatch):
    posts, faces = world
    boxes = write_faces(tmp_path / "faces.json", faces)
    metadata = write_lines(tmp_path / "posts.json", posts)
    given = {"metadata": [metadata], "test_characters": 5, "workers": 2}
    monkeypatch.setattr(select_boxes, "LARGE", 0)
    boxes.write_text('{"1": [{"bbox": [1, 2, 3]}]}')
    with pytest.raises(SourceError, match=r"faces\.json, line 1, picture '1': .*four numbers"):
        select_faces(boxes, tmp_path / "out", **given)
    # Its program finds another package than ours, which ends it.
    (tmp_path / "path" / "pairsets").mkdir(parents=True)
    (tmp_path / "path" / "pairsets" / "__init__.py").write_text("raise SystemExit(7)")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "path"), *sys.path])
    with (
        pytest.raises(SourceError, match=r"reads the boxes died \(exit code 7\)"),
        boxes_aside(boxes, None, sized=False) as reading,
    ):
        reading.result()


def test_the_test_set_of_zaci20_comes_back(real_data, tmp_path):
    published = json.loads((real_data / "zaci20" / "zaci20_test.json").read_text())
    dice, faces, posts, number = Random(0), {}, [], 5_000_000
    for name, listed in published.items():
        for face in listed:
            one = face["id"]
            # Two posts there have a face of each of two characters; here a post has one.
            while one in faces:
                one, face["id"] = one + 10_000_000, one + 10_000_000
            faces[one] = [face["bbox"]]
            posts.append(dice.choice((post, newer))(one, name))
    expected = {
        name: sorted((face["id"], tuple(face["bbox"])) for face in listed)
        for name, listed in published.items()
    }
    names = list(published)
    wrong = [
        ({"is_deleted": True}, 1),
        ({"is_banned": "1"}, 1),
        ({"rating": "e"}, 1),
        ({"file_ext": "mp4"}, 1),
        ({"tags": []}, 1),
        ({"tags": [tag("a", "4"), tag("b", "4")]}, 1),
        ({}, 0),
        ({}, 2),
    ]
    for number in range(5_000_000, 5_004_000):
        changes, count = wrong[number % len(wrong)]
        posts.append(post(number, dice.choice(names), **changes))
        faces[number] = [BOX, (1, 2, 300, 400)][:count]
    posts += [post(number, f"once_{number}") for number in range(6_000_000, 6_000_300)]
    faces |= {number: [BOX] for number in range(6_000_000, 6_000_300)}
    dice.shuffle(posts)
    boxes = write_faces(tmp_path / "faces.json", faces)
    metadata = write_lines(tmp_path / "posts.json", posts)
    made = select_faces(boxes, tmp_path / "out", metadata=[metadata])
    test = Dataset.read(tmp_path / "out" / "test.json")
    found = defaultdict(list)
    for face in test:
        found[face.character].append((face.id, face.bbox))
    assert found == expected
    assert (len(test.characters), len(test), test.histogram) == (1003, 2006, {2: 1003})
    assert "no train.json" in made.warnings[-1]
    assert not (tmp_path / "out" / "train.json").exists()


def test_without_metadata_the_folder_says_who_it_is(tmp_path):
    faces = {
        f"{name}/{at}.jpg": [{"bbox": BOX}] for name in ("rei", "é & b", "a") for at in range(3)
    }
    faces["a/2.jpg"] *= 2
    faces["a/2.jpg"][1] = {"bbox": (1, 2, 99, 99)}
    faces["stray.jpg"] = faces["b/1.jpg"] = [{"bbox": BOX}]
    boxes = tmp_path / "faces.json"
    boxes.write_text(json.dumps(faces))
    made = select_faces(boxes, tmp_path / "out", test_characters=1)
    rows = {row.what: row.count for row in made.funnel}
    assert rows["pictures of no one character"] == 1
    assert rows["more than one face"] == 1
    assert rows["characters of fewer than 2 images"] == 1
    assert Dataset.read(tmp_path / "out" / "test.json").ids.tolist() == ["a/0.jpg", "a/1.jpg"]
    train = Dataset.read(tmp_path / "out" / "train.json")
    assert train.characters == ("rei", "é & b")
    assert train.ids.tolist() == [
        f"{name}/{at}.jpg" for name in train.characters for at in range(3)
    ]


def test_pictures_stay_where_they_lie(small, tmp_path):
    faces, metadata = small
    content = json.loads(faces.read_text())
    lying = {f"more/{number}.jpg": boxes for number, boxes in content.items()}
    faces.write_text(json.dumps(lying))
    select_faces(faces, tmp_path / "out", metadata=[metadata], test_characters=4)
    sets = [Dataset.read(tmp_path / "out" / f"{name}.json") for name in ("train", "test")]
    assert {face.id for one in sets for face in one} == lying.keys()


def test_without_a_test_set_the_old_one_goes(small, tmp_path):
    faces, metadata = small
    out = tmp_path / "out"
    select_faces(faces, out, metadata=[metadata], test_characters=4)
    with pytest.raises(OutputError, match=r"train\.json: exists"):
        select_faces(faces, out, metadata=[metadata], test_characters=0)
    made = select_faces(faces, out, metadata=[metadata], test_characters=0, overwrite=True)
    names = ["selection.json", "statistics.csv", "train.json"]
    assert sorted(file.name for file in made.files) == names
    assert sorted(file.name for file in out.iterdir()) == names
    assert len(Dataset.read(out / "train.json").characters) == 15


def test_two_spellings_stay_two_and_are_told(tmp_path):
    names = ["Rei", "rei", "zoe\u0308", "zo\xeb", "asuka"]
    posts = [post(at, names[at % 5]) for at in range(10)]
    faces = write_faces(tmp_path / "faces.json", {at: [BOX] for at in range(10)})
    metadata = write_lines(tmp_path / "posts.json", posts)
    made = select_faces(faces, tmp_path / "out", metadata=[metadata], test_characters=0)
    assert len(Dataset.read(tmp_path / "out" / "train.json").characters) == 5
    assert made.warnings == [
        "2 names have several spellings (case, Unicode form, / and __), which are taken for "
        "different characters: 'Rei' and 'rei'; 'zoe\u0308' and 'zo\xeb'"
    ]


def test_a_draw_that_fails_does_not_lose_what_was_read(small, tmp_path, monkeypatch):
    faces, metadata = small
    out = tmp_path / "out"
    told = "11 test characters asked for, but 10 of 15 characters have exactly 2 images"
    with pytest.raises(SourceError, match=told):
        select_faces(faces, out, metadata=[metadata], test_characters=11)
    # Without a funnel, the message says what took most away.
    told = r"another number of images; left out were images of characters .*: 20, characters .*: 10"
    with pytest.raises(SourceError, match=told):
        select_faces(
            faces, out, metadata=[metadata], test_characters=6, test_images=3, min_images=3
        )
    assert [file.name for file in out.iterdir()] == ["selection.partial"]

    def judge(data, rule):
        raise AssertionError("judged again")

    monkeypatch.setattr(processes, "read_block", judge)
    select_faces(faces, out, metadata=[metadata], test_characters=10, seed=3, min_score=0.1)
    assert len(Dataset.read(out / "test.json")) == 20
    assert not (out / "selection.partial").exists()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"min_images": 0}, "min images 0; expected 1 or more"),
        ({"test_characters": -1}, "test characters -1; expected 0 or more"),
        ({"min_images": 3}, "to test on have 2 images, but those with fewer than 3 are left out"),
        ({"min_size": -1}, "min size -1"),
        ({"picture_size": 0}, "picture size 0"),
        ({"workers": 0}, "workers 0; expected 1 or more"),
        ({"seed": -1}, "seed -1"),
        ({"min_score": float("nan")}, "min score nan; expected a number"),
        ({"ratings": ["x"]}, "rating 'x': unknown"),
        ({"metadata": [Path("nowhere")]}, "nowhere: no such file or folder"),
        ({"metadata": []}, r"faces\.json: names no character, and no picture lies in the folder"),
    ],
)
def test_what_is_refused(small, tmp_path, given, told):
    faces, metadata = small
    with pytest.raises(SourceError, match=told):
        select_faces(faces, tmp_path / "out", **{"metadata": [metadata], **given})
    assert not (tmp_path / "out").exists()


def test_inputs_that_do_not_belong_together(small, tmp_path):
    faces, metadata = small
    others = write_faces(tmp_path / "others.json", {7000: [BOX]})
    with pytest.raises(SourceError, match=r"others\.json: of its 1 pictures none is of a post"):
        select_faces(others, tmp_path / "out", metadata=[metadata])
    empty = write_lines(tmp_path / "empty.json", [""])
    with pytest.raises(SourceError, match=r"empty\.json: no post in the metadata"):
        select_faces(faces, tmp_path / "out", metadata=[empty])
    told = r"no character with 2 images is left; left out were rated other than q: 35$"
    with pytest.raises(SourceError, match=told):
        select_faces(faces, tmp_path / "out", metadata=[metadata], ratings=["q"])
    with pytest.raises(OutputError, match="the folder of the metadata"):
        select_faces(faces, tmp_path, metadata=[tmp_path])
    with pytest.raises(OutputError, match="is read by this command"):
        select_faces(faces.rename(tmp_path / "train.json"), tmp_path, metadata=[metadata])


# Two workers; stops after twelve records, as `STOP` says, or early, while the workers start.
PROGRAM = """
import os, signal, sys, time
from pathlib import Path
from mining.commands import select as selecting
from pairsets.storage.resume import Resume
from pairsets.sources.danbooru.streams import Stream
# Else a test that is started in the background hands down that the signal is ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
selecting.BLOCK, selecting.EVERY = 20_000, 5
appended, append, start = [], Resume.append, Stream.pieces
def stopping(journal, record):
    append(journal, record)
    appended.append(record)
    if len(appended) == 12:
        STOP
def starting(stream, block):
    # The workers are about to import what they need.
    time.sleep(0.15)
    os.killpg(0, signal.SIGINT)
    yield from start(stream, block)
Resume.append = stopping
if "EARLY":
    Stream.pieces = starting
faces, metadata, out = map(Path, sys.argv[1:])
try:
    split = selecting.SplitOptions(test_characters=5)
    selecting.select_faces(faces, out, metadata=[metadata], split=split, workers=2)
except KeyboardInterrupt:
    sys.exit(130)
"""


def run(world, folder, *, stop="", early=""):
    """What the program ended with, and its three paths; it writes into `folder / "out"`."""
    posts, faces = world
    boxes = write_faces(folder / "faces.json", faces)
    metadata, out = write_lines(folder / "posts.json", posts), folder / "out"
    # Output goes on as long as a process is there that may write it: workers, too, must be gone.
    ended = subprocess.run(
        [
            sys.executable,
            "-c",
            PROGRAM.replace("STOP", stop or "pass").replace("EARLY", early),
            *(boxes, metadata, out),
        ],
        capture_output=True,
        text=True,
        start_new_session=True,
        timeout=HANGS,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    return ended, boxes, metadata, out


def test_interrupted_while_workers_start(world, tmp_path):
    ended, _, _, out = run(world, tmp_path, early="yes")
    assert (ended.returncode, ended.stderr) == (130, "")
    assert [file.name for file in out.iterdir()] == ["selection.partial"]


@pytest.mark.parametrize(
    ("stop", "status", "kept"),
    [
        # Of twelve blocks two are not committed yet.
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL, 10),
        # As a terminal does: to all processes of the group.
        ("os.killpg(0, signal.SIGINT)", 130, 12),
    ],
)
def test_stopped_in_the_middle(world, tmp_path, monkeypatch, stop, status, kept):
    ended, boxes, metadata, out = run(world, tmp_path, stop=stop)
    assert (ended.returncode, ended.stderr) == (status, "")
    assert [file.name for file in out.iterdir()] == ["selection.partial"]
    monkeypatch.setattr(select, "BLOCK", 20_000)
    judged, before = [], processes.read_block
    monkeypatch.setattr(
        processes, "read_block", lambda data, rule: judged.append(data) or before(data, rule)
    )
    select_faces(boxes, out, metadata=[metadata], test_characters=5)
    again = len(judged)
    select_faces(boxes, tmp_path / "whole", metadata=[metadata], test_characters=5)
    assert again == len(judged) - again - kept
    assert contents(out) == contents(tmp_path / "whole")
