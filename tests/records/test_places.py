"""
Tests for L{smartproxy_tw.records.places}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import Records
from smartproxy_tw.facts import DNS01, Address
from smartproxy_tw.records import places
from smartproxy_tw.records.errors import RecordFailed
from smartproxy_tw.records.places import Place, Places
from smartproxy_tw.testing.names import FakeNames

RESOLVER, SERVER, CHOSEN = (Address(f"192.0.2.{number}", 53) for number in (1, 2, 3))
RECORD = DNS01("a.test", "proof")
OWNER = "_acme-challenge.a.test"


class PlacesTests(SynchronousTestCase):
    """
    L{Places}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.names = FakeNames()
        self.names.has("a.test", "SOA", "ns.a.test. ops.a.test. 1 2 3 4 5")
        self.names.has("a.test", "NS", "ns.a.test.")
        self.names.has("ns.a.test", "A", SERVER.host)

    def places(self, **settings: Any) -> Places:
        """
        As configured.
        """
        return Places(self.clock, Records(resolvers=(RESOLVER,), **settings), self.names.ask)

    def find(self, finding: Places, record: DNS01 = RECORD) -> Deferred[Place]:
        """
        Where it goes.
        """
        return Deferred.fromCoroutine(finding.find(record))

    def recall(self, finding: Places) -> Deferred[Place]:
        """
        Where it went.
        """
        return Deferred.fromCoroutine(finding.recall(RECORD))

    def test_find(self) -> None:
        """
        Below the name, in the zone that this is in.
        """
        self.assertEqual(self.successResultOf(self.find(self.places())), Place(OWNER, "a.test"))

    def test_alias(self) -> None:
        """
        Where a CNAME leads, in the zone of that.
        """
        self.names.has(OWNER, "CNAME", "proofs.b.test.")
        self.names.has("b.test", "SOA", "ns.b.test. ops.b.test. 1 2 3 4 5")
        self.assertEqual(self.successResultOf(self.find(self.places())), Place("proofs.b.test", "b.test"))

    def test_zone(self) -> None:
        """
        A zone that is configured is not looked for; what is not in it cannot be put there, also
        where its name ends alike.
        """
        self.assertEqual(self.successResultOf(self.find(self.places(zone="test"))), Place(OWNER, "test"))
        self.assertEqual(
            self.successResultOf(self.find(self.places(zone=OWNER))),
            Place(OWNER, OWNER),
        )
        for zone in ("b.test", "x.a.test", "lenge.a.test"):
            failure = self.failureResultOf(self.find(self.places(zone=zone)), RecordFailed)
            self.assertEqual(
                str(failure.value), f"{OWNER} is not in the zone {zone} that acme.dns.zone names"
            )

    def test_recall(self) -> None:
        """
        Where it was put it is removed, although the name leads elsewhere since; what an earlier
        process put is looked for.
        """
        finding = self.places()
        self.successResultOf(self.find(finding))
        self.names.has(OWNER, "CNAME", "proofs.a.test.")
        asked = len(self.names.asked)
        self.assertEqual(self.successResultOf(self.recall(finding)), Place(OWNER, "a.test"))
        self.assertEqual(len(self.names.asked), asked)
        self.assertEqual(self.successResultOf(self.recall(self.places())), Place("proofs.a.test", "a.test"))

    def test_whenSeen(self) -> None:
        """
        All servers of the zone have to have it, or those that are configured in their place.
        """
        for settings, server in (({}, SERVER), ({"nameServers": (CHOSEN,)}, CHOSEN)):
            self.setUp()
            finding = self.places(**settings)
            place = self.successResultOf(self.find(finding))
            self.names.has(OWNER, "TXT", '"another"')
            self.names.lags(server)
            self.names.has(OWNER, "TXT", '"another"', '"proof"')
            waiting = Deferred.fromCoroutine(finding.whenSeen(place, RECORD))
            self.assertNoResult(waiting)
            self.names.catchesUp(server)
            self.clock.advance(0.1)
            self.successResultOf(waiting)
            asked = {each for each, what in self.names.asked if what.startswith("TXT")}
            self.assertEqual(asked, {server})

    def test_resolversOfTheSystem(self) -> None:
        """
        Where none are configured those of the system are asked.
        """
        self.patch(places, "systemResolvers", lambda: (CHOSEN,))
        finding = Places(self.clock, Records(), self.names.ask)
        self.successResultOf(self.find(finding))
        self.assertEqual({server for server, _ in self.names.asked}, {CHOSEN})
