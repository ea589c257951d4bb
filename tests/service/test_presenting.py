"""
Tests for L{smartproxy_tw.service.presenting}.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from smartproxy_tw.acme.x509 import acmeTLS
from smartproxy_tw.config.model import TLS, Acme, Auto, Block, Config, DynamicUpdate, Hook, Route
from smartproxy_tw.facts import DNS01, HTTP01, Address
from smartproxy_tw.interfaces import IRecords
from smartproxy_tw.records.hook import Hooks
from smartproxy_tw.records.update import Updates
from smartproxy_tw.service.presenting import Presenter, recordsOf
from smartproxy_tw.testing.fakes import FakePlane, Story

TOKEN, RECORD = HTTP01("a.test", "t" * 22, "t.k"), DNS01("a.test", "text")


@implementer(IRecords)
class Records:
    """
    Keeps what it was given.
    """

    def __init__(self) -> None:
        self.there: list[DNS01] = []
        self.recalled: list[DNS01] = []

    def present(self, record: DNS01) -> Deferred[None]:
        self.there.append(record)
        return succeed(None)

    def withdraw(self, record: DNS01) -> Deferred[None]:
        self.there.remove(record)
        return succeed(None)

    def recall(self, record: DNS01) -> Deferred[None]:
        self.recalled.append(record)
        return succeed(None)


class LendTests(SynchronousTestCase):
    """
    What is shown for a look, and not for an order.
    """

    def setUp(self) -> None:
        self.plane, self.records = FakePlane(Story()), Records()
        self.presenter = Presenter(self.plane, self.records)

    def test_apart(self) -> None:
        """
        Files and records are beside those of orders.
        """
        for each in (TOKEN, RECORD):
            self.assertTrue(self.successResultOf(self.presenter.lend(each)))
            self.assertTrue(self.presenter.isLent(each))
        self.assertEqual((self.plane.presented, self.records.there), ([TOKEN], [RECORD]))
        for each in (TOKEN, RECORD):
            self.successResultOf(self.presenter.giveBack(each))
        self.assertEqual((self.plane.presented, self.records.there), ([], []))

    def test_one(self) -> None:
        """
        Of tls-alpn-01 there is one for each name, and only while no order has one.
        """
        mine, other = acmeTLS("a.test", "x.y"), acmeTLS("a.test", "x.z")
        self.assertTrue(self.successResultOf(self.presenter.lend(mine)))
        self.assertFalse(self.successResultOf(self.presenter.lend(other)))
        self.successResultOf(self.presenter.giveBack(mine))
        self.assertEqual(self.plane.presented, [])
        for present in (self.presenter.present, self.presenter.recall):
            self.successResultOf(present(other))
            self.assertFalse(self.successResultOf(self.presenter.lend(mine)))
            self.successResultOf(self.presenter.withdraw(other))
        self.assertTrue(self.successResultOf(self.presenter.lend(mine)))

    def test_orderFirst(self) -> None:
        """
        An order takes the place at once, and keeps it when the look is over.
        """
        mine, order = acmeTLS("a.test", "x.y"), acmeTLS("a.test", "x.z")
        self.successResultOf(self.presenter.lend(mine))
        self.successResultOf(self.presenter.present(order))
        self.assertFalse(self.presenter.isLent(mine))
        self.successResultOf(self.presenter.giveBack(mine))
        self.assertIn(order, self.plane.presented)


class PresenterTests(SynchronousTestCase):
    def test_each(self) -> None:
        """
        What comes by connections goes to the data path, what comes by the DNS to
        who keeps the records.
        """
        plane, records = FakePlane(Story()), Records()
        presenter = Presenter(plane, records)
        for each in (TOKEN, RECORD):
            self.successResultOf(presenter.present(each))
        self.assertEqual((plane.presented, records.there), ([TOKEN], [RECORD]))
        for each in (TOKEN, RECORD):
            self.successResultOf(presenter.withdraw(each))
        self.assertEqual((plane.presented, records.there), ([], []))
        for each in (TOKEN, RECORD):
            self.successResultOf(presenter.recall(each))
        self.assertEqual((plane.presented, records.there, records.recalled), ([TOKEN], [], [RECORD]))

    def test_gone(self) -> None:
        """
        A record that is left from when acme.dns was there is the operator's.
        """
        presenter = Presenter(FakePlane(Story()), None)
        for deed in (presenter.present, presenter.withdraw, presenter.recall):
            self.assertIn("by hand", str(self.failureResultOf(deed(RECORD), ValueError).value))


class RecordsTests(SynchronousTestCase):
    def test_configured(self) -> None:
        """
        There is a way into the DNS where it is configured and something wants it.
        """
        acme = Acme(dns=DynamicUpdate(Address("192.0.2.1", 53)))
        route = Route("a", (443,), Block(), "http", ("a.test",), tls=TLS("terminate", Auto(("a.test",))))
        self.assertIsInstance(recordsOf(Clock(), Config((route,), "/", acme=acme)), Updates)
        hook = Acme(dns=Hook(("/bin/true",)))
        self.assertIsInstance(recordsOf(Clock(), Config((route,), "/", acme=hook)), Hooks)
        self.assertIsInstance(recordsOf(Clock(), Config((), "/", acme=acme)), Updates)
        self.assertIsNone(recordsOf(Clock(), Config((route,), "/")))
