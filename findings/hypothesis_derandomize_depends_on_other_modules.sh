#!/usr/bin/env bash
# Hypothesis 6.170.15: `derandomize=True` promises the same examples in every run. They are those of
# the test *and of every other module of the project that happens to be loaded*: Hypothesis takes
# constants out of all local modules in `sys.modules` for examples, and draws on from there.
#
# Expected: one test, unchanged, in one file, seeded by itself: the same examples whether it is run
#   alone or together with the rest of the suite.
# Happens: a second test file, which shares nothing with it but imports a module of the project,
#   changes them: a test that fails in the whole suite may pass alone, and the other way round.
#
# Ends with another status than 0 where that is no longer so.
set -euo pipefail
PYTHON=${PYTHON:-python3}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"$PYTHON" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check "hypothesis==6.170.15" "pytest==9.2.0"

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
