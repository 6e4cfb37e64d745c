"""Pictures of a training: checked once, decoded by threads, kept as far as memory allows."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mining.errors import TrainingError
from mining.models.transform import Preprocessing
from mining.parallel import in_order
from mining.training.augmentation import augment
from mining.training.configuration import AugmentationSettings
from pairsets import images
from pairsets.faces import Faces, some_of
from pairsets.progress import Step
from pairsets.storage.resume import Resume

Pixels = NDArray[np.uint8]
Rows = NDArray[np.int64]
# Pictures that are checked between two notes of it.
_CHUNK = 256
_AUGMENTATION = 5
# Bytes of the batches that threads are at, some of which wait for each of them.
_WAITING = 2**30
# Of the pictures that cannot be read so many are named.
_MOST = 20


def preprocessing_of(size: int) -> Preprocessing:
    """The resize of the published models, to any size: not keeping the aspect ratio, bilinear."""
    return Preprocessing(size=(size, size), resize=(size, size), interpolation="bilinear")


@dataclass(frozen=True)
class Checked:
    """Faces that can all be read.

    Attributes:
        faces: those.
        digest: SHA-256, in hex, of their paths, identities and contents.
        skipped: the causes of those that were left out, by path.
    """

    faces: Faces
    digest: str
    skipped: dict[str, str]


def check_pictures(
    faces: Faces,
    kept: Path,
    *,
    skip: bool,
    max_pixels: int,
    workers: int | None,
    progress: Step,
) -> Checked:
    """Read and decode every picture once; one that was checked and has not changed is believed.

    Args:
        faces: to check.
        kept: file that holds what was checked, for when this is interrupted.
        skip: leave out what cannot be read, rather than stop.
        max_pixels: above which a picture is refused undecoded.
        workers: threads.
        progress: called with the pictures done and their total.

    Raises:
        TrainingError: pictures that cannot be read, all of them named, unless `skip`.
    """

    def check(path: str) -> tuple[str, str]:
        return _check(faces.locate(path), max_pixels)

    contents: list[str] = []
    failed: dict[str, str] = {}
    with Resume(kept, {"max_pixels": max_pixels}, every=4) as resume:
        for start in range(0, len(faces), _CHUNK):
            paths = list(faces.paths[start : start + _CHUNK])
            stamps = [_stamp(faces.locate(path)) for path in paths]
            found = resume.read(f"{start}")
            known = json.loads(found) if found is not None else {}
            if known.get("stamps") != stamps or known.get("paths") != paths:
                checked = list(in_order(check, paths, workers))
                known = {"paths": paths, "stamps": stamps, "checked": checked}
                resume.write(f"{start}", json.dumps(known).encode())
            for path, (content, cause) in zip(paths, known["checked"], strict=True):
                contents.append(content)
                if cause:
                    failed[path] = cause
            progress(min(start + _CHUNK, len(faces)), len(faces))
    if failed and (not skip or len(failed) == len(faces)):
        lines = [f"  {path}: {cause}" for path, cause in sorted(failed.items())]
        more = [f"  ... and {len(lines) - _MOST:,} more"] if len(lines) > _MOST else []
        raise TrainingError(
            f"{len(failed)} of {len(faces)} images in {faces.root} cannot be used:\n"
            + "\n".join(lines[:_MOST] + more)
            + "\nMend or remove them, or leave them out with --on-error skip."
        )
    good = np.array([bool(content) for content in contents], bool)
    sound = faces
    if failed:
        skipped = {**faces.skipped, "images that cannot be read": len(failed)}
        sound = replace(some_of(faces, good), skipped=skipped, notes=faces.notes, said=faces.said)
    sha = hashlib.sha256()
    listed = zip(sound.paths, sound.identities, filter(None, contents), strict=True)
    for path, identity, content in listed:
        sha.update(json.dumps([path, identity, content]).encode() + b"\n")
    return Checked(sound, sha.hexdigest(), failed)


def _check(file: Path, max_pixels: int) -> tuple[str, str]:
    """The digest of a picture's content, and why it cannot be read; one of them is empty."""
    try:
        data = images.read(file)
        images.decode(data, max_pixels=max_pixels)
    except images.ImageError as error:
        return "", error.cause
    except OSError as error:
        return "", error.strerror or str(error)
    return hashlib.sha256(data).hexdigest(), ""


