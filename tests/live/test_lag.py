"""
How long a reload of many routes keeps the reactor from everything else.
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path

from .test_process import ProcessCase


class LagTests(ProcessCase):
    """
    A thousand routes.
    """

    def test_thousandRoutes(self) -> None:
        """
        A reload that makes each of a thousand routes another one, with another
        certificate, keeps nobody waiting for 50 ms.  (Of several the median counts: a
        processor that is shared is slower at times.)
        """
        command = [sys.executable, "-m", "tests.live.lagging", "1000", "5", str(self.directory / "state")]
        ran = self.end(command, str(Path(__file__).resolve().parents[2]))
        self.assertEqual(ran.returncode, 0, ran.stderr)
        found = json.loads(ran.stdout)
        self.assertEqual([names for _, names in found], [1000] * 5)
        self.assertLess(statistics.median(worst for worst, _ in found), 50.0, found)
