"""
What a route demands of a handshake: versions, ciphers, certificates of clients;
and that no request gets around it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID
from OpenSSL import SSL, crypto
from twisted.logger import LogLevel, globalLogPublisher

from smartproxy_tw.acme.x509 import Signer, selfSigned
from smartproxy_tw.config.model import ClientCertificates, Forward, Respond, Route, TLSPolicy
from smartproxy_tw.facts import CertificateFacts, Credential
from smartproxy_tw.interfaces import IExchange, IStream

from .harness import TERMINATE, Peer, PlaneTests, clientSSL

VERSIONS = {"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}


def get(host: str, target: str = "/") -> bytes:
    """
    A request for a name.
    """
    return f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()


def certified(signer: Signer, name: str, days: int = 1, *beside: x509.ExtensionType) -> Credential:
    """
    A certificate for a client.

    @param days: How long it is valid from now; negative: since when it is not.
    @param beside: Further extensions.
    """
    now = datetime.now(UTC)
    private = generate_private_key(SECP256R1())
    issuer = x509.load_pem_x509_certificate(signer.credential.chain)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer.subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=9))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    )
    for each in beside:
        builder = builder.add_extension(each, critical=False)
    key: Any = load_pem_private_key(signer.credential.key, None)
    return Credential(
        builder.sign(key, SHA256()).public_bytes(Encoding.PEM),
        private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )


class PolicyTests(PlaneTests):
    """
    Versions and ciphers.
    """

    async def meets(
        self, policy: TLSPolicy, highest: str, lowest: str = "1.2", ciphers: bytes = b"DEFAULT"
    ) -> Peer:
        """
        Have a client meet a route by this policy.
        """
        port = await self.port()
        await self.use(Route("a", (port,), Respond(), "http", tls=replace(TERMINATE, policy=policy)))
        await self.certify("a.test")
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(VERSIONS[lowest])
        context.set_max_proto_version(VERSIONS[highest])
        context.set_cipher_list(ciphers)
        ssl = SSL.Connection(context, None)
        ssl.set_tlsext_host_name(b"a.test")
        ssl.set_connect_state()
        peer = await self.client(port, ssl)
        await peer.until(lambda: peer.isShaken or peer.isOver, "a handshake")
        return peer

    async def test_versions(self) -> None:
        """
        What is outside of the range is refused with the alert protocol_version.
        """
        for policy, version, isShaken in (
            (TLSPolicy(), "1.2", True),
            (TLSPolicy(), "1.3", True),
            (TLSPolicy(lowest="1.3"), "1.3", True),
            (TLSPolicy(lowest="1.3"), "1.2", False),
            (TLSPolicy(highest="1.2"), "1.2", True),
            (TLSPolicy(highest="1.2"), "1.3", False),
        ):
            peer = await self.meets(policy, version, version)
            self.assertEqual(peer.isShaken, isShaken, (policy, version))
            if not isShaken:
                self.assertIn("protocol version", str(peer.why))

    async def test_ciphers(self) -> None:
        """
        Those of TLS 1.2 are the ones that were chosen, and no others.
        """
        mine, other = "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-GCM-SHA256"
        peer = await self.meets(TLSPolicy(ciphers=(mine,)), "1.2", ciphers=f"{other}:{mine}".encode())
        assert peer.ssl is not None
        self.assertEqual(peer.ssl.get_cipher_name(), mine)
        peer = await self.meets(TLSPolicy(ciphers=(mine,)), "1.2", ciphers=other.encode())
        self.assertFalse(peer.isShaken)
        self.assertIn("handshake failure", str(peer.why))

    async def test_http2(self) -> None:
        """
        HTTP/2 is agreed on with who offers it, unless the route speaks none.
        """
        for policy, spoken in ((TLSPolicy(http2=False), b"http/1.1"), (TLSPolicy(lowest="1.3"), b"h2")):
            port = await self.port()
            tls = replace(TERMINATE, policy=policy)
            await self.certify("a.test", tls=tls)
            await self.use(Route("a", (port,), Respond(body="a"), "http", ("a.test",), tls=tls))
            peer = await self.tls(port, alpn=(b"h2", b"http/1.1"))
            assert peer.ssl is not None
            self.assertEqual(peer.ssl.get_alpn_proto_negotiated(), spoken)


class ClientCertificateTests(PlaneTests):
    """
    Certificates of clients, over TLS 1.2 and 1.3.
    """

    async def setUp(self) -> None:
        """Two authorities: one that is believed, one that is not."""
        await super().setUp()
        self.believed = Signer.create("Believed")
        self.other = Signer.create("Other")
        self.file = str(self.fresh(self.believed.credential.chain))
        self.alice = certified(self.believed, "alice")

    def demand(self, mode: Any) -> Any:
        """
        The TLS of a route that wants to see certificates.
        """
        return replace(TERMINATE, policy=TLSPolicy(clients=ClientCertificates(mode, self.file)))

    async def shows(
        self, port: int, credential: Credential | None, version: str = "1.3", name: str | None = "a.test"
    ) -> Peer:
        """
        Connect, and show a certificate.
        """
        ssl = clientSSL(name, highest=VERSIONS[version])
        if credential is not None:
            ssl.use_certificate(crypto.load_certificate(crypto.FILETYPE_PEM, credential.chain))
            ssl.use_privatekey(crypto.load_privatekey(crypto.FILETYPE_PEM, credential.key))
        peer = await self.client(port, ssl)
        await peer.until(lambda: peer.isShaken or peer.isOver, "a handshake")
        return peer

    async def test_verdicts(self) -> None:
        """
        Who shows a good certificate is served; who shows a bad one is told so
        in an alert; who shows none is served just where it is only asked for.
        """
        port = await self.port()
        await self.certify("a.test")
        verdicts: list[tuple[str, Credential | None, dict[str, str | None]]] = [
            ("good", self.alice, {"request": None, "require": None}),
            ("none", None, {"request": None, "require": "required|handshake failure"}),
            (
                "stranger",
                certified(self.other, "alice"),
                dict.fromkeys(("request", "require"), "unknown ca"),
            ),
            ("self-signed", selfSigned(("alice.test",)), dict.fromkeys(("request", "require"), "unknown ca")),
            (
                "server",
                self.believed.issue(("alice.test",), lifetime=86400.0),
                dict.fromkeys(("request", "require"), "unsupported certificate"),
            ),
            (
                "expired",
                certified(self.believed, "alice", -1),
                dict.fromkeys(("request", "require"), "expired"),
            ),
        ]
        for mode in ("request", "require"):
            await self.use(Route("a", (port,), Respond(body="in"), "http", tls=self.demand(mode)))
            for who, credential, wanted in verdicts:
                for version in ("1.2", "1.3"):
                    peer = await self.shows(port, credential, version)
                    peer.sends(get("a.test"))
                    alert = wanted[mode]
                    if alert is None:
                        self.assertEqual((await peer.message())[1], b"in", (mode, who, version))
                    else:
                        await peer.until(lambda peer=peer: peer.isOver, "an alert")
                        found = str(peer.why)
                        self.assertTrue(any(word in found for word in alert.split("|")), (mode, who, found))
                        self.assertEqual(peer.received, 0)

    async def test_oddNames(self) -> None:
        """
        Who is certified by names of a kind that hardly anybody uses, of X.400 and of EDI, is served by its
        subject.
        """
        port = await self.port()
        await self.certify("a.test")
        await self.use(Route("a", (port,), Respond(body="in"), "http", tls=self.demand("require")))
        for names in (b"\x30\x04\xa3\x02\x30\x00", b"\x30\x07\xa5\x05\xa1\x03\x0c\x01A"):
            odd = x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, names)
            peer = await self.shows(port, certified(self.believed, "alice", 1, odd))
            peer.sends(get("a.test"))
            self.assertEqual((await peer.message())[1], b"in", names)

    async def test_told(self) -> None:
        """
        The log says why, a few times whole and then counted.
        """
        events: list[Any] = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        port = await self.port()
        await self.certify("a.test")
        await self.use(Route("a", (port,), Respond(), "http", tls=self.demand("require")))
        for _ in range(7):
            await (await self.shows(port, None)).loses()
        await (await self.shows(port, selfSigned(("eve.test",)))).loses()
        await self.isIdle()
        told = [e for e in events if e.get("event") == "no-tls" and e["log_level"] is LogLevel.info]
        self.assertEqual(len(told), 5)
        self.assertIn("did not return a certificate", told[0]["reason"])
        self.assertEqual(self.plane.engine.counts["greeting_failures"], 8)

    async def test_facts(self) -> None:
        """
        An action is told whom the certificate is for, be it a request or a stream.
        """
        seen: list[str | None] = []
        shown: list[CertificateFacts | None] = []

        class Looks:
            """Keeps the subject."""

            def request(self, exchange: IExchange) -> None:
                """Of a request."""
                seen.append(exchange.facts().connection.clientSubject)
                shown.append(exchange.facts().connection.certificate)
                exchange.respond(204, b"", b"")

            def stream(self, stream: IStream) -> None:
                """Of a stream."""
                seen.append(stream.facts().clientSubject)
                stream.abort()

        port, raw = await self.port(), await self.port()
        await self.certify("a.test")
        demand = self.demand("request")
        await self.use(
            Route("a", (port,), Respond(), "http", tls=demand),
            Route("b", (raw,), Respond(), "tcp", tls=demand),
        )
        for number in (port, raw):
            entrance = self.plane.engine.entrance(number)
            actions: Any = {"a": Looks(), "b": Looks()}
            entrance.use(entrance.table, actions, {})
        for version in ("1.2", "1.3"):
            for credential in (self.alice, None):
                peer = await self.shows(port, credential, version)
                peer.sends(get("a.test"))
                await peer.head()
                await (await self.shows(raw, credential, version)).loses()
        self.assertEqual(seen, ["CN=alice", "CN=alice", None, None] * 2)
        alice = x509.load_pem_x509_certificate(self.alice.chain)
        found = CertificateFacts(
            "CN=alice", "", alice.fingerprint(SHA256()).hex(), f"{alice.serial_number:x}"
        )
        self.assertEqual(shown, [found, None] * 2)

    async def test_aroundIt(self) -> None:
        """
        No request that came in by one policy is served by another: not by its
        Host, by an absolute target, without SNI, on a kept connection, by a
        head that was seen before, or by a route that comes before that of its
        name.
        """
        port = await self.port()
        await self.certify("a.test", "b.test", "x.c.test")
        await self.use(
            Route("open", (port,), Respond(body="open"), "http", ("a.test",), tls=TERMINATE),
            Route("none", (port,), Respond(body="none"), "http", tls=TERMINATE),
            Route("shut", (port,), Respond(body="shut"), "http", ("b.test",), tls=self.demand("require")),
            Route("wide", (port,), Respond(body="w"), "http", ("*.c.test",), "/w", self.demand("require")),
            Route("x", (port,), Respond(body="x"), "http", ("x.c.test",), "/x", TERMINATE),
        )
        alice = await self.shows(port, self.alice, name="b.test")
        for _ in range(2):
            alice.sends(get("b.test"))
            self.assertEqual((await alice.message())[1], b"shut")
        for name, own, body in (("a.test", "a.test", b"open"), (None, "", b"none")):
            for version in ("1.2", "1.3"):
                for request in (
                    get("b.test"),
                    get("b.test:443"),
                    get("B.TEST."),
                    get("b.test", "https://b.test/"),
                    get("b.test:443", "https://B.test:443/"),
                ):
                    peer = await self.shows(port, self.alice, version, name)
                    if own:
                        peer.sends(get(own))
                        self.assertEqual((await peer.message())[1], body)
                    for _ in range(2):
                        peer.sends(request)
                        self.assertTrue((await peer.head()).startswith(b"HTTP/1.1 421 "), request)
                        await peer.through(b"\n") if peer.data else None
                        if peer.isOver:
                            break
                        peer.data.clear()
        # The handshake was made by the exact name; the other route would have demanded more.
        peer = await self.shows(port, self.alice, name="x.c.test")
        peer.sends(get("x.c.test", "/x"))
        self.assertEqual((await peer.message())[1], b"x")
        peer.sends(get("x.c.test", "/w"))
        self.assertTrue((await peer.head()).startswith(b"HTTP/1.1 421 "))
        # And the other way round.
        alice.sends(get("a.test"))
        self.assertTrue((await alice.head()).startswith(b"HTTP/1.1 421 "))

    async def test_scheme(self) -> None:
        """
        An absolute target of another scheme than that of its connection is not served (RFC 9110
        section 7.4), unless it is a trusted peer's, who may have had another connection itself.
        """
        plain, secure = await self.port(), await self.port()
        await self.certify("a.test")
        routes = (
            Route("plain", (plain,), Respond(body="plain"), "http"),
            Route("secure", (secure,), Respond(body="secure"), "http", ("a.test",), tls=TERMINATE),
        )
        for trusted in (False, True):
            networks = (ip_network("127.0.0.0/8"),) if trusted else ()
            await self.use(*routes, trustedProxies=networks)
            for scheme in ("http", "https", "HTTPS"):
                for isTLS in (False, True):
                    peer = await (self.shows(secure, None) if isTLS else self.client(plain))
                    peer.sends(get("a.test", f"{scheme}://a.test/"))
                    head = await peer.head()
                    isServed = trusted or isTLS is (scheme != "http")
                    self.assertEqual(head[9:12], b"200" if isServed else b"421", (trusted, scheme, isTLS))

    async def test_newTable(self) -> None:
        """
        A connection that began before certificates were demanded is not served
        after it, nor the other way round; the stream of a handshake that a new
        table overtook neither.
        """
        port = await self.port()
        await self.certify("a.test")
        lax = Route("a", (port,), Respond(body="lax"), "http", tls=TERMINATE)
        strict = Route("a", (port,), Respond(body="strict"), "http", tls=self.demand("require"))
        await self.use(lax)
        peer = await self.shows(port, None)
        peer.sends(get("a.test"))
        self.assertEqual((await peer.message())[1], b"lax")
        await self.use(strict)
        peer.sends(get("a.test"))
        self.assertTrue((await peer.head()).startswith(b"HTTP/1.1 421 "))
        fresh = await self.shows(port, self.alice)
        fresh.sends(get("a.test"))
        self.assertEqual((await fresh.message())[1], b"strict")

    async def test_overtaken(self) -> None:
        """
        A stream whose handshake began under another policy than that of its
        route now is closed.
        """
        port = await self.port()
        await self.certify("a.test")
        origin = self.origin()
        action = Forward((origin.target,))
        await self.use(Route("a", (port,), action, "tcp", tls=TERMINATE))
        ssl = clientSSL("a.test")
        peer = await self.client(port, ssl)
        peer.credit = 0
        await self.settles(lambda: peer.data is not None and self.plane.engine.open > 0, "it was accepted")
        await self.use(Route("a", (port,), action, "tcp", tls=self.demand("require")))
        peer.credit = None
        await peer.loses()
        self.assertEqual(origin.peers, [])

    async def test_unreadable(self) -> None:
        """
        A file of authorities that cannot be used is told at once, and changes
        nothing; one that breaks later refuses the handshake.
        """
        port = await self.port()
        await self.certify("a.test")
        good, self.file = self.file, str(self.fresh(b"no certificate"))
        await self.use(Route("a", (port,), Respond(body="before"), "http", tls=TERMINATE))
        route = Route("a", (port,), Respond(), "http", tls=self.demand("require"))
        why = await self.assertFailure(self.plane.useTable(self.config(route)), ValueError)
        self.assertIn(self.file, str(why))
        peer = await self.shows(port, None)
        peer.sends(get("a.test"))
        self.assertEqual((await peer.message())[1], b"before")
        self.file = good
        await self.use(Route("a", (port,), Respond(), "http", tls=self.demand("require")))
        Path(good).write_bytes(b"no certificate")
        peer = await self.shows(port, self.alice)
        self.assertFalse(peer.isShaken)
        self.assertIn("internal error", str(peer.why))
