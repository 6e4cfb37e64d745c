"""Planted copies of drawn faces, and pairs that only look like copies."""

from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance

from mining.errors import SuspectError
from mining.suspects.duplicates import THRESHOLD, DuplicatePictures
from mining.suspects.pictures import comparison, features
from mining.suspects.pictures.alignment import ways
from mining.suspects.pictures.caches import PictureCache, Recent
from mining.suspects.pictures.comparison import Comparisons
from mining.suspects.pictures.features import (
    inner_box,
    inner_lines,
    mirrored_words,
    picture_of,
)
from pairsets.pairset import PairSet

FLIP = Image.Transpose.FLIP_LEFT_RIGHT


def scene(seed: int, size: int = 192, mouth: int = 0) -> Image.Image:
    """A cartoon of overlapping shapes with outlines; `mouth` alone changes one spot."""
    generator = np.random.default_rng(seed)
    image = Image.new("RGB", (size * 2, size * 2), tuple(generator.integers(90, 256, 3).tolist()))
    draw = ImageDraw.Draw(image)
    for _ in range(40):
        x, y = generator.uniform(0, 2 * size, 2)
        wide, high = generator.uniform(0.05, 0.3, 2) * 2 * size
        colour = tuple(generator.integers(0, 256, 3).tolist())
        shape = draw.ellipse if generator.random() < 0.5 else draw.rectangle
        shape([x, y, x + wide, y + high], fill=colour, outline=(0, 0, 0), width=5)
    box = [size * 0.8, size * 0.8, size * 1.2, size * 1.2]
    draw.ellipse(box, fill=(250, 220, 200), outline=(0, 0, 0), width=5)
    low, high = size * 0.88, size * 1.12
    if mouth == 0:
        draw.line([low, size, high, size], fill=(0, 0, 0), width=9)
    else:
        draw.ellipse([size * 0.94, low, size * 1.06, high], fill=(180, 0, 0), outline=(0, 0, 0))
    return image.resize((size, size), Image.Resampling.LANCZOS)


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    file = BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(BytesIO(file.getvalue())).convert("RGB")


def window(image: Image.Image, left: float, top: float, right: float, bottom: float) -> Image.Image:
    width, height = image.size
    box = (int(left * width), int(top * height), int(right * width), int(bottom * height))
    return image.crop(box).resize((224, 224), Image.Resampling.BICUBIC)


def padded(image: Image.Image) -> Image.Image:
    canvas = Image.new("RGB", (image.width + 90, image.height + 30), (128, 128, 128))
    canvas.paste(image, (50, 10))
    return canvas


def saved(root: Path, **images: Image.Image) -> None:
    root.mkdir(exist_ok=True)
    for name, image in images.items():
        image.save(root / f"{name}.png")


def judged(root: Path, a: Image.Image, b: Image.Image) -> tuple[float, str]:
    saved(root, a=a, b=b)
    doubt = DuplicatePictures(root, threads=1)(PairSet.of(["a.png"], ["b.png"], 0))
    return float(doubt.score[0]), doubt.reasons[0]


COPIES = {
    "itself": (lambda x: x, "pixel by pixel"),
    "jpeg": (lambda x: jpeg(x, 25), "re-compressed"),
    "small": (lambda x: x.resize((60, 60), Image.Resampling.LANCZOS), "at 0.31 of the size"),
    "mirror": (lambda x: x.transpose(FLIP), "mirrored"),
    "squeezed": (lambda x: x.resize((192, 130)), "squeezed"),
    "grey": (lambda x: x.convert("L").convert("RGB"), "without colours"),
    "dark": (lambda x: ImageEnhance.Brightness(x).enhance(0.6), "darker"),
    "over-exposed": (lambda x: ImageEnhance.Brightness(x).enhance(1.6), "brighter"),
    "turned": (lambda x: x.rotate(5, Image.Resampling.BICUBIC), "turned by 5 degrees"),
    "turned, white corners": (
        lambda x: x.rotate(-10, Image.Resampling.BICUBIC, fillcolor=(255, 255, 255)),
        "turned by 10 degrees",
    ),
    "turned, cut": (
        lambda x: window(x.rotate(8, Image.Resampling.BICUBIC), 0.14, 0.14, 0.86, 0.86),
        "turned by 8 degrees",
    ),
    "turned mirror": (
        lambda x: x.rotate(-4, Image.Resampling.BICUBIC).transpose(FLIP),
        "turned by 4 degrees",
    ),
    "faint": (lambda x: ImageEnhance.Contrast(x).enhance(0.5), "re-coloured"),
    "padding": (padded, "padded"),
    "window": (lambda x: window(x, 0.2, 0.1, 0.9, 0.9), "cropped"),
    "part, squeezed": (lambda x: window(x, 0, 0, 0.6, 0.85), "cropped"),
    "mirrored part": (
        lambda x: jpeg(
            ImageEnhance.Color(window(x, 0.1, 0.1, 0.9, 1).transpose(FLIP)).enhance(0.5), 60
        ),
        "mirrored",
    ),
}


