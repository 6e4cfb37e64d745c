"""The pictures of a pair set, by names that tell nothing, in formats that every browser shows."""

from __future__ import annotations

import hashlib
import io
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Condition, Lock

from PIL import Image

from pairsets.images import ImageError, decode, open_header, read
from pairsets.pairset import PairSet
from pairsets.review.store.verdicts import ReviewError

# What browsers show as it is.
_SHOWN = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "BMP": "image/bmp",
}
BROWSER_KINDS = frozenset(_SHOWN.values())
_PLAIN_MODES = ("RGB", "L", "P", "1")
LARGEST_SIDE = 2048
# Small pictures are made anew without loss; large ones would take seconds.
_SMALL, _QUALITY = 512 * 512, 95
# Large pictures take hundreds of MB while they are decoded.
_DECODERS = 2


class NoPictureError(ReviewError):
    """No such picture, or its file is not there."""


@dataclass(frozen=True)
class Picture:
    """A picture's bytes and their type."""

    data: bytes
    kind: str


class ServedPictures:
    """The faces of a pair set, each with a name that tells nothing.

    A name stays the same when the server starts anew, so that a page goes on where it was. It is
    a hash that is keyed with all the paths: who has not got the pair file cannot find it by trying.

    Args:
        pairs: whose faces are shown, and nothing else is.
        faces: the folder of the faces.
        max_pixels: width times height above which a picture is not opened.
        largest_file: bytes of a file above which it is not read before its turn.
        kept_bytes: bytes of pictures made here that are kept: to make one again takes up to a
            second.
    """

    def __init__(
        self,
        pairs: PairSet,
        faces: Path,
        max_pixels: int,
        *,
        largest_file: int = 16 * 2**20,
        kept_bytes: int = 32 * 2**20,
    ) -> None:
        self._faces = faces
        self._inside = faces.resolve()
        self._max_pixels = max_pixels
        self._largest_file, self._kept_bytes = largest_file, kept_bytes
        paths = list(dict.fromkeys([*pairs.path_a, *pairs.path_b]))
        key = hashlib.sha256("\0".join(paths).encode()).digest()
        self._names = {
            path: hashlib.blake2b(path.encode(), digest_size=16, key=key).hexdigest()
            for path in paths
        }
        self._paths = {name: path for path, name in self._names.items()}
        self._made: OrderedDict[str, Picture] = OrderedDict()
        self._lock = Lock()
        # Names of what is being made.
        self._making: set[str] = set()
        self._turns = Condition()

    def address(self, path: str) -> str:
        """Address of a face on the page."""
        return f"/image/{self._names[path]}"

    def get(self, name: str) -> Picture:
        """The picture of this name; no error tells its path.

        Raises:
            NoPictureError: no such name, or the file is missing or outside the folder of faces.
            ImageError: it cannot be read or decoded.
        """
        found = self.ready(name)
        if found is not None:
            return found
        with self._turn(name):
            # Others may have made it, while this one waited for them.
            return self._kept(name) or self._keep(name, self._anew(self._file(name)))

    def ready(self, name: str) -> Picture | None:
        """Picture of this name, if it has not to be made: None where it has."""
        file = self._file(name)
        kept = self._kept(name)
        if kept is not None:
            return kept
        try:
            # Many large files at once would not fit into the memory.
            if file.stat().st_size > self._largest_file:
                return None
        except OSError:
            raise NoPictureError("the picture's file is not there") from None
        return self._as_it_is(self._bytes(file))

    def _file(self, name: str) -> Path:
        """The file of a picture, inside the folder of faces."""
        path = self._paths.get(name)
        if path is None:
            raise NoPictureError("there is no such picture in this review")
        # Links are followed here, so that what is opened is what was looked at.
        try:
            file: Path = (self._faces / path).resolve(strict=True)
        except (OSError, RuntimeError):
            raise NoPictureError("the picture's file is not there") from None
        if not file.is_relative_to(self._inside):
            raise NoPictureError("the picture is a link that leaves the folder of faces: refused")
        return file

    def _bytes(self, file: Path) -> bytes:
        try:
            return read(file)
        except ImageError as error:
            raise ImageError(error.cause) from None

    def _kept(self, name: str) -> Picture | None:
        """Picture that was made before, or None."""
        with self._lock:
            if name in self._made:
                self._made.move_to_end(name)
            return self._made.get(name)

    @contextmanager
    def _turn(self, name: str) -> Iterator[None]:
        """Wait until few others make pictures, and nobody this one."""
        with self._turns:
            self._turns.wait_for(lambda: name not in self._making and len(self._making) < _DECODERS)
            self._making.add(name)
        try:
            yield
        finally:
            with self._turns:
                self._making.remove(name)
                self._turns.notify_all()

    def _as_it_is(self, data: bytes) -> Picture | None:
        """The file itself, where browsers show the same picture that models are given."""
        try:
            image = open_header(data)
        except Exception:  # decoding says what is wrong with it
            return None
        with image:
            kind = _SHOWN.get(str(image.format))
            plain = (
                kind is not None
                and max(image.size) <= LARGEST_SIDE
                and image.mode in _PLAIN_MODES
                # Models see transparency on white, and the first frame alone.
                and not image.has_transparency_data
                and not getattr(image, "is_animated", False)
                # Browsers turn JPEG files as their EXIF block says; of others not all do.
                and (image.format == "JPEG" or not image.info.get("exif"))
                and image.size[0] * image.size[1] <= self._max_pixels
            )
        return Picture(data, kind) if plain and kind else None

    def _anew(self, file: Path) -> Picture:
        """The picture as models see it, small enough to send."""
        try:
            image = decode(self._bytes(file), max_pixels=self._max_pixels)
        except ImageError as error:
            raise ImageError(error.cause) from None
        image.thumbnail((LARGEST_SIDE, LARGEST_SIDE), Image.Resampling.LANCZOS)
        made = io.BytesIO()
        if image.size[0] * image.size[1] <= _SMALL:
            image.save(made, "PNG", compress_level=1)
            return Picture(made.getvalue(), "image/png")
        image.save(made, "JPEG", quality=_QUALITY, subsampling=0)
        return Picture(made.getvalue(), "image/jpeg")

    def _keep(self, name: str, picture: Picture) -> Picture:
        with self._lock:
            self._made[name] = picture
            while sum(len(one.data) for one in self._made.values()) > self._kept_bytes:
                self._made.popitem(last=False)
        return picture
