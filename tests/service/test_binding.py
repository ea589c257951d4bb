"""
Tests for L{smartproxy_tw.service.binding}.
"""

from __future__ import annotations

import errno
import socket
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.facts import Address
from smartproxy_tw.service.binding import Binding
from smartproxy_tw.service.errors import ListenError
from smartproxy_tw.service.listeners import Listeners
from smartproxy_tw.testing.fakes import FakeListen, Story

PORTS = (80, 443)


class Names:
    """
    A name server, which tells what is asked of it.
    """

    def __init__(self, story: Story) -> None:
        self._story = story
        self.refusal: ListenError | None = None

    def bind(self) -> None:
        """
        Its ports.
        """
        if self.refusal is not None:
            raise self.refusal
        self._story.lines.append("names bound")

    def begin(self) -> None:
        """
        It answers.
        """
        self._story.lines.append("names answered")

    async def close(self) -> None:
        """
        It is gone.
        """
        self._story.lines.append("names closed")


class Berths:
    """
    What is kept for the next process.
    """

    def __init__(self, story: Story, kept: socket.socket) -> None:
        self._story = story
        self._kept = kept

    def bequest(self) -> tuple[tuple[socket.socket, bool], ...]:
        """
        One.
        """
        return ((self._kept, True),)

    def close(self) -> None:
        """
        Nothing is kept.
        """
        self._story.lines.append("berths closed")


class BindingTests(SynchronousTestCase):
    """
    Two ports of routes, and a name server.
    """

    def setUp(self) -> None:
        self.story = Story()
        self.listen = FakeListen(self.story)
        self.names: Any = Names(self.story)
        self.kept = socket.socket()
        self.addCleanup(self.kept.close)
        berths: Any = Berths(self.story, self.kept)
        self.listeners = Listeners(
            self.listen,  # type: ignore[arg-type]
            ("127.0.0.1",),
            holder=lambda _: None,
        )
        self.binding = Binding(self.listeners, self.names, berths)

    def begin(self, *, isAlone: bool = True) -> None:
        """
        Bind.
        """
        self.binding.begin(PORTS, lambda: self.story.lines.append("then"), isAlone=isAlone)

    def told(self) -> list[str]:
        """
        What has happened since one asked last.
        """
        lines, self.story.lines[:] = list(self.story.lines), []
        return lines

    def test_once(self) -> None:
        """
        Everything is bound at the first time, and whoever waits hears of it; later ones
        change nothing.
        """
        waiting = self.binding.whenBound()
        self.assertFalse(self.binding.hasBegun)
        self.begin()
        self.successResultOf(waiting)
        self.assertTrue(self.binding.hasBegun)
        self.assertEqual(self.told(), ["bound 80", "bound 443", "then", "names bound"])
        self.begin()
        self.assertEqual(self.told(), [])
        self.binding.answerNames()
        self.assertEqual(self.told(), ["names answered"])

    def test_takesItsTime(self) -> None:
        """
        Nobody is told before the last port is bound, and L{Binding.begin} does not wait.
        """
        self.listen.hesitates(443)
        self.begin()
        waiting = self.binding.whenBound()
        self.assertNoResult(waiting)
        self.assertNotIn("then", self.told())
        self.listen.opens(443)
        self.successResultOf(waiting)
        self.assertIn("then", self.told())

    def test_notAlone(self) -> None:
        """
        While another process answers for names they are left to it, until they are asked
        for.
        """
        self.begin(isAlone=False)
        self.assertNotIn("names bound", self.told())
        self.binding.bindNames()
        self.assertEqual(self.told(), ["names bound"])
        self.successResultOf(Deferred.fromCoroutine(self.binding.closeNames()))
        self.assertEqual(self.told(), ["names closed"])

    def test_refused(self) -> None:
        """
        A refusal is told at once, to whoever waits too, and again to whoever asks again;
        it is never said that all is bound.
        """
        self.listen.refuses(443, errno.EADDRINUSE)
        for _ in range(2):
            why = self.assertRaises(ListenError, self.begin)
            self.assertEqual(why.addresses, (Address("127.0.0.1", 443),))
        self.assertIs(self.failureResultOf(self.binding.whenBound(), ListenError).value, why)
        self.assertNotIn("then", self.told())

    def test_refusedLater(self) -> None:
        """
        What is refused while nobody asks is told to who waits.
        """
        self.listen.hesitates(443)
        self.begin()
        waiting = self.binding.whenBound()
        self.listen.refusesNow(443, errno.EACCES)
        self.failureResultOf(waiting, ListenError)
        self.assertRaises(ListenError, self.begin)

    def test_namesRefused(self) -> None:
        """
        The name server's ports are no less needed.
        """
        self.names.refusal = ListenError("taken", (Address("127.0.0.1", 53),))
        self.assertIs(self.assertRaises(ListenError, self.begin), self.names.refusal)

    def test_closed(self) -> None:
        """
        All is closed, also what was refused.
        """
        self.begin()
        self.told()
        self.successResultOf(Deferred.fromCoroutine(self.binding.close()))
        self.assertEqual(self.told(), ["closed 443", "closed 80", "names closed", "berths closed"])
        self.assertEqual(self.listeners.addresses, ())

    def test_closedAfterRefusal(self) -> None:
        """
        A refusal does not come out of the closing: it was told.
        """
        self.listen.refuses(443, errno.EADDRINUSE)
        self.assertRaises(ListenError, self.begin)
        self.told()
        self.successResultOf(Deferred.fromCoroutine(self.binding.close()))
        self.assertEqual(self.told(), ["names closed", "berths closed"])

    def test_closedMeanwhile(self) -> None:
        """
        What is about to be bound is closed as soon as it is there, and the closing does not
        wait for it.
        """
        self.listen.hesitates(443)
        self.begin()
        waiting = self.binding.whenBound()
        self.told()
        self.successResultOf(Deferred.fromCoroutine(self.binding.close()))
        self.assertEqual(self.told(), ["closed 80", "names closed", "berths closed"])
        self.failureResultOf(waiting)
        self.listen.opens(443)
        self.assertEqual(self.told(), ["bound 443", "closed 443"])

    def test_never(self) -> None:
        """
        It can be closed without having begun.
        """
        self.successResultOf(Deferred.fromCoroutine(self.binding.close()))
        self.assertEqual(self.told(), ["names closed", "berths closed"])

    def test_bequest(self) -> None:
        """
        The next process is given the ports of routes, and then what else listens.
        """
        with socket.socket() as bound:
            self.patch(self.listeners, "bequest", lambda: ((bound, False),))
            self.assertEqual(self.binding.bequest(), ((bound, False), (self.kept, True)))

    def test_portsAlone(self) -> None:
        """
        Where nothing else listens, nothing else is bound, answered or closed.
        """
        self.binding = Binding(self.listeners)
        self.begin()
        self.binding.answerNames()
        with socket.socket() as bound:
            self.patch(self.listeners, "bequest", lambda: ((bound, False),))
            self.assertEqual(self.binding.bequest(), ((bound, False),))
        self.successResultOf(Deferred.fromCoroutine(self.binding.close()))
        self.assertEqual(self.told(), ["bound 80", "bound 443", "then", "closed 443", "closed 80"])