@pytest.mark.parametrize("name", COPIES)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_copy_is_found_and_told(name: str, seed: int, tmp_path: Path) -> None:
    change, how = COPIES[name]
    original = scene(seed)
    for a, b in ((original, change(original)), (change(original), original)):
        score, reason = judged(tmp_path, a, b)
        assert score >= 0.6
        assert reason.startswith("the same picture, ")
        # The second of the two is brighter or darker than the first.
        opposite = {"darker": "brighter", "brighter": "darker"}.get(how, how)
        assert (how if a is original else opposite) in reason
        assert ("mirrored" in reason) == ("mirror" in name)


def test_two_windows_of_one_picture(tmp_path: Path) -> None:
    original = scene(3, 320)
    a, b = window(original, 0, 0.1, 0.65, 0.75), window(original, 0.2, 0, 0.95, 0.7)
    score, reason = judged(tmp_path, a, b)
    assert score >= 0.6
    assert "cropped" in reason


def test_other_pictures_are_none(tmp_path: Path) -> None:
    names = [f"{seed}.png" for seed in range(12)]
    saved(tmp_path, **{str(seed): scene(seed + 20) for seed in range(12)})
    both = [(a, b) for a in names for b in names if a < b]
    pairs = PairSet.of([a for a, _ in both], [b for _, b in both], 0)
    doubt = DuplicatePictures(tmp_path)(pairs)
    assert doubt.count == 0
    assert doubt.score.max() < 0.3


def test_another_expression_is_none(tmp_path: Path) -> None:
    for change in (COPIES["itself"][0], COPIES["mirror"][0], COPIES["jpeg"][0]):
        score, reason = judged(tmp_path, scene(4), change(scene(4, mouth=1)))
        assert score < 0.4
        assert reason == ""


def face(
    *, mirrored: bool = False, mouth: int = 0, earrings: bool = False, brows: int = 0, eyes: int = 0
) -> Image.Image:
    """A flat drawing of one head in strokes, of which one detail changes."""
    image = Image.new("RGB", (896, 896), (140, 150, 220))
    draw = ImageDraw.Draw(image)
    ink, hair, skin = (0, 0, 0), (222, 105, 40), (243, 204, 168)
    draw.polygon([(330, 620), (300, 896), (640, 896), (600, 620)], fill=skin, outline=ink, width=16)
    draw.ellipse([190, 90, 720, 620], fill=hair)
    draw.ellipse([230, 170, 700, 760], fill=skin, outline=ink, width=16)
    draw.ellipse([180, 430, 270, 560], fill=skin, outline=ink, width=16)
    draw.arc([205, 460, 250, 530], 90, 300, fill=ink, width=12)
    for tip in range(6):
        left = 210 + 80 * tip
        draw.polygon([(left, 120), (left + 110, 120), (left + 70, 340 - 25 * tip)], fill=hair)
    for left in (340, 540):
        top = 400 if eyes == 0 else 430
        draw.arc([left, top, left + 120, top + 80], *((190, 350), (10, 170))[eyes], ink, 16)
        if eyes == 0:
            draw.ellipse([left + 40, 405, left + 80, 465], fill=(150, 80, 20))
        slant = (0, 34)[brows] * (1 if left == 340 else -1)
        draw.line([left, 365 - slant, left + 120, 365 + slant], fill=ink, width=16)
    draw.line([480, 470, 510, 560, 475, 565], fill=ink, width=14, joint="curve")
    if mouth == 0:
        draw.arc([390, 560, 570, 660], 20, 160, fill=ink, width=16)
    elif mouth == 1:
        draw.line([390, 650, 440, 640, 560, 655], fill=ink, width=16)
    else:
        draw.ellipse([440, 610, 520, 690], fill=(150, 30, 30), outline=ink, width=12)
    if earrings:
        for y in (450, 490):
            draw.rectangle([165, y, 205, y + 20], fill=ink)
        draw.ellipse([215, 555, 245, 585], fill=ink)
    small = image.resize((224, 224), Image.Resampling.LANCZOS)
    return small.transpose(FLIP) if mirrored else small


