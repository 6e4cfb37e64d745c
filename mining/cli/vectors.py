"""Vectors from elsewhere: the command import."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from mining.cli.app import app
from mining.cli.options import IdentityGroup, OnErrorOption, OverwriteOption
from mining.cli.sources import PANEL

_VECTORS = "Vectors"


@dataclass(frozen=True)
class ImportGroup:
    """Options of what the vectors are."""

    key: Annotated[
        str | None,
        typer.Option(
            "--key",
            metavar="NAME",
            help="Array or column of the vectors, in a file of several.",
            rich_help_panel=_VECTORS,
        ),
    ] = None
    name: Annotated[
        str | None,
        typer.Option(
            "--name",
            help="Name of the model in tables. [default: the file's]",
            rich_help_panel=_VECTORS,
        ),
    ] = None
    similarity: Annotated[
        Literal["cosine", "inner_product"] | None,
        typer.Option(
            "--similarity",
            help="Measure that the model's vectors are compared by. [default: cosine]",
            rich_help_panel=_VECTORS,
        ),
    ] = None
    same_model: Annotated[
        Path | None,
        typer.Option(
            "--same-model",
            metavar="FOLDER",
            help="Embeddings of the same model, so that they are compared with these: gallery and "
            "probes, train and test.",
            rich_help_panel=_VECTORS,
        ),
    ] = None
    on_error: OnErrorOption = "fail"


@app.command(
    name="import",
    rich_help_panel=PANEL,
    epilog="Example: `lookalikes import vectors.npy --names paths.txt --out embeddings/arcface`",
)
def import_vectors(
    vectors: Annotated[
        Path,
        typer.Argument(
            metavar="VECTORS",
            help="Rows of numbers: .npy, .npz, .safetensors, .pt, .parquet or .fvecs.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder of the embeddings.")],
    names: Annotated[
        str | None,
        typer.Option(
            "--names",
            metavar="[COLUMN=]FILE",
            help="Paths of the rows' faces, in their order: a line each, CSV, JSON, or any of the "
            "kinds of VECTORS. [default: those in VECTORS]",
        ),
    ] = None,
    faces: Annotated[
        Path | None,
        typer.Option(
            "--faces",
            metavar="FOLDER",
            help="Folder that the paths lie in: its pictures are looked for and digested.",
        ),
    ] = None,
    told: ImportGroup = ImportGroup(),
    identity: IdentityGroup = IdentityGroup(),
    overwrite: OverwriteOption = False,
) -> None:
    """Vectors that another tool made in, a folder of embeddings out.

    `mine`, `evaluate`, `identify` and all else that takes embeddings takes it.
    """
    from mining.cli.progress_bar import bar
    from mining.cli.summary import print_made
    from mining.commands import import_vectors as command

    made = command.import_vectors(
        vectors,
        names,
        out,
        faces=faces,
        identities=identity.rule(),
        options=command.ImportOptions(**vars(told)),
        overwrite=overwrite,
        progress=bar,
    )
    print_made(made)
