"""IJB-C's 15,658,489 pairs of templates: converting their list, evaluating a model on them.

The list is made here, in the form and of the size of `ijbc_template_pair_label.txt`: 3,531 subjects
with a gallery template each, 19,593 probes, 19,557 pairs of one subject and 15,638,932 of two. So
are vectors, one a template, which the command `pool` then gives to the templates. Steps, each a
process of its own, whose time and peak memory are kept (`ru_maxrss`, which counts pages of mapped
files, too, and the peak of private memory, looked at ten times a second):

- `convert`: the list into a pair file.
- `evaluate`: the templates' vectors on the pair file, with all intervals (1,000 draws).

    python -m benchmarks.ijb [--steps convert evaluate] [--repeats 3] [--scratch DIR]
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import keep
from benchmarks.million import lookalikes, run
from benchmarks.million_faces import finish_embeddings

STEPS = ("convert", "evaluate")
SUBJECTS, PROBES, GENUINE, IMPOSTOR = 3_531, 19_593, 19_557, 15_638_932
DIMENSIONS = 512
SEED = 20
# Of the noise of a template, against the length of its subject's vector.
_NOISE = 2.0
_BLOCK = 1 << 20

Rows = NDArray[np.int64]


def pairs_of(
    subjects: int = SUBJECTS, probes: int = PROBES, genuine: int = GENUINE, impostor: int = IMPOSTOR
) -> tuple[Rows, Rows, Rows]:
    """Gallery template, probe and label of each pair, `[genuine + impostor]`, as IJB-C orders them.

    Templates 1 to `subjects` are the gallery, the others probes; each gallery template is compared
    with its own probes, then with others of other subjects, each pair once.

    Raises:
        ValueError: more pairs than there are.
    """
    draw, owner = np.random.default_rng(SEED), owners(subjects, probes)[subjects:]
    if genuine > probes or impostor > probes * (subjects - 1):
        raise ValueError(f"{genuine} and {impostor} pairs of {subjects} subjects' {probes} probes")
    mated = np.sort(draw.permutation(probes)[:genuine])
    # Of each subject the same number of other subjects' probes, but for one more of the first.
    each = np.full(subjects, impostor // subjects)
    each[: impostor % subjects] += 1
    columns: list[tuple[Rows, Rows, Rows]] = []
    for subject in range(subjects):
        own = mated[owner[mated] == subject]
        others = np.flatnonzero(owner != subject)
        others = np.sort(draw.permutation(others)[: each[subject]])
        probe = np.concatenate([own, others])
        label = (owner[probe] == subject).astype(np.int64)
        columns.append((np.full(len(probe), subject + 1), probe + subjects + 1, label))
    a, b, label = (np.concatenate(column) for column in zip(*columns, strict=True))
    return a, b, label


def owners(subjects: int = SUBJECTS, probes: int = PROBES) -> Rows:
    """Subject of each template `[subjects + probes]`, in the order of their numbers."""
    return np.concatenate([np.arange(subjects), np.sort(np.arange(probes) % subjects)])


def write_inputs(root: Path) -> None:
    """Write `pairs.txt`, `templates.txt` and the pictures' embeddings below `root`."""
    a, b, label = pairs_of()
    with (root / "pairs.txt").open("w", encoding="ascii") as stream:
        for start in range(0, len(a), _BLOCK):
            part = slice(start, start + _BLOCK)
            rows = zip(a[part].tolist(), b[part].tolist(), label[part].tolist(), strict=True)
            stream.writelines(f"{one} {two} {told}\n" for one, two, told in rows)
    owner = owners()
    lines = (f"{number}.jpg {number} {number}\n" for number in range(1, len(owner) + 1))
    (root / "templates.txt").write_text("".join(lines), encoding="ascii")
    draw = np.random.default_rng([SEED, 1])
    centres = draw.standard_normal((SUBJECTS, DIMENSIONS), np.float32)
    vectors = centres[owner]
    vectors += _NOISE * draw.standard_normal(vectors.shape, np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    _write_embeddings(root / "pictures", vectors)


def _write_embeddings(folder: Path, vectors: NDArray[np.float32]) -> None:
    """Write finished embeddings of the pictures `1.jpg`, `2.jpg`, ..., as `embed` leaves them."""
    folder.mkdir(parents=True)
    np.save(folder / "vectors.npy", vectors)
    names = [f"{number}.jpg" for number in range(1, len(vectors) + 1)]
    digests = [hashlib.sha256(name.encode()).hexdigest() for name in names]
    made_by = {"model": "drawn", "fingerprint": hashlib.sha256(b"drawn").hexdigest()}
    finish_embeddings(folder, names, digests, made_by, vectors.shape[1])


def measure(root: Path, steps: list[str], repeats: int) -> dict[str, Any]:
    """Median seconds and greatest memory of each step, the steps in turn within each repeat."""
    listed, pairs, pooled = root / "pairs.txt", root / "pairs.csv", root / "pooled"
    commands = {
        "convert": ["convert", listed, "--from-format", "ijb", "--out", pairs, "--overwrite"],
        "evaluate": ["evaluate", pairs, "--embeddings", pooled, "--target-fnr", "0.01"],
    }
    subprocess.run(
        lookalikes(
            "pool", root / "pictures", "--templates", root / "templates.txt",
            "--pair-file", listed, "--out", pooled,
        ),
        check=True,
    )  # fmt: skip
    if "convert" not in steps:
        subprocess.run(lookalikes(*commands["convert"]), check=True)
    runs: dict[str, list[dict[str, Any]]] = {step: [] for step in steps}
    for _ in range(repeats):
        for step in steps:
            runs[step].append(run(lookalikes(*commands[step])))
            print(step, runs[step][-1], flush=True)
    return {
        step: {
            "seconds": statistics.median(one["seconds"] for one in found),
            "all_seconds": [one["seconds"] for one in found],
            **{name: max(one[name] for one in found) for name in ("peak_mib", "peak_private_mib")},
        }
        for step, found in runs.items()
    }


def main() -> None:
    """Make the inputs, run the steps, keep the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=list(STEPS))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--scratch", type=Path, help="where files are put")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ijb-", dir=options.scratch) as folder:
        write_inputs(Path(folder))
        found = measure(Path(folder), options.steps, options.repeats)
    result = {"pairs": GENUINE + IMPOSTOR, "templates": SUBJECTS + PROBES, "steps": found}
    if {*options.steps} == {*STEPS}:
        keep("ijb", result)
    else:
        print(result)


if __name__ == "__main__":
    main()
