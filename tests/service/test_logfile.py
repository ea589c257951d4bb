"""
Tests for L{smartproxy_tw.service.logfile}.
"""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.service.logfile import SharedLogFile


class SharedLogFileTests(SynchronousTestCase):
    """
    One file, and two who write it.
    """

    def test_shared(self) -> None:
        """
        Neither writes over what the other has written, after a rotation neither.
        """
        path = Path(self.mktemp())
        first = SharedLogFile.fromFullPath(str(path))
        second = SharedLogFile.fromFullPath(str(path))
        for _ in range(2):
            for each in (first, second, first, second):
                each.write("line\n")
                each.flush()
            self.assertEqual(path.read_text(), "line\n" * 4)
            first.rotate()
            second.reopen()
        first.close()
        second.close()
