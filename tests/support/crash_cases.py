"""Every command that writes, on inputs so small that it runs in a fraction of a second.

Run as a program, this file checks some of them: see `main`.
"""

from __future__ import annotations

import importlib
import json
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from support.crashes import (
    Case,
    Pairing,
    Place,
    fill,
    full_disk,
    full_points,
    kill_points,
    kills,
    together,
    undisturbed,
)
from support.danbooru import post, write_lines
from support.danbooru import write_faces as write_boxes
from support.disk_changes import Hook, Interposed, get_ready
from support.finder import write_finder

PEOPLE, EACH = 8, 4
# A second model that is none of ours: the corner of a picture.
_MODEL = """\
import numpy as np

def make():
    def corners(images):
        small = [np.asarray(image.resize((4, 4)), np.float32).ravel() - 100 for image in images]
        return np.stack(small)
    return corners
"""
THUMBS = "python:corners:make"
Command = tuple[str, ...]


def write_inputs(folder: Path) -> None:
    """Write the files that the cases read, where no command makes them."""
    (folder / "corners.py").write_text(_MODEL)
    root = folder / "in"
    dice = np.random.default_rng(0)
    looks = dice.integers(0, 256, (PEOPLE, 4, 4, 3))
    for person in range(PEOPLE):
        for number in range(EACH):
            blocks = np.clip(looks[person] + dice.integers(-60, 61, (4, 4, 3)), 0, 255)
            image = Image.fromarray(blocks.astype(np.uint8)).resize((24, 24), Image.Resampling.BOX)
            name = f"{person:02}{number}.png"
            for part in ["faces", *(["few"] if person < 3 else [])]:
                (root / part / f"p{person}").mkdir(parents=True, exist_ok=True)
                image.save(root / part / f"p{person}" / name)
            (root / "flat").mkdir(exist_ok=True)
            image.save(root / "flat" / f"Per_Son{person}_{number:04}.png")
    names = [f"{person:02}{number}.png" for person in range(PEOPLE) for number in range(EACH)]
    rows = [f"{name} {1 + at // 2} {at}" for at, name in enumerate(names)]
    (root / "templates.txt").write_text("".join(f"{row}\n" for row in rows))
    posts = [post(number, f"who {number % 6}") for number in range(1, 13)]
    write_lines(root / "meta.jsonl", posts)
    write_boxes(root / "boxes.json", {number: [(10, 10, 60, 70)] for number in range(1, 13)})
    for number in range(1, 13):
        picture = Image.new("RGB", (120, 90), (40, 40 + number, 40))
        ImageDraw.Draw(picture).rectangle((20, 20, 60 + number, 70), fill=(255, 0, 0))
        (root / "pictures").mkdir(exist_ok=True)
        picture.save(root / "pictures" / f"{number}.jpg")
    write_finder(root / "finder.onnx")
    lfw = ["3"] + [f"p{at} 1 2" for at in range(3)] + [f"p{at} 1 p{at + 1} 2" for at in range(3)]
    (root / "pairs.txt").write_text("".join(row.replace(" ", "\t") + "\n" for row in lfw))
    people = [f"p{person},{1 + person % 2}" for person in range(PEOPLE)]
    (root / "folds.csv").write_text("identity,fold\n" + "".join(f"{row}\n" for row in people))


def judge(source: str, target: str, wrong: str) -> None:
    """Write a pair file with somebody's verdicts on it, one in so many wrong."""
    lines = Path(source).read_text("utf-8").splitlines()
    said = [lines[0]]
    for at, line in enumerate(lines[1:]):
        cells = line.split(",")
        cells[3] = cells[2] if at % int(wrong) else str(1 - int(cells[2]))
        said.append(",".join(cells))
    Path(target).write_text("\n".join(said) + "\n", "utf-8")


def copy(source: str, target: str) -> None:
    """Copy a file or a folder."""
    if Path(source).is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        shutil.copy2(source, target)


