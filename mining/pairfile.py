"""Embeddings in folders -> a pair file of what their models confuse, its manifest, its scores."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from mining.agreement import Method
from mining.dropping import Kept, Memory, mine_on
from mining.embeddings import Embeddings
from mining.evidence import Drop, digests_of, dropped_rows, not_looked_at, suspects_of
from mining.fusion import FusionError
from mining.hardest import Hardest, mine_hardest, refuse_for_several, refuse_twice
from mining.mined import refuse_nothing
from mining.negatives import adversarial_pairs, mine_negatives, refuse_for_index
from mining.positives import mine_positives, refuse_margins
from mining.provenance import hubness_of, manifest
from mining.ranking import refuse_without_positives, search_on
from mining.refusals import refuse_lacking, refuse_one_character, refuse_unfit
from mining.rules import Rules, RulesError
from mining.run import Progress, model_names, silent
from mining.scoring import score_pairs, write_scores
from mining.steps import Made, manifest_of
from pairsets.artefacts import refuse_existing, sha256, written_together
from pairsets.exclusions import Exclusions, PathPairs
from pairsets.faces import read_ignore_list, resolve
from pairsets.pairset import PairSet
from pairsets.sampling import random_pairs

Label = Literal["negative", "positive"]
KINDS = {"negative": "adversarial", "positive": "hard positives"}


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
    ignore_list: Path | None = None,
    positives: int | None = None,
    negatives: int | None = None,
    seed: int = 0,
    index: str | None = None,
    recall: bool = False,
    device: str = "auto",
    overwrite: bool = False,
    progress: Progress = silent,
) -> Made:
    """Mine the embeddings in a folder into the pair file `out`, its manifest and its scores.

    Mined negatives are joined by the positives of `test_pairs` or, where there is none, by
    `positives` random ones; hard positives by negatives in the same way. Embeddings in several
    folders are those of several references, which mine together. Suspects that `drop` names are
    replaced by the next best pairs, and listed in `OUT.suspects.csv`.
    """
    rules = rules or Rules()
    scores = out.with_suffix(".scores.csv")
    listed = suspects_of(out)
    files = [out, manifest_of(out), scores, *([listed] if drop else [])]
    folders = [embeddings] if isinstance(embeddings, Path) else list(embeddings)
    parts = [folder / name for folder in folders for name in ("manifest.json", "images.csv")]
    inputs = [test_pairs, ignore_list, *parts, *(drop.files if drop else [])]
    refuse_existing(files, overwrite=overwrite, inputs=[*inputs, *exclude])
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
    ignored = read_ignore_list(ignore_list) if ignore_list is not None else frozenset[str]()
    if label == "negative":
        refuse_one_character(source.faces, ignored, folders[0])
        if rules.margins:
            refuse_without_positives(source.faces, ignored)
    if test_pairs is not None:
        test = _taken_over(test_pairs, source, ignored, joined=0 if label == "positive" else 1)
    elif label == "positive":
        test = random_pairs(
            source.faces, positives=0, negatives=negatives, seed=seed, ignore=ignored
        )
    else:
        test = random_pairs(
            source.faces, positives=positives, negatives=0, seed=seed, ignore=ignored
        )
    evidence = drop.evidence(list(sources.values())) if drop else None
    checks = evidence.checks(drop.kinds) if evidence and drop else []
    if drop and drop.faces is not None:
        resolve(drop.faces, source.faces.paths)
    images = [one.manifest["images_sha256"] for one in sources.values()]
    digests: dict[str, object] = {
        "images_sha256": images[0] if len(images) == 1 else images,
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
    if evidence:
        digests |= digests_of(evidence)
    # A long search leaves its checkpoints beside `out`.
    out.parent.mkdir(parents=True, exist_ok=True)

    def search(exclude: Sequence[PathPairs]) -> Hardest:
        with progress("Comparing all pairs of faces") as step:
            if label == "positive":
                mined = mine_positives(
                    source, pairs, rules=rules, ignore=ignored, exclude=exclude, progress=step
                )
                refuse_nothing(mined)
                return Hardest(mined, sources)
            if index is not None:
                mined = mine_negatives(
                    source, pairs, ignore=ignored, index=index, recall=recall, progress=step
                )
                refuse_nothing(mined)
                return Hardest(mined, sources)
            return mine_hardest(
                sources,
                pairs,
                method=fusion,
                rules=rules,
                ignore=ignored,
                exclude=exclude,
                checkpoint=out.with_suffix(".partial.npz"),
                device=device,
                each=False,
                progress=step,
            )

    kept: Kept | None = None
    if checks:
        memory = Memory.of(out.with_suffix(".suspects.partial.json"), [parameters, digests, fusion])
        kept = mine_on(search, checks, exclude=excluded, memory=memory, progress=progress)
        hardest = kept.hardest
    else:
        hardest = search(excluded)
    mined = hardest.mined
    parameters["recall"] = mined.recall
    made, rank = adversarial_pairs(mined, test, seed=seed, ignore=ignored)
    funnel = hardest.funnel(test, ignored)
    if kept:
        funnel += dropped_rows(kept.looked)
    content = manifest(
        KINDS[label], made, parameters, digests, funnel, origin=hardest.origin, mined=mined
    )
    found = {name: score_pairs(made, one) for name, one in sources.items()}
    with written_together(files) as folder:
        made.write(folder / out.name, content)
        write_scores(folder / scores.name, made, found, rank, hardest.quantiles(rank))
        if kept:
            kept.looked.write(folder / listed.name)
    if not kept:
        # Of the pairs that stood here before.
        listed.unlink(missing_ok=True)
    warnings = [*hardest.warnings, *(not_looked_at(made, mined.label, out) if kept else [])]
    return Made(files, funnel, warnings, hubness=hubness_of(mined))


def _load(folders: Sequence[Path]) -> dict[str, Embeddings]:
    """The embeddings of different models, by the names that tables have for them."""
    sources = [Embeddings.load(folder) for folder in folders]
    names = model_names([source.model for source in sources])
    refuse_twice(names, [str(source.manifest["fingerprint"]) for source in sources])
    return dict(zip(names, sources, strict=True))


def _taken_over(path: Path, source: Embeddings, ignored: Iterable[str], *, joined: int) -> PairSet:
    """The pair file whose rows with the label `joined` join the mined pairs."""
    test = PairSet.read(path)
    source.faces.positions(test.paths)
    refuse_lacking(test, [joined], str(path))
    refuse_unfit(test, ignored, str(path), joined)
    return test
