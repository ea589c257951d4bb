"""
The founding story, told with fakes: certificates are loaded first, the ports
listen, and only then is a certificate authority asked for anything.

Four links lead from a port to a certificate, each awaited: bound, adopted,
presented, installed.  Each has a test here that holds it back and sees that
nothing goes past it.  C{tests/live/test_promise.py} tells the same story with
Pebble.
"""

from __future__ import annotations

import os
from random import Random
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.x509 import Signer, describe
from smartproxy_tw.config.model import Auto, Config
from smartproxy_tw.service.errors import ListenError, StartError, StoppedError
from smartproxy_tw.service.tree import SmartProxy
from smartproxy_tw.store.certificates import Credentials
from smartproxy_tw.store.memory import MemoryAccounts, MemoryCertificates
from smartproxy_tw.testing.fakes import FakeAuthority, FakeListen, FakePlane, Story

from .configurations import BLOG, SHOP, configuration

NOW = 1_800_000_000
SIGNER = Signer.create("Test root", now=NOW - 86400)


class World:
    """
    A proxy among fakes.
    """

    def __init__(self, test: SynchronousTestCase, *wanted: Auto) -> None:
        self.story = Story()
        self.clock = Clock()
        self.clock.advance(NOW)
        self.listen = FakeListen(self.story)
        self.plane = FakePlane(self.story)
        self.authority = FakeAuthority(self.story, self.plane, SIGNER, self.clock.seconds)
        self.certificates = MemoryCertificates()
        self.config = configuration(os.path.abspath(test.mktemp()), *(wanted or (SHOP,)))
        self.proxy = self.proxyFor(self.config)
        test.addCleanup(self.proxy.stopService)

    def proxyFor(self, config: Config) -> SmartProxy:
        """
        A proxy in this world.
        """

        def plane() -> FakePlane:
            self.story.tell("data path made")
            return self.plane

        return SmartProxy(
            config,
            self.clock,
            plane=plane,
            listen=self.listen,  # type: ignore[arg-type]
            obtain=self.authority.obtain,
            certificates=self.certificates,
            accounts=MemoryAccounts(),
            run=maybeDeferred,
            chance=Random(0),
        )

    def store(self, *names: str, age: float = 0.0) -> Any:
        """
        Lay a certificate into the store, issued some seconds ago.
        """
        credential = SIGNER.issue(names, lifetime=90 * 86400.0, now=NOW - age)
        Credentials(self.certificates).save(credential)
        return credential

    @property
    def asked(self) -> bool:
        """
        Whether the authority was asked for anything.
        """
        return bool(self.authority.orders)


class OrderTests(SynchronousTestCase):
    """
    What comes after what.
    """

    def test_wholeStory(self) -> None:
        """
        Bound, data path ready, certificates loaded, adopted, and only then
        asked for; presented before the certificate, withdrawn after it serves.
        """
        world = World(self)
        ready = world.proxy.whenReady()
        world.proxy.startService()
        self.successResultOf(ready)
        self.assertEqual(
            world.story.lines,
            [
                "bound 80",
                "bound 443",
                "data path made",
                "started",
                "routed",
                "installed auto:shop.example",
                "adopted 80",
                "adopted 443",
                "asked for shop.example",
                "presented http-01 shop.example",
                "installed auto:shop.example",
                "withdrew http-01 shop.example",
            ],
        )
        self.assertEqual(world.proxy.milestones.reached, {"bound": 0.0, "adopted": 0.0})

    def test_storedIsLoadedBeforeListening(self) -> None:
        """
        A certificate of an earlier start serves before the first connection is
        accepted, and nobody is asked for another.
        """
        world = World(self)
        stored = world.store("shop.example")
        world.proxy.startService()
        self.assertEqual(world.plane.installed, {SHOP.key: stored})
        self.assertLess(
            world.story.position("installed auto:shop.example"), world.story.position("adopted 80")
        )
        self.assertFalse(world.asked)

    def test_portsOfChallengesAreBoundWithoutRoutes(self) -> None:
        """
        No route names port 80, and it is bound and served before the order.
        """
        world = World(self)
        world.proxy.startService()
        self.assertEqual(world.listen.open, [80, 443])
        self.assertEqual(world.plane.adopted, [80, 443])

    def test_noReadingBeforeAdoption(self) -> None:
        """
        Nobody accepts on a port before the data path does.
        """
        world = World(self)
        world.plane.holds("start")
        world.proxy.startService()
        self.assertEqual([port.isReading for port in world.listen.ports], [False, False])


