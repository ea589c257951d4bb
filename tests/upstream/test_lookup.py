"""
Names by DNS, from a real name server on loopback.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import defer
from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.names import common, dns, error, server
from twisted.trial.unittest import SynchronousTestCase, TestCase

from smartproxy_tw.upstream.lookup import DNS, canReach, preferred
from smartproxy_tw.upstream.nameservers import NameServers
from smartproxy_tw.upstream.outcome import Failed, Found, Nothing, Outcome

reactor: Any = _reactor

SOA = dns.RRHeader("test", dns.SOA, ttl=900, payload=dns.Record_SOA("ns.test", "x.test", minimum=7, ttl=900))


class Zone(common.ResolverBase):
    """
    What a name server knows.

    @ivar records: By lower-case name and type.
    @ivar silent: Names and types that are never answered.
    @ivar broken: Names for which it has failed.
    @ivar asked: Names and types in the order of the questions.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.records: dict[tuple[str, int], list[dns.RRHeader]] = {}
        self.silent: set[tuple[str, int]] = set()
        self.broken: set[str] = set()
        self.asked: list[tuple[str, int]] = []

    def has(self, name: str, *addresses: str, ttl: int = 60) -> None:
        """
        Know these addresses of a name.
        """
        for address in addresses:
            kind, record = (dns.AAAA, dns.Record_AAAA) if ":" in address else (dns.A, dns.Record_A)
            header = dns.RRHeader(name, kind, ttl=ttl, payload=record(address, ttl))
            self.records.setdefault((name, kind), []).append(header)

    def alias(self, name: str, other: str, ttl: int = 60) -> None:
        """
        Know that a name stands for another, and what is known of that.
        """
        header = dns.RRHeader(name, dns.CNAME, ttl=ttl, payload=dns.Record_CNAME(other, ttl))
        for kind in (dns.A, dns.AAAA):
            self.records[name, kind] = [header, *self.records.get((other, kind), [])]

    def _lookup(self, name: bytes, cls: int, kind: int, timeout: object) -> Any:
        key = name.decode().lower(), kind
        self.asked.append(key)
        if key in self.silent:
            return Deferred()
        if key[0] in self.broken:
            return defer.fail(RuntimeError("out of order"))
        found = self.records.get(key)
        if found:
            return defer.succeed((found, [], []))
        if any(known == key[0] for known, _ in self.records):
            return defer.succeed(([], [SOA], []))
        return defer.fail(error.DomainError(name))


class Server(server.DNSServerFactory):
    """
    Tells of names that do not exist with the authority section that real
    servers send.
    """

    noisy = False

    def gotResolverError(self, failure: Any, protocol: Any, message: Any, address: Any) -> None:
        """NXDOMAIN with a SOA record."""
        if failure.check(error.DomainError):
            answer = self._responseFromMessage(message=message, rCode=dns.ENAME, authority=[SOA])
            self.sendReply(protocol, answer, address)
        else:
            super().gotResolverError(failure, protocol, message, address)


