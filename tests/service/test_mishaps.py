"""
What went wrong for users of other proxies with automatic certificates, each told once
and by its name, with a whole proxy among fakes.  Elsewhere are the details: the rooms
test their own part of each.
"""

from __future__ import annotations

import errno
import os
from dataclasses import replace

from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.errors import ERRORS, AuthorityProblem, AuthorityUnreachable, Problem
from smartproxy_tw.acme.x509 import describe
from smartproxy_tw.config.model import Acme, Auto
from smartproxy_tw.service.errors import ListenError
from smartproxy_tw.store.certificates import DirectoryCertificates, pemObjects
from smartproxy_tw.store.directory import SecureDirectory

from ..store.fakes import FrailFiles
from .configurations import BLOG, SHOP
from .test_acme_timing import NOW, SIGNER, World

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
AWAY = AuthorityUnreachable("https://ca.example/", "connection refused")
REFUSED = AuthorityProblem(
    "verifying shop.example", Problem(f"{ERRORS}unauthorized", "wrong answer", 403, "shop.example")
)


class IssuedBeforeThePortWasBound(SynchronousTestCase):
    """
    1. Orders were placed while the port of the challenge was not bound, and the first
    one always failed.
    """

    def test_waits(self) -> None:
        """
        Whichever port takes its time, nothing is asked before it is bound and served.
        """
        for late in (80, 443):
            world = World(self)
            world.listen.hesitates(late)
            world.proxy.startService()
            world.clock.advance(DAY)
            self.assertFalse(world.asked, late)
            world.listen.opens(late)
            self.assertLess(
                world.story.position(f"adopted {late}"), world.story.position("asked for shop.example")
            )

    def test_neverBound(self) -> None:
        """
        When it cannot be bound, the authority hears nothing of us.
        """
        world = World(self)
        world.listen.hesitates(80)
        ready = world.proxy.whenReady()
        world.proxy.startService()
        world.listen.refusesNow(80, errno.EACCES)
        self.failureResultOf(ready, ListenError)
        world.clock.advance(DAY)
        self.assertFalse(world.asked)


class ListenerAddedAndRemovedPerCertificate(SynchronousTestCase):
    """
    2. The listener of the challenge came and went with each certificate, and met with
    itself: address already in use.
    """

    def test_once(self) -> None:
        """
        Twenty certificates at once, their failures and their renewals bind each port
        once, and let go of none before the end.
        """
        world = World(self, *(Auto((f"site{number}.example",)) for number in range(20)))
        world.authority.refuses(REFUSED, "site3.example")
        world.proxy.startService()
        world.clock.pump([6 * HOUR] * 4 * 70)
        self.assertGreater(sum(world.authority.orders.values()), 40)
        bound = [line for line in world.story.lines if line.startswith(("bound", "closed"))]
        self.assertEqual(bound, ["bound 80", "bound 443"])


class OwnListenerReportedAsSomebodyElses(SynchronousTestCase):
    """
    3. The port of the challenge was in use, by the proxy's own listener for users, and
    was reported as taken by another program.
    """

    def test_shared(self) -> None:
        """
        A port that routes and the challenge both want is bound once, and serves both.
        """
        world = World(self)
        acme = replace(world.config.acme, httpPort=443)
        world.proxy = world.proxyFor(replace(world.config, acme=acme))
        self.addCleanup(world.proxy.stopService)
        world.proxy.startService()
        self.successResultOf(world.proxy.whenReady())
        self.assertEqual(world.listen.open, [443])
        self.assertEqual([each.state for each in world.proxy.status()], ["valid"])


class StateRebuiltWithTheRoutes(SynchronousTestCase):
    """
    4. New routes rebuilt all that was known of orders: those under way were lost, and
    the authority's call-backs met nobody.
    """

    def test_underWay(self) -> None:
        """
        An order that is under way while the routes change ends well, presented all
        the time, and is placed once.
        """
        many = Auto(tuple(f"shop{number}.example" for number in range(9)))
        world = World(self, SHOP, many)
        world.authority.thinks()
        world.proxy.startService()
        world.authority.takes(4)
        # Only the answer to the large order is given: its routes change then.
        world.authority.decides(many.names)
        world.clock.advance(0)
        self.assertEqual(world.story.lines.count("routed"), 2)
        self.assertFalse(world.story.has("withdrew http-01 shop.example"))
        world.authority.decides()
        self.assertEqual({each.state for each in world.proxy.status()}, {"valid"})
        self.assertEqual(world.authority.orders[SHOP.names], 1)


class IssueStorm(SynchronousTestCase):
    """
    26. What failed was tried again at once, a thousand times, until the authority
    closed its door for a week.
    """

    def test_failing(self) -> None:
        """
        A name that fails for a week costs a dozen orders, and not more when the
        process is restarted every hour.
        """
        world = World(self)
        world.authority.refuses(REFUSED)
        world.proxy.startService()
        world.clock.pump([MINUTE] * 60 * 24)
        self.assertLess(world.authority.orders[SHOP.names], 8)
        for _ in range(24):
            self.successResultOf(world.proxy.stopService())
            world.proxy.startService()
            world.clock.pump([MINUTE] * 60)
        # Three an hour at most: Let's Encrypt takes five.
        self.assertLess(world.authority.orders[SHOP.names], 8 + 24 * 3)


