"""From scores to decisions: the command threshold."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mining.cli.app import app
from mining.cli.compare import PANEL, ModelScoresGroup
from mining.cli.options import (
    IdentityGroup,
    ModelGroup,
    OutputGroup,
    SeedOption,
    target_share,
)
from mining.cli.user_words import accepting


@app.command(
    cls=accepting({"--fmr": "--target-fpr"}),
    rich_help_panel=PANEL,
    epilog="Example: `lookalikes threshold faces --model timm:resnet50 --target-fpr 0.001 "
    "--out threshold`",
)
def threshold(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE",
            help="Folder of faces, with --model; or embeddings; or a pair file of random pairs, "
            "with the scores of one model.",
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", help="Folder for the threshold, its words and identities.")
    ],
    target_fpr: Annotated[
        float,
        typer.Option(
            "--target-fpr",
            metavar="SHARE",
            parser=target_share,
            help="Share of pairs of different identities that may be accepted (FMR).",
        ),
    ] = 1e-3,
    given: ModelScoresGroup = ModelScoresGroup(),
    judge_on: Annotated[
        list[Path] | None,
        typer.Option(
            "--judge-on",
            metavar="PAIRS",
            help="Pair file to judge the threshold on, such as look-alikes; repeatable.",
        ),
    ] = None,
    most_faces: Annotated[
        int,
        typer.Option(
            "--most-faces",
            min=0,
            help="Faces of which all pairs count, about: of more, whole identities are drawn; 0 "
            "for all.",
        ),
    ] = 50_000,
    seed: SeedOption = 0,
    identity: IdentityGroup = IdentityGroup(),
    written: OutputGroup = OutputGroup(),
    network: ModelGroup = ModelGroup(),
) -> None:
    """Tell the threshold for your faces: the number, how sure it is, and what it costs.

    The lowest score at which the share of wrong matches is at most the target, over all pairs of a
    folder or those of a file; its interval, its rates on look-alikes and on identities that did not
    set it, and the identities that need a threshold of their own.
    """
    from mining.cli.progress_bar import bar
    from mining.cli.summary import print_threshold
    from mining.commands.threshold import ThresholdOptions, find_threshold

    made = find_threshold(
        source,
        out=out,
        sources=given.sources(network.options()),
        judge_on=judge_on or [],
        identities=identity.rule(),
        options=ThresholdOptions(target_fpr, most_faces, seed),
        progress=bar,
        **vars(written),
    )
    print_threshold(made)
