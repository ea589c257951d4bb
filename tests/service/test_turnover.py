"""
From one configuration to another, told with fakes: what comes after what, and that
after a failure at any of the steps all is as before.
"""

from __future__ import annotations

import errno
import gc
import os
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any
from weakref import ref

from twisted.internet import inotify
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.errors import AuthorityUnreachable
from smartproxy_tw.acme.x509 import Signer, describe
from smartproxy_tw.config.changes import Changes
from smartproxy_tw.config.model import Acme, Auto, Config, Files, Internal, Respond, Route, Timeouts
from smartproxy_tw.control.errors import PlaneLost
from smartproxy_tw.service.errors import ChangeRefused, RestartNeeded, StoppedError
from smartproxy_tw.service.tree import SmartProxy
from smartproxy_tw.store.certificates import Credentials
from smartproxy_tw.store.memory import MemoryAccounts, MemoryCertificates
from smartproxy_tw.testing.fakes import FakeAuthority, FakeListen, FakePlane, Story

from .configurations import BLOG, SHOP, configuration, route

NOW = 1_800_000_000
SIGNER = Signer.create("Test root", now=NOW - 86400)
PLAIN = Route("plain", (8080,), Respond(body="plain"), "http")


def _refuse(reactor: object) -> None:
    raise OSError(errno.EMFILE, "Too many open files")


class ReloadTests(SynchronousTestCase):
    """
    A proxy among fakes, which is served.
    """

    def setUp(self) -> None:
        self.story = Story()
        self.clock = Clock()
        self.clock.advance(NOW)
        self.listen = FakeListen(self.story)
        self.plane = FakePlane(self.story)
        self.authority = FakeAuthority(self.story, self.plane, SIGNER, self.clock.seconds)
        self.certificates = MemoryCertificates()
        self.state = os.path.abspath(self.mktemp())
        self.proxy = self.proxyFor(configuration(self.state, SHOP))

    def proxyFor(self, config: Config, **parts: Any) -> SmartProxy:
        """
        A proxy in this world.
        """
        proxy = SmartProxy(
            config,
            self.clock,
            plane=lambda: self.plane,
            listen=self.listen,  # type: ignore[arg-type]
            obtain=self.authority.obtain,
            certificates=self.certificates,
            accounts=MemoryAccounts(),
            run=maybeDeferred,
            chance=Random(0),
            **parts,
        )
        self.addCleanup(proxy.stopService)
        return proxy

    def begin(self) -> None:
        """
        Start, and forget what has happened.
        """
        self.proxy.startService()
        self.successResultOf(self.proxy.whenReady())
        self.story.lines.clear()

    def config(self, *routes: Route, acme: Acme | None = None) -> Config:
        """
        The same with these routes.
        """
        config = replace(configuration(self.state), routes=routes)
        return config if acme is None else replace(config, acme=acme)

    def keys(self) -> set[str]:
        """
        The certificates that there are.
        """
        return {each.key for each in self.proxy.status()}

    def refusal(self, changing: Deferred[Changes], kind: type[Exception] = ChangeRefused) -> str:
        """
        Why it is not done.
        """
        return str(self.failureResultOf(changing, kind).value)