class LinkTests(SynchronousTestCase):
    """
    Each of the four links, held back.
    """

    def test_bound(self) -> None:
        """
        As long as one C{listen} has not answered, nothing is adopted and
        nothing is asked; when it answers, all goes on.
        """
        world = World(self, SHOP, BLOG)
        world.listen.hesitates(443)
        ready = world.proxy.whenReady()
        world.proxy.startService()
        world.clock.advance(3600.0)
        self.assertNoResult(ready)
        self.assertEqual(world.plane.adopted, [])
        self.assertFalse(world.asked)
        world.listen.opens(443)
        self.successResultOf(ready)
        self.assertEqual(dict(world.authority.orders), {SHOP.names: 1, BLOG.names: 1})

    def test_adopted(self) -> None:
        """
        As long as the data path has not taken every port, nothing is asked.
        """
        world = World(self)
        world.plane.holds("adopt")
        ready = world.proxy.whenReady()
        world.proxy.startService()
        world.clock.advance(3600.0)
        self.assertEqual(world.listen.open, [80, 443])
        self.assertNoResult(ready)
        self.assertFalse(world.asked)
        world.plane.finishes("adopt")
        self.successResultOf(ready)
        self.assertTrue(world.asked)

    def test_presented(self) -> None:
        """
        As long as the data path does not serve the answer, there is no
        certificate; what the authority itself is told meanwhile is told by
        tests.acme.
        """
        world = World(self)
        world.plane.holds("present")
        world.proxy.startService()
        world.clock.advance(3600.0)
        self.assertEqual(world.story.lines[-1], "asked for shop.example")
        world.plane.finishes("present")
        self.assertEqual(world.story.lines[-1], "withdrew http-01 shop.example")

    def test_installed(self) -> None:
        """
        As long as the data path does not serve the certificate, the challenge
        stays, and the certificate is not counted as had.
        """
        world = World(self)
        world.authority.thinks()
        world.proxy.startService()
        world.plane.holds("install")
        world.authority.decides()
        (status,) = world.proxy.status()
        self.assertEqual(status.state, "ordering")
        self.assertEqual(len(world.plane.presented), 1)
        self.assertEqual(world.certificates.entries, {})
        world.plane.finishes("install")
        (status,) = world.proxy.status()
        self.assertEqual(status.state, "valid")
        self.assertEqual(world.plane.presented, [])
        self.assertEqual(list(world.certificates.entries), ["shop.example"])


class RefusalTests(SynchronousTestCase):
    """
    A port that cannot be had.
    """

    def test_atOnce(self) -> None:
        """
        A port that is taken raises one exception from the phase that binds,
        whose text is all an operator needs; no data path is made, the other
        ports are closed, and the authority never hears of us.
        """
        world = World(self)
        world.listen.refuses(443)
        error = self.assertRaises(ListenError, world.proxy.privilegedStartService)
        self.assertIn("127.0.0.1:443", str(error))
        self.assertIn("Address already in use", str(error))
        self.assertNotIn("\n", str(error))
        self.assertEqual(world.listen.open, [])
        self.assertEqual(world.story.lines, ["bound 80", "closed 80"])
        self.assertIs(world.proxy.error, error)

    def test_whereTheFirstPhaseIsSkipped(self) -> None:
        """
        C{twist} and embedders begin with C{startService}: it is the same.
        """
        world = World(self)
        world.listen.refuses(80)
        self.assertRaises(ListenError, world.proxy.startService)
        self.assertEqual(world.listen.open, [])
        self.assertFalse(world.story.has("data path made"))

    def test_late(self) -> None:
        """
        A port that is refused after everything else was ready ends the start:
        all is stopped in reverse, and the authority never hears of us.
        """
        world = World(self, SHOP, BLOG)
        world.listen.hesitates(443)
        ready = world.proxy.whenReady()
        world.proxy.startService()
        world.listen.refusesNow(443)
        error = self.failureResultOf(ready, ListenError).value
        self.assertIn("127.0.0.1:443", str(error))
        self.assertFalse(world.asked)
        self.assertEqual(world.listen.open, [])
        self.assertEqual(world.plane.adopted, [])
        self.assertEqual(world.story.lines[-2:], ["closed 80", "drained within 30 s"])

    def test_adoptionFails(self) -> None:
        """
        A data path that cannot take a port ends the start likewise.
        """
        world = World(self)
        world.plane.breaks("adopt", RuntimeError("no such worker"))
        ready = world.proxy.whenReady()
        world.proxy.startService()
        self.failureResultOf(ready, RuntimeError)
        self.flushLoggedErrors(RuntimeError)
        self.assertFalse(world.asked)
        self.assertEqual(world.listen.open, [])

    def test_silentStore(self) -> None:
        """
        A store of somebody else's that never answers ends the start after a while,
        and nothing is asked of the authority.
        """

        class Silent(MemoryCertificates):
            def as_dict(self) -> Deferred[dict[str, list[Any]]]:
                return Deferred(lambda _: None)

        world = World(self)
        world.certificates = Silent()
        proxy = world.proxyFor(world.config)
        self.addCleanup(proxy.stopService)
        proxy.startService()
        ready = proxy.whenReady()
        self.assertNoResult(ready)
        world.clock.advance(30.0)
        why = self.failureResultOf(ready, StartError).value
        self.assertIn("Silent.as_dict did not answer within 30 s", str(why))
        self.assertFalse(world.asked)

    def test_askingEarlyWaitsAtTheGate(self) -> None:
        """
        C{provisionAll} is public, and whoever calls it early waits: the promise
        does not rest on the caller.
        """
        world = World(self)
        world.listen.hesitates(443)
        world.proxy.startService()
        assert world.proxy.certificates is not None
        early = world.proxy.certificates.provisionAll()
        self.assertNoResult(early)
        self.assertFalse(world.asked)
        world.listen.opens(443)
        (status,) = self.successResultOf(early)
        self.assertEqual(status.state, "valid")
        self.assertEqual(dict(world.authority.orders), {SHOP.names: 1})

    def test_askingEarlyInVain(self) -> None:
        """
        When the ports are never had, neither is anything asked for those who
        wait at the gate.
        """
        world = World(self)
        world.listen.hesitates(443)
        world.proxy.startService()
        assert world.proxy.certificates is not None
        early = world.proxy.certificates.provisionAll()
        world.listen.refusesNow(443)
        self.failureResultOf(early, StoppedError)
        self.assertFalse(world.asked)


