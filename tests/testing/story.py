"""
What the tests of an authority's insides stand on: a registry with an account, and
requests that need no signature.
"""

from __future__ import annotations

from random import Random
from typing import Any

from joserfc.jwk import ECKey
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.jose import AccountKey
from smartproxy_tw.acme.x509 import Signer, certificateRequest, newKey
from smartproxy_tw.testing.registry import Registry, Reply
from smartproxy_tw.testing.signed import Refused, SignedRequest

__all__ = ["BASE", "RegistryStory"]

BASE = "https://127.0.0.1:14000"


class _Validator:
    """
    Finds what the test puts there.
    """

    def __init__(self) -> None:
        self.looked: list[tuple[str, str]] = []
        self.outcome: Any = None

    def look(self, kind: str, name: str, token: str, keyAuthorization: str) -> Deferred[None]:
        self.looked.append((kind, name))
        if self.outcome is not None:
            raise self.outcome
        return succeed(None)


class RegistryStory(SynchronousTestCase):
    """
    Asks as one account, and as others.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_800_000_000)
        self.validator = _Validator()
        self.registry = self.open()
        self.pem = newKey()
        self.account = self.register(self.pem)

    def open(self, **options: Any) -> Registry:
        settings: dict[str, Any] = {
            "lifetime": 86400.0,
            "validationDelay": 0.0,
            "issueDelay": 0.0,
            "retryAfter": None,
            "reuseAuthorizations": False,
        }
        signer = Signer.create("A test's root", now=self.clock.seconds())
        registry = Registry(
            self.clock,
            self.validator,  # type: ignore[arg-type]
            signer,
            chance=Random(1),
            **{**settings, **options},
        )
        registry.base = BASE
        return registry

    def key(self, pem: bytes) -> Any:
        return ECKey.import_key(AccountKey(pem).jwk)

    def register(self, pem: bytes, **members: Any) -> str:
        said = {"termsOfServiceAgreed": True, **members}
        reply = self.registry.answer("/account", SignedRequest(said, self.key(pem), None))
        return reply.fields["Location"]

    def ask(self, path: str, payload: Any = None, account: str | None = None) -> Reply:
        who = account or self.account
        return self.registry.answer(
            path.removeprefix(BASE),
            SignedRequest(payload, self.registry.keyOf(who), who),  # type: ignore[arg-type]
        )

    def refused(self, word: str, path: str, payload: Any = None, account: str | None = None) -> Refused:
        why = self.assertRaises(Refused, self.ask, path, payload, account)
        self.assertEqual(why.word, word, why.detail)
        return why

    def order(self, *names: str, **kind: str) -> Any:
        identifiers = [{"type": kind.get("kind", "dns"), "value": name} for name in names]
        return self.ask("/order", {"identifiers": identifiers})

    def prove(self, order: Reply) -> None:
        assert isinstance(order.body, dict)
        for url in order.body["authorizations"]:
            shown: Any = self.ask(url).body
            self.ask(shown["challenges"][0]["url"], {})
        self.clock.advance(0)

    def csr(self, *names: str, key: bytes | None = None) -> dict[str, str]:
        from base64 import urlsafe_b64encode

        request = certificateRequest(names, key or newKey())
        return {"csr": urlsafe_b64encode(request).rstrip(b"=").decode("ascii")}

    def issue(self, *names: str, key: bytes | None = None, **members: Any) -> bytes:
        """
        The chain of a new certificate, PEM.
        """
        identifiers = [{"type": "dns", "value": name} for name in names]
        order = self.ask("/order", {"identifiers": identifiers, **members})
        self.prove(order)
        assert isinstance(order.body, dict)
        valid: Any = self.ask(order.body["finalize"], self.csr(*names, key=key)).body
        chain = self.ask(valid["certificate"]).body
        assert isinstance(chain, bytes)
        return chain
