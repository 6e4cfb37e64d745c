"""The whole way of each form: metadata and boxes, split, crops; each face under its name."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
from PIL import Image, ImageDraw
from support.flat_calls import select_faces

from mining.commands.crop import crop_faces
from pairsets.errors import OutputError, SourceError
from pairsets.sources.dataset import Dataset

COLOURS = {"ada_(ash)": (200, 30, 30), "bo": (30, 160, 40), "cy": (40, 60, 210)}
NAMES = list(COLOURS)
# A post each, of one face.
POSTS = {1001 + at: NAMES[at // 2] for at in range(6)}
SIZE = (400, 300)
MD5 = "0123456789abcdef0123456789abcdef"
# Two books; the same people by name, who are others in the other book; `ada` is twice on a page.
PAGES = {
    f"{book}/{page:03d}.png": [
        (name, (20 + 110 * at + 10 * page, 40 + 7 * page, 100 + 110 * at + 10 * page, 150))
        for at, name in enumerate(["ada_(ash)", "bo", "ada_(ash)"][: 3 if page == 2 else 2])
    ]
    for book in ("first", "second")
    for page in (1, 2, 3)
}


def box_of(number):
    left = 40 + 5 * (number % 1000)
    return [left, 50, left + 80, 150]


def draw(path, faces):
    """A grey picture, with a flat square of its character's colour where each face is."""
    image = Image.new("RGB", SIZE, (128, 128, 128))
    for name, (left, top, right, bottom) in faces:
        ImageDraw.Draw(image).rectangle([left, top, right - 1, bottom - 1], COLOURS[name])
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


