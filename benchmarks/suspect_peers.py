"""Peers beside the checks of suspects: the same sets, the same plants, each in its own environment.

Only asked for (`python -m benchmarks.suspects --peers imagededup,cleanvision,cleanlab,selfclean`).
An environment is made by the script in a temporary folder, or in `--environments`, where one that
is there is used again; nothing of it is in this project's lock. What is asked of whom:

- copies of pictures, decoys and redraws: `imagededup` (four hashes; its network's search on vectors
  of our ImageNet network, as its own weights are downloaded), `cleanvision` (near duplicates);
- spoilt faces among all faces: `cleanvision` (dark, light, blurry, low information, odd size or
  shape);
- moved faces: `cleanlab` (`find_label_issues` on out-of-sample probabilities of 10 nearest
  neighbours, of all, and of a logistic regression on the same vectors), `selfclean` (the ranking of
  label errors of its cleaner on the same vectors, and what its automatic cleaning takes).

`recall at 90 %` is the highest recall of a ranking at a limit where 90 % are right, chosen
afterwards: what the scores could do, whatever limit a side has. Those of `cleanlab` are of a
label's own probability, its default; faces alone in their identity have next to none and head them.
"""

from __future__ import annotations

import subprocess
import tempfile
import venv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import suspect_checks, suspect_peer_sides
from benchmarks.suspect_changes import (
    CROP_RATES,
    QUICK_COPIED,
    chosen_to_spoil,
    faults,
    not_copies,
    plant_copies,
    plant_spoilt,
)  # fmt: skip
from benchmarks.suspect_pictures import open_face
from benchmarks.suspect_rates import share
from benchmarks.suspect_sets import REFERENCES, Views, row_of, specifications
from mining import embed, load_model
from mining.embeddings.store import Embeddings
from mining.suspects.crops import BadCrops
from mining.suspects.duplicates import DuplicatePictures
from pairsets.faces import Faces
from pairsets.pairset import PairSet

TORCH = ("torch==2.13.0",)
NEEDED: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "imagededup": (
        (*TORCH, "pillow", "tqdm", "scikit-learn", "PyWavelets", "matplotlib"),
        ("torchvision==0.28.0", "imagededup==0.3.3.post2"),
    ),
    "cleanvision": (("cleanvision==0.3.7",), ()),
    "cleanlab": (("cleanlab==2.9.0",), ()),
    "selfclean": (
        (*TORCH, "pillow", "tqdm", "scikit-learn", "scikit-image", "pandas", "seaborn", "loguru",
         "einops", "torchinfo", "memory-profiler", "SciencePlots"),
        ("torchvision==0.28.0", "selfclean==0.0.39"),
    ),
}  # fmt: skip
"""Packages of each peer with what they need, and without: where that would be another PyTorch."""
RATES, FOLDS, WANTED = (0.03, 0.1), 5, 0.9
PEER_COPIED, MOST = 8, 500
"""Faces that are copied, decoys and redraws: of those of `suspect_changes` the first."""
Row = dict[str, Any]
Answer = dict[str, Any]
Mover = Callable[[Views, Any, float, bool, int], tuple[Any, frozenset[int]]]


