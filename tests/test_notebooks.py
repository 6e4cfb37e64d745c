"""The notebooks run on a small demo, show pictures, and hold no logic of their own."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

FOLDER = Path(__file__).parent.parent / "notebooks"
PICTURES = {
    "build_adversarial_split": 2,
    "compare_models": 4,
    "confusing_pairs": 6,
    "which_threshold": 2,
}
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
LOGIC = (ast.FunctionDef, ast.ClassDef, ast.Lambda, ast.While, ast.Try, ast.With)

notebooks = pytest.mark.parametrize("name", sorted(PICTURES))


def read(name: str) -> NotebookNode:
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.fixture
def quiet_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the user's own Jupyter set-up is read, or written to."""
    for variable in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(variable, str(tmp_path / variable.lower()))
    (tmp_path / "ipythondir").mkdir()
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")


def execute(notebook: NotebookNode) -> None:
    NotebookClient(
        notebook,
        timeout=1800,
        kernel_name="python3",
        resources={"metadata": {"path": str(FOLDER)}},
    ).execute()


def test_every_notebook_is_tested() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == sorted(PICTURES)


@notebooks
def test_file_is_stripped_and_canonical(name: str) -> None:
    text = (FOLDER / f"{name}.ipynb").read_text("utf-8")
    notebook = json.loads(text)
    assert notebook["metadata"] == METADATA
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    for cell in notebook["cells"]:
        assert cell["metadata"] == {}
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None)
    nbformat.validate(notebook)
    assert text == json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


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
def test_runs_and_shows_pictures(
    name: str, demo_folder: Path, quiet_kernel: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted(FOLDER.rglob("*"))
    monkeypatch.setenv("LOOKALIKES_DEMO", str(demo_folder))
    notebook = read(name)
    execute(notebook)
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == PICTURES[name]
    said = "".join(output.text for output in outputs if output.get("name") == "stderr")
    assert said == ""
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
