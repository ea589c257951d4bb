"""
Whatever a route does to requests and answers, it does to both versions of HTTP: the same
questions are asked by each, and the answers compared.
"""

from __future__ import annotations

import json
import zlib
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import bcrypt
from OpenSSL import crypto

from smartproxy_tw.acme.x509 import Signer
from smartproxy_tw.config.loading import loads
from smartproxy_tw.config.model import AccessLog, ClientCertificates, Forward, Respond, Route, TLSPolicy
from smartproxy_tw.config.security import CertificateHeaders, Security

from ..guards.test_bearer import SECRET
from .harness import TERMINATE, Peer, clientSSL, reactor
from .streams import Client, StreamTests
from .test_policy import certified

Fields = Sequence[tuple[str, str]]

FILE = """
state_dir: /nowhere
routes:
- {{name: echo, match: {{ports: 1, path: /echo/*}}, action: {{type: forward, targets: '{origin}'}}}}
- {{name: answer, match: {{ports: 1, path: /answer/*}}, action: {{type: forward, targets: '{origin}'}}}}
- name: blocked
  match: {{ports: 1, path: /blocked}}
  action: {{type: respond, body: in}}
  security: {{ip_block_list: 127.0.0.0/8}}
- name: allowed
  match: {{ports: 1, path: /allowed}}
  action: {{type: forward, targets: '{origin}'}}
  security: {{ip_allow_list: [192.0.2.0/24]}}
- name: limited
  match: {{ports: 1, path: /limited}}
  action: {{type: respond, body: in}}
  security: {{rate_limit: {{requests: 2, window: 3600}}}}
- name: crowded
  match: {{ports: 1, path: /crowded}}
  action: {{type: respond, body: in}}
  security: {{max_connections: 1, max_connections_per_ip: 1}}
- name: basic
  match: {{ports: 1, path: /basic}}
  action: {{type: forward, targets: '{origin}'}}
  security: {{basic_auth: {{users: {{bob: {hash}}}, user_header: X-User}}}}
- name: token
  match: {{ports: 1, path: /token}}
  action: {{type: forward, targets: '{origin}'}}
  security: {{jwt_auth: {{algorithms: [HS256], secret: {secret}, claims: {{sub: X-User}}}}}}
- name: cookie
  match: {{ports: 1, path: /cookie}}
  action: {{type: forward, targets: '{origin}'}}
  security:
    jwt_auth: {{algorithms: [HS256], secret: {secret}, token: 'cookie:t', claims: {{sub: X-User}}}}
- name: asked
  match: {{ports: 1, path: /asked/*}}
  action: {{type: forward, targets: '{origin}'}}
  security:
    forward_auth: {{url: '{auth}/auth', copy_headers: [Remote-User], answer_headers: [Set-Cookie]}}
- name: cors
  match: {{ports: 1, path: /cors}}
  action: {{type: forward, targets: '{origin}'}}
  cors: {{origins: ['https://app.example'], methods: [GET, PUT], headers: [X-A], credentials: true}}
- name: careful
  match: {{ports: 1, path: /careful}}
  action: {{type: forward, targets: '{origin}'}}
  security_headers: true
- name: small
  match: {{ports: 1, path: /small}}
  action: {{type: forward, targets: '{origin}'}}
  limits: {{body_bytes: 1000}}
- name: changed
  match: {{ports: 1, path: '/api/:version/*'}}
  action: {{type: forward, targets: '{origin}'}}
  headers:
    request:
      set: {{X-Version: '{{param:version}}', X-Method: '{{method}}', User-Agent: u}}
      remove: [x-debug-*, cookie]
    response: {{set: {{X-Told: '{{domain}} {{path}} {{client_ip}}'}}, add: {{Vary: X-A}}, remove: server}}
  rewrite: {{strip_prefix: /api, query: {{set: {{a: b}}, remove: utm_*}}, map_location: true}}
- name: packed
  match: {{ports: 1, path: /packed/*}}
  action: {{type: forward, targets: '{origin}'}}
  compress: {{encodings: [gzip], min_bytes: 100}}
- name: pages
  match: {{ports: 1, path: /pages/*}}
  action: {{type: forward, targets: '{origin}'}}
  error_pages:
    404:
    - {{body: '<h1>{{path}}</h1>', type: text/html}}
    - {{body: '["{{reason}}"]', type: application/json}}
    from: all
- name: dead
  match: {{ports: 1, path: /dead}}
  action: {{type: forward, targets: '127.0.0.1:1'}}
  error_pages: {{5xx: {{body: 'sorry {{status}}', type: text/plain}}}}
- {{name: to, match: {{ports: 1, path: /to/*}}, action: {{type: redirect, to: 'https://b.example/{{param:*}}?{{query}}'}}}}
- {{name: no, match: {{ports: 1, path: /no}}, action: {{type: block, status: 410, body: gone}}}}
- {{name: files, match: {{ports: 1, path: /files/*}}, action: {{type: files, root: '{root}'}}}}
- name: headed
  match: {{ports: 1, path: /headed, headers: {{X-Kind: special}}}}
  action: {{type: respond, status: 201, headers: {{X-A: b}}, body: 'it is {{method}}'}}
"""


