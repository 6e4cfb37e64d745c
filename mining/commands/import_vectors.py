"""Vectors that another tool made -> a folder of embeddings, as `lookalikes embed` leaves it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mining.commands.result import CommandResult
from mining.embeddings.foreign_files import read_names, read_vectors
from mining.embeddings.foreign_vectors import (
    Foreign,
    Lengths,
    Numbers,
    imported_model,
    refuse_causes,
)
from mining.embeddings.producer import OnError
from mining.embeddings.store import IDENTITIES, UNUSABLE, WHITENING, Embeddings
from mining.errors import EmbeddingError
from mining.models.base import Similarity
from pairsets.arrays import Mask
from pairsets.errors import SourceError
from pairsets.faces import Faces, resolve
from pairsets.funnel import FunnelRow
from pairsets.identities.fields import ByField
from pairsets.identities.folders import by_folder
from pairsets.identities.lists import LISTED_IDENTITIES, PATH_COLUMNS, UNTOLD, plain_path
from pairsets.identities.rules import Naming, Rule
from pairsets.path_prefixes import is_text, why_unsafe
from pairsets.paths import is_image, strings
from pairsets.progress import Progress, silent
from pairsets.sources.vectors.contents import Contents
from pairsets.storage.artefacts import refuse_below_file, refuse_existing, refuse_inside
from pairsets.storage.digests import sha256
from pairsets.storage.publication import alone, written_together
from pairsets.text_column import TextColumn

_FILES = ("vectors.npy", "images.csv", "manifest.json")
# Of an embedding that was here before.
_STALE = (IDENTITIES, WHITENING, "status.csv")


@dataclass(frozen=True)
class ImportOptions:
    """Options of what the vectors are, and whose.

    Attributes:
        key: of the array of vectors, in a file of several.
        name: of the model in tables; by default the file's.
        similarity: by which vectors are compared; by default the cosine, or that of `same_model`.
        same_model: embeddings of the same model, as the user vouches, so that both sets of vectors
            are compared with each other.
        on_error: `fail` refuses rows that are zero or not finite, `skip` leaves them out.
    """

    key: str | None = None
    name: str | None = None
    similarity: Similarity | None = None
    same_model: Path | None = None
    on_error: OnError = "fail"


@alone(folder=True)
def import_vectors(
    vectors: Path,
    names: str | None,
    out: Path,
    *,
    faces: Path | None = None,
    identities: Rule | None = None,
    options: ImportOptions = ImportOptions(),
    overwrite: bool = False,
    progress: Progress = silent,
) -> CommandResult:
    """Check vectors and the names of their rows, and write them as embeddings.

    Args:
        vectors: `.npy`, `.npz`, `.safetensors`, `.pt`, `.parquet` or `.fvecs`.
        names: `[COLUMN=]FILE` with a path a row; None where they are in the file of vectors.
        out: folder for the embeddings.
        faces: folder that the paths lie in, whose pictures are looked at; None looks at none.
        identities: who each face shows; by default what a column says, else the folder.
        options: what the vectors are.
        overwrite: replace what is there.
        progress: shows how far it is.

    Raises:
        PairsetsError, MiningError: the user's input; nothing is written.
    """
    key, file = _split(names, vectors)
    files = [out / name for name in _FILES]
    stale = [out / name for name in _STALE]
    refuse_existing([*files, *stale], overwrite=overwrite, inputs=[vectors, file])
    refuse_below_file(out)
    _refuse_other_content(out)
    if faces is not None:
        refuse_inside(out, faces)
    held = read_vectors(vectors)
    found, array = held.vectors(options.key)
    beside = held if file == vectors else read_names(file)
    column, listed = _names(held, beside, key, given=names is not None)
    _refuse_counts(vectors, array, beside, listed)
    model, similarity = _model(vectors, options, array.shape[1])
    paths, digests = _located(beside, listed, faces)
    _refuse_twice(beside, paths)
    naming, said = _naming(beside, column, paths, identities)
    with progress("Looking at the vectors") as step:
        lengths = Lengths.of(array, similarity, step)
    if options.on_error == "fail":
        refuse_causes(str(vectors), lengths.causes)
    told = np.array([one is not None for one in naming.identities], bool)
    usable = told & lengths.good
    if not usable.any():
        raise EmbeddingError(f"{vectors}: none of its {len(array):,} rows can be used")
    foreign = _foreign(array, paths, naming, said, lengths, usable, similarity, digests)
    facts = {
        "file": vectors.name,
        "file_sha256": sha256(vectors),
        **({"array": found} if found else {}),
        **({} if file == vectors else {"names": file.name, "names_sha256": sha256(file)}),
        "similarity": similarity,
    }
    written = _publish(foreign, out, facts, model, files, stale, overwrite, progress)
    notes = [*naming.notes]
    if options.similarity is None and options.same_model is None and lengths.told():
        notes.append(lengths.told())
    rows = [FunnelRow("import", what, count) for what, count in naming.left_out.items()]
    rows.append(FunnelRow("import", "rows that are zero or not finite", len(lengths.causes)))
    rows.append(
        FunnelRow("import", "identities", len({*foreign.faces.identities.tolist()}), kept=True)
    )
    rows.append(FunnelRow("import", "faces", len(foreign.faces), kept=True))
    return CommandResult(written, [row for row in rows if row.count], notes)


def _split(names: str | None, vectors: Path) -> tuple[str | None, Path]:
    """Column and file of an option's text, `[COLUMN=]FILE`."""
    if names is None:
        return None, vectors
    column, sign, file = names.partition("=")
    if sign and column and not Path(names).exists():
        return column, Path(file)
    return None, Path(names)


