#!/usr/bin/env bash
# safetensors 0.8.0: the same tensors and metadata give another file in each process.
#
# Expected: a format that is used for reproducible weights writes the same bytes for the same content,
#   as it does for tensors, which it sorts.
# Happens: of more than one metadata entry the order in the header is drawn anew in every process, so
#   that digests of two files with the same content differ, and with them everything that is kept or
#   compared by digest. One entry, or none, gives the same bytes.
#
# Seen with safetensors 0.8.0, NumPy 2.4.6, Python 3.11.
# It ends with 0 where this is so, and with another status where it is no longer.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    safetensors==0.8.0 numpy==2.4.6
cat > "$folder/write.py" <<'PYTHON'
import hashlib
import sys

import numpy as np
from safetensors.numpy import save

entries = {f"key{number}": "value" for number in range(int(sys.argv[1]))}
tensors = {"b": np.zeros(3, np.float32), "a": np.ones(2, np.float32)}
print(hashlib.sha256(save(tensors, entries)).hexdigest()[:16])
PYTHON
for entries in 1 6; do
    for _ in 1 2 3 4 5 6 7 8; do "$folder/venv/bin/python" "$folder/write.py" "$entries"; done \
        | sort -u > "$folder/$entries.txt"
    echo "$entries metadata entries, 8 processes: $(wc -l < "$folder/$entries.txt") different files"
done
test "$(wc -l < "$folder/1.txt")" = 1
test "$(wc -l < "$folder/6.txt")" -gt 1 || { echo "the behaviour has changed" >&2; exit 1; }