class StoryTests(ReloadTests):
    """
    What comes after what.
    """

    def test_wholeStory(self) -> None:
        """
        New ports are bound, what is shown there is loaded, the table is exchanged, the
        ports are served, the old ones go, and only then a new name is asked for.
        """
        self.begin()
        found = self.successResultOf(
            self.proxy.reconfigure(self.config(route("blog", BLOG, port=8443), PLAIN))
        )
        self.assertEqual(
            self.story.lines,
            [
                "bound 8080",
                "bound 8443",
                "installed auto:blog.example,www.blog.example",
                "routed",
                "adopted 8080",
                "adopted 8443",
                "released 443",
                "closed 443",
                "uninstalled auto:shop.example",
                "asked for blog.example www.blog.example",
                "presented http-01 blog.example",
                "installed auto:blog.example,www.blog.example",
                "withdrew http-01 blog.example",
            ],
        )
        self.assertEqual(
            found,
            Changes(
                added=("blog", "plain"),
                removed=("route0",),
                bound=(8080, 8443),
                released=(443,),
                wanted=("auto:blog.example,www.blog.example",),
                dropped=("auto:shop.example",),
            ),
        )
        self.assertEqual(self.keys(), {"auto:blog.example,www.blog.example"})
        self.assertEqual(sorted(self.listen.open), [80, 8080, 8443])
        self.assertEqual(sorted(self.plane.adopted), [80, 8080, 8443])

    def test_nothing(self) -> None:
        """
        The same again only exchanges the table: files that it names are read anew.
        """
        self.begin()
        found = self.successResultOf(self.proxy.reconfigure(self.proxy.config))
        self.assertEqual((found, self.story.lines), (Changes(), ["routed"]))

    def test_settings(self) -> None:
        """
        Settings hold from then on, also at the end of the process.
        """
        self.begin()
        config = replace(self.proxy.config, timeouts=Timeouts(drain=7.0))
        found = self.successResultOf(self.proxy.reconfigure(config))
        self.assertEqual([each.name for each in found.settings], ["timeouts.drain"])
        assert self.plane.config is not None
        self.assertEqual(self.plane.config.timeouts.drain, 7.0)
        self.successResultOf(self.proxy.stopService())
        self.assertIn("drained within 7 s", self.story.lines)

    def test_departed(self) -> None:
        """
        Streams may last longer where another process serves; without one they have to end
        with the rest.
        """
        for isDeparted, told in (
            (True, "drained within 7 s, streams within 90 s"),
            (False, "drained within 7 s"),
        ):
            self.begin()
            config = replace(self.proxy.config, timeouts=Timeouts(drain=7.0, drainStreams=90.0))
            self.successResultOf(self.proxy.reconfigure(config))
            if isDeparted:
                self.successResultOf(self.proxy.testator.rest())
                self.successResultOf(self.proxy.testator.depart())
            self.successResultOf(self.proxy.stopService())
            self.assertIn(told, self.story.lines)

    def test_moreNames(self) -> None:
        """
        A route with one more name shows the certificate that it had until there is
        one for all of its names.
        """
        self.begin()
        self.authority.thinks()
        before = self.plane.installed["auto:shop.example"]
        both = Auto(("shop.example", "www.shop.example"))
        self.successResultOf(self.proxy.updateRoutes([route("route0", both)]))
        self.assertEqual(self.plane.installed, {both.key: before})
        self.authority.decides()
        self.assertEqual(set(describe(self.plane.installed[both.key].chain).names), set(both.names))

    def test_together(self) -> None:
        """
        Routes that are put together go on showing what each of them had, until there is
        one certificate for both; then nothing is left of the others.
        """
        other = Auto(("blog.example",))
        self.proxy = self.proxyFor(configuration(self.state, SHOP, other))
        self.begin()
        before = dict(self.plane.installed)
        self.authority.thinks()
        both = Auto(("shop.example", "blog.example"))
        self.successResultOf(self.proxy.updateRoutes([route("both", both)]))
        shown = self.plane.config
        assert shown is not None
        names = {}
        for each in both.names:
            source = shown.routes[0].tls.sourceFor(each)  # type: ignore[union-attr]
            assert isinstance(source, Auto)
            names[each] = describe(self.plane.installed[source.key].chain).names
        self.assertEqual(names, {each: (each,) for each in both.names})
        self.assertEqual(self.keys(), {both.key})
        # Another reload meanwhile changes nothing of that.
        self.successResultOf(self.proxy.addRoute(PLAIN))
        self.assertEqual(self.plane.config.routes[0], shown.routes[0])  # type: ignore[union-attr]
        self.assertLessEqual(set(self.plane.installed) - {both.key}, set(before))
        self.authority.decides()
        self.assertEqual(set(self.plane.installed), {both.key})
        self.assertEqual(set(describe(self.plane.installed[both.key].chain).names), set(both.names))
        self.assertEqual(self.plane.config, self.proxy.config)

    def test_togetherInVain(self) -> None:
        """
        When it cannot be put to use, what was to stand in is forgotten.
        """
        other = Auto(("blog.example",))
        self.proxy = self.proxyFor(configuration(self.state, SHOP, other))
        self.begin()
        before, table = dict(self.plane.installed), self.plane.config
        self.plane.breaks("adopt", PlaneLost("There is no worker."))
        both = Auto(("shop.example", "blog.example"))
        self.refusal(self.proxy.updateRoutes([route("both", both, port=8443)]))
        self.assertEqual((self.plane.installed, self.plane.config), (before, table))

    def test_comesBack(self) -> None:
        """
        A name that goes and comes again shows what rests in the store, without an
        order.
        """
        self.begin()
        before = self.plane.installed["auto:shop.example"]
        for routes in ((PLAIN,), (route("route0", SHOP),)):
            self.successResultOf(self.proxy.updateRoutes(routes))
        self.assertEqual(self.plane.installed, {"auto:shop.example": before})
        self.assertEqual(sum(self.authority.orders.values()), 1)

    def test_unsavedComesBack(self) -> None:
        """
        So does a certificate that could not be saved.
        """
        self.certificates.store = lambda name, objects: maybeDeferred(_full)  # type: ignore[method-assign]
        self.begin()
        before = self.plane.installed["auto:shop.example"]
        for routes in ((PLAIN,), (route("route0", SHOP),)):
            self.successResultOf(self.proxy.updateRoutes(routes))
        self.assertEqual(self.plane.installed, {"auto:shop.example": before})
        self.flushLoggedErrors()

    def test_leavesNothing(self) -> None:
        """
        What is dropped is gone at once, and waits for no collection of garbage: of what
        a process once left out of those there is none.
        """
        self.begin()
        self.successResultOf(self.proxy.addRoute(route("blog", BLOG)))
        assert self.proxy.certificates is not None
        known = [ref(each) for each in self.proxy.certificates._holdings.first]
        gc.disable()
        self.addCleanup(gc.enable)
        self.successResultOf(self.proxy.removeRoute("route0"))
        self.assertEqual([each() is None for each in known], [True, False])

    def test_firstCertificate(self) -> None:
        """
        A proxy that began without any certificate takes what rests in the store.
        """
        stored = SIGNER.issue(SHOP.names, lifetime=90 * 86400.0, now=NOW)
        self.successResultOf(Credentials(self.certificates).save(stored))
        self.proxy = self.proxyFor(self.config(PLAIN))
        self.begin()
        self.assertEqual(self.listen.open, [8080])
        self.successResultOf(self.proxy.addRoute(route("route0", SHOP)))
        self.assertEqual(self.plane.installed, {"auto:shop.example": stored})
        self.assertEqual(sorted(self.listen.open), [80, 443, 8080])
        self.assertFalse(self.authority.orders)

    def test_otherSources(self) -> None:
        """
        Certificates in files and by the local authority come and go likewise, and
        leave nothing that goes on.
        """
        self.proxy = self.proxyFor(self.config(PLAIN))
        self.begin()
        pair = SIGNER.issue(("file.example",), lifetime=90 * 86400.0, now=NOW)
        path = self.mktemp()
        with open(path, "wb") as file:
            file.write(pair.key + pair.chain)
        files, internal = Files(path, path), Internal(("in.example",))
        self.successResultOf(
            self.proxy.updateRoutes([route("files", files), route("internal", internal), PLAIN])
        )
        self.assertEqual(set(self.plane.installed), {files.key, internal.key})
        self.assertEqual({each.state for each in self.proxy.status()}, {"valid"})
        self.assertTrue(self.clock.getDelayedCalls())
        self.successResultOf(self.proxy.updateRoutes([PLAIN]))
        self.assertEqual(self.plane.installed, {})
        self.assertEqual(self.keys(), set())
        before = list(self.story.lines)
        self.clock.advance(86400 * 3650)
        self.assertEqual(self.story.lines, before)

    def test_manyCertificates(self) -> None:
        """
        Many certificates are loaded some at a time; meanwhile nothing has changed.
        """
        self.begin()
        many = [Auto((f"n{number}.example",)) for number in range(40)]
        changing = self.proxy.updateRoutes([route(each.names[0], each) for each in many])
        self.assertNoResult(changing)
        self.assertEqual(len(self.plane.installed), 17)
        self.assertNotIn("routed", self.story.lines)
        for _ in range(5):
            self.clock.advance(0)
        self.successResultOf(changing)
        for _ in range(5):
            self.clock.advance(0)
        self.assertEqual(set(self.plane.installed), {each.key for each in many})
        self.assertEqual({each.state for each in self.proxy.status()}, {"valid"})

    def test_twins(self) -> None:
        """
        Where there are two certificates for each set of names both come and go.
        """
        acme = Acme(keyType="both")
        self.proxy = self.proxyFor(self.config(PLAIN, acme=acme))
        self.begin()
        self.successResultOf(self.proxy.addRoute(route("route0", SHOP)))
        self.assertEqual(set(self.plane.installed), {"auto:shop.example", "rsa:shop.example"})
        self.assertEqual(self.keys(), set(self.plane.installed))
        self.successResultOf(self.proxy.removeRoute("route0"))
        self.assertEqual((self.plane.installed, self.keys()), ({}, set()))


