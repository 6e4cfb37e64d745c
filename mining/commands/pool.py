"""Vectors of pictures -> vectors of templates, in a folder like that of any embeddings.

`mine`, `evaluate` and `suspects` then work on templates, whose paths are those that
`pairsets.sources.formats.ijb` gives the templates of a file of pairs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mining.commands.result import CommandResult
from mining.embeddings.store import SCHEMA, Embeddings, read_images
from mining.errors import EmbeddingError
from pairsets.errors import SourceError
from pairsets.funnel import FunnelRow
from pairsets.pairset import PairSet
from pairsets.paths import strings
from pairsets.progress import Progress, silent
from pairsets.sources.formats import ijb
from pairsets.sources.templates import Templates, numbered, pooled, rows_by_path, template_path
from pairsets.sources.text.text_lines import read_head
from pairsets.storage.artefacts import atomic_write, refuse_existing, versions, write_json
from pairsets.storage.csv_tables import write_csv
from pairsets.storage.digests import sha256
from pairsets.storage.publication import alone, written_together

# The manifest last: it says that the others are whole.
_FILES = ("vectors.npy", "images.csv", "manifest.json")
_EMPTY = "none of its pictures has a vector"
_NOTHING = "its pictures' vectors cancel out"


@alone(folder=True)
def pool_templates(
    embeddings: Path,
    templates: Path | Sequence[Path],
    pairs: Path | None,
    out: Path,
    *,
    overwrite: bool = False,
    progress: Progress = silent,
) -> CommandResult:
    """Pool the vectors of pictures into one a template, and write them as embeddings.

    Args:
        embeddings: folder of the pictures' vectors. Pictures are known by their path or the end
            of it: `1.jpg` is `loose_crop/1.jpg` where no other path ends so.
        templates: files of `image template media`, or NIST's; see `pairsets.sources.templates`.
        pairs: the pairs of templates, as IJB's file or as a pair file made of it, for whose
            template is whose. Without it, that is what NIST's files say; else each template is a
            subject of its own.
        out: folder for the templates' vectors, of unit length where the similarity is cosine.
        overwrite: replace those that are there.
        progress: shows what is done.

    Raises:
        EmbeddingError: no folder of embeddings.
        SourceError: a file of another form, a picture's name that fits several or that is of
            several subjects, or no template with a picture.
    """
    lists = [templates] if isinstance(templates, Path) else [*templates]
    said = ", ".join(map(str, lists))
    files = [out / name for name in _FILES]
    kept = [embeddings / name for name in _FILES]
    refuse_existing(files, overwrite=overwrite, inputs=[*kept, *lists, pairs])
    listed = _listed(lists, said, progress)
    names = _names(pairs, listed.owners)
    source = Embeddings.load(embeddings)
    if names and {*names}.isdisjoint(listed.numbers.tolist()):
        raise SourceError(
            f"{said}: none of the {len(names)} templates of {pairs}, such as {min(names)}, is "
            "in it; are the two of one benchmark?"
        )
    rows = _rows(listed, source, said)
    usable = (rows >= 0) & (rows < len(source))
    taken = rows[usable], listed.templates[usable], listed.media[usable]
    with progress("Pooling pictures into templates") as step, source.watched(step) as watched:
        numbers, vectors = pooled(source.vectors, *taken, progress=watched)
    whole = np.ones(len(numbers), bool)
    if source.similarity == "cosine":
        lengths = np.linalg.norm(vectors, axis=1)
        # Below that, what is left of unit vectors is but their rounding.
        whole = lengths > 1e-6
        vectors = vectors / np.where(whole, lengths, 1)[:, None]
    empty = np.setdiff1d(listed.numbers, numbers)

    def name(number: int) -> str:
        return names.get(number) or template_path(number, number)

    skipped = {name(number): _EMPTY for number in empty.tolist()}
    skipped |= {name(number): _NOTHING for number in numbers[~whole].tolist()}
    paths = strings(map(name, numbers[whole].tolist()))
    order = np.argsort(paths)
    digests = _digests(embeddings, *taken)
    with written_together(files, overwrite=overwrite) as folder:
        _write(
            folder,
            source,
            paths[order],
            vectors[whole][order],
            [digests[number] for number in numbers[whole][order].tolist()],
            skipped,
            {"templates_sha256": _digested(lists), "pictures": int(usable.sum())},
        )
    lost = {
        "pictures that cannot be read": int((rows >= len(source)).sum()),
        "pictures that were not embedded": int((rows < 0).sum()),
        "embedded pictures of no template": len(source) - len(np.unique(taken[0])),
        "templates without a picture that has a vector": len(empty),
        "templates whose vectors cancel out": int((~whole).sum()),
        "templates of pairs that list no picture": len({*names} - {*listed.numbers.tolist()}),
    }
    made = {
        "pictures": int(usable.sum()),
        "media": np.unique(np.stack(taken[1:]), axis=1).shape[1],
        "templates": len(paths),
    }
    funnel = [FunnelRow("pool", what, count) for what, count in lost.items() if count]
    funnel += [FunnelRow("pool", what, count, kept=True) for what, count in made.items()]
    notes = (
        [] if names else ["Each template is a subject of its own; --pair-file says whose is whose"]
    )
    return CommandResult(files, funnel, notes)


def _digested(lists: Sequence[Path]) -> str | list[str]:
    return sha256(lists[0]) if len(lists) == 1 else [sha256(one) for one in lists]


def _listed(lists: Sequence[Path], said: str, progress: Progress) -> Templates:
    """The templates of all lists, no picture of which shows two subjects."""
    with progress("Reading templates") as step:
        found = Templates.read_all(lists, progress=step)
    try:
        found.refuse_shared()
    except SourceError as error:
        raise SourceError(f"{said}: {error}") from None
    return found


def _names(pairs: Path | None, owners: Mapping[int, int] | None) -> Mapping[int, str]:
    """Names by number of the templates of a file of pairs; without one, of all that have owners."""
    if pairs is None:
        return {number: template_path(who, number) for number, who in (owners or {}).items()}
    head = read_head(pairs)
    if ijb.looks_like(pairs, head) or (owners is not None and ijb.are_matches(head)):
        return ijb.names_of_templates(pairs, owners)
    try:
        return numbered(PairSet.read(pairs).paths)
    except SourceError as error:
        raise SourceError(f"{pairs}: {error}") from None


def _rows(listed: Templates, source: Embeddings, templates: str) -> NDArray[np.int64]:
    """The vector of each picture; -1 for none, and past the last for one that cannot be read."""
    try:
        rows = rows_by_path(listed.images, [*source.faces.paths, *sorted(source.skipped)])
    except SourceError as error:
        raise SourceError(f"{templates}: {error}") from None
    if not ((rows >= 0) & (rows < len(source))).any():
        raise SourceError(
            f"{templates}: none of its {len(rows)} pictures, such as {listed.images[0]!r}, has a "
            f"vector in {source.folder}, where paths are like {source.faces.paths[0]!r}; are these "
            "the embeddings of its pictures?"
        )
    return rows


def _digests(
    embeddings: Path,
    rows: NDArray[np.int64],
    templates: NDArray[np.int64],
    media: NDArray[np.int64],
) -> dict[int, str]:
    """By template, a digest of its media and the content of its pictures, in whatever order."""
    content = read_images(embeddings / "images.csv", "sha256")
    order = np.lexsort((rows, media, templates))
    found: dict[int, hashlib._Hash] = {}
    for row, template, medium in zip(
        rows[order].tolist(), templates[order].tolist(), media[order].tolist(), strict=True
    ):
        found.setdefault(template, hashlib.sha256()).update(f"{medium} {content[row]}\n".encode())
    return {template: one.hexdigest() for template, one in found.items()}


def _write(
    folder: Path,
    source: Embeddings,
    paths: NDArray[np.object_],
    vectors: NDArray[np.float64],
    digests: list[str],
    skipped: Mapping[str, str],
    facts: Mapping[str, object],
) -> None:
    if not len(paths):
        raise EmbeddingError("the vectors of every template cancel out")
    with atomic_write(folder / "vectors.npy") as stream:
        np.save(stream, np.ascontiguousarray(vectors, "<f4"), allow_pickle=False)
    write_csv(folder / "images.csv", ("path", "sha256"), zip(paths, digests, strict=True))
    facts = {**facts, **{key: source.manifest[key] for key in ("images_sha256", "vectors_sha256")}}
    content = {
        "schema": SCHEMA,
        "model": source.model,
        "fingerprint": source.manifest["fingerprint"],
        "similarity": source.similarity,
        "images": len(paths),
        "dimensions": vectors.shape[1],
        "skipped": dict(sorted(skipped.items())),
        "images_sha256": sha256(folder / "images.csv"),
        "vectors_sha256": sha256(folder / "vectors.npy"),
        "provenance": {**source.manifest["provenance"], "pooled": facts},
        "versions": versions("lookalikes", "numpy"),
    }
    write_json(folder / "manifest.json", content)
