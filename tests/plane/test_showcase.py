"""
The certificates that are served.
"""

from __future__ import annotations

from time import process_time

from OpenSSL import SSL, crypto
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.x509 import Signer, certificateRequest, newKey, selfSigned
from smartproxy_tw.config.model import ClientCertificates, TLSPolicy
from smartproxy_tw.facts import Credential
from smartproxy_tw.plane.showcase import Showcase

from .harness import authority, shake

DEFAULT = TLSPolicy()


class ShowcaseTests(SynchronousTestCase):
    """
    L{Showcase}.
    """

    def setUp(self) -> None:
        """Room for three contexts."""
        self.showcase = Showcase(3)

    def test_kinds(self) -> None:
        """
        A certificate has one context for HTTP and one for everything else, and
        one for each policy; all are new when it is.
        """
        strict = TLSPolicy(lowest="1.3")
        kinds = [(True, DEFAULT), (False, DEFAULT), (True, strict)]
        self.assertIsNone(self.showcase.context("key", True, DEFAULT))
        self.showcase.install("key", selfSigned(("a.test",)))
        before = [self.showcase.context("key", *kind) for kind in kinds]
        self.assertEqual(before, [self.showcase.context("key", *kind) for kind in kinds])
        self.assertEqual(len(set(before)), 3)
        self.showcase.install("key", selfSigned(("a.test",)))
        after = [self.showcase.context("key", *kind) for kind in kinds]
        self.assertEqual(set(before) & set(after), set())

    def test_recent(self) -> None:
        """
        It is known who was asked for last, each once, whatever the kind.
        """
        self.assertEqual(self.showcase.recent(), ())
        for key in ("a", "b"):
            self.showcase.install(key, selfSigned(("a.test",)))
        for key, isHTTP in (("a", True), ("b", True), ("a", False)):
            self.showcase.context(key, isHTTP, DEFAULT)
        self.assertEqual(self.showcase.recent(), ("a", "b"))
        self.showcase.context("b", True, DEFAULT)
        self.assertEqual(self.showcase.recent(), ("b", "a"))

    def test_broken(self) -> None:
        """
        What cannot be used replaces nothing; where there is nothing to replace
        that is found by who asks first.
        """
        self.showcase.install("key", selfSigned(("a.test",)))
        before = self.showcase.context("key", True, DEFAULT)
        self.assertRaises(ValueError, self.showcase.install, "key", Credential(b"", b""))
        self.assertIs(self.showcase.context("key", True, DEFAULT), before)
        self.showcase.install("other", Credential(b"", b""))
        self.assertRaises(ValueError, self.showcase.context, "other", True, DEFAULT)

    def test_bounded(self) -> None:
        """
        Of the contexts those used last are kept.
        """
        for name in "abcd":
            self.showcase.install(name, selfSigned((f"{name}.test",)))
        first = [self.showcase.context(name, True, DEFAULT) for name in "abc"]
        self.assertIs(self.showcase.context("a", True, DEFAULT), first[0])
        self.showcase.context("d", True, DEFAULT)
        self.assertIs(self.showcase.context("a", True, DEFAULT), first[0])
        self.assertIs(self.showcase.context("c", True, DEFAULT), first[2])
        self.assertIsNot(self.showcase.context("b", True, DEFAULT), first[1])

    def test_readAgain(self) -> None:
        """
        Who may sign for clients is read again, and nothing else is.
        """
        path = self.mktemp()
        with open(path, "wb") as file:
            file.write(authority().credential.chain)
        asking = TLSPolicy(clients=ClientCertificates("require", path))
        self.showcase.install("key", selfSigned(("a.test",)))
        before = [self.showcase.context("key", True, policy) for policy in (DEFAULT, asking)]
        self.showcase.readAgain()
        after = [self.showcase.context("key", True, policy) for policy in (DEFAULT, asking)]
        self.assertIs(after[0], before[0])
        self.assertIsNot(after[1], before[1])
        with open(path, "wb") as file:
            file.write(b"nothing")
        self.showcase.readAgain()
        error = self.assertRaises(ValueError, self.showcase.context, "key", True, asking)
        self.assertIn(path, str(error))

    def test_many(self) -> None:
        """
        Ten thousand certificates are installed in no time, and none is read
        before its name is asked for.
        """
        chain = selfSigned(("a.test",))
        begun = process_time()
        for number in range(10_000):
            self.showcase.install(f"files:/{number}", chain)
        self.assertLess(process_time() - begun, 0.5)
        self.patch(crypto, "load_certificate", None)
        self.showcase.install("one more", chain)

    def test_shown(self) -> None:
        """
        The context shows what was installed.
        """
        credential = selfSigned(("a.test",))
        self.showcase.install("key", credential)
        context = self.showcase.context("key", True, DEFAULT)
        assert context is not None
        shown = SSL.Connection(context, None).get_certificate()
        assert shown is not None
        self.assertEqual(crypto.dump_certificate(crypto.FILETYPE_PEM, shown), credential.chain)


