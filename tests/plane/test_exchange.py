"""
What an action may do with an exchange, and what becomes of one that has a bug.
"""

from __future__ import annotations

import asyncio
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyClass

from smartproxy_tw.config.model import Block, Forward, Redirect, Respond, Route, Timeouts
from smartproxy_tw.facts import Amendment
from smartproxy_tw.interfaces import IExchange
from smartproxy_tw.plane.exchange import Exchange

from .conversation import GET, HELLO, DeedTests, SessionTests, status
from .harness import TERMINATE, Peer, field, turns

GET_X = b"GET /x?y HTTP/1.1\r\nHost: a.test\r\n\r\n"


class InterfaceTests(SynchronousTestCase):
    """
    L{Exchange}.
    """

    def test_provided(self) -> None:
        """
        It provides the interface.
        """
        verifyClass(IExchange, Exchange)


class ActionTests(DeedTests):
    """
    A route with an action of the test's own.
    """

    async def test_facts(self) -> None:
        """
        The facts are those of the request.
        """
        seen = []

        def deed(exchange: IExchange) -> None:
            seen.append(exchange.facts())
            exchange.respond(200, b"", b"")

        port = await self.begin(deed)
        client = await self.client(port)
        client.sends(GET_X)
        await client.head()
        [facts] = seen
        self.assertEqual((facts.method, facts.host, facts.path, facts.query), ("GET", "a.test", "/x", "y"))
        self.assertEqual(facts.connection.port, port)
        self.assertEqual(facts.connection.client.host, "127.0.0.1")

    async def test_fields(self) -> None:
        """
        The fields are those that go on: without what was taken away by those before, in any
        spelling, and with what they say.
        """
        seen: list[Any] = []

        def deed(exchange: IExchange) -> None:
            seen.append(exchange.fields())
            exchange.amend(Amendment(removed=frozenset((b"remote-user",)), fields=b"Remote-User: ann\r\n"))
            exchange.amend(Amendment(host=b"b.test"))
            seen.append(exchange.fields())
            exchange.respond(200, b"", b"")

        client = await self.client(await self.begin(deed))
        client.sends(
            b"GET / HTTP/1.1\r\nHost: a.test\r\nRemote-User: eve\r\nREMOTE_USER: eve\r\nRemote.User: eve\r\n"
            b"X-Other: x\r\n\r\n"
        )
        await client.head()
        spellings = [(f"remote{sign}user", "eve") for sign in "-_."]
        self.assertEqual(seen[0], [("host", "a.test"), *spellings, ("x-other", "x")])
        self.assertEqual(seen[1], [("host", "b.test"), ("x-other", "x"), ("remote-user", "ann")])

    async def test_later(self) -> None:
        """
        An action may answer whenever it likes; what is pipelined waits.
        """
        exchanges: list[Any] = []
        port = await self.begin(exchanges.append)
        client = await self.client(port)
        client.sends(GET_X + GET_X.replace(b"/x?y", b"/fine"))
        await self.settles(lambda: bool(exchanges), "it has begun")
        await turns(10)
        self.assertEqual((len(exchanges), bytes(client.data)), (1, b""))
        exchanges[0].respond(201, b"", b"late")
        self.assertEqual((await client.message())[1], b"late")
        self.assertEqual((await client.message())[1], b"fine")

    async def test_abort(self) -> None:
        """
        Or break the connection.
        """
        port = await self.begin(lambda exchange: exchange.abort())
        client = await self.client(port)
        client.sends(GET_X)
        await client.breaksOff()
        await self.isIdle()

    async def test_raises(self) -> None:
        """
        An exception ends that one connection and is logged, wherever the action
        was called from: by the first bytes, by a handshake, by a pipelined
        request, by the end of an answer from a target.
        """

        kinds: list[type[ZeroDivisionError]] = []

        def bug(exchange: object) -> None:
            # Each of another kind, as one that comes again is not told of at once.
            kinds.append(type("Bug", (ZeroDivisionError,), {}))
            raise kinds[-1]("a bug")

        origin = self.origin()
        plain, sniffed, secret = await self.port(), await self.port(), await self.port()
        await self.certify("a.test")
        forward = Forward((origin.target,))
        routes = [
            Route(f"{kind}-{number}", (number,), action, "http", path=path, tls=tls)
            for number, tls in ((plain, None), (sniffed, None), (secret, TERMINATE))
            for kind, action, path in (
                ("own", Respond(), None),
                ("up", forward, "/up"),
                ("fine", Respond(), "/fine"),
            )
        ]
        await self.use(*routes, Route("raw", (sniffed,), forward, "tcp"))
        for number in (plain, sniffed, secret):
            self.does(f"own-{number}", bug)
        bystander = await self.client(plain)
        for number in (plain, sniffed, secret):
            for before in (b"", GET_X.replace(b"/x?y", b"/fine"), GET_X.replace(b"/x?y", b"/up")):
                client = await (self.tls(number) if number == secret else self.client(number))
                client.sends(before + GET_X)
                if b"/up" in before:
                    server = await origin.accepts() if origin.count == 0 or not _kept(origin.peers) else None
                    server = server or _kept(origin.peers)[0]
                    await server.head()
                    server.sends(HELLO)
                await client.loses()
                [failure] = self.flushLoggedErrors(ZeroDivisionError)
                self.assertEqual(str(failure.value), "a bug")
                await self.settles(lambda: self.plane.engine.open == 1, "only the bystander is left")
        bystander.sends(GET_X.replace(b"/x?y", b"/up"))
        server = _kept(origin.peers)[0] if _kept(origin.peers) else await origin.accepts()
        await server.head()
        server.sends(HELLO)
        await bystander.expects(HELLO)

    async def test_streamRaises(self) -> None:
        """
        So does one in an action for a stream.
        """

        def bug(stream: object) -> None:
            raise ZeroDivisionError("a bug")

        plain, secret = await self.port(), await self.port()
        await self.certify("a.test")
        forward = Forward((self.origin().target,))
        await self.use(
            Route("plain", (plain,), forward, "tcp"),
            Route("secret", (secret,), forward, "tcp", tls=TERMINATE),
        )
        for name in ("plain", "secret"):
            self.does(name, bug)
        for client in (await self.client(plain), await self.tls(secret)):
            await client.loses()
        await self.isIdle()
        # It is the same one.
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


