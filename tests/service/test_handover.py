"""
Tests for L{smartproxy_tw.service.handover}.
"""

from __future__ import annotations

import contextlib
import os
import socket
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.service.errors import StartError
from smartproxy_tw.service.handover import VARIABLE, Estate, Heir, Line, drained, heirIn, pair
from smartproxy_tw.service.inherited import Inherited

from ..examples import examples


class Readers:
    """
    A reactor that reads when it is told to.
    """

    def __init__(self) -> None:
        self.readers: list[Any] = []
        self.writers: list[Any] = []

    def addReader(self, reader: Any) -> None:
        self.readers.append(reader)

    def removeReader(self, reader: Any) -> None:
        self.readers.remove(reader)

    def addWriter(self, writer: Any) -> None:
        if writer not in self.writers:
            self.writers.append(writer)

    def removeWriter(self, writer: Any) -> None:
        if writer in self.writers:
            self.writers.remove(writer)

    def write(self) -> None:
        """
        There is room.
        """
        for each in list(self.writers):
            each.doWrite()

    def read(self) -> None:
        """
        Whoever has something to read.
        """
        for each in list(self.readers):
            each.doRead()


class LineTests(SynchronousTestCase):
    """
    One end of a line.
    """

    def setUp(self) -> None:
        ours, self.theirs = pair()
        self.addCleanup(self.theirs.close)
        self.heard: list[tuple[str, str]] = []
        self.losses = 0
        self.reactor = Readers()
        self.line = Line(ours, lambda *what: self.heard.append(what), self.lost)
        self.addCleanup(self.line.close)
        self.line.begin(self.reactor)

    def lost(self) -> None:
        """
        The other end is gone.
        """
        self.losses += 1

    def test_words(self) -> None:
        """
        Words come one by one, with what is told besides.
        """
        self.theirs.send(b"begun 7")
        self.theirs.send(b"bound ")
        for _ in range(3):
            self.reactor.read()
        self.assertEqual(self.heard, [("begun", "7"), ("bound", "")])
        self.line.tell("failed", "why\nso")
        self.assertEqual(self.theirs.recv(100), b"failed why\nso")

    def test_lost(self) -> None:
        """
        That the other end is gone is told once, and nothing that is told then fails.
        """
        self.theirs.close()
        self.reactor.read()
        self.line.tell("bound")
        self.assertEqual((self.losses, self.reactor.readers, self.line.fileno()), (1, [], -1))

    def test_long(self) -> None:
        """
        A reason of any length is told, as far as it goes.
        """
        self.line.tell("failed", "x" * 10_000_000)
        self.assertEqual(len(self.theirs.recv(100_000)), 32768)

    def test_full(self) -> None:
        """
        What there is no room for is said as soon as there is, in its turn; and not when the
        other end is gone, or this one is closed.
        """
        self.theirs.setblocking(False)
        said = [str(number) * 5000 for number in range(100)]
        for each in said:
            self.line.tell("failed", each)
        self.line.tell("bound")
        self.assertEqual(self.reactor.writers, [self.line])
        heard: list[bytes] = []
        while self.reactor.writers:
            with contextlib.suppress(BlockingIOError):
                while True:
                    heard.append(self.theirs.recv(100_000))
            self.reactor.write()
        with contextlib.suppress(BlockingIOError):
            while True:
                heard.append(self.theirs.recv(100_000))
        self.assertEqual(heard, [*(f"failed {each}".encode() for each in said), b"bound "])
        for each in said:
            self.line.tell("failed", each)
        self.line.close()
        self.assertEqual((self.reactor.readers, self.reactor.writers), ([], []))

    def test_goneWhenFull(self) -> None:
        """
        What waits for room is dropped when the other end is gone.
        """
        for _ in range(100):
            self.line.tell("failed", "x" * 30_000)
        self.theirs.close()
        self.reactor.write()
        self.assertEqual(self.reactor.writers, [])

    @given(st.binary(min_size=1, max_size=50))
    @examples(100)
    def test_nonsense(self, message: bytes) -> None:
        """
        Whatever is said, it is a word and a text.
        """
        self.theirs.send(message)
        self.reactor.read()
        self.assertEqual(len(self.heard.pop()), 2)


