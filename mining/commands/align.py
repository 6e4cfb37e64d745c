"""A folder of faces and their landmarks -> the same folder, of aligned faces."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from mining.commands.result import CommandResult
from mining.parallel import in_order
from pairsets.errors import SourceError
from pairsets.faces import Faces
from pairsets.funnel import FunnelRow, faces_rows
from pairsets.identities.rules import Rule
from pairsets.images import MAX_PIXELS, ImageError
from pairsets.progress import Progress, Step, silent
from pairsets.sources.folders.alignment import SIDE, align_face
from pairsets.sources.folders.face_folder import FaceFolder, FolderJournal, Row, missing_row
from pairsets.sources.folders.safe_names import SafeNames
from pairsets.sources.landmarks import Landmarks, Points
from pairsets.storage.artefacts import installed, refuse_inside, versions
from pairsets.storage.digests import sha256
from pairsets.storage.publication import alone

KIND = "aligned"
COLUMNS = ("path", "picture_bytes", "aligned_bytes")
# Faces a thread takes at once: more would make an interruption wait.
CHUNK = 16


@alone(folder=True)
def align_faces(
    faces: Path,
    landmarks: Path,
    out: Path,
    *,
    size: int = SIDE,
    identities: Rule | None = None,
    workers: int | None = None,
    max_pixels: int = MAX_PIXELS,
    overwrite: bool = False,
    progress: Progress = silent,
) -> CommandResult:
    """Turn, scale and shift each face so that its landmarks lie where ArcFace's networks want them.

    The paths stay, so that pairs of the one folder are those of the other. Beside the identities'
    folders lie `aligned.csv`, `aligned.json` (how it was made) and `missing.csv` (faces without
    landmarks, or that cannot be used, and why). Interrupted, the same command goes on.

    Args:
        faces: folder of faces, or shards.
        landmarks: a list, in a form of `pairsets.sources.landmarks`.
        out: to be made.
        size: side of an aligned face in pixels.
        identities: who each face shows; by default its folder.
        workers: threads; as many as there are cores by default.
        max_pixels: width times height above which a picture is refused undecoded.
        overwrite: replace what an earlier run wrote to `out`; what still fits is kept.
        progress: shows how far it is.

    Raises:
        SourceError: landmarks that cannot be used, or of none of the faces; paths that are not
            IDENTITY/NAME.
        FacesError: as `Faces.scan`.
        OutputError: `out` holds something else, something finished, or a link.
    """
    if not 1 <= size <= 4096:
        raise SourceError(f"a size of {size} pixels; expected 1 to 4096")
    refuse_inside(out, faces)
    key = {"size": size, "landmarks": sha256(_file(landmarks)), **installed("pillow")}
    folder = FaceFolder(out, KIND, COLUMNS, key)
    folder.refuse(overwrite=overwrite)
    with progress("Reading the landmarks") as step:
        listed = Landmarks.read(landmarks, step)
    found = Faces.scan(faces, identities)
    work = _Alignment.of(found, listed, folder, size, max_pixels)
    with (
        folder.filled(overwrite=overwrite, fits=work.fits) as journal,
        progress("Aligning faces") as step,
    ):
        work.run(journal, workers, step)
        missing = [missing_row(*one.row) for one in work.lost()]
        manifest = {
            "faces": len(found),
            "aligned": len(work.made),
            "missing": len(missing),
            "versions": versions("lookalikes", "pillow", "numpy"),
        }
        rows = [work.made[path] for path in sorted(work.made)]
        files = folder.finish(rows, SafeNames(), missing, manifest)
    return CommandResult([out, *files], work.funnel(), [*found.notes, *work.warnings(listed)])


def _file(path: Path) -> Path:
    """The path, if it is a file's."""
    if not path.is_file():
        what = "a folder" if path.is_dir() else "no such file"
        raise SourceError(f"{path}: {what}; expected a list of landmarks")
    return path


@dataclass(frozen=True, slots=True)
class _Lost:
    """A face that is not aligned, and why."""

    path: str
    cause: str

    @property
    def row(self) -> tuple[str, str, str]:
        """Row of the list: the identity's folder, the path, and why."""
        return self.path.partition("/")[0], self.path, self.cause


