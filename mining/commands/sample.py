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
    """Draw sample faces into `out/faces` and unpack two small networks beside them."""
    from mining.models.sample import write_drawn_reference, write_sample_weights
    from pairsets.sources.drawn.sample import draw_faces

    weights, drawn_faces = out / "tf_efficientnet_lite0", out / "drawn_faces"

    def write_networks(folder: Path) -> None:
        write_sample_weights(folder / weights.name)
        write_drawn_reference(folder / drawn_faces.name)

    with progress("Drawing faces") as step:
        drawn = draw_faces(
            out,
            characters=characters,
            seed=seed,
            overwrite=overwrite,
            progress=step,
            further=write_networks,
        )
    hint = (
        f"\nNow try: lookalikes build {drawn.faces} "
        f"--reference timm:tf_efficientnet_lite0@{weights} --model animecv:{drawn_faces} "
        f"--out {out / 'run'}\n"
    )
    return CommandResult([drawn.faces, weights, drawn_faces], hints=[drawn.credit, hint])
