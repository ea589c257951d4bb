"""
Tests for L{smartproxy_tw.testing.archive}: what is revoked, and what to renew.
"""

from __future__ import annotations

import ssl
from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from typing import Any

from cryptography import x509

from smartproxy_tw.acme.x509 import describe, newKey
from smartproxy_tw.testing.archive import identifierOf
from smartproxy_tw.testing.signed import Refused, SignedRequest, decoded

from .story import RegistryStory


def revoking(chain: bytes, **members: Any) -> dict[str, Any]:
    """
    A wish to revoke the first certificate of a chain.
    """
    first = chain.decode("ascii").partition("-----END CERTIFICATE-----")
    der = ssl.PEM_cert_to_DER_cert(first[0] + first[1])
    return {"certificate": urlsafe_b64encode(der).rstrip(b"=").decode("ascii"), **members}


def identifier(chain: bytes) -> str:
    """
    What RFC 9773 calls a certificate.
    """
    return identifierOf(x509.load_pem_x509_certificates(chain)[0])


class RevocationTests(RegistryStory):
    @property
    def reasons(self) -> list[int]:
        return list(self.registry.archive.revoked.values())

    def test_byAccount(self) -> None:
        """
        Whom it was made for may revoke it, once.
        """
        chain = self.issue("a.example")
        self.assertEqual(self.ask("/revoke", revoking(chain, reason=4)).status, 200)
        self.assertEqual(self.reasons, [4])
        self.refused("alreadyRevoked", "/revoke", revoking(chain))

    def test_byKey(self) -> None:
        """
        So may who has its key, without an account; another key does not do.
        """
        pem = newKey()
        chain = self.issue("a.example", key=pem)
        for each, isGood in ((newKey(), False), (self.pem, False), (pem, True)):
            request = SignedRequest(revoking(chain, reason=1), self.key(each), None)
            if isGood:
                self.registry.answer("/revoke", request)
            else:
                why = self.assertRaises(Refused, self.registry.answer, "/revoke", request)
                self.assertEqual((why.status, why.word), (403, "unauthorized"))
        self.assertEqual(self.reasons, [1])

    def test_byProof(self) -> None:
        """
        So may another account, if it has proved all the names.
        """
        chain = self.issue("a.example", "b.example")
        first, self.account = self.account, self.register(newKey())
        self.refused("unauthorized", "/revoke", revoking(chain))
        self.prove(self.order("a.example"))
        self.refused("unauthorized", "/revoke", revoking(chain))
        self.prove(self.order("b.example"))
        self.clock.advance(2 * 86400)
        self.refused("unauthorized", "/revoke", revoking(chain))
        self.prove(self.order("a.example", "b.example"))
        self.ask("/revoke", revoking(chain))
        self.assertEqual(self.reasons, [0])
        self.refused("alreadyRevoked", "/revoke", revoking(chain), first)

    def test_refused(self) -> None:
        """
        What was not issued here cannot be revoked, nor for a reason that a
        subscriber cannot know.
        """
        chain = self.issue("a.example")
        for reason in (2, 6, 7, 8, 11, -1, "1", True, None, []):
            self.refused("badRevocationReason", "/revoke", revoking(chain, reason=reason))
        for payload in ({"certificate": "AAAA"}, {"certificate": 7}, {}, None):
            self.refused("malformed", "/revoke", payload)
        self.assertEqual(self.reasons, [])


class RenewalTests(RegistryStory):
    def window(self, chain: bytes) -> tuple[float, float]:
        shown = self.registry.archive.renewal(identifier(chain))["suggestedWindow"]
        start, end = (
            datetime.strptime(shown[each], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
            for each in ("start", "end")
        )
        return start, end

    def test_identifier(self) -> None:
        """
        The identifier is the issuer's key identifier and the serial number as
        DER has it.
        """
        chain = self.issue("a.example")
        certificate = x509.load_pem_x509_certificates(chain)[0]
        number = certificate.serial_number
        before, _, after = identifier(chain).partition(".")
        self.assertNotIn("=", before + after)
        self.assertEqual(int.from_bytes(decoded(after), "big", signed=True), number)
        above = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
        self.assertEqual(decoded(before), above.key_identifier)

    def test_window(self) -> None:
        """
        It is a part of the lifetime, and set anew for all at once.
        """
        chain = self.issue("a.example")
        facts = describe(chain)
        start, end = self.window(chain)
        self.assertAlmostEqual(start, facts.notBefore + facts.lifetime * 2 / 3, delta=1)
        self.assertAlmostEqual(end, facts.notBefore + facts.lifetime * 3 / 4, delta=1)
        self.registry.archive.window = (-0.2, -0.1)
        start, end = self.window(chain)
        self.assertTrue(start < end < self.clock.seconds())
        self.assertRaises(Refused, self.registry.archive.renewal, "AAAA.AAAA")

    def test_revoked(self) -> None:
        """
        What is revoked is to be renewed at once.
        """
        chain = self.issue("a.example")
        self.assertGreater(self.window(chain)[0], self.clock.seconds())
        self.ask("/revoke", revoking(chain))
        self.assertLess(self.window(chain)[1], self.clock.seconds())

    def ordering(self, replaces: object, *names: str) -> dict[str, Any]:
        return {"identifiers": [{"type": "dns", "value": each} for each in names], "replaces": replaces}

    def test_replaces(self) -> None:
        """
        A certificate is replaced once, unless that came to nothing.
        """
        old = identifier(self.issue("a.example"))
        first: Any = self.ask("/order", self.ordering(old, "a.example", "b.example"))
        self.assertEqual(first.body["replaces"], old)
        why = self.refused("alreadyReplaced", "/order", self.ordering(old, "a.example"))
        self.assertEqual(why.status, 409)
        self.ask(first.body["authorizations"][0], {"status": "deactivated"})
        self.assertNotEqual(self.issue("a.example", replaces=old), b"")
        self.refused("alreadyReplaced", "/order", self.ordering(old, "a.example"))

    def test_notReplaceable(self) -> None:
        """
        What is unknown, or another's, or for other names, is not replaced, and
        no order placed.
        """
        old = identifier(self.issue("a.example"))
        before = self.registry.orderCount
        for unknown in ("AAAA.AAAA", 7, {}):
            self.refused("malformed", "/order", self.ordering(unknown, "a.example"))
        self.refused("malformed", "/order", self.ordering(old, "b.example"))
        self.refused("unauthorized", "/order", self.ordering(old, "a.example"), self.register(newKey()))
        self.assertEqual(self.registry.orderCount, before)
