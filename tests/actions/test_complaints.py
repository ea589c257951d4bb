"""
Tests for L{smartproxy_tw.actions.complaints}.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Thread
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.actions.complaints import WHOLE, Complaints, ErrorStream
from smartproxy_tw.plane.minute import PERIOD


class Reactor(Clock):
    """
    One that is told from other threads, and does what it was told when it has its turn.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.waiting: list[Callable[[], object]] = []

    def callFromThread(self, call: Callable[[], object]) -> None:
        """
        From a thread.
        """
        self.waiting.append(call)

    def turns(self) -> None:
        """
        Do it.
        """
        waiting, self.waiting = self.waiting, []
        for call in waiting:
            call()


class ComplaintsTests(SynchronousTestCase):
    """
    L{Complaints}.
    """

    def setUp(self) -> None:
        self.reactor = Reactor()
        self.complaints = Complaints(self.reactor, "shop:application")
        self.told: list[str | None] = []
        self.events: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(self.see)
        self.addCleanup(globalLogPublisher.removeObserver, self.see)

    def see(self, event: dict[str, Any]) -> None:
        """
        What the log has of the application.
        """
        if event.get("name") == "shop:application":
            self.events.append(event)
            self.told.append(formatEvent(event))

    def floods(self, count: int) -> None:
        """
        So many lines, the last of them "line N".
        """
        for number in range(1, count + 1):
            self.complaints.add(f"line {number}")
        self.reactor.turns()

    def passes(self) -> None:
        """
        A minute.
        """
        self.reactor.advance(PERIOD)

    def test_few(self) -> None:
        """
        Lines are told as they are, at once, and there is nothing more to say when the minute ends.
        """
        self.floods(WHOLE)
        self.assertEqual(self.told, [f"line {number}" for number in range(1, WHOLE + 1)])
        self.passes()
        self.assertEqual(len(self.told), WHOLE)
        self.assertEqual({event["log_level"].name for event in self.events}, {"error"})

    def test_braces(self) -> None:
        """
        What is written is no format.
        """
        self.complaints.add("{'a': 1} {0} {")
        self.assertEqual(self.told, ["{'a': 1} {0} {"])

    def test_flood(self) -> None:
        """
        Of a flood the number is told every minute, and the last line; then lines are told again.
        """
        self.floods(WHOLE + 10_000)
        self.assertEqual(len(self.told), WHOLE)
        self.passes()
        self.assertEqual(
            self.told[WHOLE:],
            [f"10000 more lines of shop:application within a minute, the last one: line {WHOLE + 10_000}"],
        )
        self.assertEqual((self.events[-1]["event"], self.events[-1]["more"]), ("complaints-again", 10_000))
        self.floods(WHOLE + 1)
        self.passes()
        self.assertEqual(len(self.told), 2 * WHOLE + 2)
        self.assertTrue((self.told[-1] or "").startswith("1 more lines "))

    def test_idle(self) -> None:
        """
        Nothing waits for what nobody writes.
        """
        self.floods(1)
        self.passes()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_close(self) -> None:
        """
        At the end the rest is told, and nothing waits any more.
        """
        self.floods(WHOLE + 2)
        self.complaints.close()
        self.assertEqual(len(self.told), WHOLE + 1)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.complaints.close()
        self.assertEqual(len(self.told), WHOLE + 1)

    def test_afterwards(self) -> None:
        """
        What is written after the end is told, and can be ended too.
        """
        self.complaints.close()
        self.floods(WHOLE + 2)
        self.complaints.close()
        self.assertEqual(len(self.told), WHOLE + 1)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_endBefore(self) -> None:
        """
        A minute that is over before it has begun does not begin.
        """
        self.complaints.add("a")
        self.complaints.close()
        self.reactor.turns()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_threads(self) -> None:
        """
        However many threads write at once, each line is told or counted, and there is one minute.
        """
        threads = [Thread(target=self.writes, args=(WHOLE,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.reactor.turns()
        self.assertEqual(len(self.reactor.getDelayedCalls()), 1)
        self.passes()
        self.assertEqual(len(self.told), WHOLE + 1)
        self.assertEqual(self.events[-1]["more"], 7 * WHOLE)

    def writes(self, count: int) -> None:
        """
        In a thread.
        """
        for _ in range(count):
            self.complaints.add("a")


class ErrorStreamTests(SynchronousTestCase):
    """
    L{ErrorStream}.
    """

    def setUp(self) -> None:
        self.lines: list[str] = []
        complaints = Complaints(Reactor(), "shop:application")
        self.patch(complaints, "add", self.lines.append)
        self.stream: Any = ErrorStream(complaints)

    def test_lines(self) -> None:
        """
        Each line is told by itself, and empty ones are not.
        """
        self.stream.write("one\n\ntwo\r\nthree\x0bfour\n")
        self.stream.writelines(["five\n", "si", "x\n"])
        self.assertEqual(self.lines, ["one", "two", "three", "four", "five", "six"])

    def test_everySplit(self) -> None:
        """
        However a text is cut it is the same lines.
        """
        text = "one\r\n\ntwo 2\nthree"
        for cut in range(len(text) + 1):
            self.lines.clear()
            self.stream.write(text[:cut])
            self.stream.write(text[cut:])
            self.stream.flush()
            self.assertEqual(self.lines, ["one", "two 2", "three"], cut)
        self.lines.clear()
        for each in text:
            self.stream.write(each)
        self.stream.flush()
        self.assertEqual(self.lines, ["one", "two 2", "three"])

    def test_print(self) -> None:
        """
        What C{print} writes in pieces is one line.
        """
        print("a", 1, ["b"], file=self.stream)
        self.assertEqual(self.lines, ["a 1 ['b']"])

    def test_flush(self) -> None:
        """
        What is flushed is told although its line has not ended, and told once.
        """
        self.stream.write("half")
        self.assertEqual(self.lines, [])
        self.stream.flush()
        self.stream.flush()
        self.assertEqual(self.lines, ["half"])

    def test_logging(self) -> None:
        """
        A handler of C{logging} can write to it, tracebacks too.
        """
        logger = logging.Logger("shop")
        logger.addHandler(logging.StreamHandler(self.stream))
        try:
            raise RuntimeError("a bug")
        except RuntimeError:
            logger.exception("It failed")
        self.assertEqual(self.lines[:2], ["It failed", "Traceback (most recent call last):"])
        self.assertEqual(self.lines[-1], "RuntimeError: a bug")
