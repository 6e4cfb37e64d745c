#!/usr/bin/env bash
# Hypothesis 6.170.15: the examples of `derandomize=True` depend on which other modules are loaded.
#
# Expected: one test, unchanged, in one file, seeded by itself, sees the same examples whether it is
#   run alone or together with the rest of the suite.
# Happens: Hypothesis takes constants for examples out of all local modules in `sys.modules`, and
#   draws on from there. A second test file, which shares nothing with the first but imports a
#   module of the project, changes its examples: a test that fails in the whole suite may pass
#   alone, and the other way round.
#
# Seen with Hypothesis 6.170.15, pytest 9.2.0, Python 3.11.
# It ends with 0 where this is so, and with another status where it is no longer.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check hypothesis==6.170.15 pytest==9.2.0
mkdir tests
cat > tests/test_drawn.py <<'PY'
from pathlib import Path
from hypothesis import given, settings, strategies as st

@settings(derandomize=True, max_examples=300, database=None)
@given(st.integers())
def test_drawn(number):
    with Path("drawn.txt").open("a") as stream:
        print(number, file=stream)
PY
cat > prices.py <<'PY'
FIRST, SECOND, BOTH = 918273645, 192837465, 1111111110
PY
cat > tests/test_other.py <<'PY'
import prices

def test_other():
    assert prices.FIRST + prices.SECOND == prices.BOTH
PY

run() {  # the examples of test_drawn, when these files are run
    rm -rf drawn.txt .hypothesis
    venv/bin/python -m pytest -q -p no:cacheprovider "$@" > /dev/null
    sha256sum < drawn.txt
}

venv/bin/python -c 'import hypothesis; print("hypothesis", hypothesis.__version__)'
alone=$(run tests/test_drawn.py)
again=$(run tests/test_drawn.py)
whole=$(run tests/test_other.py tests/test_drawn.py)
seen=$(grep -cE '^-?(918273645|192837465|1111111110)$' drawn.txt || true)
echo "alone:               $alone"
echo "alone once more:     $again"
echo "beside another file: $whole"
echo "numbers of prices.py among the 300 examples: $seen"
[ "$alone" = "$again" ] && [ "$alone" != "$whole" ] && [ "$seen" -gt 0 ]
