#!/usr/bin/env bash
# FAISS 1.15.1: PCA before a Panorama index of inner products finds other neighbours.
#
# Expected: Panorama is exact, and is meant to stand behind a PCA that turns the energy to the front
#   ("PCA64,FlatL2Panorama8" in FAISS's own benchmark); index_factory takes the inner product's
#   index in the same place, so its neighbours should be those of IndexFlatIP.
# Happens: PCA takes the mean away, which distances do not notice, but inner products do. Of vectors
#   with a common direction the ten nearest by "PCA64,FlatIPPanorama8" are others, for unit vectors
#   too; there is no error and no warning. "PCA64,FlatL2Panorama8" is right, and so is the inner
#   product without PCA, which prunes little.
#
# Seen with faiss-cpu 1.15.1, NumPy 2.4.6, Python 3.11.
# It ends with 0 where this is so, and with another status where it is no longer.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    faiss-cpu==1.15.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import faiss
import numpy as np

print("faiss", faiss.__version__)
draw = np.random.default_rng(0)
vectors = draw.standard_normal((3000, 64)) * np.exp(-np.arange(64) / 16)
vectors += 2 * draw.standard_normal(64) / 8  # what all have in common
vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
vectors = vectors.astype(np.float32)
nearest = np.argsort(-(vectors.astype(float) @ vectors.T.astype(float)), axis=1)[:, :10]


def recall(name: str, metric: int) -> float:
    index = faiss.index_factory(64, name, metric)
    index.train(vectors)
    index.add(vectors)
    _, found = index.search(vectors, 10)
    same = [len(set(ours) & set(theirs)) for ours, theirs in zip(nearest, found, strict=True)]
    return float(np.mean(same)) / 10


recalls = {
    name: recall(name, metric)
    for name, metric in (
        ("Flat", faiss.METRIC_INNER_PRODUCT),
        ("FlatIPPanorama8", faiss.METRIC_INNER_PRODUCT),
        ("PCA64,FlatL2Panorama8", faiss.METRIC_L2),
        ("PCA64,FlatIPPanorama8", faiss.METRIC_INNER_PRODUCT),
    )
}
for name, value in recalls.items():
    print(f"{name}: {value:.3f} of the ten nearest by cosine")
*exact, lossy = recalls.values()
assert min(exact) > 0.999
assert lossy < 0.9
print("as described: the exact index, behind PCA, ranks by another product")
PYTHON
