"""Pairs of pictures compared once for all checks that look at them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from mining.parallel import in_chunks, in_order
from mining.suspects.pictures.caches import Known, PictureCache, Recent, read_picture
from mining.suspects.pictures.features import Picture, needed
from mining.suspects.pictures.judge import Comparison, compared
from mining.suspects.pictures.single_thread import opencv_alone
from pairsets.images import MAX_PIXELS
from pairsets.progress import Step, unheard

if TYPE_CHECKING:  # processes that compare need no tables
    from pairsets.pairset import PairKey

# Pictures, and pairs, that are taken at a time.
_PICTURES, PAIRS = 16, 32
# Things to do from which processes are worth their start, and pairs whose pictures are read first.
FEW, _LOT = 256, 1024
# Memory for what was found of pairs, some 200 bytes each.
_FOUND_BYTES, _FOUND = 64 * 2**20, 300

T = TypeVar("T")


class Comparisons:
    """Pictures below a folder, each read once, and pairs of them, each compared once.

    As far as there is memory: some 0.5 GB. Where there is much to do, processes do it.

    Args:
        root: the folder that paths of pairs are relative to.
        max_pixels: larger images are not read.
        threads: how many, or how many processes; as many as there are cores by default.
        spots_bytes: memory for what is known of pictures; some by default.
        copies_only: pairs that cannot be copies are not compared further: their scores stay, their
            agreement is 0.

    Raises:
        SuspectError: OpenCV is not installed.
    """

    def __init__(
        self,
        root: Path,
        *,
        max_pixels: int = MAX_PIXELS,
        threads: int | None = None,
        spots_bytes: int | None = None,
        copies_only: bool = False,
    ) -> None:
        needed("pictures that are compared", "cv2")
        room = {} if spots_bytes is None else {"spots_bytes": spots_bytes}
        self.pictures = PictureCache(root, max_pixels, **room)
        self._threads, self._copies_only = threads, copies_only
        self._found: Recent[Comparison] = Recent(_FOUND_BYTES)

    @property
    def unread(self) -> Mapping[str, str]:
        """The faces of all pairs so far that could not be read, and why."""
        return dict(sorted(self.pictures.unread.items()))

    def read(
        self, paths: Sequence[str], made_of: Callable[[Picture], T]
    ) -> Iterator[tuple[str, tuple[Known, T] | None]]:
        """Each picture that may be compared, in order, and what is made of it.

        None where a file cannot be read. No picture is kept.

        Args:
            paths: of the faces.
            made_of: called in processes, where there are many pictures.
        """
        yield from self._read(paths, made_of, processes=self._worth_processes(len(paths)))

    def keep(self, path: str, known: Known) -> None:
        """Take a picture of a face that was read already, as long as there is room for it."""
        self.pictures.keep(path, known)

    def of(self, keys: Sequence[PairKey], progress: Step = unheard) -> list[Comparison]:
        """Comparison of each pair."""
        found: dict[PairKey, Comparison] = {}
        # Neighbours share faces.
        order = sorted(set(keys))
        for start in range(0, len(order), _LOT):
            lot, new = order[start : start + _LOT], []
            for key in lot:
                kept = self._found.get(_name(key))
                if kept is None:
                    new.append(key)
                else:
                    found[key] = kept
            done = len(lot) - len(new)
            for key, one in self._new(new):
                found[key] = one
                self._found.keep(_name(key), one, _FOUND + len(_name(key)) + len(one.why))
                done += 1
                if done % PAIRS == 0 or done == len(lot):
                    progress(start + done, len(order))
        return [found[key] for key in keys]

    def _new(self, keys: Sequence[PairKey]) -> Iterator[tuple[PairKey, Comparison]]:
        """Comparison of each pair that was not compared yet."""
        if not keys:
            return
        if not self._worth_processes(len(keys)):
            work = partial(compared, pictures=self.pictures, copies_only=self._copies_only)
            with opencv_alone():
                for part, found in in_chunks(work, keys, self._threads, chunk=PAIRS):
                    yield from zip(part, found, strict=True)
            return
        self._read_missing(keys)
        parts = [keys[start : start + PAIRS] for start in range(0, len(keys), PAIRS)]
        given = (self._known_of(part) for part in parts)
        apart = partial(
            _compared_apart,
            root=self.pictures.root,
            max_pixels=self.pictures.max_pixels,
            copies_only=self._copies_only,
        )
        found_apart = in_order(apart, given, self._threads, processes=True)
        with opencv_alone():
            for part, (found, made, unread) in zip(parts, found_apart, strict=True):
                for path, known in made.items():
                    self.pictures.keep(path, known)
                self.pictures.unread.update(unread)
                yield from zip(part, found, strict=True)

    def _known_of(
        self, keys: Sequence[PairKey]
    ) -> tuple[Sequence[PairKey], dict[str, Known], dict[str, str]]:
        """Pairs, the pictures of them that are kept, and causes of those that cannot be read."""
        paths, unread = _paths(keys), self.pictures.unread
        return keys, self.pictures.known(paths), {p: unread[p] for p in paths if p in unread}

    def _read_missing(self, keys: Sequence[PairKey]) -> None:
        """Keep the pictures of pairs that are not kept: else several processes read the same."""
        paths = _paths(keys)
        known = self.pictures.known(paths)
        unread = self.pictures.unread
        missing = [path for path in paths if path not in known and path not in unread]
        for path, made in self._read(missing, _nothing, processes=True):
            if made is not None:
                self.pictures.keep(path, made[0])

    def _read(
        self, paths: Sequence[str], made_of: Callable[[Picture], T], *, processes: bool
    ) -> Iterator[tuple[str, tuple[Known, T] | None]]:
        files = [self.pictures.locate(path) for path in paths]
        work = partial(_described, max_pixels=self.pictures.max_pixels, made_of=made_of)
        done = 0
        with opencv_alone():
            for part, read in in_chunks(
                work, files, self._threads, chunk=_PICTURES, processes=processes
            ):
                for path, made in zip(paths[done : done + len(part)], read, strict=True):
                    if isinstance(made, str):
                        self.pictures.unread[path] = made
                        yield path, None
                    else:
                        yield path, made
                done += len(part)

    def _worth_processes(self, count: int) -> bool:
        return count >= FEW and self.pictures.is_folder


def _described(
    file: Path, *, max_pixels: int, made_of: Callable[[Picture], T]
) -> tuple[Known, T] | str:
    """The picture in a file and what is made of it, or why it cannot be read."""
    with opencv_alone():
        known = read_picture(file, max_pixels)
        return known if isinstance(known, str) else (known, made_of(known.picture))


def _nothing(picture: Picture) -> None:
    """Nothing is made of a picture but what is known of it."""


def _compared_apart(
    given: tuple[Sequence[PairKey], dict[str, Known], Mapping[str, str]],
    *,
    root: Path,
    max_pixels: int,
    copies_only: bool,
) -> tuple[list[Comparison], dict[str, Known], dict[str, str]]:
    """In a process: comparison of some pairs, and what was read for it.

    Args:
        given: the pairs, what is known of their pictures, and which cannot be read.
        root, max_pixels: as of the cache of pictures.
        copies_only: as of `Comparisons`.
    """
    keys, known, unread = given
    pictures = PictureCache(root, max_pixels)
    pictures.unread.update(unread)
    for path, one in known.items():
        pictures.keep(path, one)
    with opencv_alone():
        found = [compared(key, pictures, copies_only=copies_only) for key in keys]
    now = pictures.known(_paths(keys))
    made = {path: one for path, one in now.items() if _tells_more(one, known.get(path))}
    return found, made, pictures.unread


def _tells_more(now: Known, before: Known | None) -> bool:
    """Whether a picture, or its pixels, were read meanwhile."""
    return before is None or (before.pixels is None and now.pixels is not None)


def _paths(keys: Sequence[PairKey]) -> list[str]:
    """Each path of some pairs once."""
    return list(dict.fromkeys(path for key in keys for path in key))


def _name(key: PairKey) -> str:
    return "\0".join(key)


class PictureCheck:
    """Foundation of checks that look at comparisons of pictures.

    Args:
        root: the folder that paths of pairs are relative to.
        max_pixels: larger images are not read.
        threads: how many; as many as there are cores by default.
        comparisons: of pictures below `root`, where other checks look at the same ones.

    Raises:
        SuspectError: OpenCV is not installed.
    """

    def __init__(
        self,
        root: Path,
        *,
        max_pixels: int = MAX_PIXELS,
        threads: int | None = None,
        comparisons: Comparisons | None = None,
    ) -> None:
        self._root = root
        self.comparisons = comparisons or Comparisons(root, max_pixels=max_pixels, threads=threads)

    @property
    def unread(self) -> Mapping[str, str]:
        """The faces of all pairs so far that could not be read, and why."""
        return self.comparisons.unread
