"""A folder of faces and references -> a benchmark: the one place that wires all stages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from indexes import FlatIndex
from mining.commands.build_report import Run, draw_report
from mining.commands.run_folder import UNSETTLED, RunFolder
from mining.embeddings.options import FLOOR, EmbeddingOptions, notes_of
from mining.embeddings.store import skipped_rows
from mining.miners.inputs import (
    of_faces,
    refuse_misfit,
    refuse_one_character,
    refuse_single,
    refuse_unfit,
)
from mining.miners.negatives import DEFAULT_PAIRS, adversarial_pairs
from mining.miners.provenance import (
    Joined,
    hubness_of,
    identities_digest,
    manifest,
    mining_rows,
    rules_of,
)
from mining.miners.references import Hardest, mine_hardest, refuse_for_several, refuse_twice
from mining.miners.suspect_free import Kept, mine_on
from mining.models.names import model_names, plain_names
from mining.ranking.model_ranking import refuse_without_positives, search_on
from mining.ranking.rank_aggregation import Method
from mining.ranking.rules import Rules
from mining.scores.collection import Gathered
from mining.scores.pair_files import without_skipped
from mining.scores.score_pairs import score_pairs
from mining.suspects.evidence import Drop, Evidence, digests_of, dropped_rows, not_looked_at
from pairsets.evaluation.human import resolve_target
from pairsets.faces import Faces
from pairsets.files.exclusions import Exclusions, PathPairs
from pairsets.files.score_files import write_scores
from pairsets.files.side_files import suspects_of
from pairsets.files.suspects import Suspects
from pairsets.funnel import faces_rows
from pairsets.identities.rules import Rule
from pairsets.pairset import PairSet, identities_of, refuse_lacking
from pairsets.paths import read_ignore_list
from pairsets.progress import Progress, silent
from pairsets.random_set import random_pairs
from pairsets.storage.digests import sha256
from pairsets.storage.publication import alone, written_together
from pairsets.storage.resume import Parts
from pairsets.storage.settings import settings_of
from pairsets.tables.leaderboard import Leaderboard, make_leaderboard, write_leaderboards
from pairsets.tables.published import PUBLISHED

# Arguments of a build that are paths.
_PATHS = ("faces", "exclude", "test_pairs", "ignore_list")


@alone(folder=True)
def build(
    faces: str | Path,
    references: str | Sequence[str],
    *,
    out: str | Path,
    fusion: Method = "mean",
    models: Sequence[str] = (),
    identities: Rule | None = None,
    pairs: int = DEFAULT_PAIRS,
    rules: Rules | None = None,
    exclude: Sequence[str | Path] = (),
    drop: Drop | None = None,
    test_pairs: str | Path | None = None,
    ignore_list: str | Path | None = None,
    positives: int | None = None,
    negatives: int | None = None,
    target_fnr: float | str | None = None,
    published: bool = False,
    floor: bool = True,
    seed: int = 0,
    encoding: EmbeddingOptions | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Run:
    """A folder of faces in, an adversarial benchmark out.

    Embeds the faces, mines the reference model's most confusable cross-character pairs, evaluates
    every model on the random and the adversarial pairs, draws the figures and the report. An
    interrupted build goes on when called again. Several references mine together; each is then
    evaluated on what the others mined without it, too.

    Args:
        faces: folder with one folder per character.
        references: `family:argument` of the model that mines, or of several.
        out: the run's folder.
        fusion: of several references; see `mining.mine_together`.
        models: further models to evaluate.
        identities: who each picture shows, where that is not its folder: `ByLevel`, `ByPattern` or
            `ByList`.
        pairs: how many adversarial negatives.
        rules: which of the best pairs are taken; by default all of them.
        exclude: files with the columns `pathA` and `pathB`: pairs never to mine.
        drop: suspects that are replaced by the next best pairs; the first of `models` may veto.
        test_pairs: the random pair set, whose positives the adversarial set re-uses; drawn where
            it is not given.
        ignore_list: base names of images never to take into a pair.
        positives, negatives: sizes of a drawn random set; see `pairsets.random_pairs`.
        target_fnr: see `pairsets.evaluate`; one target, from the random set, serves both sets,
            whose positives are the same, and so does its threshold.
        published: add ZACI-20's published rows to the tables.
        floor: evaluate the `pixels` model too, to show what no model scores.
        seed: of the random pairs and the shuffle.
        encoding: how models run and images are read.
        overwrite: replace a finished run.
        progress: shows how far each step is.

    Raises:
        PairsetsError, MiningError, IndexesError: the user's input; nothing but a
            marked, unfinished run is left behind.
    """
    settings = settings_of(locals(), paths=_PATHS, without=UNSETTLED)
    encoding, rules = encoding or EmbeddingOptions(), rules or Rules()
    settings["precision"] = encoding.precision
    miners = [references] if isinstance(references, str) else list(references)
    refuse_for_several(len(miners), fusion, rules)
    refuse_twice(miners)
    search_on(encoding.device)
    others = list[str]()
    if drop is not None:
        drop = replace(drop, faces=Path(faces), max_pixels=encoding.max_pixels)
        others = [model for model in models if model not in miners]
        drop.refuse_early(others, models)
    excluded = [Exclusions.read(path) for path in exclude]
    with progress("Reading the folder of faces"):
        found = Faces.scan(faces, identities)
    ignored = read_ignore_list(ignore_list) if ignore_list is not None else frozenset[str]()
    given = PairSet.read(test_pairs) if test_pairs is not None else None
    if given is None:
        refuse_single(found, found.root)
    refuse_one_character(found, ignored, found.root)
    refuse_misfit(excluded, exclude, found)
    if rules.margins:
        refuse_without_positives(found, ignored)
    if given is None:
        sizes = {"positives": positives, "negatives": negatives}
        trial, source = random_pairs(found, **sizes, seed=seed, ignore=ignored), found.root
    else:
        given = of_faces(given, found, str(test_pairs))
        trial, source = given, Path(str(test_pairs))
    refuse_lacking(trial, [0, 1], str(source))
    refuse_unfit(trial, str(source))
    resolve_target(trial, target_fnr)
    specs = list(dict.fromkeys([*miners, *models, *([FLOOR] if floor else [])]))
    names = model_names(specs)
    loaded = [encoding.load(spec) for spec in specs]
    refuse_twice(miners, [model.fingerprint for model in loaded[: len(miners)]])
    run = RunFolder.start(Path(out), overwrite=overwrite, faces=Path(faces), settings=settings)
    funnel = faces_rows(found)

    embedded = [encoding.embed(found, loaded[0], run.embeddings(loaded[0]), progress)]
    kept = embedded[0].faces
    for model in loaded[1:]:
        embedded.append(encoding.embed(kept, model, run.embeddings(model), progress))
    funnel += skipped_rows(embedded[0])
    kept.write(run.faces)
    with written_together([run.index, run.index.with_suffix(".json")]) as staged:
        FlatIndex(embedded[0].vectors).save(staged / run.index.name)

    if given is None:
        random = random_pairs(
            kept, positives=positives, negatives=negatives, seed=seed, ignore=ignored
        )
    else:
        random, row = without_skipped(given, [embedded[0]], "random", "test pairs")
        funnel += row

    def search(exclude: Sequence[PathPairs]) -> Hardest:
        with progress("Comparing all pairs of faces") as step:
            return mine_hardest(
                dict(zip(names[: len(miners)], embedded, strict=False)),
                pairs,
                method=fusion,
                rules=rules,
                ignore=ignored,
                exclude=exclude,
                checkpoint=run.checkpoint,
                device=encoding.device,
                progress=step,
            )

    looked: Kept | None = None
    evidence: Evidence | None = None
    if drop is None:
        hardest = search(excluded)
    else:
        second = embedded[specs.index(others[0])] if "veto" in drop.kinds else None
        evidence = drop.evidence(embedded[: len(miners)], second)
        facts = [asdict(rules), drop.kinds, pairs, fusion, sorted(ignored), digests_of(evidence)]
        images = [
            (one.manifest["images_sha256"], *identities_digest(one).values())
            for one in embedded[: len(miners)]
        ]
        exclusions = [sha256(Path(path)) for path in exclude]
        memory = Parts(run.memory, [*facts, miners, images, exclusions])
        checks = evidence.checks(drop.kinds)
        looked = mine_on(search, checks, exclude=excluded, memory=memory, progress=progress)
        hardest = looked.hardest
    mined = hardest.mined
    adversarial, rank = adversarial_pairs(mined, random, seed=seed)
    quantiles = hardest.quantiles(rank)
    apart = hardest.left_out(random, seed=seed)
    joined = Joined(random, ignored, drawn=given is None)
    before, funnel = funnel, funnel + hardest.funnel(joined)
    if looked is not None:
        funnel += dropped_rows(looked.looked)

    sets = {"random": random, "adversarial": adversarial}
    scores = {
        name: {
            model: score_pairs(pair_set, item) for model, item in zip(names, embedded, strict=True)
        }
        for name, pair_set in sets.items()
    }
    target = resolve_target(random, target_fnr)
    prints = {name: model.fingerprint for name, model in zip(names, loaded, strict=True)}
    known = Gathered({"random": scores["random"]}, prints)
    mined_by = {
        "random": [] if test_pairs is None else known.mined_by(Path(test_pairs)),
        "adversarial": list(hardest.references),
    }
    boards: list[Leaderboard] = []
    for name, pair_set in sets.items():
        thresholds = boards[0].comparison.thresholds if boards and boards[0].comparison else {}
        mined_set = name == "adversarial"
        boards.append(
            make_leaderboard(
                name,
                pair_set,
                scores[name],
                target,
                mined_by=mined_by[name] or None,
                left_out=apart if mined_set else None,
                published=PUBLISHED[name] if published else None,
                seed=seed,
                carried={model: (cut, "random") for model, cut in thresholds.items()},
            )
        )
    inputs = {
        "images_sha256": embedded[0].manifest["images_sha256"],
        **identities_digest(embedded[0]),
        "test_pairs_sha256": None if test_pairs is None else sha256(Path(test_pairs)),
        "ignore_list_sha256": None if ignore_list is None else sha256(Path(ignore_list)),
    }
    more: dict[str, object] = {"exclude_sha256": [sha256(Path(path)) for path in exclude]}
    more |= digests_of(evidence) if evidence is not None else {}
    parameters = {"pairs": pairs, "positives": positives, "negatives": negatives, "seed": seed}
    dropping = {"drop_suspects": list(drop.kinds) if drop is not None else []}
    _write_set(
        run.pairs("random"),
        random,
        manifest("random", random, parameters, inputs, funnel),
        lambda path: write_scores(path, random, scores["random"]),
    )
    _write_set(
        run.pairs("adversarial"),
        adversarial,
        manifest(
            "adversarial",
            adversarial,
            parameters | rules_of(mined) | dropping,
            inputs | more,
            funnel,
            origin=hardest.origin,
            mined=mined,
        ),
        lambda path: write_scores(path, adversarial, scores["adversarial"], rank, quantiles),
        looked.looked if looked is not None else None,
    )
    without = dict(zip(apart, map(run.without, plain_names(loaded[: len(miners)])), strict=False))
    for name, path in without.items():
        fused = hardest.without[name]
        apart[name].pairs.write(
            path,
            manifest(
                "leave-one-out",
                apart[name].pairs,
                parameters | rules_of(fused.mined) | dropping | {"without": name},
                inputs | more,
                before + mining_rows(fused.mined, joined),
                origin=hardest.origin_of(fused),
                mined=fused.mined,
            ),
        )
    listed, warnings = suspects_of(run.pairs("adversarial")), [*found.notes, *hardest.warnings]
    if looked is not None:
        warnings = warnings + not_looked_at(adversarial, mined.label, run.pairs("adversarial"))
    if mined_by["random"]:
        warnings = [
            f"{test_pairs}: a model mined these pairs, so that no rate on them is one of random "
            "pairs; lookalikes random draws such.",
            *warnings,
        ]
    warnings = [*notes_of(loaded), *warnings]
    write_leaderboards(run.leaderboard, boards)
    made = Run(
        run,
        kept,
        random,
        adversarial,
        scores,
        boards,
        funnel,
        warnings,
        hubness_of(mined),
        list(hardest.references),
        hardest.method,
        quantiles,
        without,
        listed if looked is not None else None,
    )
    with progress("Drawing the report"):
        draw_report(made, made.references, rank, encoding.max_pixels)
    run.finish([run.embeddings(model) for model in loaded], without.values())
    return made


def _write_set(
    path: Path,
    pairs: PairSet,
    content: Mapping[str, object],
    write: Callable[[Path], object],
    suspects: Suspects | None = None,
) -> None:
    """A pair file with its manifest, scores and suspects: all of them or none."""
    scores, listed, named = path.with_suffix(".scores.csv"), suspects_of(path), identities_of(path)
    files = [path, path.with_suffix(".json"), scores]
    files += [named] if pairs.named is not None else []
    files += [listed] if suspects is not None else []
    # Of the pairs that stood here before.
    stale = [file for file in (named, listed) if file not in files]
    with written_together(files, manifest=files[1], stale=stale) as folder:
        pairs.write(folder / path.name, content)
        write(folder / scores.name)
        if suspects is not None:
            suspects.write(folder / listed.name)