@pytest.fixture(scope="module")
def posted(tmp_path_factory):
    """The pictures of the posts, called by their number, and as gallery-dl calls them."""
    root = tmp_path_factory.mktemp("posts")
    for number, name in POSTS.items():
        draw(root / f"{number}.png", [(name, box_of(number))])
        draw(root / f"danbooru_{number}_{MD5}.png", [(name, box_of(number))])
    return root


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The pages of the books, by the ending of their names."""
    root = tmp_path_factory.mktemp("pages")
    for path, faces in PAGES.items():
        draw(root / ".png" / path, faces)
        # As Manga109's own are called.
        copy = (root / ".jpg" / path).with_suffix(".jpg")
        copy.parent.mkdir(parents=True, exist_ok=True)
        Image.open(root / ".png" / path).save(copy, quality=95)
    return root


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def lines(path, records):
    return put(path, "".join(json.dumps(record) + "\n" for record in records))


def danbooru(number, name, **more):
    return {
        "id": number,
        "rating": "g",
        "file_ext": "png",
        "tag_string": f"1girl {name}",
        "tag_string_character": name,
        **more,
    }


def gallery_dl(number, name):
    found = danbooru(number, name, tags=["1girl", name], tags_character=[name], extension="png")
    return found | {"rating": "general", "tags_general": ["1girl"], "category": "danbooru"}


def e621(number, name):
    tags = {"general": ["solo"], "character": [name], "species": ["cat"]}
    file = {"ext": "png", "md5": "x"}
    return {"id": number, "rating": "s", "file": file, "flags": {"deleted": False}, "tags": tags}


def gelbooru(number, name):
    """As gallery-dl has it with `tags: true`; Gelbooru itself gives one text."""
    return {
        "id": number,
        "rating": "sensitive",
        "image": f"{MD5}.png",
        "tags": f"1girl {name}",
        "tags_general": "1girl",
        "tags_character": name,
    }


def sidecars(folder, *, indent=4):
    for number, name in POSTS.items():
        content = json.dumps(gallery_dl(number, name), indent=indent)
        put(folder / f"danbooru_{number}_{MD5}.png.json", content)
        put(folder / f"danbooru_{number}_{MD5}.png", "the picture beside it")
    return folder


METADATA = {
    "Danbooru": lambda root: lines(root / "a.jsonl", [danbooru(*one) for one in POSTS.items()]),
    "gallery-dl": lambda root: lines(root / "a.jsonl", [gallery_dl(*one) for one in POSTS.items()]),
    "Gelbooru by gallery-dl": lambda root: lines(
        root / "a.jsonl", [gelbooru(*one) for one in POSTS.items()]
    ),
    "e621": lambda root: lines(root / "a.jsonl", [e621(*one) for one in POSTS.items()]),
    "sidecars": lambda root: sidecars(root / "meta"),
    "sidecars on one line": lambda root: sidecars(root / "meta", indent=None),
    "as jq prints": lambda root: put(
        root / "a.json",
        "\n".join(json.dumps(danbooru(*one), indent=2) for one in POSTS.items()),
    ),
}


def yolo(root, faces, names, *, size=SIZE):
    """A label a picture; the class is the place of the name in `names`."""
    width, height = size
    for stem, found in faces.items():
        put(
            root / f"{stem}.txt",
            "".join(
                f"{names.index(name)} {(b[0] + b[2]) / 2 / width:.6f} "
                f"{(b[1] + b[3]) / 2 / height:.6f} {(b[2] - b[0]) / width:.6f} "
                f"{(b[3] - b[1]) / height:.6f} 0.9\n"
                for name, b in found
            ),
        )
    put(root / "classes.txt", "".join(f"{name}\n" for name in names))
    return root


def wider(root):
    return put(
        root / "wider_face_val_bbx_gt.txt",
        "".join(
            f"{number}.png\n1\n{box_of(number)[0]} 50 80 100 0 0 0 0 0 0 \n" for number in POSTS
        )
        # None has a face, but a line; what is invalid is no face.
        + "1009.png\n0\n0 0 0 0 0 0 0 0 0 0 \n1010.png\n1\n5 5 90 90 0 0 0 1 0 0\n",
    )


BOXES = {
    "JSON": lambda root: put(root / "f.json", {n: [{"bbox": box_of(n)}] for n in POSTS}),
    "gallery-dl's names": lambda root: put(
        root / "f.json", {f"danbooru_{n}_{MD5}.png": [{"bbox": box_of(n)}] for n in POSTS}
    ),
    "WIDER FACE": wider,
    "YOLO": lambda root: yolo(
        root / "labels",
        {n: [("body", (0, 0, 390, 290)), ("face", box_of(n))] for n in POSTS},
        ["face", "body"],
    ),
}


def as_coco(root):
    listed = list(PAGES)
    names = sorted(
        {(path.split("/")[0], name) for path, faces in PAGES.items() for name, _ in faces}
    )
    content = {
        "categories": [
            {"id": at, "name": "/".join(name)} for at, name in enumerate(names)
        ] + [{"id": 90, "name": "body"}, {"id": 91, "name": "Unknown"}],
        "images": [
            {"id": at, "file_name": path, "width": SIZE[0], "height": SIZE[1]}
            for at, path in enumerate(listed)
        ],
        "annotations": [
            {
                "image_id": at,
                "category_id": names.index((path.split("/")[0], name)),
                "bbox": [b[0], b[1], b[2] - b[0], b[3] - b[1]],
            }
            for at, path in enumerate(listed)
            for name, b in PAGES[path]
        ]
        + [
            {"image_id": 0, "category_id": 90, "bbox": [0, 0, 300, 200]},
            {"image_id": 0, "category_id": 91, "bbox": [0, 200, 40, 40]},
        ],
    }  # fmt: skip
    return put(root / "coco.json", content)


def as_manga109(root):
    ids = {"ada_(ash)": "00000003", "bo": "0000000a"}
    for book in ("first", "second"):
        pages = "".join(
            f'<page index="{int(path[-7:-4])}" width="400" height="300">'
            f'<frame id="1" xmin="0" ymin="0" xmax="399" ymax="299"/>'
            + "".join(
                f'<face id="2" xmin="{b[0]}" ymin="{b[1]}" xmax="{b[2]}" ymax="{b[3]}" '
                f'character="{ids[name]}"/>'
                for name, b in faces
            )
            + '<body id="3" xmin="5" ymin="5" xmax="90" ymax="90" character="00000003"/></page>'
            for path, faces in PAGES.items()
            if path.startswith(book)
        )
        people = "".join(f'<character id="{key}" name="{name}"/>' for name, key in ids.items())
        put(
            root / "annotations" / f"{book}.xml",
            f'<?xml version="1.0" encoding="UTF-8"?><book title="{book}">'
            f"<characters>{people}</characters><pages>{pages}</pages></book>",
        )
    return root / "annotations"


def as_voc(root):
    for path, faces in PAGES.items():
        book = path.split("/")[0]
        objects = "".join(
            f"<object><name>{book}/{name}</name><bndbox><xmin>{b[0] + 1}</xmin>"
            f"<ymin>{b[1] + 1}</ymin><xmax>{b[2]}</xmax><ymax>{b[3]}</ymax></bndbox></object>"
            for name, b in faces
        )
        put(
            (root / "voc" / path).with_suffix(".xml"),
            f"<annotation><folder>x</folder><filename>{path.split('/')[1]}</filename>"
            f"<size><width>400</width><height>300</height><depth>3</depth></size>{objects}"
            "</annotation>",
        )
    return root / "voc"


def as_cvat(root):
    images = "".join(
        f'<image id="{at}" name="{path}" width="400" height="300">'
        + "".join(
            f'<box label="face" xtl="{b[0]}.00" ytl="{b[1]}.00" xbr="{b[2]}.00" ybr="{b[3]}.00">'
            f'<attribute name="character">{path.split("/")[0]}/{name}</attribute></box>'
            for name, b in faces
        )
        + "</image>"
        for at, (path, faces) in enumerate(PAGES.items())
    )
    return put(root / "cvat.xml", f"<annotations><version>1.1</version>{images}</annotations>")


NAMED = {
    "COCO": as_coco,
    "Manga109": as_manga109,
    "Pascal VOC": as_voc,
    "CVAT": as_cvat,
    "records": lambda root: lines(
        root / "f.jsonl",
        [
            {"path": path, "bbox": box, "character": f"{path.split('/')[0]}/{name}"}
            for path, faces in PAGES.items()
            for name, box in faces
        ],
    ),
    "ZACI-20": lambda root: put(
        root / "f.json",
        {
            f"{book}/{name}": [
                {"id": path, "bbox": box}
                for path, faces in PAGES.items()
                if path.startswith(book)
                for other, box in faces
                if other == name
            ]
            for book in ("first", "second")
            for name in ("ada_(ash)", "bo")
        },
    ),
    "YOLO": lambda root: yolo(
        root / "labels",
        {
            path[:-4]: [(f"{path.split('/')[0]}/{name}", box) for name, box in faces]
            for path, faces in PAGES.items()
        },
        ["first/ada_(ash)", "first/bo", "second/ada_(ash)", "second/bo"],
    ),
}


def faces_in(path):
    return Counter((face.character, face.id, face.bbox) for face in Dataset.read(path))


def colours_of(folder):
    """Mean colour of each crop, by its character's folder."""
    found = {}
    for file in sorted(folder.glob("*/*.jpg")):
        image = np.asarray(Image.open(file).convert("RGB"), float)
        found[f"{file.parent.name}/{file.name}"] = image.mean(axis=(0, 1))
    return found


