"""Images of every kind, and everything that is not one."""

from __future__ import annotations

import io
import os
import pickle
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image, features

from pairsets import images
from pairsets.images import ImageError, decode, read, thumbnail

WHITE, RED = (255, 255, 255), (255, 0, 0)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def photo(mode: str = "RGB", size: tuple[int, int] = (31, 17)) -> Image.Image:
    """A smooth picture without symmetry."""
    width, height = size
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    values = np.stack([255 * x, 255 * y, 200 * x * y], axis=-1)
    return Image.fromarray(values.astype(np.uint8)).convert(mode)


def pixels(image: Image.Image) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.asarray(image).astype(np.int64)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "GIF", "JPEG", "WEBP", "AVIF"])
def test_every_format_gives_its_picture(kind: str) -> None:
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow was built without AVIF")
    original = photo("P" if kind == "GIF" else "RGB")
    image = decode(encoded(original, kind))
    assert image.mode == "RGB"
    assert image.size == original.size
    worst = np.abs(pixels(image) - pixels(original.convert("RGB"))).mean()
    assert worst == 0 if kind in ("PNG", "BMP", "TIFF", "GIF") else worst < 6


@pytest.mark.parametrize("kind", ["PPM", "ICO", "EPS", "TGA", "PCX"])
def test_other_formats_are_refused(kind: str) -> None:
    with pytest.raises(ImageError, match="is none of JPEG, PNG"):
        decode(encoded(photo(size=(16, 16)), kind))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_laid_on_white(mode: str) -> None:
    image = Image.new(mode, (3, 1), 0)
    colour = RED if mode == "RGBA" else (0,)
    for x, alpha in enumerate((0, 128, 255)):
        image.putpixel((x, 0), (*colour, alpha))
    clear, half, full = pixels(decode(encoded(image, "PNG")))[0].tolist()
    solid = list(RED) if mode == "RGBA" else [0, 0, 0]
    assert clear == list(WHITE)
    assert full == solid
    assert np.abs(np.array(half) - (np.array(solid) * 128 + 255 * 127) / 255).max() <= 1


def test_palette_transparency_is_laid_on_white_without_a_warning() -> None:
    image = Image.new("P", (3, 1))
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    for x in range(3):
        image.putpixel((x, 0), x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        as_bytes = decode(encoded(image, "PNG", transparency=bytes([0, 255, 128])))
        as_index = decode(encoded(image, "GIF", transparency=1))
    assert pixels(as_bytes)[0].tolist() == [list(WHITE), [0, 255, 0], [127, 127, 255]]
    assert pixels(as_index)[0].tolist() == [list(RED), list(WHITE), [0, 0, 255]]


@pytest.mark.parametrize(("mode", "key"), [("L", 7), ("RGB", (7, 7, 7))])
def test_a_transparent_colour_is_laid_on_white(mode: str, key: Any) -> None:
    image = Image.new(mode, (2, 1), key)
    image.putpixel((1, 0), 90 if mode == "L" else (90, 90, 90))
    found = pixels(decode(encoded(image, "PNG", transparency=key)))[0].tolist()
    assert found == [list(WHITE), [90, 90, 90]]


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_becomes_its_colours(kind: str) -> None:
    # Pillow writes CMYK JPEG inverted, as Adobe does.
    image = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    assert decode(encoded(image, kind)).getpixel((8, 8)) == pytest.approx(RED, abs=3)


def ramp(top: float, dtype: str) -> Image.Image:
    return Image.fromarray(np.linspace(0, top, 64).reshape(1, 64).astype(dtype))


@pytest.mark.parametrize(
    ("image", "kind"),
    [
        (ramp(65535, "uint16"), "PNG"),
        (ramp(65535, "uint16"), "TIFF"),
        (ramp(65535, "int32"), "TIFF"),
        (ramp(255, "int32"), "TIFF"),
        (ramp(2_000_000_000, "int32"), "TIFF"),
        (ramp(1, "float32"), "TIFF"),
        (ramp(255, "float32"), "TIFF"),
        (ramp(1e6, "float32"), "TIFF"),
    ],
    ids=lambda value: getattr(value, "mode", value),
)
def test_deep_greyscale_is_scaled_and_not_clipped(image: Image.Image, kind: str) -> None:
    found = pixels(decode(encoded(image, kind)))[0, :, 0]
    assert np.abs(found - np.linspace(0, 255, 64)).max() <= 1


def test_a_dark_16_bit_image_stays_dark() -> None:
    found = pixels(decode(encoded(ramp(20000, "uint16"), "PNG")))
    assert found.max() == round(20000 * 255 / 65535)


def test_big_endian_16_bit_tiff() -> None:
    data = encoded(ramp(65535, ">u2"), "TIFF", big_endian=True)
    assert data.startswith(b"MM")
    found = pixels(decode(data))[0, :, 0]
    assert np.abs(found - np.linspace(0, 255, 64)).max() <= 1


def test_transparent_16_bit_grey_is_white() -> None:
    data = encoded(Image.fromarray(np.array([[300, 30000]], np.uint16)), "PNG", transparency=300)
    assert pixels(decode(data))[0, :, 0].tolist() == [255, round(30000 / 257)]


def test_values_that_are_no_numbers_are_refused() -> None:
    values = np.array([[0.0, np.nan]], np.float32)
    with pytest.raises(ImageError, match="not finite"):
        decode(encoded(Image.fromarray(values), "TIFF"))


UNDO = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a.swapaxes(0, 1)[:, ::-1],
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: a.swapaxes(0, 1)[::-1],
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_exif_orientation_is_applied(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    stored = photo()
    image = decode(encoded(stored, kind, exif=exif, **options))
    assert np.array_equal(np.asarray(image), UNDO[orientation](np.asarray(stored)))


def test_a_broken_exif_block_does_not_spoil_the_picture() -> None:
    data = encoded(photo(), "PNG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert np.array_equal(np.asarray(decode(data)), np.asarray(photo()))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame_is_taken(kind: str) -> None:
    first, second = Image.new("RGB", (8, 8), RED), Image.new("RGB", (8, 8), (0, 0, 255))
    data = encoded(first, kind, save_all=True, append_images=[second])
    assert decode(data).getpixel((4, 4)) == pytest.approx(RED, abs=3)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "GIF", "JPEG", "WEBP"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_a_cut_off_file_is_refused(kind: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise), kind)
    with pytest.raises(ImageError, match="damaged or cut off") as caught:
        decode(data[: int(len(data) * share)], path="a/b.png")
    assert caught.value.path == "a/b.png"
    assert str(caught.value) == f"a/b.png: {caught.value.cause}"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"<html>not found</html>", "begins with b'<html>"),
        (b"\x89PNG\r\n\x1a\n", "looks like PNG"),
        (b"\0" * 100, "is none of"),
    ],
)
def test_what_is_no_image_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(ImageError, match=says):
        decode(data)