class EndTests(SynchronousTestCase):
    """
    The same way backwards.
    """

    def test_mirrorImage(self) -> None:
        """
        No more orders, their challenges withdrawn, ports released and closed,
        then the data path drained.
        """
        world = World(self)
        world.authority.thinks()
        world.proxy.startService()
        del world.story.lines[:]
        self.successResultOf(world.proxy.stopService())
        self.assertEqual(
            world.story.lines,
            [
                "withdrew http-01 shop.example",
                "released 443",
                "closed 443",
                "released 80",
                "closed 80",
                "drained within 30 s",
            ],
        )
        self.assertEqual(world.clock.getDelayedCalls(), [])

    def test_waitsForTheDrain(self) -> None:
        """
        Stopping is over when the data path has drained.
        """
        world = World(self)
        world.proxy.startService()
        world.plane.holds("drain")
        stopped = world.proxy.stopService()
        self.assertNoResult(stopped)
        world.plane.finishes("drain")
        self.successResultOf(stopped)

    def test_stoppedWhileStarting(self) -> None:
        """
        A stop in the middle of the start leaves no port and asks nobody, and
        those who waited are told.
        """
        for verb in ("start", "useTable", "install", "adopt"):
            world = World(self)
            world.plane.holds(verb)
            ready = world.proxy.whenReady()
            world.proxy.startService()
            self.successResultOf(world.proxy.stopService())
            self.failureResultOf(ready, StoppedError)
            self.assertEqual(world.listen.open, [])
            self.assertFalse(world.asked)
            self.assertEqual(world.clock.getDelayedCalls(), [])

    def test_stoppedWhileBinding(self) -> None:
        """
        A C{listen} that answers after the stop is closed at once.
        """
        world = World(self)
        world.listen.hesitates(443)
        world.proxy.startService()
        self.successResultOf(world.proxy.stopService())
        world.listen.opens(443)
        self.assertEqual(world.listen.open, [])

    def test_startedAgain(self) -> None:
        """
        After a stop it can be started again, and uses what it obtained before.
        """
        world = World(self)
        world.proxy.startService()
        self.successResultOf(world.proxy.stopService())
        ready = world.proxy.whenReady()
        world.proxy.startService()
        self.successResultOf(ready)
        self.assertEqual(dict(world.authority.orders), {SHOP.names: 1})
        self.assertEqual(describe(world.plane.installed[SHOP.key].chain).names, SHOP.names)

    def test_eachCallerHasADeferredOfItsOwn(self) -> None:
        """
        Who cancels C{whenReady} concerns nobody else; who asks later is
        answered at once.
        """
        world = World(self)
        world.plane.holds("start")
        first, second = world.proxy.whenReady(), world.proxy.whenReady()
        world.proxy.startService()
        first.addErrback(lambda _: None)
        first.cancel()
        world.plane.finishes("start")
        self.successResultOf(second)
        self.successResultOf(world.proxy.whenReady())
