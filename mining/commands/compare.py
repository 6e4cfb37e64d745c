"""Models compared on pair files: embed what is not cached, score, evaluate, draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypedDict

from mining.commands.command_line import typed_command
from mining.commands.gallery_files import files_in, write_search
from mining.commands.run_folder import UNSETTLED, Kind, RunFolder
from mining.embeddings.options import EmbeddingOptions
from mining.embeddings.store import Embeddings
from mining.miners.inputs import contradictions
from mining.models.model_labels import folder_of
from mining.ranking.model_ranking import search_on
from mining.scores.collection import Gathered
from mining.scores.identity_layout import layout_of
from mining.scores.kinship import kinships_of
from mining.scores.pair_files import (
    RankColumns,
    low_aucs,
    made_rows,
    mined_beside,
    named_sets,
    refuse_inside_out,
    set_rows,
    unread_rows,
    was_mined,
)
from mining.scores.sources import OpenSources, ScoreSources
from pairsets.errors import PairSetError, ScoresError
from pairsets.evaluation.annotator_files import people_of, rates_of, taken, with_own
from pairsets.evaluation.annotators import Agreement, agreement
from pairsets.evaluation.census import CensusComparison
from pairsets.evaluation.gallery_search import GallerySearch
from pairsets.evaluation.hubness import Hubness
from pairsets.evaluation.interval_options import IntervalOptions
from pairsets.evaluation.missing_scores import Missing
from pairsets.faces import Faces, resolve
from pairsets.files.score_files import write_scores
from pairsets.files.side_files import Named
from pairsets.funnel import FunnelRow
from pairsets.identities.rules import Rule
from pairsets.pairset import PairSet, refuse_lacking
from pairsets.progress import Progress, silent
from pairsets.report import write_report
from pairsets.report.assembly import draw_figures, drawn_files, report_of
from pairsets.report.identity_layout import IdentityLayout
from pairsets.report.inputs import ReportInputs
from pairsets.report.provenance import Provenance, day_made
from pairsets.storage.artefacts import installed, versions, write_json
from pairsets.storage.digests import sha256
from pairsets.storage.json_files import JsonError, read_object
from pairsets.storage.publication import alone
from pairsets.storage.settings import settings_of
from pairsets.storage.spreadsheets import copies_of, tables_of, write_copies
from pairsets.tables.census import ENDS, STEM, write_census
from pairsets.tables.curves import write_curves
from pairsets.tables.differences import write_differences, write_verdicts
from pairsets.tables.leaderboard import Leaderboard, make_leaderboard, write_leaderboards
from pairsets.tables.published_rows import published_for

SCHEMA = 1
# What is written of each set, as `SET.scores.csv` and so on.
TABLES = ("scores", "verdicts", "curves")
DIFFERENCES = "differences.csv"
# Of what scores come from, what changes nothing in the result; and the groups that hold the rest.
_NO_SETTINGS = ("sources", "intervals", "submissions", "cache")


class _Begun(TypedDict):
    faces: Path
    kind: Kind
    settings: Mapping[str, object]


class _Described(TypedDict):
    facts: Sequence[tuple[str, str]]
    provenance: Provenance
    layout: IdentityLayout | None


@dataclass(frozen=True, eq=False)
class Compared:
    """Models compared: their tables, and what was written.

    Attributes:
        folder: where it lies.
        leaderboards: one a set; their `comparison` has the differences.
        files: what was written, report and figures among it.
        funnel: what was left out.
        warnings: what a user should look at.
        hubness: who fills the negatives of each set.
        agreement: of several people, by set.
        census: the models over all pairs, where that was asked for.
        identification: the models in a gallery, where that was asked for.
        layout: the identities in the plane, or why there is no such map.
    """

    folder: RunFolder
    leaderboards: Sequence[Leaderboard]
    files: Sequence[Path]
    funnel: Sequence[FunnelRow]
    warnings: Sequence[str] = ()
    hubness: Mapping[str, Hubness] = field(default_factory=dict)
    agreement: Mapping[str, Agreement] = field(default_factory=dict)
    census: CensusComparison | None = None
    identification: GallerySearch | None = None
    layout: IdentityLayout | None = None

    @classmethod
    def of(cls, folder: RunFolder, shown: ReportInputs, files: Sequence[Path]) -> Compared:
        """The result of a comparison, from what its report shows."""
        told = shown.funnel, shown.warnings, shown.hubness, shown.agreement
        return cls(
            folder, shown.boards, files, *told, shown.census, shown.identification, shown.layout
        )


@alone(folder=True)
def compare_models(
    faces: str | Path,
    pairs: Sequence[str | Path],
    *,
    out: str | Path,
    sources: ScoreSources,
    identities: Rule | None = None,
    annotators: Sequence[Named] = (),
    target_fnr: float | str | None = None,
    published: bool = False,
    intervals: IntervalOptions = IntervalOptions(),
    overwrite: bool = False,
    spreadsheet_safe: bool = False,
    progress: Progress = silent,
) -> Compared:
    """Evaluate models on pair files side by side: tables, differences, verdicts, report, figures.

    The thresholds found on the set called `random`, or on the first where there is none, are
    carried to the others. An interrupted comparison goes on when called again.

    Args:
        faces: folder that the pairs' paths lie in; others are embedded where `sources` say so.
        pairs: pair files; their names, without suffix, are those of the sets.
        out: folder for what is written, vectors in `embeddings` among it.
        sources: where scores come from, but for submissions, which are of one pair file.
        identities: who faces show, where neither folders nor `PAIRS.identities.csv` say it.
        annotators: pair files of further people; each counts for the sets whose pairs it has.
        target_fnr: see `pairsets.evaluate`; None is each set's own human FNR, where it was judged.
        published: add ZACI-20's rows: to its own pairs; apart, to sets `random`, `adversarial`.
        intervals: how intervals are computed.
        overwrite: replace a finished comparison.
        spreadsheet_safe: write a copy of each table (`pairsets.storage.spreadsheets`).
        progress: shows how far each step is.

    Raises:
        PairsetsError, MiningError: the user's input; a marked folder may be left.
    """
    settings = _settings({**vars(sources), **vars(intervals), **locals()})
    out, sources = Path(out), replace(sources, faces=Path(faces))
    intervals.refuse_few()
    files = _files(pairs, [*sources.files, *(one.path for one in annotators)], out)
    begun: _Begun = {"faces": Path(faces), "kind": "comparison", "settings": settings}
    RunFolder(out).refuse(overwrite=overwrite, **begun)
    sources.refuse_inside_faces(None)
    older = _Older.of(RunFolder(out))
    sets = {name: PairSet.read(path, identities) for name, path in files.items()}
    _refuse_lacking(sets, files)
    against = _contradictions(sets, files, intervals)
    told = _told(sets)
    people = people_of(sets, annotators)
    opened = _opened(sources)
    present = _present(sources, sets, told, identities, progress)
    opened.load_models()
    opened.check(sets, files, target_fnr, present)
    mined = _ranked(sets, files)
    _agreements(sets, people, intervals)
    run = RunFolder.start(out, overwrite=overwrite, **begun)
    opened.run_models(present, run.root / "embeddings", progress)
    gathered = opened.gather(sets)
    kept, whole = gathered.kept, sets
    sets = {name: one.take(kept[name]) for name, one in sets.items()}
    _refuse_lacking(sets, files)
    people = {name: taken(said, kept[name]) for name, said in people.items()}
    mined = {name: one.take(kept[name]) for name, one in mined.items()}
    with progress("Comparing"):
        made = _boards(sets, files, gathered, opened, people, target_fnr, published, intervals)
    boards, said = made[0], [*_said(made[0], files, whole, gathered), *made[1]]
    searched = opened.search_gallery(intervals, progress)
    shown = ReportInputs(
        title=f"{len(gathered.models)} models compared",
        faces=present,
        boards=boards,
        ranks={name: one.ranks for name, one in mined.items()},
        quantiles={name: one.quantiles for name, one in mined.items()},
        unseen=frozenset(path for one in opened.embeddings for path in one.skipped),
        **_described(present, files, gathered, intervals, opened.named, progress),
        funnel=_funnel(opened, sets, gathered, searched),
        warnings=[*opened.notes, *against, *said, *_unpublished(boards, published)],
        hubness={f"{name} pairs": Hubness.of_negatives(one) for name, one in sets.items()},
        agreement=_agreements(sets, people, intervals),
        census=opened.take_census(boards, run.root / f".{STEM}.search", progress),
        identification=searched,
        max_pixels=sources.encoding.max_pixels,
    )
    written = _write(run, shown, spreadsheet_safe, progress)
    # What is of an earlier comparison is known by its manifest: while that stands.
    older.remove_but([*written, run.root / "compare.json"])
    written.append(_write_manifest(run, files, gathered, target_fnr, sources.missing, intervals))
    run.finish([*opened.homes, *map(folder_of, sources.embeddings), *older.strangers])
    return Compared.of(run, shown, written)


def _described(
    faces: Faces,
    files: Mapping[str, Path],
    gathered: Gathered,
    intervals: IntervalOptions,
    named: Mapping[str, Embeddings],
    progress: Progress,
) -> _Described:
    """Numbers that the report begins with, the map of its identities, and the origin of it all."""
    provenance = Provenance(
        day_made(),
        typed_command(),
        intervals.seed,
        installed("lookalikes", "numpy", "torch"),
        {name: sha256(path) for name, path in files.items()},
        {model: gathered.fingerprints.get(model) for model in gathered.models},
        gathered.measures,
        made_rows(files),
    )
    with progress("Mapping identities"):
        layout = layout_of(named, faces)
    return {"facts": _facts(faces, gathered), "provenance": provenance, "layout": layout}


def _funnel(
    opened: OpenSources,
    sets: Mapping[str, PairSet],
    gathered: Gathered,
    searched: GallerySearch | None,
) -> list[FunnelRow]:
    """Images, pairs and probes that are left out; who is in the gallery, and searched for."""
    rows = [*unread_rows(opened.embeddings), *set_rows(sets, gathered)]
    return rows if searched is None else [*rows, *searched.funnel]


def _settings(given: Mapping[str, object]) -> dict[str, object]:
    """The arguments that an interrupted comparison goes on with alone."""
    encoding = given["encoding"]
    assert isinstance(encoding, EmbeddingOptions)
    without = (*UNSETTLED, *_NO_SETTINGS)
    settings = settings_of(given, paths=("faces", "pairs"), without=without)
    return settings | encoding.settled


def _files(pairs: Sequence[str | Path], given: Sequence[Path], out: Path) -> dict[str, Path]:
    """Pair files by the names of their sets; like what else is given, not within `out`."""
    files = named_sets(list(map(Path, pairs)), out)
    for file in given:
        refuse_inside_out(file, out)
    return files


def _present(
    sources: ScoreSources,
    sets: Mapping[str, PairSet],
    told: Mapping[str, str] | None,
    identities: Rule | None,
    progress: Progress,
) -> Faces:
    """The faces of all sets; all there are in the folder, where these count."""
    faces = sources.faces
    assert faces is not None  # a comparison has them
    if sources.whole:
        if told is not None and identities is None:
            raise PairSetError(
                "the pair files say who their faces show, and not of the other faces, which "
                f"{'all pairs are of' if sources.all_pairs else 'are searched, too'}; tell it with "
                "--identity-level, --identity-pattern or --identities"
            )
        with progress("Reading the folder of faces"):
            found = Faces.scan(faces, identities)
        found.positions(path for one in sets.values() for path in one.paths)
        return found
    needed = sorted({path for one in sets.values() for path in one.paths})
    with progress("Looking for the faces"):
        return resolve(faces, needed, told)


def _opened(sources: ScoreSources) -> OpenSources:
    """The sources, of which there must be some, and none that is of one pair file alone."""
    found = sources.open(without=("submissions",))
    if not sources:
        raise ScoresError("no model to compare; name models, scores or embeddings")
    return found


def _ranked(sets: Mapping[str, PairSet], files: Mapping[str, Path]) -> dict[str, RankColumns]:
    """The rank columns beside the pair files that have some."""
    found = {name: mined_beside(path, sets[name]) for name, path in files.items()}
    return {name: one for name, one in found.items() if one is not None}


def _contradictions(
    sets: Mapping[str, PairSet], files: Mapping[str, Path], intervals: IntervalOptions
) -> list[str]:
    """Sentences on pairs that say otherwise than their identities."""
    by = intervals.clusters
    return [
        text for name, one in sets.items() for text in contradictions(one, by, str(files[name]))
    ]


def _said(
    boards: Sequence[Leaderboard],
    files: Mapping[str, Path],
    whole: Mapping[str, PairSet],
    gathered: Gathered,
) -> list[str]:
    """Sentences on the tables: where positives score lower than negatives, unless mined."""
    low = [
        text
        for one in (board.comparison for board in boards)
        if one is not None and not was_mined(files[one.name], whole[one.name])
        for text in low_aucs(one.name, one.aucs, gathered)
    ]
    return [*low, *(text for board in boards for text in board.warnings)]


def _facts(faces: Faces, gathered: Gathered) -> list[tuple[str, str]]:
    """Numbers that the report begins with."""
    return [
        ("Faces", f"{len(faces):,}"),
        ("Identities", f"{faces.count_identities:,}"),
        ("Models", f"{len(gathered.models):,}"),
    ]


def _refuse_lacking(sets: Mapping[str, PairSet], files: Mapping[str, Path]) -> None:
    """Raise PairSetError for a set without positives, or without negatives."""
    for name, one in sets.items():
        refuse_lacking(one, [0, 1], str(files[name]))


def _write(
    run: RunFolder, shown: ReportInputs, spreadsheet_safe: bool, progress: Progress
) -> list[Path]:
    """Write tables, figures and report; returns their paths."""
    written = write_leaderboards(run.leaderboard, shown.boards)
    written += write_differences((run.root / DIFFERENCES).with_suffix(""), shown.comparisons)
    for found in shown.comparisons:
        scores, verdicts, curves = (run.root / f"{found.name}.{what}.csv" for what in TABLES)
        rank = shown.ranks.get(found.name)
        written.append(write_scores(scores, found.pairs, found.scores, rank))
        written += [write_verdicts(verdicts, found), write_curves(curves, found)]
    if shown.census is not None:
        written += write_census(run.root / STEM, shown.census)
    with progress("Drawing figures") as step:
        written += draw_figures(shown, run.report.parent / "figures", step)
    if spreadsheet_safe:
        written += write_copies(tables_of(written))
    if shown.identification is not None:
        written += write_search(
            run.identification, shown.identification, spreadsheet_safe=spreadsheet_safe
        )
    with progress("Drawing the report"):
        written.append(write_report(report_of(shown), run.report))
    return written


def _write_manifest(
    run: RunFolder,
    files: Mapping[str, Path],
    gathered: Gathered,
    target_fnr: float | str | None,
    missing: Missing,
    intervals: IntervalOptions,
) -> Path:
    """Write what was compared, and how, beside the tables."""
    content = {
        "schema": SCHEMA,
        "kind": "comparison",
        "sets": {name: {"sha256": sha256(path)} for name, path in files.items()},
        "models": {model: gathered.fingerprints.get(model) for model in gathered.models},
        "parameters": {
            "target_fnr": target_fnr,
            "missing": missing,
            "distances": sorted(gathered.distances),
            **vars(intervals),
        },
        "versions": versions("lookalikes", "numpy", "pandas"),
    }
    return write_json(run.root / "compare.json", content)


def _told(sets: Mapping[str, PairSet]) -> dict[str, str] | None:
    """Who each face of all sets shows; None where the folders say it.

    Raises:
        PairSetError: two sets say that a face is somebody else.
    """
    if all(one.named is None for one in sets.values()):
        return None
    found: dict[str, tuple[str, str]] = {}
    for name, one in sets.items():
        for path in one.paths:
            before = found.setdefault(path, (one.identity(path), name))
            if before[0] != one.identity(path):
                raise PairSetError(
                    f"{path!r} is {before[0]!r} in {before[1]}, {one.identity(path)!r} in {name}; "
                    "tell who is shown alike in all sets (--identity-level, --identity-pattern, "
                    "--identities)"
                )
    return {path: who for path, (who, _) in found.items()}


@dataclass(frozen=True)
class _Older:
    """Files that lay in the folder before: of an older comparison, which go, and of others.

    Attributes:
        files: that a comparison with other models or sets would leave behind.
        strangers: embeddings that no comparison put there.
        identification: folder of a search.
    """

    files: Sequence[Path]
    strangers: Sequence[Path]
    identification: Path

    @classmethod
    def of(cls, folder: RunFolder) -> _Older:
        """The older files of a folder that need not be there."""
        root = folder.root
        try:
            content = read_object(root / "compare.json", "the manifest of a comparison")
            # Only of this folder, whatever the file says.
            names = [name for name in content.inner("sets").content if Path(name).name == name]
        except (OSError, JsonError):
            names = []
        ours = bool(names) or folder.marker.exists()
        files = [root / f"{name}.{what}.csv" for name in names for what in TABLES]
        files += [root / f"{STEM}{end}" for end in ENDS] if names else []
        if ours:
            files += drawn_files(root / "figures")
            tables = [*tables_of(files), folder.leaderboard.with_suffix(".csv"), root / DIFFERENCES]
            files += [*copies_of(tables), *files_in(folder.identification)]
        strangers = [] if ours else [*(root / "embeddings").glob("*")]
        return cls(files, strangers, folder.identification)

    def remove_but(self, written: Sequence[Path]) -> None:
        """Remove those that were not written anew."""
        for file in {*self.files} - {*written}:
            file.unlink(missing_ok=True)
        if any(file.parent == self.identification for file in self.files):
            # Others' files stay, and their folder with them.
            with suppress(OSError):
                self.identification.rmdir()


def _unpublished(boards: Sequence[Leaderboard], published: bool) -> list[str]:
    """A sentence where published rows were asked for, and no set has any."""
    if not published or any(board.apart or board.beside_published for board in boards):
        return []
    return [
        "No published rows: none of the sets is ZACI-20's own, nor is one called random or "
        "adversarial"
    ]


def _agreements(
    sets: Mapping[str, PairSet],
    people: Mapping[str, Mapping[str, PairSet]],
    intervals: IntervalOptions,
) -> dict[str, Agreement]:
    """By set, the agreement of those who judged it, where they are more than one."""
    found = {name: with_own(one, people[name]) for name, one in sets.items()}
    return {
        name: agreement(ones, clusters=intervals.clusters)
        for name, ones in found.items()
        if len(ones) > 1
    }


def _boards(
    sets: Mapping[str, PairSet],
    files: Mapping[str, Path],
    gathered: Gathered,
    opened: OpenSources,
    people: Mapping[str, Mapping[str, PairSet]],
    target_fnr: float | str | None,
    published: bool,
    intervals: IntervalOptions,
) -> tuple[list[Leaderboard], list[str]]:
    """A table a set, in the order given, and sentences on kin of what mined, where not known.

    The thresholds of one are carried to the others.
    """
    base = "random" if "random" in sets else next(iter(sets))
    carried: dict[str, tuple[float, str]] | None = None
    boards: dict[str, Leaderboard] = {}
    vectors = opened.embeddings
    how = search_on(opened.asked.encoding.device) if vectors else None
    kin = {one: kinships_of(one, files, sets, gathered, vectors, how) for one in sets}
    for name in sorted(sets, key=lambda one: one != base):
        boards[name] = make_leaderboard(
            name,
            sets[name],
            gathered.scores[name],
            target_fnr,
            mined_by=gathered.mined_by(files[name]),
            kinships=kin[name].by_model,
            published=published_for(name, sets[name]) if published else None,
            annotators=rates_of(people[name], intervals.clusters),
            missing="reject",
            turned=gathered.distances,
            dropped=gathered.dropped[name],
            carried=carried,
            **vars(intervals),
        )
        if carried is None:
            found = boards[name].comparison
            cuts = found.thresholds if found is not None else {}
            carried = {model: (cut, base) for model, cut in cuts.items()}
    return [boards[name] for name in sets], [text for one in kin.values() for text in one.warnings]
