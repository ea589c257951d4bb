"""
Answers in pieces, and answers that somebody looks at on their way.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyClass

from smartproxy_tw.config.model import Forward, Respond, Route, Timeouts
from smartproxy_tw.facts import Amendment, AnswerHead, RequestFacts
from smartproxy_tw.interfaces import IExchange, IFilter, ILens, IOutlet
from smartproxy_tw.plane.outlet import LateOutlet, Outlet

from .conversation import GET, DeedTests, status
from .harness import Origin, field, turns

HEAD = GET.replace(b"GET", b"HEAD")
OLD = GET.replace(b"HTTP/1.1", b"HTTP/1.0")


class InterfaceTests(SynchronousTestCase):
    """
    Both kinds.
    """

    def test_provided(self) -> None:
        """
        They provide the interface.
        """
        for each in (Outlet, LateOutlet):
            verifyClass(IOutlet, each)


class PieceTests(DeedTests):
    """
    L{IExchange.begin}.
    """

    async def writes(self, length: int | None, *pieces: bytes, status: int = 200) -> int:
        """
        The port of a route that answers with pieces.
        """

        def deed(exchange: IExchange) -> None:
            outlet = exchange.begin(status, b"X-A: b\r\n", length)
            for piece in pieces:
                outlet.write(piece)
            outlet.finish()

        return await self.begin(deed)

    async def test_known(self) -> None:
        """
        With a length; the connection goes on.
        """
        client = await self.client(await self.writes(5, b"he", b"llo"))
        for _ in range(2):
            client.sends(GET)
            head, body = await client.message()
            self.assertEqual((field(head, b"content-length"), body), (b"5", b"hello"))
            self.assertEqual(field(head, b"x-a"), b"b")
            self.assertIsNotNone(field(head, b"date"))

    async def test_unknown(self) -> None:
        """
        Without one it comes in chunks, or until the end for who knows no chunks.
        """
        port = await self.writes(None, b"he", b"", b"llo")
        client = await self.client(port)
        client.sends(GET)
        head = await client.head()
        self.assertEqual(field(head, b"transfer-encoding"), b"chunked")
        await client.expects(b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n")
        client.sends(OLD)
        head = await client.head()
        self.assertEqual((field(head, b"transfer-encoding"), field(head, b"connection")), (None, b"close"))
        await client.expects(b"hello")
        await client.ends()

    async def test_bodiless(self) -> None:
        """
        HEAD is told the length, if it is known; 204 and 304 have no body.
        """
        for length, code, request, said in (
            (5, 200, HEAD, b"5"),
            (None, 200, HEAD, None),
            (5, 304, GET, b"5"),
            (0, 204, GET, None),
            (None, 204, GET, None),
        ):
            client = await self.client(await self.writes(length, b"hello", status=code))
            client.sends(request)
            head = await client.head()
            self.assertEqual((status(head), field(head, b"content-length")), (code, said))
            self.assertIsNone(field(head, b"transfer-encoding"))
            client.sends(GET.replace(b"/ ", b"/fine "))
            self.assertEqual((await client.message())[1], b"fine")

    async def test_tooLittle(self) -> None:
        """
        An answer that is shorter than it said is broken off; what is too much is cut.
        """
        client = await self.client(await self.writes(5, b"hell"))
        client.sends(GET)
        await client.loses()
        client = await self.client(await self.writes(5, b"hello world"))
        client.sends(GET + GET.replace(b"/ ", b"/fine "))
        self.assertEqual((await client.message())[1], b"hello")
        self.assertEqual((await client.message())[1], b"fine")

    async def test_headFirst(self) -> None:
        """
        The head does not wait for a body that takes its time; a client that leaves ends
        it, and what is written then is dropped.
        """
        outlets: list[Any] = []
        ended: list[int] = []

        def deed(exchange: IExchange) -> None:
            exchange.onEnd(lambda: ended.append(1))
            outlets.append(exchange.begin(200, b"", None))

        client = await self.client(await self.begin(deed))
        client.sends(GET)
        self.assertEqual(status(await client.head()), 200)
        outlets[0].write(b"x")
        await client.expects(b"1\r\nx\r\n")
        client.breaks()
        await self.isIdle()
        self.assertEqual(ended, [1])
        outlets[0].write(b"y")
        outlets[0].finish()
        outlets[0].abort()

    async def test_abort(self) -> None:
        """
        It can be given up: nobody takes it for whole.
        """

        def deed(exchange: IExchange) -> None:
            outlet = exchange.begin(200, b"", None)
            outlet.write(b"x")
            outlet.abort()

        client = await self.client(await self.begin(deed))
        client.sends(GET)
        await client.loses()

    async def test_backpressure(self) -> None:
        """
        A client that does not read is waited for: little is kept for it, and it gets all
        of it in the end.
        """
        piece, pieces = b"x" * 65536, 400
        outlets: list[Any] = []
        written = 0

        def more() -> None:
            nonlocal written
            [outlet] = outlets
            while written < pieces and outlet.isTaking:
                outlet.write(piece)
                written += 1
            if written < pieces:
                outlet.whenTaking(more)
            else:
                outlet.finish()

        def deed(exchange: IExchange) -> None:
            outlets.append(exchange.begin(200, b"", pieces * len(piece)))
            more()

        client = await self.client(await self.begin(deed))
        client.transport.pauseProducing()
        client.sends(GET)
        await self.settles(lambda: bool(outlets), "it has begun")
        await turns(30)
        self.assertLess(written, pieces)
        client.transport.resumeProducing()
        body = (await client.message())[1]
        self.assertEqual(len(body), pieces * len(piece))

    async def test_silent(self) -> None:
        """
        One whose maker falls silent is broken off.
        """
        port = await self.begin(lambda exchange: exchange.begin(200, b"", 5), timeouts=Timeouts(idle=60))
        client = await self.client(port)
        client.sends(GET)
        await client.head()
        self.world.advance(61)
        await client.loses()

    async def test_over(self) -> None:
        """
        Whoever comes after the end is not heard.
        """
        kept: list[Any] = []
        client = await self.client(await self.begin(kept.append))
        client.sends(GET)
        await self.settles(lambda: bool(kept), "it has begun")
        client.breaks()
        await self.isIdle()
        [exchange] = kept
        exchange.respond(200, b"", b"late")
        outlet = exchange.begin(200, b"", 4)
        outlet.write(b"late")
        outlet.whenTaking(self.fail)
        outlet.finish()
        outlet.abort()
        exchange.collect(10, self.fail)
        exchange.forward(None)


@implementer(IFilter)
class Louder:
    """
    Upper case, with a mark at the end; every second piece is held back.
    """

    def __init__(self, mark: bytes) -> None:
        self._held = b""
        self._mark = mark

    def data(self, piece: bytes) -> bytes:
        """Hold it, or say both."""
        if not self._held:
            self._held = piece
            return b""
        both, self._held = self._held + piece, b""
        return both.upper()

    def end(self) -> bytes:
        """The rest."""
        return self._held.upper() + self._mark


@implementer(ILens)
class Looking:
    """
    Does what a test says.
    """

    def __init__(self, look: Callable[[AnswerHead], AnswerHead]) -> None:
        self._look = look

    def look(self, facts: Callable[[], RequestFacts], head: AnswerHead) -> AnswerHead:
        """Do it."""
        assert facts().host == "a.test"
        return self._look(head)


def louder(mark: bytes) -> Looking:
    """
    A lens with a filter.
    """
    return Looking(
        lambda head: head._replace(
            fields=head.fields + b"X-Seen: %b\r\n" % mark,
            length=None,
            filters=(*head.filters, Louder(mark)),
        )
    )


class LensTests(DeedTests):
    """
    L{IExchange.through}.
    """

    async def sees(self, *lenses: Looking) -> tuple[int, Origin]:
        """
        The port of a route whose answers are looked at, and its origin.
        """
        port = await self.port()
        origin = self.origin()
        await self.use(
            Route("own", (port,), Forward((origin.target,)), "http"),
            Route("fine", (port,), Respond(body="fine"), "http", path="/fine"),
        )
        entrance = self.plane.engine._entrances[port]
        inner = entrance.actions["own"]

        def deed(exchange: IExchange) -> None:
            for each in lenses:
                exchange.through(each)
            inner.request(exchange)

        self.does("own", deed)
        return port, origin

    async def test_order(self) -> None:
        """
        The last one sees the answer first, and its filter has the body first.
        """
        port, origin = await self.sees(louder(b"1"), louder(b"2"))
        client = await self.client(port)
        client.sends(GET)
        server = await origin.accepts()
        await server.head()
        server.sends(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-Own: y\r\n\r\nab")
        await turns(3)
        server.sends(b"cd")
        head, body = await client.message()
        self.assertEqual(body, b"ABCD21")
        self.assertIn(b"X-Own: y\r\nX-Seen: 2\r\nX-Seen: 1\r\n", head)
        self.assertIsNone(field(head, b"content-length"))

    async def test_framings(self) -> None:
        """
        However the target ends its answer, and whatever the client can read, the body
        that is seen is the same, and kept connections are kept.
        """
        port, origin = await self.sees(louder(b"!"))
        chunked = (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n"
            b"3\r\nabc\r\n2\r\nde\r\n0\r\nX: 1\r\n\r\n"
        )
        length = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde"
        endless = b"HTTP/1.1 200 OK\r\n\r\nabcde"
        for answer in (chunked, length, endless):
            for request in (GET, OLD):
                for cut in (len(answer), answer.index(b"\r\n\r\n") + 4, len(answer) - 3):
                    client = await self.client(port)
                    client.sends(request)
                    server = await origin.accepts()
                    await server.head()
                    server.sends(answer[:cut])
                    await turns(3)
                    server.sends(answer[cut:])
                    if answer is endless:
                        server.finishes()
                    if request is GET:
                        head, body = await client.message()
                    else:
                        head = await client.head()
                        body = await client.ends()
                    self.assertEqual(body, b"ABCDE!", (answer, request, cut))
                    self.assertIsNone(field(head, b"trailer"))
                    client.leaves()
                    server.leaves()
                    await self.isIdle()

    async def test_empty(self) -> None:
        """
        An answer without a body is seen too; HEAD keeps the length of GET.
        """
        marking = Looking(lambda head: head._replace(fields=head.fields + b"X-S: 1\r\n"))
        port, origin = await self.sees(marking)
        client = await self.client(port)
        for request, answer, said in (
            (HEAD, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", b"9"),
            (GET, b"HTTP/1.1 304 Not Modified\r\n\r\n", None),
            (GET, b"HTTP/1.1 204 No Content\r\n\r\n", None),
            (GET, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"0"),
        ):
            client.sends(request)
            server = await origin.accepts() if not origin.peers else origin.peers[0]
            await server.head()
            server.sends(answer)
            head = await client.head()
            self.assertEqual((field(head, b"x-s"), field(head, b"content-length")), (b"1", said))

    async def test_replaced(self) -> None:
        """
        Status and body can be others.
        """

        class Instead:
            def data(self, piece: bytes) -> bytes:
                return b""

            def end(self) -> bytes:
                return b"sorry"

        port, origin = await self.sees(
            Looking(lambda head: AnswerHead(503, b"", 5, (Instead(),)))  # type: ignore[arg-type]
        )
        client = await self.client(port)
        client.sends(GET)
        server = await origin.accepts()
        await server.head()
        server.sends(b"HTTP/1.1 500 No\r\nContent-Length: 3\r\n\r\nbad")
        head, body = await client.message()
        self.assertEqual((status(head), body), (503, b"sorry"))

    async def test_own(self) -> None:
        """
        What the proxy answers itself is seen too, and what it refuses is not.
        """
        port, origin = await self.sees(louder(b"!"))
        await origin.port.stopListening()
        client = await self.client(port)
        client.sends(GET)
        head, body = await client.message()
        self.assertEqual((status(head), body), (502, b"502 BAD GATEWAY\n!"))
        client.sends(b"GET / HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n")
        head, body = await client.message()
        self.assertEqual((status(head), field(head, b"x-seen")), (400, None))

    async def test_broken(self) -> None:
        """
        A target that breaks in the middle leaves no whole answer, whatever the filters held.
        """
        port, origin = await self.sees(louder(b"!"))
        client = await self.client(port)
        client.sends(GET)
        server = await origin.accepts()
        await server.head()
        server.sends(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
        await client.head()
        server.breaks()
        await client.loses()

    async def test_bug(self) -> None:
        """
        One that raises ends that connection, and nothing else.
        """

        def bug(head: AnswerHead) -> AnswerHead:
            raise ZeroDivisionError("a bug")

        port, origin = await self.sees(Looking(bug))
        client = await self.client(port)
        client.sends(GET)
        server = await origin.accepts()
        await server.head()
        server.sends(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc")
        await client.loses()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        other = await self.client(port)
        other.sends(GET.replace(b"/ ", b"/fine "))
        self.assertEqual((await other.message())[1], b"fine")

    async def test_big(self) -> None:
        """
        A long answer that is compressed on its way comes whole, and the target is held up
        while the client does not read.
        """

        class Deflating:
            def __init__(self) -> None:
                self._made = zlib.compressobj(0)

            def data(self, piece: bytes) -> bytes:
                return self._made.compress(piece)

            def end(self) -> bytes:
                return self._made.flush()

        port, origin = await self.sees(
            Looking(lambda head: head._replace(length=None, filters=(Deflating(),)))  # type: ignore[arg-type]
        )
        size = 1 << 24
        client = await self.client(port)
        client.transport.pauseProducing()
        client.sends(GET)
        server = await origin.accepts()
        await server.head()
        server.sends(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"ab" * (size // 2))
        await turns(50)
        client.transport.resumeProducing()
        body = (await client.message())[1]
        self.assertEqual(zlib.decompress(body), b"ab" * (size // 2))


class AmendTests(DeedTests):
    """
    L{IExchange.amend} and L{IExchange.fields}.
    """

    async def test_forwarded(self) -> None:
        """
        The target gets what was asked for in place of what came.
        """
        port = await self.port()
        origin = self.origin()
        origin.answers(lambda head, body: b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(head) + head)
        await self.use(Route("own", (port,), Forward((origin.target,)), "http"))
        inner = self.plane.engine._entrances[port].actions["own"]
        seen: list[Any] = []

        def deed(exchange: IExchange) -> None:
            seen.extend(exchange.fields())
            exchange.amend(Amendment(b"/there", frozenset((b"x-a",)), b"X-B: 2\r\n"))
            inner.request(exchange)

        self.does("own", deed)
        client = await self.client(port)
        client.sends(b"POST /here HTTP/1.1\r\nHost: a.test\r\nX-A: 1\r\nContent-Length: 2\r\n\r\nok")
        _, heard = await client.message()
        self.assertTrue(heard.startswith(b"POST /there HTTP/1.1\r\nHost: a.test\r\n"), heard)
        self.assertEqual((field(heard, b"x-a"), field(heard, b"x-b")), (None, b"2"))
        self.assertIn(("x-a", "1"), seen)


class NothingToSendTests(DeedTests):
    """
    Answers without a body that somebody looks at.
    """

    async def test_noLength(self) -> None:
        """
        Those of 304 and 204 say nothing of a length: it would be taken for that of what the
        client has (RFC 9110 section 8.6).
        """

        @implementer(ILens)
        class Lens:
            """Sees everything as it is."""

            def look(self, facts: Callable[[], RequestFacts], head: AnswerHead) -> AnswerHead:
                """The same."""
                return head

        statuses = [304, 204, 200]

        def deed(exchange: IExchange) -> None:
            exchange.through(Lens())
            exchange.respond(statuses.pop(0), b"", b"")

        client = await self.client(await self.begin(deed))
        for number, length in ((304, None), (204, None), (200, b"0")):
            client.sends(GET)
            head = await client.head()
            self.assertEqual((status(head), field(head, b"content-length")), (number, length))
