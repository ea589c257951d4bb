"""
Tests for L{smartproxy_tw.config.security}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.security import (
    BasicAuth,
    CertificateHeaders,
    ForwardAuth,
    JWTAuth,
    RateLimit,
    Security,
)


class SecurityTests(SynchronousTestCase):
    """
    Who may use a route, and how much.
    """

    def test_needsHTTP(self) -> None:
        """
        What only requests can have is named as in the configuration; what any connection can have is not.
        """
        self.assertEqual(
            Security(allowed=("::1",), blocked=("::2",), connections=1, perClient=1, rate=1).needsHTTP, ()
        )
        every = Security(
            limit=RateLimit(1, 1.0, 1),
            basic=BasicAuth(()),
            jwt=JWTAuth(("HS256",)),
            forward=ForwardAuth("http://a.b"),
            certificate=CertificateHeaders(),
        )
        self.assertEqual(
            every.needsHTTP,
            ("rate_limit", "basic_auth", "jwt_auth", "forward_auth", "client_certificate_headers"),
        )

    def test_certificateHeaders(self) -> None:
        """
        The fields are those that have a name, whose own are taken from the client.
        """
        self.assertEqual(CertificateHeaders().all, ())
        self.assertEqual(CertificateHeaders("X-S", serial="X-N", verified="X-V").all, ("X-S", "X-N", "X-V"))

    def test_secrets(self) -> None:
        """
        Neither passwords nor keys are in what a guard looks like.
        """
        for guard in (BasicAuth((("ann", "geheim"),)), JWTAuth(("HS256",), secret="geheim")):
            self.assertNotIn("geheim", repr(guard))
