"""Comparing models: the commands evaluate, compare, export-scores and power."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mining.cli.app import app
from mining.cli.options import (
    GALLERY,
    SCORES,
    AnnotatorOption,
    CacheOption,
    DistanceOption,
    EmbeddingGroup,
    FacesArgument,
    FacesOption,
    GallerySizeOption,
    HeldOutOption,
    IdentityGroup,
    IntervalGroup,
    ModelGroup,
    OnlyModelsOption,
    OutputGroup,
    OverwriteOption,
    PairsArgument,
    PoolOption,
    PublishedOption,
    ReportGroup,
    ScoreGroup,
    TargetOption,
    share_from,
    target_of,
    target_share,
)
from mining.cli.user_words import accepting

if TYPE_CHECKING:
    from mining.commands.evaluate import ProtocolOptions
    from mining.embeddings.options import EmbeddingOptions
    from mining.scores.sources import ScoreSources
    from pairsets.gallery_draw import GalleryOptions

# Of the help.
PANEL = "Compare models on hard negatives"
CENSUS = "All pairs"


@dataclass(frozen=True)
class RunGroup(ScoreGroup):
    """Options of files with scores, and of models to run for more."""

    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model", metavar="[NAME=]MODEL", help="Model to run on the faces; repeatable."
        ),
    ] = None
    cache: CacheOption = None

    def sources(self, **more: Any) -> ScoreSources:
        """The sources as commands take them, with what else they have."""
        return super().sources(models=self.model or [], cache=self.cache, **more)


@dataclass(frozen=True)
class EvaluatedGroup(RunGroup):
    """Options of the scores of one pair file."""

    submission: Annotated[
        list[Path] | None,
        typer.Option(
            "--submission",
            metavar="FILE",
            help="Score file that `lookalikes export-scores` wrote: checked, then ranked; "
            "repeatable.",
        ),
    ] = None
    faces: FacesOption = None

    def sources(self, **more: Any) -> ScoreSources:
        """The sources as commands take them, with what else they have."""
        return super().sources(submissions=self.submission or [], faces=self.faces, **more)


@dataclass(frozen=True)
class CensusGroup:
    """Options of rates over all pairs."""

    all_pairs: Annotated[
        bool,
        typer.Option(
            "--all-pairs",
            help="Rates over all pairs of the faces, none left out, from vectors.",
            rich_help_panel=CENSUS,
        ),
    ] = False
    census: Annotated[
        Literal["auto", "full", "tail"] | None,
        typer.Option(
            "--census",
            help="tail counts the highest scores alone, for FARs of 0.1 % and less; "
            "full counts all, for EER, AUC and FPR at an FNR too; auto is full up to 55,000 faces "
            "or so. [default: auto]",
            rich_help_panel=CENSUS,
        ),
    ] = None

    @property
    def asked(self) -> bool:
        """Whether all pairs are counted."""
        if self.census is not None and not self.all_pairs:
            raise typer.BadParameter("--census says how all pairs are counted; add --all-pairs")
        return self.all_pairs

    @property
    def full(self) -> bool | None:
        """Whether all scores are looked at; None where that is affordable."""
        return None if self.census in (None, "auto") else self.census == "full"

    def refuse(self, unfit: list[str]) -> None:
        """Refuse options that are of a pair file."""
        if unfit:
            raise typer.BadParameter(
                f"--all-pairs and {', '.join(unfit)} do not go together: all pairs are counted "
                "from vectors; give folders that lookalikes embed wrote, the first in place of "
                "PAIRS, others with --embeddings"
            )


@dataclass(frozen=True)
class EvaluatedCensusGroup(CensusGroup):
    """Options of rates over all pairs where nothing but vectors is given."""

    ignore_list: Annotated[
        Path | None,
        typer.Option(
            "--ignore-list",
            metavar="FILE",
            help="Base names of images that are in none of all pairs, one a line.",
            rich_help_panel=CENSUS,
        ),
    ] = None

    @property
    def asked(self) -> bool:
        """Whether all pairs are counted."""
        if self.ignore_list is not None and not self.all_pairs:
            raise typer.BadParameter("--ignore-list is of all pairs here; add --all-pairs")
        return super().asked


@dataclass(frozen=True)
class ComparedCensusGroup(CensusGroup):
    """Options of what is told of all faces: rates over all pairs, and a search in a gallery."""

    identify: Annotated[
        bool,
        typer.Option(
            "--identify",
            help="Search a gallery that is drawn of the faces with each model, too, as "
            "`lookalikes identify` does: who is found among many, 1:N, from vectors.",
            rich_help_panel=GALLERY,
        ),
    ] = False
    gallery_size: GallerySizeOption = None
    pool: PoolOption = False
    held_out: HeldOutOption = None

    def gallery(self, seed: int) -> GalleryOptions | None:
        """The gallery as `compare_models` takes it; None where none is searched."""
        given = {
            "--gallery-size": self.gallery_size is not None,
            "--pool": self.pool,
            "--held-out": self.held_out is not None,
        }
        if not self.identify:
            if named := [name for name, one in given.items() if one]:
                raise typer.BadParameter(
                    f"{' and '.join(named)} say how a gallery is drawn; add --identify"
                )
            return None
        from pairsets.gallery_draw import HELD_OUT, GalleryOptions

        held_out = HELD_OUT if self.held_out is None else self.held_out
        return GalleryOptions(self.gallery_size or 1, held_out, seed, self.pool)


@dataclass(frozen=True)
class ProtocolGroup:
    """Options of protocols of other benchmarks."""

    folds: Annotated[
        Path | None,
        typer.Option(
            "--fold-file",
            metavar="FILE",
            help="Folds of the pairs: LFW's accuracy is reported too. [default: PAIRS.folds.csv "
            "where there is one]",
        ),
    ] = None
    far: Annotated[
        list[float] | None,
        typer.Option(
            "--far",
            metavar="SHARE",
            parser=target_share,
            help="Report TAR at this FAR, as IJB, or FNR at it of all pairs; repeatable.",
        ),
    ] = None
    threshold_file: Annotated[
        list[Path] | None,
        typer.Option(
            "--threshold-file",
            metavar="FILE",
            help="Report the rates at this threshold, a threshold.json of `lookalikes threshold`; "
            "repeatable, one a model.",
        ),
    ] = None

    def options(self) -> ProtocolOptions:
        """The options as `evaluate_pairs` takes them."""
        from mining.commands.evaluate import ProtocolOptions

        return ProtocolOptions(self.folds, self.far or [], self.threshold_file or [])


@app.command(
    cls=accepting({"--folds": "--fold-file", "--published": "--published-set"}),
    rich_help_panel=PANEL,
    epilog="Example: `lookalikes evaluate adversarial.csv --faces faces --model pixels "
    "--published-set adversarial --out tables/adversarial`",
)
def evaluate(
    pairs: Annotated[
        Path,
        typer.Argument(
            metavar="PAIRS", help="Five-column pair file; with --all-pairs, embeddings of all."
        ),
    ],
    given: EvaluatedGroup = EvaluatedGroup(),
    counted: EvaluatedCensusGroup = EvaluatedCensusGroup(),
    annotator: AnnotatorOption = None,
    target_fnr: TargetOption = None,
    published: Annotated[
        Literal["random", "adversarial"] | None,
        typer.Option(
            "--published-set",
            help="Add ZACI-20's published rows of that set, apart unless these are its pairs.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Write the tables as OUT.md, .csv, .json and OUT.differences.md, .csv; of all "
            "pairs OUT.curves.csv, too.",
        ),
    ] = None,
    protocols: ProtocolGroup = ProtocolGroup(),
    identity: IdentityGroup = IdentityGroup(),
    intervals: IntervalGroup = IntervalGroup(),
    written: OutputGroup = OutputGroup(),
    network: EmbeddingGroup = EmbeddingGroup(),
) -> None:
    """Evaluate models, and the people who judged, on one pair file; no pictures needed.

    With --all-pairs no pair file is needed either: `lookalikes evaluate EMBEDDINGS --all-pairs`
    counts all pairs of the embedded faces, exactly.
    """
    from mining.cli.progress_bar import bar
    from mining.cli.summary import print_made
    from mining.commands.evaluate import evaluate_all_pairs, evaluate_pairs
    from pairsets.files.side_files import Named

    if counted.asked:
        unfit = {
            "--scores": given.scores,
            "--submission": given.submission,
            "--model": given.model,
            "--annotator": annotator,
            "--published-set": published,
            "--fold-file": protocols.folds,
            "--threshold-file": protocols.threshold_file,
        }
        counted.refuse([name for name, value in unfit.items() if value])
        made = evaluate_all_pairs(
            [pairs, *(given.embeddings or [])],
            target_fnr=target_of(target_fnr),
            fars=protocols.far or [],
            full=counted.full,
            device=network.device,
            ignore_list=counted.ignore_list,
            out=out,
            progress=bar,
            **vars(written),
        )
        print_made(made)
        return
    if (pairs / "manifest.json").is_file():
        raise typer.BadParameter(
            f"{pairs} is a folder of embeddings: to evaluate them over all pairs, add --all-pairs; "
            "over some pairs, name a pair file and --embeddings"
        )
    made = evaluate_pairs(
        pairs,
        given.sources(encoding=network.options()),
        identities=identity.rule(),
        annotators=[Named.parse(text) for text in annotator or []],
        target_fnr=target_of(target_fnr),
        published=published,
        protocols=protocols.options(),
        out=out,
        intervals=intervals.options(),
        progress=bar,
        **vars(written),
    )
    print_made(made)


@dataclass(frozen=True)
class ShownGroup(ReportGroup):
    """Options of what a comparison shows."""

    published: PublishedOption = False


@app.command(
    cls=accepting({"--pairs": "--pair-file"}),
    rich_help_panel=PANEL,
    epilog="Example: `lookalikes compare faces --model timm:resnet50 --model pixels "
    "--pair-file random.csv --pair-file adversarial.csv --out runs/compared`",
)
def compare(
    faces: FacesArgument,
    pairs: Annotated[
        list[Path],
        typer.Option("--pair-file", metavar="FILE", help="Five-column pair file; repeatable."),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for tables, figures and report.")],
    given: RunGroup = RunGroup(),
    counted: ComparedCensusGroup = ComparedCensusGroup(),
    annotator: AnnotatorOption = None,
    target_fnr: TargetOption = None,
    identity: IdentityGroup = IdentityGroup(),
    intervals: IntervalGroup = IntervalGroup(),
    written: OutputGroup = OutputGroup(),
    report: ShownGroup = ShownGroup(),
    network: ModelGroup = ModelGroup(),
) -> None:
    """Models side by side: tables with intervals, differences, figures, and a report to look at.

    Interrupted, the same command goes on where it stopped.
    """
    from mining.cli.progress_bar import bar
    from mining.cli.summary import print_compared
    from mining.commands.compare import compare_models
    from pairsets.files.side_files import Named

    report.refuse()
    compared = compare_models(
        faces,
        pairs,
        out=out,
        sources=given.sources(
            encoding=network.options(),
            all_pairs=counted.asked,
            full=counted.full,
            gallery=counted.gallery(intervals.seed),
        ),
        identities=identity.rule(),
        annotators=[Named.parse(text) for text in annotator or []],
        target_fnr=target_of(target_fnr),
        published=report.published,
        intervals=intervals.options(),
        progress=bar,
        **vars(written),
    )
    printed = report.print_pages(compared.folder, bar)
    print_compared(replace(compared, files=[*compared.files, *printed]))


@dataclass(frozen=True)
class ModelScoresGroup:
    """Options of the scores of one model."""

    scores: Annotated[
        Path | None,
        typer.Option("--scores", metavar="FILE", help="CSV with pathA, pathB, score of one model."),
    ] = None
    embeddings: Annotated[
        Path | None,
        typer.Option(
            "--embeddings", metavar="FOLDER", help="Folder written by `lookalikes embed`."
        ),
    ] = None
    faces: FacesOption = None
    model: Annotated[
        str | None, typer.Option("--model", metavar="MODEL", help="Model to run on the faces.")
    ] = None
    cache: CacheOption = None
    missing: Annotated[
        Literal["fail", "reject"],
        typer.Option(
            "--missing",
            help="Pairs without a score: fail names them, reject writes them as rejected.",
            rich_help_panel=SCORES,
        ),
    ] = "fail"
    distance: DistanceOption = False

    def sources(self, encoding: EmbeddingOptions) -> ScoreSources:
        """The sources as commands take them."""
        from mining.scores.sources import ScoreSources
        from pairsets.files.side_files import Named

        return ScoreSources(
            models=[] if self.model is None else [self.model],
            scores=[] if self.scores is None else [Named(self.scores)],
            embeddings=[] if self.embeddings is None else [self.embeddings],
            faces=self.faces,
            cache=self.cache,
            missing=self.missing,
            distance=self.distance,
            encoding=encoding,
        )


@dataclass(frozen=True)
class AboutGroup:
    """The options that tell readers of the scores about their model."""

    name: Annotated[
        str | None, typer.Option("--name", help="Name of the model in tables. [default: its own]")
    ] = None
    author: Annotated[
        list[str] | None,
        typer.Option("--author", metavar="NAME", help="Author of the scores; repeatable."),
    ] = None
    description: Annotated[
        str | None, typer.Option("--description", help="The model in a sentence.")
    ] = None
    url: Annotated[
        str | None, typer.Option("--url", metavar="URL", help="Page that says more of the model.")
    ] = None


@app.command("submit", hidden=True)
@app.command(
    "export-scores",
    rich_help_panel=PANEL,
    epilog="Example: `lookalikes export-scores adversarial.csv --faces faces --model pixels "
    "--name Pixels --out sent/pixels.csv`",
)
def export_scores(
    pairs: PairsArgument,
    out: Annotated[
        Path, typer.Option("--out", help="Score file to write; its manifest lies beside it.")
    ],
    given: ModelScoresGroup = ModelScoresGroup(),
    about: AboutGroup = AboutGroup(),
    overwrite: OverwriteOption = False,
    network: EmbeddingGroup = EmbeddingGroup(),
) -> None:
    """Write one model's scores of a pair set with a manifest, to send to a leaderboard."""
    from mining.cli.progress_bar import bar
    from mining.cli.summary import print_made
    from mining.commands.export_scores import About, export

    sources = given.sources(network.options())
    told = About(about.name, about.author or [], about.description, about.url)
    print_made(export(pairs, out, sources, about=told, overwrite=overwrite, progress=bar))


