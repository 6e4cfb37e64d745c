"""Checks that look nothing up in pictures or vectors: an audit of the faces has answered before."""

from __future__ import annotations

import numpy as np

from pairsets.errors import PairSetError
from pairsets.files.audit_kinds import OF_FACES, OF_IDENTITIES
from pairsets.files.audits import Audit
from pairsets.files.expectations import Expectation
from pairsets.files.suspects import Doubt
from pairsets.pairset import PairSet, pair_key
from pairsets.progress import Step, unheard


class AuditVerdicts:
    """Doubt of each pair by what an audit found of its two faces, or of their identities.

    Of a pair that the audit says nothing of, the score is nan: it keeps no score of what is no
    finding.

    Args:
        audit: of the folder that the pairs are made of.
        kind: that it has looked for.

    Raises:
        ValueError: the audit did not look for it.
    """

    def __init__(self, audit: Audit, kind: str) -> None:
        if kind not in audit.kinds:
            raise ValueError(f"an audit that did not look for {kind}")
        self._audit, self.kind = audit, kind

    def __call__(self, pairs: PairSet, progress: Step = unheard) -> Doubt:
        """Doubt of each pair; none of a positive where the kind is of two identities.

        Raises:
            pairsets.PairSetError: a face of the pairs was not audited.
        """
        self._audit.faces.refuse_strangers(pairs.paths, self._audit.name, None)
        score = np.full(len(pairs), np.nan)
        reasons = [""] * len(pairs)
        for row, (value, reason) in enumerate(map(self._judge, *self._columns(pairs))):
            if reason:
                score[row], reasons[row] = 1.0 if value is None else value, reason
        progress(len(pairs), len(pairs))
        return Doubt(self.kind, score, np.array([*map(bool, reasons)], bool), tuple(reasons))

    def _columns(self, pairs: PairSet) -> tuple[list[str], list[str]]:
        """The two of each pair that are looked up: faces, or identities of negatives."""
        if self.kind not in OF_IDENTITIES:
            return pairs.path_a.tolist(), pairs.path_b.tolist()
        owners = self._audit.faces.owners
        both = [
            ("", "") if label else (owners[a], owners[b])
            for a, b, label in zip(pairs.path_a, pairs.path_b, pairs.label.tolist(), strict=True)
        ]
        return [a for a, _ in both], [b for _, b in both]

    def _judge(self, a: str, b: str) -> tuple[float | None, str]:
        """Score and reason of two faces, or identities; no reason where nothing was found."""
        if self.kind not in OF_FACES:
            return self._audit.pairs[self.kind].get(pair_key(a, b), (None, ""))
        known = self._audit.single[self.kind]
        said = [(path, *known[path]) for path in sorted((a, b)) if path in known]
        if not said:
            return None, ""
        # A reason that names its face is said as it is.
        told = [why if why.startswith(f"{path}: ") else f"{path}: {why}" for path, _, why in said]
        return max(score or 0.0 for _, score, _ in said), ", ".join(told)


class MeasuredVerdicts(AuditVerdicts):
    """Checks of which the audit says how often they expect to be right."""

    @property
    def expected(self) -> Expectation:
        """Precision and recall, as the audit measured them on its faces."""
        found = self._audit.kinds[self.kind].expected
        if found is None:
            raise PairSetError(f"{self._audit.name}: {self.kind} was not measured")
        return found


def verdicts_of(audit: Audit, kind: str) -> AuditVerdicts:
    """Check of one kind by an audit, measured where the audit has measured it."""
    measured = kind in audit.kinds and audit.kinds[kind].expected is not None
    return (MeasuredVerdicts if measured else AuditVerdicts)(audit, kind)