DETAILS: dict[str, dict[str, int]] = {
    "smaller mouth": {"mouth": 1},
    "open mouth": {"mouth": 2},
    "earrings": {"earrings": 1},
    "brows": {"brows": 1},
    "closed eyes": {"eyes": 1},
}


@pytest.mark.parametrize("name", DETAILS)
def test_another_detail_of_one_drawing_is_no_copy(name: str, tmp_path: Path) -> None:
    """What is drawn anew is a small spot of a picture that is equal everywhere else."""
    original, other = face(), face(**DETAILS[name])  # type: ignore[arg-type]
    shifted = window(other, 0.04, 0.06, 0.98, 1)
    for second in (other, other.transpose(FLIP), jpeg(other, 60), shifted):
        score, reason = judged(tmp_path, original, second)
        assert score < THRESHOLD
        assert reason == ""
    for second in (
        original.transpose(FLIP),
        jpeg(original, 60),
        window(original, 0.04, 0, 0.98, 1),
    ):
        assert judged(tmp_path, original, second)[0] >= 0.7


def test_drawn_faces_of_one_identity_are_none(demo_folder: Path) -> None:
    """Other expressions, earrings and crops of one head, as the sample has them."""
    root = demo_folder / "sample" / "faces"
    folders = sorted(path for path in root.iterdir() if path.is_dir())
    both = [
        (a.relative_to(root).as_posix(), b.relative_to(root).as_posix())
        for folder in folders
        for a in sorted(folder.iterdir())
        for b in sorted(folder.iterdir())
        if a < b
    ]
    assert len(both) > 100
    pairs = PairSet.of([a for a, _ in both], [b for _, b in both], 1)
    doubt = DuplicatePictures(root)(pairs)
    # One drawing was drawn twice, but for its tilt.
    assert [reason for reason in doubt.reasons if "turned by 5 degrees" not in reason] == [""] * (
        len(both) - doubt.count
    )
    assert doubt.count <= 1


def test_a_shared_frame_or_padding_is_none(tmp_path: Path) -> None:
    """A broad, textured frame about different pictures; then plain padding about them."""
    frame = scene(50, 224)
    a, b = frame.copy(), frame.copy()
    a.paste(scene(51, 120), (52, 52))
    b.paste(scene(52, 120), (52, 52))
    assert judged(tmp_path, a, b)[0] < 0.4
    assert judged(tmp_path, padded(scene(51)), padded(scene(52)))[0] < 0.3


def test_nothing_to_see_is_no_copy(tmp_path: Path) -> None:
    """Different blank pictures, however alike, show no picture twice."""
    blank = Image.new("RGB", (100, 80), (90, 120, 200))
    shaded = Image.fromarray(
        np.broadcast_to(np.linspace(0, 255, 96)[:, None, None], (96, 96, 3)).astype(np.uint8)
    )
    lighter = blank.point(lambda level: level + 1)
    for a, b in (
        (blank, lighter),
        (blank, blank.resize((80, 100))),  # as many pixels of the same colour
        (blank, shaded),
        (shaded, shaded.resize((90, 96))),
        (shaded, shaded.transpose(Image.Transpose.FLIP_TOP_BOTTOM)),
    ):
        assert judged(tmp_path, a, b) == (0, "")


