"""
What else a route asks for, on the data path; and that what was decided for one client is
never taken for another's.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network
from random import Random
from typing import Any

from OpenSSL import SSL

from smartproxy_tw.config.model import TLS, Auto, Conditions, Forward, Respond, Route
from smartproxy_tw.facts import Address, ConnectionFacts

from .harness import TERMINATE, Peer, PlaneTests, clientSSL, credentialFor, field, lacksIPv6

INSIDE = Conditions(clients=("127.0.0.2", "127.0.1.*", "127.9.0.0/16", "127.0.0.100-127.0.0.102"))
PASSTHROUGH = TLS("passthrough")


def says(name: str, port: int, **more: Any) -> Route:
    """
    A route that answers with its name.
    """
    return Route(name, (port,), Respond(body=name), "http", **more)


class ConditionTests(PlaneTests):
    """
    Conversations with routes that ask for more than a path.
    """

    async def asks(self, peer: Peer, lines: bytes = b"", method: bytes = b"GET", target: bytes = b"/") -> str:
        """
        The name of the route that answers; or the status when none does.
        """
        peer.sends(method + b" " + target + b" HTTP/1.1\r\nHost: a.test\r\n" + lines + b"\r\n")
        head, body = await peer.message()
        return body.decode() if head[9:12] == b"200" else head[9:12].decode()

    async def test_head(self) -> None:
        """
        Methods, fields and parameters decide for each request anew, on one
        connection, and as often as it is asked.
        """
        port = await self.port()
        await self.use(
            says("beta", port, conditions=Conditions(headers=(("x-beta", ("yes", "b-*")),))),
            says("both", port, conditions=Conditions((("x-beta", ("yes",)),), (("v", ("a b",)),))),
            says("write", port, conditions=Conditions(methods=("PUT", "POST"))),
            says("rest", port),
        )
        client = await self.client(port)
        for _ in range(3):
            for lines, method, target, name in (
                (b"", b"GET", b"/", "rest"),
                (b"X-BETA: yes\r\n", b"GET", b"/", "beta"),
                (b"X-Beta: no\r\nx-beta: \tb-7 \r\n", b"GET", b"/", "beta"),
                (b"X-Beta: no\r\n", b"GET", b"/", "rest"),
                (b"X-Beta: yes\r\n", b"GET", b"/?v=a+b", "both"),
                (b"X-Beta: yes\r\n", b"GET", b"/?x&v=b&%76=a%20b", "both"),
                (b"Content-Length: 0\r\n", b"POST", b"/", "write"),
                (b"", b"PATCH", b"/", "rest"),
            ):
                self.assertEqual(
                    await self.asks(client, lines, method, target), name, (lines, method, target)
                )

    async def test_whatGoesOn(self) -> None:
        """
        What is matched is what goes on: not a field that Connection takes away,
        nor a forwarding field from a stranger; but Upgrade, where it is
        handed on.
        """
        port = await self.port()
        await self.use(
            says("auth", port, conditions=Conditions(headers=(("x-auth", ("*",)),))),
            says("secure", port, conditions=Conditions(headers=(("x-forwarded-proto", ("https",)),))),
            says("socket", port, conditions=Conditions(headers=(("upgrade", ("websocket",)),))),
            says("rest", port),
        )
        client = await self.client(port)
        for lines, name in (
            (b"X-Auth: me\r\n", "auth"),
            (b"X-Auth: me\r\nConnection: x-auth\r\n", "rest"),
            (b"X-Forwarded-Proto: https\r\n", "rest"),
            (b"X_Forwarded_Proto: https\r\n", "rest"),
            (b"Upgrade: websocket\r\n", "rest"),
            (b"Upgrade: websocket\r\nConnection: Upgrade\r\n", "socket"),
        ):
            self.assertEqual(await self.asks(client, lines), name, lines)

    async def test_unchanged(self) -> None:
        """
        A query is decoded for matching only.
        """
        port, origin = await self.port(), self.origin()
        origin.answers(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        asked = Conditions(query=(("v", ("a b",)),))
        await self.use(Route("r", (port,), Forward((origin.target,)), "http", conditions=asked))
        origin.answers(lambda head, body: b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(head) + head)
        head = await self.asks(await self.client(port), target=b"/x?%76=a%20b&y=%zz")
        self.assertTrue(head.startswith("GET /x?%76=a%20b&y=%zz HTTP/1.1\r\n"), head)

    async def test_clients(self) -> None:
        """
        The same bytes from one client and from another come to different routes,
        in whatever order they come, and again.
        """
        port = await self.port("0.0.0.0")
        await self.use(says("inside", port, conditions=INSIDE), says("rest", port))
        peers = [
            (await self.client(port, source=source), name)
            for source, name in (
                ("127.0.0.2", "inside"),
                ("127.0.0.3", "rest"),
                ("127.0.1.9", "inside"),
                ("127.9.8.7", "inside"),
                ("127.0.0.99", "rest"),
                ("127.0.0.100", "inside"),
                ("127.0.0.103", "rest"),
            )
        ]
        for _ in range(2):
            for peer, name in [*peers, *reversed(peers)]:
                self.assertEqual(await self.asks(peer), name)

    async def test_onlyInside(self) -> None:
        """
        Whoever is none of the clients of the only route gets nothing of it, also
        after one of them.
        """
        port = await self.port()
        await self.use(says("inside", port, conditions=INSIDE))
        for source, answer in (("127.0.0.2", "inside"), ("127.0.0.1", "404"), ("127.0.0.2", "inside")):
            peer = await self.client(port, source=source)
            for _ in range(2):
                self.assertEqual(await self.asks(peer), answer)

    async def test_remembered(self) -> None:
        """
        A head is remembered where nobody looked at more than it: beside routes
        that ask for clients, and for a head that comes to none of these.
        """
        port = await self.port()
        await self.use(
            says("inside", port, path="/admin", conditions=replace(INSIDE, methods=("GET",))),
            says("rest", port),
        )
        memo = self.plane.engine.entrance(port).plain.memo
        peer = await self.client(port, source="127.0.0.2")
        for method, target, name, count in (
            (b"GET", b"/", "rest", 1),
            (b"GET", b"/admin", "inside", 1),
            (b"PUT", b"/admin", "rest", 2),
        ):
            for _ in range(2):
                self.assertEqual(await self.asks(peer, method=method, target=target), name)
                self.assertEqual(len(memo), count)

    async def test_anyOrder(self) -> None:
        """
        Whatever heads come from whatever clients in whatever order, each comes to
        where it would have come if nobody had come before.
        """
        chance = Random(6)
        clients = ("10.0.0.1", "10.0.0.2", "192.0.2.1", "2001:db8::1")
        heads = [
            b"%s /%s%s HTTP/1.1\r\nHost: %s\r\n%s\r\n" % (method, path, query, host, line)
            for method in (b"GET", b"PUT")
            for path in (b"", b"a")
            for query in (b"", b"?v=1")
            for host in (b"a.test", b"b.test")
            for line in (b"", b"X: 1\r\n")
        ]
        port = await self.port()
        remembered = 0
        for _ in range(25):
            routes = [
                says(
                    f"r{number}",
                    port,
                    domains=chance.choice(((), ("a.test",), ("*.test",))),
                    path=chance.choice((None, "/a", "/*")),
                    conditions=Conditions(
                        chance.choice(((), (("x", ("*",)),))),
                        chance.choice(((), (("v", ("1",)),))),
                        chance.choice(((), ("GET",))),
                        chance.choice(((), ("10.0.0.0/8",), ("10.0.0.1",), ("2001:db8::/32",))),
                    ),
                )
                for number in range(chance.randint(1, 6))
            ]
            await self.use(*routes)
            door = self.plane.engine.entrance(port).plain
            for _ in range(150):
                head, client = chance.choice(heads), chance.choice(clients)
                facts = ConnectionFacts(port, Address(client, 9))
                known = door.memo.get(head)
                wire: Any = None
                fresh = door.understand(head, facts, wire)
                assert fresh is not None
                if known is not None:
                    remembered += 1
                    self.assertIs(known.route, fresh.route, (head, client, routes))
        self.assertGreater(remembered, 200)

    async def test_trusted(self) -> None:
        """
        The client is the one that a trusted peer speaks for; a stranger speaks for
        itself, whatever it says.
        """
        port = await self.port()
        asked = Conditions(clients=("10.0.0.0/8", "2001:db8::/32"))
        await self.use(
            says("inside", port, conditions=asked),
            says("rest", port),
            trustedProxies=(ip_network("127.0.0.2/32"),),
        )
        for _ in range(2):
            for source, hops, name in (
                ("127.0.0.2", b"10.1.2.3", "inside"),
                ("127.0.0.2", b"192.0.2.1", "rest"),
                ("127.0.0.2", b"10.1.2.3, 192.0.2.1", "rest"),
                ("127.0.0.2", b"192.0.2.1, ::ffff:10.1.2.3", "inside"),
                ("127.0.0.2", b"2001:db8::7", "inside"),
                ("127.0.0.2", b"nonsense", "rest"),
                ("127.0.0.1", b"10.1.2.3", "rest"),
            ):
                peer = await self.client(port, source=source)
                self.assertEqual(await self.asks(peer, b"X-Forwarded-For: " + hops + b"\r\n"), name, hops)

    async def test_trustedFields(self) -> None:
        """
        Forwarding fields can be asked for where they are believed, but for their
        twins.
        """
        port = await self.port()
        await self.use(
            says("secure", port, conditions=Conditions(headers=(("x-forwarded-proto", ("https",)),))),
            says("rest", port),
            trustedProxies=(ip_network("127.0.0.2/32"),),
        )
        for source, lines, name in (
            ("127.0.0.2", b"X-Forwarded-Proto: https\r\n", "secure"),
            ("127.0.0.2", b"X_Forwarded_Proto: https\r\n", "rest"),
            ("127.0.0.1", b"X-Forwarded-Proto: https\r\n", "rest"),
        ):
            self.assertEqual(await self.asks(await self.client(port, source=source), lines), name, lines)

    async def test_versions(self) -> None:
        """
        The same bytes over one version of TLS and over the other come to different
        routes.
        """
        port = await self.port()
        await self.certify("a.test")
        old = Conditions(tlsVersions=("1.2",))
        await self.use(says("old", port, tls=TERMINATE, conditions=old), says("new", port, tls=TERMINATE))
        for _ in range(2):
            for highest, name in ((SSL.TLS1_2_VERSION, "old"), (0, "new")):
                peer = await self.tls(port, highest=highest)
                for _ in range(2):
                    self.assertEqual(await self.asks(peer), name)

    async def test_newTable(self) -> None:
        """
        Conditions that come with a new table hold for connections that were there
        before.
        """
        port = await self.port()
        await self.certify("a.test")
        await self.use(says("new", port, tls=TERMINATE))
        peer = await self.tls(port, highest=SSL.TLS1_2_VERSION)
        self.assertEqual(await self.asks(peer), "new")
        old = Conditions(tlsVersions=("1.2",), clients=("127.0.0.0/8",))
        await self.use(says("new", port, tls=TERMINATE), says("old", port, tls=TERMINATE, conditions=old))
        self.assertEqual(await self.asks(peer), "old")
        old = replace(old, clients=("10.0.0.0/8",))
        await self.use(says("new", port, tls=TERMINATE), says("old", port, tls=TERMINATE, conditions=old))
        self.assertEqual(await self.asks(peer), "new")

    async def test_streams(self) -> None:
        """
        A port of TCP takes some clients, and closes on all others without a byte to
        the target, though they wait for it to speak.
        """
        port, origin = await self.port(), self.origin()
        await self.use(Route("inside", (port,), Forward((origin.target,)), "tcp", conditions=INSIDE))
        stranger = await self.client(port)
        self.assertEqual(await stranger.loses(), b"")
        friend = await self.client(port, source="127.0.0.2")
        server = await origin.accepts()
        server.sends(b"hello")
        await friend.expects(b"hello")
        self.assertEqual(origin.count, 1)
        self.assertEqual(self.plane.engine.counts["misses"], 1)

    async def test_streamsBesideHTTP(self) -> None:
        """
        So it does where first bytes have to be looked at.
        """
        port, inner, outer = await self.port(), self.origin(), self.origin()
        inner.answers(b"inner")
        await self.use(
            Route("inside", (port,), Forward((inner.target,)), "tcp", conditions=INSIDE),
            Route("outside", (port,), Forward((outer.target,)), "tcp"),
            says("web", port),
        )
        for source, origin in (("127.0.0.2", inner), ("127.0.0.1", outer), ("127.0.0.2", inner)):
            peer = await self.client(port, source=source)
            peer.sends(b"\0\0\r\n\r\n")
            await self.settles(lambda origin=origin: bool(origin.peers), "it arrives")  # type: ignore[misc]
            peer = await self.client(port, source=source)
            self.assertEqual(await self.asks(peer), "web")
        await self.settles(lambda: (inner.count, outer.count) == (2, 1), "each has its own")

    async def test_passthrough(self) -> None:
        """
        TLS is passed through for some clients, and ends here for all others.
        """
        port = await self.port()
        credential = credentialFor("a.test")
        origin = self.origin(credential=credential)
        origin.answers(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nthrough")
        await self.certify("a.test")
        through = Route(
            "through",
            (port,),
            Forward((origin.target,)),
            "tcp",
            ("a.test",),
            tls=PASSTHROUGH,
            conditions=INSIDE,
        )
        await self.use(through, says("ended", port, domains=("a.test",), tls=TERMINATE))
        for _ in range(2):
            for source, name in (("127.0.0.2", "through"), ("127.0.0.1", "ended")):
                peer = await self.client(port, clientSSL("a.test"), source=source)
                self.assertEqual(await self.asks(peer), name)

    async def test_passthroughOnly(self) -> None:
        """
        Where nobody else takes it, others are told that there is no such name.
        """
        port, origin = await self.port(), self.origin()
        await self.use(
            Route("in", (port,), Forward((origin.target,)), "tcp", tls=PASSTHROUGH, conditions=INSIDE)
        )
        peer = await self.tls(port)
        self.assertIn("unrecognized name", str(peer.why))
        self.assertEqual(origin.count, 0)

    async def test_misdirected(self) -> None:
        """
        A request for a name that is passed through for who makes it is on the wrong
        connection, though the same bytes from somebody else are not.
        """
        port = await self.port()
        tls = TLS("terminate", Auto(("a.test", "b.test")))
        await self.certify("a.test", "b.test", tls=tls)
        origin = self.origin()
        await self.use(
            Route(
                "in",
                (port,),
                Forward((origin.target,)),
                "tcp",
                ("a.test",),
                tls=PASSTHROUGH,
                conditions=INSIDE,
            ),
            says("out", port, domains=("a.test", "b.test"), tls=tls),
        )
        for _ in range(2):
            for source, answer in (("127.0.0.1", "out"), ("127.0.0.2", "421")):
                peer = await self.client(port, clientSSL("b.test"), source=source)
                self.assertEqual(await self.asks(peer), answer)

    async def test_tcpInTLS(self) -> None:
        """
        TLS that ends here for any protocol has clients too.
        """
        port, inner, outer = await self.port(), self.origin(), self.origin()
        inner.answers(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\ninner")
        outer.answers(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nouter")
        await self.certify("a.test")
        await self.use(
            Route("out", (port,), Forward((outer.target,)), "tcp", tls=TERMINATE),
            Route("in", (port,), Forward((inner.target,)), "tcp", tls=TERMINATE, conditions=INSIDE),
        )
        for source, name in (("127.0.0.1", "outer"), ("127.0.0.2", "inner")):
            peer = await self.client(port, clientSSL("a.test"), source=source)
            self.assertEqual(await self.asks(peer), name)


class MappedTests(PlaneTests):
    """
    On a socket for both versions.
    """

    skip = lacksIPv6()

    async def test_mapped(self) -> None:
        """
        Who comes by IPv4 is an IPv4 client there too.
        """
        port = await self.port("::")
        await self.use(
            says("four", port, conditions=Conditions(clients=("127.0.0.0/8",))),
            says("six", port, conditions=Conditions(clients=("::/0",))),
        )
        for host, name in (("127.0.0.1", b"four"), ("::1", b"six")):
            peer = await self.client(port, host=host)
            peer.sends(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
            head, body = await peer.message()
            self.assertEqual((field(head, b"content-length"), body), (b"%d" % len(name), name))