class PortsTests(ReloadTests):
    """
    Many ports.
    """

    def test_many(self) -> None:
        """
        They are bound and given back some at a time.
        """
        self.begin()
        ports = tuple(range(10000, 10150))
        for wanted in (ports, ()):
            changing = self.proxy.updateRoutes([replace(PLAIN, ports=(*wanted, 8080))])
            self.assertNoResult(changing)
            for _ in range(3):
                self.clock.advance(0)
            self.successResultOf(changing)
            self.assertEqual(sorted(self.listen.open), [8080, *wanted])
            self.assertEqual(sorted(self.plane.adopted), [8080, *wanted])

    def test_oneOfManyIsRefused(self) -> None:
        """
        The last of many: none of the others is left.
        """
        self.begin()
        self.listen.refuses(10149)
        changing = self.proxy.updateRoutes([replace(PLAIN, ports=tuple(range(10000, 10150)))])
        for _ in range(3):
            self.clock.advance(0)
        self.assertIn("127.0.0.1:10149", self.refusal(changing))
        self.assertEqual(sorted(self.listen.open), [80, 443])


class FileTests(ReloadTests):
    """
    What is read anew.
    """

    def test_read(self) -> None:
        """
        Whoever embeds the proxy may say how its configuration is read.
        """
        config = self.config(PLAIN)
        self.proxy = self.proxyFor(self.proxy.config, read=lambda: succeed(config))
        self.begin()
        for changing in (self.proxy.preview(), self.proxy.reload()):
            self.assertEqual(self.successResultOf(changing).added, ("plain",))
        self.assertEqual(self.proxy.config, config)

    def test_noFile(self) -> None:
        """
        Where there is no file there is nothing to be read.
        """
        self.begin()
        for changing in (self.proxy.preview(), self.proxy.reload()):
            self.assertIn("There is no file", self.refusal(changing))

    def test_watched(self) -> None:
        """
        Where that is wanted its files are watched, until a configuration says otherwise.
        """
        file = self.mktemp()
        with open(file, "w", encoding="ascii") as opened:
            opened.write("one")
        reads: list[Config] = []

        def read() -> Deferred[Config]:
            reads.append(config)
            return succeed(config)

        plain = replace(self.proxy.config, files=(os.path.abspath(file),))
        for isWatched in (True, False):
            config = replace(plain, watch=isWatched)
            self.patch(inotify, "INotify", _refuse)
            self.proxy = self.proxyFor(config, read=read)
            self.begin()
            with open(file, "a", encoding="ascii") as opened:
                opened.write("more")
            self.clock.pump([0.5] * 200)
            self.assertEqual(len(reads), 1)
            self.successResultOf(self.proxy.stopService())

    def test_stopped(self) -> None:
        """
        A stop does not wait for the file.
        """
        self.proxy = self.proxyFor(self.proxy.config, read=Deferred)
        self.begin()
        changing = self.proxy.reload()
        self.successResultOf(self.proxy.stopService())
        self.refusal(changing, StoppedError)