def test_equal_pixels_are_one_picture_whatever_they_show(tmp_path: Path) -> None:
    """At any threshold, also where there is nothing to see, and in other files."""
    images = {
        "face": scene(1),
        "blank": Image.new("RGB", (100, 80), (90, 120, 200)),
        "dot": Image.new("RGB", (1, 1)),
        "padded": padded(scene(2)),
    }
    names = []
    for name, image in images.items():
        image.save(tmp_path / f"{name}.png", compress_level=9)
        image.save(tmp_path / f"{name}.bmp")
        names.append(name)
    pairs = PairSet.of([f"{name}.png" for name in names], [f"{name}.bmp" for name in names], 0)
    doubt = DuplicatePictures(tmp_path, threshold=1.0)(pairs)
    assert doubt.score.tolist() == [1.0] * len(names)
    assert doubt.flagged.all()
    assert set(doubt.reasons) == {"the same picture, pixel by pixel"}
    pixels = np.array(scene(1))
    pixels[90, 90, 0] ^= 1
    score, reason = judged(tmp_path, scene(1), Image.fromarray(pixels))
    assert 0.8 < score < 1
    assert reason == "the same picture, re-compressed"


def test_a_pair_is_judged_alone(tmp_path: Path) -> None:
    """Whatever the other pairs, their order, the order in a pair, threads and calls before."""
    images = {str(seed): scene(seed) for seed in range(5)}
    images |= {f"{seed}m": window(scene(seed).transpose(FLIP), 0, 0, 0.8, 0.9) for seed in range(5)}
    saved(tmp_path, **images)
    names = sorted(f"{name}.png" for name in images)
    both = [(a, b) for a in names for b in names if a < b]
    pairs = PairSet.of([a for a, _ in both], [b for _, b in both], 0)
    check = DuplicatePictures(tmp_path, threads=1)
    first = check(pairs)
    verdicts = zip(first.score, first.reasons, strict=True)
    expected = dict(zip(both, verdicts, strict=True))
    assert [a[0] == b[0] for a, b in both] == first.flagged.tolist()
    order = np.random.default_rng(0).permutation(len(both))
    turned = PairSet.of([both[i][1] for i in order], [both[i][0] for i in order], 0)
    for again in (check, DuplicatePictures(tmp_path, threads=3)):
        doubt = again(turned)
        for at, score, reason in zip(order, doubt.score, doubt.reasons, strict=True):
            assert (score, reason) == expected[both[at]]
    alone = DuplicatePictures(tmp_path)(pairs.take(np.array([3])))
    assert (alone.score[0], alone.reasons[0]) == expected[both[3]]


def test_threshold_and_progress(tmp_path: Path) -> None:
    saved(tmp_path, a=scene(1), b=jpeg(scene(1), 20), c=scene(2))
    pairs = PairSet.of(["a.png", "a.png"], ["b.png", "c.png"], 0)
    calls: list[tuple[int, int]] = []
    threads = cv2.getNumThreads()
    score = DuplicatePictures(tmp_path)(pairs, lambda *at: calls.append(at)).score
    assert cv2.getNumThreads() == threads
    assert calls[-1] == (2, 2)
    exact = DuplicatePictures(tmp_path, threshold=float(score[0]))(pairs)
    above = DuplicatePictures(tmp_path, threshold=float(np.nextafter(score[0], 1)))(pairs)
    assert exact.flagged.tolist() == [True, False]
    assert above.flagged.tolist() == [False, False]
    for bad in (0.0, 1.5, float("nan")):
        with pytest.raises(ValueError, match="threshold"):
            DuplicatePictures(tmp_path, threshold=bad)


def test_what_cannot_be_read_is_not_judged(tmp_path: Path) -> None:
    saved(tmp_path, a=scene(1))
    (tmp_path / "bad & 橘.png").write_bytes(b"no picture")
    pairs = PairSet.of(["a.png", "a.png"], ["bad & 橘.png", "missing.png"], 0)
    check = DuplicatePictures(tmp_path)
    assert check.unread == {}
    doubt = check(pairs)
    assert np.isnan(doubt.score).all()
    assert doubt.count == 0
    assert list(check.unread) == ["bad & 橘.png", "missing.png"]
    assert check.unread["missing.png"] == "no such file"
    small = DuplicatePictures(tmp_path, max_pixels=100)
    saved(tmp_path, b=scene(1))
    assert np.isnan(small(PairSet.of(["a.png"], ["b.png"], 0)).score).all()


