"""
Tests for L{smartproxy_tw.actions.wsgi}.
"""

from __future__ import annotations

import hashlib
from typing import Any

from twisted.logger import formatEvent, globalLogPublisher

from smartproxy_tw.actions.complaints import WHOLE
from smartproxy_tw.facts import Amendment
from smartproxy_tw.interfaces import IExchange
from smartproxy_tw.plane.minute import PERIOD

from ..plane.conversation import Doing
from ..plane.harness import TERMINATE, field
from . import samples
from .answering import GET, NAME, ApplicationTests


class WSGITests(ApplicationTests):
    """
    L{smartproxy_tw.actions.wsgi}.
    """

    async def test_environ(self) -> None:
        """
        The application knows what was asked, and of whom.
        """
        port = await self.begin("wsgi", TERMINATE)
        client = await self.tls(port)
        client.sends(b"GET /environ?x=1 HTTP/1.1\r\nHost: a.test\r\nX-A: 1\r\nx-a: 2\r\nX_B: no\r\n\r\n")
        head, body = await client.message()
        self.assertEqual(field(head, b"content-type"), b"text/plain")
        found = eval(body)
        for key, value in {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": "/environ",
            "QUERY_STRING": "x=1",
            "SERVER_NAME": "a.test",
            "SERVER_PORT": str(port),
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": "a.test",
            "HTTP_X_A": "1,2",
            "HTTPS": "on",
        }.items():
            self.assertEqual(found[key], value, key)
        self.assertNotIn("HTTP_X_B", found)
        self.assertNotIn("CONTENT_LENGTH", found)

    async def test_body(self) -> None:
        """
        Bodies come whole, small and large.
        """
        port = await self.begin("wsgi")
        client = await self.client(port)
        for size in (0, 10, 3 << 20):
            body = bytes(size)
            head, found = await self.post(client, b"/digest", body)
            self.assertEqual(found, hashlib.sha256(body).hexdigest().encode())
            self.assertTrue(head.startswith(b"HTTP/1.1 201 "))
            self.assertEqual(field(head, b"x-name"), b"value")

    async def test_tooLong(self) -> None:
        """
        A body may have a length that is told.
        """
        port = await self.begin("wsgi", bodyBytes=10)
        client = await self.client(port)
        head, _ = await self.post(client, b"/digest", bytes(11))
        self.assertTrue(head.startswith(b"HTTP/1.1 413 "))

    async def test_ways(self) -> None:
        """
        Every way to give a body.
        """
        port = await self.begin("wsgi")
        client = await self.client(port)
        self.assertEqual((await self.get(client, b"/write"))[1], b"written and returned")
        head, body = await self.get(client, b"/nothing")
        self.assertTrue(head.startswith(b"HTTP/1.1 404 "))
        self.assertEqual(body, b"")
        client.sends(b"HEAD /environ HTTP/1.1\r\nHost: a.test\r\n\r\n")
        head, _ = await client.message(False)
        self.assertGreater(int(field(head, b"content-length") or 0), 100)

    async def test_words(self) -> None:
        """
        Fields are of any alphabet.
        """
        await self.passesWords(await self.begin("wsgi"))

    async def test_amended(self) -> None:
        """
        It is told what those before it have found, and not what the client makes up.
        """
        port = await self.begin("wsgi")
        [entrance] = self.plane.engine._entrances.values()
        behind = entrance.actions["app"]

        def guard(exchange: IExchange) -> None:
            exchange.amend(Amendment(removed=frozenset((b"x-name",)), fields=b"X-Name: ann\r\n"))
            behind.request(exchange)

        entrance.actions["app"] = Doing(guard)
        client = await self.client(port)
        client.sends(b"GET /named HTTP/1.1\r\nHost: a.test\r\nX-Name: eve\r\nX_Name: eve\r\n\r\n")
        self.assertEqual((await client.message())[1], b"ann")

    async def test_flood(self) -> None:
        """
        A bug that every request meets is told once with its traceback, and then as a number.
        """
        await self.floods("wsgi", "WSGI application")

    async def test_complaints(self) -> None:
        """
        Each line that it writes to C{wsgi.errors} is an event, the last one also when it has no end.
        """
        told: list[tuple[str, str]] = []

        def see(event: dict[str, Any]) -> None:
            if event.get("name") == f"{NAME}:wsgi":
                told.append((event["log_level"].name, formatEvent(event)))

        globalLogPublisher.addObserver(see)
        self.addCleanup(globalLogPublisher.removeObserver, see)
        client = await self.client(await self.begin("wsgi"))
        await self.get(client, b"/errors?2")
        await self.settles(lambda: len(told) == 3, "the rest of a line is told")
        self.assertEqual(told, [("error", "line 0"), ("error", "line 1"), ("error", "no end")])

    async def test_complaintsFlood(self) -> None:
        """
        Of a flood of lines some are told, and then their number: every minute, and at the end.
        """
        told, clock = self.digests("complaints-again"), self.minutes()
        client = await self.client(await self.begin("wsgi", threads=1))
        await self.get(client, b"/errors?10000")
        # The thread has done with one request when it answers the next.
        await self.get(client, b"/nothing")
        self.assertEqual(told, [])
        clock.advance(PERIOD)
        more = 10_001 - WHOLE
        said = f"{more} more lines of {NAME}:wsgi within a minute, the last one: no end"
        self.assertEqual(told, [said])
        await self.get(client, b"/errors?10000")
        await self.get(client, b"/nothing")
        await self.plane.drain(0)
        await self.settles(lambda: len(told) == 2, "the rest is told")
        self.assertEqual(told, [said, said])
        self.assertEqual(clock.getDelayedCalls(), [])

    async def test_bugs(self) -> None:
        """
        What fails is answered with 500, or broken off when it had begun; the next is answered.
        """
        port = await self.begin("wsgi")
        client = await self.client(port)
        for path in (b"/fail", b"/exit", b"/bad", b"/silent"):
            head, _ = await self.get(client, path)
            self.assertTrue(head.startswith(b"HTTP/1.1 500 "), path)
            self.assertEqual(len(self.flushLoggedErrors()), 1)
        client.sends(GET % b"/late")
        self.assertIn(b"begun", await client.loses())
        self.assertEqual(len(self.flushLoggedErrors()), 1)
        client = await self.client(port)
        self.assertEqual((await self.get(client, b"/write"))[1], b"written and returned")

    async def test_exhausted(self) -> None:
        """
        Where all threads are taken some wait, and the rest is refused at once; other routes
        do not notice.
        """
        port = await self.begin("wsgi", threads=1, queue=1)
        clients = [await self.client(port) for _ in range(3)]
        for client in clients:
            client.sends(GET % b"/wait")
        head, _ = await clients[2].message()
        self.assertTrue(head.startswith(b"HTTP/1.1 503 "))
        self.assertEqual(field(head, b"retry-after"), b"1")
        samples.go.set()
        for client in clients[:2]:
            self.assertEqual((await client.message())[1], b"waited")
        self.assertEqual((await self.get(clients[2], b"/write"))[1], b"written and returned")

    async def test_slowClient(self) -> None:
        """
        See L{streams}.
        """
        await self.streams(await self.begin("wsgi"))

    async def test_leaves(self) -> None:
        """
        When a client leaves the application stops giving, and is told by close().
        """
        port = await self.begin("wsgi")
        client = await self.client(port)
        client.transport.pauseProducing()  # type: ignore[union-attr]
        client.sends(GET % b"/stream")
        await self.settles(lambda: samples.Pieces.given > 10, "it begins")
        client.breaks()
        await self.settles(lambda: samples.Pieces.closed == 1, "it is closed")
        self.assertLess(samples.Pieces.given, 512)

    async def test_webSocket(self) -> None:
        """
        A WebSocket is refused in plain words.
        """
        port = await self.begin("wsgi")
        client = await self.client(port)
        client.sends(
            b"GET /environ HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        head, body = await client.message()
        self.assertTrue(head.startswith(b"HTTP/1.1 501 "))
        self.assertIn(b"WebSocket", body)
