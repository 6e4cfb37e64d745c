"""Options that come together: a dataclass, whose fields are options of every command that takes it.

Nothing heavy is imported.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import wraps
from inspect import Parameter, signature
from typing import Any, get_type_hints


def with_groups(command: Callable[..., None]) -> Callable[..., None]:
    """A command of typer's in which each field of a group of options is a parameter of its own.

    A group is a dataclass whose fields have typer's annotations. The parameter's default, an
    instance, says the defaults of the options, so that a command may have others than the group.

    Raises:
        TypeError: two parameters of one name, or a group without a default.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, tuple[Any, list[str]]] = {}
    flat: list[Parameter] = []
    for name, given in signature(command).parameters.items():
        kind = hints[name]
        if not is_dataclass(kind):
            flat.append(given.replace(annotation=kind, kind=Parameter.KEYWORD_ONLY))
            continue
        if given.default is Parameter.empty:
            raise TypeError(f"{command.__name__}: {name} has no default, a group with its values")
        inner = get_type_hints(kind, include_extras=True)
        names = [field.name for field in fields(kind) if field.init]
        groups[name] = (kind, names)
        flat += [
            Parameter(
                one,
                Parameter.KEYWORD_ONLY,
                default=getattr(given.default, one),
                annotation=inner[one],
            )
            for one in names
        ]
    seen = [one.name for one in flat]
    if twice := {one for one in seen if seen.count(one) > 1}:
        raise TypeError(f"{command.__name__}: {', '.join(sorted(twice))} twice")

    @wraps(command)
    def run(**values: Any) -> None:
        made = {
            name: kind(**{one: values.pop(one) for one in names})
            for name, (kind, names) in groups.items()
        }
        command(**values, **made)

    del run.__wrapped__  # else typer would look at its parameters
    run.__signature__ = signature(command).replace(parameters=flat)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in flat}
    return run
