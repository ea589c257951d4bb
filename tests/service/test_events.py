"""
Tests for L{smartproxy_tw.service.events}.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.x509 import Signer, describe
from smartproxy_tw.service.events import CertificateEvent, Events, Herald

NOW = 1_800_000_000
FAILED = CertificateEvent("failed", "auto:a.example", ("a.example",), NOW, problem="no")


class EventsTests(SynchronousTestCase):
    """
    Who is told.
    """

    def setUp(self) -> None:
        self.events = Events()
        self.told: list[CertificateEvent] = []

    def test_everybody(self) -> None:
        """
        Each observer is told once for each time that it observes, until it ends that.
        """
        ends = [self.events.observe(self.told.append) for _ in range(2)]
        self.events.tell(FAILED)
        self.assertEqual(self.told, [FAILED, FAILED])
        ends[0]()
        ends[0]()
        self.events.tell(FAILED)
        self.assertEqual(len(self.told), 3)

    def test_observerRaises(self) -> None:
        """
        What one raises is logged, and the next one is told.
        """

        def fails(event: CertificateEvent) -> None:
            raise RuntimeError("a defect of the observer")

        self.events.observe(fails)
        self.events.observe(self.told.append)
        self.events.tell(FAILED)
        self.assertEqual(self.told, [FAILED])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_observerEndsAnother(self) -> None:
        """
        Who is told may end its observing there and then.
        """
        ends = []
        ends.append(self.events.observe(lambda event: ends[0]()))
        self.events.observe(self.told.append)
        self.events.tell(FAILED)
        self.events.tell(FAILED)
        self.assertEqual(len(self.told), 2)


class HeraldTests(SynchronousTestCase):
    """
    What is told of one certificate.
    """

    def test_issuedThoughRenewed(self) -> None:
        """
        A certificate that was renewed before its predecessor was in the store is told
        as new: nobody has heard of that one.
        """
        signer = Signer.create("Test root", now=NOW - 60)
        facts = [
            describe(signer.issue(("a.example",), lifetime=3600.0 * n, now=NOW).chain) for n in (1, 2, 3)
        ]
        events = Events()
        told: list[CertificateEvent] = []
        events.observe(told.append)
        herald = Herald("auto:a.example", ("a.example",), events, Clock())
        herald.served(None, facts[0])
        herald.served(facts[0], facts[1])
        self.assertEqual(told, [])
        herald.kept(None, 0.0)
        herald.kept(None, 0.0)
        herald.served(facts[1], facts[2])
        herald.kept("/there", 5.0)
        self.assertEqual(
            [(each.kind, each.expires, each.file) for each in told],
            [("issued", NOW + 7200.0, None), ("renewed", NOW + 10800.0, "/there")],
        )
