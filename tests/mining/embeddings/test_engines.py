"""Engines beside PyTorch: decided once a folder, never mixed in it, kept to by a resumed run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch
from support.drawn import draw_face
from support.small_models import timm_folder
from torch import nn

from mining import Embeddings, embed, load_model
from mining.embeddings import engines
from mining.embeddings.engines import said_of
from mining.embeddings.options import EmbeddingOptions
from mining.errors import EmbeddingError, ModelError
from mining.models import engine_trials, onnx_exports
from mining.models.onnx_engine import OnnxEngine
from mining.models.torch_model import TorchModel
from mining.models.transform import Preprocessing
from pairsets import Faces

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

FILES = ("vectors.npy", "images.csv", "manifest.json")


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 16, 3, stride=2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 6),
    )


def model_of(module: nn.Module | None = None, **given: object) -> TorchModel:
    return TorchModel(
        module or network(),
        Preprocessing((16, 16), (16, 16)),
        name="x:small",
        similarity="cosine",
        facts={"family": "x"},
        device="cpu",
        **given,  # type: ignore[arg-type]
    )


@pytest.fixture
def faces(faces_folder: Path) -> Faces:
    return Faces.scan(faces_folder)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "lookalikes" / "networks"


@pytest.fixture
def speeds(cache: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """Speeds that are found instead of measured, so that no clock decides; few faces are enough."""
    found = {"TorchModel": 1.0, "OnnxEngine": 2.0, "asked": 0}

    def speed(model: object, batch: object) -> float:
        found["asked"] += 1
        return found[type(model).__name__]

    monkeypatch.setattr(engine_trials, "images_a_second", speed)
    monkeypatch.setattr(engines, "FEW", 4)
    return found


def engine_of(folder: Path) -> str:
    return str(Embeddings.load(folder).manifest["engine"]["name"])


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES}


def stopping(at: int) -> Callable[[int, int], None]:
    """A progress that interrupts once so many faces are done."""

    def report(done: int, total: int) -> None:
        if done >= at:
            raise KeyboardInterrupt

    return report


def test_onnx_gives_the_vectors_of_torch_but_for_rounding(
    faces: Faces, tmp_path: Path, cache: Path
) -> None:
    ours = embed(faces, model_of(), tmp_path / "onnx", engine="onnx")
    theirs = embed(faces, model_of(), tmp_path / "torch", engine="torch")
    assert np.abs(ours.vectors - theirs.vectors).max() < 1e-5
    assert ours.manifest["fingerprint"] == theirs.manifest["fingerprint"]
    engine = ours.manifest["engine"]
    assert engine["name"] == "onnx"
    assert engine["version"] == version("onnxruntime")
    assert engine["compared"]["images"] == 4
    assert engine["compared"]["least_cosine"] >= 1 - 1e-6
    assert 0 <= engine["compared"]["largest_difference"] < 1e-5
    assert theirs.manifest["engine"] == {
        "name": "torch",
        "version": torch.__version__.partition("+")[0],
    }
    (said,) = said_of(ours.manifest)
    assert f"{engine['compared']['largest_difference']:.1e} a coordinate" in said
    assert said_of(theirs.manifest) == []


@pytest.mark.parametrize("batch_size", [1, 3, 5, 18, 64])
def test_the_same_bytes_whatever_batches_and_threads(
    faces: Faces, tmp_path: Path, cache: Path, batch_size: int
) -> None:
    whole = embed(faces, model_of(), tmp_path / "whole", engine="onnx", batch_size=4)
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            folder = tmp_path / f"{threads}"
            found = embed(faces, model_of(), folder, engine="onnx", batch_size=batch_size)
            assert np.array_equal(found.vectors, whole.vectors)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(("onnx", "expected"), [(2.0, "onnx"), (1.02, "torch"), (0.5, "torch")])
def test_auto_takes_the_faster(
    faces: Faces, tmp_path: Path, speeds: dict[str, float], onnx: float, expected: str
) -> None:
    speeds["OnnxEngine"] = onnx
    embed(faces, model_of(), tmp_path / "e")
    assert engine_of(tmp_path / "e") == expected
    # What was found is kept: another folder gets the same engine, whatever a clock says now.
    asked = speeds["asked"]
    assert asked > 0
    speeds["OnnxEngine"] = 0.1
    embed(faces, model_of(), tmp_path / "again")
    assert engine_of(tmp_path / "again") == expected
    assert speeds["asked"] == asked
    assert bytes_of(tmp_path / "e") == bytes_of(tmp_path / "again")


def test_auto_stays_with_torch_for_few_faces(
    faces: Faces, tmp_path: Path, speeds: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "FEW", len(faces) + 1)
    found = embed(faces, model_of(), tmp_path / "e")
    assert found.manifest["engine"]["why"] == f"fewer than {len(faces) + 1} faces to embed"
    assert speeds["asked"] == 0


class Drifting(nn.Module):
    """Exported, it gives other vectors: what a wrong translation of an operator would do."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.inner, self.share = network(), share

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.inner(inputs)
        if torch.compiler.is_exporting():
            return found + self.share * found.flip(1).abs()
        return found