def test_no_pairs(tmp_path: Path) -> None:
    assert len(DuplicatePictures(tmp_path)(PairSet.of([], [], []))) == 0


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (400, 2), (9, 9)])
def test_odd_sizes(size: tuple[int, int], tmp_path: Path) -> None:
    score, _ = judged(tmp_path, scene(1).resize(size), scene(2))
    assert score < 0.4


def test_missing_library_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(SuspectError, match=r"cv2.*lookalikes\[suspects\]"):
        DuplicatePictures(tmp_path)


def test_padding_is_found() -> None:
    image = Image.new("RGB", (120, 90), (128, 128, 128))
    image.paste(scene(1, 40), (31, 22))
    left, top, right, bottom = inner_box(image)
    assert abs(np.array([left, top, right, bottom]) - [31, 22, 71, 62]).max() <= 2
    assert inner_box(scene(1, 64)) == (0, 0, 64, 64)
    left, top, right, bottom = inner_box(Image.new("RGB", (30, 20)))
    assert 0 <= left < right <= 30
    assert 0 <= top < bottom <= 20


def _whole_inner(lines: np.ndarray) -> tuple[int, int]:
    """The first line that is not of one colour and one past the last, of all lines at once."""
    lines = lines[:, :: max(1, lines.shape[1] // 100)]
    rank = min(max(1, round(0.03 * lines.shape[1])), lines.shape[1] // 2)
    ordered = np.sort(lines, axis=1).astype(int)
    uneven = np.flatnonzero((ordered[:, -1 - rank] - ordered[:, rank]).max(axis=1) > 24)
    least = max(1, int(len(lines) * 0.15))
    if not len(uneven):
        return (len(lines) - least) // 2, (len(lines) - least) // 2 + least
    first, last = int(uneven[0]), int(uneven[-1]) + 1
    if last - first < least:
        first = max(0, min(first, len(lines) - least))
        last = first + least
    return first, last


def test_padding_is_what_a_look_at_all_lines_says() -> None:
    dice = np.random.default_rng(5)
    found = []
    for _ in range(300):
        width, height = (int(side) for side in dice.integers(1, 70, 2))
        image = Image.new("RGB", (width, height), tuple(dice.integers(0, 256, 3).tolist()))
        for _ in range(int(dice.integers(0, 3))):
            patch = scene(int(dice.integers(0, 9)), int(dice.integers(1, 40)))
            image.paste(patch, tuple(dice.integers(0, 60, 2).tolist()))
        pixels = np.asarray(image)
        for lines in (pixels, pixels.transpose(1, 0, 2)):
            found.append(inner_lines(lines))
            assert found[-1] == _whole_inner(lines)
    assert len({*found}) > 100


def test_the_mirror_of_words_is_that_of_the_picture() -> None:
    image = scene(6)
    here, there = picture_of(image)[0], picture_of(image.transpose(FLIP))[0]
    found = mirrored_words(here.words).astype(float)
    ours = found / np.linalg.norm(found, axis=1)[:, None]
    theirs = there.words / np.linalg.norm(there.words.astype(float), axis=1)[:, None]
    assert np.median((ours @ theirs.T).max(axis=1)) > 0.99
    assert here.hashes == there.hashes[::-1]


def test_the_way_is_the_one_planted() -> None:
    original = scene(7, 400)
    part = original.crop((40, 80, 360, 340)).resize((320, 320), Image.Resampling.BICUBIC)
    (a, _), (b, _) = picture_of(original), picture_of(part)
    (way,) = [way for way in ways(a, b) if not way.mirrored]
    # Both are compared at 128 pixels: 320 of 400 become 128, and 260.
    expected = [128 / (128 * 320 / 400), 128 / (128 * 260 / 400)]
    assert np.diag(way.affine[:, :2]) == pytest.approx(expected, rel=0.03)


def test_what_was_not_used_for_longest_goes() -> None:
    recent: Recent[str] = Recent(10)
    for name in "abc":
        recent.keep(name, name.upper(), 4)
        recent.get("a")
    assert [recent.get(name) for name in "abc"] == ["A", None, "C"]
    recent.keep("a", "new", 5)
    assert [recent.get(name) for name in "ac"] == ["new", "C"]


def test_little_memory_changes_nothing(tmp_path: Path) -> None:

    saved(tmp_path, a=scene(1), b=jpeg(scene(1), 20), c=scene(2), d=scene(1).transpose(FLIP))
    pairs = PairSet.of(["a.png", "a.png", "b.png"], ["b.png", "c.png", "d.png"], 0)
    check = DuplicatePictures(tmp_path)
    expected = check(pairs)
    small = Comparisons(tmp_path)
    small.pictures = PictureCache(tmp_path, 10**6, 1, 1)
    found = DuplicatePictures(tmp_path, comparisons=small)(pairs)
    assert found.score.tolist() == expected.score.tolist()
    assert found.reasons == expected.reasons


@pytest.mark.parametrize("room", [1, 2**20])
def test_processes_find_what_threads_find(
    room: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is kept; pictures that cannot be read are told as well."""
    saved(tmp_path, a=scene(1), b=jpeg(scene(1), 20), c=scene(2), d=scene(1).transpose(FLIP))
    (tmp_path / "bad.png").write_bytes(b"no picture")
    names = [f"{name}.png" for name in ("a", "b", "bad", "c", "d", "gone")]
    both = [(a, b) for a in names for b in names if a < b]
    pairs = PairSet.of([a for a, _ in both], [b for _, b in both], 0)
    expected = DuplicatePictures(tmp_path)
    there = expected(pairs)
    monkeypatch.setattr(comparison, "FEW", 1)
    monkeypatch.setattr(comparison, "PAIRS", 2)
    apart = Comparisons(tmp_path)
    apart.pictures = PictureCache(tmp_path, 10**6, room, room)
    check = DuplicatePictures(tmp_path, comparisons=apart)
    steps: list[tuple[int, int]] = []
    doubt = check(pairs, lambda *at: steps.append(at))
    assert doubt.score.tolist() == pytest.approx(there.score.tolist(), abs=0, nan_ok=True)
    assert doubt.reasons == there.reasons
    assert check.unread == expected.unread
    assert list(check.unread) == ["bad.png", "gone.png"]
    assert steps[-1] == (len(both), len(both))
    # Known now.
    monkeypatch.setattr(comparison, "in_order", None)
    assert check(pairs).reasons == there.reasons


def test_pixels_are_made_again_without_describing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    saved(tmp_path, a=padded(scene(1)), b=scene(2, 60))
    pictures = PictureCache(tmp_path, 10**6, pixels_bytes=1)
    made = {}
    for path in ("a.png", "b.png"):
        picture = pictures.picture(path)
        assert picture is not None
        made[path] = picture, picture_of(Image.open(tmp_path / path).convert("RGB"))[1]
    monkeypatch.setattr(features, "described", None)
    for path in ("a.png", "b.png", "a.png"):
        picture, expected = made[path]
        again = pictures.pixels(path, picture)
        assert again is not None
        assert np.array_equal(again, expected)
    saved(tmp_path, a=scene(3, 50))
    assert pictures.pixels("b.png", made["b.png"][0]) is not None
    assert pictures.pixels("a.png", made["a.png"][0]) is None
    assert pictures.unread == {}


def test_the_most_alike_real_faces_of_different_identities_are_none(real_data: Path) -> None:
    """By their pixels, as they are and mirrored."""
    root = real_data / "faces"
    paths = sorted(path.relative_to(root).as_posix() for path in root.glob("*/*.jpg"))[:900]
    small = np.array(
        [
            np.asarray(Image.open(root / path).convert("RGB").resize((16, 16)), np.float32)
            for path in paths
        ]
    )
    flat = []
    for turned in (small, small[:, :, ::-1]):
        rows = turned.reshape(len(paths), -1)
        rows = rows - rows.mean(axis=1, keepdims=True)
        flat.append(rows / np.linalg.norm(rows, axis=1, keepdims=True))
    alike = np.triu(np.maximum(flat[0] @ flat[0].T, flat[1] @ flat[0].T), 1)
    identities = np.array([path.split("/")[0] for path in paths])
    alike[identities[:, None] == identities] = 0
    best = np.argsort(-alike.ravel(), kind="stable")[:150]
    assert alike.ravel()[best].min() > 0.8
    a, b = (np.array(paths, object)[rows] for rows in np.divmod(best, len(paths)))
    doubt = DuplicatePictures(root)(PairSet.of(a, b, 0))
    assert doubt.reasons == ("",) * len(best)
