"""Seeing the confusing pairs: the commands show, neighbours and explain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from mining.cli.adaptation import AdaptedNetworkGroup
from mining.cli.app import app
from mining.cli.options import (
    FacesFolderOption,
    IdentityGroup,
    MaxPixelsOption,
    NetworkGroup,
    OutputGroup,
    OverwriteOption,
    PairsArgument,
    SeedOption,
)
from mining.cli.user_words import accepting

# Of the help.
PANEL = "See the confusing pairs"


def _label(text: str) -> str:
    """The label in words; the numbers that pair files have are understood."""
    words = {"0": "negative", "1": "positive"}
    if words.get(text, text) not in words.values():
        raise typer.BadParameter(f"{text!r} is none of negative, positive")
    return words.get(text, text)


@app.command(
    cls=accepting({"--model": "--only-model", "--names": "--with-names"}),
    rich_help_panel=PANEL,
    epilog="Example: `lookalikes show adversarial.csv --faces faces --scores "
    "adversarial.scores.csv --with-names --out hardest.png`",
)
def show(
    pairs: PairsArgument,
    faces: FacesFolderOption,
    out: Annotated[Path, typer.Option("--out", help="Picture to write, .png or .svg.")],
    scores: Annotated[
        Path | None,
        typer.Option(
            "--scores", metavar="FILE", help="Score file by which to show the hardest pairs."
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--only-model",
            metavar="NAME",
            help="Model whose highest scores to show. [default: the mining rank, where the file "
            "has one; else the first model in it]",
        ),
    ] = None,
    count: Annotated[int, typer.Option("--count", min=1, help="Number of pairs to show.")] = 10,
    label: Annotated[
        str,
        typer.Option(
            "--label",
            metavar="negative|positive",
            parser=_label,
            help="Pairs of different identities, or of the same.",
        ),
    ] = "negative",
    names: Annotated[
        bool, typer.Option("--with-names", help="Write the identities' names below the pairs.")
    ] = False,
    identity: IdentityGroup = IdentityGroup(),
    seed: SeedOption = 0,
    overwrite: OverwriteOption = False,
    max_pixels: MaxPixelsOption = 50_000_000,
) -> None:
    """Draw pairs in columns, as ZACI-20's Figures 1 and 2 do."""
    if model is not None and scores is None:
        raise typer.BadParameter("--only-model says whose scores to show; give them with --scores")
    from mining.cli.summary import print_made
    from mining.commands.show import show_pairs

    made = show_pairs(
        pairs,
        faces,
        out,
        scores=scores,
        model=model,
        count=count,
        label=int(label == "positive"),
        names=names,
        identities=identity.rule(),
        seed=seed,
        overwrite=overwrite,
        max_pixels=max_pixels,
    )
    print_made(made)


@app.command(
    cls=accepting({"--scores": "--out-scores", "--per-character": "--per-identity"}),
    rich_help_panel=PANEL,
    epilog="Example: `lookalikes neighbours rei/1.jpg --embeddings embeddings/resnet50 "
    "--faces faces --out rei.png`",
)
def neighbours(
    face: Annotated[
        str,
        typer.Argument(
            metavar="FACE",
            help="Path of a face (`identity/name.jpg`), an identity, or any image file.",
        ),
    ],
    embeddings: Annotated[
        Path | None,
        typer.Option(
            "--embeddings",
            metavar="[NAME=]FOLDER",
            help="Folder written by `lookalikes embed` or `build`.",
        ),
    ] = None,
    faces: Annotated[
        Path | None,
        typer.Option("--faces", metavar="FOLDER", help="Folder of faces; a picture needs it."),
    ] = None,
    identity: IdentityGroup = IdentityGroup(),
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="MODEL",
            help="Model of a run, or to embed --faces or an image file with.",
        ),
    ] = None,
    count: Annotated[int, typer.Option("--count", min=1, help="Number of impostors to show.")] = 10,
    per_identity: Annotated[
        int,
        typer.Option(
            "--per-identity", min=0, help="Most impostors of one identity; 0 is no limit."
        ),
    ] = 1,
    out: Annotated[
        Path | None, typer.Option("--out", help="Picture to write, .png or .svg.")
    ] = None,
    scores: Annotated[
        Path | None,
        typer.Option("--out-scores", metavar="FILE", help="Score file of the impostors to write."),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(
            "--cache",
            metavar="FOLDER",
            help="Folder to keep the vectors of --model in. [default: beside --faces]",
        ),
    ] = None,
    written: OutputGroup = OutputGroup(),
    network: AdaptedNetworkGroup = AdaptedNetworkGroup(),
) -> None:
    """Who gets taken for a face? Its nearest impostors, beside its own identity's faces."""
    from mining.cli.progress_bar import bar
    from mining.cli.summary import print_neighbours
    from mining.commands.neighbours import VectorSource, show_neighbours

    found = show_neighbours(
        face,
        source=VectorSource(embeddings, faces, identity.rule(), model, cache),
        count=count,
        per_identity=per_identity or None,
        out=out,
        scores=scores,
        encoding=network.options(),
        progress=bar,
        **vars(written),
    )
    print_neighbours(found)


@app.command(
    rich_help_panel=PANEL,
    epilog="Example: `lookalikes explain rei/1.jpg asuka/2.jpg --faces faces "
    "--model timm:resnet50 --out why.png`",
)
def explain(
    a: Annotated[Path, typer.Argument(metavar="A", help="Image file, or path within --faces.")],
    b: Annotated[
        Path, typer.Argument(metavar="B", help="The other image file, or path within --faces.")
    ],
    model: Annotated[
        str,
        typer.Option("--model", metavar="[NAME=]MODEL", help="Model that the two are scored with."),
    ],
    out: Annotated[Path, typer.Option("--out", help="Picture to write, .png or .svg.")],
    faces: Annotated[
        Path | None,
        typer.Option("--faces", metavar="FOLDER", help="Folder that the two paths lie in."),
    ] = None,
    method: Annotated[
        Literal["auto", "parts", "masks"],
        typer.Option(
            "--method",
            help="Method. parts: the score as a sum over places, exact, for networks that average "
            "them; masks: random masks, for any model; auto: parts where the network allows it.",
        ),
    ] = "auto",
    masks: Annotated[int, typer.Option("--masks", min=2, help="Number of random masks.")] = 1000,
    seed: SeedOption = 0,
    overwrite: OverwriteOption = False,
    network: NetworkGroup = NetworkGroup(),
) -> None:
    """Draw where a model looks when it finds two faces alike: a heat map over both."""
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
        encoding=network.options(),
        progress=bar,
    )
    print_made(made)
