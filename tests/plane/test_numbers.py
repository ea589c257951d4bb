"""
Numbers of requests: what they look like, whose are believed, and where they go.
"""

from __future__ import annotations

import json
import os
import uuid
from ipaddress import ip_network
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import AccessLog, Forward, Respond, Route
from smartproxy_tw.plane.numbers import Numbers, believed

from .conversation import GET, HELLO, SessionTests, status
from .harness import Peer, field

TRUSTED = (ip_network("127.0.0.0/8"),)


class NumbersTests(SynchronousTestCase):
    """
    L{Numbers}.
    """

    def test_form(self) -> None:
        """
        Whatever is drawn, it is a UUID of version 4, and the next one differs.
        """
        for drawn in (bytes(10), b"\xff" * 10, os.urandom(10)):
            numbers = Numbers(lambda size, drawn=drawn: drawn)  # type: ignore[misc]
            seen = [numbers.text(next(numbers.next)) for _ in range(3)]
            self.assertEqual(len(set(seen)), 3)
            for text in seen:
                found = uuid.UUID(text)
                self.assertEqual((found.version, found.variant, str(found)), (4, uuid.RFC_4122, text))
            self.assertEqual(numbers.line % 1, b"X-Request-ID: %s\r\n\r\n" % seen[0].encode())

    def test_believed(self) -> None:
        """
        One line with a word of common letters, and nothing else.
        """
        for lines, wanted in (
            (b"", b""),
            (b"X-Request-ID: abc-1.2_3:4/5+6=7@8~\r\n", b"abc-1.2_3:4/5+6=7@8~"),
            (b"x-request-id:\t a \r\n", b"a"),
            (b"X-Request-ID: \r\n", b""),
            (b"X-Request-ID: a b\r\n", b""),
            (b'X-Request-ID: a"\r\n', b""),
            (b"X-Request-ID: \xff\r\n", b""),
            (b"X-Request-ID: " + b"a" * 200 + b"\r\n", b"a" * 200),
            (b"X-Request-ID: " + b"a" * 201 + b"\r\n", b""),
            (b"X_Request_ID: a\r\n", b""),
            (b"X-Request-ID: a\r\nX-Request-ID: a\r\n", b""),
        ):
            self.assertEqual(believed(lines), wanted, lines)


class RequestIDTests(SessionTests):
    """
    X-Request-ID.
    """

    async def heard(self, client: Peer, server: Peer, lines: bytes = b"") -> list[bytes]:
        """
        Those that a target gets with a request.
        """
        client.sends(GET.replace(b"\r\n\r\n", b"\r\n" + lines + b"\r\n"))
        head = await server.head()
        server.sends(HELLO)
        await client.expects(HELLO)
        found = [line.partition(b":") for line in head.split(b"\r\n")]
        return [
            value.strip() for name, _, value in found if name.lower().replace(b"_", b"-") == b"x-request-id"
        ]

    async def pair(self, **others: Any) -> tuple[Peer, Peer]:
        """
        A client and its target, after a first request.
        """
        port, origin = await self.begin(**others)
        client = await self.client(port)
        client.sends(GET)
        server = await origin.accepts()
        await server.head()
        server.sends(HELLO)
        await client.expects(HELLO)
        return client, server

    async def test_own(self) -> None:
        """
        Each request has another one, also where its head is the same; what a
        stranger says of it is dropped, in every spelling.
        """
        client, server = await self.pair(requestID=True)
        seen = []
        for lines in (
            b"",
            b"",
            b"X-Request-ID: mine\r\n",
            b"x_request_id: mine\r\n",
            b"X-Request_ID: mine\r\nX-REQUEST-ID: mine\r\n",
        ):
            seen += await self.heard(client, server, lines)
        self.assertEqual(len(set(seen)), 5)
        for each in seen:
            uuid.UUID(each.decode())

    async def test_trusted(self) -> None:
        """
        A trusted peer's goes on, where it is one that can; Connection takes it
        away.
        """
        client, server = await self.pair(requestID=True, trustedProxies=TRUSTED)
        self.assertEqual(await self.heard(client, server, b"X-Request-ID: theirs\r\n"), [b"theirs"])
        for lines in (
            b"",
            b"X-Request-ID: a b\r\n",
            b"X-Request-ID: a\r\nX-Request-ID: b\r\n",
            b"X_Request_ID: theirs\r\n",
            b"Connection: x-request-id\r\nX-Request-ID: theirs\r\n",
        ):
            [one] = await self.heard(client, server, lines)
            uuid.UUID(one.decode())

    async def test_off(self) -> None:
        """
        Without request_id the field is one like any other.
        """
        client, server = await self.pair(requestID=False)
        self.assertEqual(await self.heard(client, server), [])
        for lines in (b"X-Request-ID: mine\r\n", b"X-Request-ID: a\r\nX_Request_ID: b\r\n"):
            self.assertEqual(len(await self.heard(client, server, lines)), lines.count(b"\n"))

    async def test_switched(self) -> None:
        """
        A new configuration holds for heads that came before.
        """
        port, origin = await self.begin(requestID=True)
        origin.answers(lambda head, body: b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(head) + head)
        client = await self.client(port)
        _, before = await self.exchange(client)
        route = Route("all", (port,), Forward((origin.target,)), "http")
        await self.use(route, requestID=False)
        _, after = await self.exchange(client)
        self.assertIsNotNone(field(before, b"x-request-id"))
        self.assertIsNone(field(after, b"x-request-id"))

    async def test_recorded(self) -> None:
        """
        The json access log has what the target got, and the answers that stand
        in for a failed target have it as well.
        """
        file = self.fresh()
        port, origin = await self.begin(
            Route("r", (1,), Respond(body="r"), "http", path="/r"),
            requestID=True,
            trustedProxies=(ip_network("127.0.0.2/32"),),
            accessLog=AccessLog("json", str(file)),
        )
        seen: list[str | None] = []
        client = await self.client(port)
        client.sends(b"GET /r HTTP/1.1\r\nHost: a.test\r\n\r\n")
        head, _ = await client.message()
        self.assertIsNone(field(head, b"x-request-id"))
        seen.append(None)
        for source in ("127.0.0.1", "127.0.0.2"):
            client = await self.client(port, source=source)
            client.sends(
                GET.replace(b"GET", b"POST").replace(b"\r\n\r\n", b"\r\nX-Request-ID: theirs\r\n\r\n")
            )
            server = await origin.accepts()
            heard = field(await server.head(), b"x-request-id")
            server.leaves()
            head, _ = await client.message()
            self.assertEqual((status(head), field(head, b"x-request-id")), (502, heard))
            seen.append((heard or b"").decode())
        client.sends(b"bad\r\n\r\n")
        await client.ends()
        await self.plane.drain(0)
        await self.isIdle()
        entries = [json.loads(line) for line in file.read_text().splitlines()]
        self.assertEqual(seen[2], "theirs")
        self.assertEqual([entry.get("request_id") for entry in entries][1:], [seen[1], "theirs", None])
        uuid.UUID(entries[0]["request_id"])

    async def test_notRecorded(self) -> None:
        """
        Without request_id the log has none.
        """
        file = self.fresh()
        port, _ = await self.begin(
            Route("r", (1,), Respond(body="r"), "http", path="/r"),
            requestID=False,
            accessLog=AccessLog("json", str(file)),
        )
        client = await self.client(port)
        client.sends(b"GET /r HTTP/1.1\r\nHost: a.test\r\n\r\n")
        await client.message()
        await self.plane.drain(0)
        self.assertNotIn("request_id", file.read_text())