def remove(folder: str) -> None:
    """Remove a folder."""
    shutil.rmtree(folder)


def read_embeddings(folder: str) -> None:
    """Print what embeddings hold: those of a folder, or of a cache of one model."""
    from mining import Embeddings

    within = sorted(Path(folder).glob("*/manifest.json"))
    found = Embeddings.load(within[0].parent if within else Path(folder))
    print(found.manifest["model"], found.faces.paths[:3], float(np.abs(found.vectors).sum()))


def read_pairs(file: str) -> None:
    """Print what a pair file holds."""
    from pairsets import PairSet

    found = PairSet.read(Path(file))
    print(list(zip(found.path_a, found.path_b, found.label.tolist(), strict=True)))


def read_scores(file: str, scores: str) -> None:
    """Print the scores and ranks of a mined pair file, as `show` and `compare` take them."""
    from mining.scores.pair_files import mined_beside, mined_in
    from pairsets import PairSet

    pairs = PairSet.read(Path(file))
    print(mined_beside(Path(file), pairs))
    print(mined_in(Path(scores), pairs))


def read_faces(folder: str) -> None:
    """Print which faces a folder has."""
    from pairsets import Faces

    print(list(Faces.scan(Path(folder)).paths))


OTHERS: Mapping[str, Callable[..., None]] = {
    "judge": judge,
    "copy": copy,
    "remove": remove,
    "read_embeddings": read_embeddings,
    "read_pairs": read_pairs,
    "read_scores": read_scores,
    "read_faces": read_faces,
}

EMBED: Command = ("embed", "in/faces", "--model", "pixels", "--out", "in/emb")
_MINE_TEST = ("mine", "in/emb", "--pairs", "14", "--test-pairs", "in/random.csv")
_MINE = ("mine", "in/emb", "--pairs", "14", "--positives", "12")
_RANDOM = ("random", "in/faces", "--positives", "12", "--negatives", "12")
# What makes the rest of the inputs.
PREPARE: tuple[Command, ...] = (
    EMBED,
    ("embed", "in/faces", "--model", THUMBS, "--out", "in/emb2"),
    (*_RANDOM, "--out", "in/random.csv"),
    (*_MINE_TEST, "--out", "in/mined.csv"),
    (*_MINE, "--folds", "2", "--out", "in/folded.csv"),
    ("mine", "in/emb", "--pairs", "3", "--positives", "1", "--out", "in/small.csv"),
    ("export-scores", "in/mined.csv", "--embeddings", "in/emb", "--out", "in/scores.csv"),
    ("export-scores", "in/mined.csv", "--embeddings", "in/emb2", "--out", "in/scores2.csv"),
    ("judge", "in/mined.csv", "in/judged.csv", "4"),
    ("judge", "in/mined.csv", "in/judged2.csv", "3"),
    (
        *("select", "--metadata", "in/meta.jsonl", "--boxes", "in/boxes.json"),
        *("--out", "in/split", "--test-characters", "3", "--workers", "1"),
    ),
)

_EVALUATE_OUT = ("evaluate", "out.csv", "--embeddings", "in/emb", "--draws", "0")
_READ_MINED = (
    _EVALUATE_OUT,
    ("read_pairs", "out.csv"),
    ("read_scores", "out.csv", "out.scores.csv"),
)
_NEW = ("--out", "out.csv")
_OVER = ("--out", "out.csv", "--overwrite")
_OLD_MINE = (*_MINE, "--pairs", "9", "--seed", "5", *_NEW)
_TABLES = ("--draws", "0", "--target-fnr", "0.2")


def _mine(*options: str) -> Command:
    return (*_MINE, *options)


def _both(
    name: str, command: Command, old: Command, readers: tuple[Command, ...] = ()
) -> tuple[Case, Case]:
    """Cases of a command where nothing is yet, and with `--overwrite` over what `old` left."""
    return (
        Case(name, command, (), readers),
        Case(f"{name} --overwrite", (*command, "--overwrite"), (old,), readers),
    )


