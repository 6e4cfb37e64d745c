"""What one reference mines, or several together: in one form, for the commands that write it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mining.embeddings.store import Embeddings
from mining.errors import FusionError
from mining.miners.fused_negatives import Fused, Together, left_out, mine_together, refuse_scores
from mining.miners.negatives import mine_negatives
from mining.miners.provenance import Joined, mining_rows, origin_of
from mining.ranking.mined_pairs import Mined, refuse_nothing
from mining.ranking.rank_aggregation import METHODS, Method
from mining.ranking.ranked_pairs import Progress
from mining.ranking.rules import Rules
from mining.ranking.warnings import warnings_of
from pairsets.files.exclusions import PathPairs
from pairsets.files.score_files import quantile_columns
from pairsets.funnel import FunnelRow
from pairsets.pairset import PairSet
from pairsets.tables.leaderboard import LeftOut


@dataclass(frozen=True, eq=False)
class Hardest:
    """The pairs that the references mined.

    Attributes:
        mined: the pairs.
        references: by name, the embeddings of the models that mined them.
        together: where they are several, what they mined and what each is judged on.
    """

    mined: Mined
    references: Mapping[str, Embeddings]
    together: Together | None = None

    @property
    def warnings(self) -> list[str]:
        """A sentence on each thing to look at."""
        return warnings_of(self.mined) + (self.together.warnings if self.together else [])

    @property
    def method(self) -> Method | None:
        """How several were fused."""
        return self.together.fused.method if self.together else None

    @property
    def origin(self) -> dict[str, object]:
        """What the manifest of the set says of its references."""
        return self.origin_of(self.together.fused if self.together else None)

    def origin_of(self, fused: Fused | None) -> dict[str, object]:
        """The same of what some of the references mined together; of all where it is None."""
        names = self.references if fused is None else fused.names
        fusion = fused.content() if fused is not None and len(fused.names) > 1 else None
        return origin_of([self.references[name] for name in names], fusion)

    def left_out(self, random: PairSet, *, seed: int) -> dict[str, LeftOut]:
        """What the leave-one-out rows of a table are made of; of a single reference, nothing."""
        if self.together is None:
            return {}
        return left_out(self.together, self.references, random, seed=seed)

    @property
    def without(self) -> Mapping[str, Fused]:
        """By reference, what the others mined without it; of a single one, nothing."""
        return self.together.without if self.together else {}

    def quantiles(self, rank: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
        """Each of several references' own quantiles, `[N]` by name; of a single one, nothing.

        Args:
            rank: `[N]` of the rows of a pair set; see
                `pairsets.files.score_files.quantile_columns`.
        """
        if self.together is None or self.mined.quantiles is None:
            return {}
        return quantile_columns(self.together.fused.names, self.mined.quantiles, rank)

    def funnel(self, joined: Joined) -> list[FunnelRow]:
        """Funnel rows of mining, and of the pairs that join what was mined."""
        rows = mining_rows(self.mined, joined)
        return rows + [
            FunnelRow(
                "leave-one-out", f"negatives mined without {name}", len(fused.mined), kept=True
            )
            for name, fused in self.without.items()
        ]


def mine_hardest(
    references: Mapping[str, Embeddings],
    n: int,
    *,
    method: Method = "mean",
    rules: Rules,
    ignore: Iterable[str],
    exclude: Iterable[PathPairs],
    checkpoint: Path,
    device: str = "auto",
    each: bool = True,
    progress: Progress | None = None,
) -> Hardest:
    """The n hardest pairs of one reference, exactly as it mines alone, or of several together.

    Arguments and errors are those of `mining.mine_negatives` and `mining.mine_together`.

    Raises:
        RulesError: also where the rules let no pair through.
    """
    ignore, exclude = frozenset(ignore), list(exclude)
    together = None
    if len(references) == 1:
        (source,) = references.values()
        mined = mine_negatives(
            source,
            n,
            rules=rules,
            ignore=ignore,
            exclude=exclude,
            checkpoint=checkpoint,
            device=device,
            progress=progress,
        )
    else:
        together = mine_together(
            references,
            n,
            method=method,
            rules=rules,
            ignore=ignore,
            exclude=exclude,
            checkpoint=checkpoint,
            device=device,
            each=each,
            progress=progress,
        )
        mined = together.fused.mined
    refuse_nothing(mined)
    return Hardest(mined, references, together)


def refuse_for_several(count: int, method: str, rules: Rules) -> None:
    """Raise unless `count` references can mine together: told before the work.

    Raises:
        FusionError: no reference, or no such method.
        RulesError: rules about the scores of one model.
    """
    if not count:
        raise FusionError("no reference to mine with; expected one or more")
    if method not in METHODS:
        raise FusionError(f"fusion by {method!r}; expected one of {', '.join(METHODS)}")
    if count > 1:
        refuse_scores(rules)


def refuse_twice(names: Sequence[str], fingerprints: Sequence[str] = ()) -> None:
    """Raise FusionError where two references are one model, by name or by fingerprint.

    Such a model would be judged on pairs that it picked itself.
    """
    for at, name in enumerate(names):
        if name in names[:at]:
            raise FusionError(f"reference {name} is given twice; name different models")
    for at, fingerprint in enumerate(fingerprints):
        if fingerprint in fingerprints[:at]:
            other = names[fingerprints.index(fingerprint)]
            raise FusionError(
                f"references {other} and {names[at]} are one model: their fingerprints are equal; "
                "name different models"
            )
