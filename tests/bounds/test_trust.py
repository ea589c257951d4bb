"""
Tests for L{smartproxy_tw.bounds.trust}.
"""

from __future__ import annotations

from pathlib import Path

from OpenSSL import SSL
from OpenSSL.crypto import X509Store
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.x509 import selfSigned
from smartproxy_tw.bounds.trust import trustOf


class TrustTests(SynchronousTestCase):
    """
    L{trustOf}.
    """

    def file(self, content: bytes) -> str:
        """
        A file with this in it.
        """
        path = Path(self.mktemp())
        path.write_bytes(content)
        return str(path)

    def trusted(self, path: str) -> int:
        """
        How many are believed.
        """
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        store = context.get_cert_store()
        assert isinstance(store, X509Store)
        added: list[object] = []
        self.patch(X509Store, "add_cert", lambda _, certificate: added.append(certificate))
        trustOf(path)._addCACertsToContext(context)
        return len(added)

    def test_bundle(self) -> None:
        """
        Each certificate of the bundle is believed.
        """
        one, other = (selfSigned((name,)).chain for name in ("one.example", "other.example"))
        self.assertEqual(self.trusted(self.file(one)), 1)
        self.assertEqual(self.trusted(self.file(one + b"# another\n" + other)), 2)

    def test_unreadable(self) -> None:
        """
        A file that is not there is told as what it is.
        """
        self.assertRaises(FileNotFoundError, trustOf, "/nonexistent/ca.pem")
        self.assertRaises(IsADirectoryError, trustOf, "/")

    def test_nonsense(self) -> None:
        """
        One without a certificate, or with something else in its place, is not taken for one in
        which nobody is trusted.
        """
        good = selfSigned(("one.example",)).chain
        for content in (
            b"",
            b"nonsense",
            good[:-60],
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ):
            self.assertRaises(ValueError, trustOf, self.file(content))
