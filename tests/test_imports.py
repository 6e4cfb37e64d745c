"""Who may import whom: what the packages pull in, and that each contract can really fail."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from support.command_line import HANGS

ROOT = Path(__file__).parent.parent
PACKAGES = ("mining", "indexes", "pairsets")
HEAVY = (
    "torch", "faiss", "timm", "torchvision", "matplotlib", "onnxruntime", "fastapi", "uvicorn",
    "cv2", "imagehash", "datasets", "zstandard", "ray",
    "umap", "numba",
)  # fmt: skip
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")

# The rules of the house: an import that breaks each, by the file that it is written into.
# A file that does not exist stands for a module that somebody adds tomorrow.
FORBIDDEN = [
    # pairsets and indexes are strangers, and neither knows mining
    ("pairsets/evaluation/rates.py", "indexes"),
    ("pairsets/evaluation/rates.py", "mining"),
    ("pairsets/tomorrow.py", "indexes.join"),
    ("indexes/base.py", "pairsets"),
    ("indexes/tomorrow.py", "mining.commands.run_folder"),
    # faiss only in indexes
    ("mining/miners/negatives.py", "faiss"),
    ("pairsets/random_set.py", "faiss"),
    # torch only in mining and indexes.join
    ("pairsets/faces.py", "torch"),
    ("indexes/flat.py", "torch"),
    ("indexes/tomorrow.py", "torch"),
    # no other package of models outside mining
    ("pairsets/faces.py", "timm"),
    ("indexes/base.py", "timm"),
    # matplotlib only in pairsets.figures
    ("mining/commands/build_report.py", "matplotlib.figure"),
    ("indexes/base.py", "matplotlib"),
    ("pairsets/evaluation/evaluator.py", "matplotlib"),
    ("pairsets/report/tomorrow.py", "matplotlib.pyplot"),
    # the face of the packages is for users alone
    ("mining/commands/run_folder.py", "lookalikes"),
    # indexes knows arrays and ids alone
    ("indexes/base.py", "PIL"),
    ("indexes/flat.py", "pandas"),
    # seven layers of mining: nothing imports what stands above it, or beside it
    ("mining/commands/result.py", "mining.cli"),
    ("mining/miners/negatives.py", "mining.commands.build"),
    ("mining/miners/negatives.py", "mining.overlap.copies"),
    ("mining/miners/negatives.py", "mining.inspection.work"),
    ("mining/inspection/work.py", "mining.commands.audit"),
    ("mining/ranking/rules.py", "mining.miners.negatives"),
    ("mining/ranking/rules.py", "mining.scores.collection"),
    ("mining/embeddings/store.py", "mining.suspects.crops"),
    ("mining/embeddings/store.py", "mining.saliency"),
    ("mining/models/pixels.py", "mining.embeddings.store"),
    ("mining/parallel.py", "mining.models"),
    ("mining/tomorrow.py", "mining.cli"),
    # the layers of pairsets
    ("pairsets/figures/bars.py", "pairsets.report"),
    ("pairsets/evaluation/rates.py", "pairsets.tables.entries"),
    ("pairsets/evaluation/rates.py", "pairsets.sources.dataset"),
    ("pairsets/files/folds.py", "pairsets.evaluation.rates"),
    ("pairsets/gallery_draw.py", "pairsets.evaluation.searches"),
    ("pairsets/pairset.py", "pairsets.sources.formats.advice"),
    ("pairsets/faces.py", "pairsets.pairset"),
    ("pairsets/identities/rules.py", "pairsets.faces"),
    ("pairsets/storage/locks.py", "pairsets.identities.rules"),
    ("pairsets/errors.py", "pairsets.storage.locks"),
    ("pairsets/tomorrow.py", "pairsets.report"),
    # a review: web, exchange and judgement, store
    ("pairsets/review/store/schema.py", "pairsets.review.judgement.session"),
    ("pairsets/review/judgement/agreement.py", "pairsets.review.exchange.export"),
    ("pairsets/review/exchange/export.py", "pairsets.review.web.app"),
    # indexes, the join, files, arrays
    ("indexes/join/scan.py", "indexes.flat"),
    ("indexes/flat.py", "indexes.approximate"),
    ("indexes/base.py", "indexes.store"),
    # the web framework only in pairsets.review.web
    ("pairsets/random_set.py", "fastapi"),
    ("mining/commands/review.py", "uvicorn"),
    ("pairsets/review/store/store.py", "fastapi"),
    # what trains only in mining.training
    ("mining/commands/tune.py", "optuna"),
    ("mining/scores/collection.py", "pytorch_metric_learning"),
    ("pairsets/figures/search.py", "optuna"),
    # UMAP only in mining.scores.identity_layout
    ("mining/scores/census.py", "umap"),
    ("pairsets/report/identity_layout.py", "umap"),
    # Ray only in mining.cluster
    ("mining/embeddings/producer.py", "ray"),
    ("indexes/join/tomorrow.py", "ray"),
    ("mining/miners/negatives.py", "mining.cluster.session"),
    # other projects' formats only in pairsets.sources
    ("pairsets/faces.py", "pyarrow"),
    ("mining/tomorrow.py", "datasets"),
    # places beyond this machine only in pairsets.storage.remote_files
    ("pairsets/storage/mirrors.py", "fsspec"),
    ("mining/cli/tomorrow.py", "s3fs"),
    ("pairsets/picture_sources/place.py", "pairsets.faces"),
]
ALLOWED = [
    ("indexes/join/scan.py", "torch"),
    ("indexes/approximate.py", "faiss"),
    ("mining/models/pixels.py", "torch"),
    ("pairsets/files/score_files.py", "pairsets.faces"),
    ("pairsets/sources/tomorrow.py", "pyarrow"),
    ("mining/cluster/tomorrow.py", "ray"),
    ("pairsets/figures/style.py", "matplotlib.pyplot"),
]


def lint(tree: Path) -> dict[str, bool]:
    """Contract -> whether it is kept, in a tree of the project."""
    done = subprocess.run(
        [LINT_IMPORTS, "--no-cache", "--no-logo"],
        cwd=tree,
        capture_output=True,
        text=True,
        timeout=HANGS,
    )
    verdicts = re.findall(r"^(.+?) (KEPT|BROKEN)(?: \(.*\))?$", done.stdout, re.MULTILINE)
    found = {name: verdict == "KEPT" for name, verdict in verdicts}
    assert found, done.stdout + done.stderr
    assert (done.returncode == 0) == all(found.values()), done.stdout + done.stderr
    return found


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("tree")
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(ROOT / "pyproject.toml", copy)
    return copy


def lint_with(tree: Path, file: str, imported: str) -> dict[str, bool]:
    """Contracts while `file` imports `imported` too."""
    target = tree / file
    before = target.read_text("utf-8") if target.exists() else None
    target.write_text(f"{before or ''}\n\ndef _late() -> None:\n    import {imported}  # noqa\n")
    try:
        return lint(tree)
    finally:
        target.unlink() if before is None else target.write_text(before, "utf-8")


def test_importing_the_packages_imports_nothing_heavy() -> None:
    code = (
        f"import sys, {', '.join(PACKAGES)}\n"
        f"print(sorted(set({HEAVY!r}) & {{name.partition('.')[0] for name in sys.modules}}))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=HANGS
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_contracts_are_kept_and_each_can_fail(tree: Path) -> None:
    """Each rule of the house has a contract that breaks, and each contract is broken by one."""
    names = {
        contract["name"]
        for contract in tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"][
            "importlinter"
        ]["contracts"]
    }
    kept = lint(tree)
    assert kept == dict.fromkeys(names, True)
    unguarded = []
    broken: set[str] = set()
    for file, imported in FORBIDDEN:
        found = {name for name, fine in lint_with(tree, file, imported).items() if not fine}
        broken |= found
        if not found:
            unguarded.append(f"{file} may import {imported}")
    assert not unguarded, "no contract forbids that " + ", that ".join(unguarded)
    assert broken == names


@pytest.mark.parametrize(("file", "imported"), ALLOWED)
def test_contracts_leave_the_rest_alone(tree: Path, file: str, imported: str) -> None:
    assert all(lint_with(tree, file, imported).values())
