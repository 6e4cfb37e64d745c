"""Pictures and a dataset of boxes -> a folder per identity, of faces cut out."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mining.commands.result import CommandResult
from mining.parallel import in_order
from pairsets.errors import SourceError
from pairsets.funnel import FunnelRow
from pairsets.images import MAX_PIXELS, ImageError, read
from pairsets.progress import Progress, Step, silent
from pairsets.sources.dataset import Dataset, PictureId
from pairsets.sources.folders.crops import Box, CropPlan, CropSettings, crop_face
from pairsets.sources.folders.face_folder import FaceFolder, FolderJournal, Row, missing_row
from pairsets.sources.folders.picture_paths import NotFoundError, PicturePaths
from pairsets.sources.folders.safe_names import cell_of
from pairsets.storage.artefacts import installed, versions
from pairsets.storage.digests import sha256
from pairsets.storage.publication import alone

KIND = "crops"
COLUMNS = ("path", "id", "left", "top", "right", "bottom", "picture_bytes", "crop_bytes")
# Faces a thread takes at once: more would make an interruption wait.
_CHUNK = 16


@alone(folder=True)
def crop_faces(
    pictures: Path,
    dataset: Path,
    out: Path,
    *,
    size: int = 224,
    pad: float = 0.0,
    square: bool = False,
    quality: int = 75,
    workers: int | None = None,
    max_pixels: int = MAX_PIXELS,
    overwrite: bool = False,
    progress: Progress = silent,
) -> CommandResult:
    """Cut the faces of a dataset out of their pictures into `out/<identity>/<id>.jpg`.

    Beside the identities' folders lie `crops.csv` (which face each file is), `crops.json` (how it
    was made), `names.csv` (identities whose folder has another name) and `missing.csv` (what gave
    no crop, and why); the last two only where there is something in them. Interrupted, the same
    command goes on. To overwrite keeps what still fits, and so makes up for missing pictures.

    Args:
        pictures: holds `%04d/ID.jpg`, `ID.jpg`, or the paths that the dataset names.
        dataset: ZACI-20's JSON.
        out: to be made.
        size: side of a crop in pixels.
        pad: share of the box's sides that is added on each side.
        square: whether the shorter side of the box is made as long as the longer one.
        quality: of the JPEG files.
        workers: threads; as many as there are cores by default.
        max_pixels: width times height above which a picture is refused undecoded.
        overwrite: replace what an earlier run wrote to `out`.
        progress: shows how far it is.

    Raises:
        SourceError: a dataset or folder that cannot be used, a value out of range, or not one
            picture was found.
        OutputError: `out` holds something else, something finished, or a link.
    """
    settings = CropSettings(size, pad, square, quality)
    key = {**asdict(settings), "pillow": installed("pillow").get("pillow")}
    folder = FaceFolder(out, KIND, COLUMNS, key)
    folder.refuse(overwrite=overwrite)
    plan = CropPlan.of(Dataset.read(dataset), folder.reserved(KIND))
    crops = _Crops(folder, PicturePaths(pictures), plan, settings, max_pixels)
    with (
        folder.filled(overwrite=overwrite, fits=crops.fits) as journal,
        progress("Cropping faces") as step,
    ):
        crops.run(journal, workers, step)
        manifest = {
            "faces": len(plan.dataset),
            "crops": crops.count,
            "missing": len(crops.failed),
            "dataset_sha256": sha256(dataset),
            "versions": versions("lookalikes", "pillow"),
        }
        missing = [missing_row(f.face.identity, f.face.picture, f.cause) for f in crops.failed]
        files = folder.finish(crops.rows(), plan.names, missing, manifest)
    return CommandResult([out, *files], crops.funnel(), crops.warnings())


@dataclass(frozen=True, slots=True)
class _Face:
    """One face to be made: its row in the dataset, its file, whose it is, where it is."""

    row: int
    path: str
    identity: str
    picture: PictureId
    bbox: Box


@dataclass(frozen=True, slots=True)
class _Failed:
    face: _Face
    cause: str
    found: bool


@dataclass(frozen=True, slots=True)
class _Cropped:
    face: _Face
    picture_bytes: int
    crop_bytes: int
    black: bool


class _Crops:
    """The work on all faces of a dataset.

    Attributes:
        failed: the faces that gave no crop.
    """

    def __init__(
        self,
        folder: FaceFolder,
        pictures: PicturePaths,
        plan: CropPlan,
        settings: CropSettings,
        max_pixels: int,
    ) -> None:
        self._folder, self._pictures, self._plan = folder, pictures, plan
        self._settings, self._max_pixels = settings, max_pixels
        # Bytes of the picture and of the crop of each face; 0 as long as there is none.
        self._sizes = np.zeros((len(plan.dataset), 2), np.int64)
        self._kept = self._black = 0
        self.failed: list[_Failed] = []

    def run(self, journal: FolderJournal, workers: int | None, step: Step) -> None:
        """Make the crops that are not there yet."""
        done, total = self._kept, len(self._sizes)
        step(done, total)
        for chunk in in_order(self._crop_all, self._begun(journal), workers):
            made = [one for one in chunk if isinstance(one, _Cropped)]
            for one in made:
                self._sizes[one.face.row] = one.picture_bytes, one.crop_bytes
            journal.note(self._row(one.face) for one in made)
            self._black += sum(one.black for one in made)
            self.failed += [one for one in chunk if isinstance(one, _Failed)]
            done += len(chunk)
            step(done, total)
        if not self.count:
            self._refuse_none()

    @property
    def count(self) -> int:
        """Number of crops."""
        return int(self._there.sum())

    def rows(self) -> Iterator[Row]:
        """The table's row of each crop, in the dataset's order."""
        there = self._there
        return (self._row(face) for face in self._faces() if there[face.row])

    def fits(self, row: Row) -> bool:
        """Whether the crop of an earlier run is that of the same face of the same picture."""
        at = self._rows_by_path.get(row[0])
        if at is None or self._sizes[at, 1]:
            return False
        face = self._face(at, row[0])
        try:
            sizes = (int(row[-2]), int(row[-1]))
            status = (self._folder.root / face.path).lstat()
            fitting = (
                sizes[1] == status.st_size
                and stat.S_ISREG(status.st_mode)
                and sizes[0] == self._pictures.find(face.picture).stat().st_size
            )
        except (OSError, ValueError):  # gone, or no numbers
            return False
        if not fitting or row != _row_of(face, *sizes):
            return False
        self._sizes[at] = sizes
        self._kept += 1
        return True

    def funnel(self) -> list[FunnelRow]:
        """Funnel rows of what was kept and what was dropped."""
        owners = self._plan.dataset.owner
        bare = len(self._plan.dataset.characters) - np.unique(owners[self._there]).size
        not_found = sum(not one.found for one in self.failed)
        dropped = {
            "faces whose picture was not found": not_found,
            "faces whose picture cannot be used": len(self.failed) - not_found,
            "identities without a crop": bare,
        }
        kept = {
            "crops that were there already": self._kept,
            "black crops, of boxes outside their picture": self._black,
        }
        return [
            FunnelRow(KIND, "faces in the dataset", len(self._sizes), kept=True),
            *(FunnelRow(KIND, what, count) for what, count in dropped.items() if count),
            *(FunnelRow(KIND, what, count, kept=True) for what, count in kept.items() if count),
            FunnelRow(KIND, "crops", self.count, kept=True),
        ]

    def warnings(self) -> list[str]:
        """Sentences on what the user should look at."""
        told = []
        if self.failed:
            first = self.failed[0]
            told.append(
                f"{len(self.failed):,} of {len(self._sizes):,} faces gave no crop, the first "
                f"{first.face.picture!r} of {first.face.identity!r} ({first.cause}); "
                f"{self._folder.missing} lists them. When they are there, the same command with "
                "--overwrite makes them alone"
            )
        if self._black:
            told.append(
                f"{self._black:,} boxes lie outside their pictures: their crops are black; are "
                "they boxes of pictures of another size?"
            )
        return told

    @property
    def _there(self) -> NDArray[np.bool_]:
        return self._sizes[:, 1] > 0

    @cached_property
    def _rows_by_path(self) -> dict[str, int]:
        return {path: row for row, path in enumerate(self._plan.paths())}

    def _face(self, row: int, path: str) -> _Face:
        found = self._plan.dataset
        left, top, right, bottom = found.boxes[row].tolist()
        identity = found.characters[found.owner[row]]
        return _Face(row, path, identity, found.ids[row], (left, top, right, bottom))

    def _faces(self) -> Iterator[_Face]:
        return (self._face(row, path) for row, path in enumerate(self._plan.paths()))

    def _begun(self, journal: FolderJournal) -> Iterator[list[_Face]]:
        """Chunks of the faces to be made, each told to the journal before."""
        there = self._there
        left = (face for face in self._faces() if not there[face.row])
        while chunk := list(islice(left, _CHUNK)):
            journal.begin(face.path for face in chunk)
            yield chunk

    def _row(self, face: _Face) -> Row:
        picture, crop = self._sizes[face.row].tolist()
        return _row_of(face, picture, crop)

    def _crop_all(self, chunk: list[_Face]) -> list[_Cropped | _Failed]:
        return [self._crop(face) for face in chunk]

    def _crop(self, face: _Face) -> _Cropped | _Failed:
        try:
            data = read(self._pictures.find(face.picture))
            crop = crop_face(data, face.bbox, self._settings, max_pixels=self._max_pixels)
        except ImageError as error:
            return _Failed(face, error.cause, found=not isinstance(error, NotFoundError))
        self._folder.put(face.path, crop.data)
        return _Cropped(face, len(data), len(crop.data), crop.black)

    def _refuse_none(self) -> None:
        first, found = self.failed[0], any(one.found for one in self.failed)
        hint = "" if found else "; is this the folder of the pictures, that with 0000/ to 0999/?"
        raise SourceError(
            f"{self._pictures.root}: not one of the {len(self.failed):,} pictures of the dataset "
            f"can be used; the first, {first.face.picture!r} of {first.face.identity!r}: "
            f"{first.cause}{hint}"
        )


def _row_of(face: _Face, picture_bytes: int, crop_bytes: int) -> Row:
    numbers = (*face.bbox, picture_bytes, crop_bytes)
    return (face.path, cell_of(str(face.picture)), *map(str, numbers))
