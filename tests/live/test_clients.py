"""
Clients and origins that others wrote: curl, OpenSSL's C{s_client}, the WebSocket
library C{websockets}, and the HTTP servers of Python and Twisted.
"""

from __future__ import annotations

import dataclasses
import gc
import hashlib
import random
import shutil
import socket
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

from twisted.internet.threads import deferToThread
from twisted.internet.utils import getProcessOutputAndValue
from twisted.web.resource import Resource
from twisted.web.server import Site
from websockets.sync.server import serve

from smartproxy_tw.config.model import (
    TLS,
    Block,
    Forward,
    Redirect,
    Respond,
    Route,
    Target,
    TLSPolicy,
    UpstreamTLS,
)

from ..plane.harness import TERMINATE, PlaneTests, authority, credentialFor, reactor
from ..plane.test_tunnel import MIB, TunnelTests
from .chatting import chatting
from .onlookers import QuietServer
from .running import PATIENCE

NEEDS_CURL = None if shutil.which("curl") else "needs the Debian package curl"
NEEDS_OPENSSL = None if shutil.which("openssl") else "needs the Debian package openssl"


class Mirror(Resource):
    """
    Says what it was asked, by Twisted's own server.
    """

    isLeaf = True

    def render_GET(self, request: Any) -> bytes:
        """Something small, or as large as asked."""
        size = int(request.args.get(b"size", [b"0"])[0])
        if size:
            return random.Random(size).randbytes(size)
        found: bytes = b"%s %s from %s" % (
            request.method,
            request.uri,
            request.requestHeaders.getRawHeaders(b"x-forwarded-for", [b"?"])[0],
        )
        return found

    def render_POST(self, request: Any) -> bytes:
        """A checksum of the body."""
        digest: bytes = hashlib.sha256(request.content.read()).hexdigest().encode()
        return digest

    render_PUT = render_POST


class LiveTests(PlaneTests):
    """
    A plane, and programs that talk to it.
    """

    timeout = 900

    async def setUp(self) -> None:
        """The authority in a file."""
        await super().setUp()
        self._others: list[Any] = []
        self._stops: list[Callable[[], None]] = []
        self.ca = self.fresh(authority().root)

    async def tearDown(self) -> None:
        """Nothing is left."""
        await self.plane.drain(0)
        for port in self._others:
            await port.stopListening()
        for stop in self._stops:
            await deferToThread(stop)
        # The library's selectors are closed when they are collected.
        gc.collect()
        await super().tearDown()

    def mirror(self) -> Target:
        """
        An origin by Twisted.
        """
        port = reactor.listenTCP(0, Site(Mirror()), interface="127.0.0.1")
        self._others.append(port)
        return Target("127.0.0.1", port.getHost().port)

    async def run_(self, program: str, *arguments: str) -> tuple[bytes, bytes, int]:
        """
        Run a program to its end.
        """
        out, err, code = await getProcessOutputAndValue(shutil.which(program), arguments, stdinBytes=b"")
        return out, err, code


