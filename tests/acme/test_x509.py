"""
Tests for L{smartproxy_tw.acme.x509}.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPrivateNumbers
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store
from hypothesis import given
from hypothesis.strategies import binary
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme import x509 as module
from smartproxy_tw.acme.x509 import (
    ACME_IDENTIFIER,
    Signer,
    acmeTLS,
    certificateRequest,
    checkCredential,
    describe,
    newKey,
    readRequest,
    requestedKey,
    selfSigned,
    serverNameFor,
)
from smartproxy_tw.facts import Credential

from ..examples import examples

NOW = 1_800_000_000.0
HOUR = 3600.0


def verified(root: bytes, chain: bytes, name: str) -> None:
    """
    Fail unless a browser-like verifier takes the chain for that name.
    """
    store = Store(x509.load_pem_x509_certificates(root))
    leaf, *between = x509.load_pem_x509_certificates(chain)
    policy = PolicyBuilder().store(store).time(datetime.fromtimestamp(NOW + 1, UTC).replace(tzinfo=None))
    policy.build_server_verifier(x509.DNSName(name)).verify(leaf, between)


class SignerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.root = Signer.create("A test's root", now=NOW)

    def test_leafIsTrusted(self) -> None:
        """
        Who trusts the root trusts a leaf of it, for its name.
        """
        verified(self.root.root, self.root.issue(["a.example"], lifetime=HOUR, now=NOW).chain, "a.example")

    def test_delegate(self) -> None:
        """
        A leaf by a delegate is trusted by way of the chain, which leaves the
        root out.
        """
        leaf = self.root.delegate("Between", now=NOW).issue(["a.example"], lifetime=HOUR, now=NOW)
        self.assertEqual(leaf.chain.count(b"BEGIN CERTIFICATE"), 2)
        verified(self.root.root, leaf.chain, "a.example")

    def test_delegateMayNotDelegate(self) -> None:
        """
        The path's length is limited: what a delegate of a delegate signs is
        not trusted.
        """
        further = self.root.delegate("Between", now=NOW).delegate("Too far", now=NOW)
        leaf = further.issue(["a.example"], lifetime=HOUR, now=NOW)
        self.assertRaises(
            x509.verification.VerificationError, verified, self.root.root, leaf.chain, "a.example"
        )

    def test_namesOfEveryKind(self) -> None:
        """
        Names, wildcards and addresses of both kinds stand in a certificate.
        """
        names = ("a.example", "*.b.example", "127.0.0.1", "::1")
        leaf = self.root.issue(names, lifetime=HOUR, now=NOW)
        self.assertEqual(describe(leaf.chain).names, names)

    def test_repeatedAndLongNames(self) -> None:
        """
        A repeated name stands there once; one that is too long for a common
        name is an alternative name all the same.
        """
        long = "a" * 60 + "." + "b" * 60 + ".example"
        leaf = self.root.issue([long, long], lifetime=HOUR, now=NOW)
        self.assertEqual(describe(leaf.chain).names, (long,))
        verified(self.root.root, leaf.chain, long)

    def test_noNames(self) -> None:
        """
        There is no certificate for nothing, and none for what is not ASCII.
        """
        self.assertRaises(ValueError, self.root.issue, [], lifetime=HOUR)
        self.assertRaises(ValueError, self.root.issue, ["b\xfccher.example"], lifetime=HOUR)
        self.assertRaises(ValueError, self.root.issue, ["a.example"], lifetime=0)

    def test_usage(self) -> None:
        """
        A leaf is for TLS servers and may not sign; an authority may.
        """
        [leaf] = x509.load_pem_x509_certificates(self.root.issue(["a.example"], lifetime=HOUR).chain)
        [root] = x509.load_pem_x509_certificates(self.root.root)
        extended = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        self.assertEqual(list(extended), [ExtendedKeyUsageOID.SERVER_AUTH])
        usages = [each.extensions.get_extension_for_class(x509.KeyUsage) for each in (leaf, root)]
        self.assertTrue(all(each.critical for each in usages))
        self.assertEqual([each.value.key_cert_sign for each in usages], [False, True])
        self.assertEqual([each.value.digital_signature for each in usages], [True, False])

    def test_validity(self) -> None:
        """
        It begins a little earlier, by a twentieth of its life at most, and
        ends when it was asked to.
        """
        facts = describe(self.root.issue(["a.example"], lifetime=HOUR, now=NOW).chain)
        self.assertEqual((facts.notBefore, facts.notAfter), (NOW - 180, NOW + HOUR))
        facts = describe(self.root.issue(["a.example"], lifetime=90 * 86400, now=NOW).chain)
        self.assertEqual(facts.notBefore, NOW - 300)

    def test_neverBeyondItself(self) -> None:
        """
        Nothing that an authority signs outlives it.
        """
        root = Signer.create("Short", lifetime=HOUR, now=NOW)
        self.assertEqual(
            describe(root.issue(["a.example"], lifetime=9 * HOUR, now=NOW).chain).notAfter, NOW + HOUR
        )
        self.assertEqual(describe(root.delegate("Between", now=NOW).credential.chain).notAfter, NOW + HOUR)

    def test_takenUpAgain(self) -> None:
        """
        An authority that was written down is the same authority.
        """
        again = Signer.fromPEM(self.root.credential.chain, self.root.credential.key)
        verified(self.root.root, again.issue(["a.example"], lifetime=HOUR, now=NOW).chain, "a.example")
        delegate = self.root.delegate("Between", now=NOW).credential
        again = Signer.fromPEM(delegate.chain, delegate.key)
        self.assertEqual(again.root, self.root.root)
        verified(self.root.root, again.issue(["a.example"], lifetime=HOUR, now=NOW).chain, "a.example")

    def test_notTakenUp(self) -> None:
        """
        A leaf, a foreign key, or no PEM at all make no authority.
        """
        leaf = self.root.issue(["a.example"], lifetime=HOUR)
        self.assertRaises(ValueError, Signer.fromPEM, leaf.chain, leaf.key)
        self.assertRaises(ValueError, Signer.fromPEM, self.root.root, leaf.key)
        self.assertRaises(ValueError, Signer.fromPEM, b"", leaf.key)
        self.assertRaises(ValueError, Signer.fromPEM, self.root.root, b"")

    def test_requestOfAnother(self) -> None:
        """
        A request is signed for its own key, and for the names that the caller
        grants, whatever it asks for.
        """
        key = newKey()
        chain = self.root.sign(
            certificateRequest(["evil.example"], key), ["a.example"], lifetime=HOUR, now=NOW
        )
        self.assertEqual(checkCredential(Credential(chain, key)).names, ("a.example",))


class RequestTests(SynchronousTestCase):
    def test_roundTrip(self) -> None:
        """
        What was asked for is what is read, sorted.
        """
        key = newKey()
        request = certificateRequest(["b.example", "a.example", "::1"], key)
        self.assertEqual(readRequest(request), ("::1", "a.example", "b.example"))
        self.assertIn(b"PUBLIC KEY", requestedKey(request))

    def test_forged(self) -> None:
        """
        A request that was changed is none.
        """
        request = bytearray(certificateRequest(["a.example"], newKey()))
        request[request.index(b"a.example")] = ord("b")
        self.assertRaises(ValueError, readRequest, bytes(request))

    @examples(60)
    @given(binary(max_size=200))
    def test_noise(self, noise: bytes) -> None:
        """
        Nothing but L{ValueError} comes of noise.
        """
        for reads in (readRequest, requestedKey, describe):
            self.assertRaises(ValueError, reads, noise)


class CredentialTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.root = Signer.create("A test's root")
        self.good = self.root.delegate("Between").issue(["a.example", "*.b.example"], lifetime=HOUR)

    def test_good(self) -> None:
        """
        What fits is described; a wildcard covers one label.
        """
        facts = checkCredential(self.good, ["a.example", "x.b.example", "*.b.example"])
        self.assertIn("Between", facts.issuer)
        self.assertRaises(ValueError, checkCredential, self.good, ["x.y.b.example"])
        self.assertRaises(ValueError, checkCredential, self.good, ["b.example"])

    def test_whatIsMissingIsNamed(self) -> None:
        """
        The complaint names what is there and what is missing.
        """
        why = self.assertRaises(ValueError, checkCredential, self.good, ["a.example", "c.example"])
        self.assertIn("for a.example, *.b.example, not for c.example", str(why))

    def test_anothersKey(self) -> None:
        """
        A key that belongs to another certificate is found out.
        """
        self.assertRaises(ValueError, checkCredential, Credential(self.good.chain, newKey()))

    def test_anothersChain(self) -> None:
        """
        A chain whose links do not sign one another is found out.
        """
        own = self.good.chain.index(b"-----BEGIN", 1)
        other = Signer.create("Another").credential.chain
        broken = Credential(self.good.chain[:own] + other, self.good.key)
        why = self.assertRaises(ValueError, checkCredential, broken)
        self.assertIn("CN=Another", str(why))

    def test_truncated(self) -> None:
        """
        Wherever a chain is cut but between two certificates, it is found out.
        """
        end = b"-----END CERTIFICATE-----"
        first = self.good.chain.index(end) + len(end)
        checkCredential(Credential(self.good.chain[: first + 1], self.good.key))
        for cut in range(len(self.good.chain) - 1):
            if cut not in (first, first + 1):
                cutOff = Credential(self.good.chain[:cut], self.good.key)
                self.assertRaises(ValueError, checkCredential, cutOff)

    def test_keyOfAStrangeKind(self) -> None:
        """
        A key that no TLS server of ours uses is refused as such.
        """
        pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        why = self.assertRaises(ValueError, checkCredential, Credential(self.good.chain, pem))
        self.assertIn("neither EC nor RSA", str(why))

    def test_examinedOnce(self) -> None:
        """
        Whether a key of RSA is a valid one, which takes long, is found out once: not
        for one that we made, and again after a great many others.  One that is
        invalid is refused each time.
        """
        examined: list[bytes] = []
        load = module.load_pem_private_key

        def loading(key: bytes, password: None, *, unsafe_skip_rsa_key_validation: bool) -> Any:
            if not unsafe_skip_rsa_key_validation:
                examined.append(key)
            return load(key, password, unsafe_skip_rsa_key_validation=unsafe_skip_rsa_key_validation)

        self.patch(module, "load_pem_private_key", loading)
        self.patch(module, "_valid", set())
        self.patch(module, "_MOST_VALID", 2)
        ours = newKey("rsa")
        private = load(ours, None)
        assert isinstance(private, RSAPrivateKey)
        numbers = private.private_numbers()
        # The same key in another form, and one that only seems to be it.
        others = private.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        crt = numbers.dmp1, numbers.dmq1, numbers.iqmp
        wrong = RSAPrivateNumbers(
            numbers.p, numbers.q, numbers.d + 2, *crt, numbers.public_numbers
        ).private_key(unsafe_skip_rsa_key_validation=True)
        invalid = wrong.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        chain = self.root.sign(certificateRequest(["a.example"], ours), ["a.example"], lifetime=HOUR)
        for key in (ours, others, others, ours):
            checkCredential(Credential(chain, key))
        self.assertEqual(examined, [others])
        for _ in range(2):
            self.assertRaises(ValueError, checkCredential, Credential(chain, invalid))
        self.assertEqual(examined[1:], [invalid, invalid])
        third = ours + b"\n"
        for key in (third, ours):
            checkCredential(Credential(chain, key))
        self.assertEqual(examined[3:], [third, ours])


class PlaceholderTests(SynchronousTestCase):
    def test_selfSigned(self) -> None:
        """
        A placeholder vouches for itself only.
        """
        placeholder = selfSigned(["a.example"], now=NOW)
        facts = checkCredential(placeholder, ["a.example"])
        self.assertEqual(facts.issuer, "CN=a.example")
        [certificate] = x509.load_pem_x509_certificates(placeholder.chain)
        certificate.verify_directly_issued_by(certificate)

    def test_withoutNames(self) -> None:
        """
        There is one even where no name is known.
        """
        self.assertEqual(describe(selfSigned([]).chain).names, ("localhost",))


class TLSALPNTests(SynchronousTestCase):
    def test_extension(self) -> None:
        """
        The proof is a critical extension with the digest of the key
        authorization as an OCTET STRING (RFC 8737 section 3), in a
        certificate for just that name.
        """
        answer = acmeTLS("a.example", "token.thumbprint")
        [certificate] = x509.load_pem_x509_certificates(answer.credential.chain)
        extension = certificate.extensions.get_extension_for_oid(ACME_IDENTIFIER)
        self.assertTrue(extension.critical)
        digest = hashlib.sha256(b"token.thumbprint").digest()
        self.assertEqual(extension.value.public_bytes(), bytes([4, 32]) + digest)
        self.assertEqual(checkCredential(answer.credential).names, ("a.example",))
        self.assertEqual(answer.name, "a.example")

    def test_address(self) -> None:
        """
        An address is asked for by its reverse name (RFC 8738 section 6).
        """
        answer = acmeTLS("192.0.2.1", "token.thumbprint")
        self.assertEqual(answer.name, "1.2.0.192.in-addr.arpa")
        self.assertEqual(describe(answer.credential.chain).names, ("192.0.2.1",))
        self.assertTrue(serverNameFor("2001:db8::1").endswith(".8.b.d.0.1.0.0.2.ip6.arpa"))
