"""Models compared on pair files: embed what is not cached, score, evaluate, draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mining.annotating import people_of, rates_of, with_own
from mining.embeddings import Embeddings
from mining.encoder import Encoding
from mining.gathering import Gathered, Named, gather
from mining.models import Model
from mining.refusals import refuse_lacking
from mining.run import Progress, RunError, RunFolder, embeddings_name, silent
from mining.scoring import QUANTILE, RANK, read_quantiles, read_ranks, write_scores
from mining.showing import Shown, draw_figures, report_of
from pairsets.annotators import Agreement, agreement
from pairsets.artefacts import sha256, versions, write_json
from pairsets.bootstrap import DRAWS
from pairsets.clusters import By
from pairsets.comparison import compare
from pairsets.difference_tables import write_differences, write_verdicts
from pairsets.errors import PairSetError, ScoresError
from pairsets.faces import resolve
from pairsets.hubness import Hubness
from pairsets.leaderboard import Leaderboard, make_leaderboard, write_leaderboards
from pairsets.pairset import PairSet
from pairsets.published import PUBLISHED
from pairsets.report import FunnelRow, write_report

SCHEMA = 1


@dataclass(frozen=True, eq=False)
class Compared:
    """What `compare_models` found and wrote.

    Attributes:
        folder: where it lies.
        leaderboards: one a set; their `comparison` has the differences.
        files: what was written, report and figures among it.
        funnel: what was left out.
        warnings: what a user should look at.
        hubness: who fills the negatives of each set.
        agreement: of several people, by set.
    """

    folder: RunFolder
    leaderboards: Sequence[Leaderboard]
    files: Sequence[Path]
    funnel: Sequence[FunnelRow]
    warnings: Sequence[str] = ()
    hubness: Mapping[str, Hubness] = field(default_factory=dict)
    agreement: Mapping[str, Agreement] = field(default_factory=dict)


def compare_models(
    faces: str | Path,
    pairs: Sequence[str | Path],
    *,
    out: str | Path,
    models: Sequence[str] = (),
    scores: Sequence[Named] = (),
    embeddings: Sequence[Path] = (),
    annotators: Sequence[Named] = (),
    target_fnr: float | str | None = None,
    published: bool = False,
    clusters: By = "character",
    draws: int = DRAWS,
    seed: int = 0,
    cache: Path | None = None,
    encoding: Encoding | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Compared:
    """Evaluate models on pair files side by side: tables, differences, verdicts, report, figures.

    The thresholds found on the set called `random`, or on the first where there is none, are
    carried to the others. An interrupted comparison goes on when called again.

    Args:
        faces: folder that the pairs' paths lie in; only faces of pairs are embedded.
        pairs: pair files; their names, without suffix, are those of the sets.
        out: folder for what is written.
        models: `family:argument` of models to run.
        scores: score files.
        embeddings: folders written by `lookalikes embed`.
        annotators: pair files of further people who judged; each counts for the sets whose pairs
            it has.
        target_fnr: see `pairsets.evaluate`; None is each set's own human FNR, where it was judged.
        published: add ZACI-20's rows to the sets called `random` and `adversarial`.
        clusters: what pairs share that makes them depend on one another.
        draws: of the bootstrap.
        seed: of the draws.
        cache: where vectors are kept; `out`/embeddings if not given.
        encoding: how models run and images are read.
        overwrite: replace a finished comparison.
        progress: shows how far each step is.

    Raises:
        PairsetsError, ModelError, EmbeddingError: the user's input; nothing but a marked,
            unfinished folder is left behind.
    """
    encoding = encoding or Encoding()
    out = Path(out)
    files = _sets(list(map(Path, pairs)), out)
    sets = {name: PairSet.read(path) for name, path in files.items()}
    for name, one in sets.items():
        refuse_lacking(one, [0, 1], str(files[name]))
    people = people_of(sets, annotators)
    found = [Embeddings.load(folder) for folder in embeddings]
    needed = sorted({path for one in sets.values() for path in one.paths})
    with progress("Looking for the faces"):
        present = resolve(Path(faces), needed)
    if not (models or scores or embeddings):
        raise ScoresError("no model to compare; name models, scores or embeddings")
    # Before the work on models, so that a fault in a file is told first.
    given = gather(sets, scores, found)
    for name, one in sets.items():
        compare(name, one, given.scores[name], target_fnr, draws=0)
    loaded = [encoding.load(spec) for spec in dict.fromkeys(models)]
    _refuse_twins(loaded)
    run = RunFolder.start(out, overwrite=overwrite, faces=Path(faces))
    homes = [(cache or run.root / "embeddings") / embeddings_name(model) for model in loaded]
    for model, home in zip(loaded, homes, strict=True):
        found.append(encoding.embed(present, model, home, progress))
    funnel = _skipped_rows(sets, found)
    sets = {name: _without_skipped(one, found) for name, one in sets.items()}
    gathered = gather(sets, scores, found)
    with progress("Comparing"):
        boards = _boards(
            sets, files, gathered, people, target_fnr, published, clusters, draws, seed
        )
    agreed = {
        name: agreement(with_own(sets[name], ones), clusters=clusters)
        for name, ones in people.items()
        if len(with_own(sets[name], ones)) > 1
    }
    mined = {name: _mined(path, sets[name]) for name, path in files.items()}
    shown = Shown(
        title=f"{len(gathered.models)} models compared",
        faces=present,
        boards=boards,
        ranks={name: one.ranks for name, one in mined.items() if one is not None},
        quantiles={name: one.quantiles for name, one in mined.items() if one is not None},
        facts=[
            ("Faces", f"{len(present):,}"),
            ("Characters", f"{present.count_characters:,}"),
            ("Models", f"{len(gathered.models):,}"),
        ],
        funnel=funnel,
        warnings=[text for board in boards for text in _warnings(board)],
        hubness={f"{name} pairs": Hubness.of_negatives(one) for name, one in sets.items()},
        agreement=agreed,
        max_pixels=encoding.max_pixels,
    )
    written = write_leaderboards(run.leaderboard, boards)
    if draws:
        written += write_differences(run.root / "differences", shown.comparisons)
    for found_on in shown.comparisons:
        stem, rank = run.root / found_on.name, shown.ranks.get(found_on.name)
        scores_file, verdicts_file = (
            stem.with_name(f"{stem.name}.{what}.csv") for what in ("scores", "verdicts")
        )
        written.append(write_scores(scores_file, found_on.pairs, found_on.scores, rank))
        written.append(write_verdicts(verdicts_file, found_on))
    with progress("Drawing figures") as step:
        written += draw_figures(shown, run.report.parent / "figures", step)
    with progress("Drawing the report"):
        written.append(write_report(report_of(shown), run.report))
    written.append(
        write_json(
            run.root / "compare.json",
            {
                "schema": SCHEMA,
                "kind": "comparison",
                "sets": {name: {"sha256": sha256(path)} for name, path in files.items()},
                "models": {model: gathered.fingerprints.get(model) for model in gathered.models},
                "parameters": {
                    "target_fnr": target_fnr,
                    "clusters": clusters,
                    "draws": draws,
                    "seed": seed,
                },
                "versions": versions("lookalikes", "numpy", "pandas"),
            },
        )
    )
    run.finish([*homes, *embeddings])
    return Compared(
        run, boards, written, funnel, shown.warnings, hubness=shown.hubness, agreement=agreed
    )


@dataclass(frozen=True, eq=False)
class _Mined:
    """What the score file beside a mined pair file tells of its making."""

    ranks: NDArray[np.int64]
    quantiles: Mapping[str, NDArray[np.float64]]


def _mined(path: Path, pairs: PairSet) -> _Mined | None:
    """None where there is no such file, or nothing in it has a rank."""
    beside = path.with_suffix(".scores.csv")
    try:
        with beside.open(encoding="utf-8-sig") as stream:
            columns = stream.readline().strip().split(",")
    except (OSError, UnicodeDecodeError):
        return None
    if RANK not in columns:
        return None
    ranks = read_ranks(beside, pairs)
    if not ranks.any():
        return None
    return _Mined(ranks, read_quantiles(beside, pairs) if QUANTILE in columns else {})


def _sets(paths: Sequence[Path], out: Path) -> dict[str, Path]:
    """Pair files by the names of their sets."""
    if not paths:
        raise PairSetError("no pair file to compare models on; expected at least one")
    found: dict[str, Path] = {}
    for path in paths:
        if path.stem in found:
            raise PairSetError(
                f"{path}: a second set called {path.stem}, beside {found[path.stem]}; rename one"
            )
        if path.resolve().is_relative_to(out.resolve()):
            raise RunError(f"{path}: inside {out}, which this command writes; choose another --out")
        found[path.stem] = path
    return found


def _boards(
    sets: Mapping[str, PairSet],
    files: Mapping[str, Path],
    gathered: Gathered,
    people: Mapping[str, Mapping[str, PairSet]],
    target_fnr: float | str | None,
    published: bool,
    clusters: By,
    draws: int,
    seed: int,
) -> list[Leaderboard]:
    """A table a set, in the order given; the thresholds of one are carried to the others."""
    base = "random" if "random" in sets else next(iter(sets))
    carried: dict[str, tuple[float, str]] | None = None
    boards: dict[str, Leaderboard] = {}
    for name in sorted(sets, key=lambda one: one != base):
        boards[name] = make_leaderboard(
            name,
            sets[name],
            gathered.scores[name],
            target_fnr,
            mined_by=gathered.mined_by(files[name]),
            published=PUBLISHED.get(name, ()) if published else (),
            annotators=rates_of(people[name], clusters),
            clusters=clusters,
            draws=draws,
            seed=seed,
            carried=carried,
        )
        if carried is None:
            found = boards[name].comparison
            cuts = found.thresholds if found is not None else {}
            carried = {model: (cut, base) for model, cut in cuts.items()}
    return [boards[name] for name in sets]


def _warnings(board: Leaderboard) -> list[str]:
    return [] if board.comparison is None else board.comparison.warnings


def _refuse_twins(models: Sequence[Model]) -> None:
    seen: dict[str, str] = {}
    for model in models:
        other = seen.setdefault(model.fingerprint, model.name)
        if other != model.name:
            raise ScoresError(
                f"{model.name}: the same model as {other}, with the same weights; name it once"
            )


def _skipped(found: Sequence[Embeddings]) -> set[str]:
    return {path for one in found for path in one.skipped}


def _skipped_rows(sets: Mapping[str, PairSet], found: Sequence[Embeddings]) -> list[FunnelRow]:
    rows = []
    lost = _skipped(found)
    if lost:
        rows.append(FunnelRow("embed", "images that cannot be read", len(lost)))
    for name, pairs in sets.items():
        gone = len(pairs) - len(_without_skipped(pairs, found))
        if gone:
            rows.append(FunnelRow(name, "pairs with an image that cannot be read", gone))
        invalid = int((~pairs.valid).sum())
        if invalid:
            rows.append(FunnelRow(name, "pairs marked invalid", invalid))
        kept = int(_without_skipped(pairs, found).valid.sum())
        rows.append(FunnelRow(name, "pairs evaluated", kept, kept=True))
    return rows


def _without_skipped(pairs: PairSet, found: Sequence[Embeddings]) -> PairSet:
    lost = _skipped(found)
    if not lost:
        return pairs
    kept = [not (a in lost or b in lost) for a, b in zip(pairs.path_a, pairs.path_b, strict=True)]
    return pairs.take(np.array(kept, bool))
