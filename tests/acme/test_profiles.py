"""
Tests for L{smartproxy_tw.acme.profiles}, and for orders that ask for one.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase, TestCase

from smartproxy_tw.acme.errors import ProfileNotOffered
from smartproxy_tw.acme.profiles import choose
from smartproxy_tw.acme.x509 import describe
from smartproxy_tw.testing.authority import Authority
from smartproxy_tw.testing.profiles import Profile

from .suite import AuthorityStory, Opened

HERE = "https://ca.example/directory"
KINDS = ("classic", "shortlived")


class ChoiceTests(SynchronousTestCase):
    def test_byNeed(self) -> None:
        """
        Addresses get short lives where there are any, names what there is.
        """
        for names, offered, expected in (
            (("a.example",), KINDS, None),
            (("a.example", "192.0.2.1"), KINDS, "shortlived"),
            (("2001:db8::1",), KINDS, "shortlived"),
            (("192.0.2.1",), ("classic",), None),
            (("192.0.2.1",), (), None),
        ):
            self.assertEqual(choose(HERE, None, names, offered), expected)

    def test_byWish(self) -> None:
        """
        What is configured is asked for, whatever it is for, or nothing is.
        """
        for names in (("a.example",), ("192.0.2.1",)):
            self.assertEqual(choose(HERE, "classic", names, KINDS), "classic")
        for offered, told in ((KINDS, "it has classic, shortlived"), ((), "it has none")):
            why = self.assertRaises(ProfileNotOffered, choose, HERE, "other", ("a.example",), offered)
            for part in (told, HERE, "'other'", "acme.profile"):
                self.assertIn(part, str(why))


class OrderTests(AuthorityStory, TestCase):
    """
    An authority that has two kinds, like the one that most people use.
    """

    timeout = 300

    def openAuthority(self, httpPort: int, tlsPort: int, nonceReject: float) -> Opened:
        self.profiles = {
            "classic": Profile(90 * 86400.0, takesAddresses=False),
            "shortlived": Profile(6 * 86400.0),
        }
        authority: Any = Authority(reactor, httpPort=httpPort, tlsPort=tlsPort, profiles=self.profiles)
        authority.caFile = self.write(authority.root)
        return authority

    async def days(self, name: str, **settings: Any) -> int:
        got = await self.issuer(**settings).obtain((name,), self.install)
        facts = describe(got.chain)
        return round((facts.notAfter - facts.notBefore) / 86400)

    async def test_orders(self) -> None:
        """
        The certificate is of the kind that was asked for; an IP address gets
        the kind that is for it.
        """
        await self.opens()
        self.assertEqual(await self.days("a.example"), 90)
        self.assertEqual(await self.days("a.example", profile="shortlived"), 6)
        self.assertEqual(await self.days("127.0.0.1"), 6)

    async def test_notOffered(self) -> None:
        """
        A kind that is not there costs no order; one that comes to be there is
        noticed with the next.
        """
        await self.opens()
        issuer = self.issuer(profile="tlsserver")
        await self.refused(issuer, ProfileNotOffered, "a.example")
        authority: Any = self.authority
        self.assertEqual(authority.orders, 0)
        self.profiles["tlsserver"] = Profile(45 * 86400.0)
        authority._profiles = tuple(self.profiles)
        got = await issuer.obtain(("a.example",), self.install)
        self.verify(got, "a.example")
