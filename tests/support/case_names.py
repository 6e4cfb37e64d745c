"""Names of parametrised cases: short printable text, the same in every process."""

from __future__ import annotations

import re
from types import FunctionType

LONGEST = 150  # of all parameters of a case together
LONGEST_VALUE = 60
# pytest writes what cannot be printed as these escapes, a backslash of a text as two.
_UNPRINTABLE = re.compile(
    r"(?<!\\)(?:\\\\)*\\(?:[abfnrtv0]|x[01][0-9a-f]|x7f|x[89][0-9a-f]|u20(?:0[bcdef]|2[89a-e]))"
)
_ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}\b|<\w+[^>]* at |<lambda>|<function")


def name_of_value(value: object, argument: str) -> str | None:
    """The parameter's name where the value has none that can be read; None leaves it to pytest.

    Cases that would be called alike get a number behind it.

    >>> name_of_value(b"\\x1f\\x8b", "content"), name_of_value(lambda: 0, "change")
    ('content', 'change')
    >>> name_of_value("a line", "content"), name_of_value(len, "change")
    (None, None)
    """
    if isinstance(value, bytes):
        return argument
    if isinstance(value, str):
        length = len(value.encode("unicode_escape"))  # as pytest shows it
        return None if value.isprintable() and length <= LONGEST_VALUE else argument
    if isinstance(value, FunctionType) and value.__name__ == "<lambda>":
        return argument
    return None


def fault_of(name: str) -> str | None:
    """Fault in a test's name, or None.

    >>> fault_of("test_a.py::test_b[an empty file-refused]")
    >>> fault_of(r"test_a.py::test_b[\\x1f\\x8b]")
    'cannot be printed'
    >>> fault_of("test_a.py::test_b[<object object at 0x7f3a5c0d1e60>]")
    'an address'
    """
    case = name.partition("[")[2]
    if not case.isprintable() or _UNPRINTABLE.search(case):
        return "cannot be printed"
    if _ADDRESS.search(case):
        return "an address"
    return "too long" if len(case) > LONGEST else None