class CurlTests(LiveTests):
    """
    curl over HTTP and HTTPS.
    """

    skip = NEEDS_CURL

    async def begin(self) -> None:
        """
        The same routes in plain and over TLS.
        """
        self.plain, self.secret = await self.port(), await self.port()
        await self.certify("a.test")
        target = self.mirror()
        routes = []
        for number, tls in ((self.plain, None), (self.secret, TERMINATE)):
            routes += [
                Route(f"all-{number}", (number,), Forward((target,)), "http", ("a.test",), tls=tls),
                Route(
                    f"here-{number}", (number,), Respond(body="here"), "http", ("a.test",), "/here", tls=tls
                ),
                Route(f"to-{number}", (number,), Redirect("/here", 302), "http", ("a.test",), "/to", tls=tls),
                Route(f"denied-{number}", (number,), Block(), "http", ("a.test",), "/denied", tls=tls),
                Route(
                    f"little-{number}",
                    (number,),
                    Forward((target,)),
                    "http",
                    ("a.test",),
                    "/little",
                    tls=tls,
                    bodyBytes=1000,
                ),
            ]
        await self.use(*routes)

    async def curl(self, *arguments: str, secret: bool = True, path: str = "/", fails: int = 0) -> bytes:
        """
        What curl prints.
        """
        number = self.secret if secret else self.plain
        scheme = "https" if secret else "http"
        out, err, code = await self.run_(
            "curl",
            "-sS",
            "--max-time",
            str(PATIENCE),
            "--noproxy",
            "*",
            "--cacert",
            str(self.ca),
            "--resolve",
            f"a.test:{number}:127.0.0.1",
            *arguments,
            f"{scheme}://a.test:{number}{path}",
        )
        self.assertEqual(code, fails, err)
        return out

    async def test_get(self) -> None:
        """
        In plain and over TLS 1.2 and 1.3, whatever it offers by ALPN.
        """
        await self.begin()
        self.assertEqual(await self.curl(secret=False, path="/x/../y?z"), b"GET /y?z from 127.0.0.1")
        for version in (
            ("--tlsv1.2", "--tls-max", "1.2"),
            ("--tlsv1.3",),
            ("--http2",),
            ("--http1.1", "--no-alpn"),
        ):
            self.assertEqual(await self.curl(*version), b"GET / from 127.0.0.1")
        for old in ("1.0", "1.1"):
            await self.curl("--tls-max", old, "--ciphers", "DEFAULT@SECLEVEL=0", fails=35)

    async def test_versions(self) -> None:
        """
        HTTP/1.0, HEAD, several requests on one connection, redirects.
        """
        await self.begin()
        for secret in (False, True):
            self.assertEqual(await self.curl("--http1.0", secret=secret), b"GET / from 127.0.0.1")
            head = await self.curl("--head", secret=secret, path="/?size=100000")
            self.assertIn(b"content-length: 100000\r\n", head.lower())
            self.assertEqual(await self.curl("-L", secret=secret, path="/to"), b"here")
            out = await self.curl("-w", "|%{num_connects}\n", secret=secret, path="/[1-3]")
            self.assertEqual([line.rpartition(b"|")[2] for line in out.splitlines()], [b"1", b"0", b"0"])

    async def test_uploads(self) -> None:
        """
        Bodies with a length, in chunks, after 100-continue, and to where nobody
        wants them.
        """
        await self.begin()
        body = random.Random(3).randbytes(3 * MIB)
        file = self.fresh(body)
        wanted = hashlib.sha256(body).hexdigest().encode()
        for secret in (False, True):
            for how in (
                ("--data-binary", f"@{file}"),
                ("--data-binary", f"@{file}", "-H", "Transfer-Encoding: chunked"),
                ("--data-binary", f"@{file}", "-H", "Expect: 100-continue"),
                ("--upload-file", str(file), "--http1.0"),
                ("--upload-file", str(file), "-H", "Expect:"),
            ):
                self.assertEqual(await self.curl(*how, secret=secret), wanted, how)
            for path, answer in (
                ("/here", b"here"),
                ("/denied", b"Forbidden\n"),
                ("/little", b"413 Content Too Large\n"),
            ):
                early = await self.curl("--data-binary", f"@{file}", secret=secret, path=path)
                self.assertTrue(early.startswith(answer), early)

    async def test_download(self) -> None:
        """
        Thirty megabytes, whole, also by a reader that takes its time.
        """
        await self.begin()
        size = 30 * MIB
        wanted = hashlib.sha256(random.Random(size).randbytes(size)).digest()
        for secret, how in ((False, ()), (True, ()), (False, ("--limit-rate", "60M"))):
            out = await self.curl(*how, secret=secret, path=f"/?size={size}")
            self.assertEqual(hashlib.sha256(out).digest(), wanted)

    async def test_unknown(self) -> None:
        """
        A name that nobody serves is an alert by its proper name.
        """
        await self.begin()
        _, err, code = await self.run_(
            "curl", "-sS", "-k", "--noproxy", "*", "--resolve", f"b.test:{self.secret}:127.0.0.1",
            f"https://b.test:{self.secret}/",
        )  # fmt: skip
        self.assertEqual(code, 35)
        self.assertIn(b"unrecognized name", err)


