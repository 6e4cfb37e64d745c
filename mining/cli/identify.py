"""Finding a face among many: the command identify."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from mining.cli.app import app
from mining.cli.compare import PANEL
from mining.cli.options import (
    DrawsOption,
    GallerySizeOption,
    HeldOutOption,
    IdentityGroup,
    ModelGroup,
    OutputGroup,
    PoolOption,
    SeedOption,
    target_share,
)

_OPEN = "Rates"


@dataclass(frozen=True)
class GalleryGroup:
    """Options of the gallery."""

    gallery_size: GallerySizeOption = None
    pool: PoolOption = False
    held_out: HeldOutOption = None
    seed: SeedOption = 0


@dataclass(frozen=True)
class RateGroup:
    """Options of the rates."""

    fpir: Annotated[
        list[float] | None,
        typer.Option(
            "--fpir",
            metavar="SHARE",
            parser=target_share,
            help="Report FNIR at this FPIR; repeatable. [default: those of 0.01 and 0.001 that "
            "the probes can tell]",
            rich_help_panel=_OPEN,
        ),
    ] = None
    fnir: Annotated[
        list[float] | None,
        typer.Option(
            "--fnir",
            metavar="SHARE",
            parser=target_share,
            help="Report FPIR at this FNIR; repeatable. [default: 0.1 and 0.05]",
            rich_help_panel=_OPEN,
        ),
    ] = None
    rank_limit: Annotated[
        int | None,
        typer.Option(
            "--rank-limit",
            min=1,
            help="Identities that a search returns at most, for FNIR. [default: all]",
            rich_help_panel=_OPEN,
        ),
    ] = None
    draws: DrawsOption = 1000


@app.command(
    rich_help_panel=PANEL,
    epilog="Example: `lookalikes identify faces --model pixels --model timm:resnet50 "
    "--out identified`",
)
def identify(
    gallery: Annotated[
        Path,
        typer.Argument(
            metavar="GALLERY",
            help="Embeddings, or a folder of such folders, one a model; with --model, faces.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for tables, curves and ranks.")],
    probes: Annotated[
        Path | None,
        typer.Argument(
            metavar="[PROBES]",
            help="The same of what is searched for. Without it, both are drawn from GALLERY.",
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model", metavar="[NAME=]MODEL", help="Model to run on the faces; repeatable."
        ),
    ] = None,
    drawn: GalleryGroup = GalleryGroup(),
    rates: RateGroup = RateGroup(),
    identity: IdentityGroup = IdentityGroup(),
    written: OutputGroup = OutputGroup(),
    network: ModelGroup = ModelGroup(),
) -> None:
    """Search a gallery for faces, 1:N: ranks (CMC, mAP), and errors where some are strangers.

    Exact, with intervals by identity; of several models also their differences.
    """
    unfit = {"--gallery-size": drawn.gallery_size, "--held-out": drawn.held_out}
    if probes is not None and (named := [name for name, one in unfit.items() if one is not None]):
        raise typer.BadParameter(
            f"{' and '.join(named)} draw a gallery; here GALLERY and PROBES are given"
        )
    rule = identity.rule()
    if rule is not None and not model:
        raise typer.BadParameter(
            "who faces show is told to lookalikes embed; here it counts with --model alone"
        )
    from mining.cli.progress_bar import bar
    from mining.cli.summary import print_identified
    from mining.commands.identify import identify_faces
    from pairsets.evaluation.identification import FNIRS, IdentificationTargets
    from pairsets.evaluation.interval_options import IntervalOptions
    from pairsets.gallery_draw import HELD_OUT, GalleryOptions

    held_out = HELD_OUT if drawn.held_out is None else drawn.held_out
    made = identify_faces(
        gallery,
        probes,
        out=out,
        models=model or [],
        encoding=network.options(),
        identities=rule,
        drawn=GalleryOptions(drawn.gallery_size or 1, held_out, drawn.seed, drawn.pool),
        targets=IdentificationTargets(
            rates.fpir or None, FNIRS if rates.fnir is None else rates.fnir, rates.rank_limit
        ),
        intervals=IntervalOptions(draws=rates.draws, seed=drawn.seed),
        progress=bar,
        **vars(written),
    )
    print_identified(made)
