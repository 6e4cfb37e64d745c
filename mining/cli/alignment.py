"""Faces aligned by their landmarks: the command align."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mining.cli.app import app
from mining.cli.options import (
    FacesArgument,
    IdentityGroup,
    OverwriteOption,
    ProcessesOption,
    SourcePixelsOption,
)
from mining.cli.sources import PANEL


@app.command(
    rich_help_panel=PANEL,
    epilog="Example: `lookalikes align faces --landmarks landmarks.csv --out aligned`",
)
def align(
    faces: FacesArgument,
    landmarks: Annotated[
        Path,
        typer.Option(
            "--landmarks",
            metavar="FILE",
            help="List of five points a face: CSV with `path,left_eye_x,left_eye_y,...` or "
            "`path,x1,y1,...,x5,y5`, CelebA's, or a path and ten numbers a line.",
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", help="Folder to write, with a folder per identity.")
    ],
    size: Annotated[
        int, typer.Option("--size", min=1, max=4096, help="Side of a crop, in pixels.")
    ] = 112,
    identity: IdentityGroup = IdentityGroup(),
    processes: ProcessesOption = None,
    max_pixels: SourcePixelsOption = 50_000_000,
    overwrite: OverwriteOption = False,
) -> None:
    """Align faces by eyes, nose and mouth, as ArcFace's networks want them.

    Paths stay as they are, so that pairs of FACES are pairs of OUT. Faces without landmarks are
    listed. Interrupted, the same command goes on where it stopped.
    """
    from mining.cli.progress_bar import bar
    from mining.cli.summary import print_made
    from mining.commands.align import align_faces

    made = align_faces(
        faces,
        landmarks,
        out,
        size=size,
        identities=identity.rule(),
        workers=processes,
        max_pixels=max_pixels,
        overwrite=overwrite,
        progress=bar,
    )
    print_made(made)