class OpenSSLTests(LiveTests):
    """
    C{openssl s_client}.
    """

    skip = NEEDS_OPENSSL

    async def begin(self) -> int:
        """
        A terminated name beside one that is passed through.
        """
        port = await self.port()
        await self.certify("a.test")
        origin = self.origin(credential=credentialFor("through.test"))
        await self.use(
            Route("a", (port,), Respond(body="a"), "http", ("a.test",), tls=TERMINATE),
            Route("t", (port,), Forward((origin.target,)), "tcp", ("through.test",), tls=TLS("passthrough")),
        )
        return port

    async def shakes(self, port: int, *arguments: str) -> bytes:
        """
        All that s_client says.
        """
        out, err, _ = await self.run_(
            "openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", str(self.ca), *arguments
        )
        return out + err

    async def test_names(self) -> None:
        """
        The certificate is that of the name, verified, or an alert.
        """
        port = await self.begin()
        for name in ("a.test", "through.test"):
            said = await self.shakes(port, "-servername", name, "-verify_hostname", name)
            self.assertIn(b"Verification: OK", said)
        for other in (("-servername", "b.test"), ("-noservername",)):
            self.assertIn(b"unrecognized name", await self.shakes(port, *other))

    async def test_versions(self) -> None:
        """
        1.2 and 1.3 are spoken, 1.1 is refused by its alert.
        """
        port = await self.begin()
        for version, name in (("-tls1_2", b"TLSv1.2"), ("-tls1_3", b"TLSv1.3")):
            self.assertIn(name + b", Cipher is", await self.shakes(port, "-servername", "a.test", version))
        said = await self.shakes(port, "-servername", "a.test", "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0")
        self.assertIn(b"alert protocol version", said)

    async def test_protocols(self) -> None:
        """
        ALPN is agreed on, or refused by its alert.
        """
        port = await self.begin()
        said = await self.shakes(port, "-servername", "a.test", "-alpn", "h2,http/1.1")
        self.assertIn(b"ALPN protocol: h2", said)
        self.assertIn(
            b"no application protocol", await self.shakes(port, "-servername", "a.test", "-alpn", "spdy/3")
        )

    async def test_forbiddenCiphers(self) -> None:
        """
        Who has only a cipher that is forbidden for HTTP/2, where code allows it, is spoken to by HTTP/1.1;
        there is no compression and no second handshake either way (RFC 9113 section 9.2).
        """
        port = await self.port()
        await self.certify("a.test")
        policy = TLSPolicy(ciphers=("ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"))
        tls = dataclasses.replace(TERMINATE, policy=policy)
        await self.use(Route("a", (port,), Respond(body="a"), "http", ("a.test",), tls=tls))
        for more, agreed in (
            (("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"), b"ALPN protocol: http/1.1"),
            (("-tls1_3",), b"ALPN protocol: h2"),
        ):
            said = await self.shakes(port, "-servername", "a.test", "-alpn", "h2,http/1.1", *more)
            self.assertIn(agreed, said)
            self.assertIn(b"Compression: NONE", said)
        said = await self.shakes(
            port, "-servername", "a.test", "-alpn", "h2", "-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"
        )
        self.assertIn(b"No ALPN negotiated", said)

    async def test_weakCiphers(self) -> None:
        """
        Nothing without forward secrecy, nothing with CBC.
        """
        port = await self.begin()
        for cipher in ("AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES128-SHA256"):
            said = await self.shakes(port, "-servername", "a.test", "-tls1_2", "-cipher", cipher)
            self.assertIn(b"handshake failure", said, cipher)


