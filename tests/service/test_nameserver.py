"""
Tests for L{smartproxy_tw.service.nameserver}.
"""

from __future__ import annotations

import socket
from typing import Any

from dns.message import make_query
from twisted.internet import reactor as _reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import TestCase

from smartproxy_tw.config.model import TLS, Acme, Auto, Block, Config, OwnZones, Route
from smartproxy_tw.facts import DNS01, Address
from smartproxy_tw.records.lookup import Lookup
from smartproxy_tw.records.questions import Questions
from smartproxy_tw.records.zone import Zones
from smartproxy_tw.service.berths import Berths
from smartproxy_tw.service.errors import ListenError
from smartproxy_tw.service.nameserver import NameServer
from smartproxy_tw.service.presenting import nameServerOf, recordsOf
from smartproxy_tw.service.tree import SmartProxy

from ..ports import freePorts

reactor: Any = _reactor


class NameServerTests(TestCase):
    """
    Over real sockets: the clients are ours and plain ones.
    """

    timeout = 300

    def test_answers(self) -> Deferred[None]:
        """
        It answers by UDP, by TCP when that is too small, and no more when it is
        closed.
        """
        return Deferred.fromCoroutine(self._answers())

    async def _answers(self) -> None:
        address = Address("127.0.0.1", freePorts(1)[0])
        zones = Zones(("p.test",), "ns.test")
        server = NameServer(Berths(reactor), zones, (address,))
        server.bind()
        server.bind()
        silent = Questions(reactor).ask(make_query("p.test.", "SOA"), address)
        asked = Deferred.fromCoroutine(silent)
        reactor.callLater(0.1, asked.cancel)
        try:
            await asked
        except CancelledError:
            pass
        else:
            self.fail("it answered before it knew what to say")
        server.begin()
        self.addCleanup(server.close)
        questions = Questions(reactor)
        lookup = Lookup(questions.ask, [address])
        wanted = {f"{number:043}" for number in range(20)}
        for text in wanted:
            await zones.present(DNS01("a.test", text))
        self.assertEqual(await lookup.texts("a.test.p.test", address), wanted)
        await zones.present(DNS01("b.test", "one"))
        self.assertEqual(await lookup.texts("b.test.p.test", address), {"one"})
        refused = await questions.ask(make_query("example.com.", "A"), address)
        self.assertEqual(int(refused.rcode()), 5)
        await server.close()
        with socket.socket() as probe:
            self.assertNotEqual(probe.connect_ex(address), 0)

    async def test_asConfigured(self) -> None:
        """
        It answers where it is told to, for the zones that it is told, by the name that it is told,
        and for no other.
        """
        first, second, third = (Address("127.0.0.1", number) for number in freePorts(3))
        settings = OwnZones(("p.test", "q.test"), "ns.example", (first, second))
        config = Config((), "/nowhere", acme=Acme(challenges=("dns-01",), dns=settings))
        records = recordsOf(reactor, config)
        assert isinstance(records, Zones)
        server = nameServerOf(Berths(reactor), config, records)
        assert server is not None
        server.bind()
        server.begin()
        self.addCleanup(server.close)
        await records.present(DNS01("a.test", "proof"))
        questions = Questions(reactor)
        for address in (first, second):
            for zone in ("p.test", "q.test"):
                answer = await questions.ask(make_query(f"{zone}.", "SOA"), address)
                [[soa]] = answer.answer
                self.assertEqual(soa.mname.to_text(), "ns.example.")
                self.assertEqual(
                    await Lookup(questions.ask, [address]).texts(f"a.test.{zone}", address), {"proof"}
                )
            refused = await questions.ask(make_query("r.test.", "SOA"), address)
            self.assertEqual(int(refused.rcode()), 5)
        with socket.socket() as probe:
            self.assertNotEqual(probe.connect_ex(third), 0)

    def test_taken(self) -> None:
        """
        A port that is taken stops the start, before anything else, and says where
        that was configured.
        """
        address = Address("127.0.0.1", freePorts(1)[0])
        with socket.socket() as holder:
            holder.bind(address)
            holder.listen()
            route = Route(
                "a", (freePorts(1)[0],), Block(), "http", ("a.test",), tls=TLS("terminate", Auto(("a.test",)))
            )
            acme = Acme(challenges=("dns-01",), dns=OwnZones(("p.test",), "ns.test", (address,)))
            proxy = SmartProxy(Config((route,), self.mktemp(), bind=("127.0.0.1",), acme=acme), reactor)
            why = self.assertRaises(ListenError, proxy.privilegedStartService)
            self.assertIn(f"Cannot listen on {address} (acme.dns.listen)", str(why))
            self.assertEqual(why.addresses, (address,))
            return self.assertFailure(proxy.whenReady(), ListenError)