class LookupTests(TestCase):
    """
    L{DNS}.
    """

    timeout = 300

    async def setUp(self) -> None:
        """A name server."""
        self.zone = Zone()
        self.factory = Server(clients=[self.zone])
        tcp, udp = self.bind()
        self.number: int = tcp.getHost().port
        self.addCleanup(tcp.stopListening)
        self.addCleanup(udp.stopListening)
        self.told: list[tuple[Outcome, bool]] = []

    def bind(self) -> tuple[Any, Any]:
        """
        Two ports with one number.
        """
        for _ in range(50):
            tcp = reactor.listenTCP(0, self.factory, interface="127.0.0.1")
            protocol = dns.DNSDatagramProtocol(self.factory)
            try:
                return tcp, reactor.listenUDP(tcp.getHost().port, protocol, interface="127.0.0.1")
            except CannotListenError:
                self.addCleanup(tcp.stopListening)
        raise AssertionError("no number is free for both")

    def settings(self, **others: Any) -> NameServers:
        """
        Ask the one.
        """
        others.setdefault("servers", (("127.0.0.1", self.number),))
        others.setdefault("timeouts", (0.2, 0.2))
        return NameServers(**others)

    async def asks(self, host: str, **others: Any) -> Outcome:
        """
        Ask, and wait for the last word.
        """
        last: Deferred[Outcome] = Deferred()

        def then(outcome: Outcome, isLast: bool) -> None:
            self.told.append((outcome, isLast))
            if isLast:
                last.callback(outcome)

        settings = self.settings(**others)
        lookup = DNS(reactor, lambda: settings, lambda address: True)
        self.assertIs(lookup.canAsk(), bool(settings.servers))
        lookup.ask(host, then)
        return await last

    async def test_bothFamilies(self) -> None:
        """
        Addresses of both families, IPv6 first, for the shortest lifetime of
        any.
        """
        self.zone.has("a.test", "10.0.0.1", "10.0.0.2", ttl=30)
        self.zone.has("a.test", "2001:db8::1", ttl=20)
        found = await self.asks("a.test")
        self.assertEqual(found, Found(("2001:db8::1", "10.0.0.1", "10.0.0.2"), 20.0))
        self.assertEqual(len(self.told), 1)

    async def test_oneFamily(self) -> None:
        """
        A name need not have both, and is whole with one.
        """
        self.zone.has("a.test", "10.0.0.1", ttl=30)
        self.assertEqual(await self.asks("a.test"), Found(("10.0.0.1",), 30.0))
        self.zone.has("b.test", "::1", ttl=30)
        self.assertEqual(await self.asks("b.test"), Found(("::1",), 30.0))

    async def test_alias(self) -> None:
        """
        Aliases are followed, and bound the lifetime.
        """
        self.zone.has("c.test", "10.0.0.3", ttl=300)
        self.zone.alias("b.test", "c.test", ttl=200)
        self.zone.alias("a.test", "b.test", ttl=15)
        self.assertEqual(await self.asks("a.test"), Found(("10.0.0.3",), 15.0))

    async def test_strangers(self) -> None:
        """
        Records of other names in an answer are not believed.
        """
        self.zone.has("evil.test", "10.6.6.6")
        self.zone.records["a.test", dns.A] = self.zone.records["evil.test", dns.A]
        self.assertEqual(await self.asks("a.test"), Nothing(0.0))

    async def test_noSuchName(self) -> None:
        """
        A name that does not exist, and one without addresses, have none for as
        long as the zone says.
        """
        self.assertEqual(await self.asks("a.test"), Nothing(7.0))
        self.zone.records["b.test", dns.MX] = []
        self.assertEqual(await self.asks("b.test"), Nothing(7.0))

    async def test_broken(self) -> None:
        """
        A server that has failed says nothing about the name.
        """
        self.zone.broken.add("a.test")
        self.assertEqual(
            await self.asks("a.test"), Failed("no name server tells: 127.0.0.1 answers with error 2")
        )
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 4)

    async def test_silent(self) -> None:
        """
        Nor does one that does not answer, after every round.
        """
        self.zone.silent |= {("a.test", dns.A), ("a.test", dns.AAAA)}
        self.assertEqual(await self.asks("a.test"), Failed("no name server tells: 127.0.0.1 does not answer"))
        self.assertEqual(len(self.zone.asked), 4)

    async def test_nextServer(self) -> None:
        """
        Where one does not answer the next is asked.
        """
        dead = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(dead.close)
        dead.bind(("127.0.0.1", 0))
        self.zone.has("a.test", "10.0.0.1", ttl=30)
        servers = (dead.getsockname(), ("127.0.0.1", self.number))
        self.assertEqual(await self.asks("a.test", servers=servers), Found(("10.0.0.1",), 30.0))

    async def test_early(self) -> None:
        """
        With one family known and the other silent, what there is is told
        early; in the end it is said to be half of the truth.
        """
        self.zone.has("a.test", "10.0.0.1", ttl=30)
        self.zone.silent.add(("a.test", dns.AAAA))
        half = Found(("10.0.0.1",), 30.0, True)
        self.assertEqual(await self.asks("a.test"), half)
        self.assertEqual(self.told, [(half, False), (half, True)])

    async def test_search(self) -> None:
        """
        Names with few dots are completed.
        """
        self.zone.has("app.two.test", "10.0.0.1", ttl=30)
        found = await self.asks("app", search=("one.test", "two.test"))
        self.assertEqual(found, Found(("10.0.0.1",), 30.0))
        self.assertEqual(
            list(dict.fromkeys(name for name, _ in self.zone.asked)), ["app.one.test", "app.two.test"]
        )

    async def test_searchUnsure(self) -> None:
        """
        While one of the candidates cannot be told there is no saying that
        there is no such name.
        """
        self.zone.broken.add("app.one.test")
        outcome = await self.asks("app", search=("one.test", "two.test"))
        self.assertEqual(outcome, Failed("no name server tells: 127.0.0.1 answers with error 2"))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 4)

    async def test_long(self) -> None:
        """
        An answer too long for a datagram is fetched by TCP, and that
        connection is not left behind.
        """
        self.zone.has("a.test", *(f"10.0.{number}.1" for number in range(100)), ttl=30)
        found = await self.asks("a.test")
        assert isinstance(found, Found)
        self.assertEqual(len(found.addresses), 100)
        while self.factory.connections:
            turn: Deferred[None] = Deferred()
            reactor.callLater(0.01, turn.callback, None)
            await turn

    async def test_tooLong(self) -> None:
        """
        A name that DNS has no room for fails, and so does having nobody to ask.
        """
        outcome = await self.asks(".".join(["x" * 60] * 6))
        self.assertNotIsInstance(outcome, Found)
        outcome = await self.asks("a.test", servers=())
        self.assertEqual(outcome, Failed("there is no name server to ask"))


class PreferredTests(SynchronousTestCase):
    """
    L{preferred}.
    """

    def test_order(self) -> None:
        """
        IPv6 first, but what cannot be reached last; otherwise the order stays.
        """
        given = ["10.0.0.2", "10.0.0.1", "fd00::1", "10.0.0.2", "2001:db8::1"]
        self.assertEqual(
            preferred(given, lambda each: True), ("fd00::1", "2001:db8::1", "10.0.0.2", "10.0.0.1")
        )
        self.assertEqual(
            preferred(given, lambda each: not each.startswith("2001")),
            ("fd00::1", "10.0.0.2", "10.0.0.1", "2001:db8::1"),
        )

    def test_canReach(self) -> None:
        """
        Loopback can be reached; a limited broadcast cannot, without asking for it.
        """
        self.assertTrue(canReach("127.0.0.1"))
        self.assertFalse(canReach("255.255.255.255"))
