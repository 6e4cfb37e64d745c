"""Plans of a cluster: counts by hand, laws of the times, and where each rate comes from."""

from __future__ import annotations

import json
from itertools import combinations_with_replacement, pairwise
from pathlib import Path

import pytest
from support.command_line import lookalikes

from mining.cluster.measurement import clustered, measure_join
from mining.cluster.plan import Hardware, Plan, Work, plan_join, times_of
from mining.cluster.rates import EmbeddingRate, JoinRate, embedding_rate, join_rate
from mining.errors import ClusterError

RATE = JoinRate("m", "core", 1e12, 1, "a machine", "a guess", False)


def plan(faces: int = 11_000_000, nodes: int = 16, cores: int = 32, gpus: int = 0) -> Plan:
    return plan_join(Work(faces, 512, 3000), Hardware(nodes, cores, gpus, 64 * 2.0**30), RATE)


def test_counts_are_those_by_hand() -> None:
    found = plan()
    assert found.work.compared == 60_499_994_500_000
    assert found.work.operations == 1024.0 * 60_499_994_500_000
    assert found.vectors_bytes == 22_528_000_000
    assert found.low_bytes == 5_632_000_000
    assert (found.blocks - 1) * found.block < 11_000_000 <= found.blocks * found.block
    every = combinations_with_replacement(range(found.blocks), 2)
    assert found.tasks == len(list(every)) >= 16 * 16 * 32 * 0.9


def test_a_join_takes_no_less_than_its_products_and_scales_until_they_are_few() -> None:
    work = Work(11_000_000, 512, 3000)
    times = [times_of(work, Hardware(nodes, 32), RATE) for nodes in (1, 2, 4, 8, 16)]
    for nodes, each in zip((1, 2, 4, 8, 16), times, strict=True):
        ideal = work.operations / (1e12 * nodes * 32)
        assert ideal <= each.compute < 1.1 * ideal
        assert each.total >= each.compute + each.distribution + each.seed
    assert times[0].distribution == 0 < times[-1].distribution
    assert [a.total > b.total for a, b in pairwise(times)] == [True] * 4


def test_each_node_reads_all_vectors_once_and_holds_a_few_blocks() -> None:
    for nodes in (1, 4, 16, 64):
        found = plan(nodes=nodes)
        assert found.read_bytes == found.vectors_bytes
        assert found.times.distribution == (0 if nodes == 1 else found.read_bytes / 1.25e9)
        assert found.node_bytes < 32 * 2**30


@pytest.mark.parametrize("faces", [2, 3, 5000, 100_000])
def test_small_sets_have_a_plan_too(faces: int) -> None:
    found = plan(faces=faces)
    assert found.block <= faces
    assert found.tasks == found.blocks * (found.blocks + 1) // 2
    assert found.times.total > 0
    assert found.fits


def test_the_recommended_shape_is_the_least_within_an_hour() -> None:
    slow = JoinRate("m", "core", 1e10, 1, "a machine", "a guess", False)
    found = plan_join(Work(11_000_000, 512, 3000), Hardware(16, 32), slow)
    shapes = {shape.count: shape.seconds for shape in found.shapes}
    assert shapes[found.recommended] <= 3600 < shapes[found.recommended // 2]


def test_memory_that_is_too_little_is_told() -> None:
    few = plan_join(Work(11_000_000, 512, 3000), Hardware(1, 8, memory=2.0**30), RATE)
    assert few.fits is False
    assert plan_join(Work(10, 2, 1), Hardware(1, 1), RATE).fits is None


@pytest.mark.parametrize("wrong", [(1, 512, 3), (5, 0, 3), (5, 5, 0)])
def test_nothing_to_plan(wrong: tuple[int, int, int]) -> None:
    with pytest.raises(ClusterError, match="expected at least 2 faces"):
        Work(*wrong)


def test_kept_rates_say_where_they_come_from() -> None:
    """Those of GPUs are not called ours."""
    assert join_rate("h100").measured is False
    assert "not measured by us; derived" in join_rate("H100").source
    assert join_rate("epyc").measured
    assert embedding_rate("resnet152").images == 8.9
    for ask, name in ((join_rate, "Z1"), (embedding_rate, "no_net")):
        with pytest.raises(ClusterError, match=f"'{name}' is kept; there are "):
            ask(name)


def test_measured_benchmarks_are_what_the_kept_rates_say() -> None:
    """Figures of the files that the rates name."""
    results = Path(__file__).parents[3] / "benchmarks/results"
    million = json.loads((results / "million.json").read_text())
    seconds = million["steps"]["mine, clustered, 3,000 pairs"]["processor_seconds"]
    rows = million["steps"]["product"]["rows"]
    assert join_rate("epyc").operations == pytest.approx(512 * rows**2 / seconds, rel=0.01)
    embedded = json.loads((results / "embedding.json").read_text())["networks"]
    for name, of in embedded.items():
        images = of["drawn, PNG"]["images_per_second"]["embed"] / 2
        assert embedding_rate(name).images == pytest.approx(images, rel=0.01)


def test_the_join_is_measured_by_joins() -> None:
    found = measure_join(64, rows=(1024, 3072))
    assert found.measured
    assert found.operations > 1e6
    vectors, groups = clustered(25, 8)
    assert vectors.shape == (25, 8)
    assert groups.tolist() == [row // 10 for row in range(25)]


def test_embedding_takes_its_rate_times_all_cores() -> None:
    embedding = EmbeddingRate("net", 10.0, "as given", False)
    found = plan_join(Work(1_000_000, 512, 3000), Hardware(2, 5), RATE, embedding)
    assert found.embedding_seconds == 10_000


def test_the_command_prints_and_writes_it(tmp_path: Path) -> None:
    out = tmp_path / "plan.json"
    words = "cluster plan --faces 11000000 --dim 512 --nodes 16 --cpus 32 --no-measure"
    told = lookalikes(*words.split(), "--model", "resnet152", "--out", str(out)).out
    assert "60,499,994,500,000" in told
    assert "benchmarks/results/million.json" in told
    content = json.loads(out.read_text())
    assert content["schema"] == 1
    assert content["work"]["compared"] == 60_499_994_500_000
    assert content["rate"]["measured"] is True
    told = lookalikes(
        *["cluster", "plan", "--faces", "11000000", "--dim", "512", "--gpus", "H100:8"]
    ).out
    assert "NOT MEASURED by us" in told
    assert "unknown: name --model" in told


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--gpus H100:many", "GPUs 'H100:many': expected a kind and a number, as in H100:8"),
        ("--gpus epyc:2", "epyc: a kind of core, and no GPU"),
        ("--gpus H100:8 --measure", "a join is measured on cores"),
        ("--gpus H100:8 --model resnet152", "no rate of resnet152 on a GPU is kept"),
        ("--no-measure --model no_net", "no rate of the network 'no_net' is kept"),
        ("--no-measure --images-per-second 0", "0 images a second; expected a number above 0"),
        ("--no-measure --network 0", "network of 0 bytes; expected a number above 0"),
        ("--no-measure --node-memory nan", "memory of nan bytes; expected a number above 0"),
    ],
)
def test_what_cannot_be_planned_is_told(words: str, message: str) -> None:
    asked = ["cluster", "plan", "--faces", "1000", "--dim", "8", *words.split()]
    assert message in lookalikes(*asked).message
