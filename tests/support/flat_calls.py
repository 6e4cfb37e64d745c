"""Commands called with all their options side by side, as on the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import wraps
from typing import Any

from mining.commands import build as builder
from mining.commands import mine as miner
from mining.commands import neighbours as impostors
from mining.commands import select as selection
from mining.commands.build_report import TableOptions
from mining.commands.neighbours import VectorSource
from mining.commands.select import FaceLimits, SplitOptions
from mining.miners.inputs import MiningOptions, RandomSet
from pairsets.sources.danbooru.posts import Rule


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
GROUPS = (MiningOptions, RandomSet, TableOptions, Rule, FaceLimits, SplitOptions, VectorSource)


def side_by_side(options: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a command, and in place of its groups their fields."""
    found: dict[str, Any] = {}
    for name, value in options.items():
        found |= vars(value) if isinstance(value, GROUPS) else {name: value}
    return found
