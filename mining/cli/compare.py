"""Comparing models: the commands evaluate, compare, submit and power."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from mining.cli.app import app
from mining.cli.options import (
    SCORES,
    AnnotatorOption,
    BatchOption,
    ClustersOption,
    DeviceOption,
    DistanceOfOption,
    DistanceOption,
    DrawSeedOption,
    DrawsOption,
    EmbeddingsOption,
    FacesArgument,
    IdentitiesOption,
    IdentityLevelOption,
    IdentityPatternOption,
    MaxPixelsOption,
    MissingOption,
    ModelsOption,
    OnErrorOption,
    OverwriteOption,
    PairsArgument,
    PrecisionOption,
    ScoresOption,
    SpreadsheetSafeOption,
    TargetOption,
    WorkersOption,
    encoding_of,
    rule_of,
    share_from,
    target_of,
    target_share,
)

# Of the help.
PANEL = "Compare models on hard negatives"


@app.command(
    rich_help_panel=PANEL,
    epilog="Example: `lookalikes evaluate adversarial.csv --faces faces --model pixels "
    "--published adversarial --out tables/adversarial`",
)
def evaluate(
    pairs: PairsArgument,
    scores: ScoresOption = None,
    submission: Annotated[
        list[Path] | None,
        typer.Option(
            "--submission", help="What `lookalikes submit` wrote: checked, then ranked; repeatable."
        ),
    ] = None,
    embeddings: EmbeddingsOption = None,
    faces: Annotated[
        Path | None, typer.Option("--faces", help="Folder that the pairs' paths lie in.")
    ] = None,
    model: ModelsOption = None,
    cache: Annotated[
        Path | None,
        typer.Option("--cache", help="Where vectors are kept. [default: PAIRS.embeddings]"),
    ] = None,
    annotator: AnnotatorOption = None,
    target_fnr: TargetOption = None,
    published: Annotated[
        Literal["random", "adversarial"] | None,
        typer.Option(
            "--published",
            help="Add ZACI-20's published rows of that set, apart unless these are its pairs.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Write the tables as OUT.md, .csv, .json and OUT.differences.md, .csv."
        ),
    ] = None,
    folds: Annotated[
        Path | None,
        typer.Option(
            "--folds",
            help="Folds of the pairs: LFW's accuracy is reported too. [default: PAIRS.folds.csv "
            "where there is one]",
        ),
    ] = None,
    far: Annotated[
        list[float] | None,
        typer.Option(
            "--far",
            metavar="SHARE",
            parser=target_share,
            help="Report TAR at this FAR, as IJB; repeatable.",
        ),
    ] = None,
    identity_level: IdentityLevelOption = None,
    identity_pattern: IdentityPatternOption = None,
    identities: IdentitiesOption = None,
    missing: MissingOption = "fail",
    distance: DistanceOption = False,
    distance_of: DistanceOfOption = None,
    clusters: ClustersOption = "character",
    draws: DrawsOption = 1000,
    seed: DrawSeedOption = 0,
    overwrite: OverwriteOption = False,
    spreadsheet_safe: SpreadsheetSafeOption = False,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "fp32",
    batch_size: BatchOption = 32,
    workers: WorkersOption = None,
    max_pixels: MaxPixelsOption = 50_000_000,
) -> None:
    """Evaluate models, and the people who judged, on one pair file; no pictures needed."""
    from mining.cli.progress_bar import bar
    from mining.cli.summary import print_made
    from mining.commands.evaluate import evaluate_pairs
    from pairsets.files.side_files import Named

    made = evaluate_pairs(
        pairs,
        identities=rule_of(identity_level, identity_pattern, identities),
        scores=[Named.parse(text) for text in scores or []],
        submissions=submission or [],
        embeddings=embeddings or [],
        faces=faces,
        models=model or [],
        cache=cache,
        annotators=[Named.parse(text) for text in annotator or []],
        target_fnr=target_of(target_fnr),
        published=published,
        folds=folds,
        fars=far or [],
        out=out,
        missing=missing,
        distance=distance,
        distance_of=distance_of or [],
        clusters=clusters,
        draws=draws,
        seed=seed,
        overwrite=overwrite,
        spreadsheet_safe=spreadsheet_safe,
        encoding=encoding_of(device, precision, batch_size, workers, "fail", max_pixels),
        progress=bar,
    )
    print_made(made)


@app.command(
    rich_help_panel=PANEL,
    epilog="Example: `lookalikes compare faces --model timm:resnet50 --model pixels "
    "--pairs random.csv --pairs adversarial.csv --out runs/compared`",
)
def compare(
    faces: FacesArgument,
    pairs: Annotated[
        list[Path], typer.Option("--pairs", help="Five-column pair file; repeatable.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder of tables, figures and report.")],
    model: ModelsOption = None,
    scores: ScoresOption = None,
    embeddings: EmbeddingsOption = None,
    annotator: AnnotatorOption = None,
    target_fnr: TargetOption = None,
    published: Annotated[
        bool,
        typer.Option(
            "--published", help="Add ZACI-20's published rows, apart unless on its own pairs."
        ),
    ] = False,
    cache: Annotated[
        Path | None,
        typer.Option("--cache", help="Where vectors are kept. [default: OUT/embeddings]"),
    ] = None,
    identity_level: IdentityLevelOption = None,
    identity_pattern: IdentityPatternOption = None,
    identities: IdentitiesOption = None,
    missing: MissingOption = "fail",
    distance: DistanceOption = False,
    distance_of: DistanceOfOption = None,
    clusters: ClustersOption = "character",
    draws: DrawsOption = 1000,
    seed: DrawSeedOption = 0,
    overwrite: OverwriteOption = False,
    spreadsheet_safe: SpreadsheetSafeOption = False,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "fp32",
    batch_size: BatchOption = 32,
    workers: WorkersOption = None,
    on_error: OnErrorOption = "fail",
    max_pixels: MaxPixelsOption = 50_000_000,
) -> None:
    """Models side by side: tables with intervals, differences, figures, and a report to look at.

    Interrupted, the same command goes on where it stopped.
    """
    from mining.cli.progress_bar import bar
    from mining.cli.summary import print_compared
    from mining.commands.compare import compare_models
    from pairsets.files.side_files import Named

    compared = compare_models(
        faces,
        pairs,
        out=out,
        identities=rule_of(identity_level, identity_pattern, identities),
        models=model or [],
        scores=[Named.parse(text) for text in scores or []],
        embeddings=embeddings or [],
        annotators=[Named.parse(text) for text in annotator or []],
        target_fnr=target_of(target_fnr),
        published=published,
        missing=missing,
        distance=distance,
        distance_of=distance_of or [],
        clusters=clusters,
        draws=draws,
        seed=seed,
        cache=cache,
        encoding=encoding_of(device, precision, batch_size, workers, on_error, max_pixels),
        overwrite=overwrite,
        spreadsheet_safe=spreadsheet_safe,
        progress=bar,
    )
    print_compared(compared)


@app.command(
    rich_help_panel=PANEL,
    epilog="Example: `lookalikes submit adversarial.csv --faces faces --model pixels "
    "--name Pixels --out sent/pixels.csv`",
)
def submit(
    pairs: PairsArgument,
    out: Annotated[
        Path, typer.Option("--out", help="Score file to write; the manifest lies beside it.")
    ],
    scores: Annotated[
        Path | None, typer.Option("--scores", help="CSV with pathA, pathB, score of one model.")
    ] = None,
    embeddings: Annotated[
        Path | None, typer.Option("--embeddings", help="Folder written by `lookalikes embed`.")
    ] = None,
    faces: Annotated[
        Path | None, typer.Option("--faces", help="Folder that the pairs' paths lie in.")
    ] = None,
    model: Annotated[str | None, typer.Option("--model", help="Model to run on the faces.")] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="What tables shall call it. [default: its own]")
    ] = None,
    author: Annotated[
        list[str] | None, typer.Option("--author", help="Who submits; repeatable.")
    ] = None,
    description: Annotated[
        str | None, typer.Option("--description", help="What the model is, in a sentence.")
    ] = None,
    url: Annotated[str | None, typer.Option("--url", help="Where to read on.")] = None,
    cache: Annotated[
        Path | None,
        typer.Option("--cache", help="Where vectors are kept. [default: PAIRS.embeddings]"),
    ] = None,
    missing: Annotated[
        Literal["fail", "reject"],
        typer.Option(
            "--missing",
            help="Pairs without a score: fail names them, reject sends them as rejected.",
            rich_help_panel=SCORES,
        ),
    ] = "fail",
    distance: DistanceOption = False,
    overwrite: OverwriteOption = False,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "fp32",
    batch_size: BatchOption = 32,
    workers: WorkersOption = None,
    max_pixels: MaxPixelsOption = 50_000_000,
) -> None:
    """Scores of a pair set with a manifest, to send to a leaderboard."""
    from mining.cli.progress_bar import bar
    from mining.cli.summary import print_made
    from mining.commands.submit import submit as write

    made = write(
        pairs,
        out,
        scores=scores,
        embeddings=embeddings,
        faces=faces,
        model=model,
        name=name,
        description=description,
        authors=author or [],
        url=url,
        cache=cache,
        missing=missing,
        distance=distance,
        overwrite=overwrite,
        encoding=encoding_of(device, precision, batch_size, workers, "fail", max_pixels),
        progress=bar,
    )
    print_made(made)


@app.command(
    rich_help_panel=PANEL,
    epilog="Example: `lookalikes power adversarial.csv --scores adversarial.scores.csv --points 2`",
)
def power(
    pairs: PairsArgument,
    points: Annotated[
        float, typer.Option("--points", help="Difference to be told, in points of a percent.")
    ],
    scores: ScoresOption = None,
    embeddings: EmbeddingsOption = None,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", help="Only these of the models with scores; repeatable."),
    ] = None,
    statistic: Annotated[
        Literal["fpr", "eer"], typer.Option("--statistic", help="What is to differ.")
    ] = "fpr",
    chance: Annotated[
        float,
        typer.Option(
            "--power",
            metavar="SHARE",
            parser=share_from(),
            help="How often it is to be found, where it is there.",
        ),
    ] = 0.8,
    target_fnr: TargetOption = None,
    identity_level: IdentityLevelOption = None,
    identity_pattern: IdentityPatternOption = None,
    identities: IdentitiesOption = None,
    missing: MissingOption = "fail",
    distance: DistanceOption = False,
    distance_of: DistanceOfOption = None,
    clusters: ClustersOption = "character",
    draws: DrawsOption = 1000,
    seed: DrawSeedOption = 0,
) -> None:
    """How many pairs and characters it takes to tell two models apart."""
    if not 0 < points < 100:
        raise typer.BadParameter(
            f"--points {points:g}: expected more than 0 and less than 100, a difference in percent"
        )
    from mining.cli.summary import print_planned
    from mining.commands.power import plan
    from pairsets.files.side_files import Named

    planned = plan(
        pairs,
        points=points / 100,
        identities=rule_of(identity_level, identity_pattern, identities),
        scores=[Named.parse(text) for text in scores or []],
        embeddings=embeddings or [],
        models=model or [],
        statistic=statistic,
        power=chance,
        target_fnr=target_of(target_fnr),
        missing=missing,
        distance=distance,
        distance_of=distance_of or [],
        clusters=clusters,
        draws=draws,
        seed=seed,
    )
    print_planned(planned)
