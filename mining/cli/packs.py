"""Pair sets for other evaluators: the command export-pack."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from mining.cli.app import app
from mining.cli.options import IdentityGroup, OverwriteOption, ProcessesOption, SourcePixelsOption

# Of the help.
PANEL = "Faces and pairs from elsewhere"


@app.command(
    rich_help_panel=PANEL,
    epilog="Example: `lookalikes export-pack adversarial.csv --faces faces --layout insightface "
    "--size 112 --out pack`",
)
def export_pack(
    pairs: Annotated[Path, typer.Argument(metavar="PAIRS", help="Pair file.")],
    faces: Annotated[
        Path, typer.Option("--faces", metavar="FOLDER", help="Folder that PAIRS' paths lie in.")
    ],
    layout: Annotated[
        Literal["lfw", "insightface"],
        typer.Option(
            "--layout",
            metavar="LAYOUT",
            help="Lists beside the faces. lfw: pairs.txt, of as many positives as negatives; "
            "insightface: pairs_label.txt, faces.lst and property, of any pairs.",
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", help="Folder to write, with a folder per identity.")
    ],
    size: Annotated[
        int | None,
        typer.Option(
            "--size",
            min=1,
            max=4096,
            help="Side of the pictures, in pixels. [default: as they are]",
        ),
    ] = None,
    quality: Annotated[
        int,
        typer.Option(
            "--quality",
            min=1,
            max=100,
            help="Quality of the JPEG files that are made anew, in percent.",
        ),
    ] = 95,
    identity: IdentityGroup = IdentityGroup(),
    processes: ProcessesOption = None,
    max_pixels: SourcePixelsOption = 50_000_000,
    overwrite: OverwriteOption = False,
) -> None:
    """Write a pair file and its faces as a folder that other projects evaluate on.

    Faces are called `Name/Name_0001.jpg`, as LFW's are; `pack.csv` says which face each is. What
    is no upright JPEG is made one. InsightFace's .bin is a pickle, and never written.
    """
    from mining.cli.progress_bar import bar
    from mining.cli.summary import print_made
    from mining.commands.export_pack import PackOptions
    from mining.commands.export_pack import export_pack as write_pack

    made = write_pack(
        pairs,
        faces,
        out,
        PackOptions(layout, size, quality, max_pixels),
        identities=identity.rule(),
        workers=processes,
        overwrite=overwrite,
        progress=bar,
    )
    print_made(made)
