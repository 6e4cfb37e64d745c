"""Pictures and a face detector -> boxes of faces, a picture a line."""

from __future__ import annotations

import io
import json
import os
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mining.commands.result import CommandResult
from mining.models.face_detector import Letterbox, OnnxFaceDetector
from mining.models.heap import kept_heap
from pairsets.errors import SourceError
from pairsets.funnel import FunnelRow
from pairsets.images import MAX_PIXELS, ImageError, decode, read
from pairsets.progress import Progress, silent
from pairsets.sources.dataset import PictureId
from pairsets.sources.face_boxes.exif import orientation, turned_back
from pairsets.sources.face_boxes.picture_tree import ids_below, pictures_below
from pairsets.sources.face_boxes.records import record_of
from pairsets.sources.folders.picture_paths import PicturePaths
from pairsets.storage.artefacts import installed, refuse_existing, versions, with_ending, write_json
from pairsets.storage.publication import alone, written_together
from pairsets.storage.resume import Resume, files_of

SCHEMA = 1
# Pictures decoded ahead of the one that is looked at, a thread.
_AHEAD = 2
# Pictures between two commits: what a kill loses at most.
_AT_ONCE = 64
# Unreadable pictures that are named at the end; all of them are in the file.
_NAMED = 10


@alone()
def detect_faces(
    pictures: Path,
    out: Path,
    *,
    detector: Path,
    min_score: float = 0.3,
    overlap: float = 0.5,
    device: str = "cpu",
    workers: int | None = None,
    max_pixels: int = MAX_PIXELS,
    overwrite: bool = False,
    progress: Progress = silent,
) -> CommandResult:
    """Find the faces in all pictures below a folder, with a detector of the user's own.

    `out` has a line a picture, by path: `{"id": 1123, "size": [512, 384], "faces": [{"bbox": [213,
    15, 327.5, 151], "score": 0.93}]}`, and with `error` in place of the last two where it cannot
    be read. The id is the number of the post for `0123/1123.jpg` and `1123.jpg`, else the path.
    Boxes are of the picture as it is stored, not turned by EXIF, but it is upright when looked at.
    Beside it lies the manifest, `.json`. What is found is kept in `OUT.partial` at once:
    interrupted, the same command goes on.

    Args:
        pictures: folder; its `512px/` if it has one.
        out: name that ends in `.jsonl`.
        detector: ONNX file of the YOLOv8 kind, see `mining.models.face_detector`.
        min_score: confidence that a face must have, 0 to 1.
        overlap: intersection over union above which the less sure of two boxes goes, 0 to 1.
        device: `cpu`, `cuda` or `auto`.
        workers: threads that decode; as many as there are cores by default.
        max_pixels: width times height above which a picture is refused undecoded.
        overwrite: replace `out`.
        progress: shows how far it is.

    Raises:
        SourceError: no folder of pictures, none in it or none that can be read; a value out of
            range.
        ModelError: the detector cannot be used.
        OutputError: `OUT.partial` is none, or in use.
    """
    named = with_ending(out, ".jsonl", "its manifest takes the name with .json")
    manifest = named.with_suffix(".json")
    refuse_existing([out, manifest], overwrite=overwrite, inputs=[detector])
    _refuse_numbers(min_score, overlap, workers)
    folder = PicturePaths(pictures)
    find = OnnxFaceDetector(detector, device=device)
    parameters = {"min_score": min_score, "overlap": overlap, "max_pixels": max_pixels}
    facts = {"schema": SCHEMA, "detector": find.digest, "parameters": parameters}
    facts |= {"libraries": installed("onnxruntime", "pillow", "numpy")}
    with progress("Listing the pictures"):
        total = sum(1 for _ in pictures_below(folder.root, Counter()))
    if not total:
        raise SourceError(f"{folder.root}: no pictures in it")
    partial = out.with_name(f"{out.name}.partial")
    skipped: Counter[str] = Counter()
    counts = dict.fromkeys(("pictures", "with", "faces"), 0)
    broken: list[tuple[str, str]] = []
    with Resume(partial, facts, every=_AT_ONCE) as kept:
        with progress("Finding faces") as step, kept_heap():
            look = _Look(folder.root, find, min_score, overlap, workers, max_pixels)
            done = _known(ids_below(folder, skipped), folder.root, kept)
            for count, record in enumerate(look.all(done), 1):
                record.keep(kept)
                counts["pictures"] += 1
                counts["with"] += record.faces > 0
                counts["faces"] += record.faces
                if record.error is not None:
                    broken.append((record.item.path, record.error))
                step(count, max(total, count))
        kept.commit()
        broken.sort()
        _refuse_all_broken(folder.root, broken, counts["pictures"])
        funnel = _funnel(counts, len(broken), skipped)
        content = {
            **{key: facts[key] for key in ("schema", "detector", "parameters")},
            "kind": "face boxes",
            "input_size": [find.size[1], find.size[0]],
            "counts": {**counts, "unreadable": len(broken)},
            "skipped": dict(sorted(skipped.items())),
            "versions": versions("lookalikes", "onnxruntime", "pillow", "numpy"),
        }
        with written_together(
            [out, manifest], manifest=manifest, spent=files_of(partial), overwrite=overwrite
        ) as staged:
            with (staged / out.name).open("wb") as stream:
                text = io.TextIOWrapper(stream, encoding="utf-8", newline="\n")
                text.writelines(json.loads(one)["line"] + "\n" for one in kept.current())
                text.detach().flush()
            write_json(staged / manifest.name, content)
    return CommandResult([out, manifest], funnel, _warnings(broken, out))