class OrderTests(ReloadTests):
    """
    Orders that are under way.
    """

    def setUp(self) -> None:
        super().setUp()
        self.authority.thinks()

    def test_undisturbed(self) -> None:
        """
        An order for names that are still wanted goes on, whatever else changes, and
        also when other routes want them.
        """
        self.begin()
        self.successResultOf(
            self.proxy.updateRoutes([PLAIN, replace(route("other", SHOP), ports=(443, 8443))])
        )
        self.assertEqual([line for line in self.story.lines if "shop" in line], [])
        self.authority.decides()
        self.assertEqual(sum(self.authority.orders.values()), 1)
        (status,) = self.proxy.status()
        self.assertEqual(status.state, "valid")

    def test_dropped(self) -> None:
        """
        One for names that nobody wants any more ends, its answers are withdrawn, and
        nothing is asked for again.
        """
        self.begin()
        self.successResultOf(self.proxy.updateRoutes([PLAIN]))
        self.assertIn("withdrew http-01 shop.example", self.story.lines)
        self.assertEqual((self.plane.presented, self.plane.installed), ([], {}))
        self.clock.advance(86400 * 30)
        self.assertEqual(sum(self.authority.orders.values()), 1)
        self.assertEqual(self.keys(), set())

    def test_droppedInMasses(self) -> None:
        """
        Where many orders wait, those that nobody wants any more are not placed while
        others end.
        """
        many = [Auto((f"n{number}.example",)) for number in range(60)]
        self.proxy = self.proxyFor(self.config(*(route(each.names[0], each) for each in many)))
        self.begin()
        begun = sum(self.authority.orders.values())
        self.assertLess(begun, 20)
        changing = self.proxy.updateRoutes([PLAIN])
        for _ in range(5):
            self.clock.advance(0)
        self.successResultOf(changing)
        self.assertEqual(sum(self.authority.orders.values()), begun)
        self.assertEqual((self.plane.installed, self.plane.presented, self.keys()), ({}, [], set()))

    def test_takesItsTime(self) -> None:
        """
        The end of an order that takes its time holds up neither the reload nor the
        next one, but only a new order for the same names.
        """
        self.begin()
        self.plane.holds("withdraw")
        for routes in ((PLAIN,), (route("route0", SHOP),)):
            self.successResultOf(self.proxy.updateRoutes(routes))
        self.assertEqual(sum(self.authority.orders.values()), 1)
        self.plane.finishes("withdraw")
        self.assertEqual(sum(self.authority.orders.values()), 2)
        self.authority.decides()
        (status,) = self.proxy.status()
        self.assertEqual(status.state, "valid")

    def test_comesAndGoes(self) -> None:
        """
        A new order waits for one that is ending also where its names came and went again
        meanwhile, and so does the end of the proxy.
        """
        self.begin()
        self.plane.holds("withdraw")
        shop = route("route0", SHOP)
        for routes in ((PLAIN,), (shop,), (PLAIN,), (shop,)):
            self.successResultOf(self.proxy.updateRoutes(routes))
        self.assertEqual(sum(self.authority.orders.values()), 1)
        assert self.proxy.certificates is not None
        ending = self.proxy.certificates.stop()
        self.assertNoResult(ending)
        self.plane.finishes("withdraw")
        self.successResultOf(ending)
        self.assertEqual(sum(self.authority.orders.values()), 1)

    def test_failing(self) -> None:
        """
        What is to be tried again later is not, when nobody wants it any more.
        """
        self.authority.agrees()
        self.authority.refuses(AuthorityUnreachable("https://ca.test/", "away"))
        self.begin()
        self.successResultOf(self.proxy.updateRoutes([PLAIN]))
        self.authority.agrees()
        self.clock.advance(86400 * 30)
        self.assertEqual(self.plane.installed, {})
        self.flushLoggedErrors()


