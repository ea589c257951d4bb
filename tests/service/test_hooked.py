"""
When the operator's programs are run in the life of a whole proxy, told with fakes:
see L{smartproxy_tw.service.hooks} and L{smartproxy_tw.service.life}.
"""

from __future__ import annotations

import os
from dataclasses import replace
from random import Random
from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.errors import AuthorityProblem, Problem
from smartproxy_tw.acme.x509 import Signer, describe
from smartproxy_tw.config.model import Acme, CertificateHook
from smartproxy_tw.service.tree import SmartProxy
from smartproxy_tw.testing.fakes import FakeAuthority, FakeListen, FakePlane, Story
from tests.programs.spawning import Spawning

from .configurations import SHOP, configuration

NOW = 1_800_000_000
DAY = 86400.0
SIGNER = Signer.create("Test root", now=NOW - 86400)


class HookedTests(SynchronousTestCase):
    """
    One certificate, and one program for all that happens to it.
    """

    def setUp(self) -> None:
        self.reactor = Spawning()
        self.reactor.advance(NOW)
        self.story = Story()
        self.listen = FakeListen(self.story)
        self.plane = FakePlane(self.story)
        self.authority = FakeAuthority(self.story, self.plane, SIGNER, self.reactor.seconds)
        hook = CertificateHook(("/bin/tell",), ("issued", "renewed", "failed", "expiring"))
        self.config = configuration(os.path.abspath(self.mktemp()), SHOP, acme=Acme(hooks=(hook,)))
        self.proxy = self.begin()

    def begin(self) -> SmartProxy:
        """
        A process begins.
        """
        proxy = SmartProxy(
            self.config,
            self.reactor,
            plane=lambda: self.plane,
            listen=self.listen,  # type: ignore[arg-type]
            obtain=self.authority.obtain,
            run=maybeDeferred,
            chance=Random(0),
        )
        self.addCleanup(proxy.stopService)
        return proxy

    def ends(self, status: int = 0) -> None:
        """
        The last program that was run ends.
        """
        why: Any = ProcessTerminated(status) if status else ProcessDone(0)
        self.reactor.started[-1].processExited(Failure(why))
        self.reactor.advance(1)

    def test_afterAll(self) -> None:
        """
        It is run when the certificate is served and in the file that it is told.
        """
        self.authority.thinks()
        self.proxy.startService()
        self.plane.holds("install")
        self.authority.decides()
        self.assertEqual(self.reactor.started, [])
        self.plane.finishes("install")
        (told,) = self.reactor.environments
        self.assertEqual(told["SMARTPROXY_EVENT"], "issued")
        facts = describe(self.plane.installed[SHOP.key].chain)
        self.assertEqual(told["SMARTPROXY_SERIAL"], f"{facts.serial:x}")
        with open(told["SMARTPROXY_FILE"], "rb") as file:
            self.assertIn(self.plane.installed[SHOP.key].chain, file.read())
        self.assertEqual(told["SMARTPROXY_NAMES"], "shop.example")

    def test_restart(self) -> None:
        """
        The next process runs it again only if it did not end well in this one, and not
        before the ports are served.
        """
        self.proxy.startService()
        stopping = self.proxy.stopService()
        self.assertNoResult(stopping)
        self.ends(status=1)
        self.successResultOf(stopping)
        proxy = self.begin()
        self.plane.holds("adopt")
        proxy.startService()
        self.assertEqual(len(self.reactor.started), 1)
        self.plane.finishes("adopt")
        self.assertEqual(len(self.reactor.started), 2)
        self.ends()
        self.successResultOf(proxy.stopService())
        proxy = self.begin()
        proxy.startService()
        self.successResultOf(proxy.whenReady())
        self.assertEqual(len(self.reactor.started), 2)
        self.assertEqual(dict(self.authority.orders), {SHOP.names: 1})

    def test_renewal(self) -> None:
        """
        Nobody waits for it: while the one for the first certificate runs, and fails,
        the second is had in its time, and the status says what went wrong.
        """
        self.proxy.startService()
        self.reactor.pump([60.0] * 2)
        (problem,) = [each.problem for each in self.proxy.status()]
        self.assertEqual(problem, "the hook /bin/tell was ended after 120 s, and wrote nothing")
        self.assertIn("the hook /bin/tell", self.proxy.figures()[0].reason or "")
        self.reactor.advance(61 * DAY)
        self.assertEqual(dict(self.authority.orders), {SHOP.names: 2})
        self.ends()
        self.assertIsNone(self.proxy.status()[0].problem)
        served = describe(self.plane.installed[SHOP.key].chain)
        self.assertEqual(self.reactor.environments[-1]["SMARTPROXY_SERIAL"], f"{served.serial:x}")
        self.reactor.advance(61 * DAY)
        self.assertEqual(self.reactor.environments[-1]["SMARTPROXY_EVENT"], "renewed")

    def test_failed(self) -> None:
        """
        It is told of an order that failed, and when it is tried again.
        """
        problem = Problem("urn:ietf:params:acme:error:caa", "CAA forbids it", 403)
        self.authority.refuses(AuthorityProblem("asking", problem))
        self.proxy.startService()
        (told,) = self.reactor.environments
        self.assertEqual(told["SMARTPROXY_EVENT"], "failed")
        self.assertIn("CAA forbids it", told["SMARTPROXY_PROBLEM"])
        self.assertRegex(told["SMARTPROXY_NEXT_ATTEMPT"], r"\A2027-01-15T08:01:\d\dZ\Z")
        self.assertNotIn("SMARTPROXY_FILE", told)

    def test_expiring(self) -> None:
        """
        It is told of a certificate that ends soon, once, and of none whose successor is had.
        """
        self.proxy.startService()
        self.ends()
        refusal = Problem("urn:ietf:params:acme:error:caa", "CAA forbids it", 403)
        self.authority.refuses(AuthorityProblem("asking", refusal))
        for _ in range(4 * 85):
            self.reactor.advance(DAY / 4)
            self.ends()
        events = [each["SMARTPROXY_EVENT"] for each in self.reactor.environments]
        self.assertEqual(events.count("expiring"), 1)
        told = self.reactor.environments[events.index("expiring")]
        served = describe(self.plane.installed[SHOP.key].chain)
        self.assertEqual(told["SMARTPROXY_SERIAL"], f"{served.serial:x}")
        self.assertEqual(told["SMARTPROXY_EXPIRES"], "2027-04-15T08:00:00Z")
        self.assertIn("CAA forbids it", told["SMARTPROXY_PROBLEM"])
        self.assertEqual(events[-1], "failed")
        self.authority.agrees()
        for _ in range(4 * 40):
            self.reactor.advance(DAY / 4)
            self.ends()
        events = [each["SMARTPROXY_EVENT"] for each in self.reactor.environments]
        self.assertEqual((events[-1], events.count("expiring")), ("renewed", 1))

    def test_none(self) -> None:
        """
        Without one nothing is written for it.
        """
        self.config = replace(self.config, acme=Acme())
        proxy = self.begin()
        proxy.startService()
        self.successResultOf(proxy.stopService())
        self.assertNotIn("hooks.json", os.listdir(self.config.stateDir))
