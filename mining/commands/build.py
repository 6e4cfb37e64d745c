"""A folder of faces and references -> a benchmark: the one place that wires all stages."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mining.commands.build_cast import Cast, LoadedCast, Member, Members
from mining.commands.build_report import Run, Scores, TableOptions, draw_report
from mining.commands.build_search import refuse_no_gallery, with_layout, with_search
from mining.commands.command_line import typed_command
from mining.commands.pair_file import write_pair_file
from mining.commands.run_folder import UNSETTLED, RunFolder
from mining.embeddings.options import EmbeddingOptions
from mining.embeddings.store import Embeddings
from mining.miners.fold_results import Content
from mining.miners.fused_negatives import left_out
from mining.miners.inputs import (
    Joined,
    MinerInputs,
    MiningOptions,
    RandomSet,
    of_faces,
    refuse_unfit,
)
from mining.miners.negatives import DEFAULT_PAIRS
from mining.miners.provenance import (
    accounts_of,
    identities_digest,
    manifest,
    mining_rows,
)
from mining.miners.search import Search
from mining.miners.suspect_free import dropped_rows
from mining.scores.census import take_all
from mining.scores.collection import Gathered, measure_of
from mining.scores.kinship import Kinships
from mining.scores.pair_files import without_skipped
from mining.scores.score_pairs import score_pairs
from pairsets.evaluation.census import CensusComparison
from pairsets.evaluation.human import resolve_target
from pairsets.faces import Faces
from pairsets.files.side_files import suspects_of
from pairsets.funnel import FunnelRow, faces_rows
from pairsets.identities.rules import Rule
from pairsets.pairset import PairSet, refuse_lacking
from pairsets.progress import Progress, silent
from pairsets.report.provenance import Provenance, day_made
from pairsets.storage.artefacts import installed
from pairsets.storage.digests import sha256
from pairsets.storage.publication import alone
from pairsets.storage.settings import settings_of
from pairsets.tables.census import ENDS, STEM, write_census
from pairsets.tables.leaderboard import Leaderboard, LeftOut, make_leaderboard, write_leaderboards
from pairsets.tables.published_rows import PUBLISHED

# Arguments of a build that are paths.
_PATHS = ("faces", "exclude", "test_pairs", "ignore_list")
# Of embeddings alone: a build makes its own.
_UNSET = (*UNSETTLED, "missing")


@alone(folder=True)
def build(
    faces: str | Path,
    references: Members,
    *,
    out: str | Path,
    models: Sequence[Member] = (),
    identities: Rule | None = None,
    pairs: int = DEFAULT_PAIRS,
    mining: MiningOptions | None = None,
    random: RandomSet | None = None,
    tables: TableOptions | None = None,
    encoding: EmbeddingOptions | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Run:
    """A folder of faces in, an adversarial benchmark out.

    Embeds the faces, mines the reference model's most confusable cross-identity pairs, evaluates
    every model on the random and the adversarial pairs, draws the figures and the report. An
    interrupted build goes on when called again. Several references mine together; each is then
    evaluated on what the others mined without it, too.

    Args:
        faces: folder with one folder per identity.
        references: `family:argument` of the model that mines, or of several. Vectors that exist
            already stand for a model that is not run: a `Path` of their folder, `NAME=FOLDER` too,
            or `Embeddings`; they have to be of the very faces.
        out: the run's folder.
        models: further models to evaluate, likewise.
        identities: who each picture shows, where that is not its folder: `ByLevel`, `ByPattern` or
            `ByList`.
        pairs: how many adversarial negatives.
        mining: which of the best pairs are taken, a `mining.miners.inputs.MiningOptions`. The
            first of `models` may veto, where suspects are dropped.
        random: a `mining.miners.inputs.RandomSet`, whose positives the adversarial set re-uses.
        tables: what the tables show, a `mining.commands.build_report.TableOptions`.
        encoding: how models run and images are read.
        overwrite: replace a finished run.
        progress: shows how far each step is.

    Raises:
        PairsetsError, MiningError, IndexesError: the user's input; nothing but a
            marked, unfinished run is left behind.
    """
    mining, random = mining or MiningOptions(), random or RandomSet()
    tables, encoding = tables or TableOptions(), encoding or EmbeddingOptions()
    named = Cast.of(references, models)
    encoding.refuse_cache(Path(out), Path(faces))
    asked: dict[str, object] = {"faces": faces, "references": references, "models": models}
    asked |= {"identities": identities, "pairs": pairs, **vars(mining), **vars(random)}
    asked |= vars(tables)
    named.refuse_places(Path(out))
    settings = settings_of(asked | named.settings | encoding.settled, paths=_PATHS, without=_UNSET)
    search = _search(mining, encoding.device, len(named.miners))
    mining = _aim_drop(mining, Path(faces), encoding, named)
    given = MinerInputs.read(mining, random)
    with progress("Reading the folder of faces"):
        found = Faces.scan(faces, identities)
    test = _read_test_pairs(given, found, tables)
    cast = named.load(found, encoding, floor=tables.floor, progress=progress)
    run = RunFolder.start(Path(out), overwrite=overwrite, faces=Path(faces), settings=settings)
    embedded = cast.embed(run, encoding, progress)
    sources = dict(zip(cast.names[: cast.count], embedded, strict=False))
    own, lost = _random_set(given, test, embedded)
    before = [*faces_rows(found), *cast.embedding_rows(found, embedded[0]), *lost]
    # The first of the further ones stands behind those that mine.
    vetoing = embedded[cast.count] if mining.vetoed else None
    checks, looked_with, abstained = given.look_for_suspects(embedded[: cast.count], vetoing)
    parameters, inputs = _describe(given, pairs, embedded[0])
    mined_with = parameters | mining.parameters
    mined_of = inputs | given.exclusions_digest | looked_with
    mined = search.checking(checks, [mined_with, mined_of], sources).mine(
        sources, pairs, run.work, ignore=given.ignored, exclude=given.excluded, progress=progress
    )
    joined = Joined(own, given.ignored, drawn=test is None)
    content = Content.of(mined, joined, seed=random.seed)
    funnel = [*before, *content.funnel, *(dropped_rows(mined.looked) if mined.looked else [])]
    apart = left_out(mined, mined.references, own, seed=random.seed)
    sets = {"random": own, "adversarial": content.pairs}
    scores = {name: _score(one, cast.names, embedded) for name, one in sets.items()}
    known = Gathered({"random": scores["random"]}, cast.fingerprints)
    before_ours = known.mined_by(Path(random.test_pairs)) if random.test_pairs is not None else []
    mined_by = {"random": before_ours, "adversarial": [*mined.references]}
    kin = cast.kinships(embedded, mined, random.seed, encoding.device, progress)
    boards = _evaluate(sets, scores, mined_by, apart, tables, random.seed, kin)
    content_of_random = manifest("random", own, parameters, inputs, funnel)
    write_pair_file(run.pairs("random"), own, content_of_random, scores["random"])
    write_pair_file(
        run.pairs("adversarial"),
        content.pairs,
        content.manifest("adversarial", mined_with, mined_of, funnel),
        scores["adversarial"],
        rank=content.rank,
        quantiles=content.quantiles,
        suspects=content.looked,
    )
    without = dict(zip(apart, map(run.without, cast.plain_names), strict=False))
    for name, path in without.items():
        theirs, row = mined.without[name], apart[name]
        rows = [*before, *mining_rows(theirs, joined)]
        said, told = mined_with | {"without": name}, accounts_of(theirs)
        row.pairs.write(path, manifest("leave-one-out", row.pairs, said, mined_of, rows, **told))
    write_leaderboards(run.leaderboard, boards)
    warnings = [*cast.notes, *_warnings(random, before_ours), *found.notes]
    warnings += [*abstained, *content.warnings_beside(run.pairs("adversarial"))]
    made = Run(
        run,
        embedded[0].faces,
        own,
        content.pairs,
        scores,
        boards,
        funnel,
        warnings,
        content.hubness,
        mined_by["adversarial"],
        None if mined.fusion is None else mined.fusion.method,
        content.quantiles,
        without,
        suspects_of(run.pairs("adversarial")) if mined.looked else None,
        _census(cast, embedded, tables, boards, run, encoding.device, given.ignored, progress),
        provenance=_provenance(cast, embedded, run, random.seed),
    )
    sources = dict(zip(cast.names, embedded, strict=True))
    made = with_search(made, sources, tables, given, progress)
    made = with_layout(made, sources, progress)
    with progress("Drawing the report") as step:
        draw_report(made, made.references, content.rank, encoding.max_pixels, step)
    run.finish([run.embeddings(model) for model in cast.loaded], without.values())
    return made


def _provenance(
    cast: LoadedCast, embedded: Sequence[Embeddings], run: RunFolder, seed: int
) -> Provenance:
    """Origin of what the report shows, once the pair files are written."""
    return Provenance(
        day_made(),
        typed_command(),
        seed,
        installed("lookalikes", "numpy", "torch"),
        {name: sha256(run.pairs(name)) for name in ("random", "adversarial")},
        cast.fingerprints,
        dict(zip(cast.names, map(measure_of, embedded), strict=True)),
    )


def _search(mining: MiningOptions, device: str, count: int) -> Search:
    """The search, which is one that so many references can mine by."""
    search = Search(
        "negative", mining.fusion, mining.rules, device=device, crews=mining.crews, each=True
    )
    search.refuse_unfit(count)
    return search


def _describe(
    given: MinerInputs, pairs: int, embedded: Embeddings
) -> tuple[dict[str, object], dict[str, object]]:
    """Parameters and inputs of the manifest of the random pairs."""
    random = given.random
    sizes = {"positives": random.positives, "negatives": random.negatives}
    images = {"images_sha256": embedded.manifest["images_sha256"]}
    return (
        {"pairs": pairs, **sizes, "seed": random.seed},
        images | identities_digest(embedded) | random.digests,
    )


def _aim_drop(
    mining: MiningOptions,
    faces: Path,
    encoding: EmbeddingOptions,
    named: Cast,
) -> MiningOptions:
    """Look for the suspects to drop among these faces; refuse early what cannot be looked for."""
    if mining.drop is None:
        return mining
    drop = replace(mining.drop, faces=faces, max_pixels=encoding.max_pixels)
    drop.refuse_early(named.further, named.named)
    return replace(mining, drop=drop)


def _read_test_pairs(given: MinerInputs, faces: Faces, tables: TableOptions) -> PairSet | None:
    """The random set where it is a file; refuse what cannot be mined, joined or evaluated."""
    test, source = given.random.test_pairs, faces.root
    pairs = PairSet.read(test) if test is not None else None
    given.refuse_misfit(faces, faces.root)
    given.refuse_audit(faces, sizes=True)
    if pairs is None:
        trial = given.random.draw(faces, given.ignored)
    else:
        trial, source = of_faces(pairs, faces, str(test)), Path(str(test))
    refuse_lacking(trial, [0, 1], str(source))
    refuse_unfit(trial, str(source))
    resolve_target(trial, tables.target_fnr)
    refuse_no_gallery(faces, tables, given)
    return None if pairs is None else trial


def _random_set(
    given: MinerInputs, test: PairSet | None, embedded: Sequence[Embeddings]
) -> tuple[PairSet, list[FunnelRow]]:
    """The random set of the faces that could be embedded; what test pairs lose."""
    if test is None:
        return given.random.draw(embedded[0].faces, given.ignored), []
    return without_skipped(test, embedded, "random", "test pairs")


def _score(
    pairs: PairSet, names: Sequence[str], embedded: Sequence[Embeddings]
) -> dict[str, Scores]:
    """Scores of the pairs by model."""
    return {name: score_pairs(pairs, one) for name, one in zip(names, embedded, strict=True)}


def _evaluate(
    sets: Mapping[str, PairSet],
    scores: Mapping[str, Mapping[str, Scores]],
    mined_by: Mapping[str, Sequence[str]],
    apart: Mapping[str, LeftOut],
    tables: TableOptions,
    seed: int,
    kin: Kinships,
) -> list[Leaderboard]:
    """A leaderboard of each set, at the target and the thresholds of the random one."""
    target = resolve_target(sets["random"], tables.target_fnr)
    boards: list[Leaderboard] = []
    for name, pairs in sets.items():
        thresholds = boards[0].comparison.thresholds if boards and boards[0].comparison else {}
        boards.append(
            make_leaderboard(
                name,
                pairs,
                scores[name],
                target,
                mined_by=mined_by[name] or None,
                left_out=apart if name == "adversarial" else None,
                kinships=kin.by_model if name == "adversarial" else None,
                published=PUBLISHED[name] if tables.published else None,
                seed=seed,
                carried={model: (cut, "random") for model, cut in thresholds.items()},
            )
        )
    return boards


def _census(
    cast: LoadedCast,
    embedded: Sequence[Embeddings],
    tables: TableOptions,
    boards: Sequence[Leaderboard],
    run: RunFolder,
    device: str,
    ignore: Collection[str],
    progress: Progress,
) -> CensusComparison | None:
    """The models over all pairs, written beside the tables; None where it is not asked for."""
    stem = run.root / STEM
    stale = [stem.with_name(stem.name + end) for end in ENDS]
    left = embedded[0].faces.groups[embedded[0].faces.without(ignore)]
    # Where test pairs alone have positives, no identity may be left with two faces.
    few = tables.all_pairs is None and len(np.unique(left)) == len(left)
    if few or not tables.counts_all(embedded):
        for file in stale:
            file.unlink(missing_ok=True)
        return None
    found = take_all(
        dict(zip(cast.names, embedded, strict=True)),
        next(board.comparison for board in boards if board.comparison is not None).target_fnr,
        device=device,
        ignore=ignore,
        progress=progress,
        checkpoint=run.root / f".{STEM}.search",
    )
    write_census(stem, found)
    return found


def _warnings(random: RandomSet, mined_by: Sequence[str]) -> list[str]:
    """A sentence on test pairs that a model mined."""
    if not mined_by:
        return []
    return [
        f"{random.test_pairs}: a model mined these pairs, so that no rate on them is one of random "
        "pairs; lookalikes random draws such."
    ]
