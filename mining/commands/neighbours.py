"""Who gets taken for a face: its nearest impostors, from files to a picture and a score file."""

from __future__ import annotations

import difflib
import hashlib
import unicodedata
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mining.embeddings.store import Embeddings, read_images
from mining.errors import RunError
from mining.miners.impostors import Neighboured, Query, nearest_impostors
from mining.models import Model
from mining.models.model_labels import split_folder, split_label
from mining.models.names import embeddings_name, model_names, short_name
from pairsets import images
from pairsets.faces import Faces
from pairsets.figures import Figure
from pairsets.figures.impostors import impostor_sheet
from pairsets.files.score_files import HEADER
from pairsets.identities.rules import Rule
from pairsets.progress import Progress, silent
from pairsets.report import save_figure
from pairsets.storage.artefacts import refuse_existing, refuse_inside
from pairsets.storage.csv_tables import write_csv
from pairsets.storage.publication import alone, written_together
from pairsets.storage.spreadsheets import copies_of, write_copies
from pairsets.text_column import TextColumn

if TYPE_CHECKING:
    from mining.embeddings.options import EmbeddingOptions

# The model that shows what none scores: nobody means it who names no model.
_FLOOR = "pixels"


@dataclass(frozen=True)
class VectorSource:
    """Source of the vectors that impostors are searched among.

    Attributes:
        embeddings: what `lookalikes embed` or `lookalikes build` made.
        faces: the folder of faces; needed for a picture, and without `embeddings`.
        identities: who each of `faces` shows, where that is not its folder; `embeddings` know it.
        model: which model of a run; without `embeddings` the one to embed the faces with.
        cache: where the vectors of `model` are kept; by default beside `faces`.

    Raises:
        RunError: options that contradict each other.
    """

    embeddings: Path | None = None
    faces: Path | None = None
    identities: Rule | None = None
    model: str | None = None
    cache: Path | None = None

    def __post_init__(self) -> None:
        if self.embeddings is None:
            if self.faces is None or self.model is None:
                raise RunError(
                    "no vectors to search: name --embeddings, what `lookalikes embed` or "
                    "`lookalikes build` made, or --faces and --model"
                )
            return
        if self.identities is not None:
            raise RunError(
                f"{self.identities.said}: the embeddings know who each face shows; give it to "
                "lookalikes embed"
            )
        if self.cache is not None:
            raise RunError("--cache keeps the vectors of --model; with --embeddings there are some")


@alone(otherwise=("scores", Path))
def show_neighbours(
    face: str,
    *,
    source: VectorSource,
    count: int = 10,
    per_identity: int | None = 1,
    out: Path | None = None,
    scores: Path | None = None,
    overwrite: bool = False,
    spreadsheet_safe: bool = False,
    encoding: EmbeddingOptions,
    progress: Progress = silent,
) -> Neighboured:
    """Find who gets taken for `face`, and draw it.

    Args:
        face: the path of an embedded face (`identity/name.jpg`), the name of an identity, whose
            faces are all asked about, or any image file. The last is embedded with the model of
            `source`; its identity is unknown, so every face counts.
        source: of the vectors to search.
        count: how many impostors.
        per_identity: at most so many of one identity; None for any number.
        out: picture to write, .png or .svg.
        scores: score file to write: `pathA` is the face asked about, `pathB` the impostor.
        overwrite: replace `out` and `scores`.
        spreadsheet_safe: write a copy of `scores` for spreadsheets, see
            `pairsets.storage.spreadsheets`.
        encoding: how models run and images are read, those drawn too.
        progress: shows how far each step is.

    Raises:
        RunError: no such face; no or several models; options that contradict each other.
        PairsetsError, MiningError: files that cannot be used.
    """
    for name, number in (("count", count), ("per-identity", per_identity)):
        if number is not None and number < 1:
            raise RunError(f"--{name} {number}; expected 1 or more")
    if out is not None:
        if source.faces is None:
            raise RunError("--out needs --faces, the folder whose pictures are drawn")
        if out.suffix.lower() not in (".png", ".svg"):
            raise RunError(f"{out}: a figure is written as .png or .svg, not {out.suffix!r}")
        refuse_inside(out, source.faces)
    files = [path for path in (out, scores) if path is not None]
    copies = copies_of([scores] if scores is not None else [])
    refuse_existing([*files, *copies], overwrite=overwrite, inputs=[Path(face)])
    if out is not None and scores is not None and out.name == scores.name:
        raise RunError(f"{scores}: the name of the picture, too; choose another --out-scores")
    space, loaded = _read_vectors(source, encoding, progress)
    known = _known(face, space, source.faces)
    if known is None:
        loaded = loaded or _same_model(source.model, space, encoding)
        query = _of_file(face, space, loaded, encoding, progress)
    else:
        query = known
    with progress("Searching impostors") as step:
        found = nearest_impostors(query, space, count, per_identity, step)
    if files:
        files += copies if spreadsheet_safe else []
        stale = [] if spreadsheet_safe else copies
        with written_together(files, stale=stale, overwrite=overwrite) as folder:
            if out is not None:
                figure = impostor_figure(found, space.faces, query.file, encoding.max_pixels)
                save_figure(figure, folder / out.name)
            if scores is not None:
                scored = zip(found.resembles, found.paths, found.scores.tolist(), strict=True)
                rows = (
                    (asked, path, rank, repr(score), found.model)
                    for rank, (asked, path, score) in enumerate(scored, 1)
                )
                table = write_csv(folder / scores.name, HEADER, rows)
                if spreadsheet_safe:
                    write_copies([table])
    return replace(
        found, files=files, said=[*space.faces.notes, *([] if loaded is None else loaded.notes)]
    )