@dataclass(frozen=True)
class Ask:
    """
    A question.

    @ivar isTold: Whether the length of the body is told before it.
    """

    target: str
    fields: Fields = ()
    method: str = "GET"
    body: bytes = b""
    isTold: bool = True


def _basic(words: str) -> tuple[str, str]:
    return ("authorization", "Basic " + b64encode(words.encode()).decode())


def _token(subject: str) -> str:
    """
    One that is good for long.
    """
    from joserfc import jwt
    from joserfc.jwk import OctKey

    return jwt.encode({"alg": "HS256"}, {"sub": subject, "exp": 9e9}, OctKey.import_key(SECRET))


APP, EVIL = ("origin", "https://app.example"), ("origin", "https://evil.example")

#: What is asked, in this order, and the status that is answered.
ASKED: list[tuple[int, Ask]] = [
    (200, Ask("/echo/a/../b//c;d?x=%2f&y", (("x-one", "1"), ("cookie", "a=1; b=2"), ("te", "trailers")))),
    (200, Ask("/echo/a", (("x-two", "1"), ("x-two", "2"), ("accept", "text/html")), "DELETE")),
    (200, Ask("/echo/a", (("x-forwarded-for", "192.0.2.9"), ("x-forwarded-proto", "https")))),
    (200, Ask("/echo/a", (("forwarded", "for=192.0.2.9;proto=https"), ("x-real-ip", "192.0.2.9")))),
    (200, Ask("/echo/a", (("x-forwarded-host", "c.test"), ("x-request-id", "mine")))),
    (200, Ask("/echo/a", (), "POST", b"words" * 20000)),
    (200, Ask("/echo/a", (), "POST", b"words" * 20000, False)),
    (200, Ask("/echo/a", (("content-type", "text/plain"),), "PUT", b"x")),
    (200, Ask("/echo/a", (), "HEAD")),
    (200, Ask("/echo/a", (), "OPTIONS")),
    (404, Ask("/nowhere")),
    (405, Ask("/echo/a", (), "TRACE")),
    (414, Ask("/echo/" + "x" * 9000)),
    (431, Ask("/echo/a", (("x-long", "x" * 70000),))),
    (417, Ask("/echo/a", (("expect", "nonsense"),))),
    (204, Ask("/answer/204")),
    (304, Ask("/answer/304", (("if-none-match", '"a"'),))),
    (500, Ask("/answer/500")),
    (200, Ask("/answer/200", (), "HEAD")),
    (403, Ask("/blocked")),
    (403, Ask("/blocked", (), "POST", b"x" * 200000)),
    (403, Ask("/allowed")),
    (200, Ask("/allowed", (("x-forwarded-for", "192.0.2.9"),))),
    (403, Ask("/allowed", (("x-forwarded-for", "192.0.2.9, 198.51.100.1"),))),
    (200, Ask("/limited")),
    (200, Ask("/limited")),
    (429, Ask("/limited")),
    (429, Ask("/limited", (), "POST", b"x" * 200000, False)),
    (200, Ask("/crowded")),
    (200, Ask("/crowded")),
    (401, Ask("/basic")),
    (401, Ask("/basic", (_basic("bob:wrong"),))),
    (200, Ask("/basic", (_basic("bob:secret"), ("x-user", "eve")))),
    (401, Ask("/token")),
    (401, Ask("/token", (("authorization", "Bearer " + _token("eve") + "x"),))),
    (200, Ask("/token", (("authorization", "Bearer " + _token("ann")), ("x-user", "eve")))),
    (401, Ask("/cookie", (("cookie", "t=x"),))),
    (200, Ask("/cookie", (("cookie", "a=b; t=" + _token("ann") + "; c=d"),))),
    (200, Ask("/asked/yes?q", (("x-mine", "1"), ("remote-user", "eve")))),
    (302, Ask("/asked/no", (), "POST", b"x" * 200000)),
    (503, Ask("/asked/broken")),
    (204, Ask("/cors", (APP, ("access-control-request-method", "PUT")), "OPTIONS")),
    (403, Ask("/cors", (EVIL, ("access-control-request-method", "PUT")), "OPTIONS")),
    (200, Ask("/cors", (APP,))),
    (200, Ask("/cors", (EVIL,))),
    (200, Ask("/careful")),
    (200, Ask("/small", (), "POST", b"x" * 1000, False)),
    (413, Ask("/small", (), "POST", b"x" * 1001)),
    (413, Ask("/small", (), "POST", b"x" * 200000, False)),
    (200, Ask("/api/v2/x?utm_a=1&c=d", (("x-debug-a", "1"), ("cookie", "a=b"), ("user-agent", "me")))),
    (301, Ask("/api/v2/moved")),
    (200, Ask("/packed/long", (("accept-encoding", "gzip"),))),
    (200, Ask("/packed/long", (("accept-encoding", "gzip"),), "HEAD")),
    (200, Ask("/packed/long", (("accept-encoding", "identity"),))),
    (200, Ask("/packed/short", (("accept-encoding", "gzip"),))),
    (404, Ask("/pages/404", (("accept", "text/html"),))),
    (404, Ask("/pages/404", (("accept", "application/json"),))),
    (404, Ask("/pages/404", (), "HEAD")),
    (502, Ask("/dead")),
    (502, Ask("/dead", (), "POST", b"x" * 200000)),
    (308, Ask("/to/a/b?c=d")),
    (410, Ask("/no")),
    (410, Ask("/no", (), "HEAD")),
    (200, Ask("/files/a.txt")),
    (200, Ask("/files/a.txt", (), "HEAD")),
    (206, Ask("/files/a.txt", (("range", "bytes=2-5"),))),
    (416, Ask("/files/a.txt", (("range", "bytes=99-"),))),
    (304, Ask("/files/a.txt", (("if-modified-since", "Fri, 01 Jan 2100 00:00:00 GMT"),))),
    (405, Ask("/files/a.txt", (), "DELETE")),
    (404, Ask("/files/b.txt")),
    (404, Ask("/files/%2e%2e/secret")),
    (201, Ask("/headed", (("x-kind", "special"),))),
    (404, Ask("/headed", (("x-kind", "plain"),))),
]  # fmt: skip