class RefusedTests(ReloadTests):
    """
    A failure at each of the steps.
    """

    def setUp(self) -> None:
        super().setUp()
        self.begin()
        self.before = (
            self.proxy.config,
            self.plane.config,
            dict(self.plane.installed),
            sorted(self.plane.adopted),
            sorted(self.listen.open),
            self.keys(),
        )

    def asBefore(self) -> None:
        """
        Everything is as it was; and another reload is taken.
        """
        self.assertEqual(
            (
                self.proxy.config,
                self.plane.config,
                dict(self.plane.installed),
                sorted(self.plane.adopted),
                sorted(self.listen.open),
                self.keys(),
            ),
            self.before,
        )
        self.assertEqual(sum(self.authority.orders.values()), 1)

    def taken(self) -> None:
        """
        Once it is mended it can be done.
        """
        self.successResultOf(self.changing())
        self.assertEqual(self.keys(), {BLOG.key, "internal:in.example"})

    def changing(self, *others: Route) -> Deferred[Changes]:
        """
        Something of everything.
        """
        routes = (route("blog", BLOG, port=8443), route("in", Internal(("in.example",))), PLAIN, *others)
        return self.proxy.updateRoutes(routes)

    def test_port(self) -> None:
        """
        A port that cannot be bound: the others are closed again, and it is said which
        it is.
        """
        self.listen.refuses(8443, errno.EACCES)
        self.assertIn("Cannot listen on 127.0.0.1:8443", self.refusal(self.changing()))
        self.asBefore()

    def test_certificate(self) -> None:
        """
        A certificate that cannot be read: whatever was loaded is taken back.
        """
        path = os.path.abspath(self.mktemp())
        self.assertIn(path, self.refusal(self.changing(route("f", Files(path, path)))))
        self.asBefore()
        self.taken()

    def test_install(self) -> None:
        """
        The data path takes no certificate.
        """
        self.plane.breaks("install", ValueError("no"))
        self.assertIn("no", self.refusal(self.changing()))
        self.asBefore()
        self.plane.mends("install")
        self.taken()

    def test_table(self) -> None:
        """
        The data path does not take the table.
        """
        self.plane.breaks("useTable", ValueError("/ca.pem cannot be read"))
        self.assertEqual(
            self.refusal(self.changing()), "The configuration cannot be put to use: /ca.pem cannot be read"
        )
        self.asBefore()
        self.plane.mends("useTable")
        self.taken()

    def test_adoption(self) -> None:
        """
        The data path does not accept on the new ports: the table goes back too.
        """
        self.plane.breaks("adopt", PlaneLost("There is no worker."))
        self.assertEqual(self.refusal(self.changing()), "There is no worker.")
        self.asBefore()
        self.plane.mends("adopt")
        self.taken()

    def test_adoptedInPart(self) -> None:
        """
        It accepts on one of the new ports and not on another: it does so on none in
        the end.
        """
        adopt = self.plane.adopt
        self.plane.adopt = (  # type: ignore[method-assign]
            lambda port, number: adopt(port, number) if number == 8080 else maybeDeferred(_full)
        )
        self.refusal(self.changing())
        self.asBefore()

    def test_noWayBack(self) -> None:
        """
        What goes wrong on the way back is logged, and why there was one is told.
        """
        self.plane.breaks("adopt", PlaneLost("There is no worker."))
        use, old = self.plane.useTable, self.proxy.config
        self.plane.useTable = (  # type: ignore[method-assign]
            lambda config: maybeDeferred(_full) if config is old else use(config)
        )
        self.assertEqual(self.refusal(self.changing()), "There is no worker.")
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.assertEqual(sorted(self.listen.open), [80, 443])

    def test_restart(self) -> None:
        """
        What needs a restart is refused as a whole, and each of it is named with both
        values.
        """
        config = replace(self.config(PLAIN), workers=3, acme=Acme(email="ops@example"))
        failure = self.failureResultOf(self.proxy.reconfigure(config), RestartNeeded).value
        self.assertIn("workers: 1 -> 3; acme.email: not set -> ops@example", str(failure))
        assert isinstance(failure, RestartNeeded)
        self.assertEqual(failure.changes.added, ("plain",))
        self.asBefore()

    def test_names(self) -> None:
        """
        Routes that cannot be told apart, one that is there already, and one that is
        not.
        """
        self.assertIn("'plain'", self.refusal(self.proxy.updateRoutes([PLAIN, PLAIN])))
        self.assertIn("'route0'", self.refusal(self.proxy.addRoute(replace(PLAIN, name="route0"))))
        self.assertIn("'plain'", self.refusal(self.proxy.removeRoute("plain")))
        self.assertRaises(ChangeRefused, self.proxy.compare, self.config(PLAIN, PLAIN))
        self.asBefore()

    def test_compared(self) -> None:
        """
        What would change can be known beforehand.
        """
        self.assertEqual(self.proxy.compare(self.config(PLAIN)).added, ("plain",))
        self.asBefore()

    def test_defect(self) -> None:
        """
        A defect is one, and has everything taken back too.
        """
        self.plane.breaks("useTable", RuntimeError("a defect"))
        self.failureResultOf(self.changing(), RuntimeError)
        self.asBefore()


