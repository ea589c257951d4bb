"""
Tests for L{smartproxy_tw.preflight.judge} and the findings that it makes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.preflight.caa import Identity, Property
from smartproxy_tw.preflight.facts import (
    Absent,
    Broken,
    CAAFacts,
    Closed,
    Elsewhere,
    Listed,
    NameFacts,
    Ours,
    PortFacts,
    ProofFacts,
    Silent,
    Stranger,
    Unreached,
    Untold,
)
from smartproxy_tw.preflight.findings import Finding, bad
from smartproxy_tw.preflight.judge import judge

OURS = Identity(("ca.test",), "https://ca.test/1")
OWNER = "_acme-challenge.a.test"


def port(
    answer: Any,
    address: str = "192.0.2.7",
    *,
    number: int = 80,
    isOwn: bool = False,
    isBehindNAT: bool = False,
) -> NameFacts:
    """
    A name with one address.
    """
    return NameFacts(
        "a.test",
        "http-01",
        Listed((address,)),
        (PortFacts(address, 80, isOwn, isBehindNAT, answer),),
    )


class JudgeTests(SynchronousTestCase):
    """
    What is seen, and what it means.
    """

    def judges(self, facts: NameFacts, check: str, identity: Identity | None = OURS) -> tuple[str, str]:
        """
        One finding: its value, and all of its words.
        """
        (found,) = (each for each in judge(facts, identity) if each.check == check)
        self.assertTrue(str(found).startswith(f"{facts.name}: "))
        return found.value, str(found)

    def holds(self, found: tuple[str, str], value: str, *words: str) -> None:
        """
        It is that, and says so.
        """
        self.assertEqual(found[0], value, found[1])
        for word in words:
            self.assertIn(word, found[1])

    def test_finding(self) -> None:
        """
        A finding says what was seen and what to do; some need nothing done.
        """
        one = Finding("a.test", "dns", "bad", "it is gone", "bring it back")
        two = Finding("a.test", "caa", "well", "it is all right")
        self.assertEqual(str(one), "a.test: it is gone; bring it back")
        self.assertEqual(str(two), "a.test: it is all right")
        self.assertEqual(bad((one, two)), (one,))

    def test_addresses(self) -> None:
        """
        A name without addresses is bad, whatever that comes from; but what may be
        the resolver's own fault is unknown.
        """
        for found, value, word in (
            (Listed(("192.0.2.1", "2001:db8::1")), "well", "192.0.2.1, 2001:db8::1"),
            (Listed(()), "bad", "add an A or AAAA record"),
            (Absent(), "bad", "NXDOMAIN"),
            (Broken("SERVFAIL", isAlive=True), "bad", "name servers that its zone is delegated to"),
            (Broken("SERVFAIL", isBogus=True), "bad", "DNSSEC"),
            (Broken("REFUSED"), "unknown", "REFUSED"),
            (Silent("x does not answer"), "unknown", "x does not answer"),
        ):
            self.holds(self.judges(NameFacts("a.test", "http-01", found), "dns"), value, word)

    def test_ports(self) -> None:
        """
        Somebody else is bad and named; what is not reached proves nothing, unless it is
        this very machine.
        """
        self.holds(self.judges(port(Ours()), "port"), "well", "192.0.2.7:80")
        self.holds(
            self.judges(port(Stranger("status 404 by nginx"), "2001:db8::7"), "port"),
            "bad",
            "[2001:db8::7]:80 is answered by somebody else: status 404 by nginx",
            "correct or remove the AAAA record",
        )
        self.holds(self.judges(port(Stranger("x"), isOwn=True), "port"), "bad", "stop what has port 80")
        self.holds(self.judges(port(Stranger("x"), isBehindNAT=True), "port"), "bad", "your router")
        self.holds(self.judges(port(Untold("status 404")), "port"), "unknown", "answers (status 404)")
        self.holds(self.judges(port(Elsewhere("http://b.test/")), "port"), "unknown", "http://b.test/")
        self.holds(self.judges(port(Closed()), "port"), "unknown", "not to be reached from here")
        self.holds(self.judges(port(Closed(), isOwn=True), "port"), "bad", "(bind)", "correct the A record")
        forwarded = replace(port(Closed()).ports[0], isOwn=True, isForwarded=True)
        self.holds(
            self.judges(replace(port(Ours()), ports=(forwarded,)), "port"), "unknown", "comes from outside"
        )
        self.holds(self.judges(port(Unreached("no way")), "port"), "unknown", "no way")
        self.holds(
            self.judges(port(Unreached("no way"), "10.0.0.1"), "port"), "unknown", "no public authority"
        )

    def test_addressAsName(self) -> None:
        """
        Where the name is an address there is no record to be corrected.
        """
        seen = PortFacts("192.0.2.7", 443, False, False, Stranger("x"))
        found = self.judges(NameFacts("192.0.2.7", "tls-alpn-01", None, (seen,)), "port")
        self.holds(found, "bad", "see that port 443 of that address leads to this proxy")

    def test_caa(self) -> None:
        """
        What CAA forbids is bad, with the record that would allow it; what cannot be had
        is not held against the name.
        """

        def caa(found: Any, identity: Identity | None = OURS) -> tuple[str, str]:
            return self.judges(NameFacts("a.test", "http-01", caa=CAAFacts("test", found)), "caa", identity)

        self.holds(caa(()), "well", "no CAA record")
        self.holds(caa((Property("issue", "ca.test"),)), "well", "CAA of test allows it")
        self.holds(caa((Property("issue", "b.test"),)), "bad", "only b.test may issue", '0 issue "ca.test"')
        self.holds(caa((Property("issue", ";"),), None), "bad", "nobody may issue", "change the records")
        self.holds(caa((Property("issue", "b.test"),), None), "unknown", "does not say")
        self.holds(caa(Broken("SERVFAIL", isAlive=True)), "unknown", "SERVFAIL", "no authority issues")
        self.holds(caa(Broken("SERVFAIL", isBogus=True)), "bad", "DNSSEC")
        self.holds(caa(Silent("nobody answers")), "unknown", "nobody answers")

    def test_caaWildcard(self) -> None:
        """
        For a wildcard other records count.
        """
        found = (Property("issue", "ca.test"), Property("issuewild", ";"))
        facts = NameFacts("*.a.test", "dns-01", caa=CAAFacts("a.test", found))
        self.holds(self.judges(facts, "caa"), "bad", "nobody may issue")

    def test_proof(self) -> None:
        """
        Where a record for dns-01 would go, and whether it is seen there.
        """

        def proof(**facts: Any) -> tuple[str, str]:
            seen = ProofFacts(OWNER, facts.pop("target", OWNER), **facts)
            return self.judges(NameFacts("*.a.test", "dns-01", proof=seen), "records")

        zones = ("p.test",)
        self.holds(proof(zone="a.test"), "well", "goes into a.test")
        self.holds(proof(), "bad", "no zone was found", "acme.dns.zone")
        self.holds(proof(refusal=Silent("nobody answers")), "unknown", "nobody answers")
        self.holds(proof(refusal=Broken("SERVFAIL", isAlive=True)), "bad", "SERVFAIL")
        self.holds(proof(wanted=zones, target="x.p.test"), "well", "goes into p.test")
        self.holds(proof(wanted=zones), "bad", f"{OWNER} is not in p.test")
        self.holds(proof(wanted=zones, target="x.q.test"), "bad", "a CNAME to x.q.test, is not in p.test")
        self.holds(proof(wanted=zones, isSeen=True), "well", "is seen")
        self.holds(proof(wanted=zones, isSeen=False), "bad", f"let {OWNER} be a CNAME to a.test.p.test")
        self.holds(
            proof(wanted=zones, isSeen=False, target="a.test.p.test"), "bad", "p.test is delegated to this"
        )
        self.holds(proof(wanted=zones, isSeen=False, refusal=Silent("x")), "unknown", "x")

    def test_late(self) -> None:
        """
        What was not seen in time is said to be so.
        """
        facts = NameFacts("a.test", "http-01", late=("dns", "caa"))
        self.holds(self.judges(facts, "dns"), "unknown", "in time")
        self.holds(self.judges(facts, "caa"), "unknown", "in time")
        self.assertEqual(len(judge(NameFacts("a.test", "dns-01", late=("port", "records")), OURS)), 2)
