"""
Tests for L{smartproxy_tw.testing.authority}: the same that the real one stands,
and what is its own.
"""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from smartproxy_tw.acme.errors import AuthorityProblem
from smartproxy_tw.acme.x509 import describe
from smartproxy_tw.testing.authority import Authority

from ..acme.suite import AuthorityStory, AuthoritySuite, Opened


class OwnStory(AuthorityStory):
    """
    Runs stories on an authority of our own.

    @ivar options: How it differs from others.
    """

    options: dict[str, Any] = {}

    def openAuthority(self, httpPort: int, tlsPort: int, nonceReject: float) -> Opened:
        authority: Any = Authority(
            reactor,
            httpPort=httpPort,
            tlsPort=tlsPort,
            nonceReject=nonceReject,
            chance=Random(4),
            **self.options,
        )
        authority.caFile = self.write(authority.root)
        return authority

    def counted(self) -> tuple[int, int]:
        authority: Any = self.authority
        return authority.orders, authority.invalid


class ClientTests(OwnStory, AuthoritySuite, TestCase):
    """
    All that the real one stands, too.
    """


class OptionTests(OwnStory, TestCase):
    async def test_slow(self) -> None:
        """
        One that takes its time, and wants to be left alone meanwhile, is asked
        again until it has decided.
        """
        self.options = {"validationDelay": 0.05, "issueDelay": 0.05, "retryAfter": 1}
        await self.oneName("http-01")

    async def test_reuse(self) -> None:
        """
        A name that was proved need not be proved again, and is not presented.
        """
        self.options = {"reuseAuthorizations": True}
        await self.opens()
        issuer = self.issuer()
        await issuer.obtain(("a.example",), self.install)
        self.plane.story.clear()
        await issuer.obtain(("a.example", "b.example"), self.install)
        self.assertEqual(self.plane.story, ["present b.example", "install", "withdraw b.example"])
        self.plane.story.clear()
        await issuer.obtain(("b.example",), self.install)
        self.assertEqual(self.plane.story, ["install"])

    async def test_lifetime(self) -> None:
        """
        Certificates live as long as was wished.
        """
        self.options = {"lifetime": 3600.0}
        await self.opens()
        facts = describe((await self.issuer().obtain(("a.example",), self.install)).chain)
        self.assertAlmostEqual(facts.lifetime, 3600.0 * 1.05, delta=2)

    async def test_resolve(self) -> None:
        """
        A name is looked for where it is said to be, and nowhere else.
        """
        self.options = {"resolve": lambda name: "127.0.0.1" if name == "a.example" else "127.0.0.9"}
        await self.opens()
        for kind in ("http-01", "tls-alpn-01"):
            why = await self.refused(self.issuer(kind), AuthorityProblem, "a.example", "b.example")
            self.assertEqual(
                {name: each.word for name, each in why.byName.items()}, {"b.example": "connection"}
            )

    async def test_outage(self) -> None:
        """
        After an outage it knows everything that it knew, at the same place.
        """
        await self.opens()
        issuer = self.issuer()
        await issuer.obtain(("a.example",), self.install)
        before = self.authority.directoryURL
        await self.authority.stop()
        await self.authority.start()
        self.assertEqual(self.authority.directoryURL, before)
        await issuer.obtain(("b.example",), self.install)
        self.assertEqual(self.accounts.story, ["key", "account"])
        authority: Any = self.authority
        self.assertEqual((authority.accounts, authority.issued, authority.validations), (1, 2, 2))

    async def test_stoppedWhileLooking(self) -> None:
        """
        One that is stopped in the midst of a validation looks when it is back,
        and the order goes on; stopping it twice is no trouble.
        """
        self.options = {"validationDelay": 0.2}
        await self.opens()
        obtaining = self.issuer().obtain(("a.example",), self.install)
        while not self.plane.presented:
            await deferLater(reactor, 0.001)
        await deferLater(reactor, 0.05)
        await self.authority.stop()
        await self.authority.stop()
        await self.authority.start()
        await obtaining
        self.assertEqual(self.counted(), (1, 0))
