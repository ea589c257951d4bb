"""
Whose certificate it is.
"""

from __future__ import annotations

from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.plane.contexts import serverContext
from smartproxy_tw.plane.identity import commonNameOf, verifyPeer

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
