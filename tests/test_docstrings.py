"""A docstring's first line is read alone, in an editor's tip or a list: it names its subject."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# Begins of a line that says nothing without the name above it.
LEANING = re.compile(r"(What|Of|The same|Those|As|How|Which|Where)\b")
# Files that are still to be read with this eye. None comes in; those that are clean go out.
TO_DO: set[str] = {
    "mining/cli/build.py",
    "mining/cli/compare.py",
    "mining/cli/options.py",
    "mining/cli/show.py",
    "mining/cli/sources.py",
    "mining/cli/summary.py",
    "mining/cli/user_errors.py",
    "mining/commands/arrange.py",
    "mining/commands/build_report.py",
    "mining/commands/check_overlap.py",
    "mining/commands/compare.py",
    "mining/commands/crop.py",
    "mining/commands/detect_progress.py",
    "mining/commands/explain.py",
    "mining/commands/pool.py",
    "mining/commands/power.py",
    "mining/commands/result.py",
    "mining/commands/review.py",
    "mining/commands/run_folder.py",
    "mining/commands/select.py",
    "mining/commands/select_identities.py",
    "mining/commands/show.py",
    "mining/miners/fold_miner.py",
    "mining/miners/fold_results.py",
    "mining/miners/fold_shares.py",
    "mining/miners/fused_negatives.py",
    "mining/miners/impostors.py",
    "mining/miners/inputs.py",
    "mining/miners/provenance.py",
    "mining/miners/references.py",
    "mining/miners/search.py",
    "mining/miners/suspect_free.py",
    "mining/overlap/notes.py",
    "mining/ranking/__init__.py",
    "mining/ranking/filtered_ranking.py",
    "mining/ranking/fused_ranking.py",
    "mining/ranking/mined_pairs.py",
    "mining/ranking/model_ranking.py",
    "mining/ranking/occurrence_caps.py",
    "mining/ranking/positive_ranking.py",
    "mining/ranking/rank_aggregation.py",
    "mining/ranking/ranked_pairs.py",
    "mining/ranking/rules.py",
    "mining/ranking/search_space.py",
    "mining/ranking/warnings.py",
    "mining/scores/collection.py",
    "mining/scores/pair_files.py",
    "pairsets/__init__.py",
    "pairsets/evaluation/power.py",
    "pairsets/files/aliases.py",
    "pairsets/files/identity_folds.py",
    "pairsets/files/folds.py",
    "pairsets/files/score_files.py",
    "pairsets/files/side_files.py",
    "pairsets/files/suspects.py",
    "pairsets/funnel.py",
    "pairsets/review/store/access.py",
    "pairsets/review/store/connection.py",
    "pairsets/review/store/integrity.py",
    "pairsets/review/store/store.py",
    "pairsets/review/store/verdicts.py",
    "pairsets/review/store/write_ahead_log.py",
    "pairsets/sources/danbooru/journal.py",
    "pairsets/storage/json_files.py",
    "pairsets/storage/locks.py",
    "pairsets/storage/manifests.py",
    "pairsets/storage/publication.py",
    "pairsets/storage/settings.py",
    "pairsets/storage/spreadsheets.py",
    "pairsets/tables/differences.py",
    "pairsets/tables/entries.py",
    "pairsets/tables/leaderboard.py",
    "pairsets/tables/protocols.py",
}
Documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def first_lines(source: str) -> Iterator[str]:
    """First line of every docstring in a file."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, Documented) and (text := ast.get_docstring(node)):
            yield text.splitlines()[0]


def leaning(source: str) -> list[str]:
    """First lines that begin as if their subject had been named."""
    return [line for line in first_lines(source) if LEANING.match(line)]


def modules() -> dict[str, str]:
    """Text of each module of the three packages and of `support`, by path."""
    return {
        path.relative_to(ROOT).as_posix(): path.read_text("utf-8")
        for package in ("mining", "pairsets", "indexes", "tests/support")
        for path in sorted((ROOT / package).rglob("*.py"))
    }


@pytest.mark.parametrize(
    ("line", "leans"),
    [
        ("What the tile holds.", True),
        ("Of both kinds.", True),
        ("The same for all pairs.", True),
        ("As many as there are.", True),
        ("Whereabouts of the file.", False),
        ("Assignment of pairs to people.", False),
        ("Number of pairs, positives and negatives together.", False),
    ],
)
def test_a_leaning_line_is_found(line: str, leans: bool) -> None:
    assert leaning(f'def f():\n    """{line}\n\n    More of it.\n    """\n') == [line] * leans


def test_first_lines_name_their_subject() -> None:
    found = {path: leaning(text) for path, text in modules().items()}
    assert {path: lines for path, lines in found.items() if lines and path not in TO_DO} == {}


def test_files_that_are_clean_are_not_to_do() -> None:
    clean = [path for path, text in modules().items() if not leaning(text)]
    assert TO_DO.intersection(clean) == set()