@app.command(
    cls=accepting({"--model": "--only-model"}),
    rich_help_panel=PANEL,
    epilog="Example: `lookalikes power adversarial.csv --scores adversarial.scores.csv --points 2`",
)
def power(
    pairs: PairsArgument,
    points: Annotated[
        float, typer.Option("--points", help="Difference to be told, in points of a percent.")
    ],
    given: ScoreGroup = ScoreGroup(),
    models: OnlyModelsOption = None,
    statistic: Annotated[
        Literal["fpr", "eer"], typer.Option("--statistic", help="Rate in which models differ.")
    ] = "fpr",
    chance: Annotated[
        float,
        typer.Option(
            "--power",
            metavar="SHARE",
            parser=share_from(),
            help="Share of sets of that size in which the difference is to be found.",
        ),
    ] = 0.8,
    target_fnr: TargetOption = None,
    identity: IdentityGroup = IdentityGroup(),
    intervals: IntervalGroup = IntervalGroup(),
) -> None:
    """Plan how many pairs and identities it takes to tell two models apart."""
    if not 0 < points < 100:
        raise typer.BadParameter(
            f"--points {points:g}: expected more than 0 and less than 100, a difference in percent"
        )
    from mining.cli.summary import print_planned
    from mining.commands.power import plan

    planned = plan(
        pairs,
        given.sources(),
        points=points / 100,
        identities=identity.rule(),
        models=models or [],
        statistic=statistic,
        power=chance,
        target_fnr=target_of(target_fnr),
        intervals=intervals.options(),
    )
    print_planned(planned)
