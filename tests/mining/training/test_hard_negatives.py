"""Mining of hard negatives: a double loop over all of them says the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.training import hard, small, write_faces

from mining.errors import TrainingError
from mining.training.batches import BatchPlan
from mining.training.configuration import TrainingConfig
from mining.training.hard_negatives import (
    Vetoes,
    hardest_pairs,
    is_mining_epoch,
    mine_hard_negatives,
    mining_interval,
    nearest_units,
    sampled_faces,
)
from mining.training.loop import unified
from pairsets.faces import Faces
from pairsets.files.aliases import Aliases
from pairsets.files.exclusions import Exclusions


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Faces:
    return Faces.scan(write_faces(tmp_path_factory.mktemp("faces") / "in", people=10, each=4))


def unit_vectors(count: int, groups: np.ndarray, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((int(groups.max()) + 1, 6))
    vectors = (centres[groups] + rng.standard_normal((count, 6))).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_neighbours_are_those_of_a_double_loop() -> None:
    units = np.repeat(np.arange(12), 3)
    vectors = unit_vectors(36, units)
    found = nearest_units(vectors, units, hard("identities"))
    means = np.array([vectors[units == unit].astype(np.float64).mean(axis=0) for unit in range(12)])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    for unit in range(12):
        score = {other: float(means[unit] @ means[other]) for other in range(12) if other != unit}
        assert found[unit].tolist() == sorted(score, key=score.__getitem__, reverse=True)[:4]


def test_fewer_identities_than_neighbours_leave_gaps() -> None:
    units = np.repeat(np.arange(3), 2)
    found = nearest_units(unit_vectors(6, units), units, hard("identities"))
    assert found.shape == (3, 2)
    assert (np.sort(found, axis=1) == [[1, 2], [0, 2], [0, 1]]).all()


def naive_pairs(
    vectors: np.ndarray, faces: Faces, config: TrainingConfig, vetoes: Vetoes, wanted: int
) -> list[tuple[int, int]]:
    settings, groups = config.hard_negatives, faces.groups
    most = settings.max_per_identity
    assert most is not None
    scores = vectors.astype(np.float64) @ vectors.astype(np.float64).T
    count = len(vectors)
    best = [
        max(scores[x, y] for y in range(count) if y != x and groups[x] == groups[y])
        for x in range(count)
    ]
    ranked = sorted(
        (
            (-scores[i, j], i, j)
            for i in range(count)
            for j in range(i + 1, count)
            if groups[i] != groups[j]
            and (i, j) not in {tuple(sorted(p)) for p in vetoes.pairs.tolist()}
            and scores[i, j] <= min(best[i], best[j]) - settings.margin
        ),
    )
    of_one: dict[int, int] = {}
    of_two: dict[tuple[int, int], int] = {}
    taken = []
    for _, i, j in ranked:
        two = (min(groups[i], groups[j]), max(groups[i], groups[j]))
        full = any(of_one.get(int(g), 0) >= most for g in two)
        if full or of_two.get(two, 0) >= max(1, most // 4):
            continue
        for g in two:
            of_one[int(g)] = of_one.get(int(g), 0) + 1
        of_two[two] = of_two.get(two, 0) + 1
        taken.append((i, j))
    return taken[:wanted]


@pytest.mark.parametrize("wanted", [5, 1000])
def test_pairs_are_those_of_a_double_loop(faces: Faces, wanted: int) -> None:
    config = hard("pairs", margin=0.1, max_per_identity=6)
    vectors = unit_vectors(len(faces), faces.groups, 3)
    plain = naive_pairs(vectors, faces, config, Vetoes.of(faces), 3)
    exclude = Exclusions(
        np.array([faces.paths[i] for i, _ in plain], object),
        np.array([faces.paths[j] for _, j in plain], object),
    )
    vetoes = Vetoes.of(faces, [exclude])
    found = hardest_pairs(vectors, np.arange(len(faces)), faces, config, vetoes, wanted)
    expected = naive_pairs(vectors, faces, config, vetoes, wanted)
    assert list(map(tuple, found.tolist())) == expected
    assert not {*plain} & {*expected}
    assert len(expected) >= 5


def test_without_a_cap_all_identities_have_their_share(faces: Faces) -> None:
    vectors = unit_vectors(len(faces), faces.groups, 3)
    # The first identity is confused with all others: it would be in every pair.
    vectors[faces.groups == 0] = vectors.mean(axis=0) + vectors[faces.groups == 0] / 20
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = np.arange(len(faces))
    found = hardest_pairs(vectors, rows, faces, hard("pairs", margin=0.0), Vetoes.of(faces), 10)
    # Ten pairs of ten identities: each twice on average, four times at most.
    assert np.bincount(faces.groups[found].ravel(), minlength=10).max() <= 4
    crowded = hard("pairs", margin=0.0, max_per_identity=1000)
    most = hardest_pairs(vectors, rows, faces, crowded, Vetoes.of(faces), 10)
    assert np.bincount(faces.groups[most].ravel(), minlength=10).max() > 4


def test_pairs_of_some_faces_are_named_by_their_rows(faces: Faces) -> None:
    config = hard("pairs", margin=0.0)
    vectors = unit_vectors(len(faces), faces.groups, 3)
    rows = np.flatnonzero(np.arange(len(faces)) % 4 < 2)
    found = hardest_pairs(vectors[rows], rows, faces, config, Vetoes.of(faces), 20)
    assert {*found.ravel().tolist()} <= {*rows.tolist()}
    assert len(found)


def test_vetoes_take_pairs_out_of_a_batch(faces: Faces) -> None:
    exclude = Exclusions(
        np.array(["p00/0.png", "p00/1.png"], object), np.array(["p03/1.png", "away/9.png"], object)
    )
    vetoes = Vetoes.of(faces, [exclude])
    rows = faces.positions(["p03/1.png", "p00/0.png", "p04/0.png"])
    expected = np.zeros((3, 3), bool)
    expected[0, 1] = expected[1, 0] = True
    np.testing.assert_array_equal(vetoes.among(rows), expected)
    assert len(vetoes.pairs) == 1
    assert vetoes.among(faces.positions(["p00/0.png", "p01/0.png"])) is None
    assert Vetoes.of(faces).among(rows) is None
    others = Vetoes.of(faces, [Exclusions(exclude.path_a, exclude.path_b[::-1])])
    assert len({vetoes.digest, others.digest, Vetoes.of(faces).digest}) == 3


def test_names_of_one_identity_are_one(faces: Faces) -> None:
    found = unified(faces, Aliases.of([("p04", "p07"), ("p07", "p02"), ("p06", "elsewhere")]))
    assert found.count_identities == faces.count_identities - 2
    same = found.identities[faces.positions(["p02/0.png", "p04/1.png", "p07/3.png"])]
    assert {*same} == {"p02"}
    assert unified(faces, None) is faces


def test_mining_costs_a_twentieth_of_the_training(faces: Faces) -> None:
    config = hard("identities", faces=2)
    plan = BatchPlan(faces.groups, config, 0)
    settings = config.hard_negatives
    free = replace(config, hard_negatives=replace(settings, every=None))
    # 20 embedded pictures cost 6.7 trained ones; a twentieth of an epoch is 1.6 of them.
    assert mining_interval(plan, free) == 5
    assert mining_interval(plan, replace(free, images_per_epoch=1000)) == 1
    assert mining_interval(plan, config) == 1
    assert [epoch for epoch in range(8) if is_mining_epoch(epoch, 3, free)] == [1, 4, 7]
    assert not any(is_mining_epoch(epoch, 1, small()) for epoch in range(5))


def test_sampled_faces_are_some_of_each_identity_and_others_each_time(faces: Faces) -> None:
    config = hard("identities", faces=2)
    plan = BatchPlan(faces.groups, config, 0)
    rows = sampled_faces(plan, config, 0, 3)
    assert np.bincount(faces.groups[rows]).tolist() == [2] * 10
    assert (np.diff(rows) > 0).all()
    assert rows.tolist() != sampled_faces(plan, config, 0, 4).tolist()


def test_vectors_that_are_not_finite_end_it(faces: Faces) -> None:
    config = hard("identities")
    plan = BatchPlan(faces.groups, config, 0)
    with pytest.raises(TrainingError, match=r"epoch 2: .*not finite"):
        mine_hard_negatives(
            lambda rows: np.full((len(rows), 4), np.nan, np.float32),
            faces,
            plan,
            config,
            Vetoes.of(faces),
            seed=0,
            epoch=1,
            batches=4,
        )