_READ_TWO = _READ_MINED[:2]
_SELECT = (
    *("select", "--metadata", "in/meta.jsonl", "--boxes", "in/boxes.json", "--out", "out"),
    *("--test-characters", "2", "--workers", "1"),
)
_CROP = ("crop", "--pictures", "in/pictures", "--dataset", "in/split/train.json", "--out", "out")
_DETECT = ("detect", "in/pictures", "--detector", "in/finder.onnx", "--out", "out.jsonl")
_ONE = ("--workers", "1")
_BUILD = (
    *("build", "in/faces", "--reference", "pixels", "--pairs", "14", "--positives", "12"),
    *("--negatives", "12", "--out", "out", "--workers", "1"),
)
_COMPARE = (
    *("compare", "in/faces", "--pair-file", "in/random.csv", "--pair-file", "in/mined.csv"),
    *("--model", "pixels", "--out", "out", "--draws", "100", "--workers", "1"),
)
_TUPLES = ("export-tuples", "in/mined.csv", "--faces", "in/faces")
_PACK = ("export-pack", "in/folded.csv", "--faces", "in/faces", "--layout", "insightface")
_PACKED = ((*_PACK, "--out", "out", *_ONE), (*_PACK, "--size", "24", "--out", "out", *_ONE))
_SUSPECTS = ("suspects", "in/small.csv", "--embeddings", "in/emb", "--faces", "in/faces")
_REVIEWED: tuple[Command, ...] = (
    ("copy", "in/mined.csv", "pairs.csv"),
    ("review", "import", "pairs.csv", "in/judged.csv", "--as", "Rei"),
)
_EXPORT = ("review", "export", "pairs.csv")

