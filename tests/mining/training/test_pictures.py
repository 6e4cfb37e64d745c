"""Pictures of a training: checked once, the same whatever the threads and the memory."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.training import write_faces

from mining.errors import TrainingError
from mining.training.augmentation import augment
from mining.training.configuration import AugmentationSettings
from mining.training.pictures import Checked, Pictures, check_pictures
from pairsets.faces import Faces
from pairsets.progress import unheard

AFFINE = AugmentationSettings("affine", flip=True, rotation=20, erase=True)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_faces(tmp_path / "in", people=4, each=3)


def check(root: Path, *, skip: bool = False) -> Checked:
    kept = root.parent / "pictures.sqlite"
    return check_pictures(
        Faces.scan(root), kept, skip=skip, max_pixels=10_000, workers=2, progress=unheard
    )


def test_the_digest_is_of_paths_identities_and_contents(root: Path) -> None:
    first = check(root).digest
    assert check(root).digest == first
    (root / "p00" / "0.png").rename(root / "p00" / "9.png")
    renamed = check(root).digest
    assert renamed != first
    (root / "p00" / "9.png").rename(root / "p00" / "0.png")
    assert check(root).digest == first
    Image.new("RGB", (30, 30), (1, 2, 3)).save(root / "p00" / "0.png")
    assert check(root).digest not in (first, renamed)


def test_what_was_checked_is_not_read_again(root: Path) -> None:
    first = check(root)
    file = root / "p01" / "1.png"
    status = file.stat()
    file.write_bytes(b"x" * status.st_size)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert check(root).digest == first.digest
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns + 10**9))
    with pytest.raises(TrainingError, match=r"1 of 12 images.*\n  p01/1.png: is none of"):
        check(root)


def test_pictures_that_cannot_be_read_are_all_named_or_left_out(root: Path) -> None:
    (root / "p01" / "1.png").write_bytes(b"")
    Image.new("RGB", (200, 200)).save(root / "p02" / "0.png")
    with pytest.raises(TrainingError, match=r"(?s)2 of 12.*p01/1.png.*p02/0.png.*--on-error skip"):
        check(root)
    checked = check(root, skip=True)
    assert len(checked.faces) == 10
    assert set(checked.skipped) == {"p01/1.png", "p02/0.png"}


@pytest.mark.parametrize(("workers", "memory"), [(1, 0), (3, 2**20), (2, 5000)])
def test_batches_are_the_same_whatever_the_threads_and_the_memory(
    root: Path, workers: int, memory: int
) -> None:
    faces = Faces.scan(root)
    pictures = Pictures(faces, 16, workers=workers, memory=memory)
    plan = lambda step: (np.arange(6) + step) % 12  # noqa: E731
    for _ in range(2):
        for step, (rows, pixels) in zip(
            range(3, 9), pictures.changed_batches(range(3, 9), plan, AFFINE, 7), strict=True
        ):
            np.testing.assert_array_equal(rows, plan(step))
            for place, row in enumerate(rows.tolist()):
                image = Image.open(faces.locate(faces.paths[row])).convert("RGB")
                plain = image.resize((16, 16), Image.Resampling.BILINEAR)
                rng = np.random.default_rng([7, 5, step, place])
                np.testing.assert_array_equal(pixels[place], augment(plain, AFFINE, rng))


def test_plain_batches_are_the_pictures_resized(root: Path) -> None:
    faces = Faces.scan(root)
    pictures = Pictures(faces, 16)
    ((rows, pixels),) = pictures.batches([np.array([11, 0])])
    assert rows.tolist() == [11, 0]
    for row, one in zip(rows.tolist(), pixels, strict=True):
        image = Image.open(faces.locate(faces.paths[row])).convert("RGB")
        np.testing.assert_array_equal(one, image.resize((16, 16), Image.Resampling.BILINEAR))


def test_a_picture_that_goes_meanwhile_is_named(root: Path) -> None:
    faces = Faces.scan(root)
    (root / "p00" / "1.png").unlink()
    with pytest.raises(TrainingError, match=r"p00/1.png: no such file; it could be read"):
        Pictures(faces, 16).pixels(1)
