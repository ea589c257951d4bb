"""
Tests for L{smartproxy_tw.control.duty}; with a line and a data path it is in
L{tests.control.test_supervised}.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import Config, Timeouts
from smartproxy_tw.control.duty import Duty
from smartproxy_tw.control.errors import Broken, Refused
from smartproxy_tw.control.messages import Letter
from smartproxy_tw.control.state import Adopt, Change, Install, Present, Release, UseTable, Withdraw
from smartproxy_tw.facts import HTTP01, Credential
from smartproxy_tw.testing.fakes import FakePlane, Story

CONFIG = Config((), "/x", timeouts=Timeouts(drain=20))
CHALLENGE = HTTP01("a.test", "token", "token.x")
GOOD, BAD = Credential(b"good", b"key"), Credential(b"bad", b"key")


class _Plane(FakePlane):
    """
    A data path that is never asked for a number of its port.
    """

    def release(self, port: Any) -> Deferred[None]:
        port.number = 80
        return super().release(port)


class DutyTests(SynchronousTestCase):
    """
    L{Duty}.
    """

    def setUp(self) -> None:
        self.story = Story()
        self.plane = _Plane(self.story)
        self.clock = Clock()
        self.duty = Duty(
            self.plane,
            self.clock,
            lambda: self.story.tell("done"),
            ready=lambda: self.story.tell("ready"),
            ending=lambda seconds: self.story.tell(f"ends within {seconds:g} s"),
        )
        self.transport = StringTransport()
        self.duty.makeConnection(self.transport)

    def tell(self, *changes: Change, port: int | None = None, isWhole: bool = False) -> Deferred[Any]:
        """
        A letter arrives.
        """
        with Letter(changes) as letter:
            told = self.duty.tell(
                letter.arguments.get("letter"), letter.arguments.get("memory"), port, isWhole
            )
            # A slice is as long as it is by the time of a machine that others are at, too.
            self.clock.advance(0)
            return told

    def socket(self) -> int:
        """
        The descriptor of a listening socket that was handed over.
        """
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.listening.close)
        return self.listening.dup().detach()

    def isClosed(self) -> bool:
        """
        Whether nobody but the test has that socket.
        """
        address = self.listening.getsockname()
        self.listening.close()
        try:
            socket.create_connection(address, timeout=60).close()
        except ConnectionRefusedError:
            return True
        return False

    def test_everyChange(self) -> None:
        """
        Each change is done, in its order.
        """
        self.successResultOf(
            self.tell(UseTable(CONFIG), Install("a", GOOD), Present(CHALLENGE), isWhole=True)
        )
        self.successResultOf(self.tell(Adopt(7, 80), port=self.socket()))
        self.successResultOf(self.tell(Withdraw(CHALLENGE)))
        self.successResultOf(self.tell(Release(8)))
        self.successResultOf(self.tell(Release(7)))
        self.assertEqual(
            self.story.lines,
            [
                *("routed", "installed a", "presented http-01 a.test", "ready", "adopted 80"),
                *("withdrew http-01 a.test", "released 80"),
            ],
        )
        self.assertTrue(self.isClosed())

    def test_inOrder(self) -> None:
        """
        What comes later waits, however long something takes.
        """
        self.plane.holds("useTable")
        first, second = self.tell(UseTable(CONFIG)), self.tell(Install("a", GOOD))
        self.assertNoResult(second)
        self.assertEqual(self.story.lines, [])
        self.plane.finishes("useTable")
        self.successResultOf(first)
        self.successResultOf(second)
        self.assertEqual(self.story.lines, ["routed", "installed a"])

    def test_refused(self) -> None:
        """
        What cannot be used is answered with the reason; the next thing is done.
        """
        self.plane.rejects(BAD, "the key is for another certificate")
        why = self.failureResultOf(self.tell(Install("a", BAD)), Refused)
        self.assertEqual(str(why.value), "the key is for another certificate")
        self.successResultOf(self.tell(Install("a", GOOD)))

    def test_defect(self) -> None:
        """
        A defect is logged where it is, told, and does not end the worker.
        """
        self.plane.breaks("install", KeyError("x"))
        why = self.failureResultOf(self.tell(Install("a", GOOD)), Broken)
        self.assertIn("KeyError", str(why.value))
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)
        self.plane.mends("install")
        self.successResultOf(self.tell(Install("a", GOOD)))

    def test_unfit(self) -> None:
        """
        Who cannot take up everything accepts nothing.
        """
        self.plane.rejects(BAD, "no")
        self.failureResultOf(self.tell(UseTable(CONFIG), Install("a", BAD), isWhole=True), Refused)
        self.failureResultOf(self.tell(Adopt(1, 80), port=self.socket()), Broken)
        self.assertFalse(self.story.has("adopted"))
        self.assertFalse(self.story.has("ready"))

    def test_lostLine(self) -> None:
        """
        Without a supervisor it lets go of the ports, drains as the table says, and
        is done.
        """
        self.successResultOf(self.tell(UseTable(CONFIG), isWhole=True))
        self.successResultOf(self.tell(Adopt(1, 80), port=self.socket()))
        self.plane.holds("drain")
        self.duty.connectionLost()
        self.assertTrue(self.isClosed())
        self.assertEqual(self.story.lines[-1], "ends within 20 s")
        self.plane.finishes("drain")
        self.assertEqual(self.story.lines[-2:], ["drained within 20 s", "done"])

    def test_leaves(self) -> None:
        """
        Asked by somebody else to end, it accepts nothing more before it says so,
        and ends the line when all is finished; asked twice, once.
        """
        self.successResultOf(self.tell(UseTable(CONFIG), isWhole=True))
        self.successResultOf(self.tell(Adopt(1, 80), port=self.socket()))
        self.plane.holds("drain")
        self.duty.leave()
        self.duty.leave()
        self.assertTrue(self.isClosed())
        self.assertEqual(self.transport.value().count(b"Leaving"), 1)
        self.assertFalse(self.transport.disconnecting)
        self.successResultOf(self.tell(Adopt(2, 81), port=self.socket()))
        self.assertTrue(self.isClosed())
        self.plane.finishes("drain")
        self.assertTrue(self.transport.disconnecting)
        self.assertEqual(self.transport.value().count(b"Report"), 1)
        self.assertFalse(self.story.has("done"))
        self.duty.connectionLost()
        self.assertEqual(self.story.lines.count("done"), 1)

    def test_drained(self) -> None:
        """
        The supervisor ends it: it tells how many were cut, and is done when the
        line ends.
        """
        self.assertEqual(self.successResultOf(self.duty.finish(3.0, 3.0)), {"cut": 0})
        self.assertEqual(self.story.lines, ["drained within 3 s, streams within 3 s"])
        self.assertEqual(self.successResultOf(self.duty.finish(3.0, 3.0)), {"cut": 0})
        self.duty.connectionLost()
        self.assertEqual(self.story.lines, ["drained within 3 s, streams within 3 s", "done"])

    def test_count(self) -> None:
        """
        It counts.
        """
        self.assertEqual(self.successResultOf(self.duty.count()), {"tally": b"{}", "isMore": False})
        self.assertEqual(self.successResultOf(self.duty.tellRecent()), {"keys": b""})