def _read_vectors(
    source: VectorSource, encoding: EmbeddingOptions, progress: Progress
) -> tuple[Embeddings, Model | None]:
    """The vectors to search, and the model where it had to be loaded for them."""
    faces, model = source.faces, source.model
    if source.embeddings is not None:
        label, folder = split_folder(source.embeddings)
        if not (folder / "embeddings").is_dir():
            return replace(Embeddings.load(folder, faces or ""), label=label), None
        return replace(_of_run(folder, faces, model), label=label), None
    if faces is None or model is None:
        raise ValueError(f"{source}: refused when it was made")
    found = Faces.scan(faces, source.identities)
    kept = source.cache or faces.resolve().with_name(f"{faces.resolve().name}.embeddings")
    refuse_inside(kept, faces)
    encoding.refuse_steps(model)
    loaded = encoding.load(model)
    home = kept / embeddings_name(loaded)
    made = encoding.embed(found, loaded, home, progress, called=model)
    return replace(made, faces=replace(made.faces, notes=found.notes)), loaded


def _of_run(run: Path, faces: Path | None, model: str | None) -> Embeddings:
    """The vectors of one model of a run."""
    folders = sorted((run / "embeddings").iterdir())
    loaded = [
        Embeddings.load(folder, faces or "")
        for folder in folders
        if (folder / "manifest.json").exists()
    ]
    if not loaded:
        raise RunError(f"{run}: a run without embeddings; was it interrupted? Build it again")
    names = model_names([found.model for found in loaded])
    listed = f"{run}: vectors of {', '.join(names)}"
    if model is None:
        wanted = [at for at, name in enumerate(names) if name != _FLOOR] or [0]
        if len(wanted) > 1:
            raise RunError(f"{listed}; name one with --model")
    else:
        wanted = [at for at, name in enumerate(names) if model in (name, loaded[at].model)]
        # Its label is of this search alone.
        model = split_label(model)[1]
        wanted = wanted or [at for at, one in enumerate(loaded) if one.model == model]
        # Where the weights lay when the run was built need not be where they lie today.
        wanted = wanted or [at for at, name in enumerate(names) if name == short_name(model)]
        if len(wanted) != 1:
            what = "none" if not wanted else "more than one"
            raise RunError(f"{listed}; {what} is {model}")
    return loaded[wanted[0]]


