"""
Targets of HTTP/2 that others have written: gRPC's server, nghttpd, and this proxy itself.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from twisted.internet.task import deferLater
from twisted.internet.utils import getProcessOutputAndValue

from smartproxy_tw.config.model import Forward, Route, Target, UpstreamTLS

from ..plane.harness import TERMINATE, credentialFor, reactor
from ..ports import freePorts
from .running import PATIENCE, Running
from .test_clients import NEEDS_CURL, LiveTests

_PATH = os.environ.get("PATH", os.defpath) + ":/usr/sbin"
NGHTTPD = shutil.which("nghttpd", path=_PATH)
REMOTE = Path(__file__).with_name("remote.py")


class ServedTests(LiveTests):
    """
    With a server of its own.
    """

    timeout = 900
    server: Running | None = None

    async def tearDown(self) -> None:
        """It ends first."""
        if self.server is not None:
            await self.server.end()
        await super().tearDown()

    async def runs(self, port: int, *command: str) -> None:
        """
        Run it, until it listens.
        """
        self.server = Running(reactor, command, self.fresh(b"").parent)
        end = reactor.seconds() + PATIENCE
        while True:
            with socket.socket() as sock:
                if sock.connect_ex(("127.0.0.1", port)) == 0:
                    return
            self.server.mustRun()
            self.assertLess(reactor.seconds(), end, "it never listened")
            await deferLater(reactor, 0.05)


class CallTests(ServedTests):
    """
    gRPC from end to end.
    """

    skip = None if find_spec("grpc") else "needs grpcio"

    async def test_calls(self) -> None:
        """
        Calls of each kind, with trailers, errors and deadlines.
        """
        [number] = freePorts(1)
        await self.runs(number, sys.executable, str(REMOTE), "serve", str(number))
        port = await self.port()
        target = Target("127.0.0.1", number, protocol="h2c")
        await self.use(Route("a", (port,), Forward((target,)), "http"), http2PriorKnowledge=True)
        out, err, code = await getProcessOutputAndValue(
            sys.executable, [str(REMOTE), "call", str(port)], env=dict(os.environ)
        )
        self.assertEqual(code, 0, err)
        self.assertEqual(
            out.decode().splitlines(),
            [
                "unary 300000 300000",
                "down [10000, 10000, 10000, 10000, 10000]",
                "up 500000",
                "both 2000 got 1999",
                "Fails NOT_FOUND",
                "Nothing UNIMPLEMENTED",
                "Sleeps DEADLINE_EXCEEDED",
            ],
        )


class FileServerTests(ServedTests):
    """
    nghttpd, which serves files, and curl.
    """

    skip = NEEDS_CURL or (None if NGHTTPD else "needs the Debian package nghttp2-server")

    async def begin(self, isTLS: bool) -> Target:
        """
        Serve a small file and a large one.
        """
        assert NGHTTPD is not None
        [number] = freePorts(1)
        self.small, self.large = b"small\n", os.urandom(3_000_000)
        directory = Path(self.mktemp()).absolute()
        directory.mkdir()
        (directory / "small").write_bytes(self.small)
        (directory / "large").write_bytes(self.large)
        command = [NGHTTPD, "-d", str(directory), "-a", "127.0.0.1", str(number)]
        if isTLS:
            credential = credentialFor("b.test")
            key, chain = self.fresh(credential.key), self.fresh(credential.chain)
            command += [str(key), str(chain)]
        else:
            command.insert(1, "--no-tls")
        await self.runs(number, *command)
        return Target("127.0.0.1", number)

    async def fetches(self, port: int, path: str, *arguments: str) -> bytes:
        """
        What curl gets.
        """
        out, err, code = await self.run_(
            "curl", "-sS", "--max-time", str(PATIENCE), "--noproxy", "*", "--cacert", str(self.ca),
            "--resolve", f"a.test:{port}:127.0.0.1", *arguments, path,
        )  # fmt: skip
        self.assertEqual(code, 0, err)
        return out

    async def test_plain(self) -> None:
        """
        By h2c, for clients of either version.
        """
        target = replace(await self.begin(False), protocol="h2c")
        port = await self.port()
        await self.use(Route("a", (port,), Forward((target,)), "http"), http2PriorKnowledge=True)
        for version in ("--http1.1", "--http2-prior-knowledge"):
            for name, data in (("small", self.small), ("large", self.large)):
                found = await self.fetches(port, f"http://a.test:{port}/{name}", version)
                self.assertEqual(len(found), len(data))
                self.assertEqual(found, data)

    async def test_secret(self) -> None:
        """
        By TLS, agreed on by ALPN.
        """
        known = await self.begin(True)
        await self.certify("a.test")
        for protocol in ("h2", "auto"):
            port = await self.port()
            target = replace(known, protocol=protocol)  # type: ignore[arg-type]
            tls = UpstreamTLS("b.test", True, str(self.ca))
            await self.use(Route("a", (port,), Forward((target,), tls), "http", ("a.test",), tls=TERMINATE))
            for version in ("--http1.1", "--http2"):
                found = await self.fetches(port, f"https://a.test:{port}/large", version)
                self.assertEqual(found, self.large)

    async def test_chained(self) -> None:
        """
        This proxy may be the target: HTTP/2 to it, and from it.
        """
        target = replace(await self.begin(False), protocol="h2c")
        outer, inner = await self.port(), await self.port()
        await self.use(
            Route("outer", (outer,), Forward((Target("127.0.0.1", inner, protocol="h2c"),)), "http"),
            Route("inner", (inner,), Forward((target,)), "http"),
            http2PriorKnowledge=True,
        )
        for version in ("--http1.1", "--http2-prior-knowledge"):
            found = await self.fetches(outer, f"http://a.test:{outer}/large", version)
            self.assertEqual(found, self.large)
