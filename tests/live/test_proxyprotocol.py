"""
The PROXY protocol as HAProxy and curl speak it: HAProxy in front, HAProxy behind.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

from twisted.internet.task import deferLater

from smartproxy_tw.config.model import (
    TLS,
    AccessLog,
    Forward,
    ProxyHeader,
    ProxyProtocol,
    Route,
    Target,
    UpstreamTLS,
)

from ..plane.harness import TERMINATE, credentialFor, reactor
from ..ports import freePorts
from .running import PATIENCE, Running
from .test_clients import NEEDS_CURL, LiveTests

#: Debian has it where not every user's PATH goes.
HAPROXY = shutil.which("haproxy", path=os.environ.get("PATH", os.defpath) + ":/usr/sbin")
NEEDS_HAPROXY = None if HAPROXY else "needs the Debian package haproxy"

#: Where the client comes from, which is not where HAProxy comes from.
CLIENT = "127.0.0.9"
FRONT = ProxyProtocol((), (ip_network("127.0.0.1"),))
FULL = ProxyHeader(2, ("authority", "alpn", "ssl", "crc32c"))
DEFAULTS = "defaults\n  mode http\n  timeout connect 5s\n  timeout client 10s\n  timeout server 10s\n"


class ProxyCase(LiveTests):
    """
    With an HAProxy of its own.
    """

    skip = NEEDS_CURL or NEEDS_HAPROXY
    timeout = 900
    haproxy: Running | None = None

    async def tearDown(self) -> None:
        """It ends first."""
        if self.haproxy is not None:
            await self.haproxy.end()
        await super().tearDown()

    async def runs(self, text: str, *ports: int) -> None:
        """
        Run HAProxy, until it listens.
        """
        file = self.fresh((DEFAULTS + text).encode())
        assert HAPROXY is not None
        self.haproxy = Running(reactor, [HAPROXY, "-db", "-f", str(file)], file.parent)
        end = reactor.seconds() + PATIENCE
        while not all(map(_listens, ports)):
            self.haproxy.mustRun()
            self.assertLess(reactor.seconds(), end, "HAProxy never listened")
            await deferLater(reactor, 0.02)

    async def curl(self, port: int, *arguments: str, scheme: str = "http") -> bytes:
        """
        What curl prints, from an address of its own.
        """
        out, err, code = await self.run_(
            "curl", "-sS", "--max-time", str(PATIENCE), "--noproxy", "*", "--cacert", str(self.ca),
            "--interface", CLIENT, "--resolve", f"a.test:{port}:127.0.0.1", *arguments,
            f"{scheme}://a.test:{port}/",
        )  # fmt: skip
        self.assertEqual(code, 0, err)
        return out


def _listens(port: int) -> bool:
    with socket.socket() as sock:
        return not sock.connect_ex(("127.0.0.1", port))


class InFrontTests(ProxyCase):
    """
    HAProxy in front of us.
    """

    async def test_sends(self) -> None:
        """
        Its client is ours, in both versions, with a checksum and other pairs, before plain HTTP and
        before TLS; what comes past it is itself.
        """
        plain, secret = await self.port(), await self.port()
        await self.certify("a.test")
        target = self.mirror()
        await self.use(
            Route("p", (plain,), Forward((target,)), "http", ("a.test",)),
            Route("s", (secret,), Forward((target,)), "http", ("a.test",), tls=TERMINATE),
            proxyProtocol=replace(FRONT, ports=(plain, secret)),
        )
        ways = ("send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c,unique-id")
        ports = freePorts(2 * len(ways))
        text = ""
        for index, way in enumerate(ways):
            for kind, number in enumerate((plain, secret)):
                text += (
                    f"listen l{index}{kind}\n  mode tcp\n  bind 127.0.0.1:{ports[2 * index + kind]}\n"
                    f"  unique-id-format %[uuid]\n  server s 127.0.0.1:{number} {way}\n"
                )
        await self.runs(text, *ports)
        for index in range(len(ways)):
            wanted = f"GET / from {CLIENT}".encode()
            self.assertEqual(await self.curl(ports[2 * index]), wanted)
            self.assertEqual(await self.curl(ports[2 * index + 1], scheme="https"), wanted)
        self.assertEqual(await self.curl(plain), f"GET / from {CLIENT}".encode())

    async def test_multiplexed(self) -> None:
        """
        A client that speaks HTTP/2, agreed on by TLS or known before, is its client too: for the target
        and in the access log.
        """
        plain, secret = await self.port(), await self.port()
        await self.certify("a.test")
        log = self.fresh()
        target = self.mirror()
        await self.use(
            Route("p", (plain,), Forward((target,)), "http", ("a.test",)),
            Route("s", (secret,), Forward((target,)), "http", ("a.test",), tls=TERMINATE),
            proxyProtocol=replace(FRONT, ports=(plain, secret)),
            http2PriorKnowledge=True,
            accessLog=AccessLog("json", str(log)),
        )
        ports = freePorts(2)
        text = ""
        for front, number in zip(ports, (plain, secret), strict=True):
            text += (
                f"listen l{front}\n  mode tcp\n  bind 127.0.0.1:{front}\n"
                f"  server s 127.0.0.1:{number} send-proxy-v2\n"
            )
        await self.runs(text, *ports)
        version = ("-w", "|%{http_version}")
        wanted = f"GET / from {CLIENT}|2".encode()
        self.assertEqual(await self.curl(ports[0], "--http2-prior-knowledge", *version), wanted)
        self.assertEqual(await self.curl(ports[1], "--http2", *version, scheme="https"), wanted)

        def lines() -> list[str]:
            return log.read_text().splitlines() if log.exists() else []

        await self.settles(lambda: len(lines()) == 2, "both are in the log")
        found = [json.loads(line) for line in lines()]
        self.assertEqual([(each["version"], each["client"]) for each in found], [("HTTP/2.0", CLIENT)] * 2)

    async def test_checks(self) -> None:
        """
        Its health checks, which speak for nobody, are answered.
        """
        plain = await self.port()
        target = self.mirror()
        await self.use(
            Route("p", (plain,), Forward((target,)), "http"), proxyProtocol=replace(FRONT, ports=(plain,))
        )
        (front,) = freePorts(1)
        text = (
            f"listen l\n  bind 127.0.0.1:{front}\n  option httpchk GET /health HTTP/1.0\n"
            f"  server s 127.0.0.1:{plain} send-proxy-v2 check inter 50ms\n"
        )
        await self.runs(text, front)
        while (await self.plane.tally())["requests"] < 2:
            await deferLater(reactor, 0.05)
        self.assertEqual(await self.curl(front), f"GET / from {CLIENT}".encode())
        tally = await self.plane.tally()
        self.assertEqual(tally["greeting_failures"], 0)
        self.assertGreater(tally["requests"], 2)

    async def test_curl(self) -> None:
        """
        curl's own header, in plain and before TLS.
        """
        plain, secret = await self.port(), await self.port()
        await self.certify("a.test")
        target = self.mirror()
        await self.use(
            Route("p", (plain,), Forward((target,)), "http", ("a.test",)),
            Route("s", (secret,), Forward((target,)), "http", ("a.test",), tls=TERMINATE),
            proxyProtocol=ProxyProtocol((plain, secret), (ip_network(CLIENT),)),
        )
        wanted = f"GET / from {CLIENT}".encode()
        self.assertEqual(await self.curl(plain, "--haproxy-protocol"), wanted)
        self.assertEqual(await self.curl(secret, "--haproxy-protocol", scheme="https"), wanted)
        self.assertIn(b"expects the PROXY protocol", await self.curl(plain))


class BehindTests(ProxyCase):
    """
    HAProxy behind us.
    """

    async def begin(self) -> tuple[int, int]:
        """
        Where it takes a header, in plain and before TLS; it says whom it was told of.
        """
        pair = credentialFor("a.test")
        file = self.fresh(pair.chain + pair.key)
        plain, secret = freePorts(2)
        said = "%[src] %[dst_port] %[fc_pp_authority]"
        await self.runs(
            f"frontend f\n  bind 127.0.0.1:{plain} accept-proxy\n"
            f"  bind 127.0.0.1:{secret} accept-proxy ssl crt {file}\n"
            f'  http-request return status 200 content-type text/plain lf-string "{said}"\n',
            plain,
            secret,
        )
        return plain, secret

    async def asks(
        self,
        header: ProxyHeader,
        target: int,
        tls: TLS | None,
        protocol: Any = "http",
        to: UpstreamTLS | None = None,
    ) -> bytes:
        """
        What name it was told, beside the client's address and the port, when it is asked by way of us.

        @param to: How it is spoken to.
        """
        port = await self.port()
        forward = Forward((Target("127.0.0.1", target, header),), to)
        await self.use(Route("a", (port,), forward, protocol, ("a.test",) if tls else (), tls=tls))
        said = await self.curl(port, scheme="http" if tls is None else "https")
        client, number, name = said.split(b" ")
        self.assertEqual((client, number), (CLIENT.encode(), b"%d" % port))
        return name.replace(b"-", b"")

    async def test_accepts(self) -> None:
        """
        It is told of the client's address, the port and the name, in front of HTTP, of TLS that is
        passed through, and of TLS of ours; a wrong checksum it would not take.
        """
        plain, secret = await self.begin()
        await self.certify("a.test")
        passed = TLS("passthrough")
        again = UpstreamTLS("a.test", caFile=str(self.ca))
        for header, name in ((ProxyHeader(1), b""), (ProxyHeader(2), b""), (FULL, b"a.test")):
            self.assertEqual(await self.asks(header, plain, None), b"")
            self.assertEqual(await self.asks(header, plain, None, "tcp"), b"")
            self.assertEqual(await self.asks(header, plain, TERMINATE), name)
            self.assertEqual(await self.asks(header, secret, passed, "tcp"), name)
            self.assertEqual(await self.asks(header, secret, TERMINATE, to=again), name)
