"""
What becomes of a request's head on its way to a target.
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

from smartproxy_tw.config.model import Forward, Route

from .conversation import GET, SessionTests
from .harness import field


class ForwardedTests(SessionTests):
    """
    Forwarding fields and hop-by-hop fields.
    """

    async def heard(self, lines: bytes, **others: Any) -> bytes:
        """
        What an origin gets of a request with these lines.
        """
        port, origin = await self.begin(**others)
        client = await self.client(port)
        client.sends(b"GET / HTTP/1.1\r\nHost: a.test:81\r\n" + lines + b"\r\n")
        head = await (await origin.accepts()).head()
        return head.replace(b"Port: %d" % port, b"Port: PORT")

    OURS = (
        b"X-Forwarded-Host: a.test:81\r\nX-Forwarded-For: 127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\n"
        b"X-Forwarded-Proto: http\r\nX-Forwarded-Port: PORT\r\n\r\n"
    )
    START = b"GET / HTTP/1.1\r\nHost: a.test:81\r\n"

    async def test_untrusted(self) -> None:
        """
        What a stranger says of whom it speaks for is dropped, in every
        spelling.
        """
        head = await self.heard(
            b"X-Forwarded-For: 6.6.6.6\r\nx-forwarded-proto: https\r\nX_Forwarded_For: 6.6.6.6\r\n"
            b"X-Forwarded_Host: evil\r\nX-FORWARDED-PORT: 1\r\nX-Forwarded-Prefix: /x\r\n"
            b"Forwarded: for=6.6.6.6\r\nX-Forwarded-Ssl: on\r\nX_Forwarded_User: root\r\n"
            b"X.Forwarded.For: 6.6.6.6\r\nX-Real.IP: 6.6.6.6\r\nX-Forwarded: on\r\nX_Forwarded: on\r\n"
            b"x.forwarded: on\r\nX-Forwarded-: on\r\n"
            b"X-Real-IP: 6.6.6.6\r\nX_Real_IP: 6.6.6.6\r\nX-Fine: yes\r\nX-Forwarded-For: 7.7.7.7\r\n"
        )
        self.assertEqual(head, self.START + b"X-Fine: yes\r\n" + self.OURS)

    async def test_trusted(self) -> None:
        """
        A trusted peer is believed: it is added to the addresses, the real
        client is found among them, and what it left out is filled in.
        """
        head = await self.heard(
            b"X-Forwarded-For: 6.6.6.6, 10.1.1.1\r\nX-Forwarded-Proto: https\r\nX_Forwarded_For: 5.5.5.5\r\n"
            b"X-Forwarded-Prefix: /p\r\nForwarded: for=6.6.6.6\r\n",
            trustedProxies=(ip_network("127.0.0.0/8"), ip_network("10.0.0.0/8")),
        )
        self.assertEqual(
            head,
            self.START + b"X-Forwarded-For: 6.6.6.6, 10.1.1.1, 127.0.0.1\r\nX-Real-IP: 6.6.6.6\r\n"
            b"X-Forwarded-Proto: https\r\n"
            b"X-Forwarded-Host: a.test:81\r\nX-Forwarded-Port: PORT\r\nX-Forwarded-Prefix: /p\r\n"
            b"Forwarded: for=6.6.6.6\r\n\r\n",
        )

    async def test_trustedBeyond(self) -> None:
        """
        What a trusted peer says by names that the proxy has no words for goes on as any other
        field, but for twins with an underscore or another sign.
        """
        head = await self.heard(
            b"X-Forwarded-Ssl: on\r\nX-Fine: yes\r\nX_Forwarded_Ssl: off\r\nX-Forwarded-Port: 7\r\n"
            b"X.Forwarded.Ssl: off\r\nX.Forwarded.Port: 8\r\nX-Forwarded: by\r\nX_Forwarded: for\r\n",
            trustedProxies=(ip_network("127.0.0.0/8"),),
        )
        self.assertEqual(
            head,
            self.START + b"X-Fine: yes\r\nX-Forwarded-Ssl: on\r\nX-Forwarded: by\r\n"
            b"X-Forwarded-For: 127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\nX-Forwarded-Proto: http\r\n"
            b"X-Forwarded-Host: a.test:81\r\nX-Forwarded-Port: 7\r\n\r\n",
        )

    async def test_trustedRemembersNothing(self) -> None:
        """
        A request that a stranger sent first is not taken for that stranger's
        when a trusted peer sends the same bytes, nor the other way round.
        """
        port = await self.port("127.0.0.1")
        origin = self.origin()
        await self.use(
            Route("all", (port,), Forward((origin.target,)), "http"),
            trustedProxies=(ip_network("127.0.0.2/32"),),
        )
        origin.answers(lambda head, body: b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(head) + head)
        answers = []
        for source in ("127.0.0.1", "127.0.0.2", "127.0.0.1", "127.0.0.2"):
            client = await self.client(port, source=source)
            _, heard = await self.exchange(
                client, GET.replace(b"\r\n\r\n", b"\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n")
            )
            answers.append((field(heard, b"x-forwarded-for"), field(heard, b"x-real-ip")))
            self.assertEqual(heard.lower().count(b"x-forwarded-host"), 1)
        stranger, trusted = (b"127.0.0.1", b"127.0.0.1"), (b"6.6.6.6, 127.0.0.2", b"6.6.6.6")
        self.assertEqual(answers, [stranger, trusted, stranger, trusted])

    async def test_connectionNames(self) -> None:
        """
        What Connection names goes no further, and cannot take ours away.
        """
        head = await self.heard(
            b"Connection: X-Forwarded-For, x-auth ,close\r\nX-Auth: me\r\nX-Auth: too\r\nX-Other: yes\r\n"
            b"X-Forwarded-For: 6.6.6.6\r\n"
        )
        self.assertEqual(head, self.START + b"X-Other: yes\r\n" + self.OURS)

    async def test_hopByHop(self) -> None:
        """
        Fields for one hop are not handed on.
        """
        head = await self.heard(
            b"Keep-Alive: 300\r\nProxy-Connection: keep-alive\r\nTE: gzip\r\n"
            b"Upgrade: h2c\r\n"
            b"HTTP2-Settings: AAA\r\nConnection: Upgrade, HTTP2-Settings\r\nTest: yes\r\nCost: 1\r\n"
        )
        self.assertEqual(head, self.START + b"Test: yes\r\nCost: 1\r\n" + self.OURS)

    async def test_takesTrailers(self) -> None:
        """
        That a client understands trailers is said on, and nothing else of TE;
        not for HTTP/1.0, which has none; also together with an upgrade.
        """
        for lines, wanted in (
            (b"TE: gzip;q=0.5, Trailers\r\nConnection: TE\r\n", b"Connection: TE\r\nTE: trailers\r\n"),
            (b"te: trailers\r\nTrailer: X-Sum\r\n", b"Trailer: X-Sum\r\nConnection: TE\r\nTE: trailers\r\n"),
            (b"TE: gzip\r\nTE: trailersx\r\n", b""),
            (
                b"TE: trailers\r\nConnection: Upgrade, TE\r\nUpgrade: websocket\r\n",
                b"Connection: Upgrade, TE\r\nUpgrade: websocket\r\nTE: trailers\r\n",
            ),
        ):
            self.assertEqual(await self.heard(lines), self.START + wanted + self.OURS, lines)
        port, origin = await self.begin()
        client = await self.client(port)
        client.sends(b"GET / HTTP/1.0\r\nTE: trailers\r\n\r\n")
        self.assertIsNone(field(await (await origin.accepts()).head(), b"te"))

    async def test_hopByHopBack(self) -> None:
        """
        Nor from origin to client.
        """
        port, origin = await self.begin()
        client = await self.client(port)
        client.sends(GET)
        server = await origin.accepts()
        await server.head()
        server.sends(
            b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\n"
            b"X-Fine: 2\r\n"
            b"Proxy-Connection: x\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n"
        )
        await client.expects(b"HTTP/1.1 200 OK\r\nX-Fine: 2\r\nContent-Length: 0\r\n\r\n")

    async def test_sameHeadOtherFields(self) -> None:
        """
        Clients with the same head on one port each get their own fields.
        """
        port = await self.port()
        origin = self.origin()
        await self.use(Route("all", (port,), Forward((origin.target,)), "http"))
        origin.answers(lambda head, body: b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(head) + head)
        for source in ("127.0.0.1", "127.0.0.3", "127.0.0.4"):
            client = await self.client(port, source=source)
            for _ in range(2):
                _, heard = await self.exchange(client)
                self.assertEqual(field(heard, b"x-forwarded-for"), source.encode())
