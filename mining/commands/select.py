"""Danbooru's metadata and boxes of faces -> a zero-shot split: characters to train and to test on.

What it writes into a folder: `train.json` and `test.json` (`pairsets.sources.dataset`),
`selection.json` (parameters, inputs, funnel, statistics) and `statistics.csv`. While it reads,
`selection.partial` holds what it has; it is gone when the split is made.
"""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mining.commands.result import CommandResult
from mining.commands.select_boxes import FaceLimits, FacesSource, JudgedFaces, refuse_below
from mining.commands.select_identities import of_boxes, of_names, of_posts
from pairsets.errors import OutputError, SourceError
from pairsets.funnel import FunnelRow
from pairsets.progress import Progress, silent
from pairsets.sources.danbooru.blocks import Block
from pairsets.sources.danbooru.boxes_aside import boxes_aside
from pairsets.sources.danbooru.metadata import Metadata
from pairsets.sources.danbooru.posts import Rule
from pairsets.sources.danbooru.processes import usable_cores
from pairsets.sources.danbooru.selection import SelectedPictures
from pairsets.sources.danbooru.split import dataset_of, draw_test, statistics, two_spellings
from pairsets.sources.danbooru.streams import BLOCK, metadata_files
from pairsets.sources.dataset import Dataset
from pairsets.sources.folders.picture_paths import PicturePaths as PictureFolder
from pairsets.storage.artefacts import refuse_existing, versions, write_json
from pairsets.storage.csv_tables import write_csv
from pairsets.storage.digests import sha256
from pairsets.storage.publication import alone, written_together
from pairsets.storage.resume import Resume

SCHEMA = 1
PARTIAL = "selection.partial"
# Blocks between two commits, which wait for the disk as long as a block takes: a kill loses no more
# than they took.
EVERY = 8
# More processes are worth their start from so many bytes on; packed ones are eight times as many.
_FEW = 8 * 2**20


@dataclass(frozen=True)
class SplitOptions:
    """Draw of the characters to test on.

    Attributes:
        min_images: characters with fewer are left out.
        test_characters: how many to draw; 0 makes no test set.
        test_images: pictures that a character to test on has, exactly.
        seed: of the draw.

    Raises:
        SourceError: a number with which nothing can be selected, or drawn.
    """

    min_images: int = 2
    test_characters: int = 1003
    test_images: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        refuse_below(1, min_images=self.min_images, test_images=self.test_images)
        refuse_below(0, test_characters=self.test_characters, seed=self.seed)
        if self.test_characters > 0 and self.test_images < self.min_images:
            raise SourceError(
                f"characters to test on have {self.test_images} images, but those with fewer than "
                f"{self.min_images} are left out; lower the one or raise the other"
            )


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without looks for cycles: what is read has none, and to look takes a tenth of the time."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


