"""
Tests for L{smartproxy_tw.actions.representation}, on a real data path; its rules are tried with files
in L{tests.actions.test_files}.
"""

from __future__ import annotations

import os
from typing import Any

from smartproxy_tw.actions.sending import PIECE
from smartproxy_tw.config.model import FileTree, Route
from smartproxy_tw.plane.session import Session

from ..plane.harness import TERMINATE, PlaneTests, field, turns

_SIZE = 24 << 20
GET = b"GET /large HTTP/1.1\r\nHost: a.test\r\n\r\n"


class RepresentationTests(PlaneTests):
    """
    One large file.
    """

    async def begin(self, tls: Any = None) -> int:
        """
        The port of the route.
        """
        root = self.fresh()
        root.mkdir()
        self.path = root / "large"
        self.path.write_bytes(b"")
        os.truncate(self.path, _SIZE)
        port = await self.port()
        if tls is not None:
            await self.certify("a.test")
        domains = ("a.test",) if tls is not None else ()
        await self.use(Route("f", (port,), FileTree(str(root)), "http", domains, tls=tls))
        return port

    def pending(self) -> int:
        """
        So much waits in this process for the client.
        """
        found = [each for each in self.plane.engine.poller.mortals if isinstance(each, Session)]
        return sum(len(each.wire.pending) for each in found)

    async def test_slowClient(self) -> None:
        """
        Of a large file little is in memory while its client does not read; then it comes whole.
        """
        for tls in (None, TERMINATE):
            port = await self.begin(tls)
            client = await (self.client(port) if tls is None else self.tls(port))
            client.transport.pauseProducing()  # type: ignore[union-attr]
            client.sends(GET)
            await self.settles(lambda: self.pending() > 0, "the client is too slow")
            await turns(100)
            self.assertLessEqual(self.pending(), 2 * PIECE)
            client.transport.resumeProducing()  # type: ignore[union-attr]
            head = await client.head()
            self.assertEqual(field(head, b"content-length"), b"%d" % _SIZE)
            before = client.received - len(client.data)
            client.data.clear()
            client.watch = lambda data: None
            await client.until(lambda c=client, b=before: c.received >= _SIZE + b)  # type: ignore[misc]
            client.leaves()
            await self.isIdle()

    async def test_shrinks(self) -> None:
        """
        A file that becomes shorter breaks the connection.
        """
        port = await self.begin()
        client = await self.client(port)
        client.transport.pauseProducing()  # type: ignore[union-attr]
        client.sends(GET)
        await self.settles(lambda: self.pending() > 0, "the client is too slow")
        os.truncate(self.path, 1 << 20)
        client.watch = lambda data: None
        client.transport.resumeProducing()  # type: ignore[union-attr]
        await client.breaksOff()
        self.assertLess(client.received, _SIZE)

    async def test_leaves(self) -> None:
        """
        A client that leaves in the middle leaves nothing open.
        """
        port = await self.begin()
        client = await self.client(port)
        client.transport.pauseProducing()  # type: ignore[union-attr]
        client.sends(GET)
        await self.settles(lambda: self.pending() > 0, "the client is too slow")
        opened = [os.readlink(f"/proc/self/fd/{each}") for each in self.descriptors()]
        self.assertIn(str(self.path), opened)
        client.breaks()
        await self.isIdle()
        opened = [os.readlink(f"/proc/self/fd/{each}") for each in self.descriptors()]
        self.assertNotIn(str(self.path), opened)

    def descriptors(self) -> list[str]:
        """
        Those of this process that are still there when they are looked at.
        """
        return [each for each in os.listdir("/proc/self/fd") if os.path.lexists(f"/proc/self/fd/{each}")]

    async def test_pipelined(self) -> None:
        """
        Requests that come together are answered in their order.
        """
        port = await self.begin()
        os.truncate(self.path, 200_000)
        self.path.with_name("small").write_bytes(b"small")
        client = await self.client(port)
        client.sends(
            GET
            + GET.replace(b"large", b"small")
            + GET.replace(b"GET", b"HEAD")
            + GET.replace(b"large", b"no")
        )
        self.assertEqual(len((await client.message())[1]), 200_000)
        self.assertEqual((await client.message())[1], b"small")
        head, _ = await client.message(False)
        self.assertEqual(field(head, b"content-length"), b"200000")
        self.assertEqual((await client.message())[1], b"Not Found\n")
