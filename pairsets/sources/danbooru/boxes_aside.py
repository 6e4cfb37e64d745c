"""Boxes of faces read in a process of its own, while this one has the metadata read.

As the workers of `processes`, it never imports the user's own script, and what it writes is read by
whoever started it alone.
"""

from __future__ import annotations

import gc
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from pairsets.errors import SourceError
from pairsets.sources.face_boxes import FaceBoxes, read_annotations

_PROGRAM = (
    "import sys; sys.path[:] = {path!r}; "
    "from pairsets.sources.danbooru.boxes_aside import serve; serve()"
)


@contextmanager
def boxes_aside(faces: Path, tag_ids: Path | None, *, sized: bool) -> Iterator[Future[FaceBoxes]]:
    """The boxes as `read_annotations` reads them, once they are.

    Their result raises SourceError where they cannot be read, or the process died.
    """
    names = [os.fspath(faces), None if tag_ids is None else os.fspath(tag_ids), sized]
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM.format(path=sys.path), json.dumps(names)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for the process that started it
    )
    pool = ThreadPoolExecutor(1)
    try:
        yield pool.submit(_result, process)
    finally:
        process.kill()
        pool.shutdown()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def serve() -> None:
    """Read the boxes that the command line names, and answer on standard output."""
    faces, tag_ids, sized = json.loads(sys.argv[1])
    gc.disable()  # what is read has no cycles
    found: FaceBoxes | SourceError
    try:
        found = read_annotations(
            Path(faces), tag_ids=None if tag_ids is None else Path(tag_ids), sized=sized
        )
    except SourceError as error:
        found = error
    pickle.dump(found, sys.stdout.buffer, pickle.HIGHEST_PROTOCOL)
    sys.stdout.buffer.flush()
    os._exit(0)


def _result(process: subprocess.Popen[bytes]) -> FaceBoxes:
    data = b"" if process.stdout is None else process.stdout.read()
    if process.wait() != 0 or not data:
        raise SourceError(
            f"the process that reads the boxes died (exit code {process.returncode}); was there "
            "too little memory? Try --workers 1"
        )
    found = pickle.loads(data)
    if isinstance(found, SourceError):
        raise found
    assert isinstance(found, FaceBoxes)
    return found
