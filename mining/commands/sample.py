"""Drawn faces and small weights, to try everything on."""

from __future__ import annotations

from pathlib import Path

from mining.commands.result import CommandResult
from pairsets.progress import Progress, silent
from pairsets.storage.publication import alone


@alone(folder=True)
def make_sample(
    out: Path, *, characters: int, seed: int, overwrite: bool, progress: Progress = silent
) -> CommandResult:
    """Draw sample faces into `out/faces` and unpack small ImageNet weights beside them."""
    from mining.models.sample import write_sample_weights
    from pairsets.sources.drawn.sample import draw_faces

    weights = out / "tf_efficientnet_lite0"
    with progress("Drawing faces") as step:
        drawn = draw_faces(
            out,
            characters=characters,
            seed=seed,
            overwrite=overwrite,
            progress=step,
            further=lambda folder: write_sample_weights(folder / weights.name),
        )
    hint = (
        f"\nNow try: lookalikes build {drawn.faces} "
        f"--reference timm:tf_efficientnet_lite0@{weights} --out {out / 'run'}\n"
    )
    return CommandResult([drawn.faces, weights], hints=[drawn.credit, hint])