class TwinTests(SynchronousTestCase):
    """
    Two certificates for the same names, each with issuers of its own.
    """

    names = ("a.test",)

    def setUp(self) -> None:
        self.showcase = Showcase()
        self.first = Signer.create("EC root").delegate("EC issuer").issue(self.names, lifetime=86400.0)
        key = newKey("rsa")
        signer = Signer.create("Another root").delegate("Issuer of RSA")
        chain = signer.sign(certificateRequest(self.names, key), self.names, lifetime=86400.0)
        self.twin = Credential(chain, key)

    def shown(self, client: SSL.Context) -> tuple[str, list[str]] | None:
        """
        The kind of the key that a client is shown, and who vouches for it.
        """
        context = self.showcase.context("auto:a.test", True, DEFAULT)
        assert context is not None
        mine, server = SSL.Connection(client, None), SSL.Connection(context, None)
        mine.set_connect_state()
        server.set_accept_state()
        if not shake(mine, server):
            return None
        leaf, *issuers = mine.get_peer_cert_chain() or []
        kind = {crypto.TYPE_RSA: "RSA", 408: "EC"}[leaf.get_pubkey().type()]
        return kind, [str(each.get_subject().CN) for each in issuers]

    def modern(self) -> SSL.Context:
        """
        A client that takes everything.
        """
        return SSL.Context(SSL.TLS_CLIENT_METHOD)

    def old(self) -> SSL.Context:
        """
        One that takes no elliptic signature.
        """
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_max_proto_version(SSL.TLS1_2_VERSION)
        context.set_cipher_list(b"ECDHE-RSA-AES128-GCM-SHA256")
        return context

    def test_both(self) -> None:
        """
        Each client is shown the one that it takes, and just its issuers.
        """
        self.showcase.install("auto:a.test", self.first)
        self.assertEqual(self.shown(self.modern()), ("EC", ["EC issuer"]))
        self.assertIsNone(self.shown(self.old()))
        self.showcase.install("rsa:a.test", self.twin)
        self.assertEqual(self.shown(self.modern()), ("EC", ["EC issuer"]))
        self.assertEqual(self.shown(self.old()), ("RSA", ["Issuer of RSA"]))

    def test_theSame(self) -> None:
        """
        While only the second one is there, it is the first one, too.
        """
        self.showcase.install("auto:a.test", self.twin)
        self.showcase.install("rsa:a.test", self.twin)
        for client in (self.modern(), self.old()):
            self.assertEqual(self.shown(client), ("RSA", ["Issuer of RSA"]))

    def test_unusable(self) -> None:
        """
        A second one that cannot be used does the first one no harm.
        """
        self.showcase.install("auto:a.test", self.first)
        self.showcase.install("rsa:a.test", Credential(self.twin.chain, self.first.key))
        self.assertEqual(self.shown(self.modern()), ("EC", ["EC issuer"]))
        self.assertIsNone(self.shown(self.old()))