class RenewalThatDeletedTheGoodOneFirst(SynchronousTestCase):
    """
    27. A renewal began by deleting what was to be renewed, and then failed.
    """

    def test_kept(self) -> None:
        """
        All through a renewal that fails for weeks, the old certificate serves and
        rests in the store, until its last day and beyond.
        """
        world = World(self)
        stored = world.store("shop.example", age=50 * DAY)
        world.authority.refuses(REFUSED)
        world.proxy.startService()
        for _ in range(45):
            world.clock.pump([HOUR] * 24)
            self.assertEqual(world.plane.installed[SHOP.key], stored)
        self.assertGreater(world.authority.orders[SHOP.names], 5)
        kept = self.successResultOf(world.certificates.as_dict())
        self.assertEqual(kept["shop.example"], pemObjects(stored))
        world.authority.agrees()
        # A day, and up to a quarter more by chance.
        world.clock.pump([HOUR] * 31)
        self.assertNotEqual(world.plane.installed[SHOP.key], stored)


class StoreKeyedByTheNameOfTheRoute(SynchronousTestCase):
    """
    28. Certificates were kept by the name of their route: a route with a new name lost
    its certificate, one that took an old name had a wrong one.
    """

    def test_renamed(self) -> None:
        """
        Two routes that change their names with one another keep their certificates,
        and nothing is ordered.
        """
        world = World(self, SHOP, BLOG)
        world.proxy.startService()
        before = dict(world.plane.installed)
        self.successResultOf(world.proxy.stopService())
        first, second = world.config.routes
        swapped = replace(
            world.config, routes=(replace(first, name=second.name), replace(second, name=first.name))
        )
        world.plane.installed.clear()
        proxy = world.proxyFor(swapped)
        self.addCleanup(proxy.stopService)
        proxy.startService()
        self.assertEqual(world.plane.installed, before)
        self.assertEqual(dict(world.authority.orders), {SHOP.names: 1, BLOG.names: 1})


class FullDisk(SynchronousTestCase):
    """
    29. A full disk left stores of no bytes, or stopped issuance for good.
    """

    def test_nothingCut(self) -> None:
        """
        What cannot be written leaves the old one whole, and nothing beside it.
        """
        files = FrailFiles()
        directory = SecureDirectory(os.path.abspath(self.mktemp()), files).open()
        store = DirectoryCertificates(directory)
        old, new = (SIGNER.issue(("a.example",), lifetime=DAY * days, now=NOW) for days in (10, 90))
        self.successResultOf(store.store("a.example", pemObjects(old)))
        files.fillUp()
        self.failureResultOf(store.store("a.example", pemObjects(new)), OSError)
        self.assertEqual(os.listdir(directory.path), ["a.example.pem"])
        self.assertEqual(self.successResultOf(store.get("a.example")), pemObjects(old))

    def test_goesOn(self) -> None:
        """
        Certificates are had and served while nothing can be saved, and are in the
        store seconds after there is room.
        """
        world = World(self)
        store = world.certificates.store

        def refuse(name: str, objects: object) -> Deferred[None]:
            return fail(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))

        world.certificates.store = refuse  # type: ignore[method-assign]
        world.proxy.startService()
        world.clock.pump([MINUTE] * 60)
        (status,) = world.proxy.status()
        self.assertEqual(status.state, "unsaved")
        self.assertIn("No space left", status.problem or "")
        self.assertEqual(describe(world.plane.installed[SHOP.key].chain).issuer, "CN=Test root")
        world.certificates.store = store  # type: ignore[method-assign]
        world.clock.pump([1.0] * 5)
        self.assertIn("shop.example", self.successResultOf(world.certificates.as_dict()))
        self.assertEqual(world.authority.orders[SHOP.names], 1)


class OutageAtTheStart(SynchronousTestCase):
    """
    30. An authority that was away at the start meant no certificate until a restart.
    """

    def test_comesBack(self) -> None:
        """
        However long it was away, the certificate is there within half a minute of its
        return.
        """
        # Looking ever more rarely would show after an hour, and show more after three.
        for hours in (0, 1, 3):
            world = World(self)
            world.authority.refuses(AWAY)
            world.proxy.startService()
            world.clock.pump([30.0] * 2 * 60 * hours)
            self.assertEqual([each.state for each in world.proxy.status()], ["failed"])
            world.authority.agrees()
            world.clock.pump([1.0] * 31)
            self.assertEqual([each.state for each in world.proxy.status()], ["valid"], hours)


class WindowOfThirtyDays(SynchronousTestCase):
    """
    33. Certificates were renewed thirty days before their end, and those that live for
    six days were renewed without end.
    """

    def test_shortLived(self) -> None:
        """
        Over a month, a certificate of six days is ordered every four, and one of six
        hours every four hours; there is always a valid one.
        """
        for lifetime, month, most in ((6 * DAY, 30 * DAY, 9), (6 * HOUR, 2 * DAY, 14)):
            world = World(self)
            # Let's Encrypt would not issue for the same names so often.
            acme = Acme(directory="https://ca.example/")
            proxy = world.proxyFor(replace(world.config, acme=acme))
            self.addCleanup(proxy.stopService)
            world.authority.agrees(lifetime=lifetime)
            proxy.startService()
            step = lifetime / 100
            for _ in range(int(month / step)):
                world.clock.advance(step)
                served = describe(world.plane.installed[SHOP.key].chain)
                self.assertGreater(served.notAfter, world.clock.seconds() + lifetime / 4)
            self.assertLessEqual(world.authority.orders[SHOP.names], most)
            self.assertGreaterEqual(world.authority.orders[SHOP.names], month / lifetime)
