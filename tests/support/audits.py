"""Audits made by hand, and folders of drawn faces with planted mistakes."""

from __future__ import annotations

import json
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image

from pairsets import Faces
from pairsets.files.audit_findings import Finding, Note, Twosome
from pairsets.files.audits import Audit, KindAccount
from pairsets.files.expectations import Expectation, Share
from pairsets.files.face_lists import FaceList
from pairsets.pairset import pair_key
from pairsets.storage.digests import sha256
from support.drawn import draw_face

NAMES = ("asuka", "mari", "rei", "shinji")


def small_folder(root: Path, names: tuple[str, ...] = NAMES, each: int = 3) -> Faces:
    """Folder of small pictures, `NAME/0.png` and so on."""
    for number, name in enumerate(names):
        (root / name).mkdir(parents=True)
        for at in range(each):
            draw_face(10 * number + at).save(root / name / f"{at}.png")
    return Faces.scan(root)


def twins(kind: str, *notes: Note) -> Finding:
    """Finding of pictures of which each is one with the next."""
    keys = [pair_key(a.path, b.path) for a, b in pairwise(notes)]
    return Finding(kind, notes, tuple(Twosome(key, 0.9, "the same picture") for key in keys))


def small_audit(faces: Faces) -> Audit:
    """Audit of `small_folder` with findings of four kinds; one abstains."""
    measured = Expectation("mislabel", Share(0.9, 0.8, 0.95), Share(0.3, 0.2, 0.4), 40)
    abstaining = Expectation("alias", None, None, 0, "too few identities")
    findings = [
        twins(
            "duplicate",
            Note("asuka/0.png", "asuka", "rei/0.png", 0.9, "the same picture", "ask"),
            Note("rei/0.png", "rei", "asuka/0.png", 0.9, "the same picture", "ask"),
        ),
        twins(
            "duplicate",
            Note("mari/0.png", "mari", "mari/1.png", 0.8, "mirrored", "keep"),
            Note("mari/1.png", "mari", "mari/0.png", 0.8, "mirrored", "leave-out"),
        ),
        Finding("mislabel", (Note("rei/1.png", "rei", "mari", 0.7, "rei/1.png: far", "ask"),)),
        Finding(
            "crop", (Note("shinji/2.png", "shinji", "", 1.0, "nearly one colour", "leave-out"),)
        ),
        Finding("few", (Note("", "shinji", "", None, "1 usable picture of 3", "ask"),)),
    ]
    return Audit(
        str(faces.root),
        FaceList.of(faces),
        {
            "duplicate": KindAccount(2, 4),
            "alias": KindAccount(0, 0, abstaining),
            "mislabel": KindAccount(1, 1, measured),
            "crop": KindAccount(1, 1),
            "few": KindAccount(1, 0, counted=True),
        },
        findings,
        {"outlier": "--embeddings"},
        {"seed": 0},
        unread={"asuka/2.png": "is damaged"},
    )


def plant_mistakes(drawn: Path, root: Path) -> dict[str, str]:
    """Copy drawn faces and plant mistakes among them; their paths by what they are.

    One identity gets a worse copy of a face of its own, one a copy of another's, one a blank
    picture, one a face of another, and one file is cut off.
    """
    shutil.copytree(drawn, root)
    names = sorted(folder.name for folder in root.iterdir())
    firsts = [sorted((root / name).iterdir())[0] for name in names]
    found = {
        "original": firsts[0],
        "copy": root / names[0] / "zz_copy.jpg",
        "theirs": firsts[1],
        "taken": root / names[2] / "zz_taken.jpg",
        "blank": root / names[3] / "zz_blank.png",
        "moved": root / names[5] / "zz_moved.png",
        "broken": root / names[6] / "zz_broken.png",
    }
    with Image.open(found["original"]) as image:
        image.convert("RGB").resize((160, 160)).save(found["copy"], quality=85)
    with Image.open(found["theirs"]) as image:
        image.convert("RGB").save(found["taken"], quality=85)
    Image.new("RGB", (100, 100), (200, 30, 40)).save(found["blank"])
    firsts[4].rename(found["moved"])
    found["broken"].write_bytes(firsts[6].read_bytes()[:400])
    return {what: path.relative_to(root).as_posix() for what, path in found.items()}


def write_vectors(folder: Path, vectors: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> None:
    """Put other vectors into a folder of embeddings, so that it still fits together."""
    np.save(folder / "vectors.npy", np.asarray(vectors, np.float32))
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    manifest["vectors_sha256"] = sha256(folder / "vectors.npy")
    manifest["dimensions"] = vectors.shape[1]
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