def bomb(width: int, height: int) -> bytes:
    """A PNG of that size by its header, with hardly any pixels in it."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        checksum = zlib.crc32(kind + body).to_bytes(4, "big")
        return len(body).to_bytes(4, "big") + kind + body + checksum

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100)))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(10_000, 5_001), (20_000, 10_000), (2**31 - 1, 2**31 - 1)])
def test_too_many_pixels_are_refused_undecoded(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda self: pytest.fail("was decoded"))
    with pytest.raises(ImageError, match=r"more than the limit of 50,000,000 pixels"):
        decode(bomb(*size))


def test_the_limit_is_an_argument_and_not_pillows(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(photo(size=(10, 10)), "PNG")
    assert decode(data, max_pixels=100).size == (10, 10)
    with pytest.raises(ImageError, match="10 x 10 pixels is more than the limit of 99 pixels"):
        decode(data, max_pixels=99)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert decode(data, max_pixels=100).size == (10, 10)


def test_pillows_own_alarm_becomes_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    # A WebP's size is also held against Pillow's limit inside its plugin.
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    data = encoded(photo(size=(10, 10)), "WEBP")
    with pytest.raises(ImageError, match="too many pixels"):
        decode(data)


def test_threads_decode_alike() -> None:
    files = [encoded(photo(size=(40 + n, 30)), "JPEG") for n in range(8)] * 8
    alone = [np.asarray(decode(data)) for data in files]
    with ThreadPoolExecutor(8) as pool:
        together = [np.asarray(image) for image in pool.map(decode, files)]
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


def test_read_gives_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "橘 & co.png").write_bytes(b"abc")
    assert read(tmp_path / "橘 & co.png") == b"abc"


def test_read_says_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "empty.png").write_bytes(b"")
    with (tmp_path / "large.png").open("wb") as stream:
        stream.truncate(images.MAX_BYTES + 1)  # of which no disk holds a byte
    (tmp_path / "link.png").symlink_to(tmp_path / "nowhere.png")
    os.mkfifo(tmp_path / "pipe.png")
    for name, says in {
        "empty.png": "is empty",
        "large.png": "larger than the limit of 256 MiB",
        "link.png": "no such file",
        "absent.png": "no such file",
        "pipe.png": "not a regular file",
        "x" * 300: "File name too long",
        "": "is a folder",
    }.items():
        with pytest.raises(ImageError, match=says) as caught:
            read(tmp_path / name)
        assert caught.value.path == str(tmp_path / name)


def test_read_says_that_permission_is_denied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*args: object) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "a.png").write_bytes(b"abc")
    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(ImageError, match="permission to read it is denied"):
        read(tmp_path / "a.png")


def test_the_error_survives_another_process() -> None:
    error = pickle.loads(pickle.dumps(ImageError("is empty", "a.png")))
    assert (str(error), error.cause, error.path) == ("a.png: is empty", "is empty", "a.png")


def test_thumbnails_are_bounded_and_keep_their_shape(tmp_path):
    Image.new("RGB", (400, 200), "red").save(tmp_path / "a.jpg")
    assert thumbnail(tmp_path / "a.jpg", 100).size == (100, 50)
    Image.new("RGBA", (20, 40), (255, 0, 0, 0)).save(tmp_path / "b.png")
    small = thumbnail(tmp_path / "b.png", 100)
    assert (small.size, small.getpixel((5, 5))) == ((20, 40), (255, 255, 255))
    with pytest.raises(ImageError, match=r"gone\.png: no such file"):
        thumbnail(tmp_path / "gone.png", 100)


def test_an_opaque_picture_is_as_laid_on_white() -> None:
    """Every value that a channel can have; one pixel that is not opaque is laid on white."""
    ramp = np.arange(256, dtype=np.uint8)
    wanted = np.stack([ramp, ramp[::-1], np.roll(ramp, 77)], axis=-1).reshape(16, 16, 3)
    data = np.dstack([wanted, np.full((16, 16), 255, np.uint8)])
    for alpha in (255, 254, 0):
        data[5, 5, 3] = alpha
        image = Image.fromarray(data)
        laid = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
        found = np.asarray(decode(encoded(image, "PNG")))
        assert np.array_equal(found, np.asarray(laid))
        assert np.array_equal(found, wanted) == (alpha == 255)
