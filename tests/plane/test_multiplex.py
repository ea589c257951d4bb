"""
Connections that speak HTTP/2, through a real plane.
"""

from __future__ import annotations

from typing import Any

from smartproxy_tw.config.model import TLS, Files, Forward, Limits, Respond, Route, TLSPolicy
from smartproxy_tw.plane.channel import Channel
from smartproxy_tw.plane.engine import Engine
from smartproxy_tw.plane.poller import Poller
from smartproxy_tw.wire.frames import (
    CANCEL,
    INTERNAL_ERROR,
    PREFACE,
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    reset,
    settings,
)

from ..wire.conversations import data, framesOf, head
from .conversation import HELLO, DeedTests, alive, status
from .harness import field, turns
from .streams import Client, StreamTests

FIELDS = [(b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"a.test"), (b":path", b"/")]
HERE = Route("here", (1,), Respond(body="here"), "http", path="/here")


def theOne(case: Any) -> Any:
    """
    The one client connection of the plane.
    """
    (found,) = alive(case)
    return found


class RequestTests(StreamTests):
    """
    Requests and their answers.
    """

    async def test_request(self) -> None:
        """
        A request goes to the target as HTTP/1.1 with our forwarding fields; the answer comes back.
        """
        port, origin = await self.begin()
        client = await self.http2(port)
        stream = client.asks("/shop?item=7", ("user-agent", "test"))
        server = await origin.accepts()
        self.assertEqual(
            await server.head(),
            b"GET /shop?item=7 HTTP/1.1\r\nhost: a.test\r\nuser-agent: test\r\n"
            b"X-Forwarded-Host: a.test\r\nX-Forwarded-For: 127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\n"
            b"X-Forwarded-Proto: http\r\nX-Forwarded-Port: %d\r\n\r\n" % port,
        )
        server.sends(b"HTTP/1.1 200 OK\r\nX-Up: 1\r\nContent-Length: 5\r\nKeep-Alive: x\r\n\r\nhello")
        answer = await client.answer(stream)
        self.assertEqual((answer.status, answer.body), (200, b"hello"))
        self.assertEqual(answer.fields, {"x-up": "1", "content-length": "5"})

    async def test_overTLS(self) -> None:
        """
        The same where ALPN has agreed on it; the target is told that it was https.
        """
        port, origin = await self.secure()
        client = await self.http2OverTLS(port)
        stream = client.asks()
        server = await origin.accepts()
        self.assertEqual(field(await server.head(), b"x-forwarded-proto"), b"https")
        server.sends(HELLO)
        self.assertEqual((await client.answer(stream)).body, b"hello")

    async def test_withoutPriorKnowledge(self) -> None:
        """
        On a port without TLS where it is not allowed it is another version.
        """
        port, _ = await self.begin(http2PriorKnowledge=False)
        peer = await self.client(port)
        peer.sends(PREFACE + settings({}))
        self.assertEqual(status(await peer.head()), 505)

    async def test_notAfterARequest(self) -> None:
        """
        Nor may it begin behind a request of HTTP/1: whoever stands before us would not know.
        """
        port, _ = await self.begin(HERE)
        peer = await self.client(port)
        peer.sends(b"GET /here HTTP/1.1\r\nHost: a.test\r\n\r\n" + PREFACE + settings({}))
        self.assertEqual((await peer.message())[1], b"here")
        self.assertEqual(status(await peer.head()), 505)

    async def test_many(self) -> None:
        """
        Answers come as they are there, in any order, over one connection.
        """
        port, origin = await self.begin()
        client = await self.http2(port)
        streams = [client.asks(f"/{number}") for number in range(10)]
        servers = [await origin.accepts() for _ in streams]
        paths = {}
        for server in servers:
            paths[(await server.head()).split()[1].decode()] = server
        for number in reversed(range(10)):
            text = b"number %d" % number
            paths[f"/{number}"].sends(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(text), text))
            self.assertEqual((await client.answer(streams[number])).body, text)
        self.assertEqual(len(alive(self)), 1)

    async def test_tooMany(self) -> None:
        """
        More than limits.streams at a time are refused, and can be tried again.
        """
        port, _origin = await self.begin(limits=Limits(streams=2))
        peer = await self.client(port)
        peer.sends(PREFACE + settings({}) + b"".join(head(n, isEnd=True, fields=FIELDS) for n in (1, 3, 5)))
        await peer.until(lambda: len(peer.data) > 60 and b"\0\0\4\3" in peer.data, "a reset")
        frames = framesOf(bytes(peer.data))
        self.assertEqual(
            [(each.stream, each.number) for each in frames if each.kind == 3], [(5, REFUSED_STREAM)]
        )
        self.assertIn(b"\0\3\0\0\0\2", frames[0].payload)
        peer.breaks()

    async def test_remembered(self) -> None:
        """
        A request that comes again is not parsed again, until there is another table.
        """
        port, origin = await self.begin()
        origin.answers(HELLO)
        client = await self.http2(port)
        for _ in range(5):
            self.assertEqual((await client.answer(client.asks("/same"))).status, 200)
        # The first block told the fields, the others where they are in the table.
        self.assertEqual(len(theOne(self)._recognition._known), 2)
        await self.use(Route("all", (port,), Respond(body="changed"), "http"), http2PriorKnowledge=True)
        self.assertEqual((await client.answer(client.asks("/same"))).body, b"changed")

    async def test_everySplit(self) -> None:
        """
        However a conversation is cut, the answers are the same.
        """
        port, origin = await self.begin(HERE)
        origin.answers(
            lambda head, body: b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        here = [*FIELDS[:3], (b":path", b"/here")]
        post = [(b":method", b"POST"), *FIELDS[1:]]
        said = (
            PREFACE
            + settings({3: 10})
            + head(1, isEnd=True, fields=here)
            + head(3, fields=post)
            + data(3, b"some words", False)
            + data(3, b"", True)
            + head(5, isEnd=True, fields=here)
        )
        step = 3
        for cut in [*range(0, len(said), step), len(said)]:
            peer = await self.client(port)
            peer.sends(said[:cut])
            await turns(3)
            peer.sends(said[cut:])
            await peer.until(lambda peer=peer: b"some words" in peer.data, f"answers, cut at {cut}")
            found = [(each.stream, each.payload) for each in framesOf(bytes(peer.data)) if each.kind == 0]
            self.assertEqual(sorted(found), [(1, b"here"), (3, b"some words"), (5, b"here")], cut)
            peer.breaks()

    async def test_byteByByte(self) -> None:
        """
        Nor does it matter when each byte comes alone.
        """
        port, _ = await self.begin(HERE)
        peer = await self.client(port)
        await peer.trickles(
            PREFACE + settings({}) + head(1, isEnd=True, fields=[*FIELDS[:3], (b":path", b"/here")])
        )
        await peer.until(lambda: b"here" in peer.data, "an answer")
        peer.breaks()

    async def test_malformed(self) -> None:
        """
        What is malformed by the rules of HTTP/2 is reset, and the connection goes on.
        """
        port, _ = await self.begin(HERE)
        client = await self.http2(port)
        answer = await client.answer(client.asks("/", ("connection", "close")))
        self.assertEqual(answer.reset, PROTOCOL_ERROR)
        self.assertEqual((await client.answer(client.asks("/here"))).status, 200)

    async def test_refused(self) -> None:
        """
        What HTTP/1 answers with a status is answered so here, without a body for HEAD, and only
        this stream is affected.
        """
        port, _ = await self.begin(HERE, limits=Limits(headBytes=4096, urlBytes=2048))
        client = await self.http2(port)
        for expected, stream in (
            (405, client.asks("/", method="TRACE")),
            (414, client.asks("/" + "x" * 3000)),
            (431, client.asks("/", ("x", "y" * 5000))),
            (400, client.asks("/", host="a b")),
        ):
            answer = await client.answer(stream)
            self.assertEqual((answer.status, answer.isWhole), (expected, True))
            self.assertEqual(int(answer.fields["content-length"]), len(answer.body))
        bare = await client.answer(client.asks("/", host="a b", method="HEAD"))
        self.assertEqual((bare.status, bare.body), (400, b""))
        self.assertEqual((await client.answer(client.asks("/here"))).status, 200)

    async def test_scheme(self) -> None:
        """
        A scheme that the connection does not have is misdirected.
        """
        port, _ = await self.begin(HERE)
        client = await self.http2(port)
        client.scheme = "https"
        self.assertEqual((await client.answer(client.asks("/here"))).status, 421)

    async def test_misdirected(self) -> None:
        """
        A request for a name that has a handshake of its own is not answered on a connection that a
        browser shares because of its certificate.
        """
        port = await self.port()
        origin = self.origin()
        await self.certify("a.test", "b.test")
        source = Files("/test/certificate.pem", "/test/key.pem")
        strict = TLS("terminate", source, policy=TLSPolicy(lowest="1.3"))
        await self.use(
            Route("a", (port,), Forward((origin.target,)), "http", ("a.test",), tls=TLS("terminate", source)),
            Route("b", (port,), Forward((origin.target,)), "http", ("b.test",), tls=strict),
        )
        client = await self.http2OverTLS(port)
        self.assertEqual((await client.answer(client.asks(host="b.test"))).status, 421)


class FairnessTests(StreamTests):
    """
    Nobody waits for somebody else.
    """

    async def test_slowTarget(self) -> None:
        """
        A target that takes no body, and one that does not answer, hold up nobody.
        """
        port, origin = await self.begin(HERE)
        client = await self.http2(port)
        slow = client.asks("/slow", method="POST", isEnd=False)
        server = await origin.accepts()
        await server.head()
        server.transport.pauseProducing()
        for _ in range(7):
            client.says(slow, b"x" * 16384)
        for _ in range(5):
            self.assertEqual((await client.answer(client.asks("/here"))).body, b"here")
        client.resets(slow)

    async def test_slowReader(self) -> None:
        """
        An answer that is not taken holds up no other one.
        """
        port, origin = await self.begin(HERE)
        origin.answers(b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + b"x" * 300000)
        client = await self.http2(port, isReading=False)
        client.line.increment_flow_control_window(1 << 20)
        client.flush()
        big = client.asks("/big")
        await client.until(lambda: len(client.answers[big].body) == 65535, "a window full")
        for _ in range(5):
            self.assertEqual((await client.answer(client.asks("/here"))).body, b"here")
        client.line.increment_flow_control_window(300000, big)
        client.flush()
        self.assertEqual(len((await client.answer(big)).body), 300000)

    async def test_smallBesideBig(self) -> None:
        """
        A small answer comes before a big one that was asked for first has ended.
        """
        port, origin = await self.begin(HERE)
        origin.answers(b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + b"x" * 3000000)
        client = await self.http2(port, window=1 << 20)
        big = client.asks("/big")
        await client.begun(big)
        self.assertEqual((await client.answer(client.asks("/here"))).body, b"here")
        self.assertFalse(client.answers[big].isWhole)
        self.assertEqual(len((await client.answer(big)).body), 3000000)


class TurnTests(StreamTests):
    """
    Nobody has more than his turn.
    """

    def many(self, count: int, *resets: int) -> bytes:
        """
        A conversation that begins with so many requests, some of which are taken back.
        """
        said = [PREFACE, settings({})]
        for number in range(count):
            said.append(head(2 * number + 1, isEnd=True, fields=FIELDS))
            if number in resets:
                said.append(reset(2 * number + 1, CANCEL))
        return b"".join(said)

    async def began(self, count: int) -> int:
        """
        Wait until so many requests have begun.

        @return: How many have.
        """
        most = 0
        for _ in range(500):
            for each in alive(self):
                most = max(most, len(getattr(each, "channels", ())))
            if most >= count:
                break
            await turns(1)
        return most

    def watched(self) -> list[int]:
        """
        @return: Filled with 1 for each request that begins, and 0 for each wait for a turn.
        """
        steps: list[int] = []
        begin, later = Channel.begin, Poller.whenIdle
        self.patch(Channel, "begin", lambda channel, prepared: (steps.append(1), begin(channel, prepared)))
        self.patch(Poller, "whenIdle", lambda poller, call: (steps.append(0), later(poller, call)))
        return steps

    async def test_inTurns(self) -> None:
        """
        Many requests that come at once are begun a few at a time; all of them are, and others are
        answered meanwhile.
        """
        port, _ = await self.begin()
        steps = self.watched()
        peer = await self.client(port)
        peer.sends(self.many(90))
        self.assertEqual(await self.began(90), 90)
        runs = [len(run) for run in "".join(map(str, steps)).split("0")]
        self.assertEqual(sum(runs), 90)
        self.assertLessEqual(max(runs), 12)
        peer.breaks()
        await self.isIdle()

    async def test_fewWhereMuchIsToDo(self) -> None:
        """
        While there is more to do than there is time for, it is fewer.
        """
        port, _ = await self.begin()
        steps = self.watched()
        read = Poller.doRead

        def busy(poller: Poller) -> None:
            read(poller)
            poller.isBehind = True

        self.patch(Poller, "doRead", busy)
        client = await self.http2(port)
        client.asks()
        await self.began(1)
        # Who wants just that waits for nothing.
        self.assertEqual(steps, [1])
        client.peer.breaks()
        await self.isIdle()
        steps.clear()
        peer = await self.client(port)
        peer.sends(self.many(20))
        self.assertEqual(await self.began(20), 20)
        self.assertLessEqual(max(len(run) for run in "".join(map(str, steps)).split("0")), 3)
        peer.breaks()
        await self.isIdle()

    async def test_takenBack(self) -> None:
        """
        A request that was taken back before it had its turn is not begun; it is counted and told all the
        same, and the others are answered.
        """
        port, origin = await self.begin()
        origin.answers(HELLO)
        told: list[Any] = []
        self.patch(Engine, "recordRefusal", lambda engine, *what: told.append(what))
        peer = await self.client(port)
        peer.sends(self.many(4, 0, 2))
        await peer.until(lambda: peer.data.count(b"hello") == 2, "two answers")
        self.assertEqual(told, 2 * [("127.0.0.1", b"GET / HTTP/2.0", 499, 0)])
        self.assertEqual((await self.plane.tally())["http2_requests"], 4)
        frames = framesOf(bytes(peer.data))
        self.assertEqual(sorted({each.stream for each in frames}), [0, 3, 7])
        peer.breaks()

    async def test_takenBackLater(self) -> None:
        """
        Likewise one that had to wait for its turn.
        """
        port, _ = await self.begin()
        told: list[Any] = []
        self.patch(Engine, "recordRefusal", lambda engine, *what: told.append(what))
        held: list[Any] = []
        self.patch(Poller, "whenIdle", lambda poller, call: held.append(call))
        peer = await self.client(port)
        peer.sends(self.many(40))
        await turns(20)
        carrier = theOne(self)
        waiting = 40 - len(carrier.channels)
        self.assertGreater(waiting, 10)
        # It waits for its turn as long as that takes.
        self.assertEqual(carrier.deadline, float("inf"))
        carrier.drop()
        self.assertEqual(len(told), waiting)
        for call in held:
            call()
        await self.isIdle()
        peer.breaks()

    async def test_leaving(self) -> None:
        """
        What waits for its turn is answered before a connection comes to its end.
        """
        port, origin = await self.begin()
        origin.answers(HELLO)
        held: list[Any] = []
        self.patch(Poller, "whenIdle", lambda poller, call: held.append(call))
        peer = await self.client(port)
        peer.sends(self.many(40))
        await peer.until(lambda: b"hello" in peer.data, "an answer")
        await turns(50)
        self.assertLess(peer.data.count(b"hello"), 20)
        carrier = theOne(self)
        carrier.drain()
        await turns(5)
        self.world.advance(1.1)
        await turns(5)
        while held:
            held.pop(0)()
            await turns(20)
        await peer.until(lambda: peer.isOver, "the end")
        self.assertEqual(peer.data.count(b"hello"), 40)
        peer.leaves()

    async def test_endInPieces(self) -> None:
        """
        The requests of a connection that breaks end a few at a time; it is there until all have ended.
        """
        port, _ = await self.begin()
        peer = await self.client(port)
        peer.sends(self.many(30))
        self.assertEqual(await self.began(30), 30)
        carrier = theOne(self)
        carrier.drop()
        self.assertEqual(len(carrier.channels), 22)
        self.assertEqual(alive(self), [carrier])
        await turns(1)
        self.assertGreater(len(alive(self)), 0)
        await self.isIdle()
        self.assertEqual(carrier.channels, {})
        peer.breaks()

    async def test_bugInOnesEnd(self) -> None:
        """
        A bug in the end of one is not one of the others.
        """
        port, _ = await self.begin()
        peer = await self.client(port)
        peer.sends(self.many(3))
        self.assertEqual(await self.began(3), 3)
        carrier = theOne(self)
        first = carrier.channels[1]
        self.patch(type(first), "cancelled", failing(type(first).cancelled, first))
        carrier.drop()
        await self.isIdle()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        peer.breaks()


def failing(call: Any, whose: Any) -> Any:
    """
    The same, with a bug for one.
    """

    def fails(self: Any) -> None:
        if self is whose:
            raise ZeroDivisionError
        call(self)

    return fails


class BugTests(DeedTests):
    """
    A bug in an action ends its request, and nothing else.
    """

    async def begins(self, deed: Any) -> Client:
        port = await self.begin(deed, http2PriorKnowledge=True)
        return Client(await self.client(port))

    async def test_request(self) -> None:
        """
        When it is asked.  Code that wants to end the process ends no more than that.
        """
        for kind in (RuntimeError, SystemExit):

            def fails(exchange: Any, kind: type[BaseException] = kind) -> None:
                raise kind("a bug")

            client = await self.begins(fails)
            self.assertEqual((await client.answer(client.asks())).reset, INTERNAL_ERROR)
            self.assertEqual((await client.answer(client.asks("/fine"))).body, b"fine")
            self.assertEqual(len(self.flushLoggedErrors(kind)), 1)

    async def test_body(self) -> None:
        """
        When it has a body, while the connection is being read.
        """

        def fails(body: bytes | None) -> None:
            raise RuntimeError("a bug")

        client = await self.begins(lambda exchange: exchange.collect(1000, fails))
        stream = client.asks(method="POST", isEnd=False)
        client.says(stream, b"body", True)
        self.assertEqual((await client.answer(stream)).reset, INTERNAL_ERROR)
        self.assertEqual((await client.answer(client.asks("/fine"))).body, b"fine")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    async def test_taking(self) -> None:
        """
        When its answer may go on.
        """

        def fails() -> None:
            raise RuntimeError("a bug")

        def deed(exchange: Any) -> None:
            outlet = exchange.begin(200, b"", None)
            outlet.write(b"x" * 200000)
            outlet.whenTaking(fails)

        client = await self.begins(deed)
        self.assertEqual((await client.answer(client.asks())).reset, INTERNAL_ERROR)
        self.assertEqual((await client.answer(client.asks("/fine"))).body, b"fine")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