CASES: tuple[Case, ...] = (
    *_both("random", (*_RANDOM, *_NEW), (*_RANDOM, "--seed", "5", *_NEW), _READ_TWO),
    Case("random over mined", (*_RANDOM, *_OVER), (_OLD_MINE,), _READ_TWO),
    *_both("mine", _mine(*_NEW), _OLD_MINE, _READ_MINED),
    *_both("mine --test-pairs", (*_MINE_TEST, *_NEW), _OLD_MINE, _READ_MINED),
    *_both(
        "mine --label positive",
        ("mine", "in/emb", "--label", "positive", "--pairs", "14", "--negatives", "12", *_NEW),
        _OLD_MINE,
        _READ_MINED,
    ),
    *_both("mine, two references", ("mine", "in/emb2", *_MINE[1:], *_NEW), _OLD_MINE, _READ_MINED),
    *_both("mine --folds 2", _mine("--folds", "2", *_NEW), _OLD_MINE, _READ_MINED),
    Case("mine over folds", _mine(*_OVER), (_mine("--folds", "2", *_NEW),), _READ_MINED),
    Case(
        "mine --folds 2 over 3",
        _mine("--folds", "2", *_OVER),
        (_mine("--folds", "3", *_NEW),),
        _READ_MINED,
    ),
    *_both("mine --folds FILE", _mine("--folds", "in/folds.csv", *_NEW), _OLD_MINE, _READ_MINED),
    *_both(
        "mine --drop-suspects",
        _mine("--drop-suspects", "duplicate,mislabel", "--faces", "in/faces", *_NEW),
        _OLD_MINE,
        _READ_MINED,
    ),
    *_both(
        "mine --folds 2 --drop-suspects",
        _mine(
            *("--folds", "2", "--drop-suspects", "duplicate,mislabel", "--faces", "in/faces", *_NEW)
        ),
        _OLD_MINE,
        _READ_MINED,
    ),
    *_both("mine --index", _mine("--index", "HNSW8", *_NEW), _OLD_MINE, _READ_MINED),
    *_both(
        "convert lfw to csv",
        ("convert", "in/pairs.txt", "--from-format", "lfw", "--suffix", ".png", *_NEW),
        ("convert", "in/folded.csv", *_NEW),
        (("read_pairs", "out.csv"),),
    ),
    *_both(
        "convert csv to csv",
        ("convert", "in/folded.csv", *_NEW),
        _OLD_MINE,
        (("read_pairs", "out.csv"), _EVALUATE_OUT),
    ),
    *(
        case
        for to, name, source in (
            ("jsonl", "out.jsonl", "in/mined.csv"),
            ("parquet", "out.parquet", "in/mined.csv"),
            ("trials", "out.txt", "in/mined.csv"),
            ("table", "out.table.csv", "in/mined.csv"),
            ("sllfw", "out.txt", "in/mined.csv"),
            ("pml", "out.npz", "in/mined.csv"),
            ("n-tuples", "out.jsonl", "in/random.csv"),
        )
        for case in _both(
            f"convert to {to}",
            ("convert", source, "--to-format", to, "--out", name),
            ("convert", "in/random.csv", "--to-format", to, "--out", name),
        )
    ),
    *(
        case
        for what, name in (("a table", "out.jsonl"), ("a data set", "out"))
        for case in _both(
            f"export-tuples to {what}",
            (*_TUPLES, "--out", name),
            (*_TUPLES, "--form", "labeled-pair", "--out", name),
        )
    ),
    Case(
        "embed",
        ("embed", "in/faces", "--model", "pixels", "--out", "out", *_ONE),
        (),
        (("read_embeddings", "out"),),
    ),
    Case(
        "embed, faces added",
        ("embed", "faces", "--model", "pixels", "--out", "out", *_ONE),
        (
            ("copy", "in/faces", "faces"),
            ("remove", "faces/p1"),
            ("embed", "faces", "--model", "pixels", "--out", "out", *_ONE),
            ("copy", "in/faces/p1", "faces/p1"),
        ),
        (("read_embeddings", "out"),),
    ),
    Case(
        "embed, another model",
        ("embed", "in/faces", "--model", THUMBS, "--out", "out", *_ONE),
        (("embed", "in/faces", "--model", "pixels", "--out", "out", *_ONE),),
        (("read_embeddings", "out"),),
    ),
    *_both(
        "pool",
        ("pool", "in/emb", "--templates", "in/templates.txt", "--out", "out"),
        ("pool", "in/emb2", "--templates", "in/templates.txt", "--out", "out"),
        (("read_embeddings", "out"),),
    ),
    *_both(
        "evaluate",
        ("evaluate", "in/mined.csv", "--scores", "in/scores.csv", "--out", "out", *_TABLES),
        ("evaluate", "in/random.csv", "--embeddings", "in/emb", "--out", "out", "--draws", "0"),
    ),
    *_both(
        "evaluate, folds and two models",
        (
            *("evaluate", "in/folded.csv", "--embeddings", "in/emb", "--embeddings", "in/emb2"),
            *("--far", "0.1", "--out", "out", "--draws", "100"),
        ),
        ("evaluate", "in/mined.csv", "--scores", "in/scores.csv", "--out", "out", *_TABLES),
    ),
    Case(
        "evaluate over folds",
        (
            *("evaluate", "in/mined.csv", "--scores", "in/scores.csv", "--out", "out"),
            *(*_TABLES, "--overwrite"),
        ),
        (
            (
                *("evaluate", "in/folded.csv", "--embeddings", "in/emb", "--embeddings"),
                *("in/emb2", "--far", "0.1", "--out", "out", "--draws", "100"),
            ),
        ),
    ),
    *_both(
        "evaluate --model",
        (
            *("evaluate", "in/mined.csv", "--faces", "in/faces", "--model", "pixels"),
            *("--cache", "cache", "--out", "out", *_TABLES, *_ONE),
        ),
        ("evaluate", "in/mined.csv", "--scores", "in/scores.csv", "--out", "out", *_TABLES),
        (("read_embeddings", "cache"),),
    ),
    *_both(
        "export-scores",
        ("export-scores", "in/mined.csv", "--embeddings", "in/emb", *_NEW),
        ("export-scores", "in/mined.csv", "--embeddings", "in/emb2", "--author", "Rei", *_NEW),
        (("evaluate", "in/mined.csv", "--submission", "out.csv", "--draws", "0"),),
    ),
    *_both(
        "suspects",
        (*_SUSPECTS, "--out", "out.csv", "--figure", "out.png"),
        (*_SUSPECTS, "--kinds", "crop", "--out", "out.csv", "--figure", "out.png"),
    ),
    *_both(
        "show",
        ("show", "in/mined.csv", "--faces", "in/faces", "--count", "2", "--out", "out.png"),
        ("show", "in/mined.csv", "--faces", "in/faces", "--count", "1", "--out", "out.png"),
    ),
    *_both(
        "show .svg",
        ("show", "in/mined.csv", "--faces", "in/faces", "--count", "2", "--out", "out.svg"),
        ("show", "in/mined.csv", "--faces", "in/faces", "--count", "1", "--out", "out.svg"),
    ),
    *_both(
        "neighbours",
        (
            *("neighbours", "p0/000.png", "--embeddings", "in/emb", "--faces", "in/faces"),
            *("--count", "3", "--out", "out.png", "--out-scores", "out.csv"),
        ),
        (
            *("neighbours", "p1/010.png", "--embeddings", "in/emb", "--faces", "in/faces"),
            *("--count", "2", "--out", "out.png", "--out-scores", "out.csv"),
        ),
    ),
    *_both(
        "explain",
        (
            *("explain", "p0/000.png", "p1/010.png", "--faces", "in/faces", "--model", "pixels"),
            *("--masks", "20", "--out", "out.png"),
        ),
        (
            *("explain", "p0/000.png", "p2/020.png", "--faces", "in/faces", "--model", "pixels"),
            *("--masks", "20", "--out", "out.png"),
        ),
    ),
    Case("review import", _REVIEWED[1], _REVIEWED[:1]),
    Case(
        "review import, another person",
        ("review", "import", "pairs.csv", "in/judged.csv", "--as", "Asuka"),
        _REVIEWED,
    ),
    Case("review export", (*_EXPORT, *_NEW), _REVIEWED, (("read_pairs", "out.csv"),)),
    Case(
        "review export --overwrite",
        (*_EXPORT, *_OVER),
        (
            *_REVIEWED,
            (*_EXPORT, *_NEW),
            ("review", "import", "pairs.csv", "in/judged2.csv", "--as", "Shinji"),
        ),
        (("read_pairs", "out.csv"),),
    ),
    Case(
        "review export --who --overwrite",
        (*_EXPORT, "--who", "Rei", *_OVER),
        (*_REVIEWED, (*_EXPORT, *_NEW)),
        (("read_pairs", "out.csv"),),
    ),
    Case(
        "review export --to-format label-studio",
        (*_EXPORT, "--to-format", "label-studio", "--out", "out.json"),
        _REVIEWED,
    ),
    Case(
        "review export --to-format label-studio --overwrite",
        (*_EXPORT, "--to-format", "label-studio", "--out", "out.json", "--overwrite"),
        (
            *_REVIEWED,
            (*_EXPORT, "--to-format", "label-studio", "--prefix", "/x/", "--out", "out.json"),
        ),
    ),
    *_both(
        "check-overlap",
        ("check-overlap", "--train", "in/faces", "--test", "in/few", *_NEW, *_ONE),
        ("check-overlap", "--train", "in/few", "--test", "in/few", *_NEW, *_ONE),
    ),
    *_both("select", _SELECT, (*_SELECT, "--seed", "5")),
    *_both(
        "crop",
        (*_CROP, *_ONE, "--size", "32"),
        (*_CROP, *_ONE, "--size", "24"),
        (("read_faces", "out"),),
    ),
    *_both("detect", (*_DETECT, *_ONE), (*_DETECT, *_ONE, "--min-confidence", "0.9")),
    *_both(
        "arrange",
        ("arrange", "in/flat", "--kind", "flat", "--out", "out", *_ONE),
        ("arrange", "in/few", "--kind", "folders", "--out", "out", *_ONE),
        (("read_faces", "out"),),
    ),
    *_both("export-pack", *_PACKED, (("read_faces", "out"),)),
    *_both(
        "sample",
        ("sample", "out", "--characters", "2"),
        ("sample", "out", "--characters", "3", "--seed", "1"),
    ),
    *_both("compare", _COMPARE, (*_COMPARE, "--pair-file", "in/folded.csv")),
    *_both("build", _BUILD, (*_BUILD, "--seed", "5")),
    *_both(
        "build, two references",
        (*_BUILD, "--reference", THUMBS, "--no-floor"),
        (*_BUILD, "--seed", "5"),
    ),
    *_both(
        "build --drop-suspects",
        (*_BUILD, "--drop-suspects", "duplicate,mislabel", "--no-floor"),
        (*_BUILD, "--seed", "5"),
    ),
)


