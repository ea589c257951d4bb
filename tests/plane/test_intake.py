"""
Bodies of requests that an action wants as a whole.  How they are passed on is told in
test_bodies, and their pace in test_pace.
"""

from __future__ import annotations

from typing import Any

from smartproxy_tw.config.model import Limits, Timeouts
from smartproxy_tw.interfaces import IExchange

from .conversation import DeedTests, status
from .harness import turns

POST = b"POST / HTTP/1.1\r\nHost: a.test\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\nX-T: 1\r\n\r\n"
LENGTH = b"Content-Length: 11\r\n\r\nhello world"


class CollectTests(DeedTests):
    """
    L{IExchange.collect}.
    """

    async def collects(self, most: int = 100, **others: Any) -> int:
        """
        The port of a route that answers with what it was sent.
        """

        def deed(exchange: IExchange) -> None:
            def answer(body: bytes | None) -> None:
                if body is None:
                    exchange.respond(413, b"", b"too much")
                else:
                    exchange.respond(200, b"", b"<" + body + b">")

            exchange.collect(most, answer)

        return await self.begin(deed, **others)

    async def test_everySplit(self) -> None:
        """
        However it comes, it is the same body, without its chunks, and the next request on
        the connection is understood.
        """
        port = await self.collects()
        for framing in (CHUNKED, LENGTH):
            whole = POST + framing
            for cut in range(len(POST), len(whole) + 1, 3):
                client = await self.client(port)
                client.sends(whole[:cut])
                await turns(2)
                client.sends(whole[cut:] + b"GET /fine HTTP/1.1\r\nHost: a.test\r\n\r\n")
                self.assertEqual((await client.message())[1], b"<hello world>")
                self.assertEqual((await client.message())[1], b"fine")
                client.leaves()

    async def test_none(self) -> None:
        """
        A request without a body has an empty one.
        """
        client = await self.client(await self.collects())
        client.sends(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
        self.assertEqual((await client.message())[1], b"<>")

    async def test_expected(self) -> None:
        """
        Who waits for an invitation gets it.
        """
        client = await self.client(await self.collects())
        client.sends(POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        self.assertEqual(status(await client.head()), 100)
        client.sends(b"ok")
        self.assertEqual((await client.message())[1], b"<ok>")

    async def test_tooLong(self) -> None:
        """
        What is longer than wanted is not read: at once where the length says so, else as
        soon as it is.
        """
        port = await self.collects(10)
        for framing in (b"Content-Length: 11\r\n\r\n", CHUNKED):
            client = await self.client(port)
            client.sends(POST + framing)
            head, body = await client.message()
            self.assertEqual((status(head), body), (413, b"too much"))
            if framing is not CHUNKED:
                await client.ends()
            client.leaves()

    async def test_together(self) -> None:
        """
        What many clients send is bounded too: who has room keeps it, who has none is told to
        come back, and may once others have ended, however they have.
        """
        port = await self.collects(1 << 20, limits=Limits(heldBytes=65536))
        engine = self.plane.engine
        first, second = await self.client(port), await self.client(port)
        first.sends(POST + b"Content-Length: 60000\r\n\r\n" + b"x" * 50000)
        second.sends(POST + b"Transfer-Encoding: chunked\r\n\r\n4\r\nhold\r\n")
        await turns(5)
        self.assertEqual(engine.hoard.held, 50004)
        third = await self.client(port)
        third.sends(POST + b"Content-Length: 20000\r\n\r\n" + b"y" * 20000)
        head, _ = await third.message()
        self.assertEqual(status(head), 503)
        self.assertIn(b"Retry-After: 1\r\n", head)
        first.sends(b"x" * 10000)
        self.assertEqual(len((await first.message())[1]), 60002)
        second.breaks()
        await turns(5)
        fourth = await self.client(port)
        fourth.sends(POST + b"Content-Length: 20000\r\n\r\n" + b"y" * 20000)
        self.assertEqual(len((await fourth.message())[1]), 20002)
        self.assertEqual(engine.hoard.held, 0)

    async def test_bad(self) -> None:
        """
        A body that is none is refused, and nobody is called.
        """
        client = await self.client(await self.collects())
        client.sends(POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello!\r\n")
        self.assertEqual(status(await client.head()), 400)

    async def test_slow(self) -> None:
        """
        It has a pace to keep.
        """
        port = await self.collects(timeouts=Timeouts(body=5), limits=Limits(minRate=240))
        client = await self.client(port)
        client.sends(POST + b"Content-Length: 11\r\n\r\nhe")
        await turns(5)
        self.world.advance(60)
        self.assertEqual(status(await client.head()), 408)

    async def test_leaves(self) -> None:
        """
        A client that goes in the middle ends it.
        """
        client = await self.client(await self.collects())
        client.sends(POST + b"Content-Length: 11\r\n\r\nhe")
        await turns(5)
        client.breaks()
        await self.isIdle()
