"""Crops beside the original's line; hostile pictures; names of files; where pictures are found."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pairsets.errors import SourceError
from pairsets.images import ImageError
from pairsets.paths import IMAGE_SUFFIXES
from pairsets.sources.dataset import Dataset
from pairsets.sources.folders.crops import CropPlan, CropSettings, crop_face, file_names
from pairsets.sources.folders.picture_paths import NotFoundError, PicturePaths

BOXES = [
    (213, 15, 327, 151),
    (0, 0, 512, 512),
    (0, 0, 1, 1),
    (400, 380, 560, 601),
    (511, 0, 1023, 2),
    (600, 600, 700, 700),
    (3, 200, 500, 204),
]


def noise(mode: str, size: tuple[int, int] = (512, 512), seed: int = 0) -> Image.Image:
    """A rough picture of a mode."""
    bands = len(Image.new(mode, (1, 1)).getbands())
    pixels = np.random.default_rng(seed).integers(0, 256, (16, 16, bands), dtype=np.uint8)
    small = [Image.fromarray(pixels[:, :, band]) for band in range(bands)]
    whole = Image.merge(mode, small) if bands > 1 else small[0].convert(mode)
    return whole.resize(size, Image.Resampling.BICUBIC if bands > 1 else Image.Resampling.NEAREST)


def as_file(image: Image.Image, form: str = "JPEG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def original(tmp_path, data: bytes, box: tuple[int, int, int, int]) -> bytes:
    """What the script that made ZACI-20 does, from a file to a file."""
    (tmp_path / "in.jpg").write_bytes(data)
    image = Image.open(tmp_path / "in.jpg")
    image = image.crop(box)
    image = image.resize((224, 224))
    image.save(tmp_path / "out.jpg")
    return (tmp_path / "out.jpg").read_bytes()


@pytest.mark.parametrize("box", BOXES, ids=str)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_the_same_bytes_as_the_original(tmp_path, mode, box):
    data = as_file(noise(mode), quality=90)
    assert crop_face(data, box, CropSettings()).data == original(tmp_path, data, box)


def test_the_same_bytes_with_a_comment_a_profile_and_a_turn(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    extras = {"exif": exif, "icc_profile": b"x" * 300, "comment": b"made by hand", "dpi": (72, 72)}
    for options in ({"progressive": True}, {"subsampling": 0}, extras):
        data = as_file(noise("RGB", (500, 300)), **options)
        found = crop_face(data, (20, 30, 320, 290), CropSettings())
        assert found.data == original(tmp_path, data, (20, 30, 320, 290))


def test_a_box_outside_the_picture_is_black_and_told():
    data = as_file(noise("RGB"))
    for box, black in [
        ((512, 0, 600, 40), True),
        ((0, 512, 40, 600), True),
        ((-50, 0, 0, 40), True),
        ((0, -50, 40, 0), True),
        ((511, 511, 600, 600), False),
    ]:
        found = crop_face(data, box, CropSettings())
        assert found.black is black
        assert np.asarray(Image.open(io.BytesIO(found.data))).any() != black


def test_options_change_what_they_say():
    data = as_file(noise("RGB"))
    box = (200, 200, 300, 260)
    cut = crop_face(data, box, CropSettings(size=64, pad=0.1, square=True, quality=95)).data
    side = round(0.1 * 100) * 2 + 100
    expected = Image.open(io.BytesIO(data)).crop((190, 230 - side // 2, 310, 230 + side // 2))
    assert cut == as_file(expected.resize((64, 64)), quality=95)


@given(
    st.tuples(*[st.integers(0, 400)] * 2, *[st.integers(1, 300)] * 2),
    st.floats(0, 4),
    st.booleans(),
)
def test_a_padded_box_holds_the_face(parts, pad, square):
    left, top, width, height = parts
    bbox = (left, top, left + width, top + height)
    box = CropSettings(pad=pad, square=square).box(bbox)
    assert (np.array(box) - bbox)[:2].max() <= 0
    assert (np.array(box) - bbox)[2:].min() >= 0
    if square:
        assert box[2] - box[0] == box[3] - box[1]
    else:
        assert abs((box[2] - box[0]) - width * (1 + 2 * pad)) <= 1
    # The face stays in the middle.
    assert abs((box[0] + box[2]) - (bbox[0] + bbox[2])) <= 1
    assert CropSettings().box(bbox) == bbox


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "I;16", "1"])
def test_modes_that_a_jpeg_cannot_have_become_pictures_on_white(mode):
    if mode == "I;16":
        ramp = np.full((64, 64), 40_000, np.uint16)
        image, expected = Image.fromarray(ramp), 40_000 / 65_535 * 255
    elif mode in ("RGBA", "LA"):
        image = Image.new(mode, (64, 64), (10,) * (len(mode) - 1) + (0,))
        expected = 255
    elif mode == "P":
        image, expected = Image.new("L", (64, 64), 90).convert("P"), 90
    else:
        image, expected = Image.new("1", (64, 64), 1), 255
    data = as_file(image, "PNG")
    found = Image.open(io.BytesIO(crop_face(data, (8, 8, 40, 40), CropSettings()).data))
    assert found.size == (224, 224)
    assert np.abs(np.asarray(found.convert("RGB"), float) - expected).max() <= 2
    # What is outside of the picture is black in any mode.
    outside = Image.open(io.BytesIO(crop_face(data, (32, 32, 96, 96), CropSettings()).data))
    assert np.asarray(outside.convert("RGB"))[200:, 200:].max() == 0


@pytest.mark.parametrize(
    ("data", "box", "told"),
    [
        (b"", (0, 0, 9, 9), "is none of JPEG"),
        (b"<html>not found</html>", (0, 0, 9, 9), "is none of JPEG"),
        (as_file(noise("RGB"))[:5000], (0, 0, 9, 9), "cut off"),
        (as_file(noise("RGB")), (0, 0, 40_000, 40_000), "a box of 40000 x 40000 pixels"),
        (as_file(noise("L", (3000, 1)), "PNG"), (0, 0, 9, 1), "3000 x 1 pixels is more than"),
    ],
    ids=["empty", "page", "cut", "box", "large"],
)
def test_pictures_that_cannot_be_used(data, box, told):
    limit = 2000 if "3000" in told else 50_000_000
    with pytest.raises(ImageError) as error:
        crop_face(data, box, CropSettings(), max_pixels=limit)
    assert told in error.value.cause


@pytest.mark.parametrize(
    "wrong", [{"size": 0}, {"size": 5000}, {"pad": -0.1}, {"pad": float("nan")}, {"quality": 0}]
)
def test_settings_out_of_range(wrong):
    with pytest.raises(SourceError, match="expected"):
        CropSettings(**wrong)


def test_file_names_of_numbers_and_paths():
    assert file_names([12, 3]) == ["12", "3"]
    assert file_names(["a/b.png", "c.jpg", "d"]) == ["a__b", "c", "d"]
    # Two that would be one keep their endings; one that is called as another would be, too.
    assert file_names(["x.png", "x.jpg"]) == ["x.png", "x.jpg"]
    assert len(set(file_names(["x.png.jpg", "x.png", "x.jpg", "x"]))) == 4
    first, second = file_names([12, "12.jpg"])
    assert first == "12"
    assert second.startswith("12~")


@given(
    st.lists(
        st.sampled_from(["a.jpg", "A.jpg", "a.png", "a", "b/a.jpg", "b__a.gif", "..a", "CON.jpg"])
        | st.integers(0, 9)
        | st.integers(0, 9).map(lambda n: f"{n}.jpg")
        | st.text(st.characters(exclude_characters="\0/"), min_size=1, max_size=300),
        unique=True,
        max_size=12,
    )
)
def test_file_names_differ_and_fit(ids):
    names = file_names(ids)
    assert len({name.casefold() for name in names}) == len(ids)
    assert all(0 < len(f"{name}.jpg".encode()) <= 255 and "/" not in name for name in names)


def test_a_plan_has_one_file_a_face():
    found = Dataset.of(
        {
            "fate/alter": [(7, (0, 0, 9, 9)), (8, (0, 0, 9, 9))],
            "fate__alter": [(7, (0, 0, 9, 9))],
            "crops.csv": [(9, (0, 0, 9, 9))],
        }
    )
    plan = CropPlan.of(found, ["crops.csv"])
    paths = list(plan.paths())
    assert paths[2] == "fate__alter/7.jpg"
    assert len(set(paths)) == 4
    assert [plan.names.name(path.split("/")[0]) for path in paths] == [f.character for f in found]
    assert not any(path.startswith("crops.csv/") for path in paths)


def test_where_pictures_are_found(tmp_path):
    root = tmp_path / "danbooru" / "512px"
    for name in ("0051/3131051.jpg", "7.jpg", "0008/8.png", "9.webp", "0007/1007.jpg", "p/q.jpg"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    for given_root in (root, tmp_path / "danbooru"):
        pictures = PicturePaths(given_root)
        for picture, path in [
            (3131051, "0051/3131051.jpg"),
            (7, "7.jpg"),
            (8, "0008/8.png"),
            (9, "9.webp"),
            ("p/q.jpg", "p/q.jpg"),
        ]:
            assert pictures.find(picture) == root / path
        # Nor do names that are longer than any file's end all.
        long = (10**300, f"{'x' * 300}.jpg", f"p/{'x' * 5000}", "q\ud800.jpg")
        for missing in (1008, 51, "p/r.jpg", "p", "../512px/7.jpg", "/etc/passwd", *long):
            with pytest.raises(NotFoundError):
                pictures.find(missing)
    # The bucket goes before the flat folder.
    (root / "1007.jpg").touch()
    assert PicturePaths(root).find(1007) == root / "0007/1007.jpg"


def test_a_path_may_not_leave_the_pictures_through_a_link(tmp_path):
    (tmp_path / "secret.jpg").touch()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    with pytest.raises(NotFoundError, match="a link that leaves"):
        PicturePaths(tmp_path / "in").find("link.jpg")
    with pytest.raises(SourceError, match="no such folder of pictures"):
        PicturePaths(tmp_path / "none")
    with pytest.raises(SourceError, match="a file; expected the folder"):
        PicturePaths(tmp_path / "secret.jpg")


def test_file_names_of_pictures_that_come_again():
    assert file_names([7, 7, 8, 7]) == ["7", "7_2", "8", "7_3"]
    assert file_names(["a/1.png", "a/1.png"]) == ["a__1", "a__1_2"]
    # A picture that is called so keeps its name, wherever it stands.
    first, again, other = file_names(["a.png", "a.png", "A_2.png"])
    assert (first, other) == ("a", "A_2")
    assert again.startswith("a_2~")
    long = "x" * 250 + ".png"
    names = file_names([long, long, 3, 3])
    assert len({*names}) == 4
    assert all(len(f"{name}.jpg".encode()) <= 255 for name in names)


def test_pictures_are_found_by_every_ending_that_faces_have(tmp_path):
    for number, ending in enumerate(sorted(IMAGE_SUFFIXES)):
        (tmp_path / f"{number}{ending}").touch()
        assert PicturePaths(tmp_path).find(number) == tmp_path / f"{number}{ending}"
