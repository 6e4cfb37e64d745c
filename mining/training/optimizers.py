"""Optimizer of a training, its learning rate at each step, and the average of its weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from mining.models.torchvision_ops import import_timm
from mining.training.configuration import TrainingConfig
from mining.training.losses import MetricLoss


def build_optimizer(
    network: nn.Module, loss: MetricLoss, config: TrainingConfig
) -> torch.optim.RAdam:
    """RAdam (Liu et al. 2020) with decoupled weight decay over network, classifier and loss.

    What the metric loss learns has a learning rate of its own, and no decay, as for the published
    models. The plain implementation is taken: PyTorch's `foreach` one rounds differently.
    """
    settings = config.optimizer
    classifier = list(loss.classifier.parameters()) if loss.classifier is not None else []
    groups: list[dict[str, Any]] = [{"params": [*network.parameters(), *classifier]}]
    centres = list(loss.metric.parameters())
    if centres:
        groups.append({"params": centres, "lr": config.loss.lr, "weight_decay": 0.0})
    return torch.optim.RAdam(
        groups,
        lr=settings.lr,
        betas=(settings.beta1, settings.beta2),
        eps=settings.eps,
        weight_decay=settings.weight_decay,
        decoupled_weight_decay=True,
        foreach=False,
    )


class Schedule:
    """Learning rates by step, timm's; a function of the step alone, so nothing is kept of it."""

    def __init__(self, optimizer: torch.optim.Optimizer, config: TrainingConfig) -> None:
        import_timm()
        from timm.scheduler.cosine_lr import CosineLRScheduler
        from timm.scheduler.step_lr import StepLRScheduler

        warmup = round(config.optimizer.warmup * config.steps_per_epoch)
        # Of `warmup_prefix` timm starts the schedule behind the warm-up: else it never reaches
        # the rate.
        common: dict[str, Any] = {
            "warmup_t": warmup,
            "warmup_lr_init": 0.0,
            "warmup_prefix": True,
            "t_in_epochs": False,
        }
        if config.optimizer.schedule == "cosine":
            self._scheduler: Any = CosineLRScheduler(
                optimizer, t_initial=config.steps - warmup + 1, **common
            )
        else:
            self._scheduler = StepLRScheduler(
                optimizer, decay_t=config.steps + 1, decay_rate=1.0, **common
            )

    def set(self, step: int) -> None:
        """Set the rates of `step`, from 0; the first of a warm-up is above nought."""
        self._scheduler.step_update(step + 1 if self._scheduler.warmup_t else step)


def build_average(network: nn.Module, config: TrainingConfig) -> Any:
    """timm's exponential average of the weights; None where none is asked for."""
    if config.optimizer.ema is None:
        return None
    import_timm()
    from timm.utils.model_ema import ModelEmaV3

    return ModelEmaV3(network, decay=config.optimizer.ema, use_warmup=True)
