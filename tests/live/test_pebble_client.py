"""
Our client against the real Pebble: the same tests that our own authority
stands.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from smartproxy_tw.acme.client import Client
from smartproxy_tw.acme.errors import AuthorityProblem, ExternalAccountUnusable
from smartproxy_tw.acme.jose import AccountKey
from smartproxy_tw.acme.x509 import newKey
from smartproxy_tw.config.model import ExternalAccount

from ..acme.suite import AuthorityStory, AuthoritySuite, Opened
from .pebble import Pebble, missing


class PebbleStory(AuthorityStory):
    """
    Runs stories on Pebble.

    @ivar environment: How it differs from others.
    """

    environment: dict[str, str] = {}
    externalKeys: dict[str, str] | None = None

    def openAuthority(self, httpPort: int, tlsPort: int, nonceReject: float) -> Opened:
        self.pebble = Pebble(
            reactor,
            self.mktemp(),
            httpPort=httpPort,
            tlsPort=tlsPort,
            nonceReject=round(nonceReject * 100),
            environment=self.environment,
            externalKeys=self.externalKeys,
        )
        return self.pebble

    def counted(self) -> tuple[int, int]:
        tally = self.pebble.tally()
        return tally.orders, tally.invalid


class PebbleClientTests(PebbleStory, AuthoritySuite, TestCase):
    """
    All of them.
    """

    skip = missing
    timeout = 900


class PebbleVariantTests(PebbleStory, TestCase):
    skip = missing
    timeout = 900

    async def test_badNoncesByDefault(self) -> None:
        """
        The part of good nonces that Pebble refuses by its own default costs no
        order.
        """
        self.environment = {"PEBBLE_WFE_NONCEREJECT": "5"}
        await self.oneName("http-01")
        self.assertIn("Configured to reject 5% of good nonces", self.pebble.log)

    async def test_externalAccount(self) -> None:
        """
        An authority that demands an external account says so to who has none,
        and takes who has the key.
        """
        key = urlsafe_b64encode(b"k" * 33).decode("ascii")
        self.externalKeys = {"known": key}
        await self.opens()
        why = await self.refused(self.issuer(), ExternalAccountUnusable, "a.example")
        self.assertIn("acme.external_account", str(why))
        wrong = ExternalAccount("known", key.replace("a", "b"))
        await self.refused(self.issuer(external=wrong), AuthorityProblem, "a.example")
        got = await self.issuer(external=ExternalAccount("known", key)).obtain(("a.example",), self.install)
        self.verify(got, "a.example")

    async def test_longChain(self) -> None:
        """
        A chain of several intermediates is served whole.
        """
        self.environment = {"PEBBLE_CHAIN_LENGTH": "3"}
        await self.opens()
        got = await self.issuer().obtain(("a.example",), self.install)
        self.verify(got, "a.example")
        self.assertEqual(got.chain.count(b"BEGIN CERTIFICATE"), 4)

    async def test_alternateRoots(self) -> None:
        """
        Of an authority that offers its certificates with chains to several roots,
        the chain that it gives by itself is served.
        """
        self.environment = {"PEBBLE_ALTERNATE_ROOTS": "2"}
        await self.opens()
        got = await self.issuer().obtain(("a.example",), self.install)
        self.verify(got, "a.example")
        self.assertEqual(got.chain.count(b"BEGIN CERTIFICATE"), 2)

    async def test_reusedAuthorization(self) -> None:
        """
        A name that was proved is not presented again where the authority
        remembers it.
        """
        self.environment = {"PEBBLE_AUTHZREUSE": "100"}
        await self.opens()
        issuer = self.issuer()
        await issuer.obtain(("a.example",), self.install)
        self.plane.story.clear()
        await issuer.obtain(("a.example",), self.install)
        self.assertEqual(self.plane.story, ["install"])


class PebbleAccountTests(PebbleStory, TestCase):
    """
    What is done with an account beside orders.
    """

    skip = missing
    timeout = 900

    async def test_lifeOfAnAccount(self) -> None:
        """
        A certificate is revoked once, the key is changed, the new key orders,
        and after the account's end nothing is heard.
        """
        await self.opens()
        await self.issuer().obtain(("a.example",), self.install)
        directory = self.authority.directoryURL
        account = self.accounts.kept[directory]
        client = Client(
            reactor, directory, AccountKey(account.key), account=account.url, caFile=self.authority.caFile
        )
        self.addCleanup(client.close)
        chain = self.installed[0].chain
        await client.revoke(chain, 4)
        with self.assertRaises(AuthorityProblem) as caught:
            await client.revoke(chain, 4)
        self.assertEqual(caught.exception.problem.word, "alreadyRevoked")
        old, new = client.key, AccountKey(newKey())
        await client.changeKey(new)
        await client.placeOrder(("b.example",))
        client.key = old
        with self.assertRaises(AuthorityProblem):
            await client.placeOrder(("c.example",))
        client.key = new
        await client.deactivate()
        client.account = account.url
        with self.assertRaises(AuthorityProblem):
            await client.placeOrder(("c.example",))
