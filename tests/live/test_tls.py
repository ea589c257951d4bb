"""
TLS as others judge it: sslyze by Mozilla's profile, OpenSSL's C{s_client} and
Python's C{ssl} resuming sessions, asking to begin again, and showing
certificates.
"""

from __future__ import annotations

import re
import shutil
import socket
import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from twisted.internet.threads import deferToThread
from twisted.internet.utils import getProcessOutputAndValue

from smartproxy_tw.config.model import TLS, Auto, ClientCertificates, Respond, Route, TLSPolicy
from smartproxy_tw.facts import Credential

from ..plane.harness import TERMINATE, PlaneTests, authority, credentialFor
from ..plane.test_policy import certified
from .running import PATIENCE

NEEDS_OPENSSL = None if shutil.which("openssl") else "needs the Debian package openssl"
NEEDS_SSLYZE = (
    None
    if shutil.which("sslyze")
    else "needs sslyze on PATH; there is no Debian package, pip installs it into an environment of its own"
)


def certifiedByRSA(name: str) -> Credential:
    """
    A certificate for a name, with an RSA key of 2048 bits.
    """
    signer = authority()
    private = generate_private_key(65537, 2048)
    issuer = x509.load_pem_x509_certificate(signer.credential.chain)
    now = datetime.now(UTC)
    key: Any = load_pem_private_key(signer.credential.key, None)
    leaf = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer.subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, SHA256())
    )
    return Credential(
        leaf.public_bytes(Encoding.PEM),
        private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )


class TLSTests(PlaneTests):
    """
    A terminated name, met by other programs.
    """

    timeout = 900

    async def begin(self, credential: Credential | None = None, policy: TLSPolicy | None = None) -> int:
        """
        Serve C{a.test}.
        """
        port = await self.port()
        tls = replace(TERMINATE, policy=policy or TLSPolicy())
        assert tls.certificate is not None
        await self.plane.install(tls.certificate.key, credential or credentialFor("a.test"))
        await self.use(Route("a", (port,), Respond(body="a"), "http", ("a.test",), tls=tls))
        return port

    async def shakes(self, port: int, *arguments: str, stdin: bytes = b"") -> str:
        """
        All that s_client says.
        """
        found = await getProcessOutputAndValue(
            shutil.which("openssl"),
            ("s_client", "-connect", f"127.0.0.1:{port}", "-servername", "a.test", *arguments),
            stdinBytes=stdin,
        )
        return (found[0] + found[1]).decode(errors="replace")


class MozillaTests(TLSTests):
    """
    sslyze.
    """

    skip = NEEDS_SSLYZE

    async def test_intermediate(self) -> None:
        """
        It has nothing to say against a fresh port, by Mozilla's intermediate
        profile, be the key ECDSA or RSA.
        """
        ca = self.fresh(authority().credential.chain)
        for credential in (credentialFor("a.test"), certifiedByRSA("a.test")):
            port = await self.begin(credential)
            out, err, code = await getProcessOutputAndValue(
                shutil.which("sslyze"),
                (
                    "--mozilla_config=intermediate",
                    f"--certinfo_ca_file={ca}",
                    "--sni=a.test",
                    f"127.0.0.1:{port}",
                ),
            )
            said = (out + err).decode(errors="replace")
            self.assertEqual(code, 0, said)
            self.assertIn("OK - Compliant", said)


class TwinTests(TLSTests):
    """
    Two certificates for the same name.
    """

    async def test_signatures(self) -> None:
        """
        C{s_client} is shown the one that it has signature algorithms for, be it by
        TLS 1.2 or 1.3, and a renewed one from the next connection on.
        """
        auto, port = Auto(("a.test",)), await self.port()
        twin = replace(auto, isTwin=True).key
        await self.plane.install(auto.key, credentialFor("a.test"))
        tls = TLS("terminate", auto)
        await self.use(Route("a", (port,), Respond(body="a"), "http", ("a.test",), tls=tls))
        only = await self.shakes(port, "-tls1_3", "-sigalgs", "rsa_pss_rsae_sha256")
        self.assertNotIn("BEGIN CERTIFICATE", only)
        for _ in range(2):
            second = certifiedByRSA("a.test")
            await self.plane.install(twin, second)
            for version in ("-tls1_2", "-tls1_3"):
                for offered, credential in (
                    ("ecdsa_secp256r1_sha256", credentialFor("a.test")),
                    ("rsa_pss_rsae_sha256", second),
                    ("ecdsa_secp256r1_sha256:rsa_pss_rsae_sha256", credentialFor("a.test")),
                ):
                    said = await self.shakes(port, version, "-sigalgs", offered)
                    shown = re.sub(r"\s", "", credential.chain.decode())[:400]
                    self.assertIn(shown, re.sub(r"\s", "", said), (version, offered))


