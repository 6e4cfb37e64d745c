"""How large pictures are: as the boxes say, as asked, as they lie there; and nobody guesses."""

from __future__ import annotations

import json

import pytest
from PIL import Image
from support.face_boxes import face_boxes
from support.flat_calls import select_faces

from pairsets.errors import SourceError
from pairsets.sources.danbooru.single_faces import Boxed
from pairsets.sources.dataset import Dataset

METADATA = "".join(
    json.dumps({"id": n, "rating": "g", "file_ext": "jpg", "tag_string_character": "rei"}) + "\n"
    for n in range(1, 31)
)


def boxes_of(tmp_path, faces, **given):
    """The boxes that are selected, of all posts of one character, by picture."""
    (tmp_path / "posts.json").write_text(METADATA)
    (tmp_path / "faces.json").write_text(json.dumps(faces))
    out = tmp_path / "out"
    made = select_faces(
        tmp_path / "faces.json",
        out,
        metadata=[tmp_path / "posts.json"],
        test_characters=0,
        overwrite=True,
        **given,
    )
    return {face.id: face.bbox for face in Dataset.read(out / "train.json")}, made


@pytest.fixture
def pictures(tmp_path):
    """Two pictures of 1,000 x 800, one of which is stored lying."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("1.jpg", "2.jpg", "more.jpg"):
        Image.new("RGB", (1000, 800)).save(folder / name)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (1000, 800)).save(folder / "3.jpg", exif=exif)
    return folder


def test_posts_are_small_pictures_by_default(tmp_path):
    faces = {1: [[10, 10, 100, 530]], 2: [[10, 10, 100, 100]]}
    found, made = boxes_of(tmp_path, faces)
    assert found == {1: (10, 10, 100, 512), 2: (10, 10, 100, 100)}
    assert made.warnings == []
    assert boxes_of(tmp_path, faces, picture_size=525)[0][1] == (10, 10, 100, 525)


def test_boxes_that_small_pictures_cannot_have_are_asked_about(tmp_path, pictures):
    faces = {1: [[600, 10, 900, 300]], 2: [[10, 10, 1100, 700]], 4: [[10, 10, 100, 100]]}
    told = r"2 of 3 boxes reach beyond 512 pixels, as far as 1100, .*--pictures.*--picture-size"
    with pytest.raises(SourceError, match=told):
        boxes_of(tmp_path, faces)
    found, made = boxes_of(tmp_path, faces, pictures=pictures)
    # Of a picture that is not there nobody says the size, and the box stays as it is.
    assert found == {1: (600, 10, 900, 300), 2: (10, 10, 1000, 700), 4: (10, 10, 100, 100)}
    rows = {row.what: row.count for row in made.funnel}
    assert rows["pictures that were not found, whose size nobody says"] == 1
    with pytest.raises(SourceError, match="1 of 1 boxes reach beyond"):
        boxes_of(tmp_path, {1: [[600, 10, 900, 300]]})
    one = {n: [[10, 10, 100, 100]] for n in range(2, 102)} | {1: [[600, 10, 900, 300]]}
    rows = {row.what: row.count for row in boxes_of(tmp_path, one)[1].funnel}
    assert rows["the face outside the picture"] == 1


def test_paths_of_unknown_size_are_not_clipped(tmp_path):
    faces = {f"x/{n}.jpg": [[600, 10, 900, 300]] for n in (1, 2)}
    assert boxes_of(tmp_path, faces)[0] == dict.fromkeys(faces, (600, 10, 900, 300))


def test_shares_need_a_size(tmp_path, pictures):
    share = [[0.1, 0.25, 0.5, 0.75]]
    found, made = boxes_of(tmp_path, {1: share, 2: share})
    assert found == dict.fromkeys((1, 2), (51, 128, 256, 384))
    assert "512 pixels are taken, as of Danbooru's small pictures" in made.warnings[0]
    found, made = boxes_of(tmp_path, {1: share, 2: share}, pictures=pictures)
    assert found == dict.fromkeys((1, 2), (100, 200, 500, 600))
    assert made.warnings == []
    found, made = boxes_of(tmp_path, dict.fromkeys((1, 2, 3, 4), share), pictures=pictures)
    assert found.keys() == {1, 2}
    rows = {row.what: row.count for row in made.funnel}
    assert rows["pictures stored turned (EXIF), of whose sides a box may be either's share"] == 1
    assert rows["pictures that were not found, whose size nobody says"] == 1
    assert rows["the size of the picture unknown, of whose sides the box is a share"] == 2
    with pytest.raises(SourceError, match=r"shares of the sides of pictures whose size it does no"):
        boxes_of(tmp_path, {"x/1.jpg": share, "x/2.jpg": share})
    with pytest.raises(SourceError, match=r"not one of the 1 pictures of .* can be looked at"):
        boxes_of(tmp_path, {9: share}, pictures=pictures)


def test_a_size_that_is_said_is_not_looked_for(tmp_path, pictures):
    faces = [{"id": 1, "size": [900, 700], "bbox": [600, 10, 950, 300]}, {"id": 2, "faces": []}]
    (tmp_path / "faces.json").write_text(json.dumps(faces))
    content = json.loads((tmp_path / "faces.json").read_text())
    found, _ = boxes_of(tmp_path, content, min_images=1, pictures=pictures)
    assert found == {1: (600, 10, 900, 300)}


@pytest.mark.parametrize(
    ("name", "post"),
    [
        ("danbooru_4123_0123456789abcdef.jpg", 4123),
        ("e621_4123.png", 4123),
        ("x/safebooru_4123_a b.jpg", 4123),
        ("asuka_4123_a.jpg", -1),
        ("danbooru_x_4123.jpg", -1),
        ("danbooru_4123x.jpg", -1),
    ],
)
def test_the_post_of_a_picture_of_gallery_dl(name, post):
    boxed = Boxed.of(face_boxes({name: [((1, 2, 30, 40), 1)]}))
    _, posts, others = boxed.by_post()
    assert (posts.tolist(), others) == (([post], 0) if post > 0 else ([], 1))
