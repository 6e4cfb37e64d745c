"""Models, and the people who judged, evaluated on one pair file; no picture is needed for that."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mining.commands.result import CommandResult
from mining.embeddings.options import EmbeddingOptions, notes_of
from mining.embeddings.store import Embeddings
from mining.errors import RunError
from mining.miners.inputs import contradictions
from mining.models import Model
from mining.models.names import embeddings_name
from mining.scores.collection import Gathered, gather
from mining.scores.pair_files import lost_rows, low_aucs, unread_rows, was_mined
from pairsets.errors import PairSetError, ScoresError
from pairsets.evaluation.annotator_files import people_of, rates_of, taken, with_own
from pairsets.evaluation.annotators import agreement
from pairsets.evaluation.bootstrap import DRAWS, refuse_few
from pairsets.evaluation.clusters import By
from pairsets.evaluation.comparison import compare
from pairsets.evaluation.human import resolve_target
from pairsets.evaluation.missing_scores import Missing
from pairsets.evaluation.protocols import checked_folds
from pairsets.evaluation.rates import checked_share
from pairsets.faces import resolve
from pairsets.files.folds import Folds
from pairsets.files.side_files import Named, folds_of
from pairsets.files.submissions import read_submission
from pairsets.funnel import FunnelRow
from pairsets.identities.rules import Rule
from pairsets.pairset import PairSet, refuse_lacking
from pairsets.progress import Progress, silent
from pairsets.storage.artefacts import refuse_existing, refuse_inside
from pairsets.storage.publication import alone, written_together
from pairsets.storage.spreadsheets import copies_of, tables_of, write_copies
from pairsets.tables.differences import write_differences
from pairsets.tables.leaderboard import make_leaderboard, write_leaderboards
from pairsets.tables.protocols import ENDS, follow_protocols, unresolved, write_protocols
from pairsets.tables.published import PUBLISHED

_ENDS = (".md", ".csv", ".json", ".differences.md", ".differences.csv")


@alone()
def evaluate_pairs(
    path: Path,
    *,
    identities: Rule | None = None,
    scores: Sequence[Named] = (),
    submissions: Sequence[Path] = (),
    embeddings: Sequence[Path] = (),
    faces: Path | None = None,
    models: Sequence[str] = (),
    cache: Path | None = None,
    annotators: Sequence[Named] = (),
    target_fnr: float | str | None = None,
    clusters: By = "character",
    draws: int = DRAWS,
    seed: int = 0,
    published: str | None = None,
    missing: Missing = "fail",
    distance: bool = False,
    distance_of: Sequence[str] = (),
    folds: Path | None = None,
    fars: Sequence[float] = (),
    out: Path | None = None,
    overwrite: bool = False,
    spreadsheet_safe: bool = False,
    encoding: EmbeddingOptions,
    progress: Progress = silent,
) -> CommandResult:
    """Evaluate models on a pair file: from score files, embeddings, or models run on the faces.

    With folds, which by default are those beside the pair file if there are any, LFW's accuracy
    over folds is reported too; with `fars`, IJB's TAR at these. `identities` say who faces show,
    where neither folders nor `PAIRS.identities.csv` do. Pairs without a score, and scores that are
    distances, are taken as `mining.scores.collection.gather` does. With `spreadsheet_safe`, a copy
    of each table is written for spreadsheets (`pairsets.storage.spreadsheets`).
    """
    if published is not None and published not in PUBLISHED:
        raise ScoresError(f"no published table {published!r}; there are {', '.join(PUBLISHED)}")
    if draws:
        refuse_few(draws)
    for folder in (out, cache):
        if folder is not None and faces is not None:
            refuse_inside(folder, faces)
    for far in fars:
        checked_share(far, "FAR")
    tables, followed = ([], []) if out is None else (_tables(out, _ENDS), _tables(out, ENDS))
    copies = copies_of(tables_of([*tables, *followed]))
    refuse_existing(
        [*tables, *followed, *copies],
        overwrite=overwrite,
        inputs=[
            *(path, path.with_suffix(".json"), folds, folds_of(path)),
            *(file.path for file in (*scores, *annotators)),
        ],
    )
    pairs = PairSet.read(path, identities)
    against = contradictions(pairs, clusters, str(path))
    parts, notes = _folds(path, folds, pairs)
    target = resolve_target(pairs, target_fnr)
    if scores or submissions or embeddings or models:
        refuse_lacking(pairs, [0, 1], str(path))
    sources = [Embeddings.load(folder) for folder in embeddings]
    if models and faces is None:
        raise RunError("--model needs --faces, the folder that the pairs' paths lie in")
    people = people_of({path.stem: pairs}, annotators)[path.stem] if annotators else {}
    agreed = agreement(with_own(pairs, people), clusters=clusters) if people else None
    sent = [read_submission(file, pairs) for file in submissions]
    noted: list[str] = []

    def gathered(coming: Sequence[Model] = ()) -> Gathered:
        return gather(
            {path.stem: pairs},
            scores,
            sources,
            sent,
            coming,
            missing=missing,
            distance=distance,
            distance_of=distance_of,
        )

    if models and faces is not None:
        present = resolve(faces, pairs.paths, pairs.identities)
        loaded = [encoding.load(spec) for spec in dict.fromkeys(models)]
        noted = notes_of(loaded)
        # Before the work on models, so that a fault in a file is told first.
        given = gathered(loaded)
        rest = pairs.take(given.kept[path.stem])
        refuse_lacking(rest, [0, 1], str(path))
        compare(path.stem, rest, given.scores[path.stem], target, missing="reject", draws=0)
        for model in loaded:
            folder = (cache or path.with_suffix(".embeddings")) / embeddings_name(model)
            sources.append(encoding.embed(present, model, folder, progress))
    found = gathered()
    kept, asked = found.kept[path.stem], pairs
    if not kept.all():
        pairs = pairs.take(kept)
        refuse_lacking(pairs, [0, 1], f"{path}, without {int((~kept).sum())} pairs left out")
        target = resolve_target(pairs, target_fnr)
        people = taken(people, kept)
        agreed = agreement(with_own(pairs, people), clusters=clusters) if people else None
        parts = parts and Folds(parts.numbers[kept])
    turned, mine = found.distances, found.scores[path.stem]
    board = make_leaderboard(
        path.stem,
        pairs,
        mine,
        target,
        mined_by=found.mined_by(path),
        published=PUBLISHED[published] if published else None,
        annotators=rates_of(people, clusters),
        missing="reject",
        turned=turned,
        dropped=found.dropped[path.stem],
        clusters=clusters,
        draws=draws,
        seed=seed,
    )
    if not board.entries:
        raise PairSetError(
            f"{path}: nobody judged these pairs and no model is given; "
            "name scores, embeddings or a model"
        )
    protocols = follow_protocols(pairs, mine, parts, [*dict.fromkeys(fars)], turned=turned)
    if out is not None:
        tables += followed if protocols else []
        written = [*tables, *(copies_of(tables_of(tables)) if spreadsheet_safe else ())]
        stale = sorted({*followed, *copies} - {*written})
        with written_together(written, stale=stale, overwrite=overwrite) as folder:
            write_leaderboards(folder / out.name, [board])
            found_on = [] if board.comparison is None else [board.comparison]
            write_differences(folder / f"{out.name}.differences", found_on)
            if protocols:
                write_protocols(folder / out.name, path.stem, protocols)
            if spreadsheet_safe:
                write_copies(folder / table.name for table in tables_of(tables))
        tables = written
    funnel = [
        *unread_rows(sources),
        *lost_rows("evaluate", path.stem, found),
        FunnelRow("evaluate", "pairs marked invalid", int((~pairs.valid).sum())),
    ]
    aucs = {} if board.comparison is None else board.comparison.aucs
    low = low_aucs(path.stem, aucs, found) if not was_mined(path, asked) else []
    return CommandResult(
        tables,
        funnel,
        [*noted, *against, *low, *board.warnings, *notes, *unresolved(pairs, protocols)],
        leaderboard=board,
        agreement=agreed,
        protocols=protocols,
    )


def _folds(path: Path, given: Path | None, pairs: PairSet) -> tuple[Folds | None, list[str]]:
    """The folds to report accuracy over, and why there are none although a file has some.

    Only folds that were asked for have to be fit for it: others may have been made to mine in.
    """
    file = folds_of(path) if given is None else given
    if given is None and not file.is_file():
        return None, []
    found = Folds.read(file, pairs)
    try:
        checked_folds(pairs.label[pairs.valid], found.numbers[pairs.valid])
    except ScoresError as error:
        if given is not None:
            raise ScoresError(f"{file}: {error}") from None
        return None, [f"No accuracy over the folds of {file}: {error}"]
    return found, []


def _tables(stem: Path, ends: Sequence[str]) -> list[Path]:
    """The files of the table called `stem`."""
    if not stem.name:
        raise RunError(f"{stem}: expected a name to begin the tables' names with, as in tables/all")
    return [stem.with_name(stem.name + end) for end in ends]