@dataclass(eq=False)
class _Alignment:
    """The work on all faces of a folder.

    Attributes:
        made: the table's row of each aligned face, by path.
        bare: faces without landmarks.
        failed: faces that cannot be used.
    """

    faces: Faces
    points: dict[str, Points]
    folder: FaceFolder
    size: int
    max_pixels: int
    bare: list[_Lost]
    made: dict[str, Row] = field(default_factory=dict)
    failed: list[_Lost] = field(default_factory=list)
    kept: int = 0

    @classmethod
    def of(
        cls, faces: Faces, listed: Landmarks, folder: FaceFolder, size: int, max_pixels: int
    ) -> _Alignment:
        """The work on these faces; SourceError where the list is not of them."""
        paths = [*faces.paths]
        deep = next((path for path in paths if path.count("/") != 1), None)
        if deep is not None:
            raise SourceError(
                f"{faces.place}: {deep!r} lies not in a folder of its identity, IDENTITY/NAME; "
                "lookalikes arrange makes such a folder of it"
            )
        known = dict(zip(listed.paths, listed.points, strict=True))
        points = {path: known[path] for path in paths if path in known}
        strange = listed.causes
        if not points:
            raise SourceError(
                f"{listed.file}: its landmarks are of none of the {len(paths):,} faces of "
                f"{faces.place}: it names {listed.paths[0]!r}, and there is {paths[0]!r}; expected "
                "paths relative to the folder of faces"
            )
        names = {path.partition("/")[0] for path in paths} & {*FaceFolder.reserved(KIND)}
        if names:
            raise SourceError(f"{faces.place}: the folder {min(names)!r} has the name of a table")
        bare = [_Lost(path, "no landmarks") for path in paths if path not in points]
        unfit = [_Lost(path, strange[path]) for path in points if path in strange]
        usable = {path: where for path, where in points.items() if path not in strange}
        return cls(faces, usable, folder, size, max_pixels, bare, failed=unfit)

    def fits(self, row: Row) -> bool:
        """Whether a file of an earlier run is that of the same face."""
        path = row[0]
        if path not in self.points or path in self.made:
            return False
        try:
            status = (self.folder.root / path).lstat()
            same = stat.S_ISREG(status.st_mode) and status.st_size == int(row[2])
            same = same and len(self.faces.read(path)[0]) == int(row[1])
        except (ImageError, OSError, ValueError):  # gone, or no numbers
            return False
        if same:
            self.made[path] = row
            self.kept += 1
        return same

    def run(self, journal: FolderJournal, workers: int | None, step: Step) -> None:
        """Align the faces that are not there yet."""
        done, total = len(self.made), len(self.points)
        step(done, total)
        for chunk in in_order(self._align_all, self._begun(journal), workers):
            rows = [one for one in chunk if not isinstance(one, _Lost)]
            journal.note(rows)
            self.made |= {row[0]: row for row in rows}
            self.failed += [one for one in chunk if isinstance(one, _Lost)]
            done += len(chunk)
            step(done, total)
        if not self.made:
            first = self.failed[0]
            raise SourceError(
                f"{self.faces.place}: not one of its {len(self.failed):,} faces with landmarks can "
                "be used; "
                f"the first, {first.path!r}: {first.cause}"
            )

    def lost(self) -> list[_Lost]:
        """Faces that are not aligned, in the order of their paths."""
        return sorted([*self.bare, *self.failed], key=lambda one: one.path)

    def funnel(self) -> list[FunnelRow]:
        """Funnel rows of what was kept and what was dropped."""
        dropped = {
            "faces without landmarks": len(self.bare),
            "faces that cannot be used": len(self.failed),
        }
        rows = [FunnelRow(KIND, what, count) for what, count in dropped.items() if count]
        if self.kept:
            rows.append(FunnelRow(KIND, "faces that were there already", self.kept, kept=True))
        rows.append(FunnelRow(KIND, "faces aligned", len(self.made), kept=True))
        return [*faces_rows(self.faces), *rows]

    def warnings(self, listed: Landmarks) -> list[str]:
        """Sentences on what the user should look at."""
        told = []
        if lost := self.lost():
            told.append(
                f"{len(lost):,} of {len(self.faces):,} faces are not in the aligned folder, the "
                f"first {lost[0].path!r} ({lost[0].cause}); {self.folder.missing} lists them. "
                "Pairs with them cannot be scored there"
            )
        faces = {*self.faces.paths}
        if strange := [path for path in listed.paths if path not in faces]:
            told.append(
                f"{len(strange):,} of {len(listed.paths):,} pictures of {listed.file} are not "
                f"among the faces, the first {strange[0]!r}"
            )
        return told

    def _begun(self, journal: FolderJournal) -> Iterator[list[str]]:
        """Chunks of the faces to be aligned, each told to the journal before."""
        left = iter([path for path in self.points if path not in self.made])
        while chunk := list(islice(left, CHUNK)):
            journal.begin(chunk)
            yield chunk

    def _align_all(self, paths: list[str]) -> list[Row | _Lost]:
        return [self._align(path) for path in paths]

    def _align(self, path: str) -> Row | _Lost:
        try:
            data = self.faces.read(path)[0]
            points = np.asarray(self.points[path])
            made = align_face(data, points, path, self.size, max_pixels=self.max_pixels)
        except ImageError as error:
            return _Lost(path, error.cause)
        self.folder.put(path, made)
        return (path, str(len(data)), str(len(made)))
