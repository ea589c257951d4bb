"""
Tests for L{smartproxy_tw.control.events}.
"""

from __future__ import annotations

import json
import os
from typing import Any

from twisted.logger import Logger, LogLevel, formatEvent, formatEventAsClassicLogText
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.control.events import Lines, Outcry, Passing, WorkerDefect, tell
from smartproxy_tw.service.eventlog import jsonLine


class EventCase(SynchronousTestCase):
    """
    A pipe from a worker to its supervisor.
    """

    def setUp(self) -> None:
        self.source, self.sink = os.pipe()
        self.addCleanup(os.close, self.source)
        self.addCleanup(os.close, self.sink)
        os.set_blocking(self.source, False)
        self.passing = Passing(self.sink)
        self.log = Logger("some.module", observer=self.passing)  # type: ignore[arg-type]
        self.lines = Lines()

    def raw(self) -> bytes:
        """
        What is in the pipe.
        """
        data = b""
        while True:
            try:
                data += os.read(self.source, 65536)
            except BlockingIOError:
                return data

    def told(self) -> list[dict[str, Any]]:
        """
        What the supervisor logs.
        """
        events: list[dict[str, Any]] = []
        for line in self.lines.feed(self.raw()):
            tell(3, line, events.append)
        return events


class PassingTests(EventCase):
    """
    L{Passing} and L{tell}.
    """

    def test_whole(self) -> None:
        """
        An event keeps its text, level, namespace, time and plain fields, and gains
        the number of the worker, in either format of the log.
        """
        self.log.emit(
            LogLevel.warn,
            "Route {route}: {why!r} {share:.1f}",
            event="target-failed",
            route="a",
            why="x",
            share=0.25,
        )
        (event,) = self.told()
        self.assertEqual(formatEvent(event), "Route a: 'x' 0.2")
        self.assertEqual(event["log_level"], LogLevel.warn)
        line = json.loads(jsonLine(event))
        self.assertEqual(
            {
                name: line[name]
                for name in ("namespace", "message", "event", "route", "share", "worker", "level")
            },
            {
                "namespace": "some.module",
                "message": "Route a: 'x' 0.2",
                "event": "target-failed",
                "route": "a",
                "share": 0.25,
                "worker": 3,
                "level": "warn",
            },
        )
        text = formatEventAsClassicLogText(event)
        assert text is not None
        self.assertIn("[some.module#warn worker 3] Route a: 'x' 0.2\n", text)

    def test_failure(self) -> None:
        """
        The traceback of a defect arrives, as a failure that a log can show.
        """
        try:
            raise KeyError("what is missing")
        except KeyError:
            self.log.failure("A defect in {doer}", doer="it")
        (event,) = self.told()
        text = formatEventAsClassicLogText(event)
        assert text is not None
        self.assertIn("A defect in it", text)
        self.assertIn("Traceback", text)
        self.assertIn("what is missing", text)
        self.assertIn("what is missing", json.loads(jsonLine(event))["traceback"])
        failure: Failure = event["log_failure"]
        self.assertTrue(failure.check(WorkerDefect))

    def test_levels(self) -> None:
        """
        What is not worth telling stays where it is.
        """
        self.log.debug("nothing")
        self.assertEqual(self.told(), [])

    def test_braces(self) -> None:
        """
        What came from outside is no format here either.
        """
        self.log.info("{what}", what="{worker} {nothing!r} {}")
        self.assertEqual([formatEvent(event) for event in self.told()], ["{worker} {nothing!r} {}"])

    def test_oneLine(self) -> None:
        """
        One event is one line, whatever it has.
        """
        self.log.info("a\nb {c}", c="\n\r\x00\u2028")
        self.assertEqual(self.raw().count(b"\n"), 1)

    def test_bound(self) -> None:
        """
        No event is longer than what a pipe takes whole, and the end of a traceback
        is what remains of it.
        """

        def deep(depth: int) -> None:
            if depth == 0:
                raise ValueError("ü" * 3000 + "the end of it")
            deep(depth - 1)

        try:
            deep(60)
        except ValueError:
            self.log.failure("{a}" * 50, **dict.fromkeys("abcdefghijklmnopqrstuvwxyz", "一" * 9000))
        data = self.raw()
        self.assertLessEqual(len(data), 4096)
        events: list[dict[str, Any]] = []
        tell(1, data.rstrip(b"\n"), events.append)
        self.assertIn("the end of it", events[0]["log_failure"].getTraceback())

    def test_flood(self) -> None:
        """
        What nobody takes in is lost, nobody waits for it, and the number that was
        lost is told as soon as there is room.
        """
        for number in range(5000):
            self.log.info("event {number}", number=number)
        first = self.told()
        self.assertLess(len(first), 5000)
        self.log.info("afterwards")
        lost, after = self.told()
        self.assertEqual(lost["count"], 5000 - len(first))
        self.assertEqual(formatEvent(after), "afterwards")

    def test_nobodyThere(self) -> None:
        """
        A worker without a supervisor logs to nobody.
        """
        source, sink = os.pipe()
        self.addCleanup(os.close, sink)
        os.close(source)
        Logger("x", observer=Passing(sink)).info("nothing")  # type: ignore[arg-type]

    def test_nonsense(self) -> None:
        """
        What is no event is not believed.
        """
        events: list[dict[str, Any]] = []
        for line in (
            b"",
            b"{",
            b"[]",
            b"1",
            b'{"level": "loud"}',
            b'{"level": "info"}',
            b"\xff\xfe",
            b"null",
        ):
            tell(1, line, events.append)
        self.assertEqual(events, [])