def _refuse_other_content(out: Path) -> None:
    """Refuse a folder of other content, in which a stranger's files would be replaced."""
    if not out.exists():
        return
    if not out.is_dir():
        raise EmbeddingError(f"{out}: a file; expected a folder for the embeddings")
    other = {one.name for one in out.iterdir() if not one.name.startswith(".")}
    other -= {*_FILES, *_STALE}
    if other:
        raise EmbeddingError(
            f"{out}: holds something else than embeddings ({min(other)!r}); choose a folder of "
            "their own"
        )


def _names(
    held: Contents, beside: Contents, key: str | None, *, given: bool
) -> tuple[str, Sequence[str]]:
    """The column of the rows' names, and these."""
    found = beside.names(key)
    if found is not None:
        return found
    if given:
        raise SourceError(f"{beside.path}: no text in it; expected a path for each row")
    raise SourceError(
        f"{held.path}: no names of its rows in it; give --names FILE, with a path such as "
        "IDENTITY/1.jpg for each row, in their order: a line each, a column of a CSV, or a JSON "
        "list"
    )


def _refuse_counts(vectors: Path, array: Numbers, beside: Contents, listed: Sequence[str]) -> None:
    rows, names = len(array), len(listed)
    if rows == names:
        return
    why = "are they of the same run?"
    first = listed[0].strip() if names else ""
    headed = first.lower() in PATH_COLUMNS | LISTED_IDENTITIES or (
        not is_image(first) and all(map(is_image, listed[1:]))
    )
    if array.shape[1] == names:
        why = "is the array transposed? Expected a row a face (N, D)"
    elif names == rows + 1 and not beside.titled and headed:
        why = f"is its first line, {first!r}, a header? Take it out"
    elif names == rows + 1 or rows == names + 1:
        why = "is a line too much or missing, as a header or the last one?"
    elif beside.lines is not None and rows and names % rows == 0:
        why = f"there are {names // rows} names a row"
    raise SourceError(
        f"{vectors} has {rows:,} rows and {beside.path} {names:,} names; expected one name a "
        f"row: {why}"
    )


def _located(
    beside: Contents, listed: Sequence[str], faces: Path | None
) -> tuple[list[str], list[str] | None]:
    """Plain paths of the rows and, where there is a folder of faces, digests of their pictures."""
    paths = [plain_path(one.strip()) for one in listed]
    if faces is not None:
        paths = _below(paths, faces)
    for row, path in enumerate(paths):
        unsafe = why_unsafe(path) or ("" if is_text(path) else "is no text in UTF-8")
        if unsafe:
            hint = ""
            if "absolute" in unsafe:
                hint = "; name the folder that the faces lie in with --faces"
            raise SourceError(
                f"{beside.path}, {beside.where(row)}: the path {path!r} {unsafe}; expected one "
                f"relative to the folder of faces{hint}"
            )
    if faces is None:
        return paths, None
    there = resolve(faces, paths)
    known = {path: hashlib.sha256(there.read(path)[0]).hexdigest() for path in there.paths}
    return paths, [known[path] for path in paths]


def _below(paths: list[str], faces: Path) -> list[str]:
    """Paths relative to the folder of faces, where all of them begin with it."""
    if not paths or ((faces / paths[0]).is_file() and not paths[0].startswith("/")):
        return paths
    for front in dict.fromkeys((faces.as_posix(), faces.absolute().as_posix(),
                                faces.resolve().as_posix())):  # fmt: skip
        start = f"{plain_path(front)}/"
        if all(path.startswith(start) for path in paths):
            return [path[len(start) :] for path in paths]
    return paths


