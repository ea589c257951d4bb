"""
Lines of the access log, and that nobody can forge one.
"""

from __future__ import annotations

import json
import re

from hypothesis import given
from hypothesis.strategies import binary
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import Block, Route
from smartproxy_tw.facts import Address, ConnectionFacts
from smartproxy_tw.plane.lines import CombinedLines, JSONLines, Refused, Streamed

from ..examples import examples

COMBINED = re.compile(
    r"[0-9a-f.:]+ - - "
    r'\[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000\] "[^"\\]*(?:\\x[0-9a-f]{2}[^"\\]*)*" \d{3} \d+'
    r' "-" "-"\n'
)


class CombinedTests(SynchronousTestCase):
    """
    L{CombinedLines}.
    """

    @examples()
    @given(binary(max_size=300))
    def test_escaped(self, data: bytes) -> None:
        """
        Whatever was refused is one line of printable ASCII with six parts.
        """
        line = CombinedLines().line(Refused(data, "127.0.0.1", 5.0, 400, 3), 0.0)
        self.assertTrue(line.isascii() and line[:-1].isprintable())
        self.assertIsNotNone(COMBINED.fullmatch(line), line)

    def test_stamp(self) -> None:
        """
        The time is that of the day, to the second, as it goes on.
        """
        lines = CombinedLines()
        for ended, wanted in ((0.0, "00"), (0.9, "00"), (1.0, "01"), (0.5, "00")):
            line = lines.line(Refused(b"", "::1", ended, 400, 3), 86400.0)
            self.assertIn(f"[02/Jan/1970:00:00:{wanted} +0000]", line)

    def test_stream(self) -> None:
        """
        A stream has the name that was asked for, the port and the route,
        whatever characters its name has.
        """
        route = Route('ro"ü', (25,), Block(), "tcp")
        facts = ConnectionFacts(25, Address("::1", 9), None)
        line = CombinedLines().line(Streamed(route, facts, 0.0, 1.0, 7, 8), 0.0)
        self.assertTrue(line.endswith('"STREAM -:25 ro\\x22\\xc3\\xbc" 000 8 "-" "-"\n'), line)


class JSONTests(SynchronousTestCase):
    """
    L{JSONLines}.
    """

    @examples()
    @given(binary(max_size=300))
    def test_oneLine(self, data: bytes) -> None:
        """
        Whatever was refused is one object on one line of ASCII, and can be had
        back from it.
        """
        line = JSONLines().line(Refused(data, "127.0.0.1", 5.0, 400, 3), 0.0)
        self.assertTrue(line.isascii())
        self.assertEqual(line.count("\n"), 1)
        self.assertEqual(json.loads(line)["request"].encode("latin-1"), data)