@pytest.mark.parametrize("share", [0.5, 0.01])
def test_an_engine_that_disagrees_is_not_taken(
    faces: Faces, tmp_path: Path, speeds: dict[str, float], share: float
) -> None:
    model = model_of(Drifting(share))
    with pytest.raises(ModelError, match=r"does not agree with PyTorch: on the first 4 .*cosine"):
        embed(faces, model, tmp_path / "onnx", engine="onnx")
    assert not (tmp_path / "onnx" / "manifest.json").exists()
    found = embed(faces, model, tmp_path / "auto")
    assert found.manifest["engine"]["name"] == "torch"
    assert "does not agree" in found.manifest["engine"]["why"]


class Longer(nn.Module):
    """Exported, its vectors are longer, in the same direction."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = network()

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.inner(inputs)
        return 1.01 * found if torch.compiler.is_exporting() else found


def test_lengths_count_too(faces: Faces, tmp_path: Path, cache: Path) -> None:
    with pytest.raises(ModelError, match=r"lengths differ by up to 1.0e-02"):
        embed(faces, model_of(Longer()), tmp_path / "e", engine="onnx")


class Unexportable(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = network()

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.inner(inputs)
        return found if float(found.sum()) > -1e9 else -found


def test_a_network_that_cannot_be_exported(
    faces: Faces, tmp_path: Path, speeds: dict[str, float]
) -> None:
    model = model_of(Unexportable())
    with pytest.raises(ModelError, match=r"x:small: PyTorch .* cannot export it to ONNX"):
        embed(faces, model, tmp_path / "onnx", engine="onnx")
    found = embed(faces, model, tmp_path / "auto")
    assert found.manifest["engine"]["name"] == "torch"
    assert "cannot export it" in found.manifest["engine"]["why"]


@pytest.mark.parametrize("stop", [0, 4, 12])
@pytest.mark.parametrize(("first", "then"), [("onnx", "torch"), ("torch", "onnx")])
def test_an_interrupted_run_goes_on_with_its_engine(
    faces: Faces, tmp_path: Path, speeds: dict[str, float], first: str, then: str, stop: int
) -> None:
    """Whatever `auto` would find now; also where no vector was kept yet."""
    rates = {"onnx": 2.0, "torch": 0.5}
    speeds["OnnxEngine"] = rates[first]
    embed(faces, model_of(), tmp_path / "whole", batch_size=4)
    folder = tmp_path / "e"
    kept = []

    def report(done: int, total: int) -> None:
        if done >= stop and (folder / "partial" / "engine.json").exists():
            raise KeyboardInterrupt

    if stop:
        with pytest.raises(KeyboardInterrupt):
            embed(faces, model_of(), folder, batch_size=4, progress=report)
    else:
        # Between the decision and the first vector.
        model = model_of()
        module = OnnxEngine if first == "onnx" else TorchModel
        with pytest.MonkeyPatch.context() as patch:
            encode = module.encode

            def failing(self: object, batch: np.ndarray) -> np.ndarray:
                if (folder / "partial" / "engine.json").exists():
                    kept.append((folder / "partial" / "vectors.f32").stat().st_size)
                    raise KeyboardInterrupt
                return encode(self, batch)  # type: ignore[arg-type]

            patch.setattr(module, "encode", failing)
            with pytest.raises(KeyboardInterrupt):
                embed(faces, model, folder, batch_size=4)
        assert kept == [0]
    for file in (tmp_path / "cache").rglob("*.json"):
        file.unlink()
    speeds["OnnxEngine"] = rates[then]
    embed(faces, model_of(), folder, batch_size=4)
    assert engine_of(folder) == first
    assert bytes_of(folder) == bytes_of(tmp_path / "whole")


@pytest.mark.parametrize(("first", "then"), [("onnx", "torch"), ("torch", "onnx")])
def test_unfinished_vectors_of_the_other_engine_are_refused(
    faces: Faces, tmp_path: Path, cache: Path, first: str, then: str
) -> None:
    folder = tmp_path / "e"
    with pytest.raises(KeyboardInterrupt):
        embed(faces, model_of(), folder, batch_size=4, engine=first, progress=stopping(4))  # type: ignore[arg-type]
    before = (folder / "partial" / "vectors.f32").read_bytes()
    assert before
    with pytest.raises(ModelError, match=r"unfinished vectors made by .* not by .*; go on with"):
        embed(faces, model_of(), folder, batch_size=4, engine=then)  # type: ignore[arg-type]
    assert (folder / "partial" / "vectors.f32").read_bytes() == before
    embed(faces, model_of(), folder, batch_size=4)
    assert engine_of(folder) == first


def test_finished_vectors_are_made_again_by_another_engine_and_by_auto_are_not(
    faces: Faces, faces_folder: Path, tmp_path: Path, speeds: dict[str, float]
) -> None:
    folder = tmp_path / "e"
    embed(faces, model_of(), folder, engine="torch")
    theirs = bytes_of(folder)["vectors.npy"]
    embed(faces, model_of(), folder)
    assert (engine_of(folder), bytes_of(folder)["vectors.npy"]) == ("torch", theirs)
    embed(faces, model_of(), folder, engine="onnx")
    embed(faces, model_of(), tmp_path / "onnx", engine="onnx")
    assert bytes_of(folder) == bytes_of(tmp_path / "onnx")
    # More faces come by the engine that is there.
    draw_face(9).save(faces_folder / "a" / "new.png")
    speeds["OnnxEngine"] = 0.1
    more = embed(Faces.scan(faces_folder), model_of(), folder)
    assert engine_of(folder) == "onnx"
    fresh = embed(Faces.scan(faces_folder), model_of(), tmp_path / "fresh", engine="onnx")
    assert np.array_equal(more.vectors, fresh.vectors)


def test_folders_that_name_no_engine_are_torchs(
    faces: Faces, faces_folder: Path, tmp_path: Path, speeds: dict[str, float]
) -> None:
    """As they were written before there were engines, finished and unfinished."""
    folder = tmp_path / "e"
    embed(faces, model_of(), folder, engine="torch")
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["engine"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert len(Embeddings.load(folder)) == len(faces)
    draw_face(9).save(faces_folder / "a" / "new.png")
    now = Faces.scan(faces_folder)
    embed(now, model_of(), folder)
    assert engine_of(folder) == "torch"
    begun = tmp_path / "begun"
    with pytest.raises(KeyboardInterrupt):
        embed(now, model_of(), begun, batch_size=4, engine="torch", progress=stopping(4))
    (begun / "partial" / "engine.json").unlink()
    with pytest.raises(ModelError, match="unfinished vectors made by PyTorch"):
        embed(now, model_of(), begun, batch_size=4, engine="onnx")
    embed(now, model_of(), begun, batch_size=4)
    assert engine_of(begun) == "torch"


def test_another_version_of_onnx_runtime(
    faces: Faces, faces_folder: Path, tmp_path: Path, speeds: dict[str, float]
) -> None:
    """Unfinished vectors of it are refused, finished ones made again; neither is mixed."""
    folder = tmp_path / "e"
    embed(faces, model_of(), folder, engine="onnx")
    manifest = json.loads((folder / "manifest.json").read_text())
    whole = bytes_of(folder)
    manifest["engine"]["version"] = "1.0.0"
    (folder / "manifest.json").write_text(json.dumps(manifest))
    embed(faces, model_of(), folder, engine="onnx")
    assert bytes_of(folder) == whole
    with pytest.raises(KeyboardInterrupt):
        embed(faces, model_of(), tmp_path / "f", batch_size=4, engine="onnx", progress=stopping(4))
    record = tmp_path / "f" / "partial" / "engine.json"
    content = json.loads(record.read_text())
    content["engine"]["version"] = "1.0.0"
    record.write_text(json.dumps(content))
    for engine in ("auto", "onnx"):
        with pytest.raises(ModelError, match=r"made by ONNX Runtime 1\.0\.0, not by ONNX Runtime"):
            embed(faces, model_of(), tmp_path / "f", batch_size=4, engine=engine)  # type: ignore[arg-type]
    record.write_text("{")
    with pytest.raises(EmbeddingError, match=r"engine\.json: damaged .* remove"):
        embed(faces, model_of(), tmp_path / "f", batch_size=4)


def test_another_export_of_the_same_network_is_not_mixed_in(
    faces: Faces, faces_folder: Path, tmp_path: Path, cache: Path
) -> None:
    folder = tmp_path / "e"
    embed(faces, model_of(), folder, engine="onnx")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["engine"]["export_sha256"] = "0" * 64
    (folder / "manifest.json").write_text(json.dumps(manifest))
    before = bytes_of(folder)
    embed(faces, model_of(), folder)  # nothing to do
    assert bytes_of(folder) == before
    draw_face(9).save(faces_folder / "a" / "new.png")
    with pytest.raises(ModelError, match="made with another export"):
        embed(Faces.scan(faces_folder), model_of(), folder)
    assert bytes_of(folder) == before


def test_a_broken_export_is_noticed_and_made_anew(
    faces: Faces, tmp_path: Path, cache: Path
) -> None:
    whole = embed(faces, model_of(), tmp_path / "whole", engine="onnx")
    (file,) = cache.glob("*.onnx")
    data, said = file.read_bytes(), file.with_suffix(".json").read_bytes()
    middle = len(data) // 2
    for number, (bad, facts) in enumerate(
        [
            (data[:-9], said),
            (data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :], said),
            (b"", said),
            (data, b"{"),
            (data, None),
            (None, said),
        ]
    ):
        file.unlink()
        file.with_suffix(".json").unlink()
        if bad is not None:
            file.write_bytes(bad)
        if facts is not None:
            file.with_suffix(".json").write_bytes(facts)
        found = embed(faces, model_of(), tmp_path / f"{number}", engine="onnx")
        assert np.array_equal(found.vectors, whole.vectors)
        assert file.read_bytes() == data  # the same bytes: nothing of this machine is in it
    assert {one.suffix for one in cache.iterdir()} == {".onnx", ".json", ".lock"}


def test_an_export_is_made_once(
    faces: Faces, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    export = torch.onnx.export
    monkeypatch.setattr(torch.onnx, "export", lambda *a, **k: (made.append(1), export(*a, **k))[1])
    for name in ("a", "b"):
        embed(faces, model_of(), tmp_path / name, engine="onnx")
    assert len(made) == 1
    embed(faces, model_of(network(1)), tmp_path / "c", engine="onnx")
    assert len(made) == 2
    assert len([*cache.glob("*.onnx")]) == 2


TWO = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
import torch
from test_engines import model_of
from mining import embed
from pairsets import Faces
export = torch.onnx.export
def counted(*given, **named):
    print("exported", file=sys.__stdout__, flush=True)
    return export(*given, **named)
torch.onnx.export = counted
embed(Faces.scan(sys.argv[1]), model_of(), sys.argv[2], engine="onnx")
"""


