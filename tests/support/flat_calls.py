"""Commands called with all their options side by side, as on the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from functools import partial, wraps
from typing import Any

from mining.commands import build as builder
from mining.commands import compare, evaluate, export_scores, power
from mining.commands import mine as miner
from mining.commands import neighbours as impostors
from mining.commands import select as selection
from mining.commands.build_report import TableOptions
from mining.commands.evaluate import ProtocolOptions
from mining.commands.export_scores import About
from mining.commands.neighbours import VectorSource
from mining.commands.select import SplitOptions
from mining.commands.select_boxes import FaceLimits
from mining.miners.inputs import MiningOptions, RandomSet
from mining.scores.sources import ScoreSources
from pairsets.evaluation.interval_options import IntervalOptions
from pairsets.files.side_files import Named
from pairsets.sources.danbooru.posts import Rule

GROUPS = (
    *(MiningOptions, RandomSet, TableOptions, Rule, FaceLimits, SplitOptions, VectorSource),
    *(ScoreSources, IntervalOptions, ProtocolOptions, About),
)


def flat(command: Callable[..., Any], **groups: type) -> Callable[..., Any]:
    """The command, which takes the fields of each of these groups as arguments of its own."""

    @wraps(command)
    def called(*args: Any, **options: Any) -> Any:
        for name, kind in groups.items():
            given = {one.name for one in fields(kind)} & {*options}
            options[name] = kind(**{one: options.pop(one) for one in given})
        return command(*args, **options)

    return called


build = flat(builder.build, mining=MiningOptions, random=RandomSet, tables=TableOptions)
mine_pairs = flat(miner.mine_pairs, mining=MiningOptions, random=RandomSet)
select_faces = flat(selection.select_faces, posts=Rule, limits=FaceLimits, split=SplitOptions)
show_neighbours = flat(impostors.show_neighbours, source=VectorSource)
compare_models = flat(compare.compare_models, sources=ScoreSources, intervals=IntervalOptions)
evaluate_pairs = flat(
    evaluate.evaluate_pairs,
    sources=ScoreSources,
    intervals=IntervalOptions,
    protocols=ProtocolOptions,
)


def plan(pairs, models=(), **options):
    """`models` picks some of those with scores here: it is no field of the sources."""
    command = partial(power.plan, models=models)
    command = flat(command, sources=ScoreSources, intervals=IntervalOptions)
    return command(pairs, **options)


def export(pairs, out, scores=None, embeddings=None, model=None, **options):
    """One source of each kind at most."""
    options |= {
        "scores": [] if scores is None else [Named(scores)],
        "embeddings": [] if embeddings is None else [embeddings],
        "models": [] if model is None else [model],
    }
    return flat(export_scores.export, sources=ScoreSources, about=About)(pairs, out, **options)


def side_by_side(arguments: Sequence[Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Options that a command was called with, and in place of its groups their fields."""
    found: dict[str, Any] = {}
    for group in arguments:
        found |= vars(group) if isinstance(group, GROUPS) else {}
    for name, value in options.items():
        found |= vars(value) if isinstance(value, GROUPS) else {name: value}
    return found