# Of the connection, or of the moment.
_OTHERWISE = ("connection", "keep-alive", "transfer-encoding", "date")


@dataclass
class Told:
    """
    An answer, without what differs by the version.
    """

    status: int
    fields: list[tuple[str, str]]
    body: bytes


def _told(port: int, status: int, lines: Fields, body: bytes) -> Told:
    """
    @param port: Which differs, so it is taken out.
    """
    number = str(port)
    fields = [(name.lower(), value.replace(number, "PORT")) for name, value in lines]
    if ("content-encoding", "gzip") in fields and body:
        # Where the pieces are cut shows in the compressed form.
        body = zlib.decompress(body, 31)
    body = body.replace(number.encode(), b"PORT")
    kept = [each for each in fields if each[0] not in _OTHERWISE]
    return Told(status, sorted(kept), body)


class LikewiseTests(StreamTests):
    """
    One configuration on two ports, for each version one.
    """

    def echo(self, head: bytes, body: bytes) -> bytes:
        """
        A target that says what it was asked, or what the path says.
        """
        line, *lines = head[:-4].decode("latin-1").split("\r\n")
        method, target, _ = line.split(" ")
        last = target.partition("?")[0].rpartition("/")[2]
        more = ""
        status = "200 OK"
        if last in ("204", "304", "404", "500"):
            status = last + " X"
        elif last == "moved":
            status, more = "301 Moved", "Location: /v2/there\r\n"
        if last == "204" or last == "304":
            return f'HTTP/1.1 {status}\r\nETag: "a"\r\n\r\n'.encode()
        fields = [each.partition(": ") for each in lines]
        known = sorted((name.lower(), value) for name, _, value in fields)
        # Chunks have taken the place of a length that was not told.
        text = json.dumps([method, target, known, len(body)]).encode()
        if last == "long":
            text = b"all work and no play " * 400
        elif last == "short":
            text = b"all work"
        more += "Content-Type: text/plain\r\nServer: s\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n"
        told = f"HTTP/1.1 {status}\r\n{more}Content-Length: {len(text)}\r\n\r\n".encode()
        return told if method == "HEAD" else told + text

    @staticmethod
    def judge(head: bytes, body: bytes) -> bytes:
        """
        Somebody who is asked by C{forward_auth}.
        """
        if b"X-Forwarded-Uri: /asked/yes" in head:
            return b"HTTP/1.1 200 OK\r\nRemote-User: ann\r\nSet-Cookie: s=1\r\nContent-Length: 0\r\n\r\n"
        if b"X-Forwarded-Uri: /asked/no" in head:
            return b"HTTP/1.1 302 Found\r\nLocation: https://login.example/\r\nContent-Length: 0\r\n\r\n"
        return b"nonsense\r\n\r\n"

    async def begin2(self, **others: Any) -> tuple[int, int]:
        """
        The ports for HTTP/1.1 and for HTTP/2.
        """
        origin, auth = self.origin(), self.origin()
        origin.answers(self.echo)
        auth.answers(self.judge)
        self.world.nameResolver.known["127.0.0.1"] = ["127.0.0.1"]
        # Whoever is asked has the time that it has.
        self.world.callLater = reactor.callLater  # type: ignore[method-assign]
        root = Path(self.mktemp())
        (root / "files").mkdir(parents=True)
        (root / "files" / "a.txt").write_text("0123456789")
        text = FILE.format(
            origin=f"http://127.0.0.1:{origin.number}",
            auth=f"http://127.0.0.1:{auth.number}",
            hash=bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode(),
            secret=SECRET,
            root=root.absolute(),
        )
        known = loads(text, "yaml", "/nowhere", environ={})
        ports = await self.port(), await self.port()
        # Each has its own state, such as that of a rate.
        routes = [
            replace(each, name=f"{each.name}-{port}", ports=(port,))
            for port in ports
            for each in known.routes
        ]
        await self.use(*routes, http2PriorKnowledge=True, **others)
        return ports

    async def ask1(self, port: int, ask: Ask) -> Told:
        """
        By HTTP/1.1.
        """
        peer = await self.client(port)
        lines = [f"{ask.method} {ask.target} HTTP/1.1", "host: a.test"]
        lines += [f"{name}: {value}" for name, value in ask.fields]
        if any(name == "te" for name, _ in ask.fields):
            lines.append("connection: te")
        body = ask.body
        if ask.method in ("POST", "PUT"):
            if ask.isTold:
                lines.append(f"content-length: {len(body)}")
            else:
                lines.append("transfer-encoding: chunked")
                body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        peer.sends("\r\n".join([*lines, "", ""]).encode() + body)
        head, found = await self.answer1(peer, ask)
        peer.leaves()
        status = int(head[9:12])
        told = [each.partition(": ")[::2] for each in head[:-4].decode("latin-1").split("\r\n")[1:]]
        return _told(port, status, told, found)

    async def answer1(self, peer: Peer, ask: Ask) -> tuple[bytes, bytes]:
        """
        The final answer.
        """
        while True:
            head = await peer.head()
            if head[9:10] != b"1":
                break
        if ask.method == "HEAD" or head[9:12] in (b"204", b"304"):
            return head, b""
        peer.data[:0] = head
        return await peer.message()

    async def ask2(self, client: Client, port: int, ask: Ask) -> Told:
        """
        By HTTP/2.
        """
        hasBody = ask.method in ("POST", "PUT")
        fields = [*ask.fields]
        if hasBody and ask.isTold:
            fields.append(("content-length", str(len(ask.body))))
        stream = client.asks(ask.target, *fields, method=ask.method, isEnd=not hasBody)
        if hasBody:
            await client.pours(stream, ask.body)
        answer = await client.answer(stream)
        self.assertTrue(answer.isWhole, ask)
        self.assertIsNone(answer.reset, ask)
        return _told(port, answer.status, answer.lines, bytes(answer.body))

    async def same(self, **others: Any) -> list[tuple[Ask, Told]]:
        """
        Ask everything by both versions.

        @return: What was answered.
        """
        old, new = await self.begin2(**others)
        client = await self.http2(new)
        found: list[tuple[Ask, Told]] = []
        for _, ask in ASKED:
            one = await self.ask1(old, ask)
            two = await self.ask2(client, new, ask)
            self.assertEqual(one, two, ask)
            found.append((ask, one))
        self.assertEqual(client.farewells, [])
        return found

    async def test_trusted(self) -> None:
        """
        Where the client is a proxy that is trusted.
        """
        found = await self.same(trustedProxies=(ip_network("127.0.0.0/8"),))
        for (status, _), (ask, told) in zip(ASKED, found, strict=True):
            self.assertEqual(told.status, status, ask)
        self.assertIn(b'["x-forwarded-for", "192.0.2.9, 127.0.0.1"]', found[2][1].body)

    async def test_untrusted(self) -> None:
        """
        Where it is not, and what it says of others counts for nothing.
        """
        for ask, told in await self.same():
            if ask.target == "/allowed":
                self.assertEqual(told.status, 403)
            if ask.target.startswith("/echo"):
                self.assertNotIn(b"192.0.2.9", told.body)

    async def test_logged(self) -> None:
        """
        What is logged differs by nothing but the version.
        """
        log = self.fresh()
        await self.same(accessLog=AccessLog("json", str(log)))
        await self.settles(
            lambda: log.exists() and log.read_bytes().count(b"\n") >= 2 * len(ASKED), "all is logged"
        )
        entries = [json.loads(line) for line in log.read_text().splitlines()]
        self.assertEqual(len(entries), 2 * len(ASKED))
        known = set()
        for (status, ask), one, two in zip(ASKED, entries[::2], entries[1::2], strict=True):
            known |= one.keys()
            if "request" in one:
                # It was refused as it stood; of a head that was too long there is nothing.
                if status != 431 and status != 414:
                    self.assertEqual(one["request"].replace("/1.1", "/2.0"), two["request"])
                one["request"] = two["request"]
            else:
                self.assertEqual((one.pop("version"), two.pop("version")), ("HTTP/1.1", "HTTP/2.0"))
            for each in (one, two):
                for name in ("time", "seconds"):
                    each.pop(name, None)
                each["route"] = (each.get("route") or "").partition("-")[0]
            if "bytes_received" in one and (not ask.isTold or status >= 300):
                # Chunks count as they are cut, and of what is refused there is more or less on its way.
                one["bytes_received"] = two["bytes_received"]
            self.assertEqual(one, two)
        self.assertLessEqual({"status", "method", "target", "route", "client"}, known)


