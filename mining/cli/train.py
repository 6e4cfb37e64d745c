"""Training a reference model: the command train."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mining.cli.app import app
from mining.cli.options import (
    AliasesOption,
    DeviceOption,
    ExcludeOption,
    FacesArgument,
    IdentityGroup,
    MaxPixelsOption,
    OnErrorOption,
    OverwriteOption,
    PrecisionOption,
    SeedOption,
    WorkersOption,
    share_from,
)
from mining.cli.user_words import taking_bare

if TYPE_CHECKING:
    from mining.training.run_settings import RunSettings

PANEL = "Train a reference model"
# As `mining.training.configuration` has them, which would import too much.
Loss = Literal[
    "contrastive",
    "triplet",
    "multi-similarity",
    "arcface",
    "subcenter-arcface",
    "proxy-nca",
    "supcon",
]
Select = Literal["map@r", "fpr-random", "fpr-adversarial", "last"]
HardNegatives = Literal["identities", "pairs", "none"]
Augmentation = Literal["none", "randaugment", "affine"]
TrunkOption = Annotated[
    str | None,
    typer.Option(
        "--trunk",
        metavar="NAME[@WEIGHTS]",
        help="Network to begin with: timm:NAME or ResNet-18, with the library's weights or those "
        "given.",
    ),
]
FromScratchOption = Annotated[
    bool, typer.Option("--from-scratch", help="Begin with random weights.")
]
SIZES, STEPS, HELD = "Network and batches", "Optimizer", "Validation"


def _panel(name: str) -> dict[str, str]:
    return {"rich_help_panel": name}


@dataclass(frozen=True)
class ConfigGroup:
    """Options of which configuration is trained."""

    preset: Annotated[
        str | None,
        typer.Option(
            "--preset",
            metavar="NAME",
            help="Settings of a published model: 0206_resnet18, 0206_resnet152, "
            "0206_seresnet152, 0217_cls_resnet18 or 0301_cls_resnet152.",
        ),
    ] = None
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help="Configuration as JSON: ours, or one of optuna-metric-learning.",
        ),
    ] = None
    trunk: TrunkOption = None
    from_scratch: FromScratchOption = False
    loss: Annotated[
        Loss | None,
        typer.Option(
            "--loss",
            metavar="NAME",
            help="Loss between the vectors: contrastive, "
            "triplet, multi-similarity, arcface, subcenter-arcface, proxy-nca or supcon.",
        ),
    ] = None
    dim: Annotated[
        int | None, typer.Option("--dim", min=1, help="Length of the vectors. [default: 500]")
    ] = None
    hard_negatives: Annotated[
        HardNegatives | None,
        typer.Option(
            "--hard-negatives",
            help="Build batches of identities, or of pairs of pictures, that the network as it is "
            "confuses. [default without a word: identities]",
        ),
    ] = None


@dataclass(frozen=True)
class SizeGroup:
    """Options of the panel `SIZES`."""

    input_size: Annotated[
        int | None,
        typer.Option(
            "--input-size", min=16, help="Side in pixels. [default: 224]", **_panel(SIZES)
        ),
    ] = None
    m: Annotated[
        int | None,
        typer.Option(
            "--m", min=2, help="Pictures of an identity in a batch. [default: 8]", **_panel(SIZES)
        ),
    ] = None
    batch_size: Annotated[
        int | None,
        typer.Option(
            "--batch-size", min=4, help="Pictures in a batch. [default: 64]", **_panel(SIZES)
        ),
    ] = None
    augmentation: Annotated[
        Augmentation | None,
        typer.Option(
            "--augmentation",
            help="Changes of training pictures. [default: randaugment]",
            **_panel(SIZES),
        ),
    ] = None
    dropout: Annotated[
        float | None,
        typer.Option(
            "--dropout",
            metavar="NUMBER",
            help="Part of a vector that is dropped. [default: 0.367]",
            **_panel(SIZES),
        ),
    ] = None


@dataclass(frozen=True)
class StepGroup:
    """Options of the panel `STEPS`."""

    epochs: Annotated[
        int | None,
        typer.Option("--epochs", min=1, help="Epochs, at most. [default: 60]", **_panel(STEPS)),
    ] = None
    images_per_epoch: Annotated[
        int | None,
        typer.Option(
            "--images-per-epoch",
            min=4,
            help="Pictures between two validations. [default: all, at most 100,000; of a preset "
            "100,000]",
            **_panel(STEPS),
        ),
    ] = None
    lr: Annotated[
        float | None,
        typer.Option("--lr", min=0, help="Learning rate. [default: 4e-5]", **_panel(STEPS)),
    ] = None
    weight_decay: Annotated[
        float | None,
        typer.Option("--weight-decay", min=0, help="Decoupled decay.", **_panel(STEPS)),
    ] = None
    schedule: Annotated[
        Literal["constant", "cosine"] | None,
        typer.Option(
            "--schedule", help="Course of the learning rate. [default: constant]", **_panel(STEPS)
        ),
    ] = None
    warmup: Annotated[
        float | None,
        typer.Option("--warmup", min=0, help="Epochs in which the rate rises.", **_panel(STEPS)),
    ] = None
    ema: Annotated[
        float | None,
        typer.Option(
            "--ema",
            metavar="NUMBER",
            help="Average the weights with this decay, as 0.999. [default: no average]",
            **_panel(STEPS),
        ),
    ] = None


@dataclass(frozen=True)
class HeldOutGroup:
    """Options of the panel `HELD`."""

    folds: Annotated[
        int | None,
        typer.Option(
            "--validation-folds",
            min=2,
            help="Folds of identities, one held out. [default: 10]",
            **_panel(HELD),
        ),
    ] = None
    fold: Annotated[
        int | None,
        typer.Option(
            "--validation-fold", min=0, help="Which fold is held out, from 0.", **_panel(HELD)
        ),
    ] = None
    select: Annotated[
        Select | None,
        typer.Option(
            "--select",
            metavar="NAME",
            help="Score that the best epoch is best in: map@r, fpr-random or "
            "fpr-adversarial; last takes the last. "
            "[default: map@r]",
            **_panel(HELD),
        ),
    ] = None
    target_fnr: Annotated[
        float | None,
        typer.Option(
            "--validation-fnr",
            metavar="SHARE",
            parser=share_from(),
            help="FNR that FPR stands at while training. [default: 0.139]",
            **_panel(HELD),
        ),
    ] = None
    patience: Annotated[
        int | None,
        typer.Option(
            "--patience",
            min=1,
            help="Epochs without a better one before it stops. [default: 3]",
            **_panel(HELD),
        ),
    ] = None


@dataclass(frozen=True)
class RunGroup:
    """Options of the panel `Models`, and pairs that are no negatives."""

    device: DeviceOption = "auto"
    precision: PrecisionOption = "fp32"
    workers: WorkersOption = None
    on_error: OnErrorOption = "fail"
    max_pixels: MaxPixelsOption = 50_000_000
    exclude: ExcludeOption = None
    aliases: AliasesOption = None

    def settings(self, seed: int) -> RunSettings:
        """The settings as commands take them."""
        from mining.training.run_settings import RunSettings
        from pairsets.files.aliases import Aliases
        from pairsets.files.exclusions import Exclusions

        return RunSettings(
            seed=seed,
            device=self.device,
            workers=self.workers,
            precision=self.precision,
            skip=self.on_error == "skip",
            max_pixels=self.max_pixels,
            exclude=[Exclusions.read(path) for path in self.exclude or []],
            aliases=None if self.aliases is None else Aliases.read(self.aliases),
        )


# What single options change, by the name of the configuration.
_CHANGES = {
    "loss": "loss.name",
    "hard_negatives": "hard_negatives.name",
    "augmentation": "augmentation.name",
    **{name: f"optimizer.{name}" for name in ("lr", "weight_decay", "schedule", "warmup", "ema")},
    **{
        name: f"validation.{name}" for name in ("folds", "fold", "select", "target_fnr", "patience")
    },
}
_NO_CHANGES = {"preset", "config", "trunk", "from_scratch"}


def changes_of(*groups: object) -> dict[str, object]:
    """Changes of a configuration that groups of options make, by its names."""
    return {
        _CHANGES.get(name, name): value
        for group in groups
        for name, value in vars(group).items()
        if name not in _NO_CHANGES
    }


@app.command(
    cls=taking_bare({"--hard-negatives": ("identities", ("identities", "pairs", "none"))}),
    rich_help_panel=PANEL,
    epilog="Example: `lookalikes train faces --trunk "
    "timm:tf_efficientnet_lite0@tf_efficientnet_lite0 --input-size 96 --epochs 3 --out model`",
)
def train(
    faces: FacesArgument,
    out: Annotated[Path, typer.Option("--out", help="Folder of the model.")],
    identity: IdentityGroup = IdentityGroup(),
    config: ConfigGroup = ConfigGroup(),
    sizes: SizeGroup = SizeGroup(),
    steps: StepGroup = StepGroup(),
    held_out: HeldOutGroup = HeldOutGroup(),
    run: RunGroup = RunGroup(),
    licence: Annotated[
        str | None,
        typer.Option("--licence", metavar="SPDX", help="Licence that the model card states."),
    ] = None,
    seed: SeedOption = 0,
    overwrite: OverwriteOption = False,
) -> None:
    """Train a reference model on a folder of faces; AnimeCV and `animecv:` load it.

    Interrupted, the same command goes on where it stopped, and ends with the same bytes.
    """
    from mining.cli.progress_bar import bar
    from mining.cli.summary import print_made
    from mining.commands.train import train_model
    from mining.training.changes import ConfigChoice

    choice = ConfigChoice(
        config.preset,
        config.config,
        config.trunk,
        config.from_scratch,
        changes_of(config, sizes, steps, held_out),
    )
    made = train_model(
        faces,
        out,
        choice,
        identities=identity.rule(),
        settings=run.settings(seed),
        licence=licence,
        overwrite=overwrite,
        progress=bar,
    )
    if made.files:
        print_made(made)
