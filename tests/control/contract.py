"""
What holds for any data path, wherever it is: the vocabulary of
L{IPlane<smartproxy_tw.interfaces.IPlane>}, spoken with real connections.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from zope.interface.verify import verifyObject

from smartproxy_tw.acme.x509 import selfSigned
from smartproxy_tw.config.model import (
    TLS,
    AccessLog,
    Acme,
    Auto,
    Balance,
    Check,
    Forward,
    Health,
    Limits,
    Respond,
    Route,
    Sticky,
    Target,
    Timeouts,
    UpstreamTLS,
    checkedOf,
)
from smartproxy_tw.facts import HTTP01, Credential, Verdict
from smartproxy_tw.interfaces import IPlane
from smartproxy_tw.plane.census import DURATIONS, cell

from ..plane.harness import TERMINATE, credentialFor, field, turns

if TYPE_CHECKING:
    from ..plane.harness import PlaneTests as _Base
else:
    # Whatever is a test case is collected where it is imported.
    _Base = object

__all__ = ["GET", "PlaneContract"]

GET = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"
ASK = b"GET /chat HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
AGREE = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


def _answered(sock: socket.socket) -> bool:
    try:
        return sock.recv(65536).startswith(b"HTTP/1.1 200 ")
    except BlockingIOError:
        return False


class PlaneContract(_Base):
    """
    A plane of whatever kind.
    """

    def test_interface(self) -> None:
        """
        It provides the interface.
        """
        verifyObject(IPlane, self.plane)

    async def test_drainedTwice(self) -> None:
        """
        Draining again is nothing.
        """
        self.assertEqual(await self.plane.drain(0), 0)
        self.assertEqual(await self.plane.drain(0), 0)

    async def test_drain(self) -> None:
        """
        Draining accepts nothing more, lets what is in flight end, and tells what it
        cut.
        """
        port = await self.port()
        origin = self.origin()
        await self.use(Route("a", (port,), Forward((origin.target,)), "http"))
        quick, slow = await self.client(port), await self.client(port)
        servers = []
        for client in (quick, slow):
            client.sends(GET)
            server = await origin.accepts()
            await server.head()
            servers.append(server)
        drained = self.plane.drain(1.0)
        servers[0].sends(HELLO)
        self.assertEqual((await quick.message())[1], b"hello")
        await quick.ends()
        quick.leaves()
        self.assertEqual(await drained, 1)

    async def test_challenge(self) -> None:
        """
        A challenge is answered before any route while it is presented, to whoever
        asks and whoever is asked.
        """
        port = await self.port()
        acme = Acme(httpPort=port, tlsPort=1)
        route = Route("a", (port,), Respond(404), "http", ("a.test",))
        other = Route("b", (1,), Respond(), "http", ("a.test",), tls=TLS("terminate", Auto(("a.test",))))
        await self.use(route, other, acme=acme)
        challenge = HTTP01("a.test", "t" * 22, "t" * 22 + ".thumbprint")
        ask = GET.replace(b"GET /", b"GET /.well-known/acme-challenge/" + b"t" * 22)
        for isPresented in (False, True, False):
            if isPresented:
                await self.plane.present(challenge)
                await self.plane.present(challenge)
            else:
                await self.plane.withdraw(challenge)
            for _ in range(6):
                client = await self.client(port)
                client.sends(ask)
                body = (await client.message())[1]
                self.assertEqual(body == challenge.keyAuthorization.encode("ascii"), isPresented)
                client.leaves()

    async def test_tableUnderLiveConnections(self) -> None:
        """
        A new table decides about the next request of a connection that exists;
        a request in flight, a tunnel and an upgraded connection go on by the
        old one.
        """
        port, raw = await self.port(), await self.port()
        old, new = self.origin(), self.origin()
        new.answers(HELLO)
        await self.use(
            Route("a", (port,), Forward((old.target,)), "http"),
            Route("t", (raw,), Forward((old.target,)), "tcp"),
        )
        chat, busy, tunnel = await self.client(port), await self.client(port), await self.client(raw)
        chat.sends(ASK)
        busy.sends(GET)
        tunnel.sends(b"tunnel")
        servers = {}
        for _ in range(3):
            server = await old.accepts()
            await server.until(lambda: bool(server.data), "its request")  # noqa: B023
            servers[bytes(server.data).split(b" ")[1] if b" " in server.data else b"t"] = server
        await servers[b"/chat"].head()
        servers[b"/chat"].sends(AGREE)
        await chat.head()
        await self.use(
            Route("a", (port,), Forward((new.target,)), "http"),
            Route("t", (raw,), Respond(body="no"), "http"),
        )
        servers[b"/"].sends(HELLO)
        await busy.expects(HELLO)
        busy.sends(GET)
        await busy.expects(HELLO)
        self.assertEqual(new.count, 1)
        for one, other in ((chat, servers[b"/chat"]), (tunnel, servers[b"t"])):
            other.data.clear()
            one.sends(b"up")
            await other.expects(b"up")
            other.sends(b"down")
            await one.expects(b"down")
        client = await self.client(raw)
        client.sends(GET)
        self.assertEqual((await client.message())[1], b"no")

    async def test_unusableTable(self) -> None:
        """
        A table that names what cannot be used changes nothing.
        """
        port = await self.port()
        await self.use(Route("a", (port,), Respond(body="a"), "http"))
        bad = Forward((Target("127.0.0.1", 1),), UpstreamTLS(caFile="/nowhere/ca.pem"))
        failure = await self.assertFailure(
            self.plane.useTable(self.config(Route("b", (port,), bad, "http"), timeouts=Timeouts(head=1))),
            ValueError,
        )
        self.assertIn("/nowhere/ca.pem", str(failure))
        client = await self.client(port)
        client.sends(GET)
        self.assertEqual((await client.message())[1], b"a")

    async def test_unusableCertificate(self) -> None:
        """
        A certificate that cannot be used leaves the one that was there; the
        message holds nothing of the key.
        """
        port = await self.port()
        good = await self.certify("a.test")
        await self.use(Route("a", (port,), Respond(body="a"), "http", tls=TERMINATE))
        assert TERMINATE.certificate is not None
        other = selfSigned(("a.test",))
        for credential in (
            Credential(good.chain, other.key),
            Credential(b"", good.key),
            Credential(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", good.key),
            Credential(good.chain, b"-----BEGIN PRIVATE KEY-----\nU0VDUkVU\n-----END PRIVATE KEY-----\n"),
            Credential(good.chain, b""),
        ):
            failure = await self.assertFailure(
                self.plane.install(TERMINATE.certificate.key, credential), ValueError
            )
            self.assertNotIn("U0VDUkVU", str(failure))
            self.assertTrue((await self.tls(port)).isShaken)

    async def test_standings(self) -> None:
        """
        A target that is diverted, or that a check has found unhealthy, is sent nothing new,
        also by a table that comes later; when all are it is 503.
        """
        port = await self.port()
        one, two = self.origin(), self.origin()
        one.answers(HELLO)
        two.answers(HELLO)
        forward = Forward((one.target, two.target), health=Health(Check()))
        checked = checkedOf(forward, one.target)
        assert checked is not None
        await self.plane.judge(checked, Verdict(False, "it is away", 0.0))
        await self.use(Route("a", (port,), forward, "http"))
        client = await self.client(port)
        for _ in range(4):
            client.sends(GET)
            await client.message()
        self.assertEqual((one.count, two.count), (0, 1))
        await self.plane.divert(str(two.target))
        client.sends(GET)
        head, _ = await client.message()
        self.assertTrue(head.startswith(b"HTTP/1.1 503 "), head)
        await self.plane.judge(checked, Verdict(True, "it is back", 0.0))
        for _ in range(2):
            client.sends(GET)
            head, _ = await client.message()
            self.assertTrue(head.startswith(b"HTTP/1.1 200 "), head)
        self.assertEqual((one.count, two.count), (1, 1))
        await self.plane.restore(str(two.target))
        for _ in range(2):
            client.sends(GET)
            await client.message()
        self.assertEqual((one.count, two.count), (1, 2))

    async def test_sticky(self) -> None:
        """
        A client is told which target is its own, once, and comes back to it; whoever
        serves knows the cookie.
        """
        port = await self.port()
        origins = [self.origin() for _ in range(3)]
        for number, origin in enumerate(origins):
            origin.answers(HELLO.replace(b"hello", b"from%d" % number))
        await self.plane.sign(b"s" * 32)
        balance = Balance(sticky=Sticky("shop", 60))
        await self.use(
            Route("a", (port,), Forward(tuple(each.target for each in origins), balance=balance), "http")
        )
        seen = set()
        for _ in range(3):
            client = await self.client(port)
            client.sends(GET)
            head, body = await client.message()
            told = head.partition(b"Set-Cookie: ")[2].partition(b"\r\n")[0]
            self.assertTrue(told.startswith(b"shop="), told)
            self.assertTrue(told.endswith(b"; Path=/; Max-Age=60; HttpOnly; SameSite=Lax"), told)
            cookie = b"\r\nCookie: a=b; " + told.partition(b";")[0] + b"\r\n\r\n"
            for _ in range(3):
                other = await self.client(port)
                other.sends(GET[:-4] + cookie)
                head, again = await other.message()
                self.assertEqual((again, field(head, b"set-cookie")), (body, None))
            seen.add((body, told))
        self.assertGreater(len(seen), 1)

    async def test_release(self) -> None:
        """
        A port that is released accepts nothing; its connections go on.
        """
        port = await self.port()
        await self.use(Route("a", (port,), Respond(body="a"), "http"))
        client = await self.client(port)
        client.sends(GET)
        await client.message()
        bound = self._ports[port]
        await self.plane.release(bound)
        await self.plane.release(bound)
        late = await self.client(port)
        late.sends(GET)
        await turns(30)
        self.assertEqual((await self.plane.tally())["open"], 1)
        client.sends(GET)
        await client.message()
        await self.plane.adopt(bound, port)
        await late.message()

    async def test_portGoes(self) -> None:
        """
        A port that the new table has no need of is routed as before until it is
        released.  Then a request in flight has its answer, who has connected is
        served once, who is idle is closed, and tunnels go on.
        """
        port, raw, stays = await self.port(), await self.port(), await self.port()
        origin, talks, tunnels = self.origin(), self.origin(), self.origin()
        kept = Route("kept", (stays,), Respond(body="kept"), "http")
        await self.use(
            kept,
            Route("a", (port,), Forward((origin.target,)), "http"),
            Route("b", (port,), Forward((talks.target,)), "http", path="/chat"),
            Route("c", (port,), Respond(body="c"), "http", path="/c"),
            Route("t", (raw,), Forward((tunnels.target,)), "tcp"),
        )
        idle, other = await self.client(port), await self.client(stays)
        for client in (idle, other):
            client.sends(GET.replace(b"/", b"/c", 1))
            await client.message()
        busy, chat, tunnel = await self.client(port), await self.client(port), await self.client(raw)
        busy.sends(GET)
        server = await origin.accepts()
        await server.head()
        chat.sends(ASK)
        talking = await talks.accepts()
        await talking.head()
        talking.sends(AGREE)
        await chat.head()
        tunnel.sends(b"tunnel")
        tunnelled = await tunnels.accepts()
        await tunnelled.expects(b"tunnel")
        await self.use(kept)
        late = await self.client(port)
        for number in (port, raw):
            await self.plane.release(self._ports[number])
        await idle.ends()
        server.sends(HELLO)
        self.assertEqual((await busy.message())[1], b"hello")
        await busy.ends()
        late.sends(GET.replace(b"/", b"/c", 1) * 2)
        head, body = await late.message()
        self.assertEqual((field(head, b"connection"), body), (b"close", b"c"))
        self.assertEqual(await late.ends(), b"")
        for one, another in ((chat, talking), (tunnel, tunnelled)):
            one.sends(b"up")
            await another.expects(b"up")
            another.sends(b"down")
            await one.expects(b"down")
        other.sends(GET)
        self.assertEqual((await other.message())[1], b"kept")

    async def test_backlog(self) -> None:
        """
        Who waits in the kernel when a port goes is accepted still.
        """
        port = await self.port()
        await self.use(Route("a", (port,), Respond(body="a"), "http"))
        await self.use()
        waiting = [socket.create_connection(("127.0.0.1", port)) for _ in range(100)]
        await self.plane.release(self._ports[port])
        await self._ports.pop(port).stopListening()
        self.assertEqual((await self.plane.tally())["connections"], 100)
        for each in waiting:
            with each:
                each.sendall(GET)
                each.setblocking(False)
                await self.settles(lambda: _answered(each), "there is an answer")  # noqa: B023

    async def test_portComesBack(self) -> None:
        """
        A port that has gone and comes again is as good as new.
        """
        port = await self.port()
        route = Route("a", (port,), Respond(body="a"), "http")
        for _ in range(2):
            await self.use(route)
            client = await self.client(port)
            for _ in range(2):
                client.sends(GET)
                self.assertEqual((await client.message())[1], b"a")
            await self.use()
            await self.plane.release(self._ports[port])
            await client.ends()
            self._fresh.append(port)

    async def test_uninstall(self) -> None:
        """
        A certificate that is uninstalled is shown to nobody any more; who has
        connected is served.  One that is not there is no error.
        """
        port = await self.port()
        await self.certify("a.test")
        assert TERMINATE.certificate is not None
        key = TERMINATE.certificate.key
        await self.use(Route("a", (port,), Respond(body="a"), "http", tls=TERMINATE))
        before = await self.tls(port)
        self.assertTrue(before.isShaken)
        for _ in range(2):
            await self.plane.uninstall(key)
        self.assertFalse((await self.tls(port)).isShaken)
        before.sends(GET)
        self.assertEqual((await before.message())[1], b"a")
        await self.certify("a.test")
        self.assertTrue((await self.tls(port)).isShaken)

    async def test_recent(self) -> None:
        """
        It is known which certificates clients ask for.
        """
        port = await self.port()
        self.assertEqual(await self.plane.recent(), ())
        await self.plane.install("auto:a.test", selfSigned(("a.test",)))
        tls = TLS("terminate", Auto(("a.test",)))
        await self.use(Route("a", (port,), Respond(body="a"), "http", ("a.test",), tls=tls))
        self.assertTrue((await self.tls(port)).isShaken)
        self.assertEqual(await self.plane.recent(), ("auto:a.test",))

    async def test_tally(self) -> None:
        """
        Everything is counted once.
        """
        port = await self.port()
        origin = self.origin()
        origin.answers(HELLO)
        await self.use(Route("a", (port,), Forward((origin.target,)), "http", ("a.test",)))
        client = await self.client(port)
        for request in (GET, GET, GET.replace(b"a.test", b"b.test"), b"GET\r\n\r\n"):
            client.sends(request)
            await client.message()
        await client.ends()
        client.leaves()
        while (await self.plane.tally())["open"]:
            await turns(1)
        tally = await self.plane.tally()
        self.assertEqual(
            {name: number for name, number in tally.items() if " " not in name},
            {
                "connections": 1,
                "requests": 4,
                "http2_requests": 0,
                "misses": 1,
                "refusals": 1,
                "greeting_failures": 0,
                "upstream_failures": 0,
                "repeats": 0,
                "overflows": 0,
                "open": 0,
                "http2_open": 0,
                "http2_streams": 0,
                "log_lines_lost": 0,
            },
        )
        target = str(origin.target)
        for name, number in (
            (cell("requests", 200, "a"), 2),
            (cell("requests", 404, ""), 1),
            (cell("requests", 400, ""), 1),
            (cell("sent", "-", "a"), 10),
            (cell("received", "-", "a"), 0),
            (cell("target_requests", "-", target), 2),
            (cell("target_failures", "-", target), 0),
            (cell("target_away", "-", target), 0),
        ):
            self.assertEqual(tally.get(name, 0), number, name)
        durations = [tally[cell("seconds", each, "a")] for each in range(len(DURATIONS) + 1)]
        self.assertEqual(sum(durations), 2)
        self.assertGreater(tally[cell("microseconds", "-", "a")], 0)

    async def test_accessLog(self) -> None:
        """
        Another access log takes over with the table that names it, and nothing
        of the old one is lost.
        """
        port = await self.port()
        route = Route("a", (port,), Respond(body="a"), "http")
        first, second = self.fresh(), self.fresh()
        client = await self._asks(route, AccessLog("combined", str(first)))
        await self.use(route, accessLog=AccessLog("json", str(second)))
        self.assertEqual(first.read_text().count('"GET / HTTP/1.1" 200 1 "-" "-"\n'), 1)
        client.sends(GET)
        await client.message()
        await self.plane.drain(0)
        self.assertIn('"target":"/"', second.read_text())
        self.assertEqual(first.read_text().count("\n"), 1)

    async def test_reopen(self) -> None:
        """
        Told to, it lets go of the file of the access log, which somebody has moved away,
        with nothing to write; the next line begins a new one.
        """
        port = await self.port()
        file = self.fresh()
        client = await self._asks(
            Route("a", (port,), Respond(body="a"), "http"), AccessLog("json", str(file))
        )
        await self.plane.tally()
        moved = file.with_suffix(".1")

        def isOpen(path: Path) -> bool:
            return os.path.realpath(path) in {
                os.path.realpath(each) for each in Path("/proc/self/fd").iterdir()
            }

        while not isOpen(file):
            await turns(1)
        file.rename(moved)
        self.assertTrue(isOpen(moved))
        await self.plane.reopen()
        while isOpen(moved):
            await turns(1)
        client.sends(GET)
        await client.message()
        await self.plane.drain(0)
        self.assertEqual([each.read_text().count("\n") for each in (moved, file)], [1, 1])

    async def _asks(self, route: Route, log: AccessLog):  # type: ignore[no-untyped-def]
        await self.use(route, accessLog=log)
        client = await self.client(route.ports[0])
        client.sends(GET)
        await client.message()
        return client

    async def test_limits(self) -> None:
        """
        Limits and timeouts of a new table hold for what begins after it.
        """
        port = await self.port()
        route = Route("a", (port,), Respond(body="a"), "http")
        await self.use(route)
        client = await self.client(port)
        long = b"GET /" + b"x" * 300 + b" HTTP/1.1\r\nHost: a\r\n\r\n"
        client.sends(long)
        await client.message()
        await self.use(route, limits=Limits(urlBytes=200))
        client.sends(long)
        self.assertTrue((await client.head()).startswith(b"HTTP/1.1 414 "))

    async def test_installBeforeTable(self) -> None:
        """
        A certificate may come before the routes that want it.
        """
        port = await self.port()
        assert TERMINATE.certificate is not None
        await self.plane.install(TERMINATE.certificate.key, credentialFor("a.test"))
        await self.use(Route("a", (port,), Respond(body="a"), "http", tls=TERMINATE))
        self.assertTrue((await self.tls(port)).isShaken)
