"""Where a model looks: maps that find what was planted, and add up."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from support.small_models import BUILDERS, animecv_folder, photo, random_state
from torch import nn

from mining.errors import MiningError, NoPartsError
from mining.models import Model, ModelError, load_model
from mining.models.base import Similarity
from mining.models.torch_model import TorchModel
from mining.models.torchvision_ops import import_timm
from mining.models.transform import Preprocessing
from mining.saliency import Explanation, explain

SIDE = 32
# Families whose networks end in a mean over positions; the others are explained from outside.
BY_PARTS = {"torchvision", "timm folder", "animecv folder", "animecv zip"}


def torch_model(
    module: nn.Module, similarity: Similarity = "cosine", side: int = SIDE, **options: object
) -> TorchModel:
    plain = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
    return TorchModel(
        module,
        Preprocessing((side, side), (side, side), **plain),  # type: ignore[arg-type]
        name="planted",
        similarity=similarity,
        facts={},
        device="cpu",
        **options,  # type: ignore[arg-type]
    )


class Code(nn.Module):
    """A network that is a function."""

    def __init__(self, forward: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.forward = forward


class Net(nn.Module):
    """Convolutions, then some way from `[B, 6, 8, 8]` to vectors."""

    def __init__(self, head: Callable[[torch.Tensor], torch.Tensor] | nn.Module) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(3, 6, 3, 2, 1), nn.ReLU(), nn.Conv2d(6, 6, 3, 2, 1), nn.ReLU()
        )
        self.head = head if isinstance(head, nn.Module) else Code(head)
        self.load_state_dict(random_state(self, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.trunk(x))


def blocks(seed: int, side: int = SIDE) -> Image.Image:
    colours = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return Image.fromarray(colours).resize((side, side), Image.Resampling.NEAREST)


def quarter(x: torch.Tensor) -> torch.Tensor:
    """The mean colour of the top left quarter, and nothing else."""
    return x[:, :, : x.shape[2] // 2, : x.shape[3] // 2].mean((2, 3))


def sum_is_the_score(found: Explanation) -> bool:
    return all(abs(one.sum() - found.score) < 1e-5 * max(1, abs(found.score)) for one in found.maps)


def cosine(model: Model, a: Image.Image, b: Image.Image) -> float:
    x, y = model.encode(np.stack([model.preprocess(a), model.preprocess(b)])).astype(float)
    return float(x @ y / np.linalg.norm(x) / np.linalg.norm(y))


class TestPlanted:
    @pytest.mark.parametrize("seed", range(3))
    def test_parts_lie_in_the_quarter_that_counts(self, seed: int) -> None:
        found = explain(blocks(seed), blocks(seed + 9), torch_model(Code(quarter)), method="parts")
        for one in found.maps:
            assert one.shape == (SIDE, SIDE)
            outside = one.copy()
            outside[: SIDE // 2, : SIDE // 2] = 0
            assert np.abs(outside).sum() < 1e-6 * np.abs(one).sum()
        assert sum_is_the_score(found)

    def test_masks_find_the_quarter_that_counts(self) -> None:
        a, b = blocks(0), blocks(1)
        # Near grey, a mean colour's cosine may rise where a face is hidden: tell its size instead.
        model = torch_model(Code(quarter), "inner_product")
        found = explain(a, b, model, method="masks", masks=300)
        for one in found.maps:
            half = one.shape[0] // 2
            inside = np.abs(one[: half - 2, : half - 2]).mean()
            beyond = np.abs(one[half + 8 :, half + 8 :]).mean()
            assert inside > 0.15
            assert beyond < 0.08

    @pytest.mark.parametrize("method", ["parts", "masks"])
    def test_what_lowers_the_score_is_below_zero(self, method: str) -> None:
        """Left halves are both light, right halves light and dark."""

        def halves(x: torch.Tensor) -> torch.Tensor:
            return torch.cat(
                [x[..., : SIDE // 2].mean((2, 3)), x[..., SIDE // 2 :].mean((2, 3))], 1
            )

        values = np.full((SIDE, SIDE, 3), 230, np.uint8)
        a = Image.fromarray(values)
        values[:, SIDE // 2 :] = 40
        b = Image.fromarray(values)
        model = torch_model(Code(halves), "inner_product")
        one = explain(b, a, model, method=method, masks=200).maps[0]  # type: ignore[arg-type]
        width = one.shape[1]
        assert one[:, : width // 3].mean() > 0.02 * np.abs(one).max()
        assert one[:, -width // 3 :].mean() < -0.02 * np.abs(one).max()

    @pytest.mark.parametrize("method", ["parts", "masks"])
    @pytest.mark.parametrize("seed", range(3))
    def test_hiding_what_was_found_costs_more_than_hiding_at_random(
        self, method: str, seed: int
    ) -> None:
        """Edge filters, to which a flat place is nothing, heeded here more and there less."""
        generator = torch.Generator().manual_seed(seed)
        filters = torch.randn((8, 3, 4, 4), generator=generator)
        filters -= filters.mean((2, 3), keepdim=True)
        heed = torch.rand((8, 8), generator=generator) ** 6

        def edges(x: torch.Tensor) -> torch.Tensor:
            found = nn.functional.conv2d(x, filters, stride=4).relu()
            return (found * heed).mean((2, 3))

        model = torch_model(Code(edges), "inner_product")
        a, b = photo(seed + 10, (SIDE, SIDE)), photo(seed + 20, (SIDE, SIDE))
        found = explain(a, b, model, method=method, masks=400)  # type: ignore[arg-type]
        small = Image.fromarray(found.maps[0].astype(np.float32)).resize(
            (8, 8), Image.Resampling.BOX
        )
        best = np.argsort(-np.asarray(small).ravel())[:13]  # 20 % of 64
        pixels = np.asarray(a)

        def loss(cells: np.ndarray) -> float:
            mask = np.isin(np.arange(64), cells).reshape(8, 8)
            large = np.kron(mask, np.ones((4, 4)))[:, :, None]
            hidden = np.rint(pixels + large * (pixels.mean(axis=(0, 1)) - pixels)).astype(np.uint8)
            vectors = model.encode(np.stack([hidden, np.asarray(b)])).astype(float)
            return found.score - float(vectors[0] @ vectors[1])

        draws = np.random.default_rng(0)
        at_random = [loss(draws.permutation(64)[:13]) for _ in range(50)]
        assert loss(best) > np.quantile(at_random, 0.95)
        assert loss(best) > 2 * np.mean(at_random)


class TestParts:
    @pytest.mark.parametrize("name", ["resnet18", "tf_efficientnet_lite0"])
    def test_they_are_the_terms_of_the_published_sum(self, name: str) -> None:
        module = import_timm().create_model(name, num_classes=0)
        module.load_state_dict(random_state(module, 1))
        model = torch_model(module, side=96)
        a, b = photo(1), photo(2)
        found = explain(a, b, model, method="parts")
        assert sum_is_the_score(found)
        assert found.score == pytest.approx(cosine(model, a, b), abs=1e-6)
        batch = np.stack([model.preprocess(image) for image in (a, b)])
        with torch.no_grad():
            f = module.forward_features(model.inputs(batch)).double().numpy()
        means = f.mean(axis=(2, 3))
        norms = np.linalg.norm(means, axis=1).prod()
        for side, one in enumerate(found.maps):
            terms = np.einsum("chw,c->hw", f[side], means[1 - side]) / norms / f[0, 0].size
            assert np.abs(one - terms).max() < 1e-6

    def test_an_embedder_and_its_bias_are_part_of_the_sum(self, tmp_path: Path) -> None:
        model = load_model(animecv_folder(tmp_path, 0, "ResNet-18"), device="cpu")
        assert isinstance(model, TorchModel)
        trunk, embedder = model.network[0], model.network[1][0]  # type: ignore[index]
        with torch.no_grad():
            embedder.bias += 0.3
        a, b = photo(1), photo(2)
        found = explain(a, b, model)
        assert (found.method, found.note) == ("parts", "")
        batch = np.stack([model.preprocess(image) for image in (a, b)])
        kept = []
        hook = trunk.layer4.register_forward_hook(lambda *call: kept.append(call[2]))
        vectors = model.encode(batch).astype(float)
        hook.remove()
        at = (
            np.moveaxis(kept[0].double().numpy(), 1, -1)
            @ embedder.weight.double().detach().numpy().T
        )
        at += embedder.bias.double().detach().numpy()  # the same to every position
        norms = np.linalg.norm(vectors, axis=1).prod()
        for side, one in enumerate(found.maps):
            assert np.abs(one - at[side] @ vectors[1 - side] / norms / 49).max() < 1e-5

    @pytest.mark.parametrize(
        ("head", "shape"),
        [
            (lambda f: nn.functional.relu_(f - 0.1).mean((2, 3)), (8, 8)),
            (lambda f: nn.functional.adaptive_avg_pool2d(f, 1)[:, :, 0, 0] * 3 - 1, (8, 8)),
            (lambda f: f.permute(0, 2, 3, 1).abs().mean((1, 2)), (8, 8)),
            (lambda f: f.flatten(2).transpose(1, 2).square().mean(1), (8, 8)),
            (nn.Sequential(nn.Flatten(), nn.Linear(384, 5), nn.BatchNorm1d(5)), (8, 8)),
            (
                nn.Sequential(nn.AvgPool2d(2), nn.Hardswish(), nn.Flatten(), nn.Linear(96, 5)),
                (4, 4),
            ),
        ],
        ids=["functions", "pooling", "channels last", "tokens", "flattened", "small"],
    )
    @pytest.mark.parametrize("similarity", ["cosine", "inner_product"])
    def test_affine_heads_are_found(self, head, shape, similarity: Similarity) -> None:
        found = explain(blocks(1), blocks(2), torch_model(Net(head), similarity), method="parts")
        assert {one.shape for one in found.maps} == {shape}
        assert sum_is_the_score(found)

    @pytest.mark.parametrize(
        "head",
        [
            lambda f: f.amax((2, 3)),
            lambda f: torch.tanh(f.mean((2, 3))),
            nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(6)),
            lambda f: nn.functional.normalize(f.mean((2, 3))),
            lambda f: f.pow(3).mean((2, 3)).pow(1 / 3),
        ],
        ids=["max", "activation", "norm", "unit length", "generalised mean"],
    )
    def test_other_heads_are_refused_or_masked(self, head) -> None:
        model = torch_model(Net(head))
        with pytest.raises(NoPartsError, match="planted: its score is no sum over positions"):
            explain(blocks(1), blocks(2), model, method="parts")
        found = explain(blocks(1), blocks(2), model, masks=4)
        assert found.method == "masks"
        assert "no sum over positions" in found.note

    def test_features_that_something_bypasses_are_refused(self) -> None:
        """The last map's mean, and beside it what an earlier one gives."""

        class Bypass(Net):
            def forward(self, x: torch.Tensor) -> torch.Tensor:
                first = self.trunk[:2](x)
                return first.amax((2, 3)) + self.trunk[2:](first).mean((2, 3))

        with pytest.raises(NoPartsError):
            explain(blocks(1), blocks(2), torch_model(Bypass(nn.Identity())), method="parts")

    def test_a_branch_is_not_taken_for_the_whole(self) -> None:
        """Behind a sum of two maps all is affine, behind one of the two too: but not all of it."""

        class Residual(Net):
            def forward(self, x: torch.Tensor) -> torch.Tensor:
                first = self.trunk(x)
                return (
                    first + self.trunk[2](first.repeat_interleave(2, 2).repeat_interleave(2, 3))
                ).mean((2, 3))

        model = torch_model(Residual(nn.Identity()))
        a, b = blocks(1), blocks(2)
        found = explain(a, b, model, method="parts")
        batch = np.stack([model.preprocess(image) for image in (a, b)])
        with torch.no_grad():
            first = model.network.trunk(model.inputs(batch))
            f = first + model.network.trunk[2](
                first.repeat_interleave(2, 2).repeat_interleave(2, 3)
            )
        f = f.double().numpy()
        means = f.mean(axis=(2, 3))
        norms = np.linalg.norm(means, axis=1).prod()
        terms = np.einsum("chw,c->hw", f[0], means[1]) / norms / 64
        assert found.maps[0].shape == (8, 8)
        assert np.abs(found.maps[0] - terms).max() < 1e-6

    def test_parts_that_do_not_give_the_score_are_refused(self) -> None:
        """A network that does something else to several images than to one."""
        model = torch_model(Code(lambda x: (x if len(x) == 1 else x.relu()).mean((2, 3)) + 1))
        with pytest.raises(NoPartsError, match=r"parts of A add up to 0\.\d+, .* score is 0\.\d+"):
            explain(blocks(1), blocks(2), model, method="parts")

    def test_bf16_sums_to_its_own_score(self) -> None:
        model = torch_model(Net(lambda f: f.mean((2, 3))), precision="bf16")
        a, b = blocks(1), blocks(2)
        found = explain(a, b, model, method="parts")
        assert found.score == pytest.approx(cosine(model, a, b), abs=1e-6)
        assert sum_is_the_score(found)

    def test_gradients_are_off_again_and_weights_untouched(self) -> None:
        model = torch_model(Net(lambda f: f.mean((2, 3))))
        before = {name: value.clone() for name, value in model.network.state_dict().items()}
        explain(blocks(1), blocks(2), model, method="parts")
        assert torch.is_grad_enabled()
        assert all(parameter.grad is None for parameter in model.network.parameters())
        after = model.network.state_dict()
        assert all(torch.equal(after[name], value) for name, value in before.items())


