"""Options that are wrong or contradict each other are refused before the work."""

from __future__ import annotations

import re

import pytest
from support.refusals import GOOD, misused, refused, write


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (("embed", "faces", "--out", "out"), "Missing option '--model'"),
        (("embed", "faces", "--model", "pixels"), "Missing option '--out'"),
        (("embed", "--model", "pixels", "--out", "out"), "Missing argument 'FACES'"),
        (("embde",), "No such command 'embde'"),
        (("random", "faces", "--out", "r.csv", "--banana"), "No such option: --banana"),
        (("random", "faces", "--out", "r.csv", "--positives", -1), "value for '--positives'"),
        (("random", "faces", "--out", "r.csv", "--positives", "x"), "value for '--positives'"),
        (("random", "faces", "--out", "r.csv", "--seed", -1), "value for '--seed'"),
        (("mine", "embeddings", "--out", "a.csv", "--pairs", 0), "value for '--pairs'"),
        (("mine", "embeddings", "--out", "a.csv", "--recall"), "name one with --index"),
        (
            ("mine", "embeddings", "--out", "a.csv", "--test-pairs", "p.csv", "--positives", 1),
            "leave out --positives",
        ),
        (("mine", "embeddings", "--out", "a.csv", "--label", "both"), "is not one of 'negative'"),
        (
            ("mine", "embeddings", "--out", "a.csv", "--negatives", 1),
            "--negatives are mined, --pairs says how many; --positives are drawn to join them",
        ),
        (
            ("mine", "embeddings", "--out", "a.csv", "--label", "positive", "--positives", 1),
            "--positives are mined, --pairs says how many; --negatives are drawn to join them",
        ),
        (
            (
                *("mine", "embeddings", "--out", "a.csv", "--label", "positive"),
                *("--test-pairs", "p.csv", "--negatives", 1),
            ),
            "--test-pairs has its negatives; leave out --negatives",
        ),
        (
            ("mine", "embeddings", "--out", "a.csv", "--label", "positive", "--index", "HNSW8"),
            "leave it out with --label positive",
        ),
        (
            (
                "build",
                "faces",
                "--reference=pixels",
                "--out=run",
                "--test-pairs=p",
                "--negatives=1",
            ),
            "leave out --positives, --negatives",
        ),
        (
            ("show", "p.csv", "--faces", "faces", "--out", "s.png", "--count", 0),
            "value for '--count'",
        ),
        (
            ("show", "p.csv", "--faces", "faces", "--out", "s.png", "--label", 2),
            "value for '--label'",
        ),
        (
            ("build", "faces", "--reference=pixels", "--out=run", "--fusion=mean"),
            "--fusion is of several; give --reference more than once",
        ),
        (
            ("build", "faces", "--reference=a", "--reference=b", "--out=run", "--fusion=max"),
            "'max' is not one of 'mean', 'min'",
        ),
        (("build", "faces", "--out=run"), "name a --reference, or --embeddings"),
        (("mine", "--out", "a.csv"), "Missing argument 'EMBEDDINGS'"),
        (
            ("mine", "embeddings", "--out", "a.csv", "--fusion", "min"),
            "--fusion is of several; give more than one EMBEDDINGS",
        ),
        (
            ("mine", "embeddings", "--out", "a.csv", "--device", "mps"),
            "'mps' is none of auto, cpu, cuda, cuda:N",
        ),
        (
            ("mine", "embeddings", "--out", "a.csv", "--device", "cpu", "--index", "HNSW8"),
            "--device is that of the exact search; leave it out with --index",
        ),
        (
            ("mine", "embeddings", "--out", "a.csv", "--device", "cpu", "--label", "positive"),
            "--device is that of the exact search; leave it out with --label positive",
        ),
        (("show", "p.csv", "--faces", "faces", "--out", "s.png", "--model", "m"), "with --scores"),
        (("evaluate", "p.csv", "--published", "both"), "is not one of 'random', 'adversarial'"),
    ],
)
def test_usage(home, command, expected):
    assert expected in misused(home, *command)


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--on-error", "banana", "'banana' is not one of 'fail', 'skip'"),
        ("--precision", "fp8", "'fp8' is not one of 'fp32', 'bf16'"),
        ("--device", "tpu", "'tpu' is none of auto, cpu, cuda, cuda:N, mps; several are cuda:0,1"),
        ("--device", "cuda:", "'cuda:' is none of auto, cpu, cuda, cuda:N, mps"),
        ("--batch-size", 0, "value for '--batch-size'"),
        ("--batch-size", 10**9, "value for '--batch-size'"),
        ("--workers", 0, "value for '--workers'"),
        ("--max-pixels", 0, "value for '--max-pixels'"),
    ],
)
@pytest.mark.parametrize(
    "command",
    [
        ("build", "faces", "--reference", "pixels", "--out", "run"),
        ("embed", "faces", "--model", "pixels", "--out", "out"),
        ("evaluate", "pairs.csv", "--faces", "faces", "--model", "pixels"),
    ],
    ids=lambda command: command[0],
)
def test_choices(home, command, option, value, expected):
    if command[0] == "evaluate" and option == "--on-error":
        expected = "No such option: --on-error"
    assert expected in misused(home, *command, option, value)


@pytest.mark.parametrize("target", ["2", "-0.1", "nan", "inf", "huma", "", "13.9%", "1e999"])
@pytest.mark.parametrize(
    "command",
    [
        ("build", "faces", "--reference", "pixels", "--out", "run"),
        ("evaluate", "pairs.csv"),
    ],
    ids=lambda command: command[0],
)
def test_target_fnr(home, command, target):
    usage = misused(home, *command, f"--target-fnr={target}")
    assert f"{target!r} is neither 'human' nor a share from 0 to 1" in usage


def test_human_target_where_nobody_judged(embedded):
    write(embedded / "pairs.csv", GOOD)
    build = ("build", "faces", "--reference", "pixels", "--out", "run")
    for command in (
        build,
        (*build, "--test-pairs", "pairs.csv"),
        ("evaluate", "pairs.csv", "--embeddings", "embeddings"),
    ):
        message = refused(embedded, *command, "--target-fnr", "human")
        assert re.match(
            r"the human FNR was asked for, but \d+ valid pairs are not judged; "
            r"give a number such as 0\.139$",
            message,
        )


@pytest.mark.parametrize(
    "factory", ["banana", "", "IVF0,Flat", "IVF9999,Flat", "HNSW0", "HNSW1", "PQ7", "IDMap,Flat"]
)
def test_index_factory(embedded, factory):
    message = refused(embedded, "mine", "embeddings", "--out", "a.csv", f"--index={factory}")
    assert repr(factory) in message
