"""Seeing the confusing pairs: the commands show, neighbours and explain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from mining.cli.app import app
from mining.cli.options import (
    BatchOption,
    DeviceOption,
    IdentitiesOption,
    IdentityLevelOption,
    IdentityPatternOption,
    MaxPixelsOption,
    OverwriteOption,
    PairsArgument,
    PrecisionOption,
    SeedOption,
    SpreadsheetSafeOption,
    WorkersOption,
    encoding_of,
    rule_of,
)

# Of the help.
PANEL = "See the confusing pairs"


@app.command(
    rich_help_panel=PANEL,
    epilog="Example: `lookalikes show adversarial.csv --faces faces --scores "
    "adversarial.scores.csv --names --out hardest.png`",
)
def show(
    pairs: PairsArgument,
    faces: Annotated[Path, typer.Option("--faces", help="Folder that the paths lie in.")],
    out: Annotated[Path, typer.Option("--out", help="Picture to write, .png or .svg.")],
    scores: Annotated[
        Path | None,
        typer.Option("--scores", help="Show the hardest pairs by these, with their scores."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            help="Whose highest scores. [default: the mining rank, where the file has one; else "
            "the first model in it]",
        ),
    ] = None,
    count: Annotated[int, typer.Option("--count", min=1, help="How many pairs.")] = 10,
    label: Annotated[
        int, typer.Option("--label", min=0, max=1, help="0 different, 1 same character.")
    ] = 0,
    names: Annotated[bool, typer.Option("--names", help="Write the characters' names.")] = False,
    identity_level: IdentityLevelOption = None,
    identity_pattern: IdentityPatternOption = None,
    identities: IdentitiesOption = None,
    seed: SeedOption = 0,
    overwrite: OverwriteOption = False,
    max_pixels: MaxPixelsOption = 50_000_000,
) -> None:
    """Draw pairs in columns, as ZACI-20's Figures 1 and 2 do."""
    if model is not None and scores is None:
        raise typer.BadParameter("--model says whose scores to show; give them with --scores")
    from mining.cli.summary import print_made
    from mining.commands.show import show_pairs

    made = show_pairs(
        pairs,
        faces,
        out,
        scores=scores,
        model=model,
        count=count,
        label=label,
        names=names,
        identities=rule_of(identity_level, identity_pattern, identities),
        seed=seed,
        overwrite=overwrite,
        max_pixels=max_pixels,
    )
    print_made(made)


@app.command(
    rich_help_panel=PANEL,
    epilog="Example: `lookalikes neighbours rei/1.jpg --embeddings embeddings/resnet50 "
    "--faces faces --out rei.png`",
)
def neighbours(
    face: Annotated[
        str,
        typer.Argument(
            metavar="FACE",
            help="Path of a face (`character/name.jpg`), a character, or any image file.",
        ),
    ],
    embeddings: Annotated[
        Path | None,
        typer.Option("--embeddings", help="Folder written by `lookalikes embed` or `build`."),
    ] = None,
    faces: Annotated[
        Path | None, typer.Option("--faces", help="Folder of faces; a picture needs it.")
    ] = None,
    identity_level: IdentityLevelOption = None,
    identity_pattern: IdentityPatternOption = None,
    identities: IdentitiesOption = None,
    model: Annotated[
        str | None,
        typer.Option("--model", help="Model of a run, or to embed --faces or an image file with."),
    ] = None,
    count: Annotated[int, typer.Option("--count", min=1, help="How many impostors.")] = 10,
    per_character: Annotated[
        int, typer.Option("--per-character", min=0, help="Of one character; 0 is no limit.")
    ] = 1,
    out: Annotated[
        Path | None, typer.Option("--out", help="Picture to write, .png or .svg.")
    ] = None,
    scores: Annotated[
        Path | None, typer.Option("--scores", help="Score file of the impostors to write.")
    ] = None,
    cache: Annotated[
        Path | None, typer.Option("--cache", help="Where the vectors of --model are kept.")
    ] = None,
    overwrite: OverwriteOption = False,
    spreadsheet_safe: SpreadsheetSafeOption = False,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "fp32",
    batch_size: BatchOption = 32,
    workers: WorkersOption = None,
    max_pixels: MaxPixelsOption = 50_000_000,
) -> None:
    """Who gets taken for a face? Its nearest impostors, beside its own character's faces."""
    from mining.cli.progress_bar import bar
    from mining.cli.summary import print_neighbours
    from mining.commands.neighbours import VectorSource, show_neighbours

    found = show_neighbours(
        face,
        source=VectorSource(
            embeddings,
            faces,
            rule_of(identity_level, identity_pattern, identities),
            model,
            cache,
        ),
        count=count,
        per_character=per_character or None,
        out=out,
        scores=scores,
        overwrite=overwrite,
        spreadsheet_safe=spreadsheet_safe,
        encoding=encoding_of(device, precision, batch_size, workers, "fail", max_pixels),
        progress=bar,
    )
    print_neighbours(found)


@app.command(
    rich_help_panel=PANEL,
    epilog="Example: `lookalikes explain rei/1.jpg asuka/2.jpg --faces faces "
    "--model timm:resnet50 --out why.png`",
)
def explain(
    a: Annotated[Path, typer.Argument(metavar="A", help="Image file, or path within --faces.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="The other one.")],
    model: Annotated[str, typer.Option("--model", help="Model to look through.")],
    out: Annotated[Path, typer.Option("--out", help="Picture to write, .png or .svg.")],
    faces: Annotated[
        Path | None, typer.Option("--faces", help="Folder that the two paths lie in.")
    ] = None,
    method: Annotated[
        Literal["auto", "parts", "masks"],
        typer.Option(
            "--method",
            help="parts: the score as a sum over places, exact, for networks that average them; "
            "masks: random masks, for any model; auto: parts where the network allows it.",
        ),
    ] = "auto",
    masks: Annotated[int, typer.Option("--masks", min=2, help="How many masks.")] = 1000,
    seed: SeedOption = 0,
    overwrite: OverwriteOption = False,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "fp32",
    batch_size: BatchOption = 32,
    max_pixels: MaxPixelsOption = 50_000_000,
) -> None:
    """Where a model looks when it finds two faces alike: a heat map over both."""
    from mining.cli.progress_bar import bar
    from mining.cli.summary import print_made
    from mining.commands.explain import explain_pair

    made = explain_pair(
        a,
        b,
        model,
        out,
        faces=faces,
        method=method,
        masks=masks,
        seed=seed,
        overwrite=overwrite,
        encoding=encoding_of(device, precision, batch_size, None, "fail", max_pixels),
        progress=bar,
    )
    print_made(made)