class HeirTests(SynchronousTestCase):
    """
    The next process, and this test in place of the one before.
    """

    def setUp(self) -> None:
        ours, self.before = pair()
        self.before.setblocking(False)
        self.addCleanup(self.before.close)
        self.reactor = Readers()
        self.lock = os.open("/dev/null", os.O_RDONLY)
        self.addCleanup(os.close, self.lock)
        self.heir = Heir(ours, self.lock, Inherited())
        self.claims = 0
        self.heir.claim = self.claim
        self.heir.begin(self.reactor)
        self.assertEqual(self.before.recv(100), b"begun %d" % os.getpid())

    def claim(self) -> None:
        """
        It is the main process.
        """
        self.claims += 1

    def test_story(self) -> None:
        """
        It waits for the lock, and then for the end of the other.
        """
        given = Deferred.fromCoroutine(self.heir.given())
        self.assertEqual(self.before.recv(100), b"bound ")
        self.assertNoResult(given)
        self.before.send(b"yours ")
        self.reactor.read()
        self.assertEqual(self.successResultOf(given), self.lock)
        alone = Deferred.fromCoroutine(self.heir.alone("/s t/admin.sock"))
        self.assertEqual(self.before.recv(100), b"spoken /s t/admin.sock")
        self.assertEqual(self.before.recv(100), b"serving %d" % os.getpid())
        self.assertNoResult(alone)
        self.assertEqual(self.claims, 0)
        self.before.send(b"alone ")
        self.reactor.read()
        self.successResultOf(alone)
        self.assertEqual((self.claims, self.reactor.readers), (1, []))
        # It may be started again.
        self.assertIsNone(self.successResultOf(Deferred.fromCoroutine(self.heir.given())))
        self.successResultOf(Deferred.fromCoroutine(self.heir.alone(None)))
        self.heir.fail("too late")

    def test_drained(self) -> None:
        """
        It knows what is drained, in how many words that was told, and whatever else is said.
        """
        since = {f"target-{number}.example:80": 1.7e9 + number for number in range(1000)}
        parts = list(drained(since))
        self.assertGreater(len(parts), 1)
        given = Deferred.fromCoroutine(self.heir.given())
        self.assertEqual(self.before.recv(100), b"bound ")
        nonsense = ["", "{", "[" * 9000, "7", "[1]", '{"a": "b", "c": true, "d": 1e300, "e": NaN, "f": -1}']
        for each in (*nonsense, *parts):
            self.before.send(f"drained {each}".encode())
            self.reactor.read()
        self.before.send(b"unheardof {}")
        self.before.send(b"yours ")
        self.reactor.read()
        self.reactor.read()
        self.successResultOf(given)
        self.assertEqual(self.heir.drained, since)

    def test_longNames(self) -> None:
        """
        Names as long as they may be come through whole.
        """
        snow = "\u2603" * 50
        since = {f"{snow}{number:04}": 1.7e9 + number / 3 for number in range(300)}
        for each in drained(since):
            self.assertLess(len(each), 30_000)
        self.assertEqual(list(drained({})), [])

    def test_secondThoughts(self) -> None:
        """
        The one before goes on, and so this one does not start.
        """
        given = Deferred.fromCoroutine(self.heir.given())
        self.before.send(b"stop ")
        self.reactor.read()
        self.failureResultOf(given, StartError)
        self.failureResultOf(Deferred.fromCoroutine(self.heir.alone(None)), StartError)

    def test_gone(self) -> None:
        """
        When the one before is gone, everything is this one's.
        """
        given = Deferred.fromCoroutine(self.heir.given())
        self.before.close()
        self.reactor.read()
        self.assertEqual(self.successResultOf(given), self.lock)
        self.successResultOf(Deferred.fromCoroutine(self.heir.alone(None)))
        self.assertEqual(self.claims, 1)

    def test_silent(self) -> None:
        """
        That it is not going to be spoken to is told, too.
        """
        alone = Deferred.fromCoroutine(self.heir.alone(None))
        self.assertEqual(self.before.recv(100), b"spoken ")
        self.assertEqual(self.before.recv(100), b"serving %d" % os.getpid())
        self.before.send(b"alone ")
        self.reactor.read()
        self.successResultOf(alone)

    def test_failed(self) -> None:
        """
        It can tell why it cannot.
        """
        self.heir.fail("The port is taken.")
        self.assertEqual(self.before.recv(100), b"failed The port is taken.")


class EstateTests(SynchronousTestCase):
    """
    What is handed over.
    """

    def test_places(self) -> None:
        """
        The line and the lock come first, the line twice where there is no lock.
        """
        with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
            sockets = ((one, True), (two, False))
            found = Estate(sockets, 77).descriptors(66)
            self.assertEqual(found, {3: 66, 4: 77, 5: one.fileno(), 6: two.fileno()})
            self.assertEqual(Estate(sockets, None).descriptors(66)[4], 66)
            self.assertEqual(Estate(sockets, 77).text, "10")

    def test_none(self) -> None:
        """
        Nothing, or nonsense, is no estate; what is said is taken out.
        """
        for text in (None, "2", "x" * 99, "1 "):
            environ = {} if text is None else {VARIABLE: text}
            self.assertIsNone(heirIn(environ))
            self.assertEqual(environ, {})
