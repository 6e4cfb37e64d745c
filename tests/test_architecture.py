"""What `docs/architecture.md` says of adding a thing, done: a toy of each kind, by its diff.

Each is added to a copy of the packages in at most three files, and then used by the command line
like any other.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.drawn import draw_face

ROOT = Path(__file__).parent.parent
PACKAGES = ("mining", "pairsets", "indexes")
GUIDE = (ROOT / "docs/architecture.md").read_text("utf-8")


@dataclass(frozen=True)
class Change:
    """Change of one file: all of a new one, or what stands behind a line that is there once."""

    file: str
    added: str
    after: str | None = None

    def apply(self, root: Path) -> None:
        path = root / self.file
        if self.after is None:
            assert not path.exists(), f"{self.file} is there"
            path.write_text(self.added, "utf-8")
            return
        text = path.read_text("utf-8")
        assert text.count(self.after) == 1, f"{self.file}: {self.after!r} is not there once"
        path.write_text(text.replace(self.after, self.after + self.added), "utf-8")


@dataclass(frozen=True)
class Toy:
    """Thing that is added.

    Attributes:
        row: first cell of its row in the guide's table.
        changes: that add it.
        command: of `lookalikes` that uses it, in a folder with `faces/` and `pairs.csv`.
        seen: what the command prints, or the file that it writes and a part of it.
    """

    row: str
    changes: tuple[Change, ...]
    command: str
    seen: str | tuple[str, str]


MODEL = Toy(
    "a family of models",
    (
        Change(
            "mining/models/brightness.py",
            '''"""Model `brightness:SIDE`: how bright each part of a picture is."""

import numpy as np

from mining.models.base import digest


class Brightness:
    similarity = "cosine"
    notes = ()

    def __init__(self, name, side):
        self.name, self.side = name, side
        self.provenance = {"family": "brightness", "side": side}
        self.fingerprint = digest(self.provenance)

    def preprocess(self, image):
        return np.asarray(image.convert("L").resize((self.side, self.side)))

    def encode(self, batch):
        return batch.reshape(len(batch), -1).astype(np.float32) + 1


def load(argument, *, name, device, precision):
    return Brightness(name, int(argument))
''',
        ),
        Change(
            "mining/models/__init__.py",
            '\n    "brightness": "mining.models.brightness:load",',
            "FAMILIES: dict[str, str] = {",
        ),
    ),
    "embed faces --model brightness:4 --out embedded",
    ("embedded/manifest.json", '"family": "brightness"'),
)

FORMAT = Toy(
    "a format of pairs",
    (
        Change(
            "pairsets/sources/formats/arrows.py",
            '''"""Pairs as lines `rei/1.png -> asuka/1.png`, or with `=` where both are of one."""

import re

from pairsets.sources.formats.collection import gather, held_by
from pairsets.sources.text.text_lines import text_lines, write_lines

NAME = "arrows"
SUMMARY = "lines A -> B of two, or A = B of one"
KEEPS = frozenset({"label"})


def looks_like(path, head):
    return b" -> " in head


def read(path, *, progress=None):
    rows = [re.split(" (->|=) ", line.rstrip()) for _, line in text_lines(path, progress)]
    first, signs, second = zip(*rows, strict=True)
    return gather(path, first, second, [sign == "=" for sign in signs])


def write(content, path):
    held = held_by(NAME, KEEPS, content)
    rows = zip(held.pairs.path_a, held.pairs.label, held.pairs.path_b, strict=True)
    write_lines(path, (f"{a} {'=' if same else '->'} {b}" for a, same, b in rows), NAME)
    return held
''',
        ),
        Change(
            "pairsets/sources/formats/__init__.py",
            '\n    "arrows": "pairsets.sources.formats.arrows",',
            "FORMATS: dict[str, str] = {",
        ),
        Change("mining/cli/convert.py", '\n    "arrows",', "Format = Literal["),
    ),
    "convert pairs.csv --to-format arrows --out pairs.arrows",
    ("pairs.arrows", "asuka/1.png -> rei/1.png"),
)

SUSPECT = Toy(
    "a kind of suspects",
    (
        Change(
            "mining/suspects/namesakes.py",
            '''"""Pairs of two files of one name, which may be one picture filed twice."""

import numpy as np

from pairsets.files.suspects import Doubt
from pairsets.paths import base_name


class Namesakes:
    kind = "namesake"

    def __call__(self, pairs, progress=None):
        rows = zip(pairs.path_a, pairs.path_b, strict=True)
        same = np.array([base_name(a) == base_name(b) for a, b in rows])
        reasons = tuple("both files have one name" if one else "" for one in same)
        return Doubt(self.kind, same.astype(float), same, reasons)
''',
        ),
        Change(
            "pairsets/files/suspect_kinds.py",
            '\n    "namesake": "files of one name",',
            "KINDS: Mapping[str, str] = {",
        ),
        Change(
            "mining/suspects/evidence.py",
            """
        if kind == "namesake":
            from mining.suspects.namesakes import Namesakes

            return Namesakes()""",
            '"""The check of a kind; imported when it is needed."""',
        ),
    ),
    "suspects pairs.csv --kinds namesake",
    ("pairs.suspects.csv", "both files have one name"),
)

COMMAND = Toy(
    "a command",
    (
        Change(
            "mining/commands/tally.py",
            '''"""Faces of a folder, counted."""

from mining.commands.result import CommandResult
from pairsets.faces import Faces
from pairsets.funnel import faces_rows


def tally(faces):
    return CommandResult([], faces_rows(Faces.scan(faces)))
''',
        ),
        Change(
            "mining/cli/show.py",
            '''

@app.command(rich_help_panel=PANEL)
def tally(faces: Annotated[Path, typer.Argument(metavar="FACES")]) -> None:
    """Count the faces of a folder."""
    from mining.cli.summary import print_made
    from mining.commands.tally import tally as count

    print_made(count(faces))
''',
            re.search(r"^PANEL = .*$", (ROOT / "mining/cli/show.py").read_text("utf-8"), re.M)[0],  # type: ignore[index]
        ),
    ),
    "tally faces",
    "4   images found",
)

TOYS = (MODEL, FORMAT, SUSPECT, COMMAND)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("toys")
    for number, path in enumerate(("rei/1", "rei/2", "asuka/1", "asuka/2")):
        file = folder / "faces" / f"{path}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        draw_face(number).save(file)
    (folder / "pairs.csv").write_text(
        "pathA,pathB,label,human_prediction,invalid\n"
        "asuka/1.png,rei/1.png,0,-1,0\nrei/1.png,rei/2.png,1,-1,0\n"
    )
    return folder


@pytest.mark.parametrize("toy", TOYS, ids=lambda toy: toy.row)
def test_a_toy_is_added_in_at_most_three_files_and_used(toy: Toy, home: Path, tmp_path: Path):
    assert len({change.file for change in toy.changes}) <= 3
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignored)
    for change in toy.changes:
        change.apply(tmp_path)
    run = "from mining.cli import main; main()"
    said = subprocess.run(
        [sys.executable, "-c", run, *toy.command.split()],
        cwd=home,
        env=os.environ | {"PYTHONPATH": str(tmp_path), "COLUMNS": "100", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode in (0, 3), said.stdout + said.stderr
    if isinstance(toy.seen, str):
        assert toy.seen in said.stdout
    else:
        file, part = toy.seen
        assert part in (home / file).read_text("utf-8")


@pytest.mark.parametrize("toy", TOYS, ids=lambda toy: toy.row)
def test_the_guide_names_the_files_that_a_toy_touches(toy: Toy):
    """Each changed file, or the folder of a new one, stands in the row of the guide's table."""
    (row,) = re.findall(rf"^\| {toy.row} \|.*$", GUIDE, re.M)
    for change in toy.changes:
        folder, _, name = change.file.rpartition("/")
        told = [change.file, *([f"{folder}/"] if change.after is None else [])]
        if name == "__init__.py":
            told.append("there")
        if toy is COMMAND:
            told.append("a file of `mining/cli/`")
        assert any(one in row for one in told), (change.file, row)


def test_every_path_in_the_guide_is_there():
    for path in re.findall(r"`((?:mining|pairsets|indexes|tests)/[\w/.]*)`", GUIDE):
        assert "X" in path or (ROOT / path).exists(), path