def _kept(peers: list[Peer]) -> list[Peer]:
    return [peer for peer in peers if peer.why is None and not peer.isEnded]


class UpgradeTests(SessionTests):
    """
    Connections that change their protocol.
    """

    ASK = (
        b"GET /chat HTTP/1.1\r\nHost: a.test\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Key: x\r\n\r\n"
    )
    AGREE = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"

    async def test_tunnelled(self) -> None:
        """
        After a 101 every byte passes, also those that came together with it
        and with the request, and each side may end for itself.
        """
        port, origin = await self.begin()
        client = await self.client(port)
        client.sends(self.ASK + b"early")
        server = await origin.accepts()
        head = await server.head()
        self.assertEqual((field(head, b"upgrade"), field(head, b"connection")), (b"websocket", b"upgrade"))
        self.assertEqual(field(head, b"sec-websocket-key"), b"x")
        server.sends(self.AGREE + b"first")
        answer = await client.head()
        self.assertEqual((status(answer), field(answer, b"upgrade")), (101, b"websocket"))
        self.assertEqual(field(answer, b"connection"), b"upgrade")
        await client.expects(b"first")
        await server.expects(b"early")
        client.sends(b"\0\xff\r\n\r\n")
        await server.expects(b"\0\xff\r\n\r\n")
        server.sends(b"x" * 300_000)
        self.assertEqual(await client.takes(300_000), b"x" * 300_000)
        client.finishes()
        await server.ends()
        server.sends(b"bye")
        await client.expects(b"bye")
        server.leaves()
        await client.ends()
        await self.isIdle()

    async def test_declined(self) -> None:
        """
        An origin that answers otherwise is just answering; the connections go
        on as HTTP.
        """
        port, origin = await self.begin()
        client = await self.client(port)
        client.sends(self.ASK)
        server = await origin.accepts()
        await server.head()
        server.sends(HELLO)
        await client.expects(HELLO)
        client.sends(GET)
        await server.head()
        server.sends(HELLO)
        await client.expects(HELLO)

    async def test_notPassed(self) -> None:
        """
        A change to HTTP/2, to TLS or to one of several is not asked of the
        origin.
        """
        port, origin = await self.begin()
        origin.answers(lambda head, body: b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(head) + head)
        client = await self.client(port)
        for lines in (
            b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n",
            b"Connection: Upgrade\r\nUpgrade: H2C-14\r\n",
            b"Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n",
            b"Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n",
            b"Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n",
            b"Upgrade: websocket\r\n",
            b"Connection: Upgrade\r\n",
        ):
            _, heard = await self.exchange(client, b"GET / HTTP/1.1\r\nHost: a.test\r\n" + lines + b"\r\n")
            self.assertIsNone(field(heard, b"upgrade"), lines)
            self.assertIsNone(field(heard, b"connection"), lines)
            self.assertIsNone(field(heard, b"http2-settings"), lines)

    async def test_unasked(self) -> None:
        """
        An origin that changes the protocol on its own, or to another one, is
        refused.
        """
        port, origin = await self.begin()
        for ask, answer in (
            (GET, self.AGREE),
            (self.ASK, self.AGREE.replace(b"websocket", b"other")),
            (self.ASK, b"HTTP/1.1 101 Switching Protocols\r\n\r\n"),
        ):
            client = await self.client(port)
            client.sends(ask)
            server = await origin.accepts()
            await server.head()
            server.sends(answer)
            self.assertEqual(status(await client.head()), 502)
            await server.loses()
            client.leaves()

    async def test_idle(self) -> None:
        """
        A tunnel in which nothing moves for the time of idling is broken.
        """
        port, origin = await self.begin(timeouts=Timeouts(idle=60))
        client = await self.client(port)
        client.sends(self.ASK)
        server = await origin.accepts()
        await server.head()
        server.sends(self.AGREE)
        await client.head()
        self.world.advance(40)
        await turns(20)
        server.sends(b"x")
        await client.expects(b"x")
        self.world.advance(40)
        await turns(20)
        self.assertFalse(client.isOver)
        self.world.advance(21)
        await client.breaksOff()
        await server.breaksOff()