class TurnTests(ReloadTests):
    """
    Several at once, and the end.
    """

    def test_oneAfterTheOther(self) -> None:
        """
        Of several the last one stays; each begins when the one before is done.
        """
        self.begin()
        self.plane.holds("useTable")
        changing = [self.proxy.updateRoutes([replace(PLAIN, name=name)]) for name in ("a", "b")]
        changing.append(self.proxy.addRoute(route("blog", None, port=8443)))
        self.assertEqual([each.called for each in changing], [False] * 3)
        self.plane.finishes("useTable")
        found = [self.successResultOf(each) for each in changing]
        self.assertEqual([each.removed for each in found], [("route0",), ("a",), ()])
        self.assertEqual([each.name for each in self.proxy.config.routes], ["b", "blog"])

    def test_refusedInBetween(self) -> None:
        """
        One that is refused does not hold up the next.
        """
        self.begin()
        self.listen.refuses(8080)
        refused, other = self.proxy.updateRoutes([PLAIN]), self.proxy.addRoute(route("b", None))
        self.refusal(refused)
        self.assertEqual(self.successResultOf(other).added, ("b",))

    def test_beforeTheStart(self) -> None:
        """
        What has not begun begins by the last configuration, whatever that changes.
        """
        other = os.path.abspath(self.mktemp())
        found = self.successResultOf(self.proxy.reconfigure(replace(self.config(PLAIN), stateDir=other)))
        self.assertEqual(len(found.obstacles), 1)
        self.begin()
        self.assertEqual(self.listen.open, [8080])
        self.assertTrue(os.path.isdir(other))

    def test_duringTheStart(self) -> None:
        """
        One that comes while the proxy starts has its turn when it serves.
        """
        self.listen.hesitates(443)
        self.proxy.startService()
        changing = self.proxy.addRoute(PLAIN)
        self.assertNoResult(changing)
        self.assertNotIn("bound 8080", self.story.lines)
        self.listen.opens(443)
        self.successResultOf(changing)
        self.assertLess(self.story.position("adopted 443"), self.story.position("bound 8080"))

    def test_startFails(self) -> None:
        """
        There is nothing to be changed of a start that fails.
        """
        self.listen.hesitates(443)
        self.proxy.startService()
        changing = self.proxy.addRoute(PLAIN)
        self.listen.refusesNow(443)
        self.assertIn("has not started", self.refusal(changing))

    def stopped(self, hold: Callable[[], None], isDone: bool) -> None:
        """
        A stop while something is waited for.
        """
        self.begin()
        hold()
        before = self.proxy.config
        changing, other = self.proxy.addRoute(route("blog", BLOG, port=8443)), self.proxy.addRoute(PLAIN)
        self.assertNoResult(changing)
        stopped = self.proxy.stopService()
        for verb in ("install", "useTable", "adopt", "release"):
            self.plane.finishes(verb)
        self.successResultOf(stopped)
        self.assertEqual(self.listen.open, [])
        if isDone:
            self.successResultOf(changing)
        else:
            self.refusal(changing, StoppedError)
            self.assertIn(before, (self.proxy.config, replace(self.proxy.config, routes=before.routes)))
        # It had not its turn before the end, and counts for the next start.
        self.successResultOf(other)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stoppedWhileBinding(self) -> None:
        """
        A stop while a port is being bound.
        """
        self.stopped(lambda: self.listen.hesitates(8443), False)

    def test_stoppedWhileLoading(self) -> None:
        """
        A stop while certificates are loaded.
        """
        self.stopped(lambda: self.plane.holds("install"), False)

    def test_stoppedBeforeTheTable(self) -> None:
        """
        A stop while the table is being exchanged.
        """
        self.stopped(lambda: self.plane.holds("useTable"), False)

    def test_stoppedBeforeAdoption(self) -> None:
        """
        A stop while ports are handed over.
        """
        self.stopped(lambda: self.plane.holds("adopt"), False)

    def test_stoppedInTheEnd(self) -> None:
        """
        A stop when it is decided already waits for the end of it.
        """
        self.begin()
        self.plane.holds("release")
        changing = self.proxy.updateRoutes([PLAIN])
        stopped = self.proxy.stopService()
        self.assertNoResult(changing)
        self.assertNoResult(stopped)
        self.plane.finishes("release")
        self.successResultOf(changing)
        self.successResultOf(stopped)
        self.assertEqual(self.listen.open, [])
        self.proxy.startService()
        self.successResultOf(self.proxy.whenReady())
        self.assertEqual(self.listen.open, [8080])

    def test_uninterested(self) -> None:
        """
        Who loses interest stops nothing but the waiting.
        """
        self.begin()
        self.plane.holds("useTable")
        changing = self.proxy.updateRoutes([PLAIN])
        changing.addErrback(lambda _: None)
        changing.cancel()
        self.plane.finishes("useTable")
        self.assertEqual(self.proxy.config.routes, (PLAIN,))
        self.assertEqual(sorted(self.listen.open), [8080])


def _full() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")