def _same_model(model: str | None, space: Embeddings, encoding: EmbeddingOptions) -> Model:
    """The model that `space` was made with, loaded; refused if it is another one."""
    if model is None:
        raise RunError(
            "a file from elsewhere has to be embedded first: name the model with --model, "
            f"here {space.model}"
        )
    encoding.refuse_steps(model)
    loaded = encoding.load(model)
    if loaded.fingerprint != space.manifest["fingerprint"]:
        raise RunError(
            f"{model}: not the model that made {space.folder} ({space.model}): other weights, "
            "settings or precision, layers, flips or whitening, so its scores would mean nothing "
            "there"
        )
    return loaded


def _known(face: str, space: Embeddings, root: Path | None) -> Query | None:
    """The embedded face or the identity that `face` names; None where it is a file of its own.

    Raises:
        RunError: it is none of the three.
    """
    known, file = space.faces, Path(face)
    names = [face, face.rstrip("/")]
    if root is not None and file.exists() and file.resolve().is_relative_to(root.resolve()):
        # As a shell completes it: the way to the faces folder, too.
        names.append(file.resolve().relative_to(root.resolve()).as_posix())
    for name in names:
        row = _where(name, known.paths)
        if row is not None:
            return Query.of_face(space, row)
    for name in filter(None, names):
        row = _where(name, known.identities)
        if row is not None:
            return Query.of_identity(space, known.identities[row])
    for name in names:
        if name in space.skipped:
            raise RunError(f"{name}: was left out when faces were embedded: {space.skipped[name]}")
    if file.is_file():
        return None
    what = "a folder, but" if file.is_dir() else "no image file there, and"
    near = difflib.get_close_matches(face, sorted({*known.identities, *known.paths}), n=3)
    hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
    raise RunError(
        f"{face!r}: {what} neither one of the {len(known):,} embedded faces nor one of their "
        f"{known.count_identities:,} identities{hint}"
    )


def _where(name: str, names: NDArray[np.object_] | TextColumn) -> int | None:
    """The first row of `names` that is `name`, in whatever Unicode form."""
    found = np.flatnonzero(names == name)
    if not found.size and not name.isascii():
        plain = unicodedata.normalize("NFC", name)
        same = [unicodedata.normalize("NFC", other) == plain for other in names]
        found = np.flatnonzero(same)
    return int(found[0]) if found.size else None


def _of_file(
    name: str, space: Embeddings, model: Model, encoding: EmbeddingOptions, progress: Progress
) -> Query:
    """A file from elsewhere, embedded, and the embedded faces that it is itself."""
    file = Path(name).resolve()
    if encoding.engine == "auto" and "engine" in space.manifest:
        encoding = replace(encoding, engine=space.manifest["engine"]["name"])
    with TemporaryDirectory(prefix="lookalikes-") as folder:
        alone = Faces.of_paths(file.parent, [file.name])
        vector = np.array(encoding.embed(alone, model, Path(folder) / "face", progress).vectors)
    content = hashlib.sha256(images.read(file)).hexdigest()
    digests = read_images(space.folder / "images.csv", "sha256")
    alike = np.flatnonzero(space.vectors[:, 0] == vector[0, 0])
    alike = alike[(space.vectors[alike] == vector).all(axis=1)]
    # One file may come out a rounding apart in another batch: it is known by its content.
    same = np.union1d(np.flatnonzero(digests == content), alike).astype(np.int64)
    return Query.of_file(name, file, vector, same)


def impostor_figure(
    found: Neighboured, faces: Faces, file: Path | None = None, max_pixels: int = images.MAX_PIXELS
) -> Figure:
    """The figure; of an identity the face that its first impostor is taken for stands large."""
    shown = int(np.flatnonzero(found.faces == found.resembles[0])[0])
    own = None
    if found.own_match[shown]:
        own = faces.locate(found.own_match[shown]), float(found.own_scores[shown])
    several = len(found.faces) > 1
    return impostor_sheet(
        file or faces.locate(found.faces[shown]),
        [faces.locate(path) for path in found.paths],
        found.scores.tolist(),
        name=found.query,
        names=found.identities.tolist(),
        outscores=found.outscores.tolist(),
        own=own,
        beside=[faces.locate(path) for path in found.resembles] if several else None,
        max_pixels=max_pixels,
    )
