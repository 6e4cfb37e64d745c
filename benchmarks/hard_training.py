"""Mined negatives in training: what they gain, what they cost, and whether a kill changes a byte.

    python -m benchmarks.hard_training --parts drawn,few,real,contrastive,cost,kills [--work FOLDER]

- drawn: the small network of `drawn_reference`, trained on with thousands of other drawn
  characters, judged on yet others: so many that a random batch seldom holds two who look alike.
- few: the same with as few of the characters as `real` has.
- real: EfficientNet-Lite0 with ImageNet weights, trained on two thirds of the characters of real
  faces ($LOOKALIKES_DATA/faces), judged on the rest; by a loss that weighs the hardest of a batch
  most by itself.
- contrastive: the same by the loss of the published models, to which a negative beyond the margin
  is worth nothing, as in `drawn`.

  Four arms with the same number of steps: no training, plain batches of m pictures a character,
  neighbourhoods of confused identities, mined pairs; three seeds of the training on one split. The
  learning rate was chosen for plain batches. Each is judged on random pairs, on an adversarial set
  mined by the network before training, on the hardest pairs of its own, and on all pairs. Rates are
  means over the seeds; their intervals and differences are of a bootstrap over identities whose
  draws all arms and seeds share.
- cost: a training step beside a bare forward and backward pass; the graph of neighbours beside the
  epoch that it serves, at a tenth of ZACI-20's training set and, but for the embedding, whole.
- kills: SIGKILL at twenty random moments, and the bytes that come out.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import drawn_reference
from benchmarks.machine import RESULTS, describe, keep

DRAWN = ("drawn", "few")
GAINS = (*DRAWN, "real", "contrastive")
PARTS = (*GAINS, "cost", "kills")
ARMS = ("none", "plain", "identities", "pairs")
SEEDS = (0, 1, 2)
TARGET = 0.139
PAIRS = 3000
DRAWS = 2000
CASTS, CAST, FEW = (11, 12, 13, 14), 1200, 208
# Of ZACI-20's training set.
CHARACTERS, PICTURES = 39_038, 1_451_527
Floats = NDArray[np.float64]


def configuration(part: str, arm: str) -> Any:
    """The configuration of an arm."""
    from mining.training.configuration import (
        AugmentationSettings,
        HardNegativeSettings,
        LossSettings,
        OptimizerSettings,
        TrainingConfig,
        ValidationSettings,
    )

    drawn = part in DRAWN
    batch = 32
    return TrainingConfig(
        trunk="timm:lcnet_050" if drawn else "timm:tf_efficientnet_lite0",
        dim=128,
        input_size=96 if drawn else 64,
        dropout=0.1,
        m=4,
        batch_size=batch,
        images_per_epoch=batch * (240 if drawn else 30),
        epochs=8,
        loss=LossSettings("supcon" if part == "real" else "contrastive"),
        # RAdam holds back for as long as beta2 remembers: 0.999 were all of so short a training.
        optimizer=OptimizerSettings(
            lr=2e-3 if drawn else 1e-3,
            weight_decay=1e-4,
            beta2=0.99,
            schedule="cosine",
            warmup=0.5,
        ),
        augmentation=AugmentationSettings("affine", flip=True, rotation=10, shift=0.05, scale=1.1),
        hard_negatives=HardNegativeSettings(
            arm if arm in ("identities", "pairs") else "none",
            warmup=2 if drawn else 3,
            every=2 if drawn else 1,
        ),
        # The last epoch is taken, whatever its scores: equal steps for all.
        validation=ValidationSettings(folds=10, patience=1000, pairs=500, select="last"),
    )


def prepare(part: str, work: Path) -> tuple[Path, Path, str]:
    """Folders of training and of test characters, and the weights to begin with."""
    from mining.models.sample import write_drawn_reference, write_sample_weights

    home = work / part
    train, test = home / "train", home / "test"
    if not (home / "ready").exists():
        shutil.rmtree(home, ignore_errors=True)
        if part == "few":
            source, tested, _ = prepare("drawn", work)
            chosen = random.Random(6).sample(names_in(source), FEW)
            split = [(source, chosen), (tested, names_in(tested))]
        else:
            real = Path(os.environ.get("LOOKALIKES_DATA", "../shared/data")) / "faces"
            source = draw_characters(home / "drawn") if part == "drawn" else real
            names = names_in(source)
            random.Random(5).shuffle(names)
            cut = 2 * len(names) // 3
            split = [(source, names[:cut]), (source, names[cut:])]
        for folder, (place, chosen) in zip((train, test), split, strict=True):
            folder.mkdir(parents=True)
            for name in chosen:
                shutil.copytree(place / name, folder / name)
        (home / "ready").touch()
    weights = home / "weights"
    if part in DRAWN:
        return train, test, str(write_drawn_reference(weights) / "trunk.pth")
    return train, test, str(write_sample_weights(weights))


def names_in(folder: Path) -> list[str]:
    """Names of the characters in a folder, sorted."""
    return sorted(one.name for one in folder.iterdir() if one.is_dir())


def draw_characters(folder: Path) -> Path:
    """Draw several casts, none of whose characters is nearly one of another's, or of the network's.

    One cast is of 1,200 at most, for as many names there are.
    """
    from pairsets.sources.drawn.cast import make_cast
    from pairsets.sources.drawn.sample import draw_faces
    from pairsets.sources.drawn.styles import STYLES

    with ProcessPoolExecutor(os.cpu_count()) as pool:
        options = {"characters": CAST, "images": (4, 6), "size": drawn_reference.SIZE}
        drawn = [
            pool.submit(draw_faces, folder / str(seed), seed=seed, **options) for seed in CASTS
        ]
        for one in drawn:
            one.result()
    style = STYLES[drawn_reference.STYLE]
    known, _ = make_cast(style, drawn_reference.CHARACTERS, 0.2, drawn_reference.SEED)
    taken = np.array([[*one.traits.values()] for one in known])
    faces = folder / "faces"
    faces.mkdir()
    for seed in CASTS:
        cast, _ = make_cast(style, CAST, 0.2, seed)
        rows = np.array([[*one.traits.values()] for one in cast])
        fresh = [bool(((taken != row).sum(axis=1) > 1).all()) for row in rows]
        for character, is_fresh in zip(cast, fresh, strict=True):
            if is_fresh:
                drawn_there = folder / str(seed) / "faces" / character.name
                drawn_there.rename(faces / f"{seed} {character.name}")
        taken = np.concatenate([taken, rows[fresh]])
    return faces


def train_arm(part: str, arm: str, seed: int, work: Path) -> None:
    """Train one arm, for a process of its own; keep the vectors of the test faces."""
    import torch
    from torch import nn

    from mining.training.loop import train
    from mining.training.network import TrunkSource, build_network
    from mining.training.pictures import Pictures
    from mining.training.run_settings import RunSettings
    from pairsets.faces import Faces

    train_folder, test_folder, weights = prepare(part, work)
    out = work / part / f"{arm}-{seed}"
    if (out / "vectors.npy").exists():
        return
    config = configuration(part, arm)
    source = TrunkSource(config.trunk, weights)
    started = time.perf_counter()
    said: dict[str, object] = {"steps": 0}
    if arm == "none":
        # Its own features: a random linear layer behind them would only blur them.
        network: nn.Module = build_network(config, source, seed).trunk
    else:
        settings = RunSettings(seed=seed, device="cpu", source=source)
        trained = train(Faces.scan(train_folder), out, config, settings=settings)
        network = trained.network
        said = {
            "steps": trained.history[-1].step,
            "history": [vars(one) for one in trained.history],
            "training_pictures": len(trained.training),
        }
    faces = Faces.scan(test_folder)
    pictures = Pictures(faces, config.input_size)
    mean = torch.tensor(pictures.preprocessing.mean).view(3, 1, 1)
    std = torch.tensor(pictures.preprocessing.std).view(3, 1, 1)
    parts = []
    network.eval()
    with torch.inference_mode():
        rows = np.arange(len(faces))
        for _, pixels in pictures.batches(np.array_split(rows, -(-len(rows) // 64))):
            inputs = torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div(255)
            output = network(inputs.sub(mean).div(std))
            parts.append(nn.functional.normalize(output).numpy())
    out.mkdir(parents=True, exist_ok=True)
    said["seconds"] = time.perf_counter() - started
    (out / "said.json").write_text(json.dumps(said))
    np.save(out / "vectors.npy", np.concatenate(parts))
    shutil.rmtree(out / "partial", ignore_errors=True)


def judge(part: str, work: Path) -> dict[str, object]:
    """The scores of all arms on the test characters, and their differences from plain batches."""
    from indexes import FlatIndex, pair_scores
    from pairsets.faces import Faces
    from pairsets.random_set import PairSpace

    _, test_folder, _ = prepare(part, work)
    faces = Faces.scan(test_folder)
    groups = faces.groups
    vectors = {
        (arm, seed): np.load(work / part / f"{arm}-{seed}" / "vectors.npy")
        for arm in ARMS
        for seed in (SEEDS if arm != "none" else SEEDS[:1])
    }
    space = PairSpace.of_groups(groups)
    rng = np.random.default_rng(3)
    chosen = rng.choice(space.count_positives, min(PAIRS, space.count_positives), replace=False)
    positives = np.column_stack(space.positives(np.sort(chosen)))
    chosen = rng.choice(space.count_negatives, PAIRS, replace=False)
    negatives = np.column_stack(space.negatives(np.sort(chosen)))
    before = FlatIndex(vectors["none", SEEDS[0]]).top_pairs(PAIRS, groups)
    sets = {
        "random": negatives,
        "adversarial, mined before training": np.column_stack([before.i, before.j]),
    }
    found: dict[str, object] = {}
    for name, those in sets.items():
        rows = np.concatenate([positives, those])
        scores = {
            f"{arm}/{seed}": pair_scores(one, one, rows[:, 0], rows[:, 1])
            for (arm, seed), one in vectors.items()
        }
        found[name] = compared(faces, rows, len(positives), scores)
    own: dict[str, list[dict[str, float]]] = {arm: [] for arm in ARMS}
    for (arm, _), one in vectors.items():
        own[arm].append(own_scores(one, groups, positives))
    found["own"] = {
        arm: {key: statistics.mean(row[key] for row in rows) for key in rows[0]}
        for arm, rows in own.items()
    }
    return {
        "test_characters": faces.count_identities,
        "test_pictures": len(faces),
        "positives": len(positives),
        "negatives": PAIRS,
        **found,
    }


def compared(
    faces: Any, rows: NDArray[np.int64], positives: int, scores: dict[str, Floats]
) -> dict[str, object]:
    """FPR and EER of the arms, means over the seeds, with intervals."""
    from pairsets.evaluation.evaluator import evaluate_all
    from pairsets.pairset import PairSet

    paths = np.array(faces.paths)
    label = np.zeros(len(rows), np.int8)
    label[:positives] = 1
    pairs = PairSet(
        paths[rows[:, 0]],
        paths[rows[:, 1]],
        label,
        np.full(len(rows), -1, np.int8),
        np.zeros(len(rows), np.int8),
    )
    judged = evaluate_all(pairs, scores, TARGET, draws=DRAWS)
    told: dict[str, object] = {}
    for statistic in (f"fpr@{TARGET!r}", "eer"):
        values: dict[str, float] = {}
        draws: dict[str, Floats] = {}
        for arm in ARMS:
            of_arm = [
                one.resampled[statistic]
                for name, one in judged.items()
                if name.partition("/")[0] == arm
            ]
            values[arm] = statistics.mean(one.value for one in of_arm)
            # Deviations brought to their right size, draw by draw.
            draws[arm] = np.mean(
                [one.shrinkage * (one.draws - one.value) for one in of_arm], axis=0
            )
        table = {}
        for arm in ARMS:
            error = float(np.nanstd(draws[arm]))
            apart = draws[arm] - draws["plain"]
            spread = float(np.nanstd(apart))
            gain = values[arm] - values["plain"]
            table[arm] = {
                "value": values[arm],
                "by_seed": [
                    one.resampled[statistic].value
                    for name, one in judged.items()
                    if name.partition("/")[0] == arm
                ],
                "low": max(0.0, values[arm] - 1.96 * error),
                "high": values[arm] + 1.96 * error,
                "minus_plain": gain,
                "minus_plain_low": gain - 1.96 * spread,
                "minus_plain_high": gain + 1.96 * spread,
                "p": p_value(gain, spread),
            }
        told["fpr" if statistic.startswith("fpr") else statistic] = table
    return told


def p_value(value: float, error: float) -> float:
    """Two-sided, of a normal deviate; 1 where there is no difference."""
    if value == 0 or error == 0:
        return 1.0
    return 2 * statistics.NormalDist().cdf(-abs(value) / error)


def own_scores(
    vectors: NDArray[np.float32], groups: NDArray[np.int64], positives: NDArray[np.int64]
) -> dict[str, float]:
    """Rates on a network's own hardest pairs, and over all pairs of the faces."""
    from indexes import FlatIndex, pair_scores
    from pairsets.evaluation.rates import equal_error, fnr_at_fpr, fpr_at_fnr, roc

    hardest = FlatIndex(vectors).top_pairs(PAIRS, groups)
    same = pair_scores(vectors, vectors, positives[:, 0], positives[:, 1])
    labels = np.r_[np.ones(len(same), np.int8), np.zeros(len(hardest.scores), np.int8)]
    hard = roc(labels, np.r_[same, hardest.scores])
    i, j = np.triu_indices(len(groups), 1)
    whole = roc((groups[i] == groups[j]).astype(np.int8), pair_scores(vectors, vectors, i, j))
    return {
        "own_hardest_fpr": fpr_at_fnr(hard, TARGET).fpr,
        "all_pairs_fpr": fpr_at_fnr(whole, TARGET).fpr,
        "all_pairs_eer": equal_error(whole)[0],
        "all_pairs_fnr_at_1e-2": fnr_at_fpr(whole, 1e-2).fnr,
        "all_pairs_fnr_at_1e-3": fnr_at_fpr(whole, 1e-3).fnr,
        "all_pairs_fnr_at_1e-4": fnr_at_fpr(whole, 1e-4).fnr,
    }


