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
from smartproxy_tw.plane.door import Prepared
from smartproxy_tw.plane.lines import CombinedLines, JSONLines, LogfmtLines, Refused, Served, Streamed
from smartproxy_tw.wire.http1 import parseRequest

from ..examples import examples

COMBINED = re.compile(
    r"[0-9a-f.:]+ - - "
    r'\[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000\] "[^"\\]*(?:\\x[0-9a-f]{2}[^"\\]*)*" \d{3} \d+'
    r' "-" "-"\n'
)

LOGFMT = re.compile(
    r'time=5\.0 client=127\.0\.0\.1 request=([^ "=\\]+|"(?:[^"\\]|\\.)*") status=400 bytes=3\n'
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


class LogfmtTests(SynchronousTestCase):
    """
    L{LogfmtLines}.
    """

    @examples()
    @given(binary(max_size=300))
    def test_oneLine(self, data: bytes) -> None:
        """
        Whatever was refused is one line of ASCII, of names and values, and can be had
        back from it.
        """
        line = LogfmtLines().line(Refused(data, "127.0.0.1", 5.0, 400, 3), 0.0)
        self.assertTrue(line.isascii() and line[:-1].isprintable(), line)
        found = LOGFMT.fullmatch(line)
        assert found is not None, line
        said = found[1]
        self.assertEqual((json.loads(said) if said.startswith('"') else said).encode("latin-1"), data)

    def test_stream(self) -> None:
        """
        What there is not is left out.
        """
        route = Route("my route", (25,), Block(), "tcp")
        facts = ConnectionFacts(25, Address("::1", 9), None)
        self.assertEqual(
            LogfmtLines().line(Streamed(route, facts, 0.0, 1.0, 7, 8), 2.0),
            'time=3.0 client=::1 port=25 route="my route" bytes_sent=7 bytes_received=8 seconds=1.0\n',
        )

    def test_plain(self) -> None:
        """
        Only what could be taken for something else is quoted.
        """
        for text, written in (
            (b"GET", "GET"),
            (b"", '""'),
            (b"a=b", '"a=b"'),
            (b'say "x"', r'"say \"x\""'),
            (b"back\\", r'"back\\"'),
            (b"\xff", r'"\u00ff"'),
        ):
            line = LogfmtLines().line(Refused(text, "::1", 5.0, 400, 3), 0.0)
            self.assertIn(f" request={written} status=400", line)


class TraceTests(SynchronousTestCase):
    """
    Traces in lines that have facts.
    """

    def test_trace(self) -> None:
        """
        The trace of a request is told, if it has one; its target has the fields as they
        came, by default and to whomever they belong.
        """
        fields = (
            b"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\ntracestate: a=1,b=2\r\n"
        )
        for more, trace in ((fields, "4bf92f3577b34da6a3ce929d0e0e4736"), (b"", None)):
            request = parseRequest(b"GET / HTTP/1.1\r\nHost: a.test\r\n" + more + b"\r\n")
            assert request is not None
            prepared = Prepared(request, None, Block(), None, "")  # type: ignore[arg-type]
            self.assertEqual(more in prepared.head, True)
            entry = Served(prepared, "::1", 1.0, 2.0, 200, 0, 0, 1)
            self.assertEqual(json.loads(JSONLines().line(entry, 0.0)).get("trace_id"), trace)
            self.assertEqual(" trace_id=4bf9" in LogfmtLines().line(entry, 0.0), trace is not None)


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
