"""
Contexts: what they show, trust and agree to.
"""

from __future__ import annotations

from typing import get_args, get_type_hints

from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.x509 import acmeTLS, selfSigned
from smartproxy_tw.config.model import TLSPolicy, UpstreamTLS
from smartproxy_tw.config.tlssection import Terminate
from smartproxy_tw.plane.contexts import challengeContext, clientContext, serverContext

from .harness import shake


class ContextTests(SynchronousTestCase):
    """
    What a context is made of.
    """

    def test_badCredentials(self) -> None:
        """
        See tests.control.test_local; here that the message says what is wrong.
        """
        good, other = selfSigned(("a.test",)), selfSigned(("b.test",))
        for chain, key, words in (
            (b"", good.key, "no certificate"),
            (good.chain[:100], good.key, "chain cannot be read"),
            (good.chain, other.key, "private key"),
            (good.chain, b"junk", "private key"),
        ):
            error = self.assertRaises(ValueError, serverContext, type(good)(chain, key), True)
            self.assertIn(words, str(error))

    def test_missingTrust(self) -> None:
        """
        A file that is not there is named.
        """
        error = self.assertRaises(ValueError, clientContext, UpstreamTLS(caFile="/nowhere.pem"))
        self.assertIn("/nowhere.pem", str(error))

    def test_floor(self) -> None:
        """
        Nothing below TLS 1.2 and nothing but AEAD with an ephemeral key; no
        renegotiation, no compression.
        """
        context = serverContext(selfSigned(("a.test",)), True)
        ciphers = SSL.Connection(context, None).get_cipher_list()
        old = [name for name in ciphers if not name.startswith(("TLS_", "ECDHE-", "DHE-"))]
        self.assertEqual(old, [])
        self.assertEqual([name for name in ciphers if "CBC" in name or name.endswith("-SHA")], [])

    def test_forbiddenCiphers(self) -> None:
        """
        RFC 9113 section 9.2.2: a policy by which TLS 1.2 may agree on a cipher that is forbidden for HTTP/2
        agrees on HTTP/2 with TLS 1.3 only; nothing that a file can name is one of these.
        """
        named = get_args(get_type_hints(Terminate)["ciphers"])
        fit = [each for each in str(named).split("'") if each.startswith("ECDHE-")]
        self.assertEqual(len(fit), 6)
        for ciphers, older in (
            ((), b"h2"),
            (tuple(fit), b"h2"),
            (("ECDHE-ECDSA-AES128-CCM",), b"h2"),
            (("ECDHE-ECDSA-AES128-GCM-SHA256", "AES128-GCM-SHA256"), b"http/1.1"),
            (("ECDHE-ECDSA-AES128-SHA256",), b"http/1.1"),
            (("HIGH",), b"http/1.1"),
        ):
            context = serverContext(selfSigned(("a.test",)), True, TLSPolicy(ciphers=ciphers))
            for highest, agreed in ((SSL.TLS1_2_VERSION, older), (SSL.TLS1_3_VERSION, b"h2")):
                mine = SSL.Context(SSL.TLS_CLIENT_METHOD)
                mine.set_max_proto_version(highest)
                mine.set_cipher_list(b"ALL")
                mine.set_alpn_protos([b"h2", b"http/1.1"])
                client, server = SSL.Connection(mine, None), SSL.Connection(context, None)
                client.set_connect_state()
                server.set_accept_state()
                self.assertTrue(shake(client, server), ciphers)
                self.assertEqual(client.get_alpn_proto_negotiated(), agreed, (ciphers, highest))

    def test_challenge(self) -> None:
        """
        A challenge's context agrees on nothing but C{acme-tls/1}.
        """
        context = challengeContext(acmeTLS("a.test", "x").credential)
        for offer, agreed in ((b"acme-tls/1", b"acme-tls/1"), (b"http/1.1", b"")):
            mine = SSL.Context(SSL.TLS_CLIENT_METHOD)
            mine.set_alpn_protos([offer])
            client, server = SSL.Connection(mine, None), SSL.Connection(context, None)
            client.set_connect_state()
            server.set_accept_state()
            self.assertTrue(shake(client, server))
            self.assertEqual(client.get_alpn_proto_negotiated(), agreed)