class WebSocketTests(LiveTests):
    """
    A WebSocket library on both ends.
    """

    def echo(self, context: ssl.SSLContext | None = None) -> Target:
        """
        An origin that says what was said.
        """

        def handle(connection: Any) -> None:
            for message in connection:
                connection.send(message)

        server = serve(handle, "127.0.0.1", 0, ssl=context)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()

        def stop() -> None:
            server.shutdown()
            thread.join()

        self._stops.append(stop)
        return Target("127.0.0.1", server.socket.getsockname()[1])

    def talks(self, url: str, number: int, context: ssl.SSLContext | None = None) -> list[Any]:
        """
        Say things of all sizes, and what comes back.
        """
        sock = socket.create_connection(("127.0.0.1", number))
        with chatting(url, sock=sock, ssl=context, server_hostname="a.test" if context else None) as chat:
            answers = []
            for message in ("hello", b"\0" * 5, "x" * 70_000, bytes(900_000), ""):
                chat.send(message)
                answers.append(chat.recv())
            chat.ping()
            return answers

    async def test_everyWay(self) -> None:
        """
        In plain, through TLS that ends here, through TLS that does not, and
        with TLS to the origin.
        """
        plain, ends, through, again = [await self.port() for _ in range(4)]
        await self.certify("a.test")
        credential = credentialFor("a.test")
        certificate = self.fresh(credential.chain + credential.key)
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(certificate)
        open_, secret = self.echo(), self.echo(server)
        await self.use(
            Route("plain", (plain,), Forward((open_,)), "http"),
            Route("ends", (ends,), Forward((open_,)), "http", ("a.test",), tls=TERMINATE),
            Route("through", (through,), Forward((secret,)), "tcp", ("a.test",), tls=TLS("passthrough")),
            Route(
                "again",
                (again,),
                Forward((secret,), UpstreamTLS("a.test", caFile=str(self.ca))),
                "http",
                ("a.test",),
                tls=TERMINATE,
            ),
        )
        client = ssl.create_default_context(cafile=str(self.ca))
        wanted = ["hello", b"\0" * 5, "x" * 70_000, bytes(900_000), ""]
        for number, context in ((plain, None), (ends, client), (through, client), (again, client)):
            url = f"{'wss' if context else 'ws'}://a.test:{number}/chat"
            self.assertEqual(await deferToThread(self.talks, url, number, context), wanted, url)


class OriginTests(LiveTests):
    """
    Python's own server as origin, over TLS.
    """

    skip = NEEDS_CURL

    def server(self, version: str) -> Target:
        """
        An origin that speaks a version of HTTP and closes without close_notify.
        """

        class Handler(BaseHTTPRequestHandler):
            protocol_version = version

            def do_GET(self) -> None:
                body = b"asked by " + self.headers["X-Forwarded-Proto"].encode() + b"\n"
                self.send_response(200)
                if self.path != "/open":
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                self.close_connection = self.close_connection or self.path == "/open"

            def log_message(self, *arguments: object) -> None:
                pass

        credential = credentialFor("origin.test")
        certificate = self.fresh(credential.chain + credential.key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server = QuietServer(("127.0.0.1", 0), Handler)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()

        def stop() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        self._stops.append(stop)
        return Target("127.0.0.1", server.server_address[1])

    async def test_reencrypted(self) -> None:
        """
        Its certificate is verified by the name that is configured, and by no
        other.
        """
        good, bad = await self.port(), await self.port()
        for version in ("HTTP/1.0", "HTTP/1.1"):
            target = self.server(version)
            await self.use(
                Route(
                    "good",
                    (good,),
                    Forward((target,), UpstreamTLS("origin.test", caFile=str(self.ca))),
                    "http",
                ),
                Route(
                    "bad", (bad,), Forward((target,), UpstreamTLS("other.test", caFile=str(self.ca))), "http"
                ),
            )
            out, err, _ = await self.run_(
                "curl", "-sS", "--noproxy", "*", f"http://127.0.0.1:{good}/1", f"http://127.0.0.1:{good}/2"
            )
            self.assertEqual((out, err), (b"asked by http\n" * 2, b""))
            out, _, _ = await self.run_("curl", "-sS", "--noproxy", "*", f"http://127.0.0.1:{bad}/")
            self.assertEqual(out, b"502 Bad Gateway\n")


class LongTunnelTests(TunnelTests):
    """
    More rounds of C{tests.plane.test_tunnel}.
    """

    timeout = 900

    async def test_fullDuplex(self) -> None:
        """
        Streams of 40 MiB with ends at ten different times.
        """
        port, origin = await self.begin()
        source = random.Random(17)
        for _ in range(10):
            up, down = source.choice((40 * MIB, source.randrange(40 * MIB))), 40 * MIB - source.randrange(3)
            if source.random() < 0.5:
                up, down = down, up
            await self.flows(
                *await self.pair(port, origin), up, down, source.choice((0, source.randrange(MIB)))
            )