def _refuse_twice(beside: Contents, paths: Sequence[str]) -> None:
    first: dict[str, int] = {}
    again = [(path, row) for row, path in enumerate(paths) if first.setdefault(path, row) != row]
    if again:
        path, row = again[0]
        more = f" {len(again) - 1:,} more are named twice, too." if len(again) > 1 else ""
        raise SourceError(
            f"{beside.path}: {path!r} is named in {beside.where(first[path])} and in "
            f"{beside.where(row)}; expected each face once: is one picture embedded twice, or are "
            f"folders missing in front of the names?{more}"
        )


def _naming(
    beside: Contents, column: str, paths: Sequence[str], rule: Rule | None
) -> tuple[Naming, str | None]:
    """Who each row shows, and the option that says so."""
    if rule is not None and not isinstance(rule, ByField):
        return rule.name(paths), rule.said
    field = None if rule is None else rule.field
    found = beside.identities(field, column)
    if found is None:
        return by_folder(beside.path, paths), None
    name, values = found
    if len(values) != len(paths):
        raise SourceError(
            f"{beside.path}: {len(values):,} values in {name!r} and {len(paths):,} names; expected "
            "as many"
        )
    told = [None if one.strip().lower() in UNTOLD else one.strip() for one in values]
    untold = sum(one is None for one in told)
    left_out = {f"without an identity in {name!r} of {beside.path.name}": untold} if untold else {}
    said = f"--identity-field {name}"
    notes = [] if rule is not None else [
        f"Who a face shows is taken from {name!r} of {beside.path.name}; for its folder, "
        "--identity-level 1."
    ]  # fmt: skip
    return Naming(told, left_out, notes), said


def _model(
    vectors: Path, options: ImportOptions, dimensions: int
) -> tuple[dict[str, Any], Similarity]:
    """Model in the manifest, and the similarity."""
    if options.same_model is None:
        name = options.name if options.name is not None else vectors.stem
        return {"model": imported_model(name)}, options.similarity or "cosine"
    other = Embeddings.load(options.same_model)
    asked = options.similarity
    if asked is not None and asked != other.similarity:
        raise EmbeddingError(
            f"{other.folder}: its vectors are compared by {other.similarity}, and --similarity "
            f"says {asked}; vectors of one model are compared in one way"
        )
    theirs = int(other.vectors.shape[1])
    if theirs != dimensions:
        raise EmbeddingError(
            f"{vectors}: vectors of {dimensions:,} dimensions, those in {other.folder} have "
            f"{theirs:,}; they cannot be of one model"
        )
    known = {name: other.manifest[name] for name in ("model", "fingerprint", "provenance")}
    return known, other.similarity


def _foreign(
    array: Numbers,
    paths: Sequence[str],
    naming: Naming,
    said: str | None,
    lengths: Lengths,
    usable: Mask,
    similarity: Similarity,
    digests: list[str] | None,
) -> Foreign:
    """The usable rows in the order of their paths."""
    rows = np.flatnonzero(usable)
    named = strings(paths)
    rows = rows[np.argsort(named[rows], kind="stable")]
    who: dict[str, str] = {}
    names = strings(who.setdefault(str(one), str(one)) for one in
                    (naming.identities[row] for row in rows.tolist()))  # fmt: skip
    skipped = {
        paths[row]: f"{UNUSABLE}{cause}"
        for row, cause in lengths.causes.items()
        if naming.identities[row] is not None
    }
    kept = None if digests is None else [digests[row] for row in rows.tolist()]
    faces = Faces(Path(), TextColumn.of(named[rows].tolist()), names, said=said)
    return Foreign(faces, array, rows, similarity, skipped, kept)


def _publish(
    foreign: Foreign,
    out: Path,
    facts: Mapping[str, object],
    model: Mapping[str, Any],
    files: Sequence[Path],
    stale: Sequence[Path],
    overwrite: bool,
    progress: Progress,
) -> list[Path]:
    """Write the folder, all of it or nothing; the files that it has then."""
    new = not out.exists()
    named = foreign.faces.named is not None
    everything = [*files[:-1], *([out / IDENTITIES] if named else []), files[-1]]
    gone = [one for one in stale if one not in everything]
    try:
        with (
            progress("Writing the vectors") as step,
            written_together(everything, stale=gone, overwrite=overwrite) as folder,
        ):
            foreign.write(folder, facts, model, step)
    except BaseException:
        if new:
            with suppress(OSError):
                out.rmdir()
        raise
    return everything
