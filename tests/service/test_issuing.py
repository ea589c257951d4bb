"""
Tests for L{smartproxy_tw.service.issuing}.
"""

from __future__ import annotations

import os

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.journal import Journal
from smartproxy_tw.service.issuing import LateIssuer
from smartproxy_tw.service.milestones import Milestones
from smartproxy_tw.store.memory import MemoryAccounts
from smartproxy_tw.testing.fakes import FakePlane, Story

from .configurations import SHOP, configuration


class LateIssuerTests(SynchronousTestCase):
    """
    The way to the authority.
    """

    def test_neverUsed(self) -> None:
        """
        One that was never asked has nothing to close.
        """
        config = configuration(os.path.abspath(self.mktemp()), SHOP)
        milestones = Milestones(lambda: 0.0)
        issuer = LateIssuer(None, config, FakePlane(Story()), MemoryAccounts(), Journal(), milestones)
        self.successResultOf(issuer.close())

    def test_usesWhatTheConfigurationSays(self) -> None:
        """
        Orders go to an issuer made with the directory and the challenges of
        the configuration, which tells the milestones.
        """
        from smartproxy_tw.acme import issuer as module

        made = []

        class Issuer:
            def __init__(self, reactor: object, settings: object, **parts: object) -> None:
                made.append((settings, parts))
                self.observe = parts["observe"]

            def obtain(
                self, names: object, install: object, *, replaces: object, isTwin: bool
            ) -> Deferred[str]:
                self.observe("presented", names=names)  # type: ignore[operator]
                self.observe("installed", names=names)  # type: ignore[operator]
                return succeed("credential")

            def advise(self, chain: bytes) -> Deferred[bytes]:
                return succeed(chain)

            def probe(self) -> Deferred[str]:
                return succeed("probed")

        self.patch(module, "Issuer", Issuer)
        config = configuration(os.path.abspath(self.mktemp()), SHOP)
        milestones = Milestones(lambda: 0.0)
        accounts, plane = MemoryAccounts(), FakePlane(Story())
        issuer = LateIssuer(None, config, plane, accounts, Journal(), milestones)
        for _ in range(2):
            self.successResultOf(issuer.obtain(SHOP.names, lambda _: succeed(None)))
        self.assertEqual(self.successResultOf(issuer.probe()), "probed")
        self.assertEqual(self.successResultOf(issuer.advise(b"chain")), b"chain")
        ((settings, parts),) = made
        self.assertEqual(settings, config.acme)
        self.assertEqual(parts["challenges"], ("http-01", "tls-alpn-01"))
        self.assertIs(parts["plane"], plane)
        self.assertIs(parts["accounts"], accounts)
        self.assertEqual(list(milestones.reached), ["presented", "installed"])
