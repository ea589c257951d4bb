"""
Tests for L{smartproxy_tw.testing.validation}: proofs that are none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL
from OpenSSL.crypto import X509, PKey
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred, succeed
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import TestCase

from smartproxy_tw.acme.x509 import Signer, acmeTLS, selfSigned
from smartproxy_tw.facts import HTTP01, TLSALPN01, Credential
from smartproxy_tw.testing.signed import Refused
from smartproxy_tw.testing.validation import Validator

from ..acme.loopback import LoopbackPlane

TOKEN = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"
PROOF = f"{TOKEN}.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI"


class _Rude(Protocol):
    """
    Answers the first bytes with what the test wants.
    """

    def __init__(self, answer: Callable[[Any], object]) -> None:
        self.answer = answer

    def dataReceived(self, data: bytes) -> None:
        self.answer(self.transport)


class ValidatorTests(TestCase):
    timeout = 300

    def setUp(self) -> None:
        self.plane = LoopbackPlane(reactor)
        self.httpPort, self.tlsPort = self.plane.listen()
        self.addCleanup(self.plane.close)

    def look(self, kind: str, name: str = "a.example", **options: Any) -> Deferred[None]:
        ports = {"httpPort": self.httpPort, "tlsPort": self.tlsPort, **options}
        validator = Validator(reactor, resolve=lambda name: "127.0.0.1", **ports)
        return validator.look(kind, name, TOKEN, PROOF)

    async def refused(self, word: str, kind: str, **options: Any) -> str:
        why = await self.assertFailure(self.look(kind, **options), Refused)
        self.assertEqual(why.word, word, why.detail)
        return str(why.detail)

    def rude(self, answer: Callable[[Any], object]) -> int:
        """
        A port where somebody answers like that.
        """
        factory = Factory.forProtocol(lambda: _Rude(answer))
        factory.noisy = False
        port: Any = reactor.listenTCP(0, factory, interface="127.0.0.1")  # type: ignore[attr-defined]
        self.addCleanup(lambda: maybeDeferred(port.stopListening))
        number: int = port.getHost().port
        return number

    async def test_good(self) -> None:
        """
        What is right is right, of names and of addresses.
        """
        for name in ("a.example", "127.0.0.1"):
            self.plane.present(HTTP01(name, TOKEN, PROOF))
            self.plane.present(acmeTLS(name, PROOF))
            await self.look("http-01", name)
            await self.look("tls-alpn-01", name)

    async def test_trailingSpace(self) -> None:
        """
        White space at the end is overlooked (RFC 8555 section 8.3).
        """
        self.plane.present(HTTP01("a.example", TOKEN, PROOF + " \r\n"))
        await self.look("http-01")

    async def test_nothingThere(self) -> None:
        """
        A page that is not there, or with another text, proves nothing.
        """
        self.assertIn("status 404", await self.refused("unauthorized", "http-01"))
        self.plane.present(HTTP01("a.example", TOKEN, PROOF[:-1]))
        self.assertIn("something else", await self.refused("unauthorized", "http-01"))

    async def test_rude(self) -> None:
        """
        Who answers no HTTP, or without an end, proves nothing.
        """
        endless = b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n" + b"x" * 5000
        for answer in (
            lambda transport: transport.write(b"220 mail.example\r\n\r\n"),
            lambda transport: transport.loseConnection(),
            lambda transport: transport.write(endless),
        ):
            await self.refused("connection", "http-01", httpPort=self.rude(answer))

    async def test_silence(self) -> None:
        """
        Who does not answer is not waited for.
        """
        silent = self.rude(lambda transport: None)
        await self.refused("connection", "http-01", httpPort=silent, timeout=0.1)
        await self.refused("connection", "tls-alpn-01", tlsPort=silent, timeout=0.1)

    async def test_nobody(self) -> None:
        """
        A port that is closed is named as the reason.
        """
        await self.plane.close()
        for kind in ("http-01", "tls-alpn-01"):
            self.assertIn("refused", await self.refused("connection", kind))

    async def test_noTLS(self) -> None:
        """
        What answers no TLS, or knows no such name, proves nothing.
        """
        plain = self.rude(lambda transport: transport.write(b"HTTP/1.1 400 Bad\r\n\r\n"))
        await self.refused("tls", "tls-alpn-01", tlsPort=plain)
        await self.refused("tls", "tls-alpn-01")

    async def wrongCertificate(self, credential: Credential) -> str:
        self.plane.presented = [TLSALPN01("a.example", credential)]
        return await self.refused("unauthorized", "tls-alpn-01")

    async def test_wrongCertificates(self) -> None:
        """
        A certificate for another proof, for more names, or without a proof is
        not the answer.
        """
        other = acmeTLS("a.example", PROOF + "x").credential
        self.assertIn("acmeIdentifier", await self.wrongCertificate(other))
        self.assertIn("acmeIdentifier", await self.wrongCertificate(selfSigned(["a.example"])))
        more = Signer.create("Somebody").issue(["a.example", "b.example"], lifetime=3600.0)
        self.assertIn("not just a.example", await self.wrongCertificate(more))
        elsewhere = acmeTLS("b.example", PROOF).credential
        self.assertIn("for b.example", await self.wrongCertificate(elsewhere))

    async def test_uncriticalProof(self) -> None:
        """
        A proof that is not marked critical is none (RFC 8737 section 3).
        """
        good = acmeTLS("a.example", PROOF).credential
        private: Any = load_pem_private_key(good.key, None)
        [certificate] = x509.load_pem_x509_certificates(good.chain)
        builder = x509.CertificateBuilder(
            certificate.issuer, certificate.subject, certificate.public_key(), certificate.serial_number,
            certificate.not_valid_before_utc.replace(tzinfo=None),
            certificate.not_valid_after_utc.replace(tzinfo=None),
        )  # fmt: skip
        for extension in certificate.extensions:
            builder = builder.add_extension(extension.value, critical=False)
        remade = builder.sign(private, certificate.signature_hash_algorithm)  # type: ignore[arg-type]
        from cryptography.hazmat.primitives.serialization import Encoding

        chain = remade.public_bytes(Encoding.PEM)
        self.assertIn("critical acmeIdentifier", await self.wrongCertificate(Credential(chain, good.key)))

    async def test_wrongALPN(self) -> None:
        """
        A server that ignores the protocol that was asked for proves nothing,
        whatever it shows.
        """
        from tests.acme import loopback

        def context(credential: Credential) -> SSL.Context:
            made = SSL.Context(SSL.TLS_SERVER_METHOD)
            [certificate] = x509.load_pem_x509_certificates(credential.chain)
            made.use_certificate(X509.from_cryptography(certificate))
            private: Any = load_pem_private_key(credential.key, None)
            made.use_privatekey(PKey.from_cryptography_key(private))
            return made

        self.patch(loopback, "_context", context)
        self.plane.present(acmeTLS("a.example", PROOF))
        self.assertIn("ALPN", await self.refused("unauthorized", "tls-alpn-01"))

    async def test_cancelled(self) -> None:
        """
        Who looks can be stopped.
        """
        silent = self.rude(lambda transport: None)
        for kind in ("http-01", "tls-alpn-01"):
            looking = self.look(kind, httpPort=silent, tlsPort=silent)
            await succeed(None)
            looking.cancel()
            await self.assertFailure(looking, CancelledError)
