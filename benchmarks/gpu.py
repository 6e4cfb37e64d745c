"""The search and the embedding on a GPU, in the order of what matters, within a budget of seconds.

    python -m benchmarks.gpu --budget 400

Parts: the 3,000 best pairs of 1,451,527 x 512 vectors, clustered; brute force in float64 on blocks
of them; the kernel's share of what the device can do; the same search on a decaying spectrum;
networks, from decoded pictures; a tenth of the pairs of 11 million vectors, and what all would
take; other ways to neighbours. A part that the budget does not reach, or that fails, says so. The
JSON is written after each part, to `results/gpu.json` and to the folder $OUT where that is set.

`--dry` runs every part on a few rows on the processor, with the kernel in Triton's interpreter.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import RESULTS, describe
from benchmarks.million_faces import FACES, IDENTITIES, sizes_of

PAIRS = 3000
# Dense bfloat16 operations and bytes of memory a second, as their maker gives them.
PEAKS = {"H200": (989e12, 4.8e12), "H100": (989e12, 3.35e12), "A100": (312e12, 2.0e12)}
NETWORKS = ("resnet152", "tf_efficientnet_lite0")
# Pairs of so many rows are a tenth of those of 11 million.
WHOLE = 11_000_000


@dataclass(frozen=True)
class Size:
    """How large the parts are."""

    rows: int = FACES
    identities: int = IDENTITIES
    dimensions: int = 512
    pairs: int = PAIRS
    runs: int = 3
    tenth: int = int(WHOLE / 10**0.5)
    tile: int = 65536
    queries: int = 16384
    batch: int = 256
    batches: int = 8
    pixels: int = 224
    device: str = "cuda"
    precision: str = "bf16"
    networks: tuple[str, ...] = NETWORKS


DRY = Size(90, 30, 24, 40, 1, 100, 64, 32, 2, 2, 32, "cpu", "fp32", ("resnet18",))


def synchronize(size: Size) -> Callable[[], object]:
    """What waits for the device."""
    import torch

    return torch.cuda.synchronize if size.device == "cuda" else lambda: None


class Bench:
    """All parts on one device; vectors are made once for the parts that share them."""

    def __init__(self, size: Size) -> None:
        self.size = size
        self.groups = np.repeat(np.arange(size.identities), sizes_of(size.rows, size.identities))
        self.vectors: Any = None
        self.answer: Any = None

    def join(self, kind: str) -> dict[str, object]:
        """Medians of the search for the best pairs, the vectors in memory."""
        from benchmarks.gpu_vectors import made

        start = time.perf_counter()
        self.vectors = made(kind, self.groups, self.size.dimensions)
        return {
            "making_seconds": time.perf_counter() - start,
            **self.searched(self.vectors, self.groups),
        }

    def searched(self, vectors: Any, groups: Any) -> dict[str, object]:
        """Search a set several times; the first run warms the device up and is told apart."""
        from indexes.join import SearchOptions, top_pairs

        size, times = self.size, []
        how = SearchOptions(device=size.device, precision="bf16")
        for _ in range(size.runs + 1):
            start = time.perf_counter()
            self.answer = top_pairs(vectors, groups, size.pairs, how=how)
            times.append(time.perf_counter() - start)
        count = len(vectors)
        median = statistics.median(times[1:])
        operations = count * (count - 1) * vectors.shape[1]
        return {
            "rows": count,
            "dimensions": vectors.shape[1],
            "pairs": len(self.answer),
            "first_seconds": times[0],
            "median_seconds": median,
            "all_seconds": times[1:],
            "operations_a_second": operations / median,
        }

    def exactness(self) -> dict[str, object]:
        """Brute force in float64 on sampled blocks of rows."""
        from benchmarks.exactness import check_blocks
        from benchmarks.jobs import Answer

        answer = Answer(self.answer.i, self.answer.j, self.answer.scores)
        compared = check_blocks(self.vectors, self.groups, self.size.pairs, answer)
        return {"pairs_compared": compared, "missing": 0}

    def profile(self) -> dict[str, object]:
        """Operations and bytes a second of the kernel on one tile, and of torch's bare product."""
        import torch

        from benchmarks.gpu_peers import seconds
        from indexes.join.fused_kernel import HitBuffer, blocks_for, tile_hits

        size = self.size
        side = min(size.tile, len(self.vectors) // 2)
        rows = torch.from_numpy(self.vectors[: 2 * side]).to(size.device, torch.bfloat16)
        left, right = rows[:side], rows[side:]
        bar = float(self.answer.scores[-1])
        bars = torch.full((side,), bar, dtype=torch.float32, device=size.device)
        codes = torch.from_numpy(self.groups[: 2 * side]).to(size.device, torch.int32)
        buffer = HitBuffer(size.device)

        def fused() -> object:
            return tile_hits(
                left, right, bars, codes, diagonal=False, room=2**20, buffer=buffer
            )  # fmt: skip

        part = min(side, 16384)
        out = torch.empty((part, part), dtype=torch.bfloat16, device=size.device)
        wait = synchronize(size)
        mine = seconds(fused, wait, 5)
        bare = seconds(lambda: torch.mm(left[:part], right[:part].T, out=out), wait, 5)
        depth = size.dimensions
        name = device_facts(size)["device"]
        peak = next((value for key, value in PEAKS.items() if key in str(name)), None)
        rate = 2 * side * side * depth / mine
        tall, wide, _ = blocks_for(left.device).shape
        # Each block reads its rows and columns once: from the cache of the device, for the most.
        read = 2 * depth * side * side * (1 / tall + 1 / wide)
        found: dict[str, object] = {
            "side": side,
            "kernel_seconds": mine,
            "kernel_operations_a_second": rate,
            "kernel_bytes_read_a_second": read / mine,
            "least_bytes_a_second": 4 * side * depth / mine,
            "torch_mm_operations_a_second": 2 * part * part * depth / bare,
        }
        if peak is not None:
            found["share_of_peak_operations"] = rate / peak[0]
            found["least_bytes_share_of_memory"] = 4 * side * depth / mine / peak[1]
        return found

    def network(self, name: str) -> dict[str, object]:
        """Pictures a second of a network with random weights, from decoded arrays."""
        import torch

        from benchmarks.gpu_peers import seconds
        from mining.models.torch_model import TorchModel
        from mining.models.torchvision_ops import import_timm
        from mining.models.transform import Preprocessing

        size = self.size
        torch.manual_seed(0)
        module = import_timm().create_model(name, pretrained=False, num_classes=0)
        shape = size.pixels, size.pixels
        model = TorchModel(
            module,
            Preprocessing(shape, shape),
            name=f"timm:{name}",
            similarity="cosine",
            facts={},
            device=size.device,
            precision=size.precision,
        )
        draw = np.random.default_rng(0)
        pictures = size.batch, *shape, 3
        batches = [draw.integers(0, 256, pictures, dtype=np.uint8) for _ in range(size.batches)]
        expected = [model.encode(batch) for batch in batches]
        same = all(
            np.array_equal(one, other)
            for one, other in zip(model.encode_many(batches), expected, strict=True)
        )
        inputs = model.inputs(batches[0])

        def bare() -> None:
            with model.explained(size.batch):
                for _ in batches:
                    model.network(inputs)

        wait, count = synchronize(size), size.batch * size.batches
        ahead = seconds(lambda: list(model.encode_many(batches)), wait, size.runs)
        one_by_one = seconds(lambda: [model.encode(batch) for batch in batches], wait, size.runs)
        return {
            "batch": size.batch,
            "precision": size.precision,
            "same_bytes": same,
            "images_a_second": count / ahead,
            "images_a_second_one_by_one": count / one_by_one,
            "images_a_second_network_alone": count / seconds(bare, wait, size.runs),
        }

    def tenth(self) -> dict[str, object]:
        """A tenth of the pairs of 11 million rows, and what all of them would take."""
        from benchmarks.gpu_vectors import made
        from indexes.join import cuda
        from indexes.join.device_rows import residence

        size = self.size
        faces = size.tenth
        groups = np.repeat(np.arange(faces // 3), sizes_of(faces, faces // 3))
        vectors = made("clustered", groups, size.dimensions)
        before, self.size = self.size, Size(**{**size.__dict__, "runs": 1})
        try:
            found = self.searched(vectors, groups)
        finally:
            self.size = before
        devices = [size.device]
        side = cuda.side(devices)
        needed = cuda.scratch(devices, side * side)
        kept = residence(devices, WHOLE, size.dimensions, side, needed)
        scale = (WHOLE / faces) ** 2
        found["whole"] = {
            "rows": WHOLE,
            "bytes_in_bfloat16": 2 * WHOLE * size.dimensions,
            "resident": kept.resident,
            "side": side,
            "tiles": -(-WHOLE // side) * (-(-WHOLE // side) + 1) // 2,
            "predicted_seconds": float(str(found["median_seconds"])) * scale,
        }
        return found

    def peer(self, name: str) -> dict[str, object]:
        """Another way to neighbours; see `benchmarks/gpu_peers.py`."""
        from benchmarks.gpu_peers import measured

        size = self.size
        return measured(name, self.vectors, size.queries, size.device, synchronize(size))


def device_facts(size: Size) -> dict[str, object]:
    """Name, driver and versions of the device."""
    import torch

    found: dict[str, object] = {"torch": torch.__version__, "cuda": torch.version.cuda}
    try:
        import triton

        found["triton"] = triton.__version__
    except ImportError as error:
        found["triton"] = f"left out: {error}"
    if size.device == "cpu":
        return {"device": "processor, by Triton's interpreter", **found}
    query = "name,driver_version,memory.total,clocks.max.sm,power.limit"
    command = ["nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        found["nvidia_smi"] = done.stdout.strip() or done.stderr.strip()
    except (OSError, subprocess.TimeoutExpired) as error:
        found["nvidia_smi"] = f"left out: {error}"
    return {"device": torch.cuda.get_device_name(), **found}


def parts(bench: Bench) -> dict[str, tuple[float, Callable[[], dict[str, object]]]]:
    """Parts in the order of their importance, with the seconds that each may need at the most."""
    from benchmarks.gpu_peers import PEERS

    found: dict[str, tuple[float, Callable[[], dict[str, object]]]] = {
        "join, clustered": (90, lambda: bench.join("clustered")),
        "exactness": (40, bench.exactness),
        "kernel": (20, bench.profile),
    }
    for name in bench.size.networks:
        found[f"embedding, {name}"] = (45, lambda name=name: bench.network(name))
    for name in PEERS:
        found[f"peer, {name}"] = (25, lambda name=name: bench.peer(name))
    found["join, decaying"] = (60, lambda: bench.join("decaying"))
    found["a tenth of 11 million"] = (110, bench.tenth)
    return found


def run(size: Size, budget: float, write: Callable[[dict[str, object]], None]) -> None:
    """Run part after part as long as the budget lasts, and write what there is after each."""
    begun = time.perf_counter()
    result: dict[str, object] = {
        "benchmark": "gpu", "machine": describe(), "gpu": device_facts(size), "parts": {},
    }  # fmt: skip
    done: Any = result["parts"]
    for name, (needed, part) in parts(Bench(size)).items():
        start = time.perf_counter()
        left = budget - (start - begun)
        if left < needed and size is not DRY:
            done[name] = {"left_out": f"{left:.0f} s of the budget are left, {needed:.0f} needed"}
        else:
            try:
                done[name] = part()
            # One part's failure is its result; the others go on.
            except Exception as error:
                done[name] = {"failed": f"{type(error).__name__}: {error}"[:1000]}
            done[name]["part_seconds"] = time.perf_counter() - start
        result["seconds"] = time.perf_counter() - begun
        write(result)


def main() -> None:
    """Measure, and keep the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--budget", type=float, default=400, help="seconds in all")
    parser.add_argument("--dry", action="store_true", help="every part, tiny, on the processor")
    options = parser.parse_args()
    folders = [Path(os.environ[name]) for name in ("OUT",) if os.environ.get(name)]
    if options.dry:
        # Read when Triton is imported, which nothing has done yet.
        os.environ["TRITON_INTERPRET"] = "1"
        from indexes.join import SearchOptions
        from indexes.join import options as search_options

        search_options.SMALL = (0, 0)
        SearchOptions.devices_for = lambda *_: ("cpu",)
    else:
        folders.append(RESULTS)

    def write(result: dict[str, object]) -> None:
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "gpu.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")

    run(DRY if options.dry else Size(), options.budget, write)
    print(
        json.dumps(json.loads((folders[0] / "gpu.json").read_text()), indent=2) if folders else ""
    )


if __name__ == "__main__":
    main()