def gains(part: str, work: Path) -> dict[str, object]:
    """Train every arm and seed in processes of their own, and judge them."""
    prepare(part, work)
    runs = [
        ("train", part, arm, str(seed), str(work))
        for seed in SEEDS
        for arm in ARMS
        if arm != "none" or seed == SEEDS[0]
    ]
    # A process a core, each of one thread: two threads wait for one another.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda run: one_process(*run), runs))
    said = {
        f"{arm}/{seed}": json.loads((work / part / f"{arm}-{seed}" / "said.json").read_text())
        for arm in ARMS[1:]
        for seed in SEEDS
    }
    steps = {one["steps"] for one in said.values()}
    if len(steps) != 1:
        raise RuntimeError(f"arms of different numbers of steps: {steps}")
    config = configuration(part, "identities")
    identities = round(0.9 * sum(1 for _ in (work / part / "train").iterdir()))
    return {
        "configuration": config.content,
        "training_identities": identities,
        # How often a random batch holds one of an identity's nearest ones anyway.
        "nearest_met_by_chance": met_by_chance(identities, config),
        "nearest_met_by_chance_of_39038": met_by_chance(CHARACTERS, config),
        "steps": steps.pop(),
        "seconds": {name: round(one["seconds"], 1) for name, one in said.items()},
        **judge(part, work),
    }