class TestEveryFamily:
    @pytest.fixture(params=[*BUILDERS])
    def kind(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    def test_it_is_explained(
        self, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        spec = BUILDERS[kind](tmp_path, 0)
        sys.modules.pop(spec.split(":")[1] if ":" in spec else "", None)
        model = load_model(spec, device="cpu")
        a, b = photo(1), photo(2)
        found = explain(a, b, model, masks=12, batch_size=5)
        assert found.method == ("parts" if kind in BY_PARTS else "masks")
        assert bool(found.note) == (found.method == "masks")
        x, y = model.encode(np.stack([model.preprocess(image) for image in (a, b)])).astype(float)
        norms = np.linalg.norm(x) * np.linalg.norm(y) if model.similarity == "cosine" else 1
        assert found.score == pytest.approx(float(x @ y) / norms, rel=1e-5)
        if found.method == "parts":
            assert sum_is_the_score(found)
        else:
            assert all(0.1 < np.abs(one).max() <= 1 for one in found.maps)
            with pytest.raises(NoPartsError, match=r"parts|no sum"):
                explain(a, b, model, method="parts")


class TestBoth:
    @pytest.fixture(params=["parts", "masks"])
    def options(self, request: pytest.FixtureRequest) -> dict:
        return {"method": request.param, "masks": 40, "batch_size": 16}

    @pytest.fixture
    def model(self) -> TorchModel:
        return torch_model(
            Net(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4)))
        )

    def test_exchanged_faces_have_exchanged_maps(self, model: TorchModel, options: dict) -> None:
        ab = explain(blocks(1), blocks(2), model, **options)
        ba = explain(blocks(2), blocks(1), model, **options)
        assert ab.score == pytest.approx(ba.score, rel=1e-12)
        for one, other in zip(ab.maps, ba.maps[::-1], strict=True):
            assert np.abs(one - other).max() < 1e-6

    def test_a_face_and_itself(self, model: TorchModel, options: dict) -> None:
        found = explain(blocks(1), blocks(1), model, **options)
        assert found.score == pytest.approx(1)
        # The network may sum the rows of a batch in another order each: a convolution over 3 x 3
        # values of 3 and one of 6 channels, the linear layer, and the constant over all places.
        summed = 9 * 3 + 9 * 6 + 6 + found.maps[0].size
        largest = np.abs(found.maps).max()
        bound = summed * np.finfo(np.float32).eps * largest
        assert np.abs(found.maps[0] - found.maps[1]).max() < bound

    def test_the_same_again(self, model: TorchModel, options: dict) -> None:
        once = explain(blocks(1), blocks(2), model, **options)
        again = explain(blocks(1), blocks(2), model, **options)
        assert all(np.array_equal(x, y) for x, y in zip(once.maps, again.maps, strict=True))
        other = explain(blocks(1), blocks(2), model, seed=1, **options)
        same = all(np.array_equal(x, y) for x, y in zip(once.maps, other.maps, strict=True))
        assert same == (once.method == "parts")  # which draws nothing

    def test_a_vector_of_no_use_is_refused(self, options: dict) -> None:
        nothing = torch_model(Code(lambda x: x.mean((2, 3)) * 0))
        with pytest.raises(ModelError, match="vector of face A is zero"):
            explain(blocks(1), blocks(2), nothing, **options)
        endless = torch_model(Code(lambda x: x.mean((2, 3)) / 0))
        with pytest.raises(ModelError, match="vector of face A is not finite"):
            explain(blocks(1), blocks(2), endless, **options)


