"""
Tests for L{smartproxy_tw.testing.accounts}: a change of key.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey

from smartproxy_tw.acme.jose import AccountKey
from smartproxy_tw.acme.x509 import newKey
from smartproxy_tw.testing.signed import Refused

from .story import BASE, RegistryStory

URL = f"{BASE}/key"


def inner(pem: bytes, payload: Any, **header: Any) -> dict[str, Any]:
    """
    What a new key signs.
    """
    whole = {"alg": "ES256", "jwk": AccountKey(pem).jwk, "url": URL, **header}
    protected = {name: value for name, value in whole.items() if value is not None}
    registry = jws.JWSRegistry(algorithms=["ES256"], strict_check_header=False)
    key = ECKey.import_key(pem)
    return dict(jws.serialize_json({"protected": protected}, json.dumps(payload), key, registry=registry))


class KeyChangeTests(RegistryStory):
    def said(self, **changed: Any) -> dict[str, Any]:
        return {"account": self.account, "oldKey": AccountKey(self.pem).jwk, **changed}

    def test_changed(self) -> None:
        """
        The account has the new key, and the old one is nobody's.
        """
        new = newKey()
        shown: Any = self.ask("/key", inner(new, self.said())).body
        self.assertEqual(shown["status"], "valid")
        key = self.registry.keyOf(self.account)
        assert key is not None
        self.assertEqual(key.thumbprint(), AccountKey(new).thumbprint)
        self.assertEqual(self.register(new), self.account)
        self.assertNotEqual(self.register(self.pem), self.account)

    def test_conflict(self) -> None:
        """
        A key that an account has is refused, and whose it is, told.
        """
        taken = newKey()
        other = self.register(taken)
        for pem, url in ((taken, other), (self.pem, self.account)):
            why = self.refused("malformed", "/key", inner(pem, self.said()))
            self.assertEqual((why.status, why.fields), (409, {"Location": url}))
            self.assertEqual(self.registry.refusal(why).fields["Location"], url)

    def test_checked(self) -> None:
        """
        The inner message is checked in every point of RFC 8555 section 7.3.5.
        """
        new = newKey()
        other = AccountKey(newKey()).jwk
        message = inner(new, self.said())
        noise = urlsafe_b64encode(b"x" * 64).rstrip(b"=").decode("ascii")
        for payload, word in (
            (inner(new, self.said(account=f"{BASE}/account/9")), "malformed"),
            (inner(new, self.said(oldKey=other)), "malformed"),
            (inner(new, {}), "malformed"),
            (inner(new, 7), "malformed"),
            (inner(new, self.said(), url=f"{BASE}/order"), "malformed"),
            (inner(new, self.said(), nonce="abc"), "malformed"),
            (inner(new, self.said(), jwk=None), "malformed"),
            (inner(new, self.said(), jwk=None, kid=self.account), "malformed"),
            (inner(new, self.said(), jwk=other), "unauthorized"),
            ({**message, "signature": noise}, "unauthorized"),
            ({**message, "header": {}}, "malformed"),
            ({}, "malformed"),
            (None, "malformed"),
        ):
            self.refused(word, "/key", payload)
        self.assertNotEqual(self.register(new), self.account)

    def test_onlyAccounts(self) -> None:
        """
        A deactivated account changes no key.
        """
        self.ask(self.account, {"status": "deactivated"})
        self.assertRaises(Refused, self.ask, "/key", inner(newKey(), self.said()))