def crops_of_the_right_colour(folder, count):
    """Each crop is all of the colour of whom its folder is called after."""
    found = colours_of(folder)
    assert len(found) == count
    for path, colour in found.items():
        name = path.split("/")[0].rpartition("__")[2]
        # A JPEG of one colour is off by rounding alone.
        assert np.abs(colour - COLOURS[name]).max() < 4, path


@pytest.mark.parametrize("form", METADATA)
def test_each_metadata_to_the_crops(form, posted, tmp_path):
    faces = put(tmp_path / "f.json", {number: [{"bbox": box_of(number)}] for number in POSTS})
    out = tmp_path / "out"
    select_faces(faces, out, metadata=[METADATA[form](tmp_path)], test_characters=1)
    found = faces_in(out / "train.json") + faces_in(out / "test.json")
    assert found == Counter((name, n, tuple(box_of(n))) for n, name in POSTS.items())
    for name, count in (("train", 4), ("test", 2)):
        crop_faces(posted, out / f"{name}.json", tmp_path / name, size=32)
        crops_of_the_right_colour(tmp_path / name, count)


@pytest.mark.parametrize("form", BOXES)
def test_boxes_of_posts_to_the_crops(form, posted, tmp_path):
    metadata = lines(tmp_path / "a.jsonl", [danbooru(*one) for one in POSTS.items()])
    faces, out = BOXES[form](tmp_path), tmp_path / "out"
    select_faces(faces, out, metadata=[metadata], pictures=posted, test_characters=0)
    by_post = {f"danbooru_{n}_{MD5}.png": n for n in POSTS}
    found = Counter(
        (name, by_post.get(picture, picture), box)
        for name, picture, box in faces_in(out / "train.json")
    )
    assert found == Counter((name, n, tuple(box_of(n))) for n, name in POSTS.items())
    crop_faces(posted, out / "train.json", tmp_path / "crops", size=32)
    crops_of_the_right_colour(tmp_path / "crops", 6)


