"""
Tests for L{smartproxy_tw.testing.signed}.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as some
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, RSAKey
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.jose import AccountKey
from smartproxy_tw.acme.x509 import newKey
from smartproxy_tw.testing.signed import AccountPublicKey, Nonces, Refused, SignedRequest, decoded, readSigned

from ..examples import anyText, examples

URL = "https://127.0.0.1:14000/order"
ACCOUNT = "https://127.0.0.1:14000/account/1"
TYPE = "application/jose+json"
MEMBERS = ["payload", "protected", "signature"]


def plain(data: Any) -> str:
    """
    JSON as base64url.
    """
    return urlsafe_b64encode(json.dumps(data).encode("utf-8")).rstrip(b"=").decode("ascii")


class SignedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.nonces = Nonces(Random(1))
        self.pem = newKey()
        self.key = AccountKey(self.pem)
        self.accounts: dict[str, AccountPublicKey] = {ACCOUNT: ECKey.import_key(self.key.jwk)}

    def read(self, body: bytes, contentType: str = TYPE) -> SignedRequest:
        return readSigned(body, contentType, URL, self.nonces, self.accounts.get)

    def refused(self, body: bytes, word: str, contentType: str = TYPE) -> str:
        why = self.assertRaises(Refused, self.read, body, contentType)
        self.assertEqual(why.word, word, why.detail)
        return str(why.detail)

    def good(self, **members: Any) -> dict[str, Any]:
        """
        A request as its members, some of them changed.
        """
        message = json.loads(self.key.sign(URL, self.nonces.give(), {"a": 1}, ACCOUNT))
        return {**message, **members}

    def signed(self, header: dict[str, Any], key: Any = None) -> bytes:
        """
        A request with any header, signed well.
        """
        header = {"alg": "ES256", "nonce": self.nonces.give(), "url": URL, **header}
        header = {name: value for name, value in header.items() if value is not None}
        registry = jws.JWSRegistry(algorithms=["ES256", "RS256", "HS256"], strict_check_header=False)
        made = jws.serialize_json(
            {"protected": header}, "{}", key or ECKey.import_key(self.pem), registry=registry
        )
        return json.dumps(made).encode("ascii")

    def test_byAccount(self) -> None:
        """
        A good request of an account is read, and who sent it known.
        """
        request = self.read(self.key.sign(URL, self.nonces.give(), {"a": 1}, ACCOUNT))
        self.assertEqual((request.payload, request.account), ({"a": 1}, ACCOUNT))

    def test_byKey(self) -> None:
        """
        So is one that comes with its key.
        """
        request = self.read(self.key.sign(URL, self.nonces.give(), {}))
        self.assertEqual((request.payload, request.account), ({}, None))
        self.assertEqual(request.key.thumbprint(), self.key.thumbprint)

    def test_onlyReading(self) -> None:
        """
        An empty payload is told from an empty object.
        """
        self.assertIsNone(self.read(self.key.sign(URL, self.nonces.give(), None, ACCOUNT)).payload)

    def test_byRSA(self) -> None:
        """
        RSA keys are taken, large ones too.
        """
        key = RSAKey.generate_key(3072)
        request = self.read(self.signed({"alg": "RS256", "jwk": key.as_dict(private=False)}, key))
        self.assertEqual(request.key.thumbprint(), key.thumbprint())

    def test_nonceOnce(self) -> None:
        """
        A nonce is good once, and only if it was given.
        """
        body = self.key.sign(URL, self.nonces.give(), {}, ACCOUNT)
        self.read(body)
        self.refused(body, "badNonce")
        self.refused(self.key.sign(URL, "invented", {}, ACCOUNT), "badNonce")
        self.refused(self.signed({"kid": ACCOUNT, "nonce": None}), "badNonce")
        self.refused(self.signed({"kid": ACCOUNT, "nonce": 7}), "badNonce")

    def test_nonceOfAForger(self) -> None:
        """
        A forged request does not spend the nonce that it carries.
        """
        nonce = self.nonces.give()
        forged = AccountKey(newKey()).sign(URL, nonce, {}, ACCOUNT)
        self.refused(forged, "unauthorized")
        self.read(self.key.sign(URL, nonce, {}, ACCOUNT))

    def test_rejectedNonces(self) -> None:
        """
        As many good nonces are refused as was wished.
        """
        nonces = Nonces(Random(2), 0.5)
        taken = 0
        for _ in range(400):
            try:
                nonces.take(nonces.give())
            except Refused:
                continue
            taken += 1
        self.assertTrue(150 < taken < 250, taken)

    def test_anotherURL(self) -> None:
        """
        What was signed for one URL is not taken at another.
        """
        body = self.key.sign(URL + "/2", self.nonces.give(), {}, ACCOUNT)
        self.assertIn(URL + "/2", self.refused(body, "unauthorized"))
        self.refused(self.signed({"kid": ACCOUNT, "url": None}), "unauthorized")

    def test_tampered(self) -> None:
        """
        A payload or a header that was changed is found out.
        """
        self.refused(json.dumps(self.good(payload=plain({"a": 2}))).encode(), "unauthorized")
        header = {"alg": "ES256", "nonce": "x", "url": URL, "kid": ACCOUNT}
        self.refused(json.dumps(self.good(protected=plain(header))).encode(), "unauthorized")
        self.refused(json.dumps(self.good(signature="AAAA")).encode(), "unauthorized")
        self.refused(json.dumps(self.good(signature="")).encode(), "unauthorized")

    def test_algorithms(self) -> None:
        """
        Neither no signature nor one by a shared secret is taken, and the
        refusal lists what is (RFC 8555 section 6.2).
        """
        secret = OctKey.import_key("a" * 40)
        self.refused(self.signed({"alg": "HS256", "kid": ACCOUNT}, secret), "badSignatureAlgorithm")
        header = {"alg": "none", "nonce": self.nonces.give(), "url": URL, "kid": ACCOUNT}
        body = json.dumps(self.good(protected=plain(header), signature="")).encode()
        why = self.assertRaises(Refused, self.read, body)
        self.assertEqual(why.members, {"algorithms": ["ES256", "RS256"]})

    def test_keyAndAccount(self) -> None:
        """
        Exactly one of them is to be there.
        """
        self.refused(self.signed({"kid": ACCOUNT, "jwk": self.key.jwk}), "malformed")
        self.refused(self.signed({}), "malformed")

    def test_unknownAccount(self) -> None:
        """
        An account that is not known is said to be.
        """
        self.refused(self.signed({"kid": ACCOUNT + "1"}), "accountDoesNotExist")

    def test_badKeys(self) -> None:
        """
        What is no public key is refused; a private one above all.
        """
        private = ECKey.import_key(self.pem).as_dict(private=True)
        for jwk in (private, {}, 7, {"kty": "oct", "k": "AAAA"}, {"kty": "EC", "crv": "P-256", "x": "A"}):
            header = {"alg": "ES256", "nonce": self.nonces.give(), "url": URL, "jwk": jwk}
            self.refused(json.dumps(self.good(protected=plain(header))).encode(), "badPublicKey")

    def test_form(self) -> None:
        """
        Only a flattened JWS without an open header is taken (RFC 8555 section
        6.2), and only by its own content type.
        """
        self.refused(json.dumps(self.good(header={})).encode(), "malformed")
        self.refused(json.dumps(self.good(signatures=[])).encode(), "malformed")
        self.refused(json.dumps(self.good(payload=None)).encode(), "malformed")
        self.refused(json.dumps(self.good(payload="e30=")).encode(), "unauthorized")
        self.refused(json.dumps(self.good()).encode(), "malformed", "application/json")
        for noise in (b"", b"[]", b"7", b"{", b"\xff", b"[" * 100_000):
            self.refused(noise, "malformed")

    @examples(60)
    @given(some.dictionaries(some.sampled_from(["payload", "protected", "signature"]), anyText(12)))
    def test_noise(self, members: dict[str, str]) -> None:
        """
        Nothing but the declared refusal comes of noise.
        """
        self.assertRaises(Refused, self.read, json.dumps(members).encode("utf-8"))

    def test_decoded(self) -> None:
        """
        base64url is taken without padding only, and in its own alphabet.
        """
        self.assertEqual(decoded("_-8"), b"\xff\xef")
        for text in ("_-8=", "/+8", "a b", "a\n", "\u0661", "a"):
            self.assertRaises(Refused, decoded, text)