class ResumptionTests(TLSTests):
    """
    Sessions.
    """

    async def test_openSSL(self) -> None:
        """
        A session that s_client has written down is resumed by it; after a new
        certificate it is not, and a whole handshake is made.
        """
        for version in ("-tls1_2", "-tls1_3"):
            port = await self.begin()
            path = self.mktemp()
            request = b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"
            first = await self.shakes(port, version, "-ign_eof", "-sess_out", path, stdin=request)
            self.assertIn("New, TLSv1", first)
            again = await self.shakes(port, version, "-ign_eof", "-sess_in", path, stdin=request)
            self.assertIn("Reused, TLSv1", again)
            self.assertIn("200 OK", again)
            assert TERMINATE.certificate is not None
            await self.plane.install(TERMINATE.certificate.key, certifiedByRSA("a.test"))
            renewed = await self.shakes(port, version, "-ign_eof", "-sess_in", path, stdin=request)
            self.assertIn("New, TLSv1", renewed)
            self.assertIn("200 OK", renewed)

    async def test_reconnect(self) -> None:
        """
        C{s_client -reconnect} resumes each of its five times by TLS 1.2.
        """
        said = await self.shakes(await self.begin(), "-tls1_2", "-reconnect")
        self.assertEqual((said.count("\nNew, TLSv1"), said.count("\nReused, TLSv1")), (1, 5))

    async def test_python(self) -> None:
        """
        So does Python's C{ssl}; two tickets come with TLS 1.3.
        """

        def resume(version: ssl.TLSVersion) -> list[bool]:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(cadata=authority().credential.chain.decode())
            context.minimum_version = context.maximum_version = version
            found, session = [], None
            for _ in range(3):
                with (
                    socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as sock,
                    context.wrap_socket(sock, server_hostname="a.test", session=session) as wrapped,
                ):
                    wrapped.sendall(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
                    wrapped.recv(1000)
                    found.append(bool(wrapped.session_reused))
                    session = wrapped.session
            return found

        port = await self.begin()
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            self.assertEqual(await deferToThread(resume, version), [False, True, True])

    test_openSSL.skip = test_reconnect.skip = NEEDS_OPENSSL  # type: ignore[attr-defined]


class RefusalTests(TLSTests):
    """
    What is not done.
    """

    skip = NEEDS_OPENSSL

    async def test_renegotiation(self) -> None:
        """
        Asked to begin again, TLS 1.2 refuses; 1.3 has no such thing.
        """
        said = await self.shakes(await self.begin(), "-tls1_2", stdin=b"R\n")
        self.assertIn("no renegotiation", said)
        self.assertIn("Compression: NONE", said)

    async def test_earlyData(self) -> None:
        """
        No ticket allows early data.
        """
        request = b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"
        said = await self.shakes(await self.begin(), "-tls1_3", "-ign_eof", stdin=request)
        self.assertIn("Max Early Data: 0", said)

    async def test_challengeWithoutOrder(self) -> None:
        """
        C{acme-tls/1} is a protocol only while an order is open for the name.
        """
        said = await self.shakes(await self.begin(), "-alpn", "acme-tls/1")
        self.assertIn("no application protocol", said)

    async def test_certificates(self) -> None:
        """
        A certificate is asked for, by the name of who may sign it; without one
        it is refused by the alert of its version.
        """
        ca = self.fresh(authority().credential.chain)
        alice = certified(authority(), "alice")
        pem = Path(self.mktemp())
        pem.write_bytes(alice.chain + alice.key)
        request = b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"
        port = await self.begin(policy=TLSPolicy(clients=ClientCertificates("require", str(ca))))
        for version, alert in (("-tls1_2", "handshake failure"), ("-tls1_3", "certificate required")):
            said = await self.shakes(port, version, "-ign_eof", "-cert", str(pem), stdin=request)
            self.assertIn("Acceptable client certificate CA names", said)
            self.assertIn("200 OK", said)
            said = await self.shakes(port, version, "-ign_eof", stdin=request)
            self.assertIn(alert, said)
            self.assertNotIn("200 OK", said)