@pytest.mark.parametrize("form", NAMED)
def test_each_box_says_whose_it_is(form, pages, tmp_path):
    faces, out = NAMED[form](tmp_path), tmp_path / "out"
    ending = ".jpg" if form == "Manga109" else ".png"
    made = select_faces(faces, out, pictures=pages / ending, test_characters=0)
    assert faces_in(out / "train.json") == Counter(
        (f"{path.split('/')[0]}/{name}", path.replace(".png", ending), box)
        for path, listed in PAGES.items()
        for name, box in listed
    )
    assert made.warnings[0].startswith("Each box is taken by its own name, of 4: 'first/")
    assert any("2 faces are further ones of a character" in one for one in made.warnings)
    crop_faces(pages / ending, out / "train.json", tmp_path / "crops", size=32)
    crops_of_the_right_colour(tmp_path / "crops", 14)
    names = sorted(file.name for file in (tmp_path / "crops" / "first__ada_(ash)").iterdir())
    assert names == [f"first__00{n}.jpg" for n in ("1", "2", "2_2", "3")]


def test_what_is_left_out_of_named_boxes_is_counted(tmp_path):
    made = select_faces(as_coco(tmp_path), tmp_path / "coco", test_characters=0)
    rows = {row.what: row.count for row in made.funnel}
    assert rows["box of the class 'body', no face"] == 1
    assert rows["faces of no one name"] == 1
    assert rows["faces with a name of their own"] == 14
    made = select_faces(as_manga109(tmp_path), tmp_path / "manga", test_characters=0)
    rows = {row.what: row.count for row in made.funnel}
    assert rows["box of the class 'body', no face"] == 6
    assert rows["box of the class 'frame', no face"] == 6
    facts = json.loads((tmp_path / "manga" / "selection.json").read_text())
    assert facts["inputs"]["faces"]["files"] == 2


def test_one_box_of_two_names_is_nobodys(tmp_path):
    box, other = [10, 10, 60, 60], [100, 10, 160, 60]
    faces = put(
        tmp_path / "f.json",
        {
            "rei": [{"id": 5, "bbox": box}, {"id": 6, "bbox": box}, {"id": 7, "bbox": box}],
            "asuka": [{"id": 5, "bbox": box}, {"id": 6, "bbox": other}, {"id": 7, "bbox": other}],
        },
    )
    made = select_faces(faces, tmp_path / "out", test_characters=0)
    assert faces_in(tmp_path / "out" / "train.json") == Counter(
        [(name, n, tuple(b)) for name, b in (("rei", box), ("asuka", other)) for n in (6, 7)]
    )
    rows = {row.what: row.count for row in made.funnel}
    assert rows["faces of no one name"] == 1


def test_boxes_that_are_one_in_whole_pixels_count_once(tmp_path):
    faces = lines(
        tmp_path / "f.jsonl",
        [
            {"path": f"{page}.png", "bbox": [10, 10, 60 + more, 60], "character": name}
            for name, page in (("rei", "a"), ("rei", "b"), ("asuka", "c"), ("asuka", "d"))
            for more in (0, 0.2)
        ],
    )
    made = select_faces(faces, tmp_path / "out", test_characters=0)
    assert len(Dataset.read(tmp_path / "out" / "train.json")) == 4
    assert {row.what: row.count for row in made.funnel}["faces that are listed again"] == 4


def test_a_class_of_all_boxes_is_no_character(tmp_path):
    faces = {
        f"{name}/{at}.png": [{"bbox": [9, 9, 60, 60], "label": "girl"}]
        for name in NAMES
        for at in range(2)
    }
    with pytest.raises(SourceError, match="all faces are called 'girl', which is no character's"):
        select_faces(put(tmp_path / "f.json", faces), tmp_path / "out", test_characters=0)


def test_a_page_of_both_sets_is_told(tmp_path):
    made = select_faces(as_coco(tmp_path), tmp_path / "out", test_characters=1, test_images=3)
    assert any("3 pictures show characters of both sets" in one for one in made.warnings)


def test_metadata_goes_before_the_names_of_boxes_and_says_so(tmp_path):
    metadata = lines(tmp_path / "a.jsonl", [danbooru(*one) for one in POSTS.items()])
    faces = put(tmp_path / "f.json", {"someone": [{"id": n, "bbox": box_of(n)} for n in POSTS]})
    made = select_faces(faces, tmp_path / "out", metadata=[metadata], test_characters=0)
    assert Dataset.read(tmp_path / "out" / "train.json").characters == tuple(sorted(NAMES))
    assert any("The boxes name characters themselves" in one for one in made.warnings)