class TestMasks:
    def test_batches_do_not_matter(self) -> None:
        model = load_model("pixels")
        small, large = (
            explain(blocks(1), blocks(2), model, masks=50, batch_size=size) for size in (7, 64)
        )
        for one, other in zip(small.maps, large.maps, strict=True):
            assert np.abs(one - other).max() < 1e-9

    def test_a_model_that_sees_no_difference_has_an_empty_map(self) -> None:
        model = torch_model(Code(lambda x: x.mean((1, 2, 3), keepdim=True)[:, :, 0, 0] * 0 + 2))
        found = explain(blocks(1), blocks(2), model, masks=20)
        assert found.method == "masks"
        assert not any(one.any() for one in found.maps)

    def test_a_masked_face_without_a_vector_is_like_nothing(self) -> None:
        """A grey picture has no vector here; hidden far enough, a face comes near to it."""

        class Gate:
            similarity = "cosine"
            name = "gate"

            def preprocess(self, image: Image.Image) -> np.ndarray:
                return np.asarray(image.resize((16, 16)))

            def encode(self, batch: np.ndarray) -> np.ndarray:
                vectors = batch.reshape(len(batch), -1).astype(np.float32)
                return vectors * (batch.std(axis=(1, 2, 3)) > 45)[:, None]

        found = explain(blocks(1), blocks(2), Gate(), masks=200)  # type: ignore[arg-type]
        assert all(np.isfinite(one).all() and one.mean() > 0.03 for one in found.maps)

    def test_progress_counts_both_faces(self) -> None:
        told: list[tuple[int, int]] = []
        explain(
            blocks(1),
            blocks(2),
            load_model("pixels"),
            masks=10,
            batch_size=4,
            progress=lambda done, total: told.append((done, total)),
        )
        assert told == [(n, 20) for n in (0, 4, 8, 12, 16, 18, 20)]

    @pytest.mark.parametrize(
        ("options", "told"),
        [
            ({"method": "gradcam"}, "method 'gradcam' is none of auto, parts, masks"),
            ({"masks": 1}, "1 masks; expected 2 or more"),
            ({"batch_size": 0}, "a batch size of 0"),
        ],
    )
    def test_nonsense_is_refused(self, options: dict, told: str) -> None:
        with pytest.raises(MiningError, match=told):
            explain(blocks(1), blocks(2), load_model("pixels"), **options)
