"""Models, and the people who judged, evaluated on one pair file; no picture is needed for that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mining.commands.result import CommandResult
from mining.errors import RunError
from mining.miners.inputs import contradictions
from mining.models.model_labels import folder_of
from mining.ranking.model_ranking import search_on
from mining.scores.census import named_embeddings, take_all, target_share, unresolved_fars
from mining.scores.collection import Gathered
from mining.scores.kinship import Kinships, kinships_of
from mining.scores.pair_files import lost_rows, low_aucs, unread_rows, was_mined
from mining.scores.sources import OpenSources, ScoreSources
from pairsets.errors import PairSetError, ScoresError
from pairsets.evaluation.annotator_files import people_of, rates_of, taken, with_own
from pairsets.evaluation.annotators import Agreement, agreement
from pairsets.evaluation.human import resolve_target
from pairsets.evaluation.interval_options import IntervalOptions
from pairsets.evaluation.protocols import checked_folds
from pairsets.evaluation.rates import checked_share
from pairsets.faces import resolve
from pairsets.files.folds import Folds
from pairsets.files.side_files import Named, design_of, folds_of
from pairsets.files.threshold_files import carried_from
from pairsets.funnel import FunnelRow
from pairsets.identities.rules import Rule
from pairsets.pairset import PairSet, refuse_lacking
from pairsets.paths import read_ignore_list
from pairsets.progress import Progress, silent
from pairsets.storage.artefacts import refuse_existing
from pairsets.storage.publication import alone, written_together
from pairsets.storage.spreadsheets import copies_of, tables_of, write_copies
from pairsets.tables.census import ENDS as CENSUS_ENDS
from pairsets.tables.census import write_census
from pairsets.tables.differences import write_differences
from pairsets.tables.leaderboard import Leaderboard, make_leaderboard, write_leaderboards
from pairsets.tables.population_rows import design_beside, over_all_pairs
from pairsets.tables.protocols import ENDS, Protocols, follow_protocols, unresolved, write_protocols
from pairsets.tables.published_rows import PUBLISHED
from pairsets.tables.threshold import carried_sentences

_ENDS = (".md", ".csv", ".json", ".differences.md", ".differences.csv")


@dataclass(frozen=True)
class ProtocolOptions:
    """Protocols of other benchmarks, and thresholds of one's own, reported beside the rates.

    Attributes:
        folds: file of folds, over which LFW's accuracy is; by default the one beside the pair file,
            if there is any.
        fars: FARs at which IJB's TAR is.
        thresholds: files of thresholds set elsewhere, one a model.
    """

    folds: Path | None = None
    fars: Sequence[float] = ()
    thresholds: Sequence[Path] = ()


@alone()
def evaluate_pairs(
    path: Path,
    sources: ScoreSources = ScoreSources(),
    *,
    identities: Rule | None = None,
    annotators: Sequence[Named] = (),
    target_fnr: float | str | None = None,
    intervals: IntervalOptions = IntervalOptions(),
    published: str | None = None,
    protocols: ProtocolOptions = ProtocolOptions(),
    out: Path | None = None,
    overwrite: bool = False,
    spreadsheet_safe: bool = False,
    progress: Progress = silent,
) -> CommandResult:
    """Evaluate models on a pair file: from score files, embeddings, or models run on the faces.

    `identities` say who faces show, where neither folders nor `PAIRS.identities.csv` do. With
    `spreadsheet_safe`, a copy of each table is written for spreadsheets
    (`pairsets.storage.spreadsheets`).
    """
    _refuse_unknown(published, protocols)
    intervals.refuse_few()
    sources.refuse_inside_faces(out)
    tables = _Tables.of(out, spreadsheet_safe)
    beside = (path, path.with_suffix(".json"), protocols.folds, folds_of(path), design_of(path))
    given = [*sources.files, *(file.path for file in annotators), *protocols.thresholds]
    refuse_existing(tables.possible, overwrite=overwrite, inputs=[*beside, *given])
    asked = pairs = PairSet.read(path, identities)
    against = contradictions(pairs, intervals.clusters, str(path))
    parts, notes = _folds(path, protocols.folds, pairs)
    design = design_beside(path, pairs)
    target = resolve_target(pairs, target_fnr)
    if sources:
        refuse_lacking(pairs, [0, 1], str(path))
    opened = sources.open()
    people = people_of({path.stem: pairs}, annotators)[path.stem] if annotators else {}
    agreed = _agreed(pairs, people, intervals)
    opened.read_submissions(pairs)
    if sources.faces is not None and sources.models:
        present = resolve(sources.faces, pairs.paths, pairs.identities)
        opened.load_models()
        opened.check({path.stem: pairs}, {path.stem: path}, target)
        opened.run_models(present, path.with_suffix(".embeddings"), progress)
    found = opened.gather({path.stem: pairs})
    kept = found.kept[path.stem]
    if not kept.all():
        pairs = pairs.take(kept)
        refuse_lacking(pairs, [0, 1], f"{path}, without {int((~kept).sum())} pairs left out")
        target = resolve_target(pairs, target_fnr)
        people = taken(people, kept)
        agreed = _agreed(pairs, people, intervals)
        parts = parts and Folds(parts.numbers[kept])
    kin = _kinships(path, pairs, found, opened)
    board = make_leaderboard(
        path.stem,
        pairs,
        found.scores[path.stem],
        target,
        mined_by=found.mined_by(path),
        kinships=kin.by_model,
        published=PUBLISHED[published] if published else None,
        annotators=rates_of(people, intervals.clusters),
        missing="reject",
        turned=found.distances,
        dropped=found.dropped[path.stem],
        carried=_carried(protocols, found),
        **vars(intervals),
    )
    if not board.entries:
        raise PairSetError(
            f"{path}: nobody judged these pairs and no model is given; "
            "name --scores, --embeddings or --model"
        )
    scores = found.scores[path.stem]
    over_all = over_all_pairs(board, asked, design, scores, kept=kept, clusters=intervals.clusters)
    board = over_all.board
    fars = [*dict.fromkeys(protocols.fars)]
    rows = follow_protocols(pairs, found.scores[path.stem], parts, fars, turned=found.distances)
    written = tables.write(board, rows, overwrite=overwrite)
    funnel = [
        *unread_rows(opened.embeddings),
        *lost_rows("evaluate", path.stem, found),
        FunnelRow("evaluate", "pairs marked invalid", int((~pairs.valid).sum())),
    ]
    low = _low_aucs(path, asked, board, found)
    said = [*opened.notes, *against, *low, *kin.warnings, *board.warnings, *notes]
    warnings = [*said, *unresolved(pairs, rows), *over_all.warnings]
    told = [*over_all.sentences, *carried_sentences(board)]
    return CommandResult(written, funnel, warnings, board, told, agreement=agreed, protocols=rows)


@alone()
def evaluate_all_pairs(
    folders: Sequence[Path],
    *,
    target_fnr: float | str | None = None,
    fars: Sequence[float] = (),
    full: bool | None = None,
    device: str = "auto",
    ignore_list: Path | None = None,
    out: Path | None = None,
    overwrite: bool = False,
    spreadsheet_safe: bool = False,
    progress: Progress = silent,
) -> CommandResult:
    """Evaluate models over all pairs of the faces that each embedded: no pair file is needed.

    Args:
        folders: embeddings of the same faces, of a model each.
        target_fnr: see `mining.scores.census.take_all`.
        fars: FARs to report FNR at, beside the powers of ten.
        full: whether all scores are looked at; None where that is affordable.
        device: of the search.
        ignore_list: file of base names of images that are in no pair.
        out: what the names of the tables begin with.
        overwrite: replace tables that are there.
        spreadsheet_safe: write a copy of each table for spreadsheets.
        progress: shows a step a model.
    """
    tables = _named(out, CENSUS_ENDS)
    copies = copies_of(tables_of(tables)) if spreadsheet_safe else []
    homes = map(folder_of, folders)
    read = [folder / name for folder in homes for name in ("manifest.json", "images.csv")]
    refuse_existing([*tables, *copies], overwrite=overwrite, inputs=[*read, ignore_list])
    for far in fars:
        checked_share(far, "FAR")
    target_share(target_fnr)
    ignored = frozenset() if ignore_list is None else read_ignore_list(ignore_list)
    sources = named_embeddings(folders)
    if tables:
        tables[0].parent.mkdir(parents=True, exist_ok=True)
    found = take_all(
        sources,
        target_fnr,
        fars=fars,
        full=full,
        device=device,
        ignore=ignored,
        progress=progress,
        checkpoint=tables[0].with_name(f".{tables[0].name}.search") if tables else None,
    )
    if out is not None:
        with written_together([*tables, *copies], overwrite=overwrite) as folder:
            write_census(folder / out.name, found)
            if spreadsheet_safe:
                write_copies(folder / table.name for table in tables_of(tables))
    faces = next(iter(sources.values())).faces
    left = FunnelRow("evaluate", "faces on the ignore list", int((~faces.without(ignored)).sum()))
    funnel = [*unread_rows(list(sources.values())), left]
    warnings = unresolved_fars(found, fars)
    return CommandResult([*tables, *copies], funnel, warnings, census=found)


def _kinships(path: Path, pairs: PairSet, found: Gathered, opened: OpenSources) -> Kinships:
    """Kinship of the models with those that mined the pairs, as far as it is known."""
    sets, vectors = {path.stem: pairs}, opened.embeddings
    how = search_on(opened.asked.encoding.device) if vectors else None
    return kinships_of(path.stem, {path.stem: path}, sets, found, vectors, how)


def _carried(protocols: ProtocolOptions, found: Gathered) -> dict[str, tuple[float, str]] | None:
    """The thresholds set elsewhere, by model; None where there are none."""
    if not protocols.thresholds:
        return None
    return carried_from(protocols.thresholds, found.models, found.fingerprints, found.distances)


def _refuse_unknown(published: str | None, protocols: ProtocolOptions) -> None:
    """Raise ScoresError for a published table that there is not, or a FAR that is no share."""
    if published is not None and published not in PUBLISHED:
        raise ScoresError(f"no published table {published!r}; there are {', '.join(PUBLISHED)}")
    for far in protocols.fars:
        checked_share(far, "FAR")


def _low_aucs(path: Path, pairs: PairSet, board: Leaderboard, found: Gathered) -> list[str]:
    """A sentence on each model of which positives score lower, where nobody mined the pairs."""
    if was_mined(path, pairs) or board.comparison is None:
        return []
    return low_aucs(path.stem, board.comparison.aucs, found)


def _agreed(
    pairs: PairSet, people: Mapping[str, PairSet], intervals: IntervalOptions
) -> Agreement | None:
    """The agreement of those who judged, where there are further people."""
    return agreement(with_own(pairs, people), clusters=intervals.clusters) if people else None


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


def _named(out: Path | None, ends: Sequence[str]) -> list[Path]:
    """The files called `out`, with these ends; none where it is not given."""
    if out is None:
        return []
    if not out.name:
        raise RunError(f"{out}: expected a name to begin the tables' names with, as in tables/all")
    return [out.with_name(out.name + end) for end in ends]


@dataclass(frozen=True)
class _Tables:
    """The files that tables are written to: those of every evaluation, and those of protocols."""

    out: Path | None
    always: Sequence[Path]
    protocols: Sequence[Path]
    spreadsheet_safe: bool

    @classmethod
    def of(cls, out: Path | None, spreadsheet_safe: bool) -> _Tables:
        """The files called `out`; none where it is not given."""
        always, protocols = (_named(out, ends) for ends in (_ENDS, ENDS))
        return cls(out, always, protocols, spreadsheet_safe)

    @property
    def possible(self) -> list[Path]:
        """All that may be written, copies for spreadsheets among them."""
        tables = [*self.always, *self.protocols]
        return [*tables, *copies_of(tables_of(tables))]

    def write(
        self, board: Leaderboard, rows: Mapping[str, Protocols], *, overwrite: bool
    ) -> list[Path]:
        """Write the tables, all or none; those of an older evaluation that are not written go."""
        if self.out is None:
            return []
        tables = [*self.always, *(self.protocols if rows else ())]
        copies = copies_of(tables_of(tables)) if self.spreadsheet_safe else []
        written = [*tables, *copies]
        stale = sorted({*self.possible} - {*self.always, *written})
        with written_together(written, stale=stale, overwrite=overwrite) as folder:
            write_leaderboards(folder / self.out.name, [board])
            compared = [] if board.comparison is None else [board.comparison]
            write_differences(folder / f"{self.out.name}.differences", compared)
            if rows:
                write_protocols(folder / self.out.name, board.name, rows)
            if self.spreadsheet_safe:
                write_copies(folder / table.name for table in tables_of(tables))
        return written
