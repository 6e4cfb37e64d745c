"""Throughput of `embed`, decoding and writing included, beside the bare model's forward pass.

Both sides run the same network at the same batch size in one process, in turn, on the heap that
`embed` sets up (`mining.models.heap`); the forward pass on the C library's own settings stands
beside them. The faces are drawn ones, PNG of 224 x 224 and the same as JPEG; `--faces` takes a
folder instead.

    python -m benchmarks.embedding [--repeats 5]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.machine import keep
from mining import embed, load_model
from mining.models import Model
from mining.models.heap import kept_heap
from pairsets import Faces

# Of the forward pass alone: some seconds.
BATCHES = 12


def bare(model: Model, batch: np.ndarray, batches: int) -> float:
    """Images a second of the forward pass alone, on one batch already decoded."""
    start = time.perf_counter()
    for _ in range(batches):
        model.encode(batch)
    return batches * len(batch) / (time.perf_counter() - start)


def whole(model: Model, faces: Faces, batch_size: int) -> float:
    """Images a second from files to files."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        embed(faces, model, Path(folder) / "embeddings", batch_size=batch_size)
        return len(faces) / (time.perf_counter() - start)


def as_jpeg(faces: Faces, folder: Path) -> Faces:
    """The same faces as JPEG of quality 95."""
    for path in faces.paths:
        target = (folder / path).with_suffix(".jpg")
        target.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(faces.locate(path)) as image:
            image.convert("RGB").save(target, quality=95)
    return Faces.scan(folder)


def main() -> None:
    """Measure both sides in turn and keep medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--faces", type=Path)
    options = parser.parse_args()
    from mining.models.sample import write_sample_weights
    from pairsets.sources.drawn.sample import draw_faces

    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        weights = write_sample_weights(root / "tf_efficientnet_lite0")
        if options.faces is None:
            drawn = Faces.scan(draw_faces(root / "sample").faces)
            sets = {"drawn, PNG": drawn, "drawn, JPEG": as_jpeg(drawn, root / "jpeg")}
        else:
            sets = {"given folder": Faces.scan(options.faces)}
        model = load_model(f"timm:tf_efficientnet_lite0@{weights}")
        results = {}
        for name, faces in sets.items():
            with Image.open(faces.locate(faces.paths[0])) as image:
                one = model.preprocess(image.convert("RGB"))
            batch = np.stack([one] * options.batch_size)
            bare(model, batch, 2)
            runs = []
            for _ in range(options.repeats):
                plain = bare(model, batch, BATCHES)
                with kept_heap():
                    bare(model, batch, 1)
                    alone = bare(model, batch, BATCHES)
                runs.append((plain, alone, whole(model, faces, options.batch_size)))
            ratios = [together / alone for _, alone, together in runs]
            results[name] = {
                "images": len(faces),
                "forward_images_per_second": statistics.median(run[1] for run in runs),
                "forward_on_default_heap": statistics.median(run[0] for run in runs),
                "embed_images_per_second": statistics.median(run[2] for run in runs),
                "share_of_forward": statistics.median(ratios),
                "gain_of_heap": statistics.median(run[1] / run[0] for run in runs),
                "all_shares": [round(ratio, 4) for ratio in ratios],
            }
    keep(
        "embedding",
        {
            "model": "tf_efficientnet_lite0, 224 px, fp32",
            "batch_size": options.batch_size,
            "repeats": options.repeats,
            "faces": results,
        },
    )


if __name__ == "__main__":
    main()
