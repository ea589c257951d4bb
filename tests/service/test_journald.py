"""
Tests for L{smartproxy_tw.service.journald}, with a socket in place of the journal's.
"""

from __future__ import annotations

import os
import socket
from io import StringIO
from string import ascii_uppercase, digits
from typing import Any

from hypothesis import given
from hypothesis.strategies import builds, lists, sampled_from, tuples
from twisted.logger import Logger, LogLevel
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.service.journald import Journal, datagram, isJournal

from ..examples import anyText, awkwardText, examples, textOf

NAMES = builds(str.__add__, sampled_from(ascii_uppercase), textOf(f"{ascii_uppercase}{digits}_", 9))
#: What a file name that is no UTF-8 becomes in a message.
LONE = sampled_from(["\udc80", "a\udcffb\n"])


def fields(entry: bytes) -> list[tuple[str, bytes]]:
    """
    An entry, as the journal reads it.
    """
    found = []
    while entry:
        line, _, rest = entry.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if equals:
            found.append((name.decode(), value))
            entry = rest
        else:
            size = int.from_bytes(rest[:8], "little")
            found.append((name.decode(), rest[8 : 8 + size]))
            assert rest[8 + size : 9 + size] == b"\n"
            entry = rest[9 + size :]
    return found


class DatagramTests(SynchronousTestCase):
    """
    L{datagram}.
    """

    @examples()
    @given(lists(tuples(NAMES, awkwardText(20) | anyText(20) | LONE), max_size=8))
    def test_anything(self, given_: list[tuple[str, str]]) -> None:
        """
        Whatever is in a value, it is read back, and none can pretend to be another.
        """
        wanted = [(name, value.encode("utf-8", "backslashreplace")) for name, value in given_]
        self.assertEqual(fields(datagram(given_)), wanted)

    def test_bounded(self) -> None:
        """
        An entry is a datagram, and no longer than one may be.
        """
        entry = datagram((f"F{number}", "x" * 100_000) for number in range(100))
        self.assertLess(len(entry), 140_000)
        self.assertEqual({len(value) for _, value in fields(entry)}, {32768})


class JournalTests(SynchronousTestCase):
    """
    L{Journal}.
    """

    def setUp(self) -> None:
        self.file = StringIO()
        # Paths of sockets are short.
        self.path = os.path.relpath(self.mktemp())
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.socket.close)
        self.socket.bind(self.path)
        self.socket.settimeout(60)
        self.journal = Journal(self.file, self.path)
        self.addCleanup(self.journal._socket.close)
        self.log = Logger(namespace="test.room", observer=self.journal)

    def heard(self) -> dict[str, str]:
        """
        The next entry.
        """
        return {name: value.decode() for name, value in fields(self.socket.recv(1 << 20))}

    def test_event(self) -> None:
        """
        An event has its message, its priority, and its facts by their names.
        """
        more: dict[str, Any] = {"odd-name": "x\ny"}
        self.log.emit(LogLevel.warn, "Worker {worker} died", event="worker-died", worker=2, pid=None, **more)
        self.assertEqual(
            self.heard(),
            {
                "MESSAGE": "Worker 2 died",
                "PRIORITY": "4",
                "SYSLOG_IDENTIFIER": "smartproxy",
                "SMARTPROXY_NAMESPACE": "test.room",
                "SMARTPROXY_EVENT": "worker-died",
                "SMARTPROXY_WORKER": "2",
                "SMARTPROXY_ODD_NAME": "x\ny",
            },
        )
        self.assertEqual(self.file.getvalue(), "")

    def test_levels(self) -> None:
        """
        Each level has its priority.
        """
        for level, priority in (
            (LogLevel.critical, "2"),
            (LogLevel.error, "3"),
            (LogLevel.info, "6"),
            (LogLevel.debug, "7"),
        ):
            self.log.emit(level, "x")
            self.assertEqual(self.heard()["PRIORITY"], priority)

    def test_failure(self) -> None:
        """
        A failure is told with where it came from.
        """
        try:
            raise RuntimeError("a bug")
        except RuntimeError:
            self.log.failure("A defect")
        heard = self.heard()
        self.assertTrue(heard["MESSAGE"].startswith("A defect\nTraceback"))
        self.assertIn("RuntimeError: a bug", heard["MESSAGE"])
        self.assertEqual(heard["PRIORITY"], "2")

    def test_slow(self) -> None:
        """
        A journal that takes nothing holds nobody up; what was lost is told when it
        takes something again.
        """
        for number in range(5000):
            self.log.info("event {number}", number=number)
        heard = 0
        self.socket.setblocking(False)
        try:
            while True:
                self.socket.recv(1 << 20)
                heard += 1
        except BlockingIOError:
            pass
        self.assertTrue(0 < heard < 5000)
        self.log.info("and on")
        lost = self.heard()
        self.assertEqual(lost["MESSAGE"], f"{5000 - heard} events are lost: the journal took them too slowly")
        self.assertEqual(self.heard()["MESSAGE"], "and on")

    def test_away(self) -> None:
        """
        Without a journal lines go where they would have gone, with their priorities.
        """
        os.unlink(self.path)
        self.log.error("one\ntwo")
        first, second = self.file.getvalue().splitlines()
        self.assertRegex(first, r"^<3>\d{4}-.*\[test\.room#error\] one$")
        self.assertRegex(second, r"^<3>\s+two$")

    def test_nothing(self) -> None:
        """
        An event without a message is none.
        """
        nothing: Any = {"log_level": LogLevel.info}
        self.journal(nothing)
        self.log.info("x")
        self.assertEqual(self.heard()["MESSAGE"], "x")


class DetectionTests(SynchronousTestCase):
    """
    L{isJournal}.
    """

    def test_detected(self) -> None:
        """
        It is where the environment says it is, and nowhere else.
        """
        reading, writing = os.pipe()
        self.addCleanup(os.close, writing)
        found = os.fstat(writing)
        place = {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}
        self.assertTrue(isJournal(writing, place))
        self.assertFalse(isJournal(writing, {}))
        self.assertFalse(isJournal(writing, {"JOURNAL_STREAM": "1:2"}))
        os.close(reading)
        self.assertFalse(isJournal(reading, place))
