"""
How long routes wait and what they carry may last, through a real plane.
"""

from __future__ import annotations

from typing import Any

from smartproxy_tw.config.lasting import NEVER
from smartproxy_tw.config.model import (
    TLS,
    Application,
    Forward,
    Route,
    RouteTimeouts,
    Target,
    Timeouts,
    WebSocket,
)
from smartproxy_tw.plane.spell import Lifetime, Spell, spellOf
from smartproxy_tw.wire.frames import CANCEL

from .conversation import GET, SessionTests, alive, status
from .harness import Origin, Peer, credentialFor, turns
from .streams import StreamTests
from .test_relay import accepting

ASK = (
    b"GET /chat HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)
PLAIN = b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"
AGREE = b"HTTP/1.1 101 Yes\r\nConnection: Upgrade\r\nUpgrade: %b\r\n\r\n"


class SpellTests(SessionTests):
    """
    One route with times of its own, where the whole file waits for 100 seconds.
    """

    async def lasting(self, protocol: Any = "http", **options: Any) -> tuple[int, Origin]:
        """
        Use such a route.
        """
        port = await self.port()
        origin = self.origin()
        self.route = Route("r", (port,), Forward((origin.target,)), protocol, **options)
        await self.use(self.route, timeouts=Timeouts(idle=100))
        return port, origin

    async def passes(self, seconds: float) -> None:
        """
        Time.
        """
        self.world.advance(seconds)
        await turns(20)

    async def talks(self, seconds: float, times: int, client: Peer, server: Peer) -> None:
        """
        Every so many seconds a byte moves, one way or the other.
        """
        for number in range(times):
            await self.passes(seconds)
            speaker, listener = (client, server) if number % 2 else (server, client)
            speaker.sends(b"x")
            await listener.expects(b"x")


class TunnelTests(SpellTests):
    """
    Bytes that are no HTTP.
    """

    async def tunnel(self, **timeouts: Any) -> tuple[Peer, Peer]:
        """
        Both ends of one.
        """
        port, origin = await self.lasting("tcp", timeouts=RouteTimeouts(**timeouts))
        client = await self.client(port)
        return client, await origin.accepts()

    async def test_idle(self) -> None:
        """
        The time of the route holds, not that of the whole file, from the last byte on.
        """
        for seconds in (20.0, 500.0):
            client, server = await self.tunnel(idle=seconds)
            await self.talks(seconds - 1, 3, client, server)
            await self.passes(seconds - 1)
            self.assertFalse(client.isOver or server.isOver)
            await self.passes(1.5)
            await client.breaksOff()
            await server.breaksOff()

    async def test_never(self) -> None:
        """
        One that is never given up is there after a month.
        """
        client, server = await self.tunnel(idle=NEVER)
        await self.passes(2_600_000)
        self.assertFalse(client.isOver or server.isOver)
        await self.talks(1, 2, client, server)

    async def test_passedThrough(self) -> None:
        """
        The same goes for TLS that is passed through.
        """
        port = await self.port()
        origin = self.origin(credential=credentialFor("a.test"))
        options: Any = {"tls": TLS("passthrough"), "timeouts": RouteTimeouts(NEVER)}
        await self.use(
            Route("r", (port,), Forward((origin.target,)), "tcp", ("a.test",), **options),
            timeouts=Timeouts(idle=100),
        )
        client = await self.tls(port)
        server = await origin.accepts()
        await server.until(lambda: server.isShaken, "a handshake")
        await self.passes(100_000)
        self.assertFalse(client.isOver or server.isOver)

    async def test_lifetime(self) -> None:
        """
        It ends when it has lasted long enough, however much moves; nothing is left of it.
        """
        client, server = await self.tunnel(lifetime=60.0)
        await self.talks(10, 5, client, server)
        self.assertFalse(client.isOver)
        await self.passes(10.5)
        await client.breaksOff()
        await server.breaksOff()
        await self.isIdle()
        self.assertEqual(self.lifetimes(), [])

    async def test_endsBefore(self) -> None:
        """
        What ends before leaves no deadline behind.
        """
        client, server = await self.tunnel(lifetime=60.0)
        self.assertEqual(len(self.lifetimes()), 1)
        client.finishes()
        await server.ends()
        server.finishes()
        await client.ends()
        await self.isIdle()
        self.assertEqual(self.lifetimes(), [])

    async def test_unwatched(self) -> None:
        """
        Nothing is watched where no lifetime is set.
        """
        await self.tunnel(idle=5.0)
        self.assertEqual(self.lifetimes(), [])

    async def test_kept(self) -> None:
        """
        A reload that changes the times of a route leaves its tunnels what they had.
        """
        client, server = await self.tunnel(idle=50.0)
        await self.use(
            Route("r", self.route.ports, self.route.action, "tcp", timeouts=RouteTimeouts(5.0)),
            timeouts=Timeouts(idle=1),
        )
        await self.talks(40, 2, client, server)

    async def test_protocol(self) -> None:
        """
        They hold for a protocol of this process, too.
        """
        action = Application("tests.plane.test_served:Echo", "protocol")
        for timeouts, seconds in ((RouteTimeouts(5.0), 5.5), (RouteTimeouts(NEVER, None, 30.0), 30.5)):
            port = await self.port()
            await self.use(Route("r", (port,), action, "tcp", timeouts=timeouts), timeouts=Timeouts(idle=100))
            client = await self.client(port)
            await self.settles(lambda: self.plane.engine.open == 1, "it is accepted")
            await self.passes(seconds - 1)
            self.assertFalse(client.isOver)
            await self.passes(1)
            await client.loses()
            await self.isIdle()

    def lifetimes(self) -> list[Any]:
        """
        What is watched for how long it lasts.
        """
        return [each for each in self.plane.engine.poller.mortals if isinstance(each, Lifetime)]


class AnswerTests(SpellTests):
    """
    Requests and their answers.
    """

    async def test_idle(self) -> None:
        """
        A target has the time of the route to answer, for each request of a connection.
        """
        port, origin = await self.lasting(timeouts=RouteTimeouts(20.0))
        client = await self.client(port)
        client.sends(GET)
        server = await origin.accepts()
        await server.head()
        await self.passes(19)
        server.sends(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")
        await client.head()
        await self.passes(19)
        server.sends(b"k")
        await client.expects(b"ok")
        client.sends(GET)
        await server.head()
        await self.passes(20.5)
        self.assertEqual(status(await client.head()), 504)

    async def test_never(self) -> None:
        """
        One that is never given up may take its hours, and its next one may not.
        """
        port, origin = await self.lasting(timeouts=RouteTimeouts(NEVER))
        client = await self.client(port)
        client.sends(GET)
        server = await origin.accepts()
        await server.head()
        await self.passes(100_000)
        server.sends(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await client.message()
        await self.passes(76)
        await client.ends()

    async def test_another(self) -> None:
        """
        What comes next on the same connection for another route has the time of that one.
        """
        port = await self.port()
        origin = self.origin()
        forward = Forward((origin.target,))
        await self.use(
            Route("slow", (port,), forward, "http", path="/slow", timeouts=RouteTimeouts(NEVER)),
            Route("rest", (port,), forward, "http"),
            timeouts=Timeouts(idle=100),
        )
        client = await self.client(port)
        client.sends(GET.replace(b" / ", b" /slow "))
        server = await origin.accepts()
        await server.head()
        await self.passes(1000)
        server.sends(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await client.message()
        client.sends(GET)
        await server.head()
        await self.passes(99)
        self.assertFalse(client.data)
        await self.passes(1.5)
        self.assertEqual(status(await client.head()), 504)


class ConnectTests(SpellTests):
    """
    Connections to targets.
    """

    async def test_slow(self) -> None:
        """
        A target has the time of the route to be connected to.
        """
        self.world.nameResolver.isSilent = True
        port = await self.port()
        await self.use(
            Route(
                "r", (port,), Forward((Target("slow.test", 80),)), "tcp", timeouts=RouteTimeouts(connect=9.0)
            ),
            timeouts=Timeouts(connect=2),
        )
        client = await self.client(port)
        await self.settles(lambda: self.world.nameResolver.asked == ["slow.test"], "the name is asked for")
        await self.passes(8.5)
        self.assertFalse(client.isOver)
        await self.passes(1)
        await client.ends()


class HandshakeTests(SpellTests):
    """
    Who may open a WebSocket.
    """

    async def says(self, port: int, more: bytes) -> int:
        """
        What somebody is answered whom the target does not hear of.
        """
        client = await self.client(port)
        client.sends(ASK + more + b"\r\n")
        return status(await client.head())

    async def test_refused(self) -> None:
        """
        Where nobody may the target does not hear of it, and of other requests it does.
        """
        port, origin = await self.lasting(webSocket=WebSocket(False))
        self.assertEqual(await self.says(port, b""), 403)
        self.assertEqual(origin.peers, [])
        client = await self.client(port)
        client.sends(GET)
        await (await origin.accepts()).head()

    async def test_origins(self) -> None:
        """
        Pages of other origins get 403, those of one that is listed get through.
        """
        port, origin = await self.lasting(webSocket=WebSocket(origins=("https://app.test",)))
        self.assertEqual(await self.says(port, b"Origin: https://evil.test\r\n"), 403)
        self.assertEqual(origin.peers, [])
        client = await self.client(port)
        client.sends(ASK + b"Origin: https://app.test\r\n\r\n")
        server = await origin.accepts()
        self.assertIn(b"Origin: https://app.test\r\n", await server.head())
        server.sends(AGREE % b"websocket")
        self.assertEqual(status(await client.head()), 101)

    async def test_malformed(self) -> None:
        """
        What is no handshake is 400.
        """
        port, origin = await self.lasting(webSocket=WebSocket())
        self.assertEqual(await self.says(port, b"Sec-WebSocket-Version: 8\r\n"), 400)
        self.assertEqual(origin.peers, [])


class WebSocketTests(SpellTests):
    """
    How long WebSockets last.
    """

    async def opens(self, ask: bytes = ASK + b"\r\n", **options: Any) -> tuple[Peer, Peer]:
        """
        Both ends of one.
        """
        port, origin = await self.lasting(**options)
        client = await self.client(port)
        client.sends(ask)
        server = await origin.accepts()
        await server.head()
        server.sends(AGREE % (b"x" if ask is PLAIN else b"websocket"))
        self.assertEqual(status(await client.head()), 101)
        return client, server

    async def test_idle(self) -> None:
        """
        They have a time of their own beside that of answers, which is that of other protocols, too.
        """
        options = {"timeouts": RouteTimeouts(10.0), "webSocket": WebSocket(idle=500.0)}
        client, server = await self.opens(**options)
        await self.talks(450, 3, client, server)
        await self.passes(501)
        await client.breaksOff()
        client, server = await self.opens(PLAIN, **options)
        await self.passes(10.5)
        await client.breaksOff()

    async def test_asAnswers(self) -> None:
        """
        Without one they have that of the route.
        """
        client, server = await self.opens(timeouts=RouteTimeouts(NEVER), webSocket=WebSocket())
        await self.passes(100_000)
        await self.talks(1, 2, client, server)

    async def test_lifetime(self) -> None:
        """
        They end when they have lasted long enough.
        """
        client, server = await self.opens(webSocket=WebSocket(lifetime=60.0))
        await self.talks(10, 5, client, server)
        await self.passes(10.5)
        await client.breaksOff()
        await server.breaksOff()
        await self.isIdle()


class FramedTests(StreamTests):
    """
    WebSockets by HTTP/2.
    """

    async def opens(self, **options: Any) -> tuple[Any, int, Peer]:
        """
        One that both sides have agreed to.
        """
        port = await self.port()
        origin = self.origin()
        await self.use(
            Route("r", (port,), Forward((origin.target,)), "http", **options),
            timeouts=Timeouts(idle=100),
            http2PriorKnowledge=True,
        )
        client = await self.http2(port)
        stream = client.asks(
            "/ws",
            (":protocol", "websocket"),
            ("sec-websocket-version", "13"),
            ("origin", "https://app.test"),
            method="CONNECT",
            isEnd=False,
        )
        server = await origin.accepts()
        server.sends(accepting(await server.head()))
        await client.begun(stream)
        return client, stream, server

    async def test_times(self) -> None:
        """
        They have the same handshake and the same times.
        """
        settings = WebSocket(origins=("https://app.test",), idle=NEVER, lifetime=5000.0)
        client, stream, server = await self.opens(webSocket=settings)
        self.world.advance(4000)
        await turns(20)
        client.says(stream, b"still")
        await server.expects(b"still")
        self.world.advance(1001)
        await server.breaksOff()
        self.assertEqual((await client.answer(stream)).reset, CANCEL)
        self.assertFalse([each for each in self.plane.engine.poller.mortals if isinstance(each, Lifetime)])

    async def test_idle(self) -> None:
        """
        One in which nothing moves is broken off.
        """
        _, _, server = await self.opens(webSocket=WebSocket(idle=20.0))
        self.world.advance(19)
        await turns(20)
        self.assertFalse(server.isOver)
        self.world.advance(2)
        await server.breaksOff()
        self.assertEqual(alive(self)[0].channels, {})

    async def test_answers(self) -> None:
        """
        Requests by HTTP/2 have the time of their route, too.
        """
        port = await self.port()
        origin = self.origin()
        await self.use(
            Route("r", (port,), Forward((origin.target,)), "http", timeouts=RouteTimeouts(300.0)),
            timeouts=Timeouts(idle=100),
            http2PriorKnowledge=True,
        )
        client = await self.http2(port)
        stream = client.asks("/")
        await (await origin.accepts()).head()
        self.world.advance(299)
        await turns(20)
        self.assertNotIn(stream, [each for each, answer in client.answers.items() if answer.status])
        self.world.advance(2)
        self.assertEqual((await client.answer(stream)).status, 504)


class SpellOfTests(SessionTests):
    """
    L{spellOf}.
    """

    def test_precedence(self) -> None:
        """
        What is said of WebSockets is before what is said of the route, and that before the file.
        """
        timeouts = Timeouts(idle=100)
        route = Route("r", (1,), Forward((Target("h", 1),)), "http")
        self.assertEqual(spellOf(None, timeouts), Spell(100))
        self.assertEqual(spellOf(route, timeouts, isWebSocket=True), Spell(100))
        more: Any = {"timeouts": RouteTimeouts(7.0, None, 9.0), "webSocket": WebSocket(idle=1.0)}
        route = Route("r", (1,), Forward((Target("h", 1),)), "http", **more)
        self.assertEqual(spellOf(route, timeouts), Spell(7, 9))
        self.assertEqual(spellOf(route, timeouts, isWebSocket=True), Spell(1, 9))
