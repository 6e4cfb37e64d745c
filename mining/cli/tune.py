"""Searching for the parameters of a training: the command tune."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mining.cli.app import app
from mining.cli.options import DeviceOption, FacesArgument, SeedOption, WorkersOption
from mining.cli.train import PANEL, FromScratchOption, TrunkOption

if TYPE_CHECKING:
    from mining.commands.tune import TrainingPlace, TuningBasis

SEARCHED = "What is searched"


@dataclass(frozen=True)
class BasisGroup:
    """Options of what a search begins with."""

    preset: Annotated[
        str | None,
        typer.Option(
            "--preset",
            metavar="NAME",
            help="Published model whose parameters are searched anew: 0206_resnet18, "
            "0206_resnet152, 0206_seresnet152, 0217_cls_resnet18 or 0301_cls_resnet152.",
            rich_help_panel=SEARCHED,
        ),
    ] = None
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help="Configuration, ours or the published models': parameters that it states are not "
            "searched.",
            rich_help_panel=SEARCHED,
        ),
    ] = None
    trunk: TrunkOption = None
    scratch: FromScratchOption = False
    epochs: Annotated[
        int | None,
        typer.Option(
            "--epochs",
            min=1,
            help="Number of epochs of a trial, at most.",
            rich_help_panel=SEARCHED,
        ),
    ] = None
    images_per_epoch: Annotated[
        int | None,
        typer.Option(
            "--images-per-epoch",
            min=1,
            help="Number of pictures between two validations.",
            rich_help_panel=SEARCHED,
        ),
    ] = None

    def basis(self) -> TuningBasis:
        """The options as the command takes them."""
        from mining.commands.tune import TuningBasis

        return TuningBasis(**vars(self))


@dataclass(frozen=True)
class PlaceGroup:
    """Options of where trainings run."""

    device: DeviceOption = "auto"
    workers: WorkersOption = None

    def place(self) -> TrainingPlace:
        """The options as the command takes them."""
        from mining.commands.tune import TrainingPlace

        return TrainingPlace(**vars(self))


@app.command(
    rich_help_panel=PANEL,
    epilog="Example: `lookalikes tune faces --study tune.sqlite --trials 50 --preset "
    "0206_resnet18`",
)
def tune(
    faces: FacesArgument,
    study: Annotated[
        Path,
        typer.Option(
            "--study",
            metavar="FILE",
            help="SQLite file that keeps the trials; the best configuration lies beside it.",
        ),
    ],
    trials: Annotated[
        int,
        typer.Option("--trials", min=1, help="Number of trials that the study is to come to."),
    ] = 50,
    fold_trials: Annotated[
        int | None,
        typer.Option(
            "--fold-trials",
            min=1,
            help="Number of folds that a trial is trained on. [default: the file's, else 1]",
        ),
    ] = None,
    seed: SeedOption = 0,
    out_plots: Annotated[
        Path | None,
        typer.Option("--out-plots", metavar="FOLDER", help="Folder for figures of the search."),
    ] = None,
    given: BasisGroup = BasisGroup(),
    run: PlaceGroup = PlaceGroup(),
) -> None:
    """Search for the parameters that train the best reference model on your faces.

    The same command goes on where it stopped; given several times at once, they share the trials.
    Needs `pip install 'lookalikes[train]'`.
    """
    from mining.cli.progress_bar import bar
    from mining.cli.summary import print_made
    from mining.commands.tune import tune_training

    made = tune_training(
        faces,
        study=study,
        trials=trials,
        basis=given.basis(),
        fold_trials=fold_trials,
        seed=seed,
        place=run.place(),
        out_plots=out_plots,
        progress=bar,
    )
    print_made(made)
