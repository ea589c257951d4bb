"""
Tests for L{smartproxy_tw.actions.asgi}.
"""

from __future__ import annotations

import hashlib
import threading

from twisted.internet.threads import deferToThread

from smartproxy_tw.actions import asgi
from smartproxy_tw.config.model import Application, Respond, Route

from ..plane.harness import field
from . import samples
from .answering import GET, NAME, ApplicationTests


class ASGITests(ApplicationTests):
    """
    L{smartproxy_tw.actions.asgi}.
    """

    async def test_scope(self) -> None:
        """
        The application knows what was asked, and what it has kept when it started.
        """
        port = await self.begin("asgi")
        client = await self.client(port)
        head, body = await self.get(client, b"/scope?x=1")
        self.assertEqual(body, repr(("GET", b"x=1", "127.0.0.1", {"began": "yes"}, "a.test")).encode())
        self.assertEqual(field(head, b"x-name"), b"value")
        client.sends(b"HEAD /scope HTTP/1.1\r\nHost: a.test\r\n\r\n")
        head, _ = await client.message(False)
        self.assertTrue(head.startswith(b"HTTP/1.1 200 "))

    async def test_body(self) -> None:
        """
        Bodies come whole.
        """
        port = await self.begin("asgi")
        client = await self.client(port)
        for size in (0, 10, 3 << 20):
            _, found = await self.post(client, b"/digest", bytes(size))
            self.assertEqual(found, hashlib.sha256(bytes(size)).hexdigest().encode())

    async def test_words(self) -> None:
        """
        Fields are of any alphabet.
        """
        await self.passesWords(await self.begin("asgi"))

    async def test_flood(self) -> None:
        """
        As for WSGI.
        """
        await self.floods("asgi", "ASGI application")

    async def test_bugs(self) -> None:
        """
        As for WSGI.
        """
        port = await self.begin("asgi")
        client = await self.client(port)
        for path in (b"/fail", b"/exit", b"/silent"):
            head, _ = await self.get(client, path)
            self.assertTrue(head.startswith(b"HTTP/1.1 500 "), path)
            self.assertEqual(len(self.flushLoggedErrors()), 1)
        client.sends(GET % b"/late")
        self.assertIn(b"begun", await client.loses())
        self.assertEqual(len(self.flushLoggedErrors()), 1)

    async def test_orphan(self) -> None:
        """
        What an application has begun on its loop and left alone does not end the loop.
        """
        port = await self.begin("asgi")
        client = await self.client(port)
        for _ in range(2):
            self.assertEqual((await self.get(client, b"/orphan"))[1], b"leaves an orphan")
            await self.settles(lambda: len(self.flushLoggedErrors(SystemExit)) == 1, "it is told")
        self.assertTrue((await self.get(client, b"/scope"))[0].startswith(b"HTTP/1.1 200 "))

    async def test_exhausted(self) -> None:
        """
        So many requests at a time.
        """
        port = await self.begin("asgi", threads=1, queue=1)
        clients = [await self.client(port) for _ in range(3)]
        for client in clients:
            client.sends(GET % b"/wait")
        head, _ = await clients[2].message()
        self.assertTrue(head.startswith(b"HTTP/1.1 503 "))
        samples.go.set()
        for client in clients[:2]:
            self.assertEqual((await client.message())[1], b"waited")

    async def test_slowClient(self) -> None:
        """
        See L{streams}.
        """
        await self.streams(await self.begin("asgi"))

    async def test_leaves(self) -> None:
        """
        The application is told that a client has left.
        """
        port = await self.begin("asgi")
        client = await self.client(port)
        client.sends(GET % b"/disconnect")
        await self.settles(lambda: samples.happened == ["startup"], "it has started")
        await deferToThread(threading.Event().wait, 0.05)
        client.breaks()
        await self.settles(lambda: samples.happened[1:] == ["http.disconnect"], "it is told")

    async def again(self, port: int) -> None:
        """
        There is a place again.
        """
        client = await self.client(port)

        async def isServed() -> bool:
            return (await self.get(client, b"/scope"))[0].startswith(b"HTTP/1.1 200 ")

        for _ in range(500):
            if await isServed():
                return
            await deferToThread(threading.Event().wait, 0.01)
        self.fail("there is no place")

    async def test_forever(self) -> None:
        """
        One that never answers is ended some time after its client has left, and another one has
        its place.
        """
        self.patch(asgi, "GRACE", 0.01)
        for path, times in ((b"/forever", 1), (b"/stubborn", 3)):
            port = await self.begin("asgi", threads=1, queue=0)
            client = await self.client(port)
            client.sends(GET % path)
            other = await self.client(port)
            await self.settles(lambda: samples.happened == ["startup", "asked"], "it is asked")
            self.assertTrue((await self.get(other, b"/scope"))[0].startswith(b"HTTP/1.1 503 "))
            client.breaks()
            await self.settles(lambda: samples.happened[2:] == ["cancelled"] * times, "it is ended")  # noqa: B023
            await self.again(port)
            await self.use(Route("other", (port,), Respond(), "http"))
            await self.settles(lambda: samples.happened[-1] == "shutdown", "it has ended")
            samples.happened.clear()

    async def test_tooLate(self) -> None:
        """
        So is one whose route has no more time for it.
        """
        self.patch(asgi, "GRACE", 0.01)
        port = await self.begin("asgi", threads=1, queue=0)
        client = await self.client(port)
        client.sends(GET % b"/forever")
        await self.settles(lambda: samples.happened == ["startup", "asked"], "it is asked")
        self.world.advance(1000)
        self.assertTrue((await client.message())[0].startswith(b"HTTP/1.1 504 "))
        await self.settles(lambda: samples.happened[2:] == ["cancelled"], "it is ended")
        await self.again(port)

    async def test_background(self) -> None:
        """
        What an application does when it has answered is left to it, and keeps its place.
        """
        self.patch(asgi, "GRACE", 0.01)
        port = await self.begin("asgi", threads=1, queue=0)
        client = await self.client(port)
        self.assertEqual((await self.get(client, b"/background"))[1], b"all of it")
        client.breaks()
        await deferToThread(threading.Event().wait, 0.1)
        other = await self.client(port)
        self.assertTrue((await self.get(other, b"/scope"))[0].startswith(b"HTTP/1.1 503 "))
        samples.go.set()
        await self.settles(lambda: samples.happened[1:] == ["done"], "it has ended by itself")
        await self.again(port)

    async def test_lifespan(self) -> None:
        """
        It is told of its end when no route names it any more; one that has no use for a lifespan
        does without.
        """
        port = await self.begin("asgi")
        await self.use(Route("app", (port,), Application(f"{NAME}:bare"), "http"))
        await self.settles(lambda: samples.happened == ["startup", "shutdown"], "it has ended")
        client = await self.client(port)
        self.assertEqual((await self.get(client, b"/"))[1], b"bare")

    async def test_notStarted(self) -> None:
        """
        One that does not start answers nothing.
        """
        port = await self.begin("failing")
        client = await self.client(port)
        head, _ = await self.get(client, b"/")
        self.assertTrue(head.startswith(b"HTTP/1.1 500 "))
