"""
Tests for L{smartproxy_tw.guards.keyring}.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.guards.keyring import Keyring
from smartproxy_tw.guards.web import Reply

from .test_bearer import key

SET = json.dumps({"keys": [key("EC").as_dict(private=False)]}).encode()


class _Web:
    """
    A place that answers when a test says so.
    """

    def __init__(self) -> None:
        self.asked: list[Deferred[Any]] = []
        self.isClosed = False

    def ask(self, url: str, fields: Any, most: int) -> Deferred[Any]:
        """Later."""
        self.asked.append(Deferred())
        return self.asked[-1]

    def close(self) -> None:
        """Closed."""
        self.isClosed = True

    def answers(self, body: bytes = SET, status: int = 200, *fields: tuple[bytes, bytes]) -> None:
        """The last question."""
        self.asked[-1].callback(Reply(status, fields, body))


class KeyringTests(SynchronousTestCase):
    """
    L{Keyring}.
    """

    def setUp(self) -> None:
        self.clock, self.web = Clock(), _Web()
        self.changed = 0
        self.ended: list[str] = []
        self.ring = Keyring(self.web, "https://a.test/keys", self.clock.seconds, self._changes)

    def _changes(self) -> None:
        self.changed += 1

    def wait(self, who: str) -> bool:
        """
        Wait for keys.
        """
        return self.ring.wait(lambda: self.ended.append(who))

    def test_first(self) -> None:
        """
        Nothing is fetched before somebody needs it, and then once for all who wait.
        """
        self.assertEqual(self.web.asked, [])
        self.assertEqual([self.wait(each) for each in "abc"], [True] * 3)
        self.assertEqual((len(self.web.asked), self.ended), (1, []))
        self.web.answers()
        self.assertEqual((self.ended, self.changed), (["a", "b", "c"], 1))
        assert self.ring.keys is not None
        self.assertTrue(self.ring.keys.anyFor(["ES256"]))

    def test_lifetime(self) -> None:
        """
        When their time is over they are fetched again in the background, and count until then.
        """
        for fields, seconds in (
            ((), 300),
            (((b"Cache-Control", b"public, max-age=600"),), 600),
            (((b"cache-control", b"max-age=0"),), 30),
            (((b"cache-control", b"max-age=999999999"),), 86400),
            (((b"cache-control", b"x-max-age=5"),), 300),
        ):
            self.setUp()
            self.ring.look()
            self.web.answers(SET, 200, *fields)  # type: ignore[arg-type]
            self.clock.advance(seconds - 1)
            self.ring.look()
            self.assertEqual(len(self.web.asked), 1, fields)
            self.clock.advance(1)
            self.ring.look()
            self.ring.look()
            self.assertEqual(len(self.web.asked), 2, fields)
            self.assertIsNot(self.ring.keys, None)

    def test_floor(self) -> None:
        """
        Made-up keys bring about one fetch in half a minute.
        """
        self.wait("a")
        self.web.answers()
        self.assertEqual([self.wait(str(number)) for number in range(100)], [False] * 100)
        self.clock.advance(30)
        self.assertTrue(self.wait("b"))
        self.assertEqual(len(self.web.asked), 2)

    def test_lastGood(self) -> None:
        """
        When they cannot be had the last ones count; that is told once, and that it is over.
        """
        self.wait("a")
        self.web.answers()
        keys = self.ring.keys
        for outcome in (
            lambda: self.web.answers(b"", 500),
            lambda: self.web.answers(b"<html>"),
            lambda: self.web.answers(b"\xff"),
            lambda: self.web.answers(b'{"keys": []}'),
            lambda: self.web.asked[-1].errback(ConnectionRefusedError()),
        ):
            self.clock.advance(400)
            self.assertTrue(self.wait("b"))
            outcome()
            self.assertIs(self.ring.keys, keys)
        self.assertEqual(self.ended, ["a"] + ["b"] * 5)
        self.clock.advance(400)
        self.wait("c")
        self.web.answers()
        self.assertEqual(self.changed, 2)

    def test_failsAtOnce(self) -> None:
        """
        A fetch that fails at once has nobody wait.
        """

        def fails(*args: Any) -> Deferred[Any]:
            deferred: Deferred[Any] = Deferred()
            deferred.errback(ValueError("no such scheme"))
            return deferred

        self.patch(self.web, "ask", fails)
        self.assertFalse(self.wait("a"))
        self.assertEqual(self.ended, [])

    def test_close(self) -> None:
        """
        Whoever waits when it is closed is told.
        """
        self.wait("a")
        self.ring.close()
        self.assertEqual((self.ended, self.web.isClosed), (["a"], True))
        self.ring.close()
