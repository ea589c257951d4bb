"""
Tests for L{smartproxy_tw.acme.jose}.
"""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateNumbers,
    EllipticCurvePublicNumbers,
)
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPrivateNumbers,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc.jwk import import_key
from joserfc.jws import JWSRegistry, deserialize_json
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme import jose
from smartproxy_tw.acme.jose import AccountKey, RequestKey, keyAuthorization

# The key of RFC 7515 appendix A.3.1.
X = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
Y = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
D = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"


def plain(text: str) -> bytes:
    """
    Decode base64url without padding.
    """
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def number(text: str) -> int:
    """
    Read a coordinate.
    """
    return int.from_bytes(plain(text), "big")


PUBLIC = EllipticCurvePublicNumbers(number(X), number(Y), SECP256R1())
PRIVATE = EllipticCurvePrivateNumbers(number(D), PUBLIC).private_key()
PEM = PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@cache
def _rsa() -> RSAPrivateKey:
    """
    A key of RSA, which takes its time to be made.
    """
    return generate_private_key(65537, 2048)


def _pem(private: RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    """
    A key, as it is kept.
    """
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


class AccountKeyTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.key = AccountKey(PEM)

    def read(self, body: bytes) -> tuple[dict[str, Any], bytes]:
        """
        Verify a request without the library that made it.
        """
        message = json.loads(body)
        self.assertEqual(set(message), {"protected", "payload", "signature"})
        signature = plain(message["signature"])
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        signed = f"{message['protected']}.{message['payload']}".encode("ascii")
        PUBLIC.public_key().verify(encode_dss_signature(r, s), signed, ECDSA(SHA256()))
        return json.loads(plain(message["protected"])), plain(message["payload"])

    def test_publicHalf(self) -> None:
        """
        Only the public half is shown, and it is that of RFC 7515.
        """
        self.assertEqual(self.key.jwk, {"kty": "EC", "crv": "P-256", "x": X, "y": Y})

    def test_thumbprint(self) -> None:
        """
        The thumbprint is the digest of the required members in order, without
        a blank (RFC 7638 section 3).
        """
        canonical = f'{{"crv":"P-256","kty":"EC","x":"{X}","y":"{Y}"}}'.encode("ascii")
        digest = urlsafe_b64encode(hashlib.sha256(canonical).digest()).rstrip(b"=").decode("ascii")
        self.assertEqual(self.key.thumbprint, digest)

    def test_registering(self) -> None:
        """
        Without an account the request carries the key.
        """
        header, payload = self.read(self.key.sign("https://ca.example/new", "n-1", {"a": [1]}))
        self.assertEqual(
            header,
            {"alg": "ES256", "nonce": "n-1", "url": "https://ca.example/new", "jwk": self.key.jwk},
        )
        self.assertEqual(json.loads(payload), {"a": [1]})

    def test_asAccount(self) -> None:
        """
        With an account the request carries its URL and no key.
        """
        header, payload = self.read(
            self.key.sign("https://ca.example/x", "n-2", {}, "https://ca.example/account/1")
        )
        self.assertEqual(header["kid"], "https://ca.example/account/1")
        self.assertNotIn("jwk", header)
        self.assertEqual(payload, b"{}")

    def test_onlyReading(self) -> None:
        """
        POST-as-GET has a payload of no bytes at all, unlike an empty object
        (RFC 8555 section 6.3).
        """
        _, payload = self.read(self.key.sign("https://ca.example/x", "n-3", None, "https://ca.example/1"))
        self.assertEqual(payload, b"")

    def test_otherKeys(self) -> None:
        """
        What is no private key that authorities take is refused, with the reason.
        """
        short = generate_private_key(65537, 1024)
        other = ec.generate_private_key(ec.SECP521R1())
        good = _rsa().private_numbers()
        wrong = RSAPrivateNumbers(
            good.p, good.q, good.d + 2, good.dmp1, good.dmq1, good.iqmp, good.public_numbers
        )
        for pem in (
            b"",
            b"nonsense",
            _pem(short),
            _pem(other),
            _pem(wrong.private_key(unsafe_skip_rsa_key_validation=True)),
        ):
            why = self.assertRaises(ValueError, AccountKey, pem)
            self.assertIn("account's key", str(why))

    def test_importedKeys(self) -> None:
        """
        An account that another program made may have a key of RSA.
        """
        key = AccountKey(_pem(_rsa()))
        self.assertEqual((key.algorithm, key.jwk["kty"]), ("RS256", "RSA"))

    def test_readOnce(self) -> None:
        """
        Which kind it is of is not found out by reading it as the wrong one: each time takes
        as long as a hundred signatures.
        """

        def read(pem: bytes) -> None:
            raise AssertionError("it was read as a key of another kind")

        self.patch(jose.ECKey, "import_key", read)
        self.assertEqual(RequestKey(_pem(_rsa())).algorithm, "RS256")

    def test_certificateKeys(self) -> None:
        """
        Keys of certificates sign what is asked in their name, those of RSA and on
        P-384 too; each has just its public half in the request.
        """
        for private, algorithm, members in (
            (PRIVATE, "ES256", {"crv", "kty", "x", "y"}),
            (ec.generate_private_key(ec.SECP384R1()), "ES384", {"crv", "kty", "x", "y"}),
            (_rsa(), "RS256", {"e", "kty", "n"}),
        ):
            key = RequestKey(_pem(private))
            message = json.loads(key.sign("https://ca.example/revoke", "nonce", {}))
            header = json.loads(plain(message["protected"]))
            self.assertEqual((header["alg"], set(header["jwk"])), (algorithm, members))
            registry = JWSRegistry(algorithms=[algorithm], strict_check_header=False)
            registry.max_header_length = 4096
            found = deserialize_json(message, import_key(key.jwk), registry=registry)
            self.assertEqual(found.payload, b"{}")

    def test_keyAuthorization(self) -> None:
        """
        Token, dot, thumbprint (RFC 8555 section 8.1).
        """
        self.assertEqual(keyAuthorization("token", self.key.thumbprint), f"token.{self.key.thumbprint}")
