"""The recipe of the reference that `lookalikes sample` brings along, which knows drawn faces.

    python -m benchmarks.drawn_reference [--work FOLDER] [--parts train,judge]

A small network is trained from random weights on drawn characters that are not among those of the
demo: none differs from one of the demo's in less than two of its traits. `train` ends with the
model folder, whose weights become `mining/models/drawn_faces/`; `judge` evaluates it over all pairs
of the demo's faces, beside ImageNet's EfficientNet-Lite0 and `pixels`.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import time
from pathlib import Path

from benchmarks.machine import RESULTS, keep
from pairsets.progress import silent

PLACE = Path(__file__).parent.parent / "mining" / "models" / "drawn_faces"
CHARACTERS, SEED, SIZE = 1000, 7, 112
# As `lookalikes sample` draws by default, and `make demo`.
DEMO_CHARACTERS, DEMO_SEED, STYLE = 300, 0, "lorelei"
OPTIONS = (
    "--trunk timm:lcnet_050 --from-scratch --dim 64 --input-size 96 --dropout 0.1 --m 4 "
    "--batch-size 64 --loss supcon --augmentation affine --images-per-epoch 6400 --epochs 30 "
    "--lr 2e-3 --weight-decay 1e-4 --schedule cosine --warmup 0.5 --validation-folds 20 "
    "--select last --device cpu --seed 0 --licence cc0-1.0"
)


def draw(folder: Path) -> dict[str, int]:
    """Draw the training characters, less those that are nearly one of the demo's."""
    from pairsets.sources.drawn.cast import make_cast
    from pairsets.sources.drawn.sample import draw_faces
    from pairsets.sources.drawn.styles import STYLES

    style = STYLES[STYLE]
    if not folder.exists():
        draw_faces(folder, characters=CHARACTERS, images=(6, 10), size=SIZE, seed=SEED, style=STYLE)
    demo, _ = make_cast(style, DEMO_CHARACTERS, 0.2, DEMO_SEED)
    cast, _ = make_cast(style, CHARACTERS, 0.2, SEED)
    near = [
        one.name
        for one in cast
        if any(
            sum(one.traits[word] != other.traits[word] for word in one.traits) < 2 for other in demo
        )
    ]
    for name in near:
        shutil.rmtree(folder / "faces" / name, ignore_errors=True)
    return {"drawn": len(cast), "left_out_as_near_the_demos": len(near)}


def train(work: Path) -> dict[str, object]:
    """Train, and put the weights where the package has them."""
    from mining.cli import app

    told = draw(work / "drawn")
    started = time.perf_counter()
    out = work / "drawn_faces"
    arguments = ["train", str(work / "drawn" / "faces"), *OPTIONS.split(), "--out", str(out)]
    app(arguments, standalone_mode=False)
    record = json.loads((out / "training.json").read_text())
    PLACE.mkdir(exist_ok=True)
    for name in ("model.safetensors", "conf.json", "README.md"):
        shutil.copyfile(out / name, PLACE / name)
    return {
        **told,
        "options": OPTIONS,
        "seconds": time.perf_counter() - started,
        "weights": record["weights"],
        "bytes": (PLACE / "model.safetensors").stat().st_size,
        "last_epoch": record["history"][-1],
    }


def finite(value: float) -> float | None:
    """The value, or None where it is not known."""
    return value if math.isfinite(value) else None


def judge(work: Path) -> dict[str, object]:
    """Rates over all pairs of the demo's faces, with intervals over characters."""
    from mining.commands.sample import make_sample
    from mining.embeddings.options import EmbeddingOptions
    from mining.scores.census import take_census
    from pairsets.faces import Faces

    sample = work / "sample"
    if not sample.exists():
        make_sample(sample, characters=DEMO_CHARACTERS, seed=DEMO_SEED, overwrite=True)
    faces = Faces.scan(sample / "faces")
    encoding = EmbeddingOptions(device="cpu")
    told: dict[str, object] = {"characters": faces.count_identities, "pictures": len(faces)}
    weights = sample / "tf_efficientnet_lite0"
    for name, spec in (
        ("drawn_faces", f"animecv:{sample / 'drawn_faces'}"),
        ("tf_efficientnet_lite0, ImageNet", f"timm:tf_efficientnet_lite0@{weights}"),
        ("pixels", "pixels"),
    ):
        model = encoding.load(spec)
        started = time.perf_counter()
        vectors = encoding.embed(faces, model, work / "vectors" / name.split(",")[0], silent)
        seconds = time.perf_counter() - started
        census = take_census(vectors, target_fnr=0.139)
        told[name] = {
            "embedding_seconds": seconds,
            "points": [
                {
                    "fixed": point.fixed,
                    "target": point.target,
                    "fpr": finite(point.fpr),
                    "fnr": finite(point.fnr),
                    "low": finite(point.interval.low) if point.interval else None,
                    "high": finite(point.interval.high) if point.interval else None,
                }
                for point in census.points
            ],
        }
    return told


def main() -> None:
    """Run the parts that are asked for, and keep what the JSON says of the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path("build/drawn_reference"))
    parser.add_argument("--parts", default="train,judge")
    options = parser.parse_args()
    path = RESULTS / "drawn_reference.json"
    before = json.loads(path.read_text()) if path.exists() else {}
    result = {name: before[name] for name in ("train", "judge") if name in before}
    options.work.mkdir(parents=True, exist_ok=True)
    for part in options.parts.split(","):
        result[part] = train(options.work) if part == "train" else judge(options.work)
        keep("drawn_reference", result)


if __name__ == "__main__":
    main()