@alone(folder=True)
@_uncollected()
def select_faces(
    faces: Path,
    out: Path,
    *,
    metadata: Sequence[Path] = (),
    tag_ids: Path | None = None,
    pictures: Path | None = None,
    posts: Rule | None = None,
    limits: FaceLimits | None = None,
    split: SplitOptions | None = None,
    workers: int | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> CommandResult:
    """Select the pictures of one character with one face, and draw the test characters.

    Args:
        faces: boxes of faces, of any layout that `read_annotations` knows.
        out: folder for the split.
        metadata: files, or folders of them. Without any, the character is the one that each box
            names, or the boxes of a picture, or else the folder in which a picture lies.
        tag_ids: names of the tags in a `faces.tsv`.
        pictures: where the pictures lie: those whose size the boxes do not say are looked at.
        posts: which posts count; by default those of still pictures, rated g or s.
        limits: which faces count.
        split: which characters are drawn to test on.
        workers: processes that read metadata; by default one a core. The result is the same.
        overwrite: replace what is in `out`.
        progress: shows how far it is, in MiB of metadata.

    Raises:
        SourceError: an input that cannot be used, or too few characters to draw.
        OutputError: `out` may not be written.
    """
    posts, limits = posts or Rule(), limits or FaceLimits()
    split = split or SplitOptions()
    if workers is not None:
        refuse_below(1, workers=workers)
    files = [out / name for name in ("train.json", "test.json", "selection.json", "statistics.csv")]
    paths, others = metadata_files(metadata)
    singles = [path for path in paths if isinstance(path, Path)]
    refuse_existing(files, overwrite=overwrite, inputs=[faces, tag_ids, *singles])
    _refuse_inputs(out, metadata, faces)
    place = None if pictures is None else PictureFolder(pictures)
    read = Metadata.of(paths, posts, BLOCK)
    if workers is None:
        workers = 1 if read.size < _FEW else usable_cores()
    source = FacesSource(faces, tag_ids, place, limits, named=not metadata)
    if metadata:
        given, chosen, rows, notes = _of_posts(source, read, out, workers, progress)
        if others:
            what = "files in the folders that are no metadata by their names"
            given.funnel.append(FunnelRow("posts", what, others))
        if given.found.names is not None:
            notes.append(
                "The boxes name characters themselves; the metadata says who it is all the same. "
                "Without --metadata each box is taken by its own name."
            )
    else:
        given = source.read(progress)
        if given.each is not None:
            chosen, rows, notes = of_boxes(given.found, given.boxed, given.each, faces)
        else:
            chosen, rows, notes = of_names(given.found, given.boxed, faces)
    sets, funnel, told = _draw(chosen, split, [*given.funnel, *rows])
    parameters = {
        "min_images": split.min_images,
        "test_characters": split.test_characters,
        "test_images": split.test_images,
        **(asdict(posts) if metadata else {}),
        **asdict(limits),
        **({} if pictures is None else {"pictures": pictures.name}),
        "seed": split.seed,
    }
    content = _manifest(parameters, faces, tag_ids, read, funnel, sets)
    written = _write(files, sets, content, overwrite)
    return CommandResult(written, funnel, [*given.warnings, *notes, *told])


def _refuse_inputs(out: Path, metadata: Sequence[Path], faces: Path) -> None:
    """Raise OutputError where the split would lie in a folder that is read."""
    for path in (*metadata, faces):
        if path.is_dir() and path.resolve() == out.resolve():
            what = "boxes" if path == faces else "metadata"
            raise OutputError(f"{out}: the folder of the {what}; choose another --out")


def _of_posts(
    source: FacesSource, read: Metadata, out: Path, workers: int, progress: Progress
) -> tuple[JudgedFaces, SelectedPictures, list[FunnelRow], list[str]]:
    """The boxes, the pictures of posts with one character, what was left out, what to know."""
    busy = "another process is selecting into it"
    with ExitStack() as stack:
        given, reading = None, None
        if workers > 1 and source.is_large:
            aside = boxes_aside(source.faces, source.tag_ids, sized=source.sized)
            reading = stack.enter_context(aside)
        else:
            given = source.read(progress)
        # Kept until the split is made: one that cannot be drawn is asked for again in another way.
        kept = out / PARTIAL / "blocks.sqlite"
        journal = stack.enter_context(Resume(kept, read.facts, every=EVERY, busy=busy))
        step = stack.enter_context(progress("Reading the metadata (MiB)"))
        blocks = stack.enter_context(closing(read.blocks(journal, workers=workers, step=step)))
        ahead: list[Block] = []
        if reading is not None:
            for block in blocks:
                ahead.append(block)
                if reading.done():
                    break
            given = source.judged(reading.result(), silent)
        assert given is not None
        chosen, rows, notes = of_posts(given.boxed, read, chain(ahead, blocks), source.faces)
    return given, chosen, rows, notes


def _draw(
    chosen: SelectedPictures, split: SplitOptions, funnel: Sequence[FunnelRow]
) -> tuple[dict[str, Dataset], list[FunnelRow], list[str]]:
    """The two sets, the whole funnel, and a sentence on each thing to look at."""
    counts = chosen.counts
    kept = counts >= split.min_images
    funnel = [*funnel, *_character_rows(counts, kept, split.min_images)]
    names = {chosen.names[at]: int(counts[at]) for at in np.flatnonzero(kept)}
    if not names:
        raise SourceError(
            f"no character with {split.min_images} images is left{_most_lost(funnel)}"
        )
    try:
        drawn = draw_test(
            names, characters=split.test_characters, images=split.test_images, seed=split.seed
        )
    except SourceError as error:
        raise SourceError(f"{error}{_most_lost(funnel)}") from None
    testing = np.array([name in drawn for name in chosen.names], bool)
    sets = {"train": dataset_of(chosen, kept & ~testing), "test": dataset_of(chosen, testing)}
    for name, one in sets.items():
        funnel.append(FunnelRow("split", f"{name} characters", len(one.characters), kept=True))
        funnel.append(FunnelRow("split", f"{name} images", len(one), kept=True))
    told = _split_warnings(sets["train"], names)
    return sets, funnel, told + _shared_pictures(sets["train"], sets["test"])


def _manifest(
    parameters: Mapping[str, object],
    faces: Path,
    tag_ids: Path | None,
    read: Metadata,
    funnel: Sequence[FunnelRow],
    sets: Mapping[str, Dataset],
) -> dict[str, object]:
    """Content of `selection.json`."""
    return {
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


def _write(
    files: Sequence[Path],
    sets: Mapping[str, Dataset],
    content: Mapping[str, object],
    overwrite: bool,
) -> list[Path]:
    """Write all `files` but those of empty sets, which go away: they are of an earlier split."""
    written = [file for file in files if file.stem not in sets or len(sets[file.stem])]
    histograms = [(name, *pair) for name, one in sets.items() for pair in one.histogram.items()]
    home = files[0].parent
    with written_together(
        written,
        manifest=home / "selection.json",
        stale=[file for file in files if file not in written],
        spent=[home / PARTIAL],
        overwrite=overwrite,
    ) as folder:
        for name, one in sets.items():
            if len(one):
                one.write(folder / f"{name}.json")
        write_json(folder / "selection.json", content)
        write_csv(
            folder / "statistics.csv", ["set", "images_per_character", "characters"], histograms
        )
    return written


def _shared_pictures(train: Dataset, test: Dataset) -> list[str]:
    both = len({*train.ids} & {*test.ids})
    if not both:
        return []
    return [
        f"{both:,} pictures show characters of both sets; their faces differ, but check-overlap "
        "will name the pictures."
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
    """The largest losses, for those who get no funnel because too little is left."""
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
    if not path.is_dir():
        return {"path": path.name, "bytes": path.stat().st_size, "sha256": sha256(path)}
    # What may be read of a folder of boxes, in one order.
    listed = sorted(file for file in path.rglob("*") if file.suffix.lower() in (".txt", ".xml"))
    digest = hashlib.sha256()
    for file in listed:
        digest.update(f"{file.relative_to(path).as_posix()}\0{sha256(file)}\n".encode())
    size = sum(file.stat().st_size for file in listed)
    return {"path": path.name, "files": len(listed), "bytes": size, "sha256": digest.hexdigest()}
