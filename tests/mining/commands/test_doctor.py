"""A diagnosis of this very installation, and of ones in which something is broken."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from support.command_line import lookalikes_apart

from mining.commands.doctor import diagnose
from mining.diagnosis.trials import Answer, Trial

# Modules that stand before the installed ones, broken each in its way.
BROKEN = {
    "torch/__init__.py": "raise ImportError('/data/libc10.so: undefined symbol: _ZN3c10')",
    "faiss.py": "raise ModuleNotFoundError(\"No module named 'faiss'\", name='faiss')",
    "matplotlib/__init__.py": "import os, signal; os.kill(os.getpid(), signal.SIGILL)",
    "pandas/__init__.py": "print('to where the document goes'); raise RuntimeError('half of it')",
}


@pytest.fixture(scope="module")
def whole():
    return lookalikes_apart("doctor", "--json")


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    """Both outputs of an installation with the broken modules, and with FAISS twice."""
    home = tmp_path_factory.mktemp("broken")
    for name, text in BROKEN.items():
        file = home / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text + "\n")
    about = home / "faiss_gpu-1.11.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: faiss-gpu\nVersion: 1.11.0\n")
    path = os.pathsep.join([str(home), os.environ.get("PYTHONPATH", "")])
    return [lookalikes_apart("doctor", *more, environment={"PYTHONPATH": path})
            for more in ([], ["--json"])]  # fmt: skip


def findings(outcome):
    return {one["what"]: one["remedy"] for one in json.loads(outcome.out)["findings"]}


def test_this_installation_works(whole):
    found = json.loads(whole.out)
    assert (whole.code, whole.err) == (0, "")
    assert (found["schema"], found["command"], found["works"]) == (1, "doctor", True)
    assert not any(one["broken"] for one in found["findings"])
    assert {one["installed"] for name, one in found["extras"].items() if name != "gpu"} == {True}
    assert found["extras"]["onnx"]["install"] == "pip install 'lookalikes[onnx]'"
    assert found["libraries"]["torch"]["version"]


def test_the_search_is_that_of_the_join_and_right(whole):
    search = json.loads(whole.out)["libraries"]["search"]
    assert search["wrong"] == []
    assert search["paths"][0]["device"] == "cpu"
    assert {one["first"] for one in search["paths"]} <= {
        "float32", "float32 by NumPy", "bfloat16", "int8",
    }  # fmt: skip


def test_nothing_personal_is_told(whole, broken):
    home = str(Path.home())
    for outcome in (whole, *broken):
        assert not re.search(rf"{re.escape(home)}(?=[/\\])", outcome.out)
        assert "~" in outcome.out or os.environ.get("XDG_CACHE_HOME")


def test_whatever_is_broken_is_a_finding_and_no_traceback(broken):
    text, document = broken
    assert (text.code, document.code) == (1, 1)
    assert "Traceback" not in text.out + text.err + document.out + document.err
    found = findings(document)
    torch = next(what for what in found if what.startswith("torch does not work"))
    assert "ImportError: /data/libc10.so: undefined symbol: _ZN3c10" in torch
    assert "pip install --force-reinstall" in found[torch]
    faiss = next(what for what in found if what.startswith("faiss does not work"))
    assert "No module named 'faiss'" in faiss
    twice = next(what for what in found if "both own the module faiss" in what)
    assert "pip uninstall faiss-cpu faiss-gpu" in found[twice]
    ended = next(what for what in found if what.startswith("matplotlib does not work"))
    assert "SIGILL" in ended
    assert "another processor" in found[ended]
    assert any(what == "pandas does not work: RuntimeError: half of it" for what in found)
    # What rests on one of them is not told of a second time.
    assert not any(what.startswith(("timm", "torchvision", "the exact search")) for what in found)
    for what, remedy in found.items():
        assert f": {what}" in text.out
        assert f"-> {remedy}" in text.out


def test_what_works_beside_it_is_told_all_the_same(broken):
    text, document = broken
    libraries = json.loads(document.out)["libraries"]
    assert libraries["numpy"]["version"]
    assert libraries["pyarrow"]["version"]
    assert "search" not in libraries
    assert "GPUs are not known, as PyTorch does not work" in text.out
    assert "faiss-cpu and faiss-gpu, which does not work" in text.out


def test_a_broken_numpy_breaks_no_diagnosis(tmp_path):
    (tmp_path / "numpy.py").write_text("raise ImportError('of another Python')\n")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    outcome = lookalikes_apart("doctor", environment={"PYTHONPATH": path})
    document = lookalikes_apart("doctor", "--json", environment={"PYTHONPATH": path})
    assert (outcome.code, document.code) == (1, 1)
    assert json.loads(document.out)["libraries"]["numpy"] == {}
    assert "BROKEN: numpy does not work: ImportError: of another Python" in outcome.out
    assert "Traceback" not in outcome.out + outcome.err


def diagnosed(monkeypatch, **answers):
    """Findings where libraries answer so."""
    found = {name: one if isinstance(one, Answer) else Answer(one) for name, one in answers.items()}
    monkeypatch.setattr("mining.commands.doctor.try_all", lambda trials: found)
    return diagnose([Trial("none", "none:none")]).findings


def test_a_wrong_search_is_broken(monkeypatch):
    (found,) = diagnosed(monkeypatch, search={"paths": [], "wrong": ["cuda:0"]})
    assert found.broken
    assert found.what == "the exact search on cuda:0 finds other pairs than the best"
    assert found.remedy.endswith("lookalikes mine --device cpu")


def test_a_gpu_that_is_not_used_is_told(monkeypatch):
    monkeypatch.setattr("mining.commands.doctor.has_driver", lambda: True)
    (found,) = diagnosed(monkeypatch, torch={"gpus": [], "cuda": None})
    assert "built for the processor alone" in found.what
    assert not found.broken
    (found,) = diagnosed(monkeypatch, torch={"gpus": [], "cuda": "12.8"})
    assert "sees no device" in found.what
    assert diagnosed(monkeypatch, torch={"gpus": [{}], "cuda": "12.8"}) == []


@pytest.mark.parametrize(
    ("threads", "usable", "told"),
    [(8, 8, False), (4, 8, False), (1, 8, True), (64, 4, True), (1, 2, True), (1, 1, False)],
)
def test_threads_that_do_not_fit_are_told(monkeypatch, threads, usable, told):
    system = {"usable_cores": usable}
    monkeypatch.setattr("mining.commands.doctor.system_facts", lambda: system)
    found = diagnosed(monkeypatch, torch={"threads": threads, "gpus": [{}], "cuda": None})
    assert [f"OMP_NUM_THREADS={usable}" in one.remedy for one in found] == [True] * told


def test_a_library_that_is_not_there_is_named_with_its_versions(monkeypatch):
    lacking = Answer(fault="ModuleNotFoundError: No module named 'timm'", missing="timm")
    (found,) = diagnosed(monkeypatch, timm=lacking)
    assert found.what == "timm is not installed"
    assert re.fullmatch(r"pip install 'timm>=[\d.]+'", found.remedy)
