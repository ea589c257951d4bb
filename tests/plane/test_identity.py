"""
Whose certificate it is.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.facts import Credential
from smartproxy_tw.plane.contexts import serverContext
from smartproxy_tw.plane.identity import commonNameOf, shownBy, verifyPeer

from .harness import clientSSL, credentialFor, shake


class CommonNameTests(SynchronousTestCase):
    """
    L{commonNameOf}.
    """

    def test_shown(self) -> None:
        """
        The name of the certificate that was shown; without one there is none.
        """
        client = clientSSL("a.test")
        server = SSL.Connection(serverContext(credentialFor("a.test"), False), None)
        server.set_accept_state()
        self.assertTrue(shake(client, server))
        shown = client.get_peer_certificate()
        assert shown is not None
        self.assertEqual(commonNameOf(client), shown.get_subject().CN or "")
        self.assertIsNone(commonNameOf(server))


def withNames(*names: x509.GeneralName) -> Credential:
    """
    A certificate with these names beside its subject.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "alice")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(subject, subject, key.public_key(), 0xABC, now, now + timedelta(1))
    made = made.add_extension(x509.SubjectAlternativeName(names), False)
    return Credential(
        made.sign(key, SHA256()).public_bytes(Encoding.PEM),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )


class ShownTests(SynchronousTestCase):
    """
    L{shownBy}.
    """

    def names(self, *names: x509.GeneralName) -> str:
        """
        What is told of a certificate with these names.
        """
        client = clientSSL("a.test")
        server = SSL.Connection(serverContext(withNames(*names), False), None)
        server.set_accept_state()
        self.assertTrue(shake(client, server))
        self.assertIsNone(shownBy(server))
        shown = shownBy(client)
        assert shown is not None
        self.assertEqual((shown.subject, shown.serial), ("CN=alice", "abc"))
        return shown.names

    def test_kinds(self) -> None:
        """
        Names of each kind, as text.
        """
        place = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Ex"),
                x509.NameAttribute(NameOID.COMMON_NAME, "b"),
            ]
        )
        for name, text in (
            (x509.DNSName("a.example"), "DNS:a.example"),
            (x509.RFC822Name("alice@a.example"), "RFC822:alice@a.example"),
            (x509.IPAddress(ip_address("::1")), "IPAddress:::1"),
            (x509.UniformResourceIdentifier("spiffe://a/b"), "UniformResourceIdentifier:spiffe://a/b"),
            (x509.DirectoryName(place), "Directory:CN=b,O=Ex"),
            (x509.RegisteredID(x509.ObjectIdentifier("1.2.3.4")), "RegisteredID:1.2.3.4"),
            (x509.OtherName(x509.ObjectIdentifier("1.2.3"), b"\x0c\x01a"), "Other:1.2.3=#0c0161"),
        ):
            self.assertEqual(self.names(name), text)
            self.assertEqual(self.names(x509.DNSName("x"), name), f"DNS:x,{text}")

    def test_escaped(self) -> None:
        """
        A comma within a directory name is written so that whoever cuts the names at commas takes nothing in
        it for a name of its own.
        """
        for value, text in (
            ("a,DNS:b", "a\\2CDNS:b"),
            ("a\\,b", "a\\\\\\2Cb"),
            ("a\\", "a\\\\"),
            ('"+', '\\"\\+'),
        ):
            name = x509.Name(
                [
                    x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Ex"),
                    x509.NameAttribute(NameOID.COMMON_NAME, value),
                ]
            )
            found = self.names(x509.DirectoryName(name))
            self.assertEqual(found, f"Directory:CN={text},O=Ex")
            self.assertEqual(x509.Name.from_rfc4514_string(found.removeprefix("Directory:")), name)


class VerifyTests(SynchronousTestCase):
    """
    L{verifyPeer}.
    """

    def test_names(self) -> None:
        """
        A certificate is for the names and addresses in it and for no others.
        """
        context = serverContext(credentialFor("a.test", "*.b.test", "127.0.0.1", "::1"), False)
        client = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)
        server = SSL.Connection(context, None)
        client.set_connect_state()
        server.set_accept_state()
        self.assertTrue(shake(client, server))
        for host in ("a.test", "x.b.test", "127.0.0.1", "::1"):
            verifyPeer(client, host)
        for host in ("b.test", "x.y.b.test", "c.test", "127.0.0.2", "::2"):
            self.assertRaises(ValueError, verifyPeer, client, host)