def test_two_processes_at_once(
    faces: Faces, faces_folder: Path, tmp_path: Path, cache: Path
) -> None:
    script = tmp_path / "two.py"
    script.write_text(TWO)
    here = Path(__file__)
    path = ":".join([str(here.parents[3]), str(here.parents[2])])
    run = [sys.executable, str(script), str(faces_folder)]
    begun = [
        subprocess.Popen(
            [*run, str(tmp_path / name), str(here.parent)],
            env={**os.environ, "PYTHONPATH": path},
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in "ab"
    ]
    told = [process.communicate()[0] for process in begun]
    assert [process.returncode for process in begun] == [0, 0]
    assert "".join(told).count("exported") == 1  # the second waited for it
    assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b")
    assert len([*cache.glob("*.onnx")]) == 1


def test_a_cache_that_cannot_be_written(
    faces: Faces, tmp_path: Path, speeds: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(ModelError, match=r"cannot be kept: .*file.*XDG_CACHE_HOME"):
        embed(faces, model_of(), tmp_path / "e", engine="onnx")
    assert embed(faces, model_of(), tmp_path / "f").manifest["engine"]["name"] == "torch"


@pytest.mark.parametrize("lacking", ["onnxruntime", "onnx", "onnxscript"])
def test_a_package_that_is_missing_names_the_extra(
    faces: Faces,
    tmp_path: Path,
    speeds: dict[str, float],
    monkeypatch: pytest.MonkeyPatch,
    lacking: str,
) -> None:
    told = onnx_exports.version

    def found(name: str) -> str:
        if name == lacking:
            raise onnx_exports.PackageNotFoundError(name)
        return told(name)

    monkeypatch.setattr(onnx_exports, "version", found)
    with pytest.raises(ModelError, match=rf"needs {lacking}: pip install 'lookalikes\[onnx\]'"):
        embed(faces, model_of(), tmp_path / "e", engine="onnx")
    manifest = embed(faces, model_of(), tmp_path / "f").manifest
    assert manifest["engine"]["name"] == "torch"
    assert f"needs {lacking}" in manifest["engine"]["why"]


def test_models_and_devices_that_are_not_for_it(faces: Faces, tmp_path: Path) -> None:
    pixels = load_model("pixels")
    for engine in ("onnx", "torch"):
        with pytest.raises(ModelError, match=r"'pixels': no network of PyTorch's"):
            embed(faces, pixels, tmp_path / "e", engine=engine)  # type: ignore[arg-type]
    assert "engine" not in embed(faces, pixels, tmp_path / "p").manifest
    half = model_of(precision="bf16")
    with pytest.raises(ModelError, match="in fp32, not in bf16"):
        embed(faces, half, tmp_path / "e", engine="onnx")
    assert embed(faces, half, tmp_path / "half").manifest["engine"]["name"] == "torch"
    elsewhere = model_of()
    elsewhere.device = torch.device("cuda")
    with pytest.raises(ModelError, match="not on cuda; ask for the device cpu"):
        embed(faces, elsewhere, tmp_path / "e", engine="onnx")
    with pytest.raises(ModelError, match="'tpu' is none of auto, torch, onnx"):
        embed(faces, model_of(), tmp_path / "e", engine="tpu")  # type: ignore[arg-type]


def test_a_model_is_refused_when_it_is_loaded(tmp_path: Path) -> None:
    """Before the work on others."""
    (tmp_path / "small").mkdir()
    spec = timm_folder(tmp_path / "small", 0)
    with pytest.raises(ModelError, match="in fp32, not in bf16"):
        EmbeddingOptions(device="cpu", precision="bf16", engine="onnx").load(spec)
    options = EmbeddingOptions(device="cpu", engine="onnx")
    assert options.load("pixels").name == "pixels"  # the floor of `build`, which has no engine
    assert options.load(spec).name == spec
    assert options.settled == {"precision": "fp32", "engine": "onnx"}
    assert EmbeddingOptions().settled == {"precision": "fp32"}


def test_company_that_matters_is_found_out(cache: Path) -> None:
    """Planted: a network that looks at its neighbour in the call."""

    class Company(nn.Module):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            found = inputs.mean((2, 3))
            return found + 1e-4 * found.flip(0)

    pixels = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), dtype=np.uint8)
    for module, alone in ((network(), True), (Company(), False)):
        model = model_of(module)
        engine = OnnxEngine(model, onnx_exports.kept_export(model, 2), batch_size=4)
        assert engine_trials.independent(engine, pixels) == alone
