"""
Tests for L{smartproxy_tw.preflight.names}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.names import dns
from twisted.trial.unittest import TestCase

from smartproxy_tw.preflight.caa import Property
from smartproxy_tw.preflight.facts import Absent, Broken, CAAFacts, Listed, ProofFacts, Silent
from smartproxy_tw.preflight.names import Names
from smartproxy_tw.upstream.nameservers import NameServers

from ..plane.harness import descriptors
from .resolver import CAA, Resolver

reactor: Any = _reactor

A: Any = dns.Record_A
AAAA: Any = dns.Record_AAAA
CNAME: Any = dns.Record_CNAME
SOA: Any = dns.Record_SOA
TXT: Any = dns.Record_TXT
OWNER = "_acme-challenge.a.test"


class NamesTests(TestCase):
    """
    With a resolver on loopback.
    """

    timeout = 300

    def setUp(self) -> None:
        self.resolver = Resolver()
        self.resolver.listen(reactor)
        self.addCleanup(lambda: Deferred.fromCoroutine(self.resolver.close()))
        self.resolver.has("test", SOA())
        self.names = Names(reactor, lambda: self.resolver.settings)

    async def addresses(self, name: str = "a.test") -> Any:
        """
        Those of a name.
        """
        return await self.names.addresses(name)

    async def test_addresses(self) -> None:
        """
        Both families, by an alias too, IPv6 first.
        """
        self.resolver.has("a.test", CNAME("b.test"))
        self.resolver.has("b.test", A("192.0.2.1"), A("192.0.2.2"), AAAA("2001:db8::1"))
        self.assertEqual(await self.addresses(), Listed(("2001:db8::1", "192.0.2.1", "192.0.2.2")))

    async def test_oneFamily(self) -> None:
        """
        That the other family is not had is no matter where there is one.
        """
        self.resolver.has("a.test", A("192.0.2.1"))
        self.resolver.says("a.test", dns.ESERVER, dns.AAAA)
        self.assertEqual(await self.addresses(), Listed(("192.0.2.1",)))

    async def test_words(self) -> None:
        """
        No address, no such name, a zone that fails, a resolver that fails, wrong
        signatures and no answer are different things.
        """
        self.resolver.has("none.test", TXT(b"x"))
        self.assertEqual(await self.addresses("none.test"), Listed(()))
        self.assertEqual(await self.addresses("gone.test"), Absent())
        self.resolver.says("lame.test", dns.ESERVER)
        self.assertEqual(await self.addresses("lame.test"), Broken("SERVFAIL", isAlive=True))
        self.resolver.says("strange.test", dns.EREFUSED)
        self.assertEqual(await self.addresses("strange.test"), Broken("REFUSED", isAlive=True))
        self.resolver.has("bogus.test", A("192.0.2.1"))
        self.resolver.isBogus("bogus.test")
        self.assertEqual(await self.addresses("bogus.test"), Broken("SERVFAIL", isBogus=True))
        self.resolver.says("test", dns.ESERVER)
        self.assertEqual(await self.addresses("lame.test"), Broken("SERVFAIL"))
        self.resolver.goesSilent()
        self.assertEqual(await self.addresses(), Silent("127.0.0.1 does not answer"))

    async def test_nobody(self) -> None:
        """
        A system without resolvers.
        """
        names = Names(reactor, NameServers)
        self.assertEqual(await names.addresses("a.test"), Silent("there is none"))

    async def test_cut(self) -> None:
        """
        What does not go by UDP is had by TCP.
        """
        self.resolver.isCutting = True
        self.resolver.has("a.test", A("192.0.2.1"))
        self.assertEqual(await self.addresses(), Listed(("192.0.2.1",)))

    async def test_cancelled(self) -> None:
        """
        Whoever loses interest leaves no socket behind.
        """
        before = descriptors()
        self.resolver.goesSilent()
        asking = Deferred.fromCoroutine(self.addresses())
        self.assertNotEqual(descriptors(), before)
        asking.cancel()
        self.failureResultOf(asking, CancelledError)
        self.assertEqual(descriptors(), before)

    async def test_caa(self) -> None:
        """
        The nearest records count; at an alias they count before those above the name.
        """
        self.resolver.has("shop.a.test", A("192.0.2.1"))
        self.assertEqual(await self.names.caa("shop.a.test"), CAAFacts("shop.a.test", ()))
        self.assertEqual(
            [name for name, kind in self.resolver.asked if kind == CAA], ["shop.a.test", "a.test", "test"]
        )
        self.resolver.hasCAA("test", "issue", ";")
        self.assertEqual(await self.names.caa("b.test"), CAAFacts("test", (Property("issue", ";"),)))
        self.resolver.hasCAA("a.test", "issue", "ca.test", 128)
        wanted = CAAFacts("a.test", (Property("issue", "ca.test", True),))
        self.assertEqual(await self.names.caa("*.a.test"), wanted)
        self.assertEqual(await self.names.caa("shop.a.test"), wanted)
        self.resolver.has("www.a.test", CNAME("host.test"))
        self.resolver.hasCAA("host.test", "issue", "other.test")
        self.assertEqual(
            await self.names.caa("www.a.test"), CAAFacts("www.a.test", (Property("issue", "other.test"),))
        )

    async def test_caaRefused(self) -> None:
        """
        Where it cannot be had it is not looked for further up; what is no record is
        passed over.
        """
        self.resolver.hasCAA("test", "issue", ";")
        self.resolver.says("a.test", dns.ESERVER)
        self.assertEqual(await self.names.caa("a.test"), CAAFacts("a.test", Broken("SERVFAIL", isAlive=True)))
        self.resolver.has("b.test", dns.UnknownRecord(b"\0"), kind=CAA)
        self.assertEqual((await self.names.caa("b.test")).owner, "test")

    async def proof(self, *zones: str, value: str | None = None) -> ProofFacts:
        """
        Of a wildcard.
        """
        return await self.names.proof("*.a.test", zones, value)

    async def test_zone(self) -> None:
        """
        Where a record goes: into the zone of the name, or of what it is an alias of,
        which need not exist.
        """
        self.resolver.has("a.test", SOA())
        self.assertEqual(await self.proof(), ProofFacts(OWNER, OWNER, "a.test"))
        self.resolver.has(OWNER, CNAME("x.Proofs.test"))
        self.assertEqual(await self.proof(), ProofFacts(OWNER, "x.proofs.test", "test"))
        wanted = ProofFacts(OWNER, "x.proofs.test", wanted=("proofs.test",))
        self.assertEqual(await self.proof("proofs.test"), wanted)

    async def test_zoneUnknown(self) -> None:
        """
        Aliases without end, nobody to ask, and no zone anywhere.
        """
        self.resolver.has(OWNER, CNAME(OWNER))
        self.resolver.has("_acme-challenge.x.test", CNAME("a\nb.test"))
        found = await self.names.proof("x.test", ())
        self.assertIn("something that is no name", str(found.refusal))
        found = await self.proof()
        self.assertIsInstance(found.refusal, Silent)
        self.assertIn("more than 8 times", str(found.refusal))
        self.assertEqual((await self.names.proof("b.nowhere", ())).zone, None)
        self.resolver.says("_acme-challenge.c.test", dns.ESERVER)
        self.assertEqual((await self.names.proof("c.test", ())).refusal, Broken("SERVFAIL", isAlive=True))

    async def test_seen(self) -> None:
        """
        A record that is there is seen, also by an alias; another one is not it.
        """
        self.resolver.has(OWNER, CNAME("a.test.proofs.test"))
        self.assertIs((await self.proof("proofs.test", value="v")).isSeen, False)
        self.resolver.has("a.test.proofs.test", TXT(b"other"), TXT(b"v"))
        self.assertEqual(
            await self.proof("proofs.test", value="v"),
            ProofFacts(OWNER, "a.test.proofs.test", wanted=("proofs.test",), isSeen=True),
        )
        self.resolver.says(OWNER, dns.ESERVER, dns.TXT)
        found = await self.proof("proofs.test", value="v")
        self.assertEqual((found.isSeen, found.refusal), (False, Broken("SERVFAIL", isAlive=True)))
