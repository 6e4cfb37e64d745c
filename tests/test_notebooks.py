"""The notebooks show what they do on the demo, run anew, and hold no logic of their own."""

from __future__ import annotations

import ast
import base64
import io
import json
import shlex
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from filelock import FileLock
from nbclient.exceptions import CellExecutionError
from PIL import Image
from support.notebooks import (
    FOLDER,
    METADATA,
    PNG,
    alike_pictures,
    alike_texts,
    code_cells,
    differences,
    execute,
    keep,
    read,
    small,
)

PICTURES = {
    "build_adversarial_split": 2,
    "compare_models": 4,
    "confusing_pairs": 6,
    "which_threshold": 2,
}
LOGIC = (ast.FunctionDef, ast.ClassDef, ast.Lambda, ast.While, ast.Try, ast.With)
MOST_BYTES = 1_500_000
ROOT = FOLDER.parent

notebooks = pytest.mark.parametrize("name", sorted(PICTURES))


@pytest.fixture
def quiet_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the user's own Jupyter set-up is read, or written to."""
    for variable in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(variable, str(tmp_path / variable.lower()))
    (tmp_path / "ipythondir").mkdir()
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")


def recipe(target: str) -> list[list[str]]:
    """Commands of a target of the Makefile, of the program alone, as lists of arguments."""
    lines = (ROOT / "Makefile").read_text("utf-8").split(f"\n{target}:", 1)[1].splitlines()[1:]
    commands: list[str] = []
    going = False
    for line in lines:
        if not line.startswith("\t"):
            break
        if going:
            commands[-1] += line.strip().rstrip("\\")
        else:
            commands.append(line.strip().rstrip("\\"))
        going = line.endswith("\\")
    program = "$(BIN)/lookalikes "
    found = [one.removeprefix(program) for one in commands if one.startswith(program)]
    return [shlex.split(one) for one in found]


@pytest.fixture(scope="session")
def whole_demo(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """What `make demo` leaves in `demo/`, by its own commands; made once for all workers."""
    shared = tmp_path_factory.getbasetemp()
    if worker_id != "master":
        shared = shared.parent
    home = shared / "whole demo"
    with FileLock(shared / "whole_demo.lock"):
        if not (home / "done").is_file():
            home.mkdir(exist_ok=True)
            for arguments in recipe("demo"):
                done = subprocess.run(
                    [sys.executable, "-m", "lookalikes", *arguments],
                    cwd=home, capture_output=True, text=True, check=False,
                )  # fmt: skip
                assert done.returncode == 0, done.stderr
            (home / "done").touch()
    return home / "demo"


def test_every_notebook_is_tested() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == sorted(PICTURES)


@notebooks
def test_file_is_canonical_and_small(name: str) -> None:
    text = (FOLDER / f"{name}.ipynb").read_text("utf-8")
    assert len(text) <= MOST_BYTES
    notebook = json.loads(text)
    assert notebook["metadata"] == METADATA
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == [*range(1, len(cells) + 1)]
    assert all(cell["metadata"] == {} for cell in notebook["cells"])
    nbformat.validate(notebook)
    assert text == json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


@notebooks
def test_outputs_are_kept_and_name_no_machine(name: str) -> None:
    outputs = [output for cell in code_cells(read(name)) for output in cell.outputs]
    kinds = [kind for output in outputs for kind in output.get("data", {})]
    assert kinds.count(PNG) == PICTURES[name]
    assert not [one for one in outputs if one.output_type == "error"]
    assert not [one for one in outputs if one.get("name") == "stderr"]
    told = json.dumps([output for output in outputs if PNG not in output.get("data", {})])
    assert "PosixPath('/" not in told
    assert str(ROOT) not in told


@notebooks
def test_cells_are_short_and_only_call(name: str) -> None:
    cells = code_cells(read(name))
    for at, cell in enumerate(cells):
        lines = cell.source.splitlines()
        assert len(lines) <= 12, f"{cell.id}: {len(lines)} lines"
        tree = ast.parse("\n".join(line for line in lines if not line.startswith("%")))
        guard = (ast.If,) if at else ()  # only the first cell looks whether the demo is there
        found = [type(node).__name__ for node in ast.walk(tree) if isinstance(node, LOGIC + guard)]
        assert not found, f"{cell.id}: {found}"


@notebooks
def test_a_fresh_run_shows_what_is_kept(
    name: str, whole_demo: Path, quiet_kernel: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted(FOLDER.rglob("*"))
    monkeypatch.setenv("LOOKALIKES_DEMO", str(whole_demo))
    fresh = read(name)
    execute(fresh)
    said = nbformat.reads(keep(fresh), as_version=4)
    assert differences(read(name), said) == []
    assert sorted(FOLDER.rglob("*")) == before


@notebooks
def test_first_cell_asks_for_the_demo(
    name: str, tmp_path: Path, quiet_kernel: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOOKALIKES_DEMO", str(tmp_path / "nothing"))
    notebook = read(name)
    notebook.cells = code_cells(notebook)[:1]
    with pytest.raises(CellExecutionError, match="run `make demo` first"):
        execute(notebook)


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("FPR 6.70 % of 1,000", "FPR 6.72 % of 1,001", True),
        ("FPR 6.70 % of 1,000", "FPR 8.70 % of 1,000", False),
        ("FPR 6.70 %", "EER 6.70 %", False),
        ("p < 1.5e-08", "p < 0.000", True),
        (
            '<img src="data:image/webp;base64,AAAA">',
            '<img src="data:image/webp;base64,BB==">',
            True,
        ),
    ],
)
def test_texts_are_alike_by_words_and_roughly_by_numbers(one: str, other: str, alike: bool) -> None:
    assert alike_texts(one, other) is alike


def picture(colour: str, size: tuple[int, int] = (1200, 600)) -> str:
    drawn = Image.new("RGB", size, "white")
    drawn.paste(Image.new("RGB", (size[0] // 2, size[1]), colour))
    stream = io.BytesIO()
    drawn.save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


def test_pictures_are_alike_by_size_and_look() -> None:
    red = picture("#a02030")
    assert alike_pictures(small(red), red)
    assert alike_pictures(red, picture("#a02838", (1204, 602)))
    assert not alike_pictures(red, picture("#20a0c0"))
    assert not alike_pictures(red, picture("#a02030", (1200, 900)))


def test_a_cell_that_shows_something_else_is_named() -> None:
    kept, fresh = read("which_threshold"), read("which_threshold")
    assert differences(kept, fresh) == []
    cell = next(cell for cell in code_cells(fresh) if cell.id == "choose")
    cell.outputs[0].text = cell.outputs[0].text.replace("drawn_faces", "lite0")
    assert [text.split(":")[0] for text in differences(kept, fresh)] == ["choose"]
    cell.outputs = []
    assert [text.split(":")[0] for text in differences(kept, fresh)] == ["choose"]
