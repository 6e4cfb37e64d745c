"""Notebooks as they are kept: run on what `make demo` leaves, with small pictures.

Run as a program it makes the outputs anew, of all notebooks or of those named.
"""

from __future__ import annotations

import base64
import html
import io
import json
import math
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import numpy as np
from nbclient import NotebookClient
from nbformat import NotebookNode
from PIL import Image

FOLDER = Path(__file__).parent.parent.parent / "notebooks"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
# Of a kept picture: pixels of its longer side, and colours.
SIDE, COLOURS = 1000, 256
PNG = "image/png"
_NUMBER = re.compile(r"(?<![\w.])[+-]?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?")
_EMBEDDED = re.compile(r"data:image/\w+;base64,[\w+/=]+")
# Numbers hang on the last bits of vectors, which processors round each in its own way.
_SHARE, _LEAST = 0.05, 0.002


def read(name: str) -> NotebookNode:
    """A notebook as it is kept."""
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """Its cells of code."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def execute(notebook: NotebookNode) -> None:
    """Run all cells, in the folder of the notebooks."""
    for cell in code_cells(notebook):
        cell.outputs, cell.execution_count = [], None
    NotebookClient(
        notebook,
        timeout=1800,
        kernel_name="python3",
        resources={"metadata": {"path": str(FOLDER)}},
    ).execute()


def keep(notebook: NotebookNode) -> str:
    """The text of the file: outputs in order, pictures small, nothing of when it was run."""
    notebook.metadata = METADATA
    for at, cell in enumerate(code_cells(notebook), 1):
        cell.execution_count = at
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = at
            if "metadata" in output:
                output.metadata = {}
            if PNG in output.get("data", {}):
                output.data[PNG] = small(output.data[PNG])
        cell.outputs = list(_joined(cell.outputs))
    for cell in notebook.cells:
        cell.metadata = {}
    return (
        json.dumps(
            json.loads(nbformat.writes(notebook)), indent=1, ensure_ascii=False, sort_keys=True
        )
        + "\n"
    )


def _joined(outputs: list[NotebookNode]) -> Iterator[NotebookNode]:
    """Outputs with what was printed piece by piece as one."""
    kept: NotebookNode | None = None
    for output in outputs:
        if kept is not None and output.output_type == "stream" and output.name == kept.name:
            kept.text += output.text
            continue
        if kept is not None:
            yield kept
            kept = None
        if output.output_type == "stream":
            kept = output
        else:
            yield output
    if kept is not None:
        yield kept


def small(picture: str) -> str:
    """A picture, PNG in base64, as it is kept."""
    with Image.open(io.BytesIO(base64.b64decode(picture))) as opened:
        plain = Image.new("RGB", opened.size, "white")
        whole = opened.convert("RGBA")
        plain.paste(whole, mask=whole.getchannel("A"))
    plain.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    # An octree keeps rare colours, as of eyes, where a median cut mixes them with others.
    kept = plain.quantize(COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    kept.save(stream, "PNG", optimize=True)
    return base64.b64encode(stream.getvalue()).decode()


def differences(kept: NotebookNode, fresh: NotebookNode) -> list[str]:
    """Sentences on cells whose outputs are not those that are kept."""
    found = []
    for one, other in zip(code_cells(kept), code_cells(fresh), strict=True):
        mine, theirs = list(map(_parts, one.outputs)), list(map(_parts, other.outputs))
        if [[*part] for part in mine] != [[*part] for part in theirs]:
            found.append(f"{one.id}: {[*map(list, mine)]} are kept, {[*map(list, theirs)]} came")
            continue
        for part, new in zip(mine, theirs, strict=True):
            for kind, text in part.items():
                same = alike_pictures if kind == PNG else alike_texts
                if not same(text, new[kind]):
                    found.append(
                        f"{one.id}: {kind} kept:\n{text[:2000]}\ncame:\n{new[kind][:2000]}"
                    )
    return found


def _parts(output: NotebookNode) -> dict[str, str]:
    if output.output_type == "stream":
        return {output.name: output.text}
    return {kind: "".join(text) for kind, text in output.get("data", {}).items()}


def alike_texts(one: str, other: str) -> bool:
    """Whether words are equal, and numbers nearly so."""
    one, other = (_EMBEDDED.sub("picture", html.unescape(text)) for text in (one, other))
    if [*map(str.strip, _NUMBER.split(one))] != [*map(str.strip, _NUMBER.split(other))]:
        return False
    pairs = zip(_NUMBER.findall(one), _NUMBER.findall(other), strict=True)
    return all(
        math.isclose(*(float(text.replace(",", "")) for text in pair),
                     rel_tol=_SHARE, abs_tol=_LEAST)
        for pair in pairs
    )  # fmt: skip


def alike_pictures(one: str, other: str) -> bool:
    """Whether pictures have nearly one size and, from afar, one look."""
    sizes, looks = [], []
    for picture in (one, other):
        with Image.open(io.BytesIO(base64.b64decode(small(picture)))) as opened:
            sizes.append(opened.size)
            looks.append(np.asarray(opened.convert("RGB").resize((24, 24)), np.float64))
    apart = max(abs(a - b) for a, b in zip(*sizes, strict=True))
    return apart <= 8 and float(np.abs(looks[0] - looks[1]).mean()) <= 12


def main(names: list[str]) -> None:
    """Make the outputs of notebooks anew; the demo stands where they look for it."""
    for name in names or sorted(path.stem for path in FOLDER.glob("*.ipynb")):
        notebook = read(name)
        execute(notebook)
        text = keep(notebook)
        (FOLDER / f"{name}.ipynb").write_text(text, "utf-8")
        print(f"{name}: {len(text):,} characters")


if __name__ == "__main__":
    main(sys.argv[1:])
