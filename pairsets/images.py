"""From an image file's bytes to one upright 8-bit RGB picture, or an error that says why not.

The folder of faces is not trusted: only a few raster formats are opened, and the size in a
file's header is checked before any pixel is decoded. Pillow's own settings are neither read nor
changed, so both functions may be called from any number of threads.
"""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageFile

from pairsets.errors import FacesError

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
MAX_PIXELS = 50_000_000
MAX_BYTES = 256 * 2**20

# Registers the plugins now, in one thread, rather than in the first of many decoding threads.
Image.init()

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class ImageError(FacesError):
    """An image that cannot be used: `cause` says why, `path` names the file where it is known."""

    def __init__(self, cause: str, path: str | os.PathLike[str] | None = None) -> None:
        super().__init__(cause if path is None else f"{os.fspath(path)}: {cause}")
        self.cause = cause
        self.path = None if path is None else os.fspath(path)


def read(path: Path) -> bytes:
    """The bytes of an image file.

    Raises:
        ImageError: no such file, a folder or other non-file, not permitted, empty, or over
            `MAX_BYTES`.
    """
    try:
        # Asked before opening: to open a pipe would wait for ever.
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise ImageError("is a folder, not an image file", path)
        if not stat.S_ISREG(status.st_mode):
            raise ImageError("is not a regular file", path)
        with path.open("rb") as file:
            # Of its own size, since room for all that is asked for is made first.
            data = file.read(min(status.st_size, MAX_BYTES) + 1)
    except FileNotFoundError:
        raise ImageError("no such file", path) from None
    except PermissionError:
        raise ImageError("permission to read it is denied", path) from None
    except OSError as error:
        raise ImageError(f"cannot be read: {error.strerror or error}", path) from error
    if not data:
        raise ImageError("the file is empty (0 bytes)", path)
    if len(data) > MAX_BYTES:
        raise ImageError(f"is larger than the limit of {MAX_BYTES >> 20} MiB", path)
    return data


def decode(
    data: bytes, *, path: str | os.PathLike[str] | None = None, max_pixels: int = MAX_PIXELS
) -> Image.Image:
    """Decode one image to RGB, upright, on white.

    EXIF orientation is applied; transparency is laid on white; CMYK becomes RGB; 16-bit, 32-bit
    and floating-point greyscale is scaled to 8 bits, never clipped; of an animation the first
    frame is taken. Colour profiles are ignored.

    Args:
        data: the whole file.
        path: named in the error, nothing else.
        max_pixels: width times height above which the image is refused undecoded.

    Raises:
        ImageError: not one of `FORMATS`, too many pixels, damaged or cut off.

    >>> from io import BytesIO
    >>> file = BytesIO()
    >>> Image.new("LA", (3, 2), (0, 0)).save(file, "PNG")
    >>> decode(file.getvalue()).getpixel((0, 0))
    (255, 255, 255)
    """
    if not data:
        raise ImageError("the file is empty (0 bytes)", path)
    # Pillow's parsers meet hostile bytes with nearly any exception, so whatever one of them
    # raises is a fact about the file.
    try:
        image = open_header(data, max_pixels)
        width, height = image.size
        if width < 1 or height < 1:
            raise ImageError(f"its header says {width} x {height} pixels")
        image.load()
        return _upright(to_rgb(image), orientation_of(image))
    except ImageError as error:
        raise ImageError(error.cause, path) from error.__cause__
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(f"its frames hold too many pixels: {error}", path) from error
    except Exception as error:
        raise ImageError(f"is damaged or cut off: {_words(error)}", path) from error


def thumbnail(path: Path, pixels: int, *, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The face in a file, of at most `pixels` on its longer side; as `decode`, it is upright RGB.

    Raises:
        ImageError: as `read` and `decode`.
    """
    face = decode(read(path), path=path, max_pixels=max_pixels)
    face.thumbnail((pixels, pixels), Image.Resampling.LANCZOS)
    return face


def open_header(data: bytes, max_pixels: int | None = None) -> ImageFile.ImageFile:
    """The image of a whole file, of one of `FORMATS`, with its header parsed and no pixel decoded.

    Asks the plugins itself, because `Image.open` would hold the size against Pillow's global
    limit, and warn, before ours is seen.

    Raises:
        ImageError: another format, a damaged header, or more pixels than `max_pixels`.
    """
    trouble = ""
    for name in FORMATS:
        if name not in Image.OPEN:  # AVIF, where Pillow was built without it
            continue
        factory, accept = Image.OPEN[name]
        accepted = accept is None or accept(data[:16])
        if isinstance(accepted, str):
            trouble = accepted
        elif accepted:
            try:
                image = factory(io.BytesIO(data), "")
            except Exception as error:
                trouble = f"looks like {name}, but is damaged or cut off: {_words(error)}"
                if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
                    raise
                continue
            width, height = image.size
            if max_pixels is not None and width * height > max_pixels:
                raise ImageError(
                    f"{width} x {height} pixels is more than the limit of {max_pixels:,} pixels"
                )
            return image
    if trouble:
        raise ImageError(trouble)
    raise ImageError(f"is none of {', '.join(FORMATS)}: it begins with {data[:12]!r}")


def _words(error: Exception) -> str:
    """Message of an exception, or its kind where it has none."""
    return str(error) or type(error).__name__


def orientation_of(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 where there is none or the EXIF block is damaged."""
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # the picture itself is sound
        return 1


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    """Undo the camera's rotation or mirroring."""
    step = _UPRIGHT.get(orientation)
    return image if step is None else image.transpose(step)


def to_rgb(image: Image.Image) -> Image.Image:
    """A decoded image of any mode as RGB, transparency laid on white."""
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        image = _to_eight_bits(image)
    # Nothing to lay on white: to look costs a tenth of what laying does.
    opaque = image.mode == "RGBA" and image.getchannel("A").getextrema() == (255, 255)
    if not opaque and (image.has_transparency_data or image.mode == "RGBa"):
        picture = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    rgb = image.convert("RGB")
    rgb.info.clear()
    return rgb


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """Greyscale of more than 8 bits to mode L.

    A 16-bit image keeps its full range. Modes I (32-bit) and F do not say theirs: it is the
    smallest of 0..1 (F alone), 0..255 and 0..65535 that holds every value, else the span of the
    values themselves.
    """
    values = np.asarray(image).astype(np.float32)
    low, high = float(values.min()), float(values.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ImageError("holds values that are not finite numbers")
    if image.mode.startswith("I;16"):
        low, high = 0.0, 65535.0
        clear = image.info.get("transparency")
        if isinstance(clear, int):
            values = np.where(values == clear, np.float32(high), values)
    else:
        spans = (1.0, 255.0, 65535.0) if image.mode == "F" else (255.0, 65535.0)
        low, high = next(((0.0, top) for top in spans if low >= 0 and high <= top), (low, high))
    scaled = (values - np.float32(low)) * np.float32(255.0 / (high - low))
    return Image.fromarray(np.rint(scaled).clip(0, 255).astype(np.uint8))
