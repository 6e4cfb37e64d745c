"""Configuration files of both forms, and what is said of those that are none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mining.errors import TrainingError
from mining.training.config_content import read_content
from mining.training.config_files import read_config, write_config
from mining.training.configuration import (
    AugmentationSettings,
    HardNegativeSettings,
    LossSettings,
    OptimizerSettings,
    TrainingConfig,
    ValidationSettings,
)
from mining.training.search_parameters import parameters_of, with_values

FIXED = {
    "m": 4,
    "pos_margin": 0.25,
    "neg_margin": 1.5,
    "p_dropout": 0.125,
    "reg_type": "None",
    "model_lr": 2e-5,
    "model_decay": 3e-6,
    "model_beta1": 0.25,
    "model_beta2": 0.125,
    "model_eps": 1e-7,
    "randaug_N": 2,
    "randaug_M": 9,
}
ORIGINAL = {
    "trunk_model": "timm:resnet10t",
    "dim": 64,
    "input_size": 96,
    "n_fold": 4,
    "fold_trials": 2,
    "data_dir": "/data/faces",
    "data_per_epoch": 1000,
    "m_cands": [2, 4, 8],
    "batch_size": 16,
    "loss_type": "Contrastive",
    "use_augmentation": False,
    "use_randaug": True,
    "search_space": {},
    "_fix_params": FIXED,
}


def written(tmp_path: Path, content: object) -> Path:
    path = tmp_path / "conf.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return path


def fixed(**changes: object) -> dict[str, object]:
    """The published form, with other parameters; None leaves one out."""
    params = {name: value for name, value in (FIXED | changes).items() if value is not None}
    return ORIGINAL | {"_fix_params": params}


def without(content: dict[str, object], *keys: str) -> dict[str, object]:
    return {key: value for key, value in content.items() if key not in keys}


# --- ours


def test_a_subset_of_ours_is_read_and_the_rest_stands_at_its_defaults(tmp_path: Path) -> None:
    content = {
        "": "a comment",
        "dim": 64,
        "loss": {"name": "triplet", "options": {"margin": 1}, "": ["another"]},
        "optimizer": {"lr": 1e-4, "ema": 0.99},
        "validation": {"select": "fpr-random"},
    }
    read = read_config(written(tmp_path, content))
    assert read.config == TrainingConfig(
        dim=64,
        loss=LossSettings(name="triplet", options={"margin": 1.0}),
        optimizer=OptimizerSettings(lr=1e-4, ema=0.99),
        validation=ValidationSettings(select="fpr-random"),
    )
    assert read.fixed == {"loss.options.margin", "optimizer.lr"}
    assert (read.notes, read.choices, read.fold_trials) == ((), {}, None)
    assert read_config(written(tmp_path, {})).config == TrainingConfig()


@given(
    dim=st.integers(1, 65536),
    lr=st.floats(0, 10),
    options=st.dictionaries(st.text(min_size=1).filter(str.isprintable), st.floats(-9, 9)),
    ema=st.none() | st.floats(0, 1, exclude_max=True),
    every=st.none() | st.integers(1, 1000),
)
def test_what_is_written_reads_back_equal(
    tmp_path_factory: pytest.TempPathFactory,
    dim: int,
    lr: float,
    options: dict[str, float],
    ema: float | None,
    every: int | None,
) -> None:
    config = TrainingConfig(
        dim=dim,
        loss=LossSettings(name="arcface", options=options, regularizer=2),
        optimizer=OptimizerSettings(lr=lr, ema=ema),
        augmentation=AugmentationSettings(name="affine", erase=True),
        hard_negatives=HardNegativeSettings(name="pairs", every=every),
    )
    path = write_config(tmp_path_factory.mktemp("c") / "a.json", config)
    read = read_config(path).config
    assert read == config
    assert read.digest == config.digest


def test_whole_numbers_stand_for_the_numbers_they_are(tmp_path: Path) -> None:
    texts = '{"optimizer": {"lr": 1}}', '{"optimizer": {"lr": 1.0}}'
    first, second = (read_config(written(tmp_path, text)).config for text in texts)
    assert first.digest == second.digest


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"optimizer": {"weightdecay": 0}}, "optimizer.weightdecay: no such key; did you mean "
         "optimizer.weight_decay?"),
        ({"trnk": "x"}, "trnk: no such key; did you mean trunk?"),
        ({"zzzz": 1}, "zzzz: no such key; expected augmentation, batch_size, "),
        ({"loss": {"Name": "triplet"}}, "loss.Name: no such key; did you mean loss.name?"),
        ({"loss": 3}, "loss: 3; expected an object"),
        ({"loss": {"options": [1]}}, "loss.options: [1]; expected an object"),
        ({"loss": {"options": {"margin": "1"}}}, "loss.options.margin: '1'; expected a number"),
        ({"loss": {"name": ["triplet"]}}, "loss.name: ['triplet']; expected one value"),
        ({"loss": {"name": "tripel"}}, "loss.name: 'tripel' is none of contrastive, "),
        ({"dim": 2.0}, "dim: 2.0; expected a whole number from 1 to 65,536"),
        ({"dim": True}, "dim: True; expected a whole number"),
        ({"dim": None}, "dim: None; expected a whole number"),
        ({"optimizer": {"lr": None}}, "optimizer.lr: None; expected a number"),
        ({"optimizer": {"lr": True}}, "optimizer.lr: True; expected a number"),
        ({"optimizer": {"lr": -1}}, "optimizer.lr: -1.0; expected a number from 0 to 10"),
        ({"batch_size": 30}, "batch_size: 30; expected a multiple of m = 8"),
        ({"loss_type": "Triplet"}, "loss_type: a key of the published models' configurations, "
         "which have trunk_model and _fix_params too"),
        ([1], "[1]; expected the configuration of a training, an object"),
        ("{", "not JSON"),
        ('{"dim": NaN}', "NaN is no JSON"),
        ('{"optimizer": {"lr": 1e999}}', "1e999 is too large a number"),
        ('{"dim": 1, "dim": 1}', "'dim' is there twice in one object"),
        (" " * (2**20 + 1), "larger than 1,048,576 bytes; is it the configuration"),
    ],
    ids=[str(number) for number in range(23)],
)  # fmt: skip
def test_what_is_no_configuration_is_refused_with_its_key(
    tmp_path: Path, content: object, says: str
) -> None:
    with pytest.raises(TrainingError) as refused:
        read_config(written(tmp_path, content))
    message = str(refused.value)
    assert message.startswith(f"{tmp_path / 'conf.json'}: ")
    assert says in message


def test_no_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(TrainingError, match=r"cannot be read: .*; expected the configuration"):
            read_config(path)


# --- the published models'


def test_the_published_form_is_read(tmp_path: Path) -> None:
    read = read_config(written(tmp_path, ORIGINAL))
    assert read.config == TrainingConfig(
        trunk="timm:resnet10t",
        dim=64,
        input_size=96,
        dropout=0.125,
        m=4,
        batch_size=16,
        images_per_epoch=1000,
        loss=LossSettings(options={"pos_margin": 0.25, "neg_margin": 1.5}),
        optimizer=OptimizerSettings(
            lr=2e-5, weight_decay=3e-6, beta1=0.75, beta2=0.875, eps=1e-7
        ),
        augmentation=AugmentationSettings(operations=2, magnitude=9),
        validation=ValidationSettings(folds=4),
    )  # fmt: skip
    assert read.notes == (
        "data_dir '/data/faces' is not read: FACES is what is trained",
        "fold_trials counts in lookalikes tune alone",
    )
    assert read.fold_trials == 2
    assert read.fixed == {one.path for one in parameters_of(read.config)}


def test_the_betas_are_1_less_what_is_there(tmp_path: Path) -> None:
    """So that the published 0.1 and 0.001 are 0.9 and 0.999, to the last bit."""
    found = read_config(written(tmp_path, fixed(model_beta1=0.1, model_beta2=0.001))).config
    assert (found.optimizer.beta1, found.optimizer.beta2) == (0.9, 0.999)
    with pytest.raises(TrainingError, match=r"_fix_params\.model_beta1: 0; expected a number ab"):
        read_config(written(tmp_path, fixed(model_beta1=0)))


def test_comments_repeat(tmp_path: Path) -> None:
    text = json.dumps(ORIGINAL)[1:]
    read = read_config(written(tmp_path, '{"": "one", "": ["two"], ' + text))
    assert read.config == read_config(written(tmp_path, ORIGINAL)).config
    with pytest.raises(TrainingError, match="'dim' is there twice"):
        read_config(written(tmp_path, '{"": "one", "dim": 2, "": 3, ' + text))


@pytest.mark.parametrize(
    ("loss_type", "params", "loss"),
    [
        ("Triplet", {"margin": 0.5}, LossSettings(name="triplet", options={"margin": 0.5})),
        (
            "ArcFace",
            {"arc_margin": 30, "scale": 9, "loss_lr": 1e-4},
            LossSettings(name="arcface", options={"margin": 30.0, "scale": 9.0}, lr=1e-4),
        ),
        (
            "ProxyNCA",
            {"scale": 9, "loss_lr": 1e-4, "reg_type": "Lp", "reg_p": 1, "reg_weight": 0.5},
            LossSettings(
                "proxy-nca", {"scale": 9.0}, 1e-4, regularizer=1, regularizer_weight=0.5
            ),
        ),
    ],
)  # fmt: skip
def test_each_loss_has_its_parameters(
    tmp_path: Path, loss_type: str, params: dict[str, object], loss: LossSettings
) -> None:
    content = fixed(pos_margin=None, neg_margin=None, **params) | {"loss_type": loss_type}
    assert read_config(written(tmp_path, content)).config.loss == loss


def test_a_classifier_and_grey(tmp_path: Path) -> None:
    read = read_config(written(tmp_path, fixed(cls_weight=0.8, gray_p=0.0)))
    assert read.config.loss.classifier_weight == 0.8
    with pytest.raises(TrainingError, match=r"_fix_params\.gray_p: 0\.1; expected 0"):
        read_config(written(tmp_path, fixed(gray_p=0.1)))


def test_augmentation_goes_before_randaugment(tmp_path: Path) -> None:
    affine = {"augment_flip": 1, "augment_rot": 5, "augment_trans": 0.1}
    content = fixed(**affine, augment_scale=1.2, augment_erase=0) | {"use_augmentation": True}
    read = read_config(written(tmp_path, content))
    assert read.config.augmentation == AugmentationSettings(
        "affine", flip=True, erase=False, rotation=5.0, shift=0.1, scale=1.2
    )
    assert read.notes[0].startswith("use_augmentation goes before use_randaug")
    assert "_fix_params: randaug_N, randaug_M belong to nothing that is used here" in read.notes
    plain = read_config(written(tmp_path, ORIGINAL | {"use_randaug": False}))
    assert plain.config.augmentation.name == "none"


def test_what_a_search_would_choose_is_asked_for(tmp_path: Path) -> None:
    content = fixed(m=None, model_lr=None, randaug_M=None)
    with pytest.raises(TrainingError) as refused:
        read_config(written(tmp_path, content))
    assert str(refused.value) == (
        f"{tmp_path / 'conf.json'}: _fix_params lacks m, model_lr, randaug_M, which the search of "
        "the published models chose; state them there, or let lookalikes tune choose"
    )
    read = read_config(written(tmp_path, content), searched=True)
    left = {one.path for one in parameters_of(read.config)} - read.fixed
    assert left == {"m", "optimizer.lr", "augmentation.magnitude"}
    assert read.choices == {"m": (2, 4, 8)}
    assert read.notes == ("data_dir '/data/faces' is not read: FACES is what is trained",)


def test_betas_stand_where_the_published_code_has_them_stand(tmp_path: Path) -> None:
    content = fixed(model_beta1=None, model_beta2=None, model_eps=None)
    read = read_config(written(tmp_path, content))
    assert read.config.optimizer == OptimizerSettings(2e-5, 3e-6, 0.9, 0.999, 1e-8)
    assert "_fix_params lacks model_beta1, model_beta2, model_eps: " in read.notes[-1]
    searched = read_config(written(tmp_path, content), searched=True)
    assert "optimizer.eps" not in searched.fixed
    assert "optimizer.lr" in searched.fixed


def test_one_candidate_is_no_choice(tmp_path: Path) -> None:
    read = read_config(written(tmp_path, fixed(m=None) | {"m_cands": [2, 16, 3]}))
    assert read.config.m == 2  # neither 3 nor 16 makes up batches of 16


def test_a_grid_is_what_a_search_chooses_of(tmp_path: Path) -> None:
    grid = {"model_beta1": [0.5, 0.25], "pos_margin": [0, 1], "m": [2, 8]}
    content = fixed(m=None, model_beta1=None) | {"search_space": grid}
    read = read_config(written(tmp_path, content), searched=True)
    assert read.choices == {"m": (2, 8), "optimizer.beta1": (0.5, 0.75)}  # pos_margin is fixed


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (ORIGINAL | {"optimizer": {}}, "optimizer beside trunk_model and _fix_params: keys of "),
        (without(ORIGINAL, "trunk_model") | {"trunk": "x"}, "trunk beside _fix_params: keys of "),
        (without(ORIGINAL, "dim", "loss_type"), "lacks dim, loss_type, which the published"),
        (without(ORIGINAL, "_fix_params"), "lacks _fix_params, which"),
        (ORIGINAL | {"use_randag": True}, "use_randag: no such key; did you mean use_randaug?"),
        (ORIGINAL | {"_fix_params": []}, "_fix_params: []; expected an object"),
        (fixed(neg_magin=1), "_fix_params.neg_magin: no such key; did you mean _fix_params.neg_ma"),
        (ORIGINAL | {"loss_type": "Circle"}, "loss_type: 'Circle' is none of Contrastive, "),
        (ORIGINAL | {"loss_type": ["ArcFace"]}, "loss_type: ['ArcFace'] is none of"),
        (ORIGINAL | {"use_randaug": 1}, "use_randaug: 1; expected true or false"),
        (ORIGINAL | {"batch_size": "64"}, "batch_size: '64'; expected a whole number"),
        (ORIGINAL | {"data_per_epoch": 3}, "data_per_epoch: 3; expected a whole number from 16"),
        (ORIGINAL | {"n_fold": 1}, "n_fold: 1; expected a whole number from 2"),
        (ORIGINAL | {"fold_trials": 0}, "fold_trials: 0; expected a whole number, 1 or more"),
        (ORIGINAL | {"trunk_model": 18}, "trunk_model: 18; expected ResNet-18"),
        (fixed(m=5), "batch_size: 16; expected a multiple of m = 5"),
        (fixed(m=None) | {"m_cands": [3, 5]}, "m_cands: [3, 5]; expected one that divides"),
        (fixed(m=None) | {"m_cands": 4}, "m_cands: 4; expected a list of whole numbers"),
        (fixed(model_lr="fast"), "_fix_params.model_lr: 'fast'; expected a number"),
        (fixed(model_lr=11), "_fix_params.model_lr: 11.0; expected a number from 0 to 10"),
        (fixed(randaug_N=1.5), "_fix_params.randaug_N: 1.5; expected a whole number from 0 to 10"),
        (fixed(p_dropout=1), "_fix_params.p_dropout: 1.0; expected a number from 0 below 1"),
        (fixed(reg_type=None), '_fix_params.reg_type is missing; expected "None" or "Lp"'),
        (fixed(reg_type="L2"), "_fix_params.reg_type: 'L2' is none of None, Lp"),
        (fixed(reg_type="Lp", reg_p=2), "_fix_params lacks reg_weight, which reg_type Lp needs"),
        (fixed(reg_type="Lp", reg_p=3, reg_weight=1), "_fix_params.reg_p: 3 is none of 1, 2"),
        (fixed(cls_weight=-1), "_fix_params.cls_weight: -1.0; expected a number from 0"),
        (ORIGINAL | {"search_space": {"lr": [1]}}, "search_space.lr: no such key"),
    ],
    ids=[str(number) for number in range(28)],
)  # fmt: skip
def test_what_is_wrong_in_the_published_form_is_named(
    tmp_path: Path, content: dict[str, object], says: str
) -> None:
    with pytest.raises(TrainingError) as refused:
        read_config(written(tmp_path, content))
    assert f"conf.json: {says}" in str(refused.value)


# --- parameters of a search


def test_values_are_put_at_their_paths() -> None:
    config = TrainingConfig(loss=LossSettings(options={"pos_margin": 0.5}))
    before = json.dumps(config.content)
    found = with_values(config, {"m": 4, "loss.options.neg_margin": 1.5, "optimizer.lr": 1e-4})
    assert found == TrainingConfig(
        m=4,
        loss=LossSettings(options={"pos_margin": 0.5, "neg_margin": 1.5}),
        optimizer=OptimizerSettings(lr=1e-4),
    )
    assert json.dumps(config.content) == before


@pytest.mark.parametrize("loss", ["contrastive", "arcface", "proxy-nca", "supcon"])
@pytest.mark.parametrize("augmentation", ["none", "affine", "randaugment"])
def test_every_end_of_a_range_is_a_configuration(loss: str, augmentation: str) -> None:
    config = read_content(
        {"loss": {"name": loss, "classifier_weight": 1}, "augmentation": {"name": augmentation}}
    )
    for one in parameters_of(config):
        for value in one.choices or (one.low, one.high):
            if one.path != "m" or config.batch_size % value == 0:
                changed = with_values(config, {one.path: one.configured(value)})
                place = changed.content
                for name in one.path.split("."):
                    place = place[name]
                assert place == one.configured(value)
