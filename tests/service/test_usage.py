"""
Tests for L{smartproxy_tw.service.usage}.
"""

from __future__ import annotations

import os
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.service.usage import usageOf


class UsageTests(SynchronousTestCase):
    """
    L{usageOf}.
    """

    def test_own(self) -> None:
        """
        This process uses something.
        """
        before = usageOf(os.getpid())
        with open(os.devnull, "rb"):
            used = usageOf(os.getpid())
        assert used is not None and before is not None
        self.assertEqual(used.files, before.files + 1)
        self.assertGreater(used.virtual, used.resident)
        self.assertGreater(used.resident, 1 << 20)
        self.assertGreater(used.most, used.files)
        self.assertGreaterEqual(used.cpu, before.cpu)
        self.assertEqual(used.began, before.began)

    def test_strangeName(self) -> None:
        """
        A process may have any name.
        """
        code = "import ctypes; ctypes.CDLL(None).prctl(15, b') R 1 (', 0, 0, 0); print(flush=True); input()"
        with subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None and process.stdin is not None
            process.stdout.readline()
            used = usageOf(process.pid)
            process.stdin.write(b"\n")
            process.stdin.close()
            process.stdout.close()
            process.wait()
            assert used is not None
            self.assertGreater(used.resident, 1 << 20)
            self.assertIsNone(usageOf(process.pid))
