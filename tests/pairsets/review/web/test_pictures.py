from __future__ import annotations

import io
import os
import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from support.reviews import Planted, all_pairs, draw, planted, problem, together

from pairsets.images import ImageError, decode, read
from pairsets.review.web.pictures import (
    BROWSER_KINDS,
    LARGEST_SIDE,
    NoPictureError,
    Picture,
    ServedPictures,
)

PAIRS = all_pairs(count=12)
PATH = PAIRS.path_a[0]


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    (tmp_path / "faces" / PATH).parent.mkdir(parents=True)
    return tmp_path / "faces"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Planted]:
    with planted(tmp_path, pairs=PAIRS) as found:
        yield found


def name_of(path: str) -> str:
    """The name of a face's picture."""
    return ServedPictures(PAIRS, Path(), 1).address(path).removeprefix("/image/")


def get(faces: Path, data: bytes, max_pixels: int = 50_000_000) -> Picture:
    """The picture that a file of these bytes becomes."""
    (faces / PATH).write_bytes(data)
    return ServedPictures(PAIRS, faces, max_pixels).get(name_of(PATH))


def saved(image: Image.Image, kind: str, **how: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **how)
    return file.getvalue()


def shown(picture: Picture) -> np.ndarray:
    with Image.open(io.BytesIO(picture.data)) as image:
        assert image.get_format_mimetype() == picture.kind
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize(
    ("kind", "mode", "how"),
    [
        ("JPEG", "RGB", {}),
        ("JPEG", "L", {}),
        ("JPEG", "RGB", {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"}),
        ("PNG", "RGB", {}),
        ("PNG", "L", {}),
        ("PNG", "P", {}),
        ("PNG", "1", {}),
        ("WEBP", "RGB", {"lossless": True}),
        ("GIF", "L", {}),
        ("BMP", "RGB", {}),
    ],
)
def test_what_browsers_show_is_sent_as_it_is(
    faces: Path, kind: str, mode: str, how: dict[str, object]
) -> None:
    data = saved(draw(1).convert(mode), kind, **how)
    picture = get(faces, data)
    assert picture.data == data
    assert picture.kind == {"GIF": "image/gif", "BMP": "image/bmp"}.get(
        kind, f"image/{kind.lower()}"
    )


def oddities() -> dict[str, bytes]:
    """Files that browsers do not show, or not as models see them."""
    grey = np.linspace(0, 65535, 24 * 24).reshape(24, 24).astype(np.uint16)
    clear = draw(2).convert("RGBA")
    clear.putalpha(draw(3).convert("L"))
    turned = Image.Exif()
    turned[0x0112] = 6
    return {
        "TIFF": saved(draw(1), "TIFF"),
        "16 bits": saved(Image.fromarray(grey), "PNG"),
        "transparent": saved(clear, "PNG"),
        "transparent colour": saved(draw(1).convert("L"), "PNG", transparency=0),
        "CMYK": saved(draw(1).convert("CMYK"), "JPEG"),
        "moving": saved(draw(1), "GIF", save_all=True, append_images=[draw(2), draw(3)]),
        "turned PNG": saved(draw(1, (30, 20)), "PNG", exif=turned),
    }


@pytest.mark.parametrize("name", oddities())
def test_the_rest_is_shown_as_models_see_it(faces: Path, name: str) -> None:
    data = oddities()[name]
    picture = get(faces, data)
    assert picture.kind in BROWSER_KINDS
    assert np.array_equal(shown(picture), np.asarray(decode(data)))


def test_the_content_counts_and_not_the_name(faces: Path) -> None:
    assert PATH.endswith(".png")
    assert get(faces, saved(draw(1), "JPEG")).kind == "image/jpeg"


def test_large_pictures_are_made_smaller(faces: Path) -> None:
    smooth = Image.linear_gradient("L").resize((LARGEST_SIDE + 500, 700)).convert("RGB")
    picture = get(faces, saved(smooth, "PNG"))
    assert picture.kind == "image/jpeg"
    small = shown(picture).astype(int)
    assert small.shape == (563, LARGEST_SIDE, 3)
    expected = np.asarray(smooth.resize((LARGEST_SIDE, 563))).astype(int)
    assert np.abs(small - expected).max() <= 6


def test_what_was_made_is_kept_within_bounds(faces: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = PAIRS.paths
    for seed, path in enumerate(paths):
        (faces / path).parent.mkdir(parents=True, exist_ok=True)
        draw(seed).save(faces / path, "TIFF")
    pictures = ServedPictures(PAIRS, faces, 10_000)
    made = []
    monkeypatch.setattr(
        "pairsets.review.web.pictures.decode", lambda *a, **k: made.append(1) or decode(*a, **k)
    )
    first = pictures.get(name_of(paths[0]))
    assert pictures.get(name_of(paths[0])) is first
    assert len(made) == 1
    few = ServedPictures(PAIRS, faces, 10_000, kept_bytes=3 * len(first.data))
    made.clear()
    for path in paths:
        few.get(name_of(path))
    assert len(made) == len(paths)
    assert few.get(name_of(paths[0])).data == first.data
    assert len(made) == len(paths) + 1


@pytest.mark.parametrize("large", [True, False])
def test_one_picture_is_made_once_and_few_at_a_time(
    faces: Path, monkeypatch: pytest.MonkeyPatch, large: bool
) -> None:
    """Asked for by many at once; large files are not even read before their turn."""
    paths = PAIRS.paths[:6]
    for seed, path in enumerate(paths):
        (faces / path).parent.mkdir(parents=True, exist_ok=True)
        draw(seed).save(faces / path, "TIFF")
    lock, made, now, most = Lock(), [], {"read": 0, "decode": 0}, {"read": 0, "decode": 0}

    def counted(what: str, function: Any) -> Any:
        def run(*args: Any, **named: Any) -> Any:
            with lock:
                now[what] += 1
                most[what] = max(most[what], now[what])
            time.sleep(0.02)
            try:
                return function(*args, **named)
            finally:
                with lock:
                    now[what] -= 1
                    if what == "decode":
                        made.append(1)

        return run

    monkeypatch.setattr("pairsets.review.web.pictures.read", counted("read", read))
    monkeypatch.setattr("pairsets.review.web.pictures.decode", counted("decode", decode))
    pictures = ServedPictures(PAIRS, faces, 10_000, largest_file=100 if large else 2**20)
    found: dict[str, list[Picture]] = {path: [] for path in paths}
    asking = [
        lambda path=path: found[path].append(pictures.get(name_of(path)))
        for path in paths
        for _ in range(5)
    ]
    assert together(*asking) == []
    assert len(made) == len(paths)
    assert most["decode"] <= 2
    assert most["read"] <= 2 or not large
    for seed, path in enumerate(paths):
        assert len(found[path]) == 5
        assert np.array_equal(shown(found[path][0]), np.asarray(draw(seed)))
        assert all(one is found[path][0] for one in found[path])


def test_pictures_that_take_long_hold_up_no_verdict(
    world: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many times as many as the server has threads."""
    free, begun = Event(), Event()

    def slow(*args: Any, **named: Any) -> Any:
        begun.set()
        assert free.wait(600)
        return decode(*args, **named)

    monkeypatch.setattr("pairsets.review.web.pictures.decode", slow)
    late = world.pairs.paths[:-1]
    for seed, path in enumerate(late):
        draw(seed).save(world.faces / path, "TIFF")
    pictures = ServedPictures(world.pairs, world.faces, 10_000)
    answers = []

    def look(path: str) -> None:
        answers.append(world.client.get(pictures.address(path)).status_code)

    asking = [Thread(target=look, args=(path,)) for path in late for _ in range(6)]
    assert len(asking) > 60
    for one in asking:
        one.start()
    try:
        assert begun.wait(600)
        rei = world.person("Rei")
        while (pair := rei.next()) is not None:
            rei.judge(pair, "same")
        # What has not to be made is not held up either.
        answer = world.client.get(pictures.address(world.pairs.paths[-1]))
        assert answer.content == (world.faces / world.pairs.paths[-1]).read_bytes()
        assert answers == []  # all of them wait still
    finally:
        free.set()
        for one in asking:
            one.join()
    assert answers == [200] * len(asking)


def test_a_picture_that_cannot_be_made_leaves_the_way_free(faces: Path) -> None:
    (faces / PATH).write_bytes(saved(draw(1), "TIFF")[:300])
    pictures = ServedPictures(PAIRS, faces, 10_000)
    for _ in range(5):
        with pytest.raises(ImageError, match=r"damaged|cut off"):
            pictures.get(name_of(PATH))
    (faces / PATH).write_bytes(saved(draw(1), "TIFF"))
    assert np.array_equal(shown(pictures.get(name_of(PATH))), np.asarray(draw(1)))


def test_a_huge_header_costs_nothing(faces: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99))
    with pytest.raises(ImageError, match="more than the limit"):
        get(faces, bomb)
    with pytest.raises(ImageError, match="more than the limit of 500 pixels"):
        get(faces, saved(draw(1), "PNG"), max_pixels=500)


def test_text_in_a_header_is_no_trouble(faces: Path) -> None:
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Comment", "x" * 5000, zip=True)
    assert get(faces, saved(draw(1), "PNG", pnginfo=notes)).kind == "image/png"


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"", "empty"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "none of"),
        (b"<!doctype html><script>alert(1)</script>", "none of"),
        (saved(draw(1), "TIFF")[:300], "damaged|cut off"),
        (b"\x89PNG\r\n\x1a\nnothing", "damaged|cut off"),
    ],
)
def test_what_is_no_picture_is_not_sent(faces: Path, data: bytes, cause: str) -> None:
    with pytest.raises(ImageError, match=cause) as refused:
        get(faces, data)
    assert str(faces) not in str(refused.value)
    assert PATH not in str(refused.value)


def test_a_link_may_lead_elsewhere_in_the_folder_but_not_out(world: Planted) -> None:
    inside, outside, gone, chain = world.pairs.paths[:4]
    secret = world.folder / "secret.png"
    draw(77).save(secret)
    sibling = world.folder / "faces-of-others"
    sibling.mkdir()
    draw(78).save(sibling / "1.png")
    expected = (world.faces / world.pairs.paths[5]).read_bytes()
    targets = {
        inside: world.faces / world.pairs.paths[5],
        outside: secret,
        gone: world.folder / "nothing.png",
        chain: world.faces / outside,
    }
    for path, target in targets.items():
        (world.faces / path).unlink()
        (world.faces / path).symlink_to(target)
    pictures = ServedPictures(world.pairs, world.faces, 10_000)
    answers = {path: world.client.get(pictures.address(path)) for path in targets}
    assert answers[inside].content == expected
    for path in (outside, gone, chain):
        problem(answers[path], 404, "no_picture")
    (world.faces / outside).unlink()
    (world.faces / outside).symlink_to(sibling / "1.png")
    problem(world.client.get(pictures.address(outside)), 404, "no_picture")
    folder = world.faces / inside.split("/")[0]
    folder.rename(world.folder / "moved")
    folder.symlink_to(world.folder / "moved", target_is_directory=True)
    problem(world.client.get(pictures.address(chain)), 404, "no_picture")


def test_loops_pipes_and_folders_are_no_pictures(world: Planted) -> None:
    loop, pipe, folder = world.pairs.paths[:3]
    for path in (loop, pipe, folder):
        (world.faces / path).unlink()
    (world.faces / loop).symlink_to(world.faces / loop)
    os.mkfifo(world.faces / pipe)
    (world.faces / folder).mkdir()
    pictures = ServedPictures(world.pairs, world.faces, 10_000)
    problem(world.client.get(pictures.address(loop)), 404, "no_picture")
    for path in (pipe, folder):
        said = problem(world.client.get(pictures.address(path)), 415, "bad_picture")
        assert path not in said


def test_the_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    with planted(tmp_path / "real", pairs=PAIRS) as world:
        (tmp_path / "link").symlink_to(world.faces)
        pictures = ServedPictures(PAIRS, tmp_path / "link", 10_000)
        assert pictures.get(name_of(PATH)).data == (world.faces / PATH).read_bytes()


def test_only_faces_of_the_pair_set_have_a_name(world: Planted) -> None:
    other = world.faces / world.pairs.paths[0].split("/")[0] / "other.png"
    draw(9).save(other)
    pictures = ServedPictures(world.pairs, world.faces, 10_000)
    for name in ("", "0", "other.png", "0" * 32, PATH, name_of(PATH).upper(), f"{name_of(PATH)} "):
        with pytest.raises(NoPictureError):
            pictures.get(name)
    with pytest.raises(KeyError):
        pictures.address("other.png")


def test_names_tell_nothing_and_stay(faces: Path) -> None:
    names = [name_of(path) for path in PAIRS.paths]
    assert len(set(names)) == len(names)
    assert all(len(name) == 32 and set(name) <= set("0123456789abcdef") for name in names)
    assert sorted(names) != names
    assert [name_of(path) for path in PAIRS.paths] == names
    # The same face in other pairs has another name: it cannot be looked up elsewhere.
    others = ServedPictures(all_pairs(count=20), faces, 1)
    assert others.address(PATH) != f"/image/{name_of(PATH)}"
