"""The user's own code: found, called, checked and fingerprinted."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.small_models import photo

from mining.models import Model, ModelError, load_model

Write = Callable[[str], None]
MEAN = "return np.stack([np.asarray(image).mean(axis=(0, 1)) for image in images])"


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes `mine.py` in the current directory, as if it had never been imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def write(code: str) -> None:
        Path("mine.py").write_text(f"import numpy as np\n{code}\n")
        sys.modules.pop("mine", None)

    return write


def load(code: str, write: Write, target: str = "mine:make") -> Model:
    write(code)
    return load_model(f"python:{target}")


def test_a_callable_is_given_the_images_whole(write: Write) -> None:
    sizes = "return [[image.width, image.height, ord(image.mode[0])] for image in images]"
    model = load(f"def f(images):\n    {sizes}\ndef make():\n    return f", write)
    images = [photo(0, (60, 44)), photo(1, (7, 9))]
    found = model.encode(np.stack([model.preprocess(image) for image in images]))
    assert found.tolist() == [[60, 44, ord("R")], [7, 9, ord("R")]]
    assert found.dtype == np.float32
    assert model.similarity == "cosine"


def test_an_object_may_say_its_similarity(write: Write) -> None:
    code = f"""
class make:
    similarity = "inner_product"
    def __call__(self, images):
        {MEAN}
"""
    assert load(code, write).similarity == "inner_product"
    with pytest.raises(ModelError, match="similarity is 'l2', not cosine or inner_product"):
        load(code.replace("inner_product", "l2"), write)


def test_the_fingerprint_is_of_source_target_and_the_users_own(write: Write) -> None:
    code = f"""
from pathlib import Path
def f(images):
    {MEAN}
f.fingerprint = Path("weights.txt").read_text()
def make():
    return f
other = make
"""
    Path("weights.txt").write_text("1")
    base = load(code, write).fingerprint
    assert load(code, write).fingerprint == base
    prints = {base, load(code, write, "mine:other").fingerprint}
    prints.add(load(f"{code}\n# changed", write).fingerprint)
    Path("weights.txt").write_text("2")
    prints.add(load(code, write).fingerprint)
    assert len(prints) == 4


@pytest.mark.parametrize(
    ("code", "target", "says"),
    [
        ("", "minne:make", r"no module 'minne' in .* or among the installed packages"),
        ("", "mine.sub:make", r"no module 'mine\.sub' in "),
        ("import absent", "mine:make", "importing 'mine': No module named 'absent'"),
        ("1 / 0", "mine:make", "importing 'mine' raises ZeroDivisionError"),
        ("def make(:", "mine:make", "importing 'mine' raises SyntaxError"),
        ("", "mine:make", "module 'mine' has no 'make'"),
        ("make = 3", "mine:make", "'make' is a int, not a function"),
        ("def make(): return 1 / 0", "mine:make", r"make\(\) raises ZeroDivisionError"),
        ("def make(): return 3", "mine:make", "the factory gave a int"),
        ("", "mine", "expected python:module:factory"),
        ("", ":make", "expected python:module:factory"),
    ],
)
def test_code_that_cannot_be_loaded(code: str, target: str, says: str, write: Write) -> None:
    with pytest.raises(ModelError, match=says):
        load(code, write, target)


def test_the_current_directory_comes_first(
    write: Write, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "mine.py").write_text("raise RuntimeError('the wrong one')")
    sys.path.insert(0, str(elsewhere))
    model = load(f"def f(images):\n    {MEAN}\ndef make():\n    return f", write)
    assert model.encode(np.stack([model.preprocess(photo(0))])).shape == (1, 3)


def test_a_module_without_a_file_has_no_fingerprint(write: Write) -> None:
    write("")
    with pytest.raises(ModelError, match="sys has no file to take a fingerprint of"):
        load_model("python:sys:getrecursionlimit")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("return 1 / 0", "its code fails on 2 images: ZeroDivisionError"),
        ("return np.zeros(5)", r"gives \(5,\) for 2 images; expected \(2, D\)"),
        ("return np.zeros((3, 5))", r"gives \(3, 5\) for 2 images"),
        ("return [['a'], ['b']]", "its code fails on 2 images: ValueError"),
    ],
)
def test_code_that_does_not_give_vectors(body: str, says: str, write: Write) -> None:
    model = load(f"def f(images):\n    {body}\ndef make():\n    return f", write)
    batch = np.stack([model.preprocess(photo(0))] * 2)
    with pytest.raises(ModelError, match=says):
        model.encode(batch)
