"""File of a threshold: `lookalikes threshold` writes it, and `evaluate` judges pairs by it."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pairsets.errors import ScoresError
from pairsets.storage.json_files import is_number, read_object
from pairsets.storage.publication import settle

SCHEMA, KIND = 1, "threshold"
ACCEPTS = {False: "score >= threshold", True: "distance <= threshold"}
_WHAT = "a threshold, as `lookalikes threshold` writes it"


@dataclass(frozen=True)
class ThresholdFile:
    """A threshold that was set elsewhere, and for which model.

    Attributes:
        path: of the file.
        threshold: of scores, higher being more alike; minus that of distances.
        distance: whether the model's scores are distances.
        model: its name.
        fingerprint: of the model; empty where its scores came from a file.
    """

    path: Path
    threshold: float
    distance: bool
    model: str
    fingerprint: str = ""

    @classmethod
    def read(cls, path: str | Path) -> ThresholdFile:
        """Read a file of a threshold.

        Raises:
            ScoresError: no such file, or something else; the message says what.
        """
        path = Path(path)
        settle(path)
        if path.is_dir():
            raise ScoresError(f"{path}: a folder; expected {_WHAT}, as {path / 'threshold.json'}")
        try:
            found = read_object(path, _WHAT, error=ScoresError)
        except FileNotFoundError:
            raise ScoresError(f"{path}: no such file; expected {_WHAT}") from None
        if found.content.get("kind") != KIND:
            found.refuse("kind", f"{KIND!r}, {_WHAT}")
        if found.count("schema") != SCHEMA:
            found.refuse("schema", f"{SCHEMA}; made by another version of lookalikes?")
        value = found.content.get("threshold")
        if not is_number(value) or not math.isfinite(value):
            found.refuse("threshold", "a number")
        accepts = found.text("accepts")
        if accepts not in ACCEPTS.values():
            found.refuse("accepts", " or ".join(map(repr, ACCEPTS.values())))
        distance = accepts == ACCEPTS[True]
        fingerprint = found.text("fingerprint") if "fingerprint" in found else ""
        # Nought without a sign.
        score = 0.0 - value if distance else float(value)
        return cls(path, score, distance, found.text("model"), fingerprint)

    def model_among(
        self,
        models: Collection[str],
        fingerprints: Mapping[str, str],
        distances: Collection[str],
    ) -> str:
        """The name that its model has among some.

        Args:
            models: their names.
            fingerprints: of those whose vectors are at hand.
            distances: those whose scores are distances.

        Raises:
            ScoresError: the model is not there, is another of that name, or its scores are of the
                other kind.
        """
        same = [name for name, one in fingerprints.items() if one and one == self.fingerprint]
        name = same[0] if same else self.model
        if name not in models:
            raise ScoresError(
                f"{self.path}: the threshold of {self.model}, which is not among the models here "
                f"({', '.join(models) or 'none'}); a score file is named with NAME=FILE"
            )
        if not same and self.fingerprint and fingerprints.get(name):
            raise ScoresError(
                f"{self.path}: the threshold of {self.model} {self.fingerprint}; the vectors here "
                f"are of {name} {fingerprints[name]}: another checkpoint, or other steps; set the "
                "threshold again"
            )
        if self.distance != (name in distances):
            kinds = [ACCEPTS[self.distance], ACCEPTS[not self.distance]]
            raise ScoresError(
                f"{self.path}: {kinds[0]!r}, where the scores of {name} here ask for {kinds[1]!r}; "
                "are they distances? Say so with --distance, or leave it out"
            )
        return name


def carried_from(
    files: Sequence[Path],
    models: Collection[str],
    fingerprints: Mapping[str, str],
    distances: Collection[str],
) -> dict[str, tuple[float, str]]:
    """The threshold of each file by the model's name here, and the name of the file.

    Raises:
        ScoresError: as `ThresholdFile.read` and `ThresholdFile.model_among`; two of one model.
    """
    found: dict[str, tuple[float, str]] = {}
    for path in files:
        one = ThresholdFile.read(path)
        name = one.model_among(models, fingerprints, distances)
        if name in found:
            raise ScoresError(f"{path}: a second threshold of {name}, beside {found[name][1]}")
        found[name] = (one.threshold, str(path))
    return found
