"""Images that cannot be read are all listed, or left out and counted."""

from __future__ import annotations

import io
import json
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from support.command_line import contents, lookalikes
from support.refusals import write


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def giant_png():
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def truncated_jpeg():
    stream = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(stream, "JPEG")
    return stream.getvalue()[:900]


@pytest.fixture
def broken(home):
    """Broken images of many kinds beside the good ones: path -> what is said of it."""
    folder = home / "faces" / "b"
    write(folder / "empty.jpg", b"")
    write(folder / "cut.jpg", truncated_jpeg())
    write(folder / "text.png", "not a picture at all")
    write(folder / "giant.png", giant_png())
    write(folder / "header.webp", b"RIFF\x24\x00\x00\x00WEBPVP8 ")
    os.mkfifo(folder / "pipe.png")
    os.mkfifo(folder / "._pipe.png")
    (folder / "folder.jpg").mkdir()
    return {
        "b/empty.jpg": "the file is empty (0 bytes)",
        "b/cut.jpg": "is damaged or cut off",
        "b/text.png": "is none of JPEG, PNG, WEBP, GIF, BMP, TIFF, AVIF: it begins with b'not a",
        "b/giant.png": "60000 x 60000 pixels is more than the limit of 50,000,000 pixels",
        "b/header.webp": "WEBP",
        "b/pipe.png": "is not a regular file",
        "b/._pipe.png": "is not a regular file",
    }


@pytest.mark.parametrize("command", ["build", "embed"])
def test_all_unreadable_images_are_listed(home, broken, command):
    model = "--reference" if command == "build" else "--model"
    message = lookalikes(
        *(command, "faces", model, "pixels", "--out", "out", "--batch-size", 4)
    ).message
    first, *lines, last = message.splitlines()
    assert first == "7 of 25 images in faces cannot be used:"
    assert (
        last
        == "Mend or remove them, or leave them out: embed, build and compare have --on-error skip."
    )
    listed = dict(line.strip().split(": ", 1) for line in lines)
    assert listed.keys() == broken.keys()
    assert all(broken[path] in cause for path, cause in listed.items())
    assert not list(home.rglob("manifest.json"))


def test_unreadable_images_are_left_out_and_counted(home, broken):
    command = ("build", "faces", "--reference", "pixels", "--pairs", 9, "--on-error", "skip")
    assert (
        "7 left out: images that cannot be read 18 faces embedded"
        in lookalikes(*command, "--out", "run").summary
    )
    manifest = json.loads(next((home / "run").glob("embeddings/*/manifest.json")).read_text())
    assert manifest["skipped"].keys() == broken.keys()
    listed = (home / "run" / "faces.csv").read_text("utf-8")
    assert not [path for path in broken if path in listed]


def test_no_readable_image_at_all(home):
    for image in (home / "faces").glob("*/*.png"):
        image.write_bytes(b"")
    command = ("embed", "faces", "--model", "pixels", "--on-error", "skip", "--out", "out")
    assert lookalikes(*command).message.startswith("18 of 18 images in faces cannot be used:")


def test_mended_images_complete_the_embeddings(home, broken):
    command = ("embed", "faces", "--model", "pixels", "--out")
    assert lookalikes(*command, "out").code == 1
    for path in broken:
        (home / "faces" / path).unlink()
    assert lookalikes(*command, "out").code == 0
    assert lookalikes(*command, "fresh").code == 0
    resumed, fresh = contents(home / "out"), contents(home / "fresh")
    assert resumed == fresh
