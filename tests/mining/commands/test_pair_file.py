"""A pair file and what lies beside it: of one making, whatever lay there before."""

from __future__ import annotations

import numpy as np

from mining.commands.pair_file import files_of, write_pair_file
from pairsets import Faces, PairSet
from pairsets.files.folds import Folds
from pairsets.files.identity_folds import IdentityFolds
from pairsets.files.suspects import Doubt, Suspects

FACES = Faces.of_paths("faces", [f"{name}/{number}.png" for name in "abcd" for number in range(2)])
PAIRS = PairSet.of(["a/0.png", "c/0.png"], ["b/0.png", "d/0.png"], 0)
SCORES = {"model": np.array([0.5, 0.25])}


def test_what_an_older_pair_file_had_goes_with_it(tmp_path):
    out = tmp_path / "set.csv"
    doubt = Doubt("alias", [1.0, 0.0], [True, False], ("alike", ""))
    suspects = Suspects.of(PAIRS, [doubt])
    folds = Folds(np.array([1, 2])), IdentityFolds.drawn(FACES, 2, seed=0)
    files = write_pair_file(out, PAIRS, {}, SCORES, suspects=suspects, folds=folds)
    assert files == files_of(out, suspects=True, folds=True)
    assert {*tmp_path.iterdir()} == {*files}
    files = write_pair_file(out, PAIRS, {}, SCORES)
    assert files == files_of(out)
    assert {*tmp_path.iterdir()} == {*files}
    assert PairSet.read(out) == PAIRS
