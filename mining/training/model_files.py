"""Model folder that a training leaves: AnimeCV's layout, safetensors, and a card."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from mining.models.animecv import PREPROCESSING, STATED
from mining.training.configuration import TrainingConfig
from mining.training.losses import LOSSES, checked_options
from mining.training.network import FaceNetwork
from mining.training.pictures import preprocessing_of

TRUNK, EMBEDDER, CONF = "trunk.pth", "embedder.pth", "conf.json"
TENSORS, CARD, RECORD, CURVES = "model.safetensors", "README.md", "training.json", "curves.png"
MODEL_FILES = (TRUNK, EMBEDDER, CONF, TENSORS, CARD, CURVES, RECORD)

# As optuna-metric-learning, which the published models were made with, calls losses and options.
_LOSSES = {
    "contrastive": "Contrastive",
    "triplet": "Triplet",
    "arcface": "ArcFace",
    "proxy-nca": "ProxyNCA",
}
_OPTIONS = {
    "contrastive": {"pos_margin": "pos_margin", "neg_margin": "neg_margin"},
    "triplet": {"margin": "margin"},
    "arcface": {"margin": "arc_margin", "scale": "scale"},
    "proxy-nca": {"scale": "scale"},
}


@dataclass(frozen=True)
class CardFacts:
    """Facts of a model card beyond its configuration.

    Attributes:
        name: of the model.
        licence: SPDX name, as the user gave it; None where nobody said.
        start: weights that the training began with.
        identities, pictures: numbers of those trained on.
        held_out: numbers of identities and pictures held out.
        data, weights: digests of the faces and of the weights.
        scores: lines of the table of scores: set, statistic, value, interval.
        versions: of the libraries.
        notes: sentences for whoever uses the model.
    """

    name: str
    licence: str | None
    start: str
    identities: int
    pictures: int
    held_out: tuple[int, int]
    data: str
    weights: str
    scores: tuple[tuple[str, str, str, str], ...]
    versions: Mapping[str, str]
    notes: tuple[str, ...] = ()


def write_model_files(
    folder: Path, network: FaceNetwork, config: TrainingConfig, card: CardFacts, record: object
) -> None:
    """Write all of a model but its curves into a folder that is being put together.

    Args:
        folder: to write into.
        network: in evaluation mode, on the CPU.
        config: that it was trained by.
        card: facts of the card.
        record: JSON-able, of `training.json`.
    """
    trunk = _plain(network.trunk.state_dict())
    embedder = _plain(network.embedder.state_dict())
    (folder / TRUNK).write_bytes(_saved(trunk))
    (folder / EMBEDDER).write_bytes(_saved(embedder))
    conf = json.dumps(conf_of(config), indent=1)
    (folder / CONF).write_text(conf + "\n", "utf-8")
    tensors = {f"trunk.{name}": tensor for name, tensor in trunk.items()}
    tensors |= {f"embedder.{name}": tensor for name, tensor in embedder.items()}
    # Of several entries safetensors writes the order anew in each process: one keeps the bytes.
    (folder / TENSORS).write_bytes(save(tensors, {"format": "pt"}))
    (folder / CARD).write_text(card_text(config, card), "utf-8")
    (folder / RECORD).write_text(json.dumps(record, indent=2) + "\n", "utf-8")


def conf_of(config: TrainingConfig) -> list[dict[str, Any]]:
    """`[CONF, PARAMS]` of `conf.json`, in the names of the published models.

    Where pictures are not brought to the 224 x 224 pixels that AnimeCV brings them to, `CONF` says
    so under a name of ours, which its own loader passes over.
    """
    names = _OPTIONS.get(config.loss.name, {})
    options = {names.get(name, name): value for name, value in checked_options(config.loss).items()}
    optimizer, augmentation = config.optimizer, config.augmentation
    params: dict[str, Any] = {
        "m": config.m,
        "p_dropout": config.dropout,
        **options,
        "reg_type": "None" if config.loss.regularizer is None else "Lp",
        "model_lr": optimizer.lr,
        "model_decay": optimizer.weight_decay,
        "model_beta1": round(1 - optimizer.beta1, 12),
        "model_beta2": round(1 - optimizer.beta2, 12),
        "model_eps": optimizer.eps,
    }
    if config.loss.regularizer is not None:
        params |= {"reg_p": config.loss.regularizer, "reg_weight": config.loss.regularizer_weight}
    if LOSSES[config.loss.name].learns:
        params["loss_lr"] = config.loss.lr
    if config.loss.classifier_weight:
        params["cls_weight"] = config.loss.classifier_weight
    if augmentation.name == "randaugment":
        params |= {"randaug_N": augmentation.operations, "randaug_M": augmentation.magnitude}
    elif augmentation.name == "affine":
        params |= {
            "augment_flip": int(augmentation.flip),
            "augment_rot": augmentation.rotation,
            "augment_trans": augmentation.shift,
            "augment_scale": augmentation.scale,
            "augment_erase": int(augmentation.erase),
        }
    conf: dict[str, Any] = {
        "trunk_model": config.trunk,
        "dim": config.dim,
        "input_size": config.input_size,
        "n_fold": config.validation.folds,
        "fold_trials": 1,
        "data_per_epoch": config.images_per_epoch,
        "m_cands": [config.m],
        "batch_size": config.batch_size,
        "loss_type": _LOSSES.get(config.loss.name, config.loss.name),
        "use_augmentation": augmentation.name == "affine",
        "use_randaug": augmentation.name == "randaugment",
        "_fix_params": params,
    }
    preprocessing = preprocessing_of(config.input_size)
    if preprocessing != PREPROCESSING:
        conf[STATED] = preprocessing.facts()
    return [conf, params]


def card_text(config: TrainingConfig, facts: CardFacts) -> str:
    """The model card, Markdown with the fields that the Hugging Face hub reads."""
    rows = [f"| {' | '.join(row)} |" for row in facts.scores]
    licence = facts.licence or "other"
    said = (
        f"Licence: {facts.licence}."
        if facts.licence
        else "Licence: not stated by whoever trained it. Mind those of the pictures and of the "
        "weights it began with."
    )
    lines = [
        "---",
        f"license: {licence}",
        "library_name: lookalikes",
        "pipeline_tag: image-feature-extraction",
        "tags: [metric-learning, face-verification]",
        "---",
        "",
        f"# {facts.name}",
        "",
        f"{config.trunk} with a linear layer to {config.dim} components, trained by "
        f"`lookalikes train` with the loss {config.loss.name}. Vectors are divided by their norm; "
        "the score of two is their dot product, higher is more alike.",
        "",
        _loading(config),
        "",
        "## Trained on",
        "",
        f"- {facts.pictures:,} pictures of {facts.identities:,} identities, from {facts.start}",
        f"- held out: {facts.held_out[1]:,} pictures of {facts.held_out[0]:,} other identities",
        f"- digest of the faces (paths, identities, contents): `{facts.data}`",
        f"- digest of the weights: `{facts.weights}`",
        f"- {said}",
        "",
        "## Scores on the identities held out",
        "",
        "The last epoch was taken, whatever its scores."
        if config.validation.select == "last"
        else "The epoch was chosen on these identities, which flatters it a little: judge it on "
        "others.",
        "",
        "| set | statistic | value | 95 % interval |",
        "|---|---|---|---|",
        *rows,
        "",
        *(["## To know", "", *(f"- {note}" for note in facts.notes), ""] if facts.notes else []),
        "## Configuration",
        "",
        "```json",
        json.dumps(config.content, indent=2),
        "```",
        "",
        "Versions: " + ", ".join(f"{name} {number}" for name, number in facts.versions.items()),
        "",
    ]
    return "\n".join(lines)


def _loading(config: TrainingConfig) -> str:
    """Sentence on what loads the model."""
    if preprocessing_of(config.input_size) == PREPROCESSING:
        return "Load it as `animecv:FOLDER`, or with AnimeCV itself."
    side = config.input_size
    return (
        f"Load it as `animecv:FOLDER`. AnimeCV loads it too, but resizes to 224 x 224 pixels: give "
        f"its network pictures of {side} x {side}, which it was trained on."
    )


def _plain(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in state.items()}


def _saved(state: Mapping[str, Tensor]) -> bytes:
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    return buffer.getvalue()
