"""Danbooru's metadata and boxes of faces -> a zero-shot split: characters to train and to test on.

What it writes into a folder: `train.json` and `test.json` (`pairsets.sources.dataset`),
`selection.json` (parameters, inputs, funnel, statistics) and `statistics.csv`. While it reads,
`selection.partial` holds what it has; it is gone when the split is made.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from math import isfinite
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mining.run import Progress, silent
from mining.steps import Made
from pairsets.artefacts import (
    refuse_existing,
    sha256,
    versions,
    write_csv,
    write_json,
    written_together,
)
from pairsets.errors import OutputError, SourceError
from pairsets.report import FunnelRow
from pairsets.sources.annotations import Annotations, read_annotations
from pairsets.sources.danbooru.boxed import ONE, Boxed
from pairsets.sources.danbooru.journal import Journal, opened, remove
from pairsets.sources.danbooru.posts import EXTENSIONS, KEPT, Rule
from pairsets.sources.danbooru.reading import Metadata
from pairsets.sources.danbooru.selection import Pictures, Selection, named_pictures
from pairsets.sources.danbooru.split import dataset_of, draw_test, statistics, two_spellings
from pairsets.sources.danbooru.streams import BLOCK, metadata_files
from pairsets.sources.danbooru.workers import usable_cores
from pairsets.sources.dataset import Dataset

SCHEMA = 1
PARTIAL = "selection.partial"
# The least shorter side of a box in ZACI-20's test set: nothing it has is left out. What is
# smaller would be blown up elevenfold to 224 pixels.
MIN_SIZE = 20
# More processes are worth their start from so many bytes on; packed ones are eight times as many.
_FEW = 8 * 2**20


def select_faces(
    faces: Path,
    out: Path,
    *,
    metadata: Sequence[Path] = (),
    tag_ids: Path | None = None,
    min_images: int = 2,
    test_characters: int = 1003,
    test_images: int = 2,
    ratings: Sequence[str] = ("g", "s"),
    extensions: Sequence[str] | None = None,
    keep_deleted: bool = False,
    keep_banned: bool = False,
    min_score: float | None = None,
    min_size: int = MIN_SIZE,
    picture_size: int = 512,
    workers: int | None = None,
    seed: int = 0,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Made:
    """Select the pictures of one character with one face, and draw the test characters.

    Args:
        faces: boxes of faces, of any layout that `read_annotations` knows.
        out: folder for the split.
        metadata: files, or folders of them. Without any, the character is the one that `faces`
            names, or else the folder in which a picture lies.
        tag_ids: names of the tags in a `faces.tsv`.
        min_images: characters with fewer are left out.
        test_characters: how many to draw; 0 makes no test set.
        test_images: pictures that a character to test on has, exactly.
        ratings, extensions, keep_deleted, keep_banned: which posts; see `Rule`. No
            extensions are those of still pictures.
        min_score, min_size, picture_size: which faces; see `Boxed.of`.
        workers: processes that read metadata; by default one a core. The result is the same.
        seed: of the draw.
        overwrite: replace what is in `out`.
        progress: shows how far it is, in MiB of metadata.

    Raises:
        SourceError: an input that cannot be used, or too few characters to draw.
        OutputError: `out` may not be written.
    """
    rule = Rule(tuple(ratings), tuple(extensions or EXTENSIONS), keep_deleted, keep_banned)
    parameters: dict[str, object] = {
        "min_images": min_images,
        "test_characters": test_characters,
        "test_images": test_images,
        **(asdict(rule) if metadata else {}),
        "min_score": min_score,
        "min_size": min_size,
        "picture_size": picture_size,
        "seed": seed,
    }
    _refuse_numbers({**parameters, "workers": 1 if workers is None else workers})
    if test_characters > 0 and test_images < min_images:
        raise SourceError(
            f"characters to test on have {test_images} images, but those with fewer than "
            f"{min_images} are left out; lower the one or raise the other"
        )
    files = [out / name for name in ("train.json", "test.json", "selection.json", "statistics.csv")]
    paths, others = metadata_files(metadata)
    refuse_existing(files, overwrite=overwrite, inputs=[faces, tag_ids, *paths])
    if any(path.is_dir() and path.resolve() == out.resolve() for path in metadata):
        raise OutputError(f"{out}: the folder of the metadata; choose another --out")
    read = Metadata.of(paths, rule, BLOCK)
    if workers is None:
        workers = 1 if read.size < _FEW else usable_cores()
    with progress("Reading the faces") as step:
        found = read_annotations(faces, tag_ids=tag_ids, progress=step)
    boxed = Boxed.of(found, min_score=min_score, min_size=min_size, picture_size=picture_size)
    funnel = [FunnelRow("annotations", what, n) for what, n in sorted(found.skipped.items())]
    if min_score is not None:
        funnel.append(FunnelRow("annotations", f"faces that score below {min_score}", boxed.weak))
    warnings = []
    if boxed.unscored:
        warnings.append(f"{boxed.unscored:,} faces have no score: the least score spares them.")
    if metadata:
        if others:
            what = "files in the folders that are no metadata by their names"
            funnel.append(FunnelRow("posts", what, others))
        # Kept until the split is made: one that cannot be drawn is asked for again in another way.
        with opened(out / PARTIAL, read.facts) as journal:
            pictures, rows, notes = _of_posts(boxed, read, journal, workers, faces, progress)
    else:
        pictures, rows, notes = _of_names(found, boxed, faces)
    funnel, warnings = [*funnel, *rows], [*warnings, *notes]
    counts = pictures.counts
    kept = counts >= min_images
    funnel += _character_rows(counts, kept, min_images)
    names = {pictures.names[at]: int(counts[at]) for at in np.flatnonzero(kept)}
    if not names:
        raise SourceError(f"no character with {min_images} images is left{_most_lost(funnel)}")
    try:
        drawn = draw_test(names, characters=test_characters, images=test_images, seed=seed)
    except SourceError as error:
        raise SourceError(f"{error}{_most_lost(funnel)}") from None
    testing = np.array([name in drawn for name in pictures.names], bool)
    sets = {"train": dataset_of(pictures, kept & ~testing), "test": dataset_of(pictures, testing)}
    for name, one in sets.items():
        funnel.append(FunnelRow("split", f"{name} characters", len(one.characters), kept=True))
        funnel.append(FunnelRow("split", f"{name} images", len(one), kept=True))
    warnings += _split_warnings(sets["train"], names)
    content = {
        "schema": SCHEMA,
        "kind": "selection",
        "parameters": parameters,
        "inputs": {
            "faces": _input(faces),
            "tag_ids": None if tag_ids is None else _input(tag_ids),
            "metadata": [asdict(file) | {"path": file.path.name} for file in read.files],
        },
        "not_posts": [dict(zip(("file", "line", "what"), s, strict=True)) for s in read.shown],
        "funnel": [asdict(row) for row in funnel],
        "sets": {name: statistics(one) for name, one in sets.items()},
        "versions": versions("lookalikes", "numpy"),
    }
    written = _write(files, sets, content)
    remove(out / PARTIAL)
    return Made(written, funnel, warnings)


def _write(
    files: Sequence[Path], sets: Mapping[str, Dataset], content: Mapping[str, object]
) -> list[Path]:
    """Write all `files` but those of empty sets, which go away: they are of an earlier split."""
    written = [file for file in files if file.stem not in sets or len(sets[file.stem])]
    histograms = [(name, *pair) for name, one in sets.items() for pair in one.histogram.items()]
    with written_together(written) as folder:
        for name, one in sets.items():
            if len(one):
                one.write(folder / f"{name}.json")
        write_json(folder / "selection.json", content)
        write_csv(
            folder / "statistics.csv", ["set", "images_per_character", "characters"], histograms
        )
    for file in {*files} - {*written}:
        file.unlink(missing_ok=True)
    return written


def _of_posts(
    boxed: Boxed, read: Metadata, journal: Journal, workers: int, faces: Path, progress: Progress
) -> tuple[Pictures, list[FunnelRow], list[str]]:
    """The pictures of posts with one character, what was left out, and what to know of it."""
    ordered, posts, strangers = boxed.by_post()
    selection = Selection(ordered, posts)
    with (
        progress("Reading the metadata (MiB)") as step,
        closing(read.blocks(journal, workers=workers, step=step)) as blocks,
    ):
        for block in blocks:
            selection.add(block)
    strays = sum(file.strays for file in read.files)
    if not sum(file.posts for file in read.files):
        raise SourceError(f"{read.files[0].path}: no post in the metadata; are the files empty?")
    rows = [
        FunnelRow("posts", "lines that are not a post", strays),
        FunnelRow("posts", "posts that were there before", selection.repeated),
        *(FunnelRow("posts", why, selection.fates[n]) for n, why in read.rule.reasons.items()),
        FunnelRow("posts", "posts of one character", selection.fates[KEPT], kept=True),
        *([FunnelRow("faces", "pictures that name no post", strangers)] if strangers else []),
        *_face_rows(boxed, selection.faces),
    ]
    if not selection.joined and selection.fates[KEPT]:
        raise SourceError(
            f"{faces}: of its {len(boxed.ids):,} pictures none is of a post that is left; are they "
            "the boxes of other pictures?"
        )
    notes = []
    if strays:
        shown = [f"{name}, line {line}" for name, line, _ in read.shown[:3]]
        more = ", ..." if strays > len(shown) else ""
        notes.append(f"Lines of the metadata that are not a post: {', '.join(shown)}{more}")
    if selection.disagreeing:
        notes.append(
            f"{selection.disagreeing:,} posts come again and disagree with the first time, which "
            "counts: give the newest metadata first."
        )
    return selection.pictures(), rows, notes


def _of_names(
    found: Annotations, boxed: Boxed, faces: Path
) -> tuple[Pictures, list[FunnelRow], list[str]]:
    """The pictures whose character the boxes name themselves, and what was left out."""
    pictures, fates, nameless = named_pictures(found, boxed)
    if nameless == len(found):
        raise SourceError(
            f"{faces}: names no character, and no picture lies in the folder of one; give the "
            "metadata of the posts"
        )
    row = FunnelRow("faces", "pictures of no one character", nameless)
    return pictures, [row, *_face_rows(boxed, fates)], []


def _face_rows(boxed: Boxed, fates: Counter[int]) -> list[FunnelRow]:
    return [
        *(FunnelRow("faces", why, fates[number]) for number, why in boxed.reasons.items()),
        FunnelRow("faces", "pictures of one character with one face", fates[ONE], kept=True),
    ]


def _character_rows(
    counts: NDArray[np.int64], kept: NDArray[np.bool_], min_images: int
) -> list[FunnelRow]:
    fewer = f"of fewer than {min_images} images"
    return [
        FunnelRow("characters", f"characters {fewer}", int(((counts > 0) & ~kept).sum())),
        FunnelRow("characters", f"images of characters {fewer}", int(counts[~kept].sum())),
        FunnelRow("characters", "characters", int(kept.sum()), kept=True),
        FunnelRow("characters", "images", int(counts[kept].sum()), kept=True),
    ]


def _most_lost(funnel: Sequence[FunnelRow]) -> str:
    """What took most away, for those who get no funnel because too little is left."""
    lost = sorted((row for row in funnel if not row.kept), key=lambda row: -row.count)
    most = ", ".join(f"{row.what}: {row.count:,}" for row in lost[:4] if row.count)
    return f"; left out were {most}" if most else ""


def _split_warnings(train: Dataset, names: Mapping[str, int]) -> list[str]:
    warnings = []
    if not len(train):
        warnings.append("No character is left to train on, so there is no train.json.")
    spelt = two_spellings(names)
    if spelt:
        shown = "; ".join(" and ".join(map(repr, group)) for group in spelt[:3])
        warnings.append(
            f"{len(spelt):,} names have several spellings (case, Unicode form, / and __), which "
            f"are taken for different characters: {shown}{'; ...' * (len(spelt) > 3)}"
        )
    return warnings


def _input(path: Path) -> dict[str, object]:
    return {"path": path.name, "bytes": path.stat().st_size, "sha256": sha256(path)}


def _refuse_numbers(given: Mapping[str, object]) -> None:
    """Raise SourceError for numbers with which nothing can be selected."""
    least = {"test_characters": 0, "min_size": 0, "seed": 0}
    whole = ("min_images", "test_images", "picture_size", "workers")
    for name, lowest in {**dict.fromkeys(whole, 1), **least}.items():
        value = given[name]
        if not isinstance(value, int) or value < lowest:
            raise SourceError(f"{name.replace('_', ' ')} {value}; expected {lowest} or more")
    score = given["min_score"]
    if score is not None and not (isinstance(score, float | int) and isfinite(score)):
        raise SourceError(f"min score {score}; expected a number")