class Peer:
    """Peer in an environment of its own.

    Raises:
        RuntimeError: it cannot be installed; says what pip said.
    """

    def __init__(self, name: str, environments: Path) -> None:
        self.name = name
        folder = environments / name
        self._python = folder / "bin" / "python"
        if not (folder / "ready").is_file():
            print(f"installing {name}", flush=True)
            venv.create(folder, with_pip=True, clear=True)
            with_needs, alone = NEEDED[name]
            self._install(*with_needs)
            if alone:
                self._install("--no-deps", *alone)
            (folder / "ready").touch()

    def _install(self, *packages: str) -> None:
        command = [str(self._python), "-m", "pip", "install", "--quiet", *packages]
        told = subprocess.run(command, capture_output=True, text=True, check=False)
        if told.returncode:
            raise RuntimeError(f"{self.name}: {told.stderr.strip().splitlines()[-1]}")

    def __call__(self, **request: Any) -> Answer:
        """Answer of the peer; see `ask`."""
        return self.ask([request])[0]

    def ask(self, requests: Sequence[Answer]) -> list[Answer]:
        """Answer to each request, all by one process: to start one may take longer than to answer.

        Raises:
            RuntimeError: it failed; says its last line.
        """
        with tempfile.TemporaryDirectory() as folder:
            files = [
                (Path(folder) / f"{number}.npz", Path(folder) / f"answer{number}.npz")
                for number in range(len(requests))
            ]
            for (asked, _), request in zip(files, requests, strict=True):
                np.savez(asked, **request)
            script = str(Path(suspect_peer_sides.__file__))
            both = [str(file) for each in files for file in each]
            command = [str(self._python), script, self.name, *both]
            told = subprocess.run(command, capture_output=True, text=True, check=False)
            if told.returncode:
                raise RuntimeError(f"{self.name}: {told.stderr.strip().splitlines()[-1]}")
            return [_read(answer) for _, answer in files]

    @property
    def versions(self) -> str:
        """Version of the peer's package that is installed."""
        code = f"from importlib.metadata import version; print(version({self.name!r}))"
        return subprocess.run(
            [str(self._python), "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()


def _read(file: Path) -> Answer:
    with np.load(file) as found:
        return dict(found)


def compare(
    sets: Sequence[Views],
    names: Sequence[str],
    environments: Path,
    demo: Path,
    move: Mover,
    seeds: Sequence[int],
    quick: bool,
) -> Row:
    """All that is asked of the peers, and of ours on the same files and names."""
    peers: dict[str, Peer] = {}
    found: Row = {"left_out": {}}
    for name in names:
        try:
            peers[name] = Peer(name, environments)
        except RuntimeError as error:
            found["left_out"][name] = str(error)
    found["versions"] = {name: peer.versions for name, peer in peers.items()}
    for views in sets:
        found[views.name] = {
            "duplicate": copies(views, peers, demo, quick),
            "crop": crops(views, peers, quick),
            "mislabel": labels(views, peers, move, seeds[:1] if quick else seeds),
        }
        print(f"peers, {views.name}: done", flush=True)
    return found


def copies(views: Views, peers: dict[str, Peer], demo: Path, quick: bool) -> Row:
    """Recall of copies, and flags on decoys and redraws, by side."""
    hard, same = (each.take(np.arange(len(each))[:MOST]) for each in not_copies(views, quick))
    sides: Row = {}
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        planted = plant_copies(views, QUICK_COPIED if quick else PEER_COPIED, root)
        # Faces stand beside the copies, as every peer looks at one folder.
        (root / "faces").mkdir()
        names = {
            path: f"faces/{number}.png"
            for number, path in enumerate(sorted({*hard.paths, *same.paths}))
        }
        for path, name in names.items():
            open_face(views.root, path).save(root / name, compress_level=1)
        ends = [
            [*ours, *(names[path] for path in [*decoy, *redraw])]
            for ours, decoy, redraw in (
                (planted.pairs.path_a, hard.path_a, same.path_a),
                (planted.pairs.path_b, hard.path_b, same.path_b),
            )
        ]
        kinds = np.repeat(["copy", "decoy", "redraw"], [len(planted.pairs), len(hard), len(same)])
        pairs = PairSet.of(*ends, 0)
        doubt = DuplicatePictures(root)(pairs)
        sides["ours"] = _of_pairs(doubt.flagged, kinds, planted.kinds)
        a, b = np.array(ends[0], str), np.array(ends[1], str)
        if "imagededup" in peers:
            vectors = _vectors(root, demo)
            near = {"vectors_a": vectors(ends[0]), "vectors_b": vectors(ends[1])}
            answer = peers["imagededup"](folder=str(root), a=a, b=b, **near)
            for side, flags in answer.items():
                if "score" not in side:
                    sides[f"imagededup, {side}"] = _of_pairs(flags, kinds, planted.kinds)
        if "cleanvision" in peers:
            answer = peers["cleanvision"](folder=str(root), a=a, b=b)
            for side, flags in answer.items():
                sides[f"cleanvision, {side}"] = _of_pairs(flags, kinds, planted.kinds)
    return sides


def _of_pairs(flags: Any, kinds: Any, changes: Sequence[str]) -> Row:
    general = np.array([change.split()[0].strip(",") for change in changes])
    of = {kind: flags[kinds == kind] for kind in ("copy", "decoy", "redraw")}
    return {
        "recall": round(float(of["copy"].mean()), 4),
        "copies": len(of["copy"]),
        "decoys_flagged": int(of["decoy"].sum()),
        "decoys": len(of["decoy"]),
        "redraws_flagged": int(of["redraw"].sum()),
        "redraws": len(of["redraw"]),
        "recall_by_kind": {
            kind: round(float(of["copy"][general == kind].mean()), 4)
            for kind in dict.fromkeys(general.tolist())
        },
    }


def _vectors(root: Path, demo: Path) -> Callable[[Sequence[str]], Any]:
    """Vectors `[N, D]` of files below a folder, by the ImageNet network."""
    with tempfile.TemporaryDirectory() as place:
        faces = Faces.scan(root)
        made = embed(faces, load_model(specifications(demo)["network"]), place)
        kept = np.array(made.vectors)
    rows = {path: row for row, path in enumerate(made.faces.paths.tolist())}
    return lambda paths: kept[[rows[path] for path in paths]]


def crops(views: Views, peers: dict[str, Peer], quick: bool) -> Row:
    """Precision and recall of spoilt faces among clean ones, by side."""
    paths = views.faces.paths.tolist()
    paths = paths[:100] if quick else paths
    rate = CROP_RATES[-1]
    chosen, generator = chosen_to_spoil(paths, rate, 0)
    clean = [path for path in paths if path not in {*chosen}]
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        _, bad = plant_spoilt(views, chosen, generator, root)
        (root / "clean").mkdir()
        good = [f"clean/{number}.png" for number in range(len(clean))]
        for path, name in zip(clean, good, strict=True):
            open_face(views.root, path).save(root / name, compress_level=1)
        files = [*bad, *good]
        wrong = np.arange(len(files)) < len(bad)
        said = faults(BadCrops(root), files)
        sides = {"ours": rates(np.array([said[name] for name in files]), wrong)}
        if "cleanvision" in peers:
            answer = peers["cleanvision"](folder=str(root), files=np.array(files, str))
            issues = answer["issues"]
            sides["cleanvision, any issue"] = rates(issues.any(axis=1), wrong)
            for column, kind in enumerate(answer["kinds"].tolist()):
                sides[f"cleanvision, {kind}"] = rates(issues[:, column], wrong)
    return sides


@dataclass(frozen=True, eq=False)
class Planting:
    """Faces in wrong folders, as one reference sees them.

    Attributes:
        cell: reference, rate and kind of move.
        looking: embeddings under the new names.
        wrong: `[N]` whether a face was moved.
        folds: `[N]` number of the fold that a row is left out with.
    """

    cell: str
    looking: Embeddings
    wrong: Any
    folds: Any

    @property
    def request(self) -> Answer:
        """Arrays for a peer."""
        vectors = np.asarray(self.looking.vectors, np.float32)
        return {"vectors": vectors, "labels": self.looking.faces.groups, "folds": self.folds}


def labels(views: Views, peers: dict[str, Peer], move: Mover, seeds: Sequence[int]) -> Row:
    """Precision and recall of moved faces by reference, rate, kind of move and side."""
    plantings = list(_plantings(views, move, seeds))
    found: dict[str, dict[str, list[tuple[Any, Any, Any]]]] = {}
    for planting in plantings:
        scores, reasons = suspect_checks.mislabel(planting.looking).of_faces(
            planting.looking.faces.paths
        )
        flags = np.array([bool(why) for why in reasons])
        one = (flags, np.nan_to_num(scores), planting.wrong)
        found.setdefault(planting.cell, {}).setdefault("ours", []).append(one)
    for name in ("cleanlab", "selfclean"):
        if name not in peers:
            continue
        answers = peers[name].ask([planting.request for planting in plantings])
        for planting, answer in zip(plantings, answers, strict=True):
            for side, flags in answer.items():
                if not side.endswith(" score"):
                    one = (flags, answer[f"{side} score"], planting.wrong)
                    found[planting.cell].setdefault(f"{name}, {side}", []).append(one)
    return {
        cell: {side: _pooled(answers) for side, answers in sides.items()}
        for cell, sides in found.items()
    }


def _plantings(views: Views, move: Mover, seeds: Sequence[int]) -> Iterator[Planting]:
    for reference in REFERENCES:
        for rate in RATES:
            for kind, near in (("at random", False), ("to the nearest", True)):
                for seed in seeds:
                    names, moved = move(views, views.identities, rate, near, seed)
                    looking = views.relabelled(names)[reference]
                    wrong = np.array([row_of(path) in moved for path in looking.faces.paths])
                    folds = np.random.default_rng([seed, 3]).permutation(len(wrong)) % FOLDS
                    yield Planting(f"{reference}, {rate:.0%} {kind}", looking, wrong, folds)


def _pooled(answers: Sequence[tuple[Any, Any, Any]]) -> Row:
    hits = [int((flags & wrong).sum()) for flags, _, wrong in answers]
    flagged = [int(flags.sum()) for flags, _, _ in answers]
    planted = [int(wrong.sum()) for _, _, wrong in answers]
    return {
        "precision": share(hits, flagged, sum(flagged)),
        "recall": share(hits, planted, sum(planted)),
        "flags": sum(flagged),
        "planted": sum(planted),
        "recall at 90 %": round(
            float(np.mean([reachable(scores, wrong) for _, scores, wrong in answers])), 4
        ),
    }


def rates(flags: Any, wrong: Any) -> Row:
    """Precision and recall of flags `[N]` on what is wrong `[N]`, with Wilson's intervals."""
    hits = int((flags & wrong).sum())
    return {
        "precision": share([hits], [int(flags.sum())], int(flags.sum()) or 1),
        "recall": share([hits], [int(wrong.sum())], int(wrong.sum())),
        "flags": int(flags.sum()),
        "planted": int(wrong.sum()),
    }


def reachable(scores: Any, wrong: Any) -> float:
    """Highest recall at a limit of the scores where `WANTED` of what lies above is wrong.

    >>> reachable(np.array([0.9, 0.8, 0.7, 0.1]), np.array([True, True, False, True]))
    0.6666666666666666
    """
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(wrong[order])
    # Rows of one score are taken or left together.
    last = np.r_[np.diff(scores[order]) != 0, True]
    fine = last & (hits >= WANTED * np.arange(1, len(scores) + 1))
    return float(hits[fine].max(initial=0) / max(1, wrong.sum()))
