"""The pairs of the other label that join what is mined within folds: as many in each fold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from pairsets.errors import PairSetError
from pairsets.faces import Faces, some_of
from pairsets.files.identity_folds import IdentityFolds
from pairsets.funnel import FunnelRow
from pairsets.pairset import PairSet
from pairsets.random_set import PairSpace, random_pairs

KINDS = ("pairs of different identities", "pairs of one identity")


@dataclass(frozen=True, eq=False)
class Shares:
    """Shares of the folds: how many pairs each gets, and which join them.

    Attributes:
        folds: of the identities.
        faces: all faces.
        label: of the pairs that are mined.
        each: how many of them are mined within a fold.
        joined: by fold, the pairs of the other label that join them; equally many.
        funnel: rows of pairs that were given to join them, and do not.
        warnings: a sentence on each thing to look at.
        drawn: the joined pairs were drawn at random, and not given.
    """

    folds: IdentityFolds
    faces: Faces
    label: int
    each: int
    joined: Sequence[PairSet]
    funnel: Sequence[FunnelRow] = ()
    warnings: Sequence[str] = ()
    drawn: bool = False

    @classmethod
    def of(
        cls,
        faces: Faces,
        folds: IdentityFolds,
        pairs: int,
        asked: int | None,
        *,
        mined: int,
        test: PairSet | None = None,
        ignore: Iterable[str] = (),
        seed: int = 0,
    ) -> Shares:
        """Equal shares of so many pairs, and the pairs that join them.

        Args:
            faces: all faces.
            folds: of their identities.
            pairs: how many are to be mined in all; what does not divide is left out.
            asked: how many are to join them in all; by default as many.
            mined: the label of the mined pairs.
            test: the pairs that join them; else they are random.
            ignore: base names of images that are neither mined nor drawn.
            seed: of what is left to chance.

        Raises:
            PairSetError: a fold has too few pairs of a kind, or gets none.
        """
        count, ignore, warnings = len(folds), frozenset(ignore), []
        each = pairs // count
        if not each:
            raise PairSetError(f"{pairs:,} pairs for {count} folds; expected one or more in each")
        wanted = [each, each]
        if test is not None:
            wanted[1 - mined] = 0
        elif asked is not None:
            wanted[1 - mined] = asked // count
            if asked and not wanted[1 - mined]:
                raise PairSetError(
                    f"{asked:,} {KINDS[1 - mined]} for {count} folds; expected one or more in each"
                )
        _refuse_too_few(faces, folds, ignore, wanted)
        for total, kind in ((pairs, mined), (asked or 0, 1 - mined)):
            if total % count:
                warnings.append(
                    f"{total:,} {KINDS[kind]} do not divide by {count} folds: each has "
                    f"{total // count:,}, all {total // count * count:,}."
                )
        funnel: list[FunnelRow] = []
        if test is not None:
            joined, funnel = _joined_from(test, folds, each, 1 - mined, seed)
        else:
            joined = _drawn(faces, folds, wanted[1 - mined], 1 - mined, ignore, seed)
        if len(joined[0]) != each:
            warnings.append(
                f"Each fold has {each:,} {KINDS[mined]} and {len(joined[0]):,} {KINDS[1 - mined]}; "
                "LFW's and SLLFW's form needs as many of both."
            )
        if folds.unknown:
            warnings.append(
                f"No face has {folds.unknown:,} of the identities in the file of folds."
            )
        return cls(folds, faces, mined, each, joined, funnel, warnings, drawn=test is None)

    def content(self) -> dict[str, object]:
        """Parameters of a manifest that tell of the folds."""
        return {"count": len(self.folds), "mined": self.each, "joined": len(self.joined[0])}


def _refuse_too_few(
    faces: Faces, folds: IdentityFolds, ignore: Iterable[str], wanted: Sequence[int]
) -> None:
    """Raise PairSetError unless each fold has enough pairs: told before the work.

    Args:
        faces: all faces.
        folds: of their identities.
        ignore: base names of images that do not count.
        wanted: how many pairs of different identities a fold needs, and how many of one.
    """
    number = folds.of(faces.identities)
    least: list[tuple[int, int]] = []
    spaces = [
        PairSpace.of(some_of(faces, number == fold), ignore) for fold in range(1, len(folds) + 1)
    ]
    for label, kind in enumerate(KINDS):
        counts = [space.count_positives if label else space.count_negatives for space in spaces]
        least.append((min(counts), int(np.argmin(counts)) + 1))
        if least[label][0] < wanted[label]:
            count, fold = least[label]
            raise PairSetError(
                f"fold {fold} of {len(folds)}: its {folds.sizes[fold - 1]:,} identities have "
                f"{count:,} {kind}, and every fold needs {wanted[label]:,}; ask for fewer pairs "
                f"(at most {count * len(folds):,}) or fewer folds"
            )


def _drawn(
    faces: Faces,
    folds: IdentityFolds,
    each: int,
    label: int,
    ignore: Iterable[str],
    seed: int,
) -> list[PairSet]:
    """So many random pairs of the label from the faces of each fold, by fold.

    Raises:
        PairSetError: a fold has fewer.
    """
    number = folds.of(faces.identities)
    found = []
    for fold in range(1, len(folds) + 1):
        counts = {"positives": each if label else 0, "negatives": 0 if label else each}
        # A stream of its own: folds of one form would else have alike pairs.
        own = int(np.random.SeedSequence([seed, fold]).generate_state(1)[0])
        found.append(
            random_pairs(some_of(faces, number == fold), seed=own, ignore=ignore, **counts)
        )
    return found


def _joined_from(
    test: PairSet,
    folds: IdentityFolds,
    most: int,
    label: int,
    seed: int,
) -> tuple[list[PairSet], list[FunnelRow]]:
    """Valid pairs of a set that lie within one fold, equally many of each, by fold.

    As many as the fold with fewest has, and at most `most`; by lot where there are more.

    Returns:
        The pairs, and funnel rows of those left out.

    Raises:
        PairSetError: a fold has none.
    """
    rows = np.flatnonzero(test.valid & (test.label == label))
    a, b = (folds.of(names[rows]) for names in (test.identity_a, test.identity_b))
    usable = (a == b) & (a > 0)
    counts = np.bincount(a[usable], minlength=len(folds) + 1)[1:]
    if not counts.min():
        raise PairSetError(
            f"fold {int(counts.argmin()) + 1} of {len(folds)} has none of the {rows.size:,} "
            f"{KINDS[label]} that were given; give more, or ask for fewer folds"
        )
    each = min(most, int(counts.min()))
    generator = np.random.default_rng(seed)
    found = []
    for fold in range(1, len(folds) + 1):
        mine = rows[usable & (a == fold)]
        found.append(test.take(np.sort(generator.permutation(mine)[:each])))
    stage = ("negatives", "positives")[label]
    lost = {
        "marked invalid in the test pairs": int((~test.valid & (test.label == label)).sum()),
        "with an identity in no fold": int(((a == 0) | (b == 0)).sum()),
        "with identities of two folds": int(((a != b) & (a > 0) & (b > 0)).sum()),
        "more than the fold with fewest has": int(counts.sum()) - each * len(folds),
    }
    return found, [FunnelRow(stage, what, count) for what, count in lost.items() if count]