def _refuse_all_broken(root: Path, broken: Sequence[tuple[str, str]], count: int) -> None:
    """Raise SourceError where none of the pictures can be read."""
    if broken and len(broken) == count:
        path, cause = broken[0]
        raise SourceError(
            f"{root}: none of its {count} pictures can be read; the first, {path!r}: {cause}"
        )


def _refuse_numbers(min_score: float, overlap: float, workers: int | None) -> None:
    """Raise SourceError for a number out of its range."""
    for name, value in {"min_score": min_score, "overlap": overlap}.items():
        if not 0 <= value <= 1:
            raise SourceError(f"{name} of {value}; expected 0 to 1")
    if workers is not None and workers < 1:
        raise SourceError(f"{workers} workers; expected 1 or more")


def _warnings(broken: Sequence[tuple[str, str]], out: Path) -> list[str]:
    """A sentence on each of the first pictures that cannot be read, and one on the others."""
    warnings = [f"{path}: {cause}" for path, cause in broken[:_NAMED]]
    if len(broken) > _NAMED:
        warnings.append(f"{len(broken) - _NAMED:,} more pictures that cannot be read: see {out}")
    return warnings


def _funnel(counts: dict[str, int], broken: int, skipped: Counter[str]) -> list[FunnelRow]:
    rows = [FunnelRow("pictures", what, count) for what, count in sorted(skipped.items())]
    if broken:
        rows.append(FunnelRow("pictures", "that cannot be read", broken))
    looked = counts["pictures"] - broken
    return [
        *rows,
        FunnelRow("pictures", "looked at", looked, kept=True),
        FunnelRow("pictures", "with a face", counts["with"], kept=True),
        FunnelRow("faces", "found", counts["faces"], kept=True),
    ]


@dataclass(frozen=True)
class _Item:
    """A picture as it was listed; `faces` found in it, if it was looked at and has not changed."""

    path: str
    key: PictureId
    state: list[int]
    faces: int | None


@dataclass(frozen=True)
class _Record:
    """All that is known of a picture: its line in the file, or why it cannot be read.

    Without a line, what was kept of it still holds.
    """

    item: _Item
    faces: int
    line: str | None = None
    error: str | None = None

    def keep(self, kept: Resume) -> None:
        """Keep it as a part; a picture that cannot be read may be the next time."""
        if self.line is None:
            kept.touch(self.item.path)
            return
        state = self.item.state if self.error is None else None
        content = {"state": state, "faces": self.faces, "line": self.line}
        kept.write(self.item.path, json.dumps(content).encode())


def _known(listed: Iterator[tuple[str, PictureId]], root: Path, kept: Resume) -> Iterator[_Item]:
    for path, key in listed:
        try:
            status = (root / path).stat()
            state = [status.st_size, status.st_mtime_ns]
        except OSError:  # said when it is read
            state = [-1, -1]
        found = json.loads(kept.read(path) or b"{}")
        yield _Item(path, key, state, found["faces"] if found.get("state") == state else None)


class _Look:
    """A detector's way through pictures: decoded by threads ahead of it, in order."""

    def __init__(
        self,
        root: Path,
        find: OnnxFaceDetector,
        min_score: float,
        overlap: float,
        workers: int | None,
        max_pixels: int,
    ) -> None:
        self._root, self._find, self._max_pixels = root, find, max_pixels
        self._min_score, self._overlap = min_score, overlap
        self._workers = workers or os.cpu_count() or 1

    def all(self, items: Iterator[_Item]) -> Iterator[_Record]:
        """A record of each picture."""
        pool = ThreadPoolExecutor(self._workers, "decode")
        waiting: deque[tuple[_Item, Future[tuple[Letterbox, int]] | None]] = deque()
        try:
            for item in items:
                waiting.append(
                    (item, None if item.faces is not None else pool.submit(self._decoded, item))
                )
                if len(waiting) > _AHEAD * self._workers:
                    yield self._finished(*waiting.popleft())
            while waiting:
                yield self._finished(*waiting.popleft())
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _decoded(self, item: _Item) -> tuple[Letterbox, int]:
        """A picture as the detector takes it, small, and how the file has it turned."""
        file = self._root / item.path
        data = read(file)
        image = decode(data, path=file, max_pixels=self._max_pixels)
        return self._find.letterbox(image), orientation(data)

    def _finished(self, item: _Item, future: Future[tuple[Letterbox, int]] | None) -> _Record:
        if future is None:
            return _Record(item, item.faces or 0)
        try:
            image, how = future.result()
        except ImageError as error:
            content: dict[str, Any] = {"id": item.key, "error": error.cause}
            return _Record(item, 0, _line(content), error.cause)
        boxes, scores = self._find.find(image, min_score=self._min_score, overlap=self._overlap)
        boxes, size = turned_back(boxes, image.size, how)
        content = record_of(item.key, size, boxes, scores)
        return _Record(item, len(content["faces"]), _line(content))


def _line(content: dict[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, allow_nan=False)
