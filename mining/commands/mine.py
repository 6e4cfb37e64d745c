"""Embeddings in folders -> a pair file of what their models confuse, its manifest, its scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mining.commands.pair_file import files_of, write_pair_file
from mining.commands.result import CommandResult
from mining.embeddings.store import Embeddings
from mining.embeddings.two_folders import TwoFolders
from mining.errors import RunError
from mining.miners.fold_miner import mine_within
from mining.miners.fold_results import Content
from mining.miners.fold_shares import Shares
from mining.miners.fused_negatives import refuse_twice
from mining.miners.inputs import (
    Joined,
    MinerInputs,
    MiningOptions,
    RandomSet,
    of_faces,
    refuse_unfit,
)
from mining.miners.provenance import identities_digest
from mining.miners.sampled_negatives import sample_negatives
from mining.miners.search import Label, Search, WorkFiles
from mining.miners.suspect_free import dropped_rows
from mining.models.model_labels import folder_of
from mining.models.names import model_names
from mining.scores.pair_files import without_skipped
from mining.scores.score_pairs import score_pairs
from pairsets.errors import FacesError, PairSetError
from pairsets.faces import Faces, resolve
from pairsets.files.identity_folds import IdentityFolds
from pairsets.funnel import FunnelRow
from pairsets.pairset import PairSet, identities_of, refuse_lacking
from pairsets.progress import Progress, silent
from pairsets.storage.artefacts import refuse_existing
from pairsets.storage.digests import sha256
from pairsets.storage.publication import alone

KINDS = ("adversarial", "hard positives")


@alone()
def mine_pairs(
    embeddings: Path | Sequence[Path] | TwoFolders,
    out: Path,
    *,
    pairs: int,
    label: Label = "negative",
    mining: MiningOptions | None = None,
    random: RandomSet | None = None,
    index: str | None = None,
    recall: bool = False,
    folds: int | Path | None = None,
    device: str = "auto",
    overwrite: bool = False,
    progress: Progress = silent,
) -> CommandResult:
    """Mine the embeddings in a folder into the pair file `out`, its manifest and its scores.

    Mined negatives are joined by the positives of `random`, hard positives by its negatives; test
    pairs of an image that was skipped while embedding are left out, or stay without a score where
    missing ones are to be rejected. Embeddings in several folders are those of several references,
    which mine together; of `TwoFolders` pairs are mined between the two sets. Dropped suspects are
    listed in `OUT.suspects.csv`.

    With `MiningOptions.design`, negatives are a sample of all pairs instead of the best of them,
    and `OUT.design.csv` says what each stands for.

    With `folds`, so many or those of a file `identity,fold`, no two share an identity: see
    `mining.miners.fold_miner`. `OUT.folds.csv` and `OUT.identity_folds.csv` say which is in which.
    """
    mining, random = mining or MiningOptions(), random or RandomSet()
    two = embeddings if isinstance(embeddings, TwoFolders) else None
    folders = _folders(embeddings)
    _refuse_existing(out, folders, mining, random, folds, overwrite=overwrite)
    search = Search(label, mining.fusion, mining.rules, index, recall, device, mining.crews)
    if two is not None:
        _refuse_for_two(search, mining, folds)
    if folds is not None and mining.crews is not None:
        raise RunError(
            "--folds and --cluster do not go together: each fold is a small search of its own"
        )
    if mining.design is not None:
        _refuse_for_design(search, folds, recall=recall)
    search.refuse_unfit(1 if two else len(folders), mining.exclude, mining.drop)
    given = MinerInputs.read(mining, random)
    sources = _load(folders, two)
    faces = next(iter(sources.values())).faces
    _refuse_empty(faces, given, two)
    given.refuse_misfit(faces, folder_of(folders[0]), label=search.mined_label)
    given.refuse_audit(faces, absent=next(iter(sources.values())).skipped)
    joined, lost = _join(search, pairs, given, folds, list(sources.values()))
    checks, looked_with, abstained = given.look_for_suspects(list(sources.values()))
    if mining.drop is not None and mining.drop.faces is not None:
        resolve(mining.drop.faces, faces.paths)
    digests = _digest(given, list(sources.values()), folds) | looked_with
    parameters = _list_parameters(search, pairs, given, joined, two)
    search = search.checking(checks, [parameters, digests], sources)
    # A long search leaves its checkpoints beside `out`.
    out.parent.mkdir(parents=True, exist_ok=True)
    found = _mine(search, pairs, given, sources, joined, out, progress)
    parameters["recall"] = found.recall
    funnel = [*lost, *found.funnel, *(dropped_rows(found.looked) if found.looked else [])]
    files = write_pair_file(
        out,
        found.pairs,
        found.manifest(KINDS[search.mined_label], parameters, digests, funnel),
        {name: score_pairs(found.pairs, one) for name, one in sources.items()},
        rank=found.rank,
        quantiles=found.quantiles,
        suspects=found.looked,
        folds=(found.folds, joined.folds) if found.folds and isinstance(joined, Shares) else None,
        design=found.design,
        overwrite=overwrite,
    )
    told = abstained + found.warnings_beside(out) + (two.warnings() if two else [])
    return CommandResult(files, funnel, told, hubness=found.hubness, hints=_hints(two))


def _refuse_existing(
    out: Path,
    folders: Sequence[Path],
    mining: MiningOptions,
    random: RandomSet,
    folds: int | Path | None,
    *,
    overwrite: bool,
) -> None:
    """Raise OutputError where files are there, or are read."""
    files = files_of(
        out,
        suspects=mining.drop is not None,
        folds=folds is not None,
        design=mining.design is not None,
    )
    homes = map(folder_of, folders)
    parts = [folder / name for folder in homes for name in ("manifest.json", "images.csv")]
    read = [random.test_pairs, random.ignore_list, folds if isinstance(folds, Path) else None]
    inputs = [None if path is None else Path(path) for path in read] + parts
    inputs += [*(mining.drop.files if mining.drop else []), *map(Path, mining.exclude)]
    refuse_existing([*files, identities_of(out)], overwrite=overwrite, inputs=inputs)


def _folders(embeddings: Path | Sequence[Path] | TwoFolders) -> list[Path]:
    """The folders as they were given, of one model labels among it."""
    if isinstance(embeddings, Path):
        return [embeddings]
    return embeddings.folders if isinstance(embeddings, TwoFolders) else list(embeddings)


def _load(folders: Sequence[Path], two: TwoFolders | None) -> dict[str, Embeddings]:
    """The embeddings of different models, by the names that tables have for them."""
    sources = [two.load()] if two else [Embeddings.load_named(folder) for folder in folders]
    names = model_names([source.called for source in sources])
    refuse_twice(names, [str(source.manifest["fingerprint"]) for source in sources])
    return dict(zip(names, sources, strict=True))


def _refuse_for_two(search: Search, mining: MiningOptions, folds: int | Path | None) -> None:
    """Raise RunError for what is not done between two sets."""
    unfit = {
        "--design": (mining.design is not None, "a sample is of all pairs of one set"),
        "--label positive": (search.label == "positive", "pairs of one identity are of one set"),
        "--folds": (folds is not None, "folds share no identity, and two sets may"),
        "--index": (search.index is not None, "an approximate index is of one set"),
        "--drop-suspects": (
            mining.drop is not None,
            "look for them in the pair file, with lookalikes suspects, and mine again with those "
            "to --exclude",
        ),
    }
    for option, (asked, why) in unfit.items():
        if asked:
            raise RunError(f"--against and {option} do not go together: {why}")


def _refuse_for_design(search: Search, folds: int | Path | None, *, recall: bool) -> None:
    """Raise RunError for what would make the probabilities of a sample unknown."""
    unfit = {
        "--label positive": (search.label == "positive", "it is negatives that are sampled"),
        "--folds": (folds is not None, "pairs across folds would have no chance to be taken"),
        "--index": (search.index is not None, "it does not know the rank of every pair"),
        "--recall": (recall, "the search is exact"),
    }
    for option, (asked, why) in unfit.items():
        if asked:
            raise RunError(f"--design and {option} do not go together: {why}")


def _refuse_empty(faces: Faces, given: MinerInputs, two: TwoFolders | None) -> None:
    """Raise FacesError where the ignore list leaves nothing of one of two sets."""
    if two is None:
        return
    kept = faces.without(given.ignored)
    for folder, rows in zip(two.folders, (kept[: faces.split], kept[faces.split :]), strict=True):
        if not rows.any():
            raise FacesError(f"{folder}: no face is left of it after the ignore list")


def _hints(two: TwoFolders | None) -> list[str]:
    if two is None or two.names is None:
        return []
    first, second = two.names
    return [
        f"Paths begin with {first}/ and {second}/; where pictures are needed, --faces is the "
        "folder that holds both (other names: --set-names)"
    ]


def _join(
    search: Search,
    pairs: int,
    given: MinerInputs,
    folds: int | Path | None,
    sources: Sequence[Embeddings],
) -> tuple[Joined | Shares, list[FunnelRow]]:
    """The pairs that join the mined ones, with folds in equal shares; what test pairs lose."""
    random, faces, mined = given.random, sources[0].faces, search.mined_label
    asked = random.negatives if mined else random.positives
    test, lost = None, list[FunnelRow]()
    if random.test_pairs is not None:
        test, lost = _take_over(Path(random.test_pairs), random, sources, label=1 - mined)
    if folds is not None:
        of = (
            IdentityFolds.read(folds, faces)
            if isinstance(folds, Path)
            else IdentityFolds.drawn(faces, folds, ignore=given.ignored, seed=random.seed)
        )
        return Shares.of(
            faces, of, pairs, asked, mined=mined, test=test, ignore=given.ignored, seed=random.seed
        ), lost
    if test is not None:
        return Joined(test, given.ignored), lost
    drawn = random.draw(faces, given.ignored, label=1 - mined)
    return Joined(drawn, given.ignored, drawn=True), lost


def _take_over(
    path: Path, random: RandomSet, sources: Sequence[Embeddings], *, label: int
) -> tuple[PairSet, list[FunnelRow]]:
    """The test pairs whose rows with this label join the mined pairs; what they lose.

    That is the pairs of images that were skipped while embedding.
    """
    whole = PairSet.read(path)
    test, lost = without_skipped(whole, sources, "random", "test pairs")
    for source in sources:
        source.faces.positions(test.paths)
    test = of_faces(test, sources[0].faces, str(path))
    if random.missing == "reject" and lost:
        if test.identities is not None and whole.identities is None:
            raise PairSetError(
                f"{path}: of the images that cannot be read it is not known who they show, since "
                "identities are not the folders; leave their pairs out with --missing drop"
            )
        test = whole
        lost = [replace(row, what=f"{row.what}, kept without a score", kept=True) for row in lost]
    refuse_lacking(test, [label], str(path))
    refuse_unfit(test, str(path), label)
    return test, lost


def _digest(
    given: MinerInputs, sources: Sequence[Embeddings], folds: int | Path | None
) -> dict[str, object]:
    """The inputs of the manifest, but for what suspects are looked for with."""
    images = [one.manifest["images_sha256"] for one in sources]
    digests: dict[str, object] = {
        "images_sha256": images[0] if len(images) == 1 else images,
        **identities_digest(sources[0]),
        **given.random.digests,
        **given.exclusions_digest,
    }
    if folds is not None:
        digests["folds_sha256"] = sha256(folds) if isinstance(folds, Path) else None
    return digests


def _list_parameters(
    search: Search,
    pairs: int,
    given: MinerInputs,
    joined: Joined | Shares,
    two: TwoFolders | None,
) -> dict[str, object]:
    """The parameters of the manifest; what an index finds is not known yet."""
    random = given.random
    parameters: dict[str, object] = {
        "pairs": pairs,
        "label": search.label,
        "positives": random.positives,
        "negatives": random.negatives,
        "seed": random.seed,
        "index": search.index or "exact",
        "recall": None,
        **given.mining.parameters,
    }
    if random.missing == "reject":
        parameters["missing"] = random.missing
    if isinstance(joined, Shares):
        parameters["folds"] = joined.content()
    if two is not None:
        parameters["sets"] = [*two.names] if two.names else None
    return parameters


def _mine(
    search: Search,
    pairs: int,
    given: MinerInputs,
    sources: Mapping[str, Embeddings],
    joined: Joined | Shares,
    out: Path,
    progress: Progress,
) -> Content:
    """Mine what the pair file is written from: by one search, or by one within each fold."""
    ignore, exclude = given.ignored, given.excluded
    if isinstance(joined, Shares):
        return mine_within(
            search, sources, joined, out, ignore=ignore, exclude=exclude, progress=progress
        )
    work = WorkFiles.beside(out)
    if given.mining.design is not None:
        return sample_negatives(
            sources, pairs, joined, seed=given.random.seed, ignore=ignore, device=search.device,
            crews=search.crews, checkpoint=work.checkpoint, progress=progress,
        )  # fmt: skip
    mined = search.mine(sources, pairs, work, ignore=ignore, exclude=exclude, progress=progress)
    return Content.of(mined, joined, seed=given.random.seed)
