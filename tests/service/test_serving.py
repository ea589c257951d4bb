"""
Tests for L{smartproxy_tw.service.serving}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.x509 import describe
from smartproxy_tw.config.model import Auto
from smartproxy_tw.service.served import Served
from smartproxy_tw.service.serving import Serving
from smartproxy_tw.service.stock import Stock
from smartproxy_tw.testing.fakes import FakePlane, Story

from .issuance import DAY, NOW, SHOP, SIGNER, Issuance

TWIN = Auto(SHOP.names, isTwin=True)


class Around:
    """
    Whoever looks after what is served.
    """

    def __init__(self, story: list[str], name: str) -> None:
        self._story = story
        self._name = name
        self.advise: Any = None

    def __getattr__(self, verb: str) -> Any:
        return lambda *_: self._story.append(f"{self._name}: {verb}")


class ServingTests(SynchronousTestCase):
    """
    L{Serving}, alone.
    """

    def setUp(self) -> None:
        self.story: list[str] = []
        self.plane = FakePlane(Story())
        self.first, self.second = Around(self.story, "first"), Around(self.story, "second")
        self.first.advise, self.second.advise = "ask the first", "ask the second"
        self.make(SHOP)

    def make(self, auto: Auto) -> None:
        """
        One for these names.
        """
        clock = Clock()
        clock.advance(NOW)
        way: Any = self.first
        self.served = Served(way, clock)
        self.renewal = Around(self.story, "renewal")
        around: Any = {name: Around(self.story, name) for name in ("expiry", "keeper", "herald")}
        self.serving = Serving(auto, self.plane, clock, self.served, renewal=self.renewal, **around)  # type: ignore[arg-type]

    def load(self, stored: Stock, twins: Stock | None = None) -> None:
        """
        At the start.
        """
        ways: Any = (self.first, self.second)
        self.successResultOf(Deferred.fromCoroutine(self.serving.load(stored, ways, twins)))

    def issued(self, names: tuple[str, ...] = SHOP.names) -> Any:
        """
        A certificate of yesterday.
        """
        return SIGNER.issue(names, lifetime=90 * DAY, now=NOW - DAY)

    def test_issued(self) -> None:
        """
        What was issued is served, looked after, told and kept, in that order.
        """
        new = self.issued()
        way: Any = self.second
        self.successResultOf(Deferred.fromCoroutine(self.serving.install(new, way)))
        self.assertEqual(self.plane.installed, {SHOP.key: new})
        self.assertEqual((self.served.credential, self.served.issuer), (new, self.second))
        self.assertEqual(self.renewal.advise, "ask the second")
        self.assertEqual(self.story, ["expiry: follow", "renewal: follow", "herald: served", "keeper: keep"])

    def test_notTaken(self) -> None:
        """
        What the data path does not take is neither kept nor told, and what was served stays.
        """
        old, new = self.issued(), self.issued()
        self.load(Stock({SHOP.key: old}))
        self.story.clear()
        self.plane.rejects(new, "key too small")
        way: Any = self.second
        self.failureResultOf(Deferred.fromCoroutine(self.serving.install(new, way)), ValueError)
        self.assertEqual((self.plane.installed[SHOP.key], self.served.credential), (old, old))
        self.assertEqual((self.served.issuer, self.story), (self.first, []))

    def test_notYetTaken(self) -> None:
        """
        Nor is it before the data path has taken it.
        """
        self.plane.holds("install")
        way: Any = self.first
        installing = Deferred.fromCoroutine(self.serving.install(self.issued(), way))
        self.assertEqual((self.story, self.served.credential), ([], None))
        self.plane.finishes("install")
        self.successResultOf(installing)
        self.assertEqual(self.story[-1], "keeper: keep")

    def test_stored(self) -> None:
        """
        What the store has is not kept or told again; who issued it is asked when to renew it.
        """
        old = self.issued()
        self.load(Stock({SHOP.key: old}, {SHOP.key: 1}))
        self.assertEqual((self.plane.installed, self.served.issuer), ({SHOP.key: old}, self.second))
        self.assertEqual(self.renewal.advise, "ask the second")
        self.assertEqual(self.story, ["expiry: follow", "renewal: follow"])

    def test_twinInPlace(self) -> None:
        """
        Better than something self-signed is a second certificate of before, which does not count as
        what is served.
        """
        twin = self.issued()
        self.load(Stock({}), Stock({TWIN.key: twin}))
        self.assertEqual(self.plane.installed, {SHOP.key: twin})
        self.assertIsNone(self.served.credential)
        self.assertEqual(self.story, [])

    def test_noTwin(self) -> None:
        """
        In place of a second certificate there is nothing, be it missing or unusable.
        """
        self.make(TWIN)
        self.load(Stock({}))
        unusable = self.issued()
        self.plane.rejects(unusable, "key too small")
        with capturedLogs() as events:
            self.load(Stock({TWIN.key: unusable}))
        [line] = map(formatEvent, events)
        self.assertEqual(
            line,
            "The stored certificate for shop.example, www.shop.example (RSA) cannot be served: key too small",
        )
        self.assertEqual((self.plane.installed, self.story), ({}, []))

    def test_dataPathGone(self) -> None:
        """
        A data path that is broken is no matter of the certificate.
        """
        self.plane.breaks("install", OSError("gone"))
        for stored in ({}, {SHOP.key: self.issued()}):
            ways: Any = (self.first,)
            loading = Deferred.fromCoroutine(self.serving.load(Stock(stored), ways))
            self.failureResultOf(loading, OSError)

    def test_end(self) -> None:
        """
        What comes after the end is served and kept, but not looked after.
        """
        self.serving.end()
        self.assertEqual(self.story, ["expiry: end", "renewal: end"])
        self.story.clear()
        way: Any = self.second
        self.successResultOf(Deferred.fromCoroutine(self.serving.install(self.issued(), way)))
        self.assertEqual(self.story, ["herald: served", "keeper: keep"])
        self.assertIsNone(self.renewal.advise)


class WholeTests(Issuance):
    """
    In a whole certificate.
    """

    def test_selfSignedUntilIssued(self) -> None:
        """
        Until there is a certificate something self-signed answers, for the
        same names, and the status says so.
        """
        self.successResultOf(self.certificate.load(Stock({})))
        facts = describe(self.served.chain)
        self.assertEqual(set(facts.names), set(SHOP.names))
        self.assertNotIn("Test root", facts.issuer)
        status = self.certificate.status()
        self.assertEqual((status.state, status.expires, status.problem), ("missing", None, None))

    def test_storedIsUsed(self) -> None:
        """
        A stored certificate is served, and nothing is asked before its time.
        """
        stored = self.issued(DAY)
        self.begin(**{SHOP.key: stored})
        self.assertEqual(self.served, stored)
        self.clock.pump([DAY] * 50)
        self.assertEqual(self.orders, 0)
        self.clock.pump([DAY] * 10)
        self.assertEqual(self.orders, 1)

    def test_storedIsDue(self) -> None:
        """
        A stored one that is due, or over, is served while its successor is
        asked for.
        """
        for age in (65 * DAY, 100 * DAY):
            self.authority.orders.clear()
            self.certificate = self.make(SHOP)
            self.authority.thinks()
            stored = self.issued(age)
            self.begin(**{SHOP.key: stored})
            self.assertEqual(self.served, stored)
            self.assertEqual(self.orders, 1)
            self.authority.decides()
            self.assertNotEqual(self.served, stored)

    def test_storedCoversMore(self) -> None:
        """
        A certificate of the store that covers all the names will do, as when
        the authority added some.
        """
        names = (*SHOP.names, "mail.shop.example")
        more = self.issued(DAY, names=names)
        less = self.issued(0, names=("shop.example",))
        self.begin(**{Auto(names).key: more, "auto:shop.example": less})
        self.assertEqual(self.served, more)
        self.assertEqual(self.orders, 0)

    def test_storedCoversMoreAndIsOver(self) -> None:
        """
        One that is over will not do.
        """
        names = (*SHOP.names, "mail.shop.example")
        self.authority.thinks()
        self.begin(**{Auto(names).key: self.issued(100 * DAY, names=names)})
        self.assertEqual(self.orders, 1)
        self.assertIsNone(self.certificate.status().expires)

    def test_storedCoversLess(self) -> None:
        """
        One for a part of the names serves until there is one for all.
        """
        less = self.issued(0, names=("shop.example",))
        self.authority.thinks()
        self.begin(**{"auto:shop.example": less})
        self.assertEqual(self.served, less)
        self.assertEqual(self.orders, 1)
        self.authority.decides()
        self.assertEqual(describe(self.served.chain).names, SHOP.names)

    def test_storedCannotBeServed(self) -> None:
        """
        What the data path does not take is told, and asked for anew.
        """
        stored = self.issued(DAY)
        self.plane.rejects(stored, "key too small")
        self.begin(**{SHOP.key: stored})
        self.assertEqual(self.orders, 1)
        self.assertNotEqual(self.served, stored)
        self.assertEqual(self.certificate.status().state, "valid")
