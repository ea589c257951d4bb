"""
Conversations that are cut, chopped and made up: whatever a peer does, nothing of
it stays, and nobody else notices.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from OpenSSL import SSL
from twisted.internet.defer import Deferred, gatherResults

from smartproxy_tw.config.model import TLS, Forward, Respond, Route, UpstreamTLS
from smartproxy_tw.plane.link import Link

from ..wire.hellos import fromOpenSSL
from .harness import TERMINATE, Peer, PlaneTests, clientSSL, credentialFor, field, turns

CONVERSATION = (
    b"GET /a HTTP/1.1\r\nHost: a.test\r\nCookie: x\r\n\r\n"
    b"POST /b HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\n\r\nbody"
    b"PUT /c HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: x\r\n\r\n"
    b"GET /here HTTP/1.1\r\nHost: a.test\r\n\r\n"
    b"GET /ws HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello tunnel"
)
ANSWERS = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    (
        b"HTTP/1.1 100 Continue\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nT: x\r\n\r\n"
    ),
    b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nfirst words",
)

Leave = Callable[[Peer], None]
LEAVES: tuple[Leave, ...] = (Peer.breaks, Peer.leaves, lambda peer: peer.transport.loseWriteConnection())


class AttackTests(PlaneTests):
    """
    One port with every kind of route.
    """

    async def begin(self) -> int:
        """
        Plain HTTP and anything else, TLS that ends here and TLS that does not.
        """
        port = await self.port()
        self.web, self.raw = self.origin(), self.origin()
        self.secret = self.origin(credential=credentialFor("through.test"))
        self.web.serves(self.serve)
        self.raw.serves(self.echo)
        self.secret.serves(self.echo)
        await self.certify("a.test", "s.test")
        web = Forward((self.web.target,))
        await self.use(
            Route("here", (port,), Respond(body="here"), "http", path="/here"),
            Route("here-tls", (port,), Respond(body="here"), "http", ("a.test",), "/here", tls=TERMINATE),
            Route("a", (port,), web, "http", ("a.test",), tls=TERMINATE),
            Route("s", (port,), Forward((self.raw.target,)), "tcp", ("s.test",), tls=TERMINATE),
            Route(
                "t", (port,), Forward((self.secret.target,)), "tcp", ("through.test",), tls=TLS("passthrough")
            ),
            Route("web", (port,), web, "http"),
            Route("raw", (port,), Forward((self.raw.target,)), "tcp"),
        )
        return port

    async def serve(self, peer: Peer) -> None:
        """
        Answer well.
        """
        while True:
            head, body = await peer.message()
            if field(head, b"upgrade"):
                peer.sends(ANSWERS[3])
                await self.echo(peer)
            peer.sends(ANSWERS[0] if not body else ANSWERS[1])

    async def echo(self, peer: Peer) -> None:
        """
        Say what was said.
        """
        while True:
            said = await peer.takes(1) + peer.data
            peer.data.clear()
            peer.sends(said)

    async def isClean(self) -> None:
        """
        No client is left, and nothing but kept connections to targets.
        """
        await self.isIdle()
        poller = self.plane.engine.poller
        await self.settles(
            lambda: all(isinstance(each, Link) and each.exchange is None for each in poller.mortals),
            f"only kept links are left of {poller.mortals}",
        )
        self.assertEqual(len(poller.handlers), len(poller.mortals) + 1)
        self.assertEqual(self.flushLoggedErrors(), [])

    async def leavesNothing(self, peer: Peer, leave: Leave) -> None:
        """
        However a peer went, the plane lets go of it as soon as it has all of
        its end.
        """
        if leave is LEAVES[2]:
            await peer.loses()
            peer.breaks()
        await self.isClean()


class CutTests(AttackTests):
    """
    Conversations that are cut at every byte.
    """

    async def test_clientInPlain(self) -> None:
        """
        By the client, with a reset, a close and an end.
        """
        port = await self.begin()
        for leave in LEAVES:
            for cut in range(1, len(CONVERSATION)):
                client = await self.client(port)
                client.credit, client.cut = cut, leave
                client.sends(CONVERSATION)
                if cut % 3 == 0:
                    await turns(3)
                await self.leavesNothing(client, leave)

    async def test_clientInTLS(self) -> None:
        """
        By the client anywhere in its handshake and in what follows.
        """
        port = await self.begin()
        for name in ("a.test", "s.test", "through.test"):
            for version, most in ((SSL.TLS1_2_VERSION, 900), (SSL.TLS1_3_VERSION, 1100)):
                for cut in range(1, most, 23):
                    leave = LEAVES[cut % 3]
                    client = Peer(clientSSL(name, highest=version))
                    client.credit, client.cut = cut, leave
                    client.sends(CONVERSATION)
                    await self.client(port, peer=client)
                    await client.until(
                        lambda: client.credit == 0 or client.isOver or b"o tunnel" in client.data,  # noqa: B023
                        "the cut, or the last answer",
                    )
                    if client.credit:
                        client.breaks()
                    await self.leavesNothing(client, leave)

    async def test_origin(self) -> None:
        """
        By the origin: the client gets a whole answer, or is told that there is
        none, or is cut off as well.
        """
        port = await self.begin()
        for answer in ANSWERS:
            request = b"GET /ws HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
            for cut in range(1, len(answer) + 1):
                leave = LEAVES[cut % 3]

                async def script(
                    peer: Peer, answer: bytes = answer, cut: int = cut, leave: Leave = leave
                ) -> None:
                    await peer.head()
                    peer.credit, peer.cut = cut, leave
                    peer.sends(answer)

                self.web.serves(script)
                client = await self.client(port)
                client.sends(request)
                await client.until(lambda: bool(client.data) or client.isOver, "anything")  # noqa: B023
                client.leaves()
                await self.isClean()
                for peer in self.web.peers:
                    peer.leaves()
                await self.isClean()

    async def test_originInTLS(self) -> None:
        """
        By an origin anywhere in its handshake and after.
        """
        port = await self.port()
        origin = self.origin(credential=credentialFor("a.test"))
        await self.use(Route("a", (port,), Forward((origin.target,), UpstreamTLS(verify=False)), "http"))
        for cut in range(1, 1500, 37):
            client = await self.client(port)
            accepted = origin.accepts()
            origin.prepare = lambda peer: setattr(peer, "credit", cut)  # noqa: B023
            client.sends(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            server = await accepted
            server.sends(ANSWERS[0])
            await client.until(lambda: bool(client.data) or client.isOver, "anything")  # noqa: B023
            if not client.isOver:
                await client.head()
            client.leaves()
            await self.isClean()


class ChoppedTests(AttackTests):
    """
    Conversations in random pieces.
    """

    async def test_sameAnswers(self) -> None:
        """
        The answers are the same as for one piece.
        """
        port = await self.begin()
        wanted = b""
        source = random.Random(7)
        for turn in range(25):
            for ssl in (None, clientSSL("a.test")):
                client = await self.client(port, ssl)
                data = CONVERSATION
                while data:
                    size = source.choice((1, 2, 3, 7, 50, 1000)) if turn else len(data)
                    client.sends(data[:size])
                    data = data[size:]
                    if source.random() < 0.4:
                        await turns(1)
                answer = await client.through(b"hello tunnel")
                answer = b"\r\n".join(line for line in answer.split(b"\r\n") if not line.startswith(b"Date:"))
                wanted = wanted or answer
                self.assertEqual(answer, wanted)
                client.breaks()
        await self.isClean()


class GarbageTests(AttackTests):
    """
    What is no conversation at all.
    """

    async def test_random(self) -> None:
        """
        Random bytes, and good ones with a few random ones among them.
        """
        port = await self.begin()
        source = random.Random(11)
        hello = fromOpenSSL(b"a.test", (b"http/1.1",))
        for _ in range(150):
            kind = source.randrange(4)
            if kind == 0:
                data = source.randbytes(source.randrange(1, 3000))
            else:
                data = bytearray((CONVERSATION, hello, CONVERSATION)[kind - 1])
                for _ in range(source.randrange(1, 4)):
                    data[source.randrange(len(data))] = source.randrange(256)
            client = await self.client(port)
            client.sends(bytes(data))
            await turns(source.randrange(4))
            leave = LEAVES[source.randrange(2)]
            leave(client)
            await self.leavesNothing(client, leave)

    async def test_inTLS(self) -> None:
        """
        Random bytes in the midst of TLS, on either side.
        """
        port = await self.begin()
        source = random.Random(13)
        for name in ("a.test", "s.test"):
            for _ in range(15):
                client = await self.tls(port, name)
                client.sends(CONVERSATION)
                client.transport.write(source.randbytes(source.randrange(1, 200)))
                await turns(source.randrange(4))
                client.finishes()
                client.leaves()
                await self.isClean()

    async def test_manyAtOnce(self) -> None:
        """
        Hundreds of connections that all go at once.
        """
        port = await self.begin()
        clients = [await self.client(port) for _ in range(150)]
        for index, client in enumerate(clients):
            client.sends(CONVERSATION[: 1 + index * 2])
        await turns(3)
        for index, client in enumerate(clients):
            LEAVES[index % 2](client)
        await self.isClean()


class SoakTests(AttackTests):
    """
    Many at once, each with a fate of its own.
    """

    async def misbehave(self, peer: Peer, source: random.Random) -> None:
        """
        Answer in some way, good or not.
        """
        while True:
            await peer.head()
            answer = ANSWERS[source.randrange(3)]
            fate = source.randrange(8)
            if fate == 0:
                peer.credit = source.randrange(1, len(answer))
                peer.cut = LEAVES[source.randrange(3)]
            elif fate == 1:
                answer = answer[: source.randrange(len(answer))] + b"\0junk"
            elif fate == 2:
                await turns(source.randrange(20))
            elif fate == 3:
                answer = b"HTTP/1.1 200 OK\r\nContent-Length: 700000\r\n\r\n" + bytes(700_000)
            peer.sends(answer)
            if answer.endswith(b"the end"):
                peer.leaves()

    async def live(self, port: int, source: random.Random) -> None:
        """
        A client's life.
        """
        isSecret = source.random() < 0.4
        client = Peer(clientSSL(source.choice(("a.test", "s.test", "through.test"))) if isSecret else None)
        if source.random() < 0.5:
            client.credit = source.randrange(1, 1500)
            client.cut = LEAVES[source.randrange(3)]
        await self.client(port, peer=client)
        data = CONVERSATION * source.randrange(1, 3) if source.random() < 0.8 else source.randbytes(500)
        while data and not client.isOver:
            size = source.randrange(1, 300)
            client.sends(data[:size])
            data = data[size:]
            if source.random() < 0.3:
                await turns(source.randrange(5))
            if source.random() < 0.05:
                client.transport.pauseProducing()
                await turns(source.randrange(10))
                client.transport.resumeProducing()
        await turns(source.randrange(30))
        LEAVES[source.randrange(2)](client)

    async def soaks(self, seed: int, count: int) -> None:
        """
        So many clients, in crowds.
        """
        port = await self.begin()
        source = random.Random(seed)
        self.web.serves(lambda peer: self.misbehave(peer, source))
        for _ in range(count // 30):
            await gatherResults([Deferred.fromCoroutine(self.live(port, source)) for _ in range(30)])
        for origin in (self.web, self.raw, self.secret):
            for peer in origin.peers:
                peer.leaves()
        await self.isClean()
        # An origin may be about to answer who is gone.
        await turns(20)

    async def test_soak(self) -> None:
        """
        Nothing of any of them stays.
        """
        await self.soaks(5, 300)
