"""The public names of lookalikes in one place: `import lookalikes`, `python -m lookalikes`.

What the packages `mining`, `pairsets` and `indexes` offer, each name under one roof. A name is
imported when it is first used, so that `import lookalikes` costs nothing and brings in no torch, no
FAISS and no pandas.

    import lookalikes

    faces = lookalikes.Faces.scan("faces")
    pairs = lookalikes.random_pairs(faces, seed=0)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from indexes import (
        AllPairs,
        ApproximateIndex,
        BottomPairs,
        FlatIndex,
        Index,
        IndexesError,
        LabelledPairs,
        Neighbours,
        PairsBetween,
        TopPairs,
        TwoSets,
        pair_scores,
        top_pairs,
    )
    from mining import (
        Embeddings,
        Rules,
        ScoreSources,
        TrainingConfig,
        adversarial_pairs,
        audit,
        build,
        choose_threshold,
        compare_models,
        embed,
        explain,
        identify,
        load_model,
        mine_negatives,
        mine_positives,
        mine_together,
        score_pairs,
        take_census,
        train,
    )
    from pairsets import (
        ByLevel,
        ByList,
        ByPattern,
        Census,
        CensusComparison,
        Comparison,
        Evaluation,
        Exclusions,
        Faces,
        FacesError,
        Hubness,
        HumanRates,
        Identification,
        IdentificationComparison,
        IdentificationTargets,
        Interval,
        IntervalOptions,
        Leaderboard,
        PairSet,
        PairSetError,
        PairsetsError,
        Rate,
        ScoresError,
        Threshold,
        compare,
        compare_census,
        evaluate,
        human_rates,
        random_pairs,
        read_ignore_list,
    )

    __version__: str
    """Version of the installed distribution."""

# The package of each name. No two packages may offer one name: a test holds them to it, so that no
# name here ever means the one or the other by the order of a list.
_HOMES = {
    "AllPairs": "indexes",
    "ApproximateIndex": "indexes",
    "BottomPairs": "indexes",
    "ByLevel": "pairsets",
    "ByList": "pairsets",
    "ByPattern": "pairsets",
    "Census": "pairsets",
    "CensusComparison": "pairsets",
    "Comparison": "pairsets",
    "Embeddings": "mining",
    "Evaluation": "pairsets",
    "Exclusions": "pairsets",
    "Faces": "pairsets",
    "FacesError": "pairsets",
    "FlatIndex": "indexes",
    "Hubness": "pairsets",
    "HumanRates": "pairsets",
    "Identification": "pairsets",
    "IdentificationComparison": "pairsets",
    "IdentificationTargets": "pairsets",
    "Index": "indexes",
    "IndexesError": "indexes",
    "Interval": "pairsets",
    "IntervalOptions": "pairsets",
    "LabelledPairs": "indexes",
    "Leaderboard": "pairsets",
    "Neighbours": "indexes",
    "PairSet": "pairsets",
    "PairSetError": "pairsets",
    "PairsBetween": "indexes",
    "PairsetsError": "pairsets",
    "Rate": "pairsets",
    "Rules": "mining",
    "ScoreSources": "mining",
    "ScoresError": "pairsets",
    "Threshold": "pairsets",
    "TopPairs": "indexes",
    "TrainingConfig": "mining",
    "TwoSets": "indexes",
    "adversarial_pairs": "mining",
    "audit": "mining",
    "build": "mining",
    "choose_threshold": "mining",
    "compare": "pairsets",
    "compare_census": "pairsets",
    "compare_models": "mining",
    "embed": "mining",
    "evaluate": "pairsets",
    "explain": "mining",
    "human_rates": "pairsets",
    "identify": "mining",
    "load_model": "mining",
    "mine_negatives": "mining",
    "mine_positives": "mining",
    "mine_together": "mining",
    "pair_scores": "indexes",
    "random_pairs": "pairsets",
    "read_ignore_list": "pairsets",
    "score_pairs": "mining",
    "take_census": "mining",
    "top_pairs": "indexes",
    "train": "mining",
}

__all__ = [
    "AllPairs",
    "ApproximateIndex",
    "BottomPairs",
    "ByLevel",
    "ByList",
    "ByPattern",
    "Census",
    "CensusComparison",
    "Comparison",
    "Embeddings",
    "Evaluation",
    "Exclusions",
    "Faces",
    "FacesError",
    "FlatIndex",
    "Hubness",
    "HumanRates",
    "Identification",
    "IdentificationComparison",
    "IdentificationTargets",
    "Index",
    "IndexesError",
    "Interval",
    "IntervalOptions",
    "LabelledPairs",
    "Leaderboard",
    "Neighbours",
    "PairSet",
    "PairSetError",
    "PairsBetween",
    "PairsetsError",
    "Rate",
    "Rules",
    "ScoreSources",
    "ScoresError",
    "Threshold",
    "TopPairs",
    "TrainingConfig",
    "TwoSets",
    "__version__",
    "adversarial_pairs",
    "audit",
    "build",
    "choose_threshold",
    "compare",
    "compare_census",
    "compare_models",
    "embed",
    "evaluate",
    "explain",
    "human_rates",
    "identify",
    "load_model",
    "mine_negatives",
    "mine_positives",
    "mine_together",
    "pair_scores",
    "random_pairs",
    "read_ignore_list",
    "score_pairs",
    "take_census",
    "top_pairs",
    "train",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("lookalikes")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value  # found without this function from now on
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


if __name__ == "__main__":
    from mining.cli import main

    main()
