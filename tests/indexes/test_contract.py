"""One suite for every kind of index, against the naive oracle."""

from __future__ import annotations

import json

import numpy as np
import pytest
from support import oracle

from indexes import ApproximateIndex, FlatIndex, IndexesError, TopPairs

SIZES = [(1, 1), (2, 3), (40, 5), (130, 16)]


def clustered(count, size, seed=0):
    generator = np.random.default_rng(seed)
    centres = generator.standard_normal((max(1, count // 6), size))
    vectors = centres[generator.integers(0, len(centres), count)]
    vectors = (vectors + 0.3 * generator.standard_normal((count, size))).astype(np.float32)
    vectors[count // 2] = vectors[0]
    vectors.setflags(write=False)
    return vectors


# `Flat` by the approximate path searches everything: its answers must be the oracle's.
BUILDERS = {
    "flat": FlatIndex,
    "factory Flat": lambda vectors: ApproximateIndex(vectors, "Flat"),
    "factory HNSW8": lambda vectors: ApproximateIndex(
        vectors, "HNSW8", {"efSearch": max(16, len(vectors))}
    ),
}


@pytest.fixture(params=BUILDERS)
def build(request):
    return BUILDERS[request.param]


@pytest.mark.parametrize(("count", "size"), SIZES)
@pytest.mark.parametrize("k", [1, 4, 500])
def test_search_equals_sorting(build, count, size, k):
    vectors = clustered(count, size)
    index = build(vectors)
    found = index.search(vectors[:7], k)
    for query, rows, scores in zip(vectors, found.rows, found.scores, strict=False):
        truth = oracle.search(vectors, query, k)
        assert scores.tolist() == [hit[1] for hit in truth]
        if index.exact:  # an approximate index leaves open which of equal scores it finds
            assert rows.tolist() == [hit[0] for hit in truth]


@pytest.mark.parametrize(("count", "size"), SIZES)
@pytest.mark.parametrize("n", [1, 10, 10_000])
def test_top_pairs_equal_the_double_loop(build, count, size, n):
    vectors = clustered(count, size)
    groups = np.arange(count) // 3
    index = build(vectors)
    found = index.top_pairs(n, groups)
    truth = oracle.top_pairs(vectors, groups, n)
    assert found.scores.tolist() == [pair[2] for pair in truth]
    if index.exact:
        assert list(zip(found.i.tolist(), found.j.tolist(), strict=True)) == [
            pair[:2] for pair in truth
        ]


def test_says_whether_it_is_exact(build):
    index = build(clustered(40, 5))
    assert index.exact is isinstance(index, FlatIndex)
    assert index.search(index.vectors[:2], 3).exact is index.exact
    assert index.top_pairs(3, np.arange(40)).exact is index.exact


def test_queries_of_another_size_are_refused(build):
    with pytest.raises(IndexesError, match="4 dimensions for vectors of 5"):
        build(clustered(40, 5)).search(np.ones((1, 4)), 1)


def test_many_ties_at_the_cut():
    """More equal scores than FAISS is asked for: the rows with the lowest numbers win."""
    vectors = np.ones((200, 3), np.float32)
    vectors[150] = 2.0
    found = FlatIndex(vectors).search(vectors[:2], 40)
    assert found.rows[0].tolist() == [150, *range(39)]


@pytest.mark.parametrize("k", [1, 5, 20])
@pytest.mark.parametrize("scale", [1.0, 1e21])  # 1e21: products that overflow float32
def test_float32_scores_far_from_exact_ones(k, scale):
    """Two products cancel with every row: float32 loses the terms that decide."""
    vectors = np.random.default_rng(5).integers(-3, 4, (400, 12)).astype(np.float32)
    vectors[:, 0], vectors[:, -1] = 1e4, -1e4
    vectors[200:] *= 1e-3
    vectors *= scale
    query = vectors[:1].copy()
    query[0, -1] *= -1
    truth = oracle.search(vectors, query[0], len(vectors))
    with np.errstate(over="ignore", invalid="ignore"):
        filtered = (vectors @ query[0])[[row for row, _ in truth]]
    assert not (np.diff(filtered) <= 0).all()  # float32 alone would rank otherwise
    found = FlatIndex(vectors).search(query, k)
    assert list(zip(found.rows[0].tolist(), found.scores[0].tolist(), strict=True)) == truth[:k]


def test_an_index_that_misses_says_how_much():
    vectors = np.random.default_rng(2).standard_normal((600, 24)).astype(np.float32)
    groups = np.arange(600) // 2
    index = ApproximateIndex(vectors, "IVF64,Flat", {"nprobe": 1})
    found = index.top_pairs(400, groups, recall=True)
    truth = {pair[:2] for pair in oracle.top_pairs(vectors, groups, 400)}
    hits = truth & set(zip(found.i.tolist(), found.j.tolist(), strict=True))
    assert found.recall == len(hits) / 400
    assert 0 < found.recall < 1
    probing = ApproximateIndex(vectors, "IVF64,Flat", {"nprobe": 64})
    assert probing.top_pairs(400, groups, recall=True).recall == 1.0
    assert probing.top_pairs(400, groups).recall is None


def test_the_same_vectors_build_the_same_graph(tmp_path):
    vectors = clustered(300, 8)
    for name in ("one.faiss", "two.faiss"):
        ApproximateIndex(vectors, "HNSW8").save(tmp_path / name)
    assert (tmp_path / "one.faiss").read_bytes() == (tmp_path / "two.faiss").read_bytes()


@pytest.mark.parametrize("factory", ["NoSuchIndex", "IVF5000,Flat"])
def test_a_factory_that_faiss_refuses(factory):
    with pytest.raises(IndexesError, match=factory):
        ApproximateIndex(clustered(40, 5), factory)


def test_a_parameter_that_does_not_fit():
    with pytest.raises(IndexesError, match=r"nprobe=3 does not fit .*HNSW8"):
        ApproximateIndex(clustered(40, 5), "HNSW8", {"nprobe": 3})


def test_save_and_load(tmp_path):
    vectors = clustered(60, 6)
    flat = FlatIndex.load(FlatIndex(vectors).save(tmp_path / "index.faiss"))
    np.testing.assert_array_equal(flat.vectors, vectors)
    graph = ApproximateIndex(vectors, "HNSW8", {"efSearch": 60})
    again = ApproximateIndex.load(graph.save(tmp_path / "graph.faiss"), vectors)
    np.testing.assert_array_equal(again.search(vectors, 3).rows, graph.search(vectors, 3).rows)
    facts = json.loads((tmp_path / "graph.json").read_text())
    assert facts["factory"] == "HNSW8"
    assert (facts["vectors"], facts["dimensions"]) == (60, 6)
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "graph.faiss",
        "graph.json",
        "index.faiss",
        "index.json",
    ]


def test_files_that_cannot_be_loaded(tmp_path):
    path = FlatIndex(clustered(60, 6)).save(tmp_path / "index.faiss")
    with pytest.raises(IndexesError, match="no such file"):
        FlatIndex.load(tmp_path / "other.faiss")
    with pytest.raises(IndexesError, match="kind 'flat', expected 'approximate'"):
        ApproximateIndex.load(path, clustered(60, 6))
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    with pytest.raises(IndexesError, match="SHA-256 differs"):
        FlatIndex.load(path)
    path.write_bytes(whole)
    sidecar = tmp_path / "index.json"
    sidecar.write_text(sidecar.read_text().replace('"schema": 1', '"schema": 99'))
    with pytest.raises(IndexesError, match="schema 99, this version reads 1"):
        FlatIndex.load(path)
    sidecar.write_text("{}")
    with pytest.raises(IndexesError, match="not the sidecar"):
        FlatIndex.load(path)


def test_top_pairs_refuses_what_is_not_ranked():
    def made(i, j, scores):
        return TopPairs(np.array(i), np.array(j), np.array(scores, float))

    assert len(made([0, 0, 1], [1, 2, 2], [3, 2, 2])) == 3
    for wrong in (
        ([1], [1], [0]),
        ([0, 0], [1, 2], [1, 2]),
        ([0, 0], [2, 1], [1, 1]),
        ([0, 0], [1, 1], [1, 1]),
        ([0], [1], [1, 2]),
    ):
        with pytest.raises(IndexesError):
            made(*wrong)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"parameters": {"efSearch": "much"}}, "efSearch='much' does not fit an index"),
        ({"parameters": [1]}, "no factory and parameters"),
        ({"factory": None}, "no factory and parameters"),
        ({"schema": 10**30}, "this version reads 1"),
        ({"kind": ["a"]}, "expected 'approximate'"),
    ],
)
def test_a_sidecar_of_other_values(change, says, tmp_path):
    vectors = clustered(60, 5)
    path = ApproximateIndex(vectors, factory="HNSW8").save(tmp_path / "graph.faiss")
    sidecar = path.with_suffix(".json")
    sidecar.write_text(json.dumps({**json.loads(sidecar.read_text()), **change}))
    with pytest.raises(IndexesError, match=says) as caught:
        ApproximateIndex.load(path, vectors)
    assert "graph." in str(caught.value)


@pytest.mark.parametrize("text", ["", "[" * 3000, "[]", "{}", "9" * 5000, '{"schema": 1}'])
def test_a_sidecar_that_is_none(text, tmp_path):
    path = FlatIndex(clustered(9, 5)).save(tmp_path / "flat.faiss")
    path.with_suffix(".json").write_text(text)
    with pytest.raises(IndexesError, match=r"flat\.json: not the sidecar of an index"):
        FlatIndex.load(path)
