"""One clear error for each input that the join cannot use."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from indexes import FlatIndex, IndexesError, join

VECTORS = np.eye(4, 3, dtype=np.float32)
NAMES = ["a", "b", "b", "c"]
LIMITS = [
    ({"min_score": float("nan")}, "min_score of nan; expected a finite number"),
    ({"max_score": float("nan")}, "max_score of nan; expected a finite number"),
    ({"min_score": float("-inf")}, "min_score of -inf"),
    ({"max_score": float("inf")}, "max_score of inf"),
    ({"min_score": "high"}, "min_score of high"),
    ({"max_score": [1.0]}, "max_score of"),
    ({"min_score": 0.5, "max_score": 0.25}, "min_score 0.5 above max_score 0.25"),
]
EXCLUDED = [
    ({"exclude": [1, 2]}, r"exclude of shape \(2,\); expected whole numbers \[K, 2\]"),
    ({"exclude": [[1, 2, 3]]}, r"exclude of shape \(1, 3\)"),
    ({"exclude": [[[1, 2]]]}, r"exclude of shape \(1, 1, 2\)"),
    ({"exclude": [[0.0, 1.0]]}, "exclude of .* expected whole numbers"),
    ({"exclude": [["a", "b"]]}, "exclude of .* expected whole numbers"),
    ({"exclude": [[True, False]]}, "exclude of .* expected whole numbers"),
    ({"exclude": [[0, 1], [2]]}, "exclude"),
    ({"exclude": [[0, 1], [1, 4]]}, r"exclude: row 1 is \[1, 4\]; expected 0 to 3"),
    ({"exclude": [[-1, 2]]}, r"exclude: row 0 is \[-1, 2\]; expected 0 to 3"),
]
OTHERS = [
    ({"ceilings": [1.0, 2.0]}, r"ceilings of shape \(2,\) for 4 vectors; expected a number each"),
    ({"ceilings": [[1.0, 1.0, 1.0, 1.0]]}, r"ceilings of shape \(1, 4\)"),
    ({"ceilings": 1.0}, r"ceilings of shape \(\)"),
    ({"ceilings": [1.0, float("nan"), 1.0, 1.0]}, "ceilings .* expected a number each"),
    ({"ceilings": ["a", "b", "c", "d"]}, "ceilings"),
    ({"active": [True, False]}, r"active of shape \(2,\), bool, for 4 vectors"),
    ({"active": [0, 1, 1, 0]}, r"active of shape \(4,\), int64, .* expected a truth value each"),
    ({"active": [0, 2]}, "active of shape"),
    ({"exclude_groups": ["a", "b"]}, r"pairs of groups of shape \(2,\); expected \[K, 2\]"),
    ({"exclude_groups": [["a", "b", "c"]]}, r"pairs of groups of shape \(1, 3\)"),
    ({"exclude_groups": [["a", "b"], ["c"]]}, "groups"),
    ({"exclude_groups": [[None, "b"]]}, "groups"),
]


def refused(message, question, *given, **options):
    """That it is refused with the message, and in one line."""
    with pytest.raises(IndexesError, match=message) as caught:
        question(*given, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("options", "message"), LIMITS + EXCLUDED + OTHERS)
def test_options_of_the_top_pairs(options, message):
    refused(message, FlatIndex(VECTORS).top_pairs, 2, NAMES, **options)


@pytest.mark.parametrize(("options", "message"), LIMITS + EXCLUDED)
def test_options_of_the_bottom_pairs(options, message):
    refused(message, FlatIndex(VECTORS).bottom_pairs, 2, NAMES, **options)


@pytest.mark.parametrize("pairs", [[[0, 4]], [[-1, 0]]])
def test_codes_of_no_group(pairs):
    refused(
        "exclude_groups: row 0 is .*; expected 0 to 3",
        join.top_pairs,
        VECTORS,
        np.arange(4),
        1,
        exclude_groups=pairs,
    )


@pytest.mark.parametrize("n", [0, -3, 1.5, True, None])
def test_numbers_of_pairs(n):
    for question in (FlatIndex(VECTORS).top_pairs, FlatIndex(VECTORS).bottom_pairs):
        refused(f"n of {n}; expected a whole number of 1 or more", question, n, NAMES)


def test_groups_of_another_length():
    index = FlatIndex(VECTORS)
    message = r"groups of shape \(3,\) for 4 vectors; expected one each"
    refused(message, index.bottom_pairs, 1, NAMES[:3])
    refused(message, index.best_of_group, NAMES[:3])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "fp16"}, "precision of 'fp16'; expected one of auto, fp32, bf16"),
        ({"precision": None}, "precision of None"),
        ({"spectrum": "on"}, "spectrum of 'on'; expected one of auto, off"),
        ({"device": "gpu"}, "device of 'gpu'; expected auto, cpu, cuda, cuda:N, several"),
        ({"device": "cuda:0,"}, "device of 'cuda:0,'; expected auto, cpu, cuda, cuda:N, several"),
        ({"device": ""}, "device of ''"),
        ({"threads": 0}, "threads of 0; expected a whole number of 1 or more"),
        ({"threads": 1.5}, "threads of 1.5"),
        ({"tile": 0}, "tile of 0; expected a whole number of 1 or more"),
        ({"tile": True}, "tile of True"),
    ],
)
def test_ways_there_are_none_of(options, message):
    refused(message, join.SearchOptions, **options)


@pytest.mark.parametrize("device", ["cuda", "cuda:0"])
def test_a_device_that_is_not_there(device, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    how = join.SearchOptions(device=device)
    refused(f"device {device}: no CUDA device", FlatIndex(VECTORS).top_pairs, 1, NAMES, how=how)


def test_nothing_is_refused_that_can_be_answered():
    """What looks odd and is not: whole limits, numpy's numbers, limits that meet."""
    index = FlatIndex(VECTORS)
    assert len(index.top_pairs(np.int32(9), NAMES, min_score=0, max_score=np.float32(0))) == 5
    assert len(index.top_pairs(9, NAMES, ceilings=[1, np.inf, 1, -np.inf], exclude=[])) == 2
    assert len(index.top_pairs(9, NAMES, exclude=np.array([[3, 0]], np.uint8))) == 4
    assert len(index.bottom_pairs(9, NAMES, min_score=-1)) == 1
