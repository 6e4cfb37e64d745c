"""Asks OSV for known flaws of the packages in lock files: `python .ci/audit.py FILE...`.

Ends with 0 where none is known of any package, 1 where one is, and 2 where that could not be
found out: never as if all were well because nobody answered.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

# PyPI's own service is not asked: what it does not answer about, pip-audit passes over.
COMMAND = ("-m", "pip_audit", "--vulnerability-service", "osv", "--strict", "--disable-pip")
OPTIONS = ("--require-hashes", "--progress-spinner", "off", "--format", "json")


def told(files: list[str]) -> tuple[int, str]:
    """Status and text for these lock files."""
    named = [word for file in files for word in ("--requirement", file)]
    done = subprocess.run(
        [sys.executable, *COMMAND, *OPTIONS, *named], capture_output=True, text=True, check=False
    )
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        why = lines[-1] if lines else f"pip-audit ended with {done.returncode}"
        return 2, f"Not audited: pip-audit cannot reach or read the list of flaws ({why[:300]})"
    if passed_over := [one["name"] for one in packages if "skip_reason" in one]:
        return 2, f"Not audited: nothing could be found out about {', '.join(passed_over)}"
    flaws = [
        f"{one['name']} {one['version']}: {flaw['id']} {' '.join(flaw.get('aliases', ()))}, "
        f"mended in {', '.join(flaw.get('fix_versions', ())) or 'no version yet'}"
        for one in packages
        for flaw in one["vulns"]
    ]
    if flaws or done.returncode:
        return 1, "\n".join(flaws) or f"pip-audit ended with {done.returncode}"
    return 0, f"{len(packages)} packages, no known flaw"


def main() -> None:
    """Print what is found, and end with its status."""
    files = sys.argv[1:]
    if missing := [file for file in files if not Path(file).is_file()]:
        sys.exit(f"no such file: {', '.join(missing)}")
    status, text = told(files)
    sys.stdout.write(text + "\n")
    sys.exit(status)


if __name__ == "__main__":
    main()
