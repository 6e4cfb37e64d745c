"""Commands that are refused without changing anything, and bad input for them."""

from __future__ import annotations

import shutil

from support.command_line import contents, lookalikes

HEADER = "pathA,pathB,label,human_prediction,invalid\n"
GOOD = HEADER + "a/0.png,a/1.png,1,-1,0\na/0.png,b/0.png,0,-1,0\n"
MINERS = {
    "build": ("build", "faces", "--reference", "pixels", "--out", "run"),
    "mine": ("mine", "embeddings", "--out", "a.csv"),
}


def refused(home, *command):
    """Message of a command that fails and leaves everything as it was."""
    before = contents(home)
    message = lookalikes(*command).message
    assert contents(home) == before
    return message


def misused(home, *command):
    """Usage text of a command that is called wrongly and leaves everything as it was."""
    before = contents(home)
    usage = lookalikes(*command).usage
    assert contents(home) == before
    return usage


def write(path, content):
    """Write bytes, or text as UTF-8."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def plant_one_identity(faces):
    """Leave only the folder of identity `a`."""
    for folder in [entry for entry in faces.iterdir() if entry.name != "a"]:
        shutil.rmtree(folder)


def read_vectors(folder):
    """Bytes of the vectors and of the list of images in a folder of embeddings."""
    return [(folder / name).read_bytes() for name in ("vectors.npy", "images.csv")]
