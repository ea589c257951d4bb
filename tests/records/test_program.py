"""
Tests for L{smartproxy_tw.records.program}.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from smartproxy_tw.config.model import Hook
from smartproxy_tw.facts import DNS01, Address
from smartproxy_tw.interfaces import IRecords
from smartproxy_tw.records.errors import RecordFailed
from smartproxy_tw.records.places import Place
from smartproxy_tw.records.program import Deed, ProgramRecords
from smartproxy_tw.testing.names import FakeNames

SERVER = Address("192.0.2.1", 53)
SETTINGS = Hook(("unused",), resolvers=(SERVER,), nameServers=(SERVER,))


class Told(ProgramRecords):
    """
    Notes what a program would be told, and ends it when the test says so.
    """

    def __init__(self, names: FakeNames) -> None:
        super().__init__(Clock(), SETTINGS, names.ask)
        self.begun: list[tuple[Deed, str, str, str]] = []
        self.ends: list[Deferred[None]] = []

    def change(self, deed: Deed, place: Place, record: DNS01) -> Deferred[None]:
        return self.inTurn(lambda: self._run(deed, place, record))

    async def _run(self, deed: Deed, place: Place, record: DNS01) -> None:
        self.begun.append((deed, place.zone, place.owner, record.value))
        end: Deferred[None] = Deferred()
        self.ends.append(end)
        await end


class ProgramRecordsTests(SynchronousTestCase):
    """
    A zone, and a program that is nothing but told.
    """

    def setUp(self) -> None:
        self.names = FakeNames()
        self.names.has("a.test", "SOA", "ns.a.test. ops.a.test. 1 2 3 4 5")
        self.names.has("_acme-challenge.a.test", "TXT", '"one"', '"two"')
        self.records = Told(self.names)

    def test_interface(self) -> None:
        """
        It is one of the ways to have records, and so is whatever is made of it.
        """
        verifyObject(IRecords, self.records)

    def test_present(self) -> None:
        """
        The place is found first, and the record looked for when the program has ended.
        """
        presenting = self.records.present(DNS01("a.test", "one"))
        self.assertEqual(self.records.begun, [("present", "a.test", "_acme-challenge.a.test", "one")])
        before = len(self.names.asked)
        self.assertNoResult(presenting)
        self.records.ends[0].callback(None)
        self.successResultOf(presenting)
        self.assertEqual(self.names.asked[before:], [(SERVER, "TXT _acme-challenge.a.test")])

    def test_withdraw(self) -> None:
        """
        It is removed where it was added, even when the name leads elsewhere since, and
        nothing is waited for.
        """
        presenting = self.records.present(DNS01("a.test", "one"))
        self.records.ends[0].callback(None)
        self.successResultOf(presenting)
        self.names.has("_acme-challenge.a.test", "CNAME", "proof.a.test.")
        before = len(self.names.asked)
        withdrawing = self.records.withdraw(DNS01("a.test", "one"))
        self.assertEqual(self.records.begun[1:], [("cleanup", "a.test", "_acme-challenge.a.test", "one")])
        self.records.ends[1].callback(None)
        self.successResultOf(withdrawing)
        self.assertEqual(self.names.asked[before:], [])

    def test_recall(self) -> None:
        """
        A record outlives the process that added it: nothing is to be done.
        """
        self.successResultOf(self.records.recall(DNS01("a.test", "one")))
        self.assertEqual((self.records.begun, self.names.asked), ([], []))

    def test_failed(self) -> None:
        """
        What the program failed with is what it fails with, and nothing is looked for.
        """
        presenting = self.records.present(DNS01("a.test", "one"))
        before = len(self.names.asked)
        self.records.ends[0].errback(RecordFailed("it would not"))
        self.assertEqual(str(self.failureResultOf(presenting, RecordFailed).value), "it would not")
        self.assertEqual(len(self.names.asked), before)

    def test_few(self) -> None:
        """
        Four run at a time; whoever is given up while waiting never runs.
        """
        waiting = [self.records.withdraw(DNS01("a.test", str(number))) for number in range(6)]
        self.assertEqual([each[3] for each in self.records.begun], ["0", "1", "2", "3"])
        waiting[4].addErrback(lambda _: None).cancel()
        self.records.ends[2].callback(None)
        self.assertEqual([each[3] for each in self.records.begun], ["0", "1", "2", "3", "5"])
        for end in (self.records.ends[0], self.records.ends[1], self.records.ends[3], self.records.ends[4]):
            end.callback(None)
        for each in waiting:
            self.successResultOf(each)
