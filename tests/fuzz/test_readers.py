"""No damaged file gives a traceback: each reader reads it, or refuses it by an error that names it.

`make fuzz` does the same with thousands of inputs a reader.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzz.damaging import damage
from fuzz.readers import Reader, readers

_READERS = readers()
# Fewer where each takes a tenth of a second, and of files that only some machines have.
INPUTS, FEW = 50, 5


@pytest.mark.parametrize("reader", _READERS.values(), ids=_READERS)
def test_damaged_files_are_read_or_refused(reader: Reader, tmp_path: Path) -> None:
    few = reader.slow or not reader.whole
    outcome = damage(reader, FEW if few else INPUTS, 1, tmp_path)
    assert outcome.unexpected == []
    assert outcome.canaries == []
    # What only remembers for the sake of speed does it again.
    assert outcome.refused > 0 or reader.writes
