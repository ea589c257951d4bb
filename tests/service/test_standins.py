"""
Tests for L{smartproxy_tw.service.standins}; with whole proxies in
L{tests.service.test_certificates} and L{tests.service.test_splitting}.
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.x509 import Signer
from smartproxy_tw.config.model import TLS, Auto, Config, Internal, Several
from smartproxy_tw.service.standins import StandIns
from smartproxy_tw.service.stock import Stock
from smartproxy_tw.testing.fakes import FakePlane, Story

from .configurations import configuration

NOW = 1_800_000_000.0
SIGNER = Signer.create("A test's root", now=NOW - 86400.0)
WHOLE = Auto(("a.example", "b.example", "c.example"))


class StandInsTests(SynchronousTestCase):
    """
    One certificate that is not there, and what there is.
    """

    def setUp(self) -> None:
        clock = Clock()
        clock.advance(NOW)
        self.plane = FakePlane(Story())
        self.standIns = StandIns(self.plane, clock)
        self.kept = {
            Auto((name,)).key: SIGNER.issue((name,), lifetime=86400.0, now=NOW) for name in WHOLE.names[:2]
        }

    def find(self, *uncovered: str, served: tuple[str, ...] = ()) -> None:
        """
        Look for what stands in for the whole.
        """
        whole: Any = SimpleNamespace(auto=WHOLE, standing=SimpleNamespace(uncovered=uncovered))
        found = self.standIns.find([whole], Stock(self.kept), served)
        self.successResultOf(Deferred.fromCoroutine(found))

    def shown(self, config: Config, name: str) -> str:
        """
        The identity of what is shown for a name.
        """
        tls = config.routes[0].tls
        source = None if tls is None else tls.sourceFor(name)
        assert source is not None
        return source.key

    def test_shown(self) -> None:
        """
        Each name is shown what there is for it, and what there is nothing for the
        whole, as it is; that ends when the whole is there.
        """
        config = configuration("/state", WHOLE, Internal(("d.test",)), None)
        self.find(*WHOLE.names)
        self.assertEqual(self.plane.installed, self.kept)
        made = self.standIns.into(config)
        self.assertEqual([self.shown(made, name) for name in WHOLE.names], [*self.kept, WHOLE.key])
        self.assertEqual(made.routes[1:], config.routes[1:])
        self.assertTrue(self.standIns.drop(WHOLE.key))
        self.assertFalse(self.standIns.drop(WHOLE.key))
        self.assertIs(self.standIns.into(config), config)

    def test_nothingMissing(self) -> None:
        """
        Where every name has a certificate, or there is none to be had, nothing is
        changed.
        """
        config = configuration("/state", WHOLE)
        self.find()
        self.find("c.example")
        self.assertIs(self.standIns.into(config), config)
        self.assertEqual(self.plane.installed, {})

    def test_part(self) -> None:
        """
        It stands in beside the other parts of a route, too.
        """
        other = Auto(("x.example",))
        (route,) = configuration("/state", WHOLE).routes
        several = Several((*WHOLE.names, "x.example"), (WHOLE, other))
        config = replace(
            configuration("/state", WHOLE), routes=(replace(route, tls=TLS("terminate", several)),)
        )
        self.find("b.example")
        made = self.standIns.into(config)
        found = [self.shown(made, name) for name in ("a.example", "b.example", "x.example")]
        self.assertEqual(found, [WHOLE.key, "auto:b.example", other.key])

    def test_unusable(self) -> None:
        """
        What the data path cannot serve stands in for nothing, and what somebody else
        sees to is not touched.
        """
        config = configuration("/state", WHOLE)
        self.find("a.example", served=("auto:a.example",))
        self.assertEqual(self.plane.installed, {})
        self.assertEqual(self.shown(self.standIns.into(config), "a.example"), "auto:a.example")
        self.standIns.drop(WHOLE.key)
        self.patch(self.plane, "install", lambda key, credential: fail(ValueError("no")))
        self.find("a.example")
        self.assertIs(self.standIns.into(config), config)
