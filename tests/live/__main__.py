"""
Runs the live tests, two at a time, since most of what they do is to wait for others; and
afterwards, with nothing beside them, those that hold the processor to something, or all that is to
be done to some seconds::

    python -m tests.live [TEST ...]

With tests named only these are run, two at a time.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

#: What is wrong when something else is computed at the same time.
ALONE = ("tests.live.test_lag", "tests.live.test_recovery", "tests.live.test_siege")


def main(named: list[str]) -> int:
    """
    Run them.

    @param named: Which ones; all, when that is empty.
    @return: The status to exit with: 0 when all have passed.
    """
    there = [f"tests.live.{each.stem}" for each in sorted(Path(__file__).parent.glob("test_*.py"))]
    beside = [each for each in there if each not in ALONE]
    runs = [["--jobs", "2", *named]] if named else [["--jobs", "2", *beside], [*ALONE]]
    # Each of them runs, however the one before ended.
    found = [
        subprocess.run([sys.executable, "-m", "twisted.trial", *each], check=False).returncode
        for each in runs
    ]
    return 1 if any(found) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
