"""Mined negatives -> triplets, n-tuples or labelled pairs that other projects train on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mining.commands.result import CommandResult
from mining.embeddings.store import Embeddings
from mining.errors import RunError
from pairsets.arrays import Floats, Rows
from pairsets.errors import OutputError, SourceError
from pairsets.faces import Faces, resolve
from pairsets.files.exclusions import EXCLUDED, Exclusions, PathPairs
from pairsets.files.score_files import read_ranks, read_scores
from pairsets.files.suspects import Suspects
from pairsets.identities.rules import Rule
from pairsets.pairset import PairSet
from pairsets.paths import strings
from pairsets.sources.folders.huggingface import SHARD, WRITTEN, write_dataset
from pairsets.sources.formats.row_tables import write_rows
from pairsets.sources.tuples import Negatives, TupleOptions, tuples_of
from pairsets.storage.artefacts import refuse_existing, refuse_inside
from pairsets.storage.publication import alone, written_together

ENDINGS = (".csv", ".jsonl", ".parquet")


@dataclass(frozen=True)
class FaceSource:
    """Faces that positives are taken from, and who they show.

    Attributes:
        faces: their folder.
        embeddings: a folder of embeddings, which knows the faces and their identities; then
            `faces` is only needed for the pictures.
        identities: who each picture of `faces` shows, where that is not its folder.

    Raises:
        RunError: neither of the two, or a rule beside embeddings.
    """

    faces: Path | None = None
    embeddings: Path | None = None
    identities: Rule | None = None

    def __post_init__(self) -> None:
        if self.faces is None and self.embeddings is None:
            raise RunError(
                "no faces to take positives from; name their folder with --faces, or one of their "
                "embeddings with --embeddings"
            )
        if self.embeddings is not None and self.identities is not None:
            raise RunError(
                f"{self.embeddings}: embeddings know who their faces show; leave out "
                f"{self.identities.said}, or take the identities from --faces alone"
            )

    def read(self) -> Faces:
        """All faces, with their identities."""
        if self.embeddings is not None:
            return Embeddings.load(self.embeddings, self.faces or "").faces
        assert self.faces is not None
        return Faces.scan(self.faces, self.identities)


@dataclass(frozen=True)
class Writing:
    """Options of what is written.

    Attributes:
        pictures: whether a data set holds the pictures, or their paths.
        scores: whether labelled pairs have a column of scores; trainers that take every column
            beside the label for an input need it taken out.
    """

    pictures: bool = True
    scores: bool = False


@alone()
def export_tuples(
    source: Path,
    out: Path,
    faces: FaceSource,
    options: TupleOptions,
    *,
    writing: Writing = Writing(),
    exclude: Sequence[Path] = (),
    suspects: Path | None = None,
    overwrite: bool = False,
) -> CommandResult:
    """Write the mined negatives of a pair file as rows for training.

    Args:
        source: the pair file; the ranks and scores in `PAIRS.scores.csv`, where it lies beside it,
            tell which negatives are the hardest.
        out: a table that ends in .csv, .jsonl or .parquet, with paths relative to the faces
            folder; or a folder, for a data set as `datasets` saves it.
        faces: where the positives are taken from.
        options: of the tuples.
        writing: what they hold.
        exclude: files of pairs that are never used.
        suspects: a file of suspects, none of which is used.
        overwrite: replace what is there.

    Raises:
        RunError: scores are asked for that nothing tells, or pictures of unknown files.
        OutputError: `out` may not be written, or has another ending.
        SourceError, PairSetError, FacesError, ScoresError, EmbeddingError: an input cannot be used.
    """
    files = _files(out)
    scored = source.with_suffix(".scores.csv")
    read = [source, source.with_suffix(".json"), scored, *exclude, suspects]
    refuse_existing(files, overwrite=overwrite, inputs=read)
    folder, with_pictures = files[0].parent == out, False
    if folder:
        _refuse_strangers(out)
        with_pictures = writing.pictures
        if with_pictures and faces.faces is None:
            raise RunError(
                f"{out}: a data set with pictures, and no folder that they lie in; name it with "
                "--faces, or write their paths with --paths-only"
            )
    if faces.faces is not None:
        refuse_inside(out, faces.faces)
    if writing.scores and options.form != "labeled-pair":
        raise RunError(f"scores with the form {options.form}; labeled-pair alone has a column")
    pairs = PairSet.read(source)
    order, scores, notes = _hardness(scored, pairs, wanted=writing.scores)
    left_out: dict[str, PathPairs] = {}
    if exclude:
        left_out[EXCLUDED] = _joined([Exclusions.read(path) for path in exclude])
    if suspects is not None:
        left_out["suspects"] = _flagged(Suspects.read(suspects))
    known = faces.read()
    try:
        made = tuples_of(Negatives(pairs, order, scores, left_out), known, options)
    except SourceError as error:
        raise SourceError(f"{source}: {error}") from None
    if faces.faces is not None:
        resolve(faces.faces, made.paths)
    root = faces.faces if with_pictures else None
    stale = [path for path in out.glob("data-*.arrow") if path.name != SHARD] if folder else []
    with written_together(files, stale=stale, overwrite=overwrite) as place:
        if folder:
            write_dataset(place, made.names, made.rows, faces=made.faces, root=root)
        else:
            write_rows(place / out.name, made.names, made.rows)
    return CommandResult([out], made.funnel, [*known.notes, *notes])


def _files(out: Path) -> list[Path]:
    """The files that `out` is written as.

    Raises:
        OutputError: an ending that is none of a table, and of no folder's name.
    """
    if out.suffix in ENDINGS:
        return [out]
    if out.suffix and not out.is_dir():
        raise OutputError(
            f"{out}: ends in {out.suffix}; expected {', '.join(ENDINGS)}, or a name without an "
            "ending for a folder of a Hugging Face data set"
        )
    return [out / name for name in WRITTEN]


def _refuse_strangers(out: Path) -> None:
    """Refuse a folder with anything that is none of a data set's files."""
    if not out.is_dir():
        return
    strangers = sorted(
        path.name
        for path in out.iterdir()
        if path.name not in WRITTEN and not path.match("data-*.arrow") and path.suffix != ".tmp"
    )
    if strangers:
        raise OutputError(
            f"{out}: a folder that holds {strangers[0]}, which is none of a data set's files; "
            "choose another --out"
        )


