"""Embeddings in folders -> a pair file of what their models confuse, its manifest, its scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from mining.commands.result import CommandResult
from mining.embeddings.store import Embeddings
from mining.errors import FusionError, RulesError
from mining.miners.fold_miner import mine_within
from mining.miners.fold_results import Content
from mining.miners.fold_shares import Shares
from mining.miners.inputs import (
    of_faces,
    refuse_misfit,
    refuse_one_character,
    refuse_single,
    refuse_unfit,
)
from mining.miners.negatives import adversarial_pairs, refuse_for_index
from mining.miners.provenance import Joined, identities_digest, manifest
from mining.miners.references import refuse_for_several, refuse_twice
from mining.miners.search import Label, Search
from mining.models.names import model_names
from mining.ranking.model_ranking import refuse_without_positives, search_on
from mining.ranking.positive_ranking import refuse_margins
from mining.ranking.rank_aggregation import Method
from mining.ranking.rules import Rules
from mining.scores.pair_files import without_skipped
from mining.scores.score_pairs import score_pairs
from mining.suspects.evidence import Drop, digests_of, dropped_rows, not_looked_at
from pairsets.errors import PairSetError
from pairsets.evaluation.missing_scores import Missing
from pairsets.faces import resolve
from pairsets.files.character_folds import CharacterFolds
from pairsets.files.exclusions import Exclusions
from pairsets.files.score_files import write_scores
from pairsets.files.side_files import characters_of, folds_of, manifest_of, suspects_of
from pairsets.funnel import FunnelRow
from pairsets.pairset import PairSet, identities_of, refuse_lacking
from pairsets.paths import read_ignore_list
from pairsets.progress import Progress, silent
from pairsets.random_set import random_pairs
from pairsets.storage.artefacts import refuse_existing
from pairsets.storage.digests import sha256
from pairsets.storage.publication import alone, written_together

KINDS = {"negative": "adversarial", "positive": "hard positives"}


@alone()
def mine_pairs(
    embeddings: Path | Sequence[Path],
    out: Path,
    *,
    pairs: int,
    fusion: Method = "mean",
    label: Label = "negative",
    rules: Rules | None = None,
    exclude: Sequence[Path] = (),
    drop: Drop | None = None,
    test_pairs: Path | None = None,
    missing: Missing = "fail",
    ignore_list: Path | None = None,
    positives: int | None = None,
    negatives: int | None = None,
    seed: int = 0,
    index: str | None = None,
    recall: bool = False,
    folds: int | Path | None = None,
    device: str = "auto",
    overwrite: bool = False,
    progress: Progress = silent,
) -> CommandResult:
    """Mine the embeddings in a folder into the pair file `out`, its manifest and its scores.

    Mined negatives are joined by the positives of `test_pairs` or, where there is none, by
    `positives` random ones; hard positives by negatives in the same way. Embeddings in several
    folders are those of several references, which mine together. Suspects that `drop` names are
    replaced by the next best pairs, and listed in `OUT.suspects.csv`. Test pairs with an image that
    was skipped while embedding are left out, unless `missing` is `reject`: then they stay in the
    pair file, without a score.

    With `folds`, so many or those of a file `character,fold`, no two folds share a character: each
    has as many of the pairs, mined among its own characters alone, and as many random ones, or as
    many of `test_pairs`, to join them. They stand fold by fold, positives first, the hardest
    negatives first; a rank is that within its fold. `OUT.folds.csv` and `OUT.characters.csv` say
    which is in which.
    """
    rules = rules or Rules()
    scores = out.with_suffix(".scores.csv")
    listed = suspects_of(out)
    parted = [folds_of(out), characters_of(out)]
    files = [out, manifest_of(out), scores, *([listed] if drop else [])]
    files += parted if folds is not None else []
    named = identities_of(out)
    folders = [embeddings] if isinstance(embeddings, Path) else list(embeddings)
    parts = [folder / name for folder in folders for name in ("manifest.json", "images.csv")]
    given = folds if isinstance(folds, Path) else None
    inputs = [test_pairs, ignore_list, given, *parts, *(drop.files if drop else [])]
    refuse_existing([*files, named], overwrite=overwrite, inputs=[*inputs, *exclude])
    refuse_for_several(len(folders), fusion, rules)
    if len(folders) > 1 and (label == "positive" or index is not None):
        what = "hard positives" if label == "positive" else "an approximate index"
        raise FusionError(f"{what} of several references; mine those of one alone")
    search_on(device)
    excluded = [Exclusions.read(path) for path in exclude]
    if label == "positive":
        refuse_margins(rules)
        if drop:
            drop.refuse_for_positives()
    elif index is not None:
        refuse_for_index(rules, excluded)
        if drop:
            raise RulesError("suspects cannot be dropped with an approximate index: leave it out")
    sources = _load(folders)
    source = next(iter(sources.values()))
    refuse_misfit(excluded, exclude, source.faces)
    ignored = read_ignore_list(ignore_list) if ignore_list is not None else frozenset[str]()
    if test_pairs is None:
        refuse_single(source.faces, folders[0])
    if label == "negative":
        refuse_one_character(source.faces, ignored, folders[0])
        if rules.margins:
            refuse_without_positives(source.faces, ignored)
    joined, asked = (0, negatives) if label == "positive" else (1, positives)
    test, lost = None, list[FunnelRow]()
    if test_pairs is not None:
        test, lost = _taken_over(test_pairs, list(sources.values()), joined=joined, missing=missing)
    joining: Shares | PairSet
    if folds is not None:
        joining = Shares.of(
            source.faces,
            _folds(folds, source, ignored, seed),
            pairs,
            asked,
            mined=1 - joined,
            test=test,
            ignore=ignored,
            seed=seed,
        )
    elif test is not None:
        joining = test
    else:
        counts = {"positives": asked if joined else 0, "negatives": 0 if joined else asked}
        joining = random_pairs(source.faces, **counts, seed=seed, ignore=ignored)
    shares = joining if isinstance(joining, Shares) else None
    evidence = drop.evidence(list(sources.values())) if drop else None
    checks = evidence.checks(drop.kinds) if evidence and drop else []
    if drop and drop.faces is not None:
        resolve(drop.faces, source.faces.paths)
    images = [one.manifest["images_sha256"] for one in sources.values()]
    digests: dict[str, object] = {
        "images_sha256": images[0] if len(images) == 1 else images,
        **identities_digest(source),
        "test_pairs_sha256": None if test_pairs is None else sha256(test_pairs),
        "ignore_list_sha256": None if ignore_list is None else sha256(ignore_list),
        "exclude_sha256": [sha256(path) for path in exclude],
    }
    parameters: dict[str, object] = {
        "pairs": pairs,
        "label": label,
        "positives": positives,
        "negatives": negatives,
        "seed": seed,
        "index": index or "exact",
        "recall": None,
        **asdict(rules),
        "drop_suspects": list(drop.kinds) if drop else [],
    }
    if missing == "reject":
        parameters["missing"] = missing
    if shares:
        parameters["folds"] = shares.content()
        digests["folds_sha256"] = None if given is None else sha256(given)
    if evidence:
        digests |= digests_of(evidence)
    # Folders of several models may list the same images.
    vectors = [one.manifest["vectors_sha256"] for one in sources.values()]
    facts = [parameters, digests, fusion, vectors]
    search = Search(label, fusion, rules, index, recall, device, checks, facts)
    # A long search leaves its checkpoints beside `out`.
    out.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(joining, Shares):
        found = mine_within(
            search, sources, joining, out, ignore=ignored, exclude=excluded, progress=progress
        )
    else:
        hardest, looked = search.hardest(
            sources, pairs, out, ignore=ignored, exclude=excluded, progress=progress
        )
        made, rank = adversarial_pairs(hardest.mined, joining, seed=seed)
        rows = hardest.funnel(Joined(joining, ignored, drawn=test is None))
        found = Content.of(hardest, looked, made, rank, rows)
    parameters["recall"] = found.recall
    funnel = [*lost, *found.funnel, *(dropped_rows(found.looked) if found.looked else [])]
    content = manifest(
        KINDS[label], found.pairs, parameters, digests, funnel,
        origin=found.origin, mined=found.mined,
    )  # fmt: skip
    if found.facts is not None:
        content["mined"] = found.facts
    values = {name: score_pairs(found.pairs, one) for name, one in sources.items()}
    if found.pairs.named is not None:
        files.append(named)
    # Of the pairs that stood here before.
    stale = {listed, named, *(parted if out.exists() else ())} - {*files}
    with written_together(
        files, manifest=manifest_of(out), stale=sorted(stale), overwrite=overwrite
    ) as folder:
        found.pairs.write(folder / out.name, content)
        write_scores(folder / scores.name, found.pairs, values, found.rank, found.quantiles)
        if found.looked:
            found.looked.write(folder / listed.name)
        if shares and found.folds:
            found.folds.write(folder / parted[0].name, found.pairs)
            shares.folds.write(folder / parted[1].name)
    warnings = [*found.warnings]
    if found.looked:
        warnings += not_looked_at(found.pairs, 1 - joined, out)
    return CommandResult(files, funnel, warnings, hubness=found.hubness)


def _folds(
    folds: int | Path, source: Embeddings, ignored: frozenset[str], seed: int
) -> CharacterFolds:
    if isinstance(folds, Path):
        return CharacterFolds.read(folds, source.faces)
    return CharacterFolds.drawn(source.faces, folds, ignore=ignored, seed=seed)


def _load(folders: Sequence[Path]) -> dict[str, Embeddings]:
    """The embeddings of different models, by the names that tables have for them."""
    sources = [Embeddings.load(folder) for folder in folders]
    names = model_names([source.model for source in sources])
    refuse_twice(names, [str(source.manifest["fingerprint"]) for source in sources])
    return dict(zip(names, sources, strict=True))


def _taken_over(
    path: Path,
    sources: Sequence[Embeddings],
    *,
    joined: int,
    missing: Missing,
) -> tuple[PairSet, list[FunnelRow]]:
    """The pair file whose rows with the label `joined` join the mined pairs; what it loses.

    That is the pairs of images that were skipped while embedding.
    """
    whole = PairSet.read(path)
    test, lost = without_skipped(whole, sources, "random", "test pairs")
    for source in sources:
        source.faces.positions(test.paths)
    test = of_faces(test, sources[0].faces, str(path))
    if missing == "reject" and lost:
        if test.identities is not None and whole.identities is None:
            raise PairSetError(
                f"{path}: of the images that cannot be read it is not known who they show, since "
                "identities are not the folders; leave their pairs out with --missing drop"
            )
        test = whole
        lost = [replace(row, what=f"{row.what}, kept without a score", kept=True) for row in lost]
    refuse_lacking(test, [joined], str(path))
    refuse_unfit(test, str(path), joined)
    return test, lost