def _pairings() -> tuple[Pairing, ...]:
    files: dict[str, tuple[Command, Command]] = {
        "random": ((*_RANDOM, *_NEW), (*_RANDOM, "--seed", "5", *_NEW)),
        "mine": (_mine(*_NEW), _OLD_MINE),
        "mine --folds": (_mine("--folds", "2", *_NEW), _mine("--folds", "3", *_NEW)),
        "convert": (("convert", "in/folded.csv", *_NEW), ("convert", "in/random.csv", *_NEW)),
        "export-scores": (
            ("export-scores", "in/mined.csv", "--embeddings", "in/emb", *_NEW),
            ("export-scores", "in/mined.csv", "--embeddings", "in/emb2", *_NEW),
        ),
        "suspects": ((*_SUSPECTS, *_NEW), (*_SUSPECTS, "--kinds", "crop", *_NEW)),
        "check-overlap": (
            ("check-overlap", "--train", "in/faces", "--test", "in/few", *_NEW, *_ONE),
            ("check-overlap", "--train", "in/few", "--test", "in/few", *_NEW, *_ONE),
        ),
        "review export": ((*_EXPORT, *_NEW), (*_EXPORT, "--who", "Rei", *_NEW)),
        "evaluate": (
            ("evaluate", "in/mined.csv", "--scores", "in/scores.csv", "--out", "out", *_TABLES),
            ("evaluate", "in/random.csv", "--embeddings", "in/emb", "--out", "out", *_TABLES),
        ),
    }
    folders: dict[str, tuple[Command, Command]] = {
        "embed": (
            ("embed", "in/faces", "--model", "pixels", "--out", "out", *_ONE),
            ("embed", "in/faces", "--model", THUMBS, "--out", "out", *_ONE),
        ),
        "pool": (
            ("pool", "in/emb", "--templates", "in/templates.txt", "--out", "out"),
            ("pool", "in/emb2", "--templates", "in/templates.txt", "--out", "out"),
        ),
        "select": (_SELECT, (*_SELECT, "--seed", "5")),
        "crop": ((*_CROP, *_ONE, "--size", "32"), (*_CROP, *_ONE, "--size", "24")),
        "arrange": (
            ("arrange", "in/flat", "--kind", "flat", "--out", "out", *_ONE),
            ("arrange", "in/few", "--kind", "folders", "--out", "out", *_ONE),
        ),
        "export-pack": _PACKED,
        "build": (_BUILD, (*_BUILD, "--seed", "5")),
        "compare": (_COMPARE, (*_COMPARE, "--pair-file", "in/folded.csv")),
        "sample": (
            ("sample", "out", "--characters", "2"),
            ("sample", "out", "--characters", "3", "--seed", "1"),
        ),
    }
    alone: dict[str, tuple[Command, Command]] = {
        "detect": ((*_DETECT, *_ONE), (*_DETECT, *_ONE, "--min-confidence", "0.9")),
        "review import": (
            _REVIEWED[1],
            ("review", "import", "pairs.csv", "in/judged2.csv", "--as", "Asuka"),
        ),
        "show": (
            ("show", "in/mined.csv", "--faces", "in/faces", "--count", "2", "--out", "out.png"),
            ("show", "in/mined.csv", "--faces", "in/faces", "--count", "1", "--out", "out.png"),
        ),
        "evaluate --model": (
            (
                *("evaluate", "in/mined.csv", "--faces", "in/faces", "--model", "pixels"),
                *("--cache", "cache", "--out", "out", *_TABLES, *_ONE),
            ),
            (
                *("evaluate", "in/mined.csv", "--faces", "in/faces", "--model", "pixels"),
                *("--cache", "cache", "--out", "out2", *_TABLES, *_ONE),
            ),
        ),
        "convert to jsonl": (
            ("convert", "in/mined.csv", "--to-format", "jsonl", "--out", "out.jsonl"),
            ("convert", "in/random.csv", "--to-format", "jsonl", "--out", "out.jsonl"),
        ),
    }
    found = []
    for kinds in (files, folders, alone):
        for one, (plain, changed) in kinds.items():
            found.append((f"{one} | same", plain, plain))
            found.append((f"{one} | other settings", plain, changed))
            if kinds is not alone:
                found += [
                    (f"{one} | {other}", plain, command)
                    for other, (command, _) in kinds.items()
                    if other != one
                ]
    never = ("embed", "review import")  # which have no --overwrite
    return tuple(
        Pairing(
            name + (" --overwrite" if over else ""),
            *(
                (*command, "--overwrite")
                if over and not " ".join(command).startswith(never)
                else command
                for command in (one, other)
            ),
            before=_REVIEWED if "review export" in name else _REVIEWED[:1],
        )
        for name, one, other in found
        for over in (False, True)
    )