class LocalAnswerTests(SessionTests):
    """
    What is answered from here.
    """

    async def test_respond(self) -> None:
        """
        A fixed answer has its fields, Date and length; HEAD has no body; a
        body of the request that has come is skipped.
        """
        port, _ = await self.begin(
            Route("r", (1,), Respond(201, (("X-A", "b"),), "héllo"), "http", path="/r")
        )
        client = await self.client(port)
        for request in (
            b"GET /r HTTP/1.1\r\nHost: a\r\n\r\n",
            b"POST /r HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
        ):
            head, body = await self.exchange(client, request)
            self.assertEqual((status(head), body), (201, "héllo".encode()))
            self.assertEqual(field(head, b"x-a"), b"b")
            self.assertIn(b" gmt", field(head, b"date") or b"")
            self.assertIsNone(field(head, b"connection"))
        head, _ = await self.exchange(client, b"HEAD /r HTTP/1.1\r\nHost: a\r\n\r\n", head=True)
        self.assertEqual(field(head, b"content-length"), b"6")
        head, _ = await self.exchange(client, b"GET /r HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual(status(head), 201)

    async def test_bodyNotThereYet(self) -> None:
        """
        Where the body of the request is still to come the connection ends
        after the answer, which the client can read.
        """
        port, _ = await self.begin(Route("r", (1,), Respond(body="no"), "http", path="/r"))
        client = await self.client(port)
        client.sends(b"POST /r HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nx")
        head, body = await client.message()
        self.assertEqual((field(head, b"connection"), body), (b"close", b"no"))
        client.sends(b"x" * 100_000)
        await client.ends()
        client.leaves()
        await self.isIdle()

    async def test_empty(self) -> None:
        """
        204 and 304 have neither body nor length.
        """
        port, _ = await self.begin(
            Route("n", (1,), Respond(204), "http", path="/n"),
            Route("m", (1,), Respond(304), "http", path="/m"),
        )
        client = await self.client(port)
        for path in (b"/n", b"/m", b"/n"):
            client.sends(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path)
            head = await client.head()
            self.assertIsNone(field(head, b"content-length"))
        self.assertEqual(bytes(client.data), b"")

    async def test_redirectAndBlock(self) -> None:
        """
        A redirect has its Location, a block is 403, and the connection goes on.
        """
        port, _ = await self.begin(
            Route("r", (1,), Redirect("https://{domain}{path}", 301), "http", ("r.test",)),
            Route("b", (1,), Block(), "http", ("b.test",)),
        )
        client = await self.client(port)
        head, _ = await self.exchange(client, b"GET /x/../y?z={path} HTTP/1.1\r\nHost: R.test:80\r\n\r\n")
        self.assertIn(b"\r\nLocation: https://r.test/y?z={path}\r\n", head)
        self.assertEqual(status(head), 301)
        head, body = await self.exchange(client, b"GET / HTTP/1.1\r\nHost: b.test\r\n\r\n")
        self.assertEqual((status(head), body), (403, b"Forbidden\n"))

    async def test_miss(self) -> None:
        """
        A miss is 404, counted, and the connection goes on.
        """
        port = await self.port()
        await self.use(Route("a", (port,), Respond(body="a"), "http", ("a.test",)))
        client = await self.client(port)
        head, _ = await self.exchange(client, b"GET / HTTP/1.1\r\nHost: b.test\r\n\r\n")
        self.assertEqual(status(head), 404)
        self.assertEqual((await self.exchange(client))[1], b"a")
        tally = await self.plane.tally()
        self.assertEqual((tally["misses"], tally["requests"], tally["open"]), (1, 2, 1))

    async def test_oldClient(self) -> None:
        """
        HTTP/1.0 is answered and closed, or kept when it asks.
        """
        port, _ = await self.begin(Route("r", (1,), Respond(body="r"), "http", path="/r"))
        client = await self.client(port)
        client.sends(b"GET /r HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n")
        head, _ = await client.message()
        self.assertEqual(field(head, b"connection"), b"keep-alive")
        client.sends(b"GET /r HTTP/1.0\r\n\r\n")
        head, _ = await client.message()
        self.assertEqual(field(head, b"connection"), b"close")
        await client.ends()


class UnrulyTests(DeedTests):
    """
    Actions that do not keep to the interface cost nobody else anything.
    """

    async def test_onEndRaises(self) -> None:
        """
        Where one of those who want to know of the end raises all others are told, once, and the
        connection goes on.
        """
        told: list[str] = []

        def bug() -> None:
            told.append("bug")
            raise ZeroDivisionError("a bug")

        def deed(exchange: IExchange) -> None:
            exchange.onEnd(bug)
            exchange.onEnd(lambda: told.append("after"))
            exchange.respond(200, b"", b"own")

        client = await self.client(await self.begin(deed))
        client.sends(GET_X + GET_X.replace(b"/x?y", b"/fine"))
        self.assertEqual((await client.message())[1], b"own")
        self.assertEqual((await client.message())[1], b"fine")
        self.assertEqual(told, ["bug", "after"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    async def test_onEndLate(self) -> None:
        """
        Who asks to be told after the end is told at once.
        """
        exchanges: list[Any] = []
        told: list[str] = []
        client = await self.client(await self.begin(exchanges.append))
        client.sends(GET_X)
        await self.settles(lambda: bool(exchanges), "it has begun")
        client.leaves()
        exchanges[0].respond(200, b"", b"")
        exchanges[0].onEnd(lambda: told.append("late"))
        self.assertEqual(told, ["late"])

    async def test_wantsTheEnd(self) -> None:
        """
        An action that asks for the end of the process, or raises what is not for it to raise, ends
        its own connection, at once or later.
        """
        for what in (SystemExit, asyncio.CancelledError, GeneratorExit):

            def bug(*_: object, what: type[BaseException] = what) -> None:
                raise what

            def late(exchange: Any, what: type[BaseException] = what) -> None:
                exchange.session.door.engine.poller.later(bug)
                exchange.respond(200, b"", b"late")

            def collects(exchange: IExchange, what: type[BaseException] = what) -> None:
                exchange.collect(10, bug)

            port = await self.begin(bug)
            bystander = await self.client(port)
            for deed in (bug, late, collects):
                self.does("own", deed)
                client = await self.client(port)
                client.sends(GET_X.replace(b"\r\n\r\n", b"\r\nContent-Length: 1\r\n\r\n"))
                await turns(3)
                client.sends(b"x")
                if deed is late:
                    self.assertEqual((await client.message())[1], b"late")
                    client.leaves()
                else:
                    await client.loses()
                await self.settles(
                    lambda what=what: len(self.flushLoggedErrors(what)) == 1,  # type: ignore[misc]
                    "it is told",
                )
                bystander.sends(GET_X.replace(b"/x?y", b"/fine"))
                self.assertEqual((await bystander.message())[1], b"fine")
            bystander.leaves()

    async def test_answersTwice(self) -> None:
        """
        Of two answers the first one counts, also if it is not at its end.
        """

        def deed(exchange: IExchange) -> None:
            outlet = exchange.begin(200, b"", None)
            outlet.write(b"first")
            exchange.respond(201, b"", b"second")
            exchange.begin(202, b"", None).write(b"third")
            outlet.finish()

        client = await self.client(await self.begin(deed))
        client.sends(GET_X)
        head = await client.head()
        self.assertEqual(status(head), 200)
        await client.expects(b"5\r\nfirst\r\n0\r\n\r\n")
        await turns(5)
        self.assertEqual(bytes(client.data), b"")

    async def test_answersForTarget(self) -> None:
        """
        Who answers while a target is asked has done with the target: what that says later is in
        nobody's answer.
        """
        origin = self.origin()
        exchanges: list[Any] = []
        port = await self.port()
        await self.use(
            Route("all", (port,), Forward((origin.target,)), "http"),
            Route("fine", (port,), Respond(body="fine"), "http", path="/fine"),
        )
        [action] = [each.actions["all"] for each in self.plane.engine._entrances.values()]

        def deed(exchange: IExchange) -> None:
            exchanges.append(exchange)
            exchange.forward(action.upstream)
            exchange.forward(action.upstream)

        self.does("all", deed)
        for isThere in (True, False):
            client = await self.client(port)
            client.sends(GET_X)
            if isThere:
                server = await origin.accepts()
                await server.head()
            else:
                await self.settles(lambda: len(exchanges) == 2, "it has begun")
            exchanges[-1].respond(504, b"", b"too late")
            self.assertEqual((await client.message())[1], b"too late")
            if isThere:
                await server.loses()
            client.sends(GET_X.replace(b"/x?y", b"/fine"))
            self.assertEqual((await client.message())[1], b"fine")
            await turns(10)
            self.assertEqual(bytes(client.data), b"")
            client.leaves()
        self.assertLessEqual(origin.count, 2)
