"""
Tests for L{smartproxy_tw.records.lookup}.
"""

from __future__ import annotations

from collections.abc import Awaitable
from pathlib import Path
from typing import TypeVar

from dns.message import Message, make_response
from dns.rcode import NXDOMAIN, REFUSED, SERVFAIL, Rcode
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.facts import Address
from smartproxy_tw.records.errors import RecordFailed, ServerSilent
from smartproxy_tw.records.lookup import Lookup, systemResolvers
from smartproxy_tw.testing.names import FakeNames

T = TypeVar("T")

FIRST, SECOND = Address("192.0.2.1", 53), Address("192.0.2.2", 53)
SOA = "ns.a.test. ops.a.test. 1 2 3 4 5"


class LookupTests(SynchronousTestCase):
    """
    L{Lookup}.
    """

    def setUp(self) -> None:
        self.names = FakeNames()
        self.codes: dict[Address, Rcode] = {}
        self.lookup = Lookup(self.ask, [FIRST, SECOND])

    async def ask(self, question: Message, server: Address) -> Message:
        """
        The servers answer, or say why not.
        """
        if server in self.codes:
            self.names.asked.append((server, "nothing"))
            answer = make_response(question)
            answer.set_rcode(self.codes[server])
            return answer
        return await self.names.ask(question, server)

    def found(self, looking: Awaitable[T]) -> T:
        """
        What is found.
        """
        return self.successResultOf(self.doing(looking))

    def fails(self, looking: Awaitable[T], kind: type[Exception]) -> str:
        """
        Why nothing is.
        """
        return str(self.failureResultOf(self.doing(looking), kind).value)

    def doing(self, looking: Awaitable[T]) -> Deferred[T]:
        """
        It is looked.
        """

        async def look() -> T:
            return await looking

        return Deferred.fromCoroutine(look())

    def test_noAlias(self) -> None:
        """
        A name without a CNAME is itself, be it that it does not exist.
        """
        self.names.has("a.test", "TXT", '"one"')
        for name in ("a.test", "nothing.test"):
            self.assertEqual(self.found(self.lookup.aliased(name)), name)

    def test_alias(self) -> None:
        """
        CNAMEs are followed to their end.
        """
        self.names.has("a.test", "CNAME", "b.test.")
        self.names.has("b.test", "CNAME", "c.d.test.")
        self.assertEqual(self.found(self.lookup.aliased("a.test")), "c.d.test")

    def test_aliasesWithoutEnd(self) -> None:
        """
        Those that go in a circle are followed for a while.
        """
        self.names.has("a.test", "CNAME", "b.test.")
        self.names.has("b.test", "CNAME", "a.test.")
        said = self.fails(self.lookup.aliased("a.test"), RecordFailed)
        self.assertIn("a.test leads from CNAME to CNAME", said)
        self.assertEqual(len(self.names.asked), 8)

    def test_zone(self) -> None:
        """
        The zone of a name is the nearest one that begins at or above it, whether the name exists
        or not.
        """
        self.names.has("a.test", "SOA", SOA)
        self.names.has("sub.a.test", "SOA", SOA)
        for name, zone in (
            ("a.test", "a.test"),
            ("x.y.a.test", "a.test"),
            ("x.sub.a.test", "sub.a.test"),
            ("sub.a.test", "sub.a.test"),
        ):
            self.assertEqual(self.found(self.lookup.zone(name)), zone, name)

    def test_noZone(self) -> None:
        """
        Where nobody knows of one it is told what to do; the root is none that records are put into.
        """
        said = self.fails(self.lookup.zone("a.test"), RecordFailed)
        self.assertEqual(said, "no zone was found that a.test is in; give acme.dns.zone")

    def test_servers(self) -> None:
        """
        The servers of a zone, each with all of its addresses.
        """
        self.names.has("a.test", "NS", "ns1.a.test.", "ns2.a.test.", "gone.a.test.")
        self.names.has("ns1.a.test", "A", "192.0.2.7", "192.0.2.8")
        self.names.has("ns1.a.test", "AAAA", "2001:db8::7")
        self.names.has("ns2.a.test", "AAAA", "2001:db8::8")
        found = self.found(self.lookup.servers("a.test"))
        self.assertEqual(
            {name: {str(each) for each in addresses} for name, addresses in found.items()},
            {
                "ns1.a.test": {"192.0.2.7:53", "192.0.2.8:53", "[2001:db8::7]:53"},
                "ns2.a.test": {"[2001:db8::8]:53"},
                "gone.a.test": set(),
            },
        )

    def test_noServers(self) -> None:
        """
        A zone whose servers have no address has none that could be asked.
        """
        for servers in ((), ("gone.a.test.",)):
            self.names.has("a.test", "NS", *servers)
            said = self.fails(self.lookup.servers("a.test"), RecordFailed)
            self.assertEqual(said, "the zone a.test has no name server with an address")

    def test_texts(self) -> None:
        """
        One server is asked for the texts, and nobody else; what is in several pieces is one text.
        """
        self.names.has("a.test", "TXT", '"one"', '"t" "wo"')
        self.assertEqual(self.found(self.lookup.texts("a.test", SECOND)), {"one", "two"})
        self.assertEqual(self.found(self.lookup.texts("b.test", SECOND)), frozenset())
        self.assertEqual({server for server, _ in self.names.asked}, {SECOND})

    def test_textsOfNoName(self) -> None:
        """
        That there is no such name is an answer; another refusal is none.
        """
        self.codes[SECOND] = NXDOMAIN
        self.assertEqual(self.found(self.lookup.texts("a.test", SECOND)), frozenset())
        self.codes[SECOND] = REFUSED
        said = self.fails(self.lookup.texts("a.test", SECOND), ServerSilent)
        self.assertEqual(said, f"{SECOND} answers REFUSED")

    def test_nextResolver(self) -> None:
        """
        A resolver that is silent, or cannot say, is passed over for the next one.
        """
        self.names.has("a.test", "CNAME", "b.test.")
        self.names.goesSilent(FIRST)
        self.assertEqual(self.found(self.lookup.aliased("a.test")), "b.test")
        self.names = FakeNames()
        self.names.has("a.test", "CNAME", "b.test.")
        self.codes[FIRST] = SERVFAIL
        self.assertEqual(self.found(self.lookup.aliased("a.test")), "b.test")

    def test_noResolver(self) -> None:
        """
        Where all fail each is told with its reason, and so is that there is none.
        """
        self.names.goesSilent(FIRST)
        self.codes[SECOND] = SERVFAIL
        said = self.fails(self.lookup.zone("a.test"), RecordFailed)
        self.assertEqual(
            said,
            f"no resolver knows of a.test: {FIRST} gave no answer within 4.5 s; {SECOND} answers SERVFAIL",
        )
        said = self.fails(Lookup(self.ask, []).zone("a.test"), RecordFailed)
        self.assertEqual(said, "no resolver knows of a.test: there is none")


class SystemTests(SynchronousTestCase):
    """
    L{systemResolvers}.
    """

    def file(self, text: str) -> str:
        """
        The system's.
        """
        path = Path(self.mktemp())
        path.write_text(text)
        return str(path)

    def test_found(self) -> None:
        """
        Those of the file, in its order.
        """
        path = self.file("search a.test\nnameserver 192.0.2.1\nnameserver 2001:db8::1\n")
        self.assertEqual(systemResolvers(path), (FIRST, Address("2001:db8::1", 53)))

    def test_none(self) -> None:
        """
        None, where there is no file, or none is in it.
        """
        self.assertEqual(systemResolvers("/nonexistent/resolv.conf"), ())
        self.assertEqual(systemResolvers(self.file("search a.test\n")), ())