class LinesTests(SynchronousTestCase):
    """
    L{Lines}.
    """

    def test_everySplit(self) -> None:
        """
        However it comes, the lines are the same.
        """
        data = b"one\n\ntwo and three\nfour"
        for at in range(len(data) + 1):
            lines = Lines()
            found = [*lines.feed(data[:at]), *lines.feed(data[at:])]
            self.assertEqual(found, [b"one", b"", b"two and three"])
            self.assertEqual(list(lines.end()), [b"four"])
        lines = Lines()
        found = [line for at in range(len(data)) for line in lines.feed(data[at : at + 1])]
        self.assertEqual(found, [b"one", b"", b"two and three"])

    def test_long(self) -> None:
        """
        A line without end takes no memory.
        """
        lines = Lines(10)
        for _ in range(1000):
            self.assertEqual(list(lines.feed(b"x" * 100)), [])
        self.assertEqual(list(lines.feed(b"y\nz\n")), [b"x" * 10, b"z"])


class OutcryTests(SynchronousTestCase):
    """
    L{Outcry}.
    """

    def test_told(self) -> None:
        """
        Lines are told as they end, the last one too.
        """
        outcry = Outcry()
        self.assertEqual(outcry.feed(b"Traceback\n  a"), ["Traceback"])
        self.assertEqual(outcry.feed(b"b\n"), ["  ab"])
        self.assertEqual(outcry.feed(b"ValueError: \xff"), [])
        self.assertEqual(outcry.end(), ["ValueError: \ufffd"])
        self.assertEqual(outcry.last, "ValueError: \ufffd")

    def test_flood(self) -> None:
        """
        Of a flood some is told, and that there was more.
        """
        outcry = Outcry()
        told = outcry.feed(b"x\n" * 100000)
        self.assertEqual(len(told), 51)
        self.assertEqual(told[-1], "and more, which is not told")
        self.assertEqual(outcry.feed(b"last words\n\n"), [])
        self.assertEqual(outcry.last, "last words")

    def test_silence(self) -> None:
        """
        Who said nothing has no last words.
        """
        outcry = Outcry()
        self.assertEqual((outcry.end(), outcry.last), ([], ""))
