"""
Tests for L{smartproxy_tw.service.authorities}.
"""

from __future__ import annotations

import os
from random import Random
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.errors import AuthorityUndecided
from smartproxy_tw.acme.x509 import selfSigned
from smartproxy_tw.config.model import Acme, Authority, Auto
from smartproxy_tw.facts import Credential
from smartproxy_tw.service.authorities import Asked, Authorities
from smartproxy_tw.service.memory import Memory
from smartproxy_tw.service.presenting import Presenter
from smartproxy_tw.service.storage import Shelf, Storage
from smartproxy_tw.testing.fakes import FakePlane, Story

NOW = 1_800_000_000
FIRST, SECOND = "https://first.example/", "https://second.example/"
SHOP = Auto(("shop.example",))


class AuthoritiesTests(SynchronousTestCase):
    """
    Two of them, at which nothing is ordered.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.story = Story()
        self.plane = FakePlane(self.story)
        self.asked: list[tuple[str, bool]] = []
        self.revoking: list[Deferred[None]] = []

    def make(self, keyType: Any = "ecdsa", **parts: Any) -> Authorities:
        """
        They, with a state directory of their own.
        """
        path = os.path.abspath(self.mktemp())
        hasTwins = keyType == "both"
        self.storage = Storage(
            path, FIRST, self.clock.seconds, maybeDeferred, fallbacks=[SECOND], hasTwins=hasTwins
        )
        self.storage.open()
        self.addCleanup(self.storage.close)
        acme = Acme(directory=FIRST, keyType=keyType, fallbacks=(Authority(directory=SECOND),))
        shelves = (self.storage.own, *self.storage.fallbacks)
        made = [self.one(shelf, **parts) for shelf in shelves]
        return Authorities(made, acme, Presenter(self.plane, None), self.clock, Random(0))  # type: ignore[arg-type]

    def one(self, shelf: Shelf, **parts: Any) -> Asked:
        """
        One that tells what is asked of it.
        """

        def obtain(names: Any, install: Any, *, isTwin: bool = False, **_: Any) -> Deferred[Credential]:
            self.asked.append((shelf.directory, isTwin))
            return Deferred()

        def close() -> Deferred[None]:
            self.story.tell(f"closed {shelf.directory}")
            return succeed(None)

        return Asked(shelf, obtain, close, Memory(shelf.attempts, shelf.uses, maybeDeferred), **parts)

    def never(self, *_: object, **__: object) -> Deferred[None]:
        """
        An authority that is asked to revoke something, and does not answer.
        """
        self.revoking.append(Deferred(lambda _: self.story.tell("given up")))
        return self.revoking[-1]

    def test_ways(self) -> None:
        """
        There is a way to each, in their order, and each keeps what it issued by itself.
        """
        credential = selfSigned(SHOP.names, now=NOW)
        authorities = self.make()
        ways = authorities.ways(SHOP)
        self.assertEqual([each.directory for each in ways], [FIRST, SECOND])
        files = [each.fileOf(SHOP.names) for each in ways]
        self.assertEqual(len(set(files)), 2)
        self.successResultOf(ways[1].save(credential))
        self.assertEqual([os.path.exists(file or "") for file in files], [False, True])

    def test_twins(self) -> None:
        """
        Who has two certificates for the same names asks for the second one as such.
        """
        authorities = self.make("both")
        self.assertTrue(authorities.hasTwins)
        for auto in (SHOP, Auto(SHOP.names, isTwin=True)):
            for way in authorities.ways(auto):
                way.obtain(auto.names, lambda _: succeed(None))
        self.assertEqual(self.asked, [(FIRST, False), (SECOND, False), (FIRST, True), (SECOND, True)])
        self.assertFalse(self.make().hasTwins)

    def test_notAsked(self) -> None:
        """
        What an authority cannot be asked has no way to it.
        """
        for way in self.make().ways(SHOP):
            self.assertEqual((way.advise, way.revoke, way.identify), (None, None, None))

    def test_neverRevokes(self) -> None:
        """
        One that does not come to an end with a revocation is given up, and nobody knows
        what came of it.
        """
        way = self.make(revoke=self.never).ways(SHOP)[0]
        assert way.revoke is not None
        revoking = way.revoke(selfSigned(SHOP.names, now=NOW), 1)
        self.clock.advance(99)
        self.assertNoResult(revoking)
        self.clock.advance(2)
        self.failureResultOf(revoking, AuthorityUndecided)
        self.assertEqual(self.story.lines, ["given up"])

    def test_learned(self) -> None:
        """
        Known is only how many names those take that have said so.
        """
        authorities = self.make()
        self.assertEqual(authorities.learned, {})
        authorities._admissions[1].learn(5)
        self.assertEqual(authorities.learned, {SECOND: 5})

    def test_end(self) -> None:
        """
        Whoever asks after the stop is not admitted; the ways are closed in their order.
        """
        authorities = self.make()
        authorities.stop()
        self.assertFalse(authorities.isBusy)
        self.successResultOf(Deferred.fromCoroutine(authorities.close()))
        self.assertEqual(self.story.lines, [f"closed {FIRST}", f"closed {SECOND}"])