def test_folders_that_are_taken_for_characters_are_told(tmp_path):
    faces = {f"{name}/{at}.png": [[10, 10, 60, 60]] for name in NAMES for at in range(2)}
    made = select_faces(put(tmp_path / "f.json", faces), tmp_path / "out", test_characters=0)
    assert any("the folder of each picture is taken for its char" in one for one in made.warnings)
    alone = {f"images/{at}.png": [[10, 10, 60, 60]] for at in range(4)}
    with pytest.raises(SourceError, match="all pictures lie in one folder, 'images'"):
        select_faces(put(tmp_path / "g.json", alone), tmp_path / "no", test_characters=0)
    events = "0--Parade/a.jpg\n1\n9 9 80 80 0 0 0 0 0 0\n1--Hand/b.jpg\n1\n9 9 80 80 0 0 0 0 0 0\n"
    with pytest.raises(SourceError, match="'0--Parade' are WIDER FACE's events, no characters"):
        select_faces(put(tmp_path / "w.txt", events), tmp_path / "no", test_characters=0)


@pytest.mark.parametrize(
    ("post", "told"),
    [
        pytest.param(
            {"rating": "general", "image": "1.jpg", "tags": "1girl ada_(ash)"},
            r"2 of 2 posts list their tags without categories, .*tags_character \(gallery-dl",
            id="Gelbooru",
        ),
        pytest.param(
            {"rating": "s", "file_url": "https://x/1.jpg?a=b", "tags": "1girl ada"},
            "without categories",
            id="Moebooru",
        ),
        pytest.param(
            {"rating": "s", "extension": "jpg", "tags": ["1girl", "ada"]},
            "without categories",
            id="a list of texts",
        ),
        pytest.param(
            {"rating": "s", "file_ext": "jpg", "tags": [{"name": "ada", "type": 4}]},
            "without categories",
            id="objects without a category",
        ),
        pytest.param(
            {"file_ext": "jpg", "tag_string_character": "ada"},
            "2 of 2 posts have no field rating, and no other post is left",
            id="no rating",
        ),
        pytest.param(
            {"rating": "g", "tag_string_character": "ada"},
            r"2 of 2 posts have no field file_ext \(or file.ext",
            id="no type",
        ),
    ],
)
def test_the_field_that_is_missing_is_named(post, told, tmp_path):
    metadata = lines(tmp_path / "a.jsonl", [{"id": number, **post} for number in (1, 2)])
    faces = put(tmp_path / "f.json", {number: [[10, 10, 60, 60]] for number in (1, 2)})
    with pytest.raises(SourceError, match=told):
        select_faces(faces, tmp_path / "out", metadata=[metadata], test_characters=0)


def test_some_posts_without_categories_are_counted(tmp_path):
    posts = [danbooru(*one) for one in POSTS.items()]
    posts.append({"id": 2001, "rating": "g", "file_ext": "png", "tags": "1girl ada_(ash)"})
    faces = put(tmp_path / "f.json", {n: [{"bbox": box_of(n)}] for n in POSTS})
    made = select_faces(
        faces, tmp_path / "out", metadata=[lines(tmp_path / "a.jsonl", posts)], test_characters=0
    )
    row = next(row for row in made.funnel if row.what.startswith("tags without categories"))
    assert row.count == 1


def test_a_damaged_sidecar_is_named_and_counted(tmp_path):
    folder = sidecars(tmp_path / "meta")
    put(folder / "danbooru_999_x.png.json", '{\n  "id": 999,\n  "rati')
    faces = put(tmp_path / "f.json", {n: [{"bbox": box_of(n)}] for n in POSTS})
    made = select_faces(faces, tmp_path / "out", metadata=[folder], test_characters=0)
    assert len(Dataset.read(tmp_path / "out" / "train.json")) == 6
    rows = {row.what: row.count for row in made.funnel}
    assert rows["lines that are not a post"] == 1
    assert rows["files in the folders that are no metadata by their names"] == 6
    assert "meta/danbooru_999_x.png.json" in made.warnings[0]
    put(folder / "danbooru_998_x.png.json", "")
    put(folder / "danbooru_997_x.png.json", "[]")
    with pytest.raises(SourceError, match=r"meta: 3 of 9 lines are not a post.*danbooru_99"):
        select_faces(faces, tmp_path / "no", metadata=[folder], test_characters=0)


def test_the_folder_of_boxes_is_not_written_into(tmp_path):
    with pytest.raises(OutputError, match="the folder of the boxes"):
        select_faces(as_voc(tmp_path), tmp_path / "voc", test_characters=0)
