"""
Tests for L{smartproxy_tw.testing.accounts}: a change of key.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, OctKey

from smartproxy_tw.acme.jose import AccountKey
from smartproxy_tw.acme.x509 import newKey
from smartproxy_tw.testing.signed import Refused, SignedRequest

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


class BindingTests(RegistryStory):
    """
    Accounts that have to be bound to external ones.
    """

    mac = b"m" * 32

    def bound(self, pem: bytes, mac: bytes = b"", alg: str = "HS256", **header: Any) -> dict[str, Any]:
        whole = {"alg": alg, "kid": "known", "url": f"{BASE}/account", **header}
        registry = jws.JWSRegistry(algorithms=["HS256", "HS512"], strict_check_header=False)
        made = jws.serialize_json(
            {"protected": whole},
            json.dumps(AccountKey(pem).jwk),
            OctKey.import_key(mac or self.mac),
            registry=registry,
        )
        return dict(made)

    def refusedBinding(self, pem: bytes, word: str, **members: Any) -> None:
        why = self.assertRaises(Refused, self.register, pem, **members)
        self.assertEqual(why.word, word, why.detail)

    def test_required(self) -> None:
        """
        Whoever is not bound, or not well, gets no account.
        """
        self.registry = self.open(externalKeys={"known": self.mac})
        pem = newKey()
        self.refusedBinding(pem, "externalAccountRequired")
        for binding, word in (
            (self.bound(pem, b"n" * 32), "unauthorized"),
            (self.bound(pem, kid="unknown"), "unauthorized"),
            (self.bound(pem, url=URL), "malformed"),
            (self.bound(pem, nonce="abc"), "malformed"),
            (self.bound(newKey()), "malformed"),
            (inner(pem, {}), "badSignatureAlgorithm"),
            ({}, "malformed"),
            (7, "malformed"),
        ):
            self.refusedBinding(pem, word, externalAccountBinding=binding)
        self.assertEqual(self.registry.accountCount, 0)

    def test_bound(self) -> None:
        """
        Who is bound gets one, which shows it; a known key needs no binding.
        """
        self.registry = self.open(externalKeys={"known": self.mac})
        pem = newKey()
        binding = self.bound(pem, alg="HS512")
        account = self.register(pem, externalAccountBinding=binding)
        self.assertEqual(self.register(pem), account)
        shown: Any = self.registry.answer(
            account.removeprefix(BASE), SignedRequest(None, self.key(pem), account)
        ).body
        self.assertEqual(shown["externalAccountBinding"], binding)
