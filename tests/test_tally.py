"""
The adding up of trial's summaries that continuous integration ends with.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

CHECKOUT = Path(os.environ.get("SMARTPROXY_TW_CHECKOUT") or Path(__file__).parent.parent)

SKIPPED = """
===============================================================================
[SKIPPED]
no IPv6 on this machine

tests.live.test_a.A.test_six
===============================================================================
[SKIPPED]
pebble is not there; install it from the Debian package pebble

tests.live.test_a.A.test_one
tests.live.test_a.A.test_two
===============================================================================
[SKIPPED]
needs the Debian packages curl, wget

tests.live.test_a.A.test_three
-------------------------------------------------------------------------------
Ran 5 tests in 0.1s

PASSED (skips=4, successes=1)
"""


class TallyTests(SynchronousTestCase):
    """
    C{.ci/tally}.
    """

    def tally(self, log: str) -> tuple[list[str], int]:
        """
        What it prints for a log, and its status.
        """
        script = CHECKOUT / ".ci" / "tally"
        if not script.exists():
            raise SkipTest(f"no checkout at {CHECKOUT}")
        path = Path(self.mktemp())
        path.write_text(log)
        ran = subprocess.run(
            [sys.executable, str(script), str(path)], capture_output=True, text=True, timeout=60, check=False
        )
        self.assertEqual(ran.stderr, "")
        return ran.stdout.splitlines(), ran.returncode

    def test_several(self) -> None:
        """
        The counts of several runs are added.
        """
        log = "PASSED (successes=3)\nchatter\nPASSED (skips=1, expectedFailures=2, successes=4)\n"
        self.assertEqual(self.tally(log), (["9 passed, 0 failed, 1 skipped"], 0))

    def test_failures(self) -> None:
        """
        Failures, errors and unexpected successes are failed tests.
        """
        log = "FAILED (failures=1, errors=2, unexpectedSuccesses=1, successes=5)\nPASSED (successes=1)\n"
        self.assertEqual(self.tally(log), (["6 passed, 4 failed, 0 skipped"], 1))

    def test_nothingRan(self) -> None:
        """
        No test is a failure, whatever trial calls it.
        """
        for log in ("", "Ran 0 tests in 0.000s\n\nPASSED\n", "PASSED (skips=2)\n"):
            self.assertEqual(self.tally(log)[1], 1, log)

    def test_missingProgram(self) -> None:
        """
        Tests skipped for a missing program are failed tests, others stay skipped.
        """
        lines, status = self.tally(SKIPPED)
        self.assertEqual(lines[-1], "1 passed, 3 failed, 1 skipped")
        self.assertEqual(status, 1)
        for name in ("one", "two", "three"):
            self.assertEqual(len([line for line in lines if f"test_{name}" in line]), 1, name)

    def test_lookalikes(self) -> None:
        """
        What only resembles a summary is none.
        """
        log = (
            "PASSED (successes=1)\n PASSED (successes=9)\nFAILED open (failures=3)\nPASSED (successes=many)\n"
        )
        self.assertEqual(self.tally(log), (["1 passed, 0 failed, 0 skipped"], 0))
