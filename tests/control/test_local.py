"""
The whole vocabulary of the plane, in this process.
"""

from __future__ import annotations

import errno
import gc
import os
from weakref import ref

from twisted.internet.task import deferLater

from smartproxy_tw.config.model import (
    Application,
    Block,
    Config,
    Forward,
    Pool,
    Respond,
    Route,
    Target,
    Timeouts,
    UpstreamTLS,
)
from smartproxy_tw.config.security import ForwardAuth, Security
from smartproxy_tw.config.selection import Dynamic
from smartproxy_tw.control import local
from smartproxy_tw.control.local import LocalPlane
from smartproxy_tw.control.state import GAUGES, isGauge
from smartproxy_tw.plane.census import cell

from ..plane.harness import PlaneTests, World, descriptors, reactor
from ..test_layers import inFreshInterpreter
from .contract import GET, HELLO, PlaneContract


def application(*arguments: object) -> list[bytes]:
    """
    Never called.
    """
    return []


class LocalPlaneTests(PlaneContract, PlaneTests):
    """
    L{LocalPlane}.
    """

    async def test_neverStarted(self) -> None:
        """
        One that was never started leaves nothing when it is drained.
        """
        before = descriptors()
        plane = LocalPlane(World())
        self.assertEqual(await plane.drain(0), 0)
        del plane
        self.assertLessEqual(descriptors(), before)

    async def test_unusableTableLeavesNoTrace(self) -> None:
        """
        Nothing of a table that cannot be used is in use.
        """
        port = await self.port()
        await self.use(Route("a", (port,), Respond(body="a"), "http"))
        bad = Forward((Target("127.0.0.1", 1),), UpstreamTLS(caFile="/nowhere/ca.pem"))
        await self.assertFailure(
            self.plane.useTable(self.config(Route("b", (port,), bad, "http"), timeouts=Timeouts(head=1))),
            ValueError,
        )
        self.assertEqual(self.plane.engine.timeouts.head, 10.0)

    def many(self, port: int, body: str) -> Config:
        """
        So many routes that they cannot be put to use in one slice.
        """
        routes = [
            Route(f"r{number}", (port,), Block(), "http", (f"n{number}.test",)) for number in range(4000)
        ]
        return self.config(*routes, Route("last", (port,), Respond(body=body), "http", ("a.test",)))

    async def test_manyRoutes(self) -> None:
        """
        While many routes are put to use the reactor has its turns, and what was
        there before is served; then, in one moment, all of them are there.
        """
        port = await self.port()
        await self.use(Route("a", (port,), Respond(body="before"), "http"))
        client = await self.client(port)
        using = self.plane.useTable(self.many(port, "after"))
        self.assertNoResult(using)
        ended: list[None] = []
        using.addCallback(ended.append)
        bodies = []
        while not ended:
            client.sends(GET)
            bodies.append((await client.message())[1])
        self.assertIn(b"before", bodies)
        client.sends(GET)
        self.assertEqual((await client.message())[1], b"after")

    async def test_keptConnections(self) -> None:
        """
        Targets of routes that stay, by whatever name and between whatever others, keep
        their connections; those that are gone keep none.
        """
        port = await self.port()
        stays, goes = self.origin(), self.origin()
        for origin in (stays, goes):
            origin.answers(HELLO)
        action, other = Forward((stays.target,)), Forward((goes.target,))
        await self.use(Route("a", (port,), action, "http"), Route("b", (port,), other, "http", path="/b"))
        client = await self.client(port)
        asks = (GET, GET.replace(b"/", b"/b", 1))
        for ask in asks:
            client.sends(ask)
            await client.message()
        await self.use(Route("c", (port,), action, "http"), Route("d", (port,), Respond(), "http", path="/d"))
        await goes.peers[0].ends()
        client.sends(GET)
        await client.message()
        self.assertEqual((stays.count, goes.count), (1, 1))

    async def test_waitingForAnOldTarget(self) -> None:
        """
        Who waits for a connection to a target that a new table does not have is served
        by it still; who comes later is not.
        """
        port = await self.port()
        old, new = self.origin(), self.origin()
        new.answers(HELLO)
        await self.use(Route("a", (port,), Forward((old.target,), pool=Pool(1)), "http"))
        first, second = await self.client(port), await self.client(port)
        first.sends(GET)
        server = await old.accepts()
        await server.head()
        second.sends(GET)
        (group,) = self.plane._groups.values()
        await self.settles(lambda: bool(group._queue), "the second one waits")
        await self.use(Route("a", (port,), Forward((new.target,), pool=Pool(1)), "http"))
        server.sends(HELLO)
        await first.message()
        server = await old.accepts()
        await server.head()
        server.sends(HELLO)
        await second.message()
        second.sends(GET)
        await second.message()
        self.assertEqual(new.count, 1)

    async def test_oneAfterTheOther(self) -> None:
        """
        Of two tables the later one stays, however small it is.
        """
        port = await self.port()
        first = self.plane.useTable(self.many(port, "first"))
        second = self.use(Route("a", (port,), Respond(body="second"), "http"))
        await second
        self.assertTrue(first.called)
        client = await self.client(port)
        client.sends(GET)
        self.assertEqual((await client.message())[1], b"second")

    async def test_leavesNothing(self) -> None:
        """
        What belonged to a table that is replaced is gone with it, and waits for no
        collection of garbage.
        """
        port = await self.port()
        origin = self.origin()
        origin.answers(HELLO)
        targets = (Target("localhost", origin.number), Target("127.0.0.1", origin.number))
        for pool in (Pool(), Pool(1)):
            await self.use(Route("a", (port,), Forward(targets, pool=pool), "http"))
            client = await self.client(port)
            client.sends(GET)
            await client.message()
            known = [ref(group) for group in self.plane._groups.values()]
            self.assertEqual(len(known), 1)
            gc.disable()
            try:
                await self.use(Route("a", (port,), Block(), "http"))
                client.sends(GET)
                await client.message()
                self.assertEqual([each() for each in known], [None])
            finally:
                gc.enable()

    async def test_seldom(self) -> None:
        """
        What few connections need is imported soon, before one needs it, within another program too: later
        it might be of another version.
        """
        code = (
            "import sys; from twisted.internet import reactor; from smartproxy_tw.config.model import *; "
            "from smartproxy_tw.control.local import LocalPlane; "
            "plane = LocalPlane(reactor, linger=float(sys.argv[1])); plane.start(); "
            "plane.useTable(Config((Route('a', (1,), Forward((Target('127.0.0.1', 1),)), 'tcp'),), '/')); "
            "names = 'plane.multiplex', 'upstream.breaker', 'guards.verifier'\n"
            "def look():\n"
            "    found = [name for name in names if 'smartproxy_tw.' + name in sys.modules]\n"
            "    if found == list(names): reactor.stop()\n"
            "    else: reactor.callLater(0.01, look)\n"
            "look(); reactor.callLater(20, lambda: (print('late'), reactor.stop())); reactor.run()"
        )
        for linger in ("0", "0.001"):
            ended = inFreshInterpreter(code, linger)
            self.assertEqual((ended.stdout, ended.stderr), ("", ""))

    async def test_seldomWithoutDescriptors(self) -> None:
        """
        Where there is no descriptor to import it by that is tried again.
        """
        asked: list[str] = []

        def importing(name: str) -> None:
            asked.append(name)
            if len(asked) == 2:
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

        self.patch(local, "import_module", importing)
        self.patch(local, "_SELDOM", ("one", "two", "three"))
        self.patch(local, "_SETTLED", 0.01)
        plane = LocalPlane(reactor)
        plane.start()
        await plane.useTable(self.many(1, "x"))
        for _ in range(500):
            if len(asked) == 4:
                break
            await deferLater(reactor, 0.01)
        self.assertEqual(asked, ["one", "two", "two", "three"])
        await plane.drain(0)

    async def test_garbage(self) -> None:
        """
        A process that does little else looks for no garbage meanwhile, and what has
        become of the table is not looked at later either; any other one does as
        before.
        """
        self.addCleanup(gc.unfreeze)
        for linger in (0.0, 0.001):
            plane = LocalPlane(reactor, linger=linger)
            gc.unfreeze()
            using = plane.useTable(self.many(1, "x"))
            self.assertEqual(gc.isenabled(), not linger)
            await using
            self.assertTrue(gc.isenabled())
            self.assertEqual(gc.get_freeze_count() > 4000, bool(linger))
            await plane.drain(0)

    async def test_linger(self) -> None:
        """
        Nothing is waited for where an answer may need the reactor: an application's, one that is
        worked out, or that of somebody else who is asked; with the next table it may be again.
        """
        plane = LocalPlane(reactor, linger=0.001)
        target = Forward((Target("127.0.0.1", 1),))
        asked = Security(forward=ForwardAuth("http://127.0.0.1:1/"))
        for route, linger in (
            (Route("a", (80,), target, "http"), 0.001),
            (Route("a", (80,), Application(f"{__name__}:application", "wsgi"), "http"), 0.0),
            (Route("a", (80,), target, "http", security=Security(blocked=("10.0.0.0/8",))), 0.001),
            (Route("a", (80,), target, "http", security=asked), 0.0),
            (Route("a", (80,), Forward((), dynamic=Dynamic(decide=application)), "http"), 0.0),
            (Route("a", (80,), Respond(), "http"), 0.001),
        ):
            await plane.useTable(self.config(Route("b", (80,), target, "http", path="/b"), route))
            self.assertEqual(plane.engine.poller.linger, linger, route)
        await plane.drain(0)

    async def test_tenure(self) -> None:
        """
        What has outlived a collection is looked at no more in a process that does little else, until
        there is code of others, about whose garbage nothing is known, and until the end.
        """
        before = gc.get_threshold()
        self.addCleanup(gc.unfreeze)
        target = Forward((Target("127.0.0.1", 1),))
        application = Application(f"{__name__}:application", "wsgi")
        asked = Security(forward=ForwardAuth("http://127.0.0.1:1/"))
        for linger, isStarted in ((0.0, False), (0.001, False), (0.001, True)):
            plane = LocalPlane(reactor, linger=linger)
            if isStarted:
                await plane.start()
            for route, hasTenure in (
                (Route("a", (80,), target, "http"), True),
                (Route("a", (80,), application, "http"), False),
                (Route("a", (80,), target, "http", security=asked), True),
                (Route("a", (80,), Forward((), dynamic=Dynamic(decide=lambda _: None)), "http"), False),
                (Route("a", (80,), Respond(), "http"), True),
            ):
                await plane.useTable(self.config(route))
                wanted = hasTenure and bool(linger)
                self.assertEqual(gc.get_threshold() != before, wanted, (linger, route))
            await plane.drain(0)
            self.assertEqual(gc.get_threshold(), before)

    async def test_countsOfTargets(self) -> None:
        """
        What is counted of a target goes on with a table that has it too, and is
        forgotten with the last one.
        """
        port = await self.port()
        origin = self.origin()
        origin.answers(HELLO)
        requests = cell("target_requests", "-", str(origin.target))
        for number, pool in enumerate((Pool(), Pool(5), Pool()), 1):
            await self.use(Route("a", (port,), Forward((origin.target,), pool=pool), "http"))
            client = await self.client(port)
            client.sends(GET)
            await client.message()
            client.leaves()
            self.assertEqual((await self.plane.tally())[requests], number)
        await self.use(Route("b", (port,), Block(), "http"))
        tally = await self.plane.tally()
        self.assertFalse([name for name in tally if name.endswith((str(origin.target), " a"))])
        self.assertEqual(tally["requests"], 3)

    async def test_gauges(self) -> None:
        """
        What is told of now, and not since the start, is known as such: workers that
        have ended do not count for it.
        """
        port = await self.port()
        origin = self.origin()
        await self.use(
            Route("a", (port,), Forward((origin.target,)), "http"),
            Route("b", (port,), Forward((Target("127.0.0.1", 1),)), "http", path="/b"),
        )
        kept, waiting = await self.client(port), await self.client(port)
        kept.sends(GET)
        server = await origin.accepts()
        await server.head()
        waiting.sends(GET)
        await (await origin.accepts()).head()
        server.sends(HELLO)
        await kept.message()
        for _ in range(5):
            kept.sends(GET.replace(b"GET /", b"GET /b"))
            self.assertEqual((await kept.message())[0][:12], b"HTTP/1.1 502")
        tally = await self.plane.tally()
        # These are told of groups for whose targets more is said than that they take turns.
        more = {"target_in_use", "target_member", "target_share"}
        self.assertEqual({name.partition(" ")[0] for name in tally if isGauge(name)}, GAUGES - more)
        for what, target in (
            ("busy", str(origin.target)),
            ("idle", str(origin.target)),
            ("away", "127.0.0.1:1"),
        ):
            self.assertEqual(tally[cell(f"target_{what}", "-", target)], 1, what)
        others = {name.partition(" ")[0] for name in set(tally) - set(self.plane.engine.counts)}
        self.assertEqual(others - GAUGES, {"delays", "delayed"})