def _stamp(file: Path) -> list[int]:
    try:
        status = file.stat()
    except OSError:
        return [-1, -1]
    return [status.st_size, status.st_mtime_ns]


class Pictures:
    """Pictures of faces, decoded and resized, for the network.

    As many as `memory` holds are kept decoded, the first ones asked for.

    Attributes:
        faces: whose.
        preprocessing: of every picture.
    """

    def __init__(
        self,
        faces: Faces,
        size: int,
        *,
        max_pixels: int = images.MAX_PIXELS,
        workers: int | None = None,
        memory: int = 2**30,
        batch: int = 64,
    ) -> None:
        """Take faces whose pictures are resized to `size` pixels a side.

        Args:
            faces: whose pictures.
            size: in pixels.
            max_pixels: above which a picture is refused undecoded.
            workers: threads that decode; one a core where it is None.
            memory: bytes of decoded pictures that are kept.
            batch: pictures in a batch.
        """
        self.faces, self.preprocessing = faces, preprocessing_of(size)
        self._max_pixels, self._workers = max_pixels, workers
        self._most = memory // (3 * size * size)
        # Batches are waited for, some a thread: on many cores they would fill the memory.
        cores = workers or os.cpu_count() or 1
        self._at_once = max(1, min(cores, _WAITING // (batch * 3 * size * size)))
        self._known: dict[int, Pixels] = {}
        self._lock = threading.Lock()

    def pixels(self, row: int) -> Pixels:
        """One picture, uint8 `[size, size, 3]`, not to be changed.

        Raises:
            TrainingError: it cannot be read any more.
        """
        known = self._known.get(row)
        if known is not None:
            return known
        file = self.faces.locate(self.faces.paths[row])
        try:
            image = images.decode(images.read(file), max_pixels=self._max_pixels)
        except (images.ImageError, OSError) as error:
            cause = error.cause if isinstance(error, images.ImageError) else error.strerror
            raise TrainingError(
                f"{file}: {cause}; it could be read when the training began. Put it back, and give "
                "the same command: it goes on"
            ) from None
        pixels = self.preprocessing.apply(image)
        with self._lock:
            if len(self._known) < self._most:
                self._known[row] = pixels
        return pixels

    def batches(self, rows: Iterable[Rows]) -> Generator[tuple[Rows, Pixels], None, None]:
        """Batches of pictures as they are, uint8 `[B, size, size, 3]`, with their rows."""

        def stacked(batch: Rows) -> tuple[Rows, Pixels]:
            return batch, np.stack([self.pixels(row) for row in batch.tolist()])

        yield from in_order(stacked, rows, self._at_once)

    def changed_batches(
        self,
        steps: Iterable[int],
        rows: Callable[[int], Rows],
        settings: AugmentationSettings,
        seed: int,
        part: slice = slice(None),
    ) -> Generator[tuple[Rows, Pixels], None, None]:
        """Batches of training pictures, each changed at random: by the seed, its step and place.

        With each go the rows of the whole batch.

        Args:
            steps: numbers of the batches.
            rows: the faces of the batch of a step.
            settings: of the changes.
            seed: of the changes.
            part: places of a batch whose pictures are wanted.
        """

        def changed(step: int) -> tuple[Rows, Pixels]:
            batch = rows(step)
            return batch, np.stack(
                [
                    self._changed(row, settings, [seed, _AUGMENTATION, step, place])
                    for place, row in list(enumerate(batch.tolist()))[part]
                ]
            )

        yield from in_order(changed, steps, self._at_once)

    def _changed(self, row: int, settings: AugmentationSettings, seeds: list[int]) -> Pixels:
        pixels = self.pixels(row)
        if settings.name == "none":
            return pixels
        return augment(Image.fromarray(pixels), settings, np.random.default_rng(seeds))