def _hardness(
    scored: Path, pairs: PairSet, *, wanted: bool
) -> tuple[Rows | None, Floats | None, list[str]]:
    """Rows of `pairs`, the hardest first, and their scores where `wanted`; sentences on both."""
    if not scored.is_file():
        if wanted:
            raise RunError(f"{scored}: missing, and nothing else tells the scores of the pairs")
        return None, None, [f"No {scored.name} beside the pairs: they count as hard as they stand."]
    found = read_scores(scored, pairs, complete=False)
    ranks = read_ranks(scored, pairs)
    notes = []
    model, scores = next(iter(found.items()), ("", np.full(len(pairs), np.nan)))
    if len(found) > 1 and (wanted or not ranks.any()):
        notes.append(f"{scored.name} has scores of {len(found)} models: those of {model} are used.")
    # Pairs without a rank come last, those with a score before the others.
    last = np.where(ranks > 0, ranks, len(pairs) + ranks.max(initial=0) + 1)
    falling = np.where(np.isnan(scores), np.inf, -scores)
    order = np.lexsort((falling, last)).astype(np.int64)
    return order, scores if wanted else None, notes


def _joined(files: Sequence[Exclusions]) -> Exclusions:
    return Exclusions(
        strings(path for one in files for path in one.path_a),
        strings(path for one in files for path in one.path_b),
    )


def _flagged(suspects: Suspects) -> Exclusions:
    rows = suspects.flagged
    return Exclusions(suspects.path_a[rows], suspects.path_b[rows])