class CertificateTests(StreamTests):
    """
    Who has shown a certificate, by either version.
    """

    async def begin2(self) -> int:
        """
        The port of one name that demands certificates, and of one that does not.
        """
        self.believed = Signer.create("Believed")
        self.alice = certified(self.believed, "alice")
        port = await self.port()
        origin = self.origin()
        origin.answers(
            lambda head, body: b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(head), head)
        )
        await self.certify("a.test", "b.test")
        clients = ClientCertificates("require", str(self.fresh(self.believed.credential.chain)))
        demanding = replace(TERMINATE, policy=TLSPolicy(clients=clients))
        told = Security(certificate=CertificateHeaders("X-Subject", verified="X-Verified"))
        await self.use(
            Route("a", (port,), Forward((origin.target,)), "http", ("a.test",), tls=demanding, security=told),
            Route("b", (port,), Respond(body="b"), "http", ("b.test",), tls=TERMINATE),
        )
        return port

    async def connects(self, port: int, name: str, alpn: bytes) -> Peer:
        """
        Shake hands, with a certificate where it is asked for.
        """
        ssl = clientSSL(name, (alpn,))
        ssl.use_certificate(crypto.load_certificate(crypto.FILETYPE_PEM, self.alice.chain))
        ssl.use_privatekey(crypto.load_privatekey(crypto.FILETYPE_PEM, self.alice.key))
        peer = await self.client(port, ssl)
        await peer.until(lambda: peer.isShaken or peer.isOver, "a handshake")
        return peer

    async def answers(self, port: int, name: str, host: str) -> list[tuple[int, bytes]]:
        """
        What a connection that is for a name answers for a host, by both versions.
        """
        old = await self.connects(port, name, b"http/1.1")
        old.sends(f"GET / HTTP/1.1\r\nhost: {host}\r\nx-subject: eve\r\n\r\n".encode())
        head, body = await old.message()
        client = Client(await self.connects(port, name, b"h2"))
        answer = await client.answer(client.asks("/", ("x-subject", "eve"), host=host))
        return [(int(head[9:12]), body), (answer.status, bytes(answer.body))]

    async def test_told(self) -> None:
        """
        The target is told of it, and of nothing that the client made up.
        """
        port = await self.begin2()
        one, two = await self.answers(port, "a.test", "a.test")
        self.assertEqual(one, two)
        self.assertIn(b"\r\nX-Subject: CN=alice\r\n", two[1])
        self.assertIn(b"\r\nX-Verified: SUCCESS\r\n", two[1])
        self.assertNotIn(b"eve", two[1])

    async def test_misdirected(self) -> None:
        """
        A connection on which none was asked for does not lead to who demands one, nor the other way round.
        """
        port = await self.begin2()
        for name, host in (("b.test", "a.test"), ("a.test", "b.test")):
            one, two = await self.answers(port, name, host)
            self.assertEqual(one, two)
            self.assertEqual(two[0], 421)
        self.assertEqual([each for each, _ in await self.answers(port, "b.test", "b.test")], [200, 200])
