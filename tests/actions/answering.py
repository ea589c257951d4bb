"""
A route that is answered by Python code, on a real data path.
"""

from __future__ import annotations

import hashlib
import threading
from functools import cache
from typing import Any

from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread
from twisted.logger import formatEvent, globalLogPublisher

from smartproxy_tw.config.model import TLS, Application, Route
from smartproxy_tw.plane.minute import PERIOD

from ..plane.harness import Peer, PlaneTests, turns
from . import samples

__all__ = ["GET", "NAME", "ApplicationTests", "digestOfAll"]

NAME = "tests.actions.samples"
GET = b"GET %b HTTP/1.1\r\nHost: a.test\r\n\r\n"


@cache
def digestOfAll() -> bytes:
    """
    Of what the samples give in pieces.
    """
    digest = hashlib.sha256()
    for number in range(512):
        digest.update(bytes([number % 256]) * 65536)
    return digest.digest()


class ApplicationTests(PlaneTests):
    """
    One route that is answered by code.
    """

    async def setUp(self) -> None:
        """Nothing has happened."""
        await super().setUp()
        samples.happened.clear()
        samples.go.clear()
        samples.Pieces.given = samples.Pieces.closed = 0

    async def tearDown(self) -> None:
        """Nobody waits."""
        samples.go.set()
        await self.plane.drain(0)
        await self.settles(lambda: not self.threads(), "no thread is left")
        # What the thread of an application has said to this one last.
        await turns(5)
        await super().tearDown()

    def threads(self) -> list[threading.Thread]:
        """
        Those of applications.
        """
        return [each for each in threading.enumerate() if NAME in each.name]

    async def begin(self, name: str, tls: TLS | None = None, **settings: Any) -> int:
        """
        The port of the route.
        """
        port = await self.port()
        if tls is not None:
            await self.certify("a.test")
        domains = ("a.test",) if tls is not None else ()
        action = Application(f"{NAME}:{name}", **settings)
        await self.use(Route("app", (port,), action, "http", domains, tls=tls))
        return port

    async def floods(self, name: str, what: str) -> None:
        """
        A bug that each request meets.

        @param what: What the log calls that kind of code.
        """
        told, clock = self.digests("fault-again"), self.minutes()
        client = await self.client(await self.begin(name))
        for _ in range(20):
            head, _ = await self.get(client, b"/fail")
            self.assertTrue(head.startswith(b"HTTP/1.1 500 "))
        self.assertEqual(len(self.flushLoggedErrors()), 1)
        self.assertEqual(told, [])
        clock.advance(PERIOD)
        [line] = told
        self.assertIn(f"19 more, the last one: {what} {NAME}:{name} failed: RuntimeError: a bug", line)
        for _ in range(3):
            await self.get(client, b"/fail")
        # The rest is told at the end.
        await self.plane.drain(0)
        await self.settles(lambda: len(told) == 2, "the rest is told")
        self.assertIn("3 more, ", told[1])
        self.assertEqual(self.flushLoggedErrors(), [])

    def digests(self, event: str) -> list[str]:
        """
        What the log has from now on of what there was too much of.

        @param event: What it calls that.
        """
        told: list[str] = []

        def see(each: dict[str, Any]) -> None:
            if each.get("event") == event:
                told.append(formatEvent(each))

        globalLogPublisher.addObserver(see)
        self.addCleanup(globalLogPublisher.removeObserver, see)
        return told

    def minutes(self) -> Clock:
        """
        The time that the minutes of digests go by from now on.
        """
        clock, usual = Clock(), self.world.callLater

        def callLater(delay: float, *call: Any) -> Any:
            return clock.callLater(delay, *call) if delay == PERIOD else usual(delay, *call)

        self.patch(self.world, "callLater", callLater)
        return clock

    async def get(self, client: Peer, path: bytes) -> tuple[bytes, bytes]:
        """
        Ask for a path.

        @return: The head and the body.
        """
        client.sends(GET % path)
        return await client.message()

    async def post(self, client: Peer, path: bytes, body: bytes) -> tuple[bytes, bytes]:
        """
        Send a body.
        """
        client.sends(
            b"POST %b HTTP/1.1\r\nHost: a.test\r\nContent-Length: %d\r\n\r\n" % (path, len(body)) + body
        )
        return await client.message()

    async def passesWords(self, port: int) -> None:
        """
        What a field says arrives in its own bytes, whatever alphabet it is of; what is no UTF-8
        is replaced.
        """
        client = await self.client(port)
        for words, wanted in (
            ("caf\u00e9 \u20ac \U0001f98a".encode(), "caf\u00e9 \u20ac \U0001f98a".encode()),
            (b"caf\xe9", "caf\ufffd".encode()),
        ):
            client.sends(b"GET /named HTTP/1.1\r\nHost: a.test\r\nX-Name: %b\r\n\r\n" % words)
            head, body = await client.message()
            self.assertTrue(head.startswith(b"HTTP/1.1 200 "), head)
            self.assertEqual(body, wanted)

    async def streams(self, port: int) -> None:
        """
        Much in pieces waits for a slow client, and comes whole.
        """
        client = await self.client(port)
        client.transport.pauseProducing()  # type: ignore[union-attr]
        client.sends(GET % b"/stream")
        await self.settles(lambda: samples.Pieces.given > 10, "it begins")
        before = 0
        while samples.Pieces.given != before:
            before = samples.Pieces.given
            await deferToThread(threading.Event().wait, 0.05)
        self.assertLess(before, 300)
        self.assertEqual(await self.whole(client), digestOfAll())
        client.leaves()

    async def whole(self, client: Peer) -> bytes:
        """
        Take a long answer in chunks.

        @return: The digest of its body.
        """
        pieces: list[bytes] = []
        client.watch = pieces.append
        client.transport.resumeProducing()  # type: ignore[union-attr]
        end = b"\r\n0\r\n\r\n"
        await client.until(lambda: b"".join(pieces[-len(end) :]).endswith(end) or client.isOver)
        client.watch = None
        data = bytes(client.data) + b"".join(pieces)
        client.data.clear()
        at = data.index(b"\r\n\r\n") + 4
        digest = hashlib.sha256()
        while size := int(data[at : data.index(b"\r\n", at)], 16):
            at = data.index(b"\r\n", at) + 2
            digest.update(data[at : at + size])
            at += size + 2
        return digest.digest()