PAIRINGS = _pairings()


def prepared(root: Path, hook: Hook) -> Place:
    """Place below `root` with the inputs of all cases."""
    inputs = root / "inputs"
    inputs.mkdir(parents=True)
    place = Place(inputs, root, hook, OTHERS)
    write_inputs(place.folder)
    for command in PREPARE:
        if (ended := place.run(command)).code:
            raise RuntimeError(f"{command} ended with {ended}")
    fill(inputs, place.folder)
    return place


def main(folder: str, *checks: str) -> None:
    """Make checks, each as `kills/NAME`, `disk/NAME` or `together/NAME`; print what they found.

    Printed is JSON: by check its counts and its failures.
    """
    # What its children would import, each for itself.
    for module in ("build", "mine", "export_scores", "power", "convert", "select"):
        importlib.import_module(f"mining.commands.{module}")
    importlib.import_module("rich.progress")
    get_ready()
    place = prepared(Path(folder), Interposed())
    cases, pairings = ({one.name: one for one in of} for of in (CASES, PAIRINGS))
    told = {}
    for check in checks:
        part, _, name = check.partition("/")
        if part == "together":
            found = together(place, pairings[name], points=4, delays=0, seed="")
        else:
            case = replace(cases[name], readers=cases[name].readers[-1:])
            plain = undisturbed(place, case)
            if part == "kills":
                points = kill_points(plain.changes)
                found = kills(place, case, plain, points, alike=False)
            else:
                found = full_disk(place, case, plain, full_points(plain.changes))
        told[check] = asdict(found)
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
