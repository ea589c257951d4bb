"""
Tests for L{smartproxy_tw.actions.resource}.
"""

from __future__ import annotations

import hashlib

from smartproxy_tw.config.model import Respond, Route

from ..plane.harness import field, turns
from . import samples
from .answering import GET, ApplicationTests, digestOfAll


class ResourceTests(ApplicationTests):
    """
    L{smartproxy_tw.actions.resource}.
    """

    async def test_pages(self) -> None:
        """
        Resources render what was asked.
        """
        for name in ("page", "Page"):
            port = await self.begin(name)
            client = await self.client(port)
            head, body = await self.get(client, b"/x")
            self.assertEqual((body, field(head, b"content-length")), (b"page x", b"6"))
            self.assertEqual(head.lower().count(b"date:"), 1)
            _, body = await self.get(client, b"/facts?a=b")
            self.assertEqual(body, repr(("a.test", "127.0.0.1", False, {b"a": [b"b"]})).encode())
            client.sends(b"HEAD /x HTTP/1.1\r\nHost: a.test\r\n\r\n")
            head, _ = await client.message(False)
            self.assertEqual(field(head, b"content-length"), b"6")
            for size in (10, 200_000):
                _, body = await self.post(client, b"/x", bytes(size))
                self.assertEqual(body, hashlib.sha256(bytes(size)).hexdigest().encode())

    async def test_later(self) -> None:
        """
        An answer may come in pieces, whenever it likes.
        """
        port = await self.begin("page")
        client = await self.client(port)
        client.sends(GET % b"/later")
        await client.through(b"now, ")
        request = samples.happened[0]
        request.write(b"later")
        request.finish()
        await client.through(b"0\r\n\r\n")
        self.assertEqual(samples.happened[1:], [None])
        self.assertEqual((await self.get(client, b"/x"))[1], b"page x")

    async def test_leaves(self) -> None:
        """
        notifyFinish fails when the client leaves.
        """
        port = await self.begin("page")
        client = await self.client(port)
        client.sends(GET % b"/later")
        await client.through(b"now, ")
        client.breaks()
        await self.settles(lambda: len(samples.happened) == 2, "it is told")
        samples.happened[0].write(b"to nobody")

    async def test_words(self) -> None:
        """
        Fields are of any alphabet.
        """
        await self.passesWords(await self.begin("page"))

    async def test_bugs(self) -> None:
        """
        As for WSGI; no traceback is shown.
        """
        port = await self.begin("page")
        client = await self.client(port)
        for path in (b"/fail", b"/exit"):
            head, body = await self.get(client, path)
            self.assertTrue(head.startswith(b"HTTP/1.1 500 "))
            self.assertNotIn(b"a bug", body)
            self.assertEqual(len(self.flushLoggedErrors(RuntimeError, SystemExit)), 1)

    async def test_bugInTheMiddle(self) -> None:
        """
        What fails when its answer has begun is broken off, and told so.
        """
        port = await self.begin("page")
        client = await self.client(port)
        client.sends(GET % b"/late")
        self.assertTrue((await client.loses()).endswith(b"\r\n5\r\nbegun\r\n"))
        self.assertEqual(samples.happened, ["told"])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    async def test_itSaysSo(self) -> None:
        """
        A resource may say itself that it has failed; nothing of what it had prepared is told.
        """
        client = await self.client(await self.begin("page"))
        head, body = await self.get(client, b"/says")
        self.assertTrue(head.startswith(b"HTTP/1.1 500 "))
        self.assertEqual(body, b"Internal Server Error\n")
        self.assertIsNone(field(head, b"x-secret"))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual((await self.get(client, b"/x"))[1], b"page x")

    async def test_flood(self) -> None:
        """
        As for WSGI.
        """
        await self.floods("page", "Resource")

    async def test_slowClient(self) -> None:
        """
        A producer that is asked is not asked for what nobody takes.
        """
        port = await self.begin("page")
        client = await self.client(port)
        client.transport.pauseProducing()  # type: ignore[union-attr]
        client.sends(GET % b"/pull")
        await self.settles(lambda: samples.Pieces.given > 10, "it begins")
        await turns(1000)
        self.assertLess(samples.Pieces.given, 300)
        self.assertEqual(await self.whole(client), digestOfAll())
        samples.Pieces.given = 0
        client.transport.pauseProducing()  # type: ignore[union-attr]
        client.sends(GET % b"/pull")
        await self.settles(lambda: samples.Pieces.given > 10, "it begins")
        client.breaks()
        await self.settles(lambda: samples.happened == ["stopped"], "it is stopped")

    async def test_session(self) -> None:
        """
        Sessions work, and end with the route.
        """
        port = await self.begin("page")
        client = await self.client(port)
        head, uid = await self.get(client, b"/session")
        self.assertIn(uid, field(head, b"set-cookie") or b"")
        await self.use(Route("app", (port,), Respond(), "http"))
