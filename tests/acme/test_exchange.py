"""
Tests for L{smartproxy_tw.acme.exchange}, over real connections: what an
authority, or whoever answers in its place, may do to us.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.task import LoopingCall
from twisted.trial.unittest import TestCase

from smartproxy_tw.acme.errors import (
    AuthorityNonsense,
    AuthorityNotTrusted,
    AuthorityUnreachable,
    IssuanceFailed,
)
from smartproxy_tw.acme.exchange import LARGEST_ANSWER, Answer, Exchange

from .liar import Liar, said


class ExchangeTests(TestCase):
    def setUp(self) -> None:
        self.liar = self.makeLiar()
        self.exchange = self.makeExchange(self.liar.caFile)

    def makeLiar(self, *names: str) -> Liar:
        liar = Liar(reactor, Path(self.mktemp()), names or ("127.0.0.1",))
        self.addCleanup(lambda: Deferred.fromCoroutine(liar.close()))
        return liar

    def makeExchange(self, caFile: str | None, timeout: float = 20.0) -> Exchange:
        exchange = Exchange(reactor, caFile=caFile, userAgent="a test/1", timeout=timeout)
        self.addCleanup(exchange.close)
        return exchange

    def ask(self, *arguments: Any) -> Deferred[Answer]:
        return Deferred.fromCoroutine(self.exchange.ask(*(arguments or ("GET", self.liar.url))))

    async def fails(self, kind: type[IssuanceFailed], *arguments: Any) -> str:
        """
        Ask, and expect such a failure; gives its text.
        """
        why = await self.assertFailure(self.ask(*arguments), kind)
        self.assertIs(type(why), kind)
        return str(why)

    async def test_answer(self) -> None:
        """
        A whole answer of whatever status comes back as it is.
        """
        self.liar.answer = lambda transport: transport.write(said(418, b"teapot", "Retry-After: 3"))
        answer = await self.ask("POST", self.liar.url + "x?y=1", b"{}")
        self.assertEqual((answer.status, answer.body), (418, b"teapot"))
        self.assertEqual(answer.fields["retry-after"], "3")

    async def test_request(self) -> None:
        """
        A request introduces us, states its type, and asks for no coding.
        """
        await self.ask("POST", self.liar.url + "x?y=1", b"{}")
        head = self.liar.heads[0].lower()
        self.assertTrue(head.startswith(b"post /x?y=1 http/1.1\r\n"))
        self.assertIn(b"user-agent: a test/1", head)
        self.assertIn(b"content-type: application/jose+json", head)
        self.assertNotIn(b"accept-encoding", head)

    async def test_connectionIsKept(self) -> None:
        """
        Requests that follow one another share a connection.
        """
        for _ in range(5):
            await self.ask()
        self.assertEqual(self.liar.connections, 1)

    async def test_fewConnections(self) -> None:
        """
        However many ask at once, connections are few.
        """
        answers = await gatherResults([self.ask() for _ in range(40)])
        self.assertEqual(len(answers), 40)
        self.assertLessEqual(self.liar.connections, 6)

    async def test_close(self) -> None:
        """
        Closing closes, and asking again opens again.
        """
        await self.ask()
        await self.exchange.close()
        await self.liar.allGone()
        await self.ask()
        self.assertEqual(self.liar.connections, 2)

    async def test_strangersCertificate(self) -> None:
        """
        Nobody is believed who cannot prove to be the authority, and nothing is
        said to them.
        """
        other = self.makeLiar()
        text = await self.fails(AuthorityNotTrusted, "GET", other.url)
        self.assertIn("acme.ca_file", text)
        self.assertEqual(other.heads, [])

    async def test_systemTrust(self) -> None:
        """
        Without a file of our own the system decides, and does not know it.
        """
        self.exchange = self.makeExchange(None)
        await self.fails(AuthorityNotTrusted)

    async def test_anothersName(self) -> None:
        """
        A good certificate for another name proves nothing.
        """
        other = self.makeLiar("elsewhere.example")
        self.exchange = self.makeExchange(other.caFile)
        await self.fails(AuthorityNotTrusted, "GET", other.url)
        self.assertEqual(other.heads, [])

    async def test_caFile(self) -> None:
        """
        A file of those to trust that is missing, or holds nothing, is named.
        """
        for caFile in (__file__, "/nonexistent/ca.pem"):
            self.exchange = self.makeExchange(caFile)
            self.assertIn(caFile, await self.fails(AuthorityNotTrusted))

    async def test_nobodyThere(self) -> None:
        """
        A refused connection says so, and where.
        """
        await self.liar.close()
        self.assertIn("refused", (await self.fails(AuthorityUnreachable)).lower())

    async def test_noName(self) -> None:
        """
        A URL that is none, or not https, is not asked.
        """
        for url in ("http://127.0.0.1/", "https://exa mple/", "https://[::1/", "https://127.0.0.1:x/"):
            await self.fails(AuthorityNonsense, "GET", url)

    async def test_hangsUp(self) -> None:
        """
        A connection that is closed in place of an answer is told.
        """
        self.liar.answer = lambda transport: transport.loseConnection()
        await self.fails(AuthorityUnreachable)

    async def test_stale(self) -> None:
        """
        A kept connection that the authority closes just then costs nothing:
        the same bytes are sent once more, on a new one.
        """

        def answer(transport: Any) -> None:
            if len(self.liar.heads) == 2:
                transport.abortConnection()
            else:
                transport.write(said(200, b"hello"))

        self.liar.answer = answer
        await self.ask("POST", self.liar.url, b"signed")
        self.assertEqual((await self.ask("POST", self.liar.url, b"signed")).status, 200)
        self.assertEqual((len(self.liar.heads), self.liar.connections), (3, 2))

    async def test_truncatedEverywhere(self) -> None:
        """
        Wherever an answer is cut, it is not taken for whole.
        """
        whole = said(200, b"hello")
        for cut in range(len(whole)):

            def answer(transport: Any, cut: int = cut) -> None:
                transport.write(whole[:cut])
                transport.loseConnection()

            self.liar.answer = answer
            await self.fails(AuthorityUnreachable)

    async def test_silence(self) -> None:
        """
        Who does not answer is left, and the connection with them.
        """
        self.liar.answer = lambda transport: None
        self.exchange = self.makeExchange(self.liar.caFile, timeout=0.1)
        self.assertIn("within 0.1 s", await self.fails(AuthorityUnreachable))
        await self.liar.allGone()

    async def drip(self, piece: bytes) -> None:
        """
        Be answered piece by piece without an end, and leave in time.
        """
        calls: list[LoopingCall] = []

        def answer(transport: Any) -> None:
            transport.write(b"HTTP/1.1 200 OK\r\n")
            calls.append(LoopingCall(transport.write, piece))
            calls[-1].start(0.01)

        self.liar.answer = answer
        self.exchange = self.makeExchange(self.liar.caFile, timeout=0.15)
        await self.fails(AuthorityUnreachable)
        await self.liar.allGone()
        for each in calls:
            each.stop()

    async def test_drippingHead(self) -> None:
        """
        An answer whose head never ends is left in time.
        """
        await self.drip(b"X: y\r\n")

    async def test_drippingBody(self) -> None:
        """
        An answer whose body never ends is left in time, and the connection
        closed.
        """
        await self.drip(b"Content-Length: 1000000\r\n\r\n")

    async def test_huge(self) -> None:
        """
        An answer that is larger than any should be is not read to its end.
        """

        def answer(transport: Any) -> None:
            transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n")
            transport.write(b"x" * (LARGEST_ANSWER + 1))

        self.liar.answer = answer
        self.assertIn(str(LARGEST_ANSWER), await self.fails(AuthorityNonsense))
        await self.liar.allGone()

    async def test_largest(self) -> None:
        """
        The largest that is allowed is read.
        """
        self.liar.answer = lambda transport: transport.write(said(200, b"x" * LARGEST_ANSWER))
        self.assertEqual(len((await self.ask()).body), LARGEST_ANSWER)

    async def test_bomb(self) -> None:
        """
        What is compressed, though nobody asked for it, is not unpacked.
        """
        packed = gzip.compress(b"\0" * 10_000_000)
        self.liar.answer = lambda transport: transport.write(said(200, packed, "Content-Encoding: gzip"))
        self.assertEqual((await self.ask()).body, packed)

    async def test_noHTTP(self) -> None:
        """
        What is not HTTP at all is told as such a failure.
        """
        for noise in (b"\0\1\2\r\n\r\n", b"220 mail.example ESMTP\r\n", b"HTTP/1.1 abc OK\r\n\r\n"):
            self.liar.answer = lambda transport, noise=noise: (
                transport.write(noise),
                transport.loseConnection(),
            )
            await self.fails(AuthorityUnreachable)

    async def test_noRedirect(self) -> None:
        """
        Nobody sends us elsewhere.
        """
        self.liar.answer = lambda transport: transport.write(
            said(302, b"", "Location: https://evil.example/")
        )
        self.assertEqual((await self.ask()).status, 302)

    async def test_cancelled(self) -> None:
        """
        Who gives up closes the connection, and leaves room for others.
        """
        self.liar.answer = lambda transport: transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
        asked = [self.ask() for _ in range(9)]
        while len(self.liar.heads) < 6:
            await self.turn()
        for each in asked:
            each.cancel()
            await self.assertFailure(each, CancelledError)
        await self.liar.allGone()
        self.liar.answer = lambda transport: transport.write(said(200, b"hello"))
        await self.ask()

    def turn(self) -> Deferred[None]:
        """
        Let the reactor look at its sockets once.
        """
        turned: Deferred[None] = Deferred()
        reactor.callLater(0, turned.callback, None)  # type: ignore[attr-defined]
        return turned
