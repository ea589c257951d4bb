"""
Tests for L{smartproxy_tw.service.internal}.
"""

from __future__ import annotations

import os

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.x509 import describe
from smartproxy_tw.config.model import Internal
from smartproxy_tw.service.alarm import Timetable
from smartproxy_tw.service.internal import InternalCertificate
from smartproxy_tw.store.directory import SecureDirectory
from smartproxy_tw.store.localauthority import LEAF_LIFETIME, LocalAuthority
from smartproxy_tw.testing.fakes import FakePlane, Story

NOW = 1_800_000_000


class InternalCertificateTests(SynchronousTestCase):
    """
    A certificate by the local authority.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.plane = FakePlane(Story())
        self.authority = LocalAuthority(
            SecureDirectory(os.path.abspath(self.mktemp())).open(), self.clock.seconds
        )
        self.authority.open()
        self.internal = Internal(("a.test", "*.b.test"))
        self.certificate = InternalCertificate(
            self.internal, self.plane, self.authority, self.clock, Timetable(self.clock)
        )
        self.addCleanup(self.certificate.stop)

    def test_made(self) -> None:
        """
        It is there from the start, for its names.
        """
        self.assertEqual(self.certificate.status().state, "missing")
        self.successResultOf(self.certificate.load())
        facts = describe(self.plane.installed[self.internal.key].chain)
        self.assertEqual(facts.names, self.internal.names)
        status = self.certificate.status()
        self.assertEqual((status.state, status.expires), ("valid", NOW + LEAF_LIFETIME))

    def test_renewed(self) -> None:
        """
        It is made anew before its end, for as long as the process lives.
        """
        self.successResultOf(self.certificate.load())
        seen = set()
        for _ in range(60 * 24):
            self.clock.advance(3600.0)
            facts = describe(self.plane.installed[self.internal.key].chain)
            self.assertGreater(facts.notAfter, self.clock.seconds() + LEAF_LIFETIME / 4)
            seen.add(facts.serial)
        self.assertTrue(10 <= len(seen) <= 16, len(seen))

    def test_renewalFails(self) -> None:
        """
        A renewal that fails is told and tried again; the old one is served.
        """
        self.successResultOf(self.certificate.load())
        old = self.plane.installed[self.internal.key]
        self.plane.breaks("install", ValueError("no"))
        self.clock.pump([3600.0] * 24 * 5)
        self.assertEqual(self.plane.installed[self.internal.key], old)
        self.assertEqual(self.certificate.status().problem, "no")
        self.assertTrue(self.flushLoggedErrors(ValueError))
        self.plane.mends("install")
        self.clock.pump([60.0] * 2)
        self.assertNotEqual(self.plane.installed[self.internal.key], old)
        self.assertIsNone(self.certificate.status().problem)

    def test_stop(self) -> None:
        """
        After the stop nothing is made.
        """
        self.successResultOf(self.certificate.load())
        self.successResultOf(self.certificate.stop())
        self.assertEqual(self.clock.getDelayedCalls(), [])