def met_by_chance(identities: int, config: Any) -> float:
    """Chance that one of an identity's nearest ones is in the same random batch."""
    near = config.hard_negatives.neighbours
    others = config.identities_per_batch - 1
    return 1 - float(np.prod([1 - near / (identities - 1 - k) for k in range(others)]))


def one_process(*arguments: str) -> None:
    """Run a part of this script in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.hard_training", "--one", *arguments]
    subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=True)


def step_cost(work: Path) -> dict[str, object]:
    """A training step of ResNet-18 beside its bare forward and backward pass, in turns."""
    import torch

    from mining.training.configuration import TrainingConfig, ValidationSettings
    from mining.training.loop import train
    from mining.training.network import TrunkSource, build_network
    from mining.training.run_settings import RunSettings
    from pairsets.faces import Faces
    from pairsets.progress import Step, unheard
    from pairsets.sources.drawn.sample import draw_faces

    faces = work / "cost"
    if not faces.exists():
        draw_faces(faces, characters=120, images=(4, 6), size=224, seed=3)
    config = TrainingConfig(
        trunk="ResNet-18", input_size=112, images_per_epoch=64 * 40, epochs=1,
        validation=ValidationSettings(folds=10),
    )  # fmt: skip
    source = TrunkSource("ResNet-18", None, True)
    settings = RunSettings(device="cpu", source=source, checkpoint_seconds=20.0)
    network = build_network(config, source, 0).train()
    network.to(memory_format=torch.channels_last)
    inputs = torch.randn(config.batch_size, 3, 112, 112).to(memory_format=torch.channels_last)

    def bare() -> None:
        network.zero_grad(set_to_none=True)
        network(inputs).square().mean().backward()

    def bares(times: int) -> list[float]:
        taken = []
        for _ in range(times):
            started = time.perf_counter()
            bare()
            taken.append(time.perf_counter() - started)
        return taken

    times: list[float] = []

    @contextmanager
    def progress(name: str) -> Iterator[Step]:
        yield (lambda *_: times.append(time.perf_counter())) if name == "Training" else unheard

    bares(2)
    theirs = bares(10)
    shutil.rmtree(work / "cost-run", ignore_errors=True)
    train(
        Faces.scan(faces / "faces"), work / "cost-run", config, settings=settings, progress=progress
    )
    # What is decoded for a step while another runs costs that one time: so not step by step.
    ours = [b - a for a, b in itertools.pairwise(times[3:-2])]
    theirs += bares(10)
    return {
        "network": "ResNet-18 at 112 pixels, batch 64",
        "steps": len(ours),
        "step_seconds": statistics.mean(ours),
        "bare_seconds": statistics.mean(theirs),
        "bare_over_step": statistics.mean(theirs) / statistics.mean(ours),
    }


def graph_cost() -> dict[str, object]:
    """The graph of neighbours at a tenth of ZACI-20's training set, and its join at the whole."""
    import torch

    from mining.training.configuration import TrainingConfig
    from mining.training.hard_negatives import nearest_units
    from mining.training.network import TrunkSource, build_network

    config = TrainingConfig(input_size=112)
    network = build_network(config, TrunkSource("ResNet-18", None, True), 0)
    network.to(memory_format=torch.channels_last)
    inputs = torch.randn(64, 3, 112, 112).to(memory_format=torch.channels_last)

    def seconds(work: Callable[[], object], times: int = 5) -> float:
        work()
        taken = []
        for _ in range(times):
            started = time.perf_counter()
            work()
            taken.append(time.perf_counter() - started)
        return statistics.median(taken)

    def forward() -> None:
        with torch.inference_mode():
            network.eval()(inputs)

    def step() -> None:
        network.zero_grad(set_to_none=True)
        network.train()(inputs).square().mean().backward()

    one_forward, one_step = seconds(forward), seconds(step)
    faces = config.hard_negatives.faces
    told: dict[str, object] = {"forward_over_step": one_forward / one_step, "faces": faces}
    for name, characters, pictures in (
        ("a tenth", CHARACTERS // 10, PICTURES // 10),
        ("whole", CHARACTERS, PICTURES),
    ):
        rng = np.random.default_rng(0)
        centres = rng.standard_normal((characters, 1, config.dim)).astype(np.float32)
        vectors = centres + rng.standard_normal((characters, faces, config.dim)).astype(np.float32)
        vectors = vectors.reshape(-1, config.dim)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        units = np.repeat(np.arange(characters), faces)
        joined = seconds(lambda v=vectors, u=units: nearest_units(v, u, config), 1)
        embedding = len(vectors) / 64 * one_forward
        epoch = pictures / 64 * one_step
        told[name] = {
            "characters": characters,
            "pictures_of_the_epoch": pictures,
            "embedded": len(vectors),
            "join_seconds": joined,
            "embedding_seconds_extrapolated": embedding,
            "epoch_seconds_extrapolated": epoch,
            "share_of_epoch": (joined + embedding) / epoch,
        }
    return told


def kills(work: Path) -> dict[str, object]:
    """Twenty kills at random moments of one training; its bytes beside those of one left alone."""
    from pairsets.sources.drawn.sample import draw_faces

    home = work / "kills"
    shutil.rmtree(home, ignore_errors=True)
    draw_faces(home / "drawn", characters=60, images=(3, 5), size=64, seed=2)
    command = [
        sys.executable, "-c", "from mining.cli import main; main()", "train",
        str(home / "drawn" / "faces"), "--trunk", "timm:lcnet_050", "--from-scratch",
        "--input-size", "48", "--dim", "32", "--m", "4", "--batch-size", "32",
        "--images-per-epoch", "640", "--epochs", "6", "--patience", "99", "--lr", "1e-3",
        "--ema", "0.99", "--hard-negatives", "identities", "--validation-folds", "4",
    ]  # fmt: skip
    started = time.perf_counter()
    subprocess.run([*command, "--out", str(home / "alone")], check=True, capture_output=True)
    whole = time.perf_counter() - started
    rng = random.Random(0)
    killed, done = 0, False
    while killed < 20 and not done:
        # Counted from where the libraries are loaded, else most kills would meet their import.
        process = subprocess.Popen(
            [*command, "--out", str(home / "killed")],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            process.wait(rng.uniform(4, 4 + whole / 4))
            done = True
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            killed += 1
    subprocess.run([*command, "--out", str(home / "killed")], check=True, capture_output=True)
    files = sorted(f.name for f in (home / "alone").iterdir() if f.is_file())
    same = {name: digest(home / "alone" / name) == digest(home / "killed" / name) for name in files}
    return {"kills": killed, "seconds_alone": whole, "same_bytes": same, "all": all(same.values())}


def digest(file: Path) -> str:
    """SHA-256 of a file, but for the name of the model in its card."""
    content = file.read_bytes().replace(b"# killed\n", b"# alone\n")
    return hashlib.sha256(content).hexdigest()


def main() -> None:
    """Run the parts that are asked for, and keep what the JSON says of the others."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--work", type=Path, default=Path("build/hard_training"))
    parser.add_argument("--one", nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        _, part, arm, seed, work = options.one
        train_arm(part, arm, int(seed), Path(work))
        return
    path = RESULTS / "hard_training.json"
    before = json.loads(path.read_text()) if path.exists() else {}
    result = {name: before[name] for name in PARTS if name in before}
    options.work.mkdir(parents=True, exist_ok=True)
    for part in options.parts.split(","):
        if part in GAINS:
            told = gains(part, options.work)
        elif part == "cost":
            told = {"step": step_cost(options.work), "graph": graph_cost()}
        elif part == "kills":
            told = kills(options.work)
        else:
            raise SystemExit(f"no part {part!r}; there are {', '.join(PARTS)}")
        # Others may have been measured elsewhere.
        result[part] = {"machine": describe(), **told}
        keep("hard_training", {name: result[name] for name in PARTS if name in result})


if __name__ == "__main__":
    main()
