"""Peers that look for the same mistakes, each run by the interpreter of its own environment.

    python suspect_peer_sides.py PEER REQUEST.npz ANSWER.npz [REQUEST.npz ANSWER.npz ...]

Imports nothing of this project. A request holds arrays by name, an answer too:

- `imagededup`: `folder`, `a`, `b` (paths of pairs) and `vectors_a`, `vectors_b`; whether a pair is
  within each hash's own default distance (10 of 64 bits), and, as the weights of its network cannot
  be had here, within that one's limit (a similarity of 0.9) by the given vectors.
- `cleanvision`: `folder`, `a`, `b`; whether two files stand in one set of near duplicates; and
  `files`: whether a file has one of its issues.
- `cleanlab`: `vectors`, `labels` (whole numbers from 0, each used), `folds`; whether a label is an
  issue, by out-of-sample probabilities of 10 nearest neighbours, of all (weighted by similarity)
  and of a logistic regression, and quality scores.
- `selfclean`: `vectors`, `labels`; scores of label errors and what its automatic cleaning takes.
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Arrays = dict[str, Any]
NEIGHBOURS, COMPONENTS = 10, 64
TEMPERATURE = 0.05
"""Of the weights that neighbours have by their similarity."""
_kept: list[object] = []


def declare_torchvision() -> None:
    """Let torchvision be imported beside a PyTorch without CUDA; its operators are not called."""
    import torch

    if _kept:
        return
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _kept.append(library)


def imagededup(given: Arrays) -> Arrays:
    """Flags of pairs by each hash, and by similarity of vectors."""
    declare_torchvision()
    import torch
    from imagededup.methods import CNN, AHash, DHash, PHash, WHash
    from imagededup.utils import CustomModel

    folder = Path(str(given["folder"]))
    files = sorted({*given["a"].tolist(), *given["b"].tolist()})
    answer: Arrays = {}
    for method in (
        PHash(verbose=False),
        AHash(verbose=False),
        DHash(verbose=False),
        WHash(verbose=False),
    ):
        codes = {name: method.encode_image(image_file=str(folder / name)) for name in files}
        # What its search compares; asked pair by pair, as that is what is counted.
        distances = [
            method.hamming_distance(codes[a], codes[b])
            for a, b in zip(given["a"].tolist(), given["b"].tolist(), strict=True)
        ]
        answer[type(method).__name__] = np.array(distances) <= 10
        answer[f"{type(method).__name__} score"] = 1 - np.array(distances) / 64
    network = CNN(
        verbose=False,
        model_config=CustomModel(
            name="given", model=torch.nn.Identity(), transform=lambda image: image
        ),
    )
    found = []
    for one, other in zip(given["vectors_a"], given["vectors_b"], strict=True):
        near = network.find_duplicates(
            encoding_map={"a": one, "b": other}, scores=True, num_sim_workers=0
        )
        found.append(bool(near["a"]))
    answer["CNN, given vectors"] = np.array(found)
    return answer


def cleanvision(given: Arrays) -> Arrays:
    """Flags of pairs in one set, and of files with any issue."""
    from cleanvision import Imagelab

    folder = Path(str(given["folder"])).resolve()
    answer: Arrays = {}
    lab = Imagelab(data_path=str(folder))
    if "a" in given:
        lab.find_issues({"near_duplicates": {}, "exact_duplicates": {}}, n_jobs=1, verbose=False)
        at: dict[str, set[int]] = {}
        sets = lab.info["near_duplicates"]["sets"] + lab.info["exact_duplicates"]["sets"]
        for number, files in enumerate(sets):
            for file in files:
                at.setdefault(str(Path(file).resolve().relative_to(folder)), set()).add(number)
        answer["near duplicates"] = np.array(
            [
                bool(at.get(a, set()) & at.get(b, set()))
                for a, b in zip(given["a"].tolist(), given["b"].tolist(), strict=True)
            ]
        )
    if "files" in given:
        kinds = (
            "dark", "light", "blurry", "low_information", "odd_size", "odd_aspect_ratio",
        )  # fmt: skip
        lab.find_issues({kind: {} for kind in kinds}, n_jobs=1, verbose=False)
        table = lab.issues.copy()
        table.index = [str(Path(file).resolve().relative_to(folder)) for file in table.index]
        flags = table.loc[given["files"].tolist(), [f"is_{kind}_issue" for kind in kinds]]
        answer["issues"] = flags.to_numpy(bool)
        answer["kinds"] = np.array(kinds)
    return answer


def by_neighbours(vectors: Any, labels: Any, count: int) -> Any:
    """`[N, C]` leave-one-out probabilities of the labels of so many nearest rows."""
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -np.inf)
    count = min(count, len(scores) - 1)
    near = np.argpartition(-scores, count - 1, axis=1)[:, :count]
    line = np.arange(len(scores))[:, None]
    weights = np.exp(
        (scores[line, near] - scores[line, near].max(axis=1, keepdims=True)) / TEMPERATURE
    )
    found = np.zeros((len(scores), labels.max() + 1))
    np.add.at(found, (line, labels[near]), weights)
    # Not nought for anybody, as nobody is ruled out.
    found += 1e-6
    return found / found.sum(axis=1, keepdims=True)


def by_regression(vectors: Any, labels: Any, folds: Any) -> Any:
    """`[N, C]` probabilities of a regression that has not seen the rows of a fold."""
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression

    if vectors.shape[1] > COMPONENTS:
        vectors = PCA(COMPONENTS, random_state=0).fit_transform(vectors)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = np.full((len(vectors), labels.max() + 1), 1e-6)
    for fold in range(folds.max() + 1):
        seen, asked = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        model = LogisticRegression(C=100, max_iter=200).fit(vectors[seen], labels[seen])
        found[np.ix_(asked, model.classes_)] += model.predict_proba(vectors[asked])
    return found / found.sum(axis=1, keepdims=True)


def cleanlab(given: Arrays) -> Arrays:
    """Label issues by two kinds of probabilities, and how good each label is."""
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    labels = given["labels"]
    answer: Arrays = {}
    for name, probabilities in (
        ("k-NN", by_neighbours(given["vectors"], labels, NEIGHBOURS)),
        ("all neighbours", by_neighbours(given["vectors"], labels, len(labels))),
        ("regression", by_regression(given["vectors"], labels, given["folds"])),
    ):
        answer[name] = find_label_issues(labels, probabilities, n_jobs=1)
        answer[f"{name} score"] = 1 - get_label_quality_scores(labels, probabilities)
    return answer


def selfclean(given: Arrays) -> Arrays:
    """Label errors by its cleaner on given vectors.

    Its own vectors would be those of a network that it trains from a downloaded one.
    """
    declare_torchvision()
    from selfclean.cleaner.issue_manager import IssueTypes
    from selfclean.cleaner.selfclean_cleaner import SelfCleanCleaner

    with tempfile.TemporaryDirectory() as folder:
        cleaner = SelfCleanCleaner(
            memmap_path=folder, auto_cleaning=True, log_level="ERROR", memmap=False
        )
        cleaner.fit(emb_space=given["vectors"], labels=given["labels"])
        found = cleaner.predict([IssueTypes.LABEL_ERRORS])["label_errors"]
    score = np.empty(len(given["labels"]))
    score[found["indices"]] = 1 - found["scores"]
    # Cut off are the first so many of the ranking.
    taken = np.zeros(len(score), bool)
    taken[found["indices"][np.asarray(found["auto_issues"], int)]] = True
    return {"ranking": taken, "ranking score": score}


PEERS: dict[str, Callable[[Arrays], Arrays]] = {
    "imagededup": imagededup,
    "cleanvision": cleanvision,
    "cleanlab": cleanlab,
    "selfclean": selfclean,
}


def main(arguments: list[str]) -> None:
    """Read each request, ask the peer, write its answer."""
    peer, *files = arguments
    warnings.simplefilter("ignore")
    for request, answer in zip(files[::2], files[1::2], strict=True):
        with np.load(request) as given:
            found = PEERS[peer](dict(given))
        np.savez(answer, **found)


if __name__ == "__main__":
    main(sys.argv[1:])
