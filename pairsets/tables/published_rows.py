"""The rows published with ZACI-20, and the pair files that they are of."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pairsets.pairset import PairSet
from pairsets.tables.entries import Entry


@dataclass(frozen=True)
class Published:
    """A table of ZACI-20's README, and the pairs that its rates are of.

    Attributes:
        name: of the set.
        entries: the rows.
        fnr: at which the models' FPR is interpolated.
        positives, negatives: valid pairs of each kind.
        pairs_sha256: `labelled_digest` of the pair file as published.
    """

    name: str
    entries: tuple[Entry, ...]
    fnr: float
    positives: int
    negatives: int
    pairs_sha256: str

    def why_apart(self, pairs: PairSet, target_fnr: float | None = None) -> str | None:
        """A sentence where the rows cannot stand beside others on `pairs`; None where they can.

        They can on the very pairs that they are of, with the same labels and the same ones invalid,
        at the same FNR to the three digits that they are printed with.
        """
        positives, negatives = int(pairs.positives.sum()), int(pairs.negatives.sum())
        same = (positives, negatives) == (self.positives, self.negatives)
        # Counted first: the digest of ten million pairs takes its time.
        if not same or labelled_digest(pairs) != self.pairs_sha256:
            return (
                f"of other pairs: ZACI-20's {self.name} set, {self.positives:,} positive and "
                f"{self.negatives:,} negative, where these are {positives:,} and {negatives:,}; "
                "no rate of the one can be held against one of the other"
            )
        if target_fnr is not None and round(target_fnr, 3) != self.fnr:
            return (
                f"at an FNR of {100 * self.fnr:.3g} %, where these rates are at "
                f"{100 * target_fnr:.3g} %; --target-fnr {self.fnr:g} brings them together"
            )
        return None


def labelled_digest(pairs: PairSet) -> str:
    """SHA-256 of the valid pairs and their labels, whatever their order and orientation.

    Path, NUL, path, NUL, label of each, sorted by code point, the smaller path of a pair first.
    What a person said of them is left out.

    >>> one = PairSet.of(["a/1", "b/1"], ["b/1", "c/1"], [0, 0])
    >>> two = PairSet.of(["c/1", "b/1", "c/1"], ["b/1", "a/1", "a/1"], 0, invalid=[0, 0, 1])
    >>> labelled_digest(one) == labelled_digest(two)
    True
    """
    valid = pairs.take(pairs.valid)
    digest = hashlib.sha256()
    for (a, b), label in sorted(zip(valid.keys, valid.label.tolist(), strict=True)):
        digest.update(f"{a}\0{b}\0{label}".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def published_for(name: str, pairs: PairSet) -> Published | None:
    """The table that is of these pairs, whatever the set is called; else that of its name."""
    return next(
        (one for one in PUBLISHED.values() if one.why_apart(pairs) is None), PUBLISHED.get(name)
    )


def _rows(fnr: float, rows: Sequence[tuple[str, float, float | None, str]]) -> tuple[Entry, ...]:
    return tuple(
        Entry(
            model=model,
            # A person's rate is counted; of models nothing but the interpolated rate is known.
            fpr=fpr / 100 if eer is None else None,
            fnr=fnr,
            eer=None if eer is None else eer / 100,
            note=f"published; {note}",
            published=True,
            human=eer is None,
            fpr_interpolated=fpr / 100,
        )
        for model, fpr, eer, note in rows
    )


# Tables 1 and 2 of ZACI-20's README (March 2021), in percent; digests of the files beside it.
PUBLISHED: Mapping[str, Published] = {
    "random": Published(
        "random",
        _rows(
            0.139,
            [
                ("Human", 1.59, None, "by kosuke1701"),
                ("ResNet-152", 2.40, 8.89, "0206_resnet152, contrastive"),
                ("SE-ResNet-152", 2.43, 8.15, "0206_seresnet152, contrastive"),
                ("ResNet-152", 2.54, 8.33, "0301_cls_resnet152, contrastive + cross entropy"),
                ("ResNet-18", 2.96, 8.65, "0217_cls_resnet18, contrastive + cross entropy"),
                ("ResNet-18", 5.08, 9.59, "0206_resnet18, contrastive"),
            ],
        ),
        fnr=0.139,
        positives=855,
        negatives=944,
        pairs_sha256="e6de37c5dd5e192cb517f6a620f18b7e513a83b63957ec2cf89fda826aedb1c0",
    ),
    "adversarial": Published(
        "adversarial",
        _rows(
            0.169,
            [
                ("Human", 13.6, None, "by kosuke1701"),
                ("SE-ResNet-152", 68.9, 39.7, "0206_seresnet152, contrastive"),
                ("ViT L-16", 70.9, 39.9, "animesion"),
                ("ResNet-152", 70.9, 32.6, "0301_cls_resnet152, contrastive + cross entropy"),
                ("ResNet-18", 75.7, 34.7, "0217_cls_resnet18, contrastive + cross entropy"),
                ("ResNet-18", 94.9, 43.0, "0206_resnet18, contrastive"),
            ],
        ),
        fnr=0.169,
        positives=852,
        negatives=2991,
        pairs_sha256="00b29fada0aecc6f9e900ff42e1b2e591a6af9ad93b79028b9f52fe7c401a59c",
    ),
}
