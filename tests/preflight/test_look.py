"""
Tests for L{smartproxy_tw.preflight.look}: conversations with a DNS and with
addresses that answer when they are told to.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.facts import DNS01, HTTP01, TLSALPN01, Evidence
from smartproxy_tw.preflight.facts import (
    Absent,
    CAAFacts,
    Closed,
    Listed,
    NameFacts,
    Ours,
    ProofFacts,
    Stranger,
    Unreached,
    Untold,
)
from smartproxy_tw.preflight.look import PATIENCE, Look

HERE = "192.0.2.1"


class Lending:
    """
    A data path, of which it is seen what it is lent.

    @ivar lent: What is to be seen now.
    """

    def __init__(self) -> None:
        self.lent: list[Evidence] = []
        self.isTaken = self.isBroken = self.isProving = False

    def lend(self, evidence: Evidence) -> Deferred[bool]:
        """Have it seen."""
        if self.isBroken:
            return fail(ValueError("it cannot be used"))
        if not self.isProving:
            self.lent.append(evidence)
        return succeed(not self.isProving)

    def isLent(self, evidence: Evidence) -> bool:
        """Still."""
        return evidence in self.lent and not self.isTaken

    def giveBack(self, evidence: Evidence) -> Deferred[None]:
        """No more."""
        self.lent.remove(evidence)
        return succeed(None)


class World:
    """
    A DNS and addresses, in place of L{Names} and L{Knock}.

    @ivar asked: What was asked, in order.
    """

    def __init__(self) -> None:
        self.found: Any = Listed((HERE,))
        self.answers: defaultdict[str, Any] = defaultdict(Ours)
        self.silent: set[str] = set()
        self.asked: list[tuple[Any, ...]] = []
        self.waiting: list[Deferred[Any]] = []
        self.proofs: list[tuple[tuple[str, ...], str | None]] = []

    async def told(self, what: str, value: Any) -> Any:
        """
        An answer, or none.
        """
        if what in self.silent:
            waiting: Deferred[Any] = Deferred()
            self.waiting.append(waiting)
            return await waiting
        return value

    async def addresses(self, name: str) -> Any:
        """See L{Names}."""
        self.asked.append(("dns", name))
        return await self.told("dns", self.found)

    async def caa(self, name: str) -> CAAFacts:
        """See L{Names}."""
        self.asked.append(("caa", name))
        found: CAAFacts = await self.told("caa", CAAFacts(name, ()))
        return found

    async def proof(self, name: str, zones: tuple[str, ...], value: str | None = None) -> ProofFacts:
        """See L{Names}."""
        self.proofs.append((zones, value))
        found: ProofFacts = await self.told("proof", ProofFacts(name, name, "a.test"))
        return found

    async def http(self, address: str, ports: tuple[int, int], name: str, path: str, wanted: bytes) -> Any:
        """See L{Knock}."""
        self.asked.append(("http", address, ports, name, path, wanted))
        return await self.told(address, self.answers[address])

    async def tls(self, address: str, port: int, serverName: str, wanted: bytes) -> Any:
        """See L{Knock}."""
        self.asked.append(("tls", address, port, serverName))
        return await self.told(address, self.answers[address])


class LookTests(SynchronousTestCase):
    """
    One look.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.world = World()
        self.lending = Lending()
        self.look = self.looking()

    def looking(self, **others: Any) -> Look:
        """
        It, in this world.
        """
        world: Any = self.world
        others.setdefault("lender", self.lending)
        lender = others.pop("lender")
        return Look(
            self.clock,
            world,
            world,
            lender,
            isOwn=lambda each: each == HERE,
            isBehindNAT=lambda _: False,
            **others,
        )

    def begins(self, name: str = "a.test", kind: Any = "http-01") -> Deferred[NameFacts]:
        """
        A look that may take its time.
        """
        return Deferred.fromCoroutine(self.look.at(name, kind))

    def ends(self, looking: Deferred[NameFacts]) -> None:
        """
        Give a look up.
        """
        looking.cancel()
        self.failureResultOf(looking, CancelledError)

    def sees(self, name: str = "a.test", kind: Any = "http-01") -> NameFacts:
        """
        A look at a world that answers at once.
        """
        return self.successResultOf(self.begins(name, kind))

    def test_http(self) -> None:
        """
        Each address is asked for a file that only our data path has, which is gone
        afterwards; the path does not tell what is in it.
        """
        self.world.found = Listed(("2001:db8::1", HERE))
        self.world.answers["2001:db8::1"] = Stranger("status 404")
        seen = self.sees()
        self.assertEqual(
            [(each.address, each.port, each.isOwn, each.answer) for each in seen.ports],
            [("2001:db8::1", 80, False, Stranger("status 404")), (HERE, 80, True, Ours())],
        )
        self.assertEqual(self.lending.lent, [])
        (_, _, ports, name, path, wanted), other = (each for each in self.world.asked if each[0] == "http")
        self.assertEqual((ports, name, other[4:]), ((80, 443), "a.test", (path, wanted)))
        self.assertTrue(path.startswith("/.well-known/acme-challenge/"))
        self.assertNotIn(wanted, path.encode())
        self.assertEqual((seen.caa, seen.late), (CAAFacts("a.test", ()), ()))

    def test_tls(self) -> None:
        """
        For the other challenge a handshake is made, at the port that is configured.
        """
        self.look = self.looking(ports=(5002, 5001), forwarded=(False, True))
        seen = self.sees(kind="tls-alpn-01")
        self.assertIn(("tls", HERE, 5001, "a.test"), self.world.asked)
        self.assertEqual((seen.ports[0].answer, seen.ports[0].isForwarded), (Ours(), True))
        self.assertEqual(self.lending.lent, [])

    def test_address(self) -> None:
        """
        An address as a name is not looked up, and no CAA applies to it.
        """
        seen = self.sees(HERE)
        self.assertEqual({each[0] for each in self.world.asked}, {"http"})
        self.assertEqual((seen.addresses, seen.caa), (None, None))

    def test_nowhere(self) -> None:
        """
        Without addresses nobody is asked, and nothing is put up.
        """
        self.world.found = Absent()
        self.lending.isBroken = True
        seen = self.sees()
        self.assertEqual((seen.addresses, seen.ports), (Absent(), ()))

    def test_order(self) -> None:
        """
        Where an order has the place, or takes it meanwhile, a stranger's answer says
        nothing: it may be the order's.  So it is where the data path cannot take ours.
        """
        self.world.answers[HERE] = Stranger("status 404")
        for attribute in ("isProving", "isTaken", "isBroken"):
            self.setUp()
            self.world.answers[HERE] = Stranger("status 404")
            setattr(self.lending, attribute, True)
            (port,) = self.sees().ports
            self.assertEqual(port.answer, Untold("status 404"), attribute)

    def test_nobodyLends(self) -> None:
        """
        Without a data path to ask what answers is told, and that is all.
        """
        self.look = self.looking(lender=None)
        self.world.answers[HERE] = Closed()
        (port,) = self.sees().ports
        self.assertEqual(port.answer, Unreached("nobody listens there just now"))

    def test_slowAddress(self) -> None:
        """
        One address that does not answer does not hide the others; all is over in time,
        and what was put up is gone.
        """
        self.world.found = Listed((HERE, "192.0.2.2"))
        self.world.silent.add("192.0.2.2")
        looking = self.begins()
        self.assertEqual(len(self.lending.lent), 1)
        self.clock.advance(PATIENCE)
        seen = self.successResultOf(looking)
        self.assertEqual([each.address for each in seen.ports], [HERE, "192.0.2.2"])
        self.assertIsInstance(seen.ports[1].answer, Unreached)
        self.assertEqual((seen.late, self.lending.lent, self.clock.getDelayedCalls()), ((), [], []))

    def test_slowNames(self) -> None:
        """
        A DNS that does not answer costs no more time than that.
        """
        self.world.silent |= {"dns", "caa"}
        looking = self.begins()
        self.clock.advance(PATIENCE)
        seen = self.successResultOf(looking)
        self.assertEqual((seen.addresses, seen.caa, set(seen.late)), (None, None, {"dns", "caa"}))

    def test_proof(self) -> None:
        """
        Of a wildcard it is looked where its record goes; a record is put up where the
        proxy itself is the name server.
        """
        seen = self.sees("*.a.test", "dns-01")
        self.assertEqual((seen.ports, seen.proof), ((), ProofFacts("*.a.test", "*.a.test", "a.test")))
        self.assertEqual(self.world.proofs, [((), None)])
        self.look = self.looking(zones=("p.test",), isAnswering=True)
        self.world.silent.add("proof")
        looking = self.begins("*.a.test", "dns-01")
        (lent,) = self.lending.lent
        assert isinstance(lent, DNS01)
        self.assertEqual((self.world.proofs[-1], lent.name), ((("p.test",), lent.value), "a.test"))
        self.clock.advance(PATIENCE)
        self.assertEqual((self.successResultOf(looking).late, self.lending.lent), (("records",), []))

    def test_proofElsewhere(self) -> None:
        """
        Of records that somebody else puts somewhere nothing can be known.
        """
        self.look = self.looking(isProving=False)
        self.assertIs(self.sees("*.a.test", "dns-01").proof, None)
        self.assertEqual(self.world.proofs, [])

    def test_remembered(self) -> None:
        """
        What was just seen is not looked at again; a while later it is, and by another
        challenge at once.
        """
        for _ in range(3):
            self.sees()
        self.assertEqual(self.world.asked.count(("dns", "a.test")), 1)
        self.sees(kind="tls-alpn-01")
        self.clock.advance(30)
        self.sees()
        self.assertEqual(self.world.asked.count(("dns", "a.test")), 3)

    def test_many(self) -> None:
        """
        Two hundred names at once are looked at a few at a time, and all of them.
        """
        self.world.silent.add(HERE)
        looks = [self.begins(f"{number}.test") for number in range(200)]
        self.assertEqual(len(self.lending.lent), 32)
        while any(not each.called for each in looks):
            self.clock.advance(PATIENCE)
        self.assertEqual({len(self.successResultOf(each).ports) for each in looks}, {1})
        self.assertEqual(self.lending.lent, [])

    def test_cancelled(self) -> None:
        """
        A stop in the midst of it leaves nothing, and lets the next ones in.
        """
        self.world.silent |= {HERE, "caa"}
        looks = [self.begins(f"{number}.test") for number in range(40)]
        for each in looks:
            self.ends(each)
        self.assertEqual((self.lending.lent, self.clock.getDelayedCalls()), ([], []))
        self.world.silent.clear()
        self.assertEqual(len(self.sees().ports), 1)

    def test_evidence(self) -> None:
        """
        What is put up is of the kind that is looked for, and never twice the same.
        """
        self.world.silent.add(HERE)
        for kind, wanted in (("http-01", HTTP01), ("tls-alpn-01", TLSALPN01)):
            for name in ("a.test", "b.test"):
                self.addCleanup(self.ends, self.begins(name, kind))
                self.assertIsInstance(self.lending.lent[-1], wanted)
        first, second, *_ = self.lending.lent
        assert isinstance(first, HTTP01) and isinstance(second, HTTP01)
        self.assertNotEqual(first.token, second.token)
