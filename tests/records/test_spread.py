"""
Tests for L{smartproxy_tw.records.spread}.
"""

from __future__ import annotations

from collections.abc import Mapping

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.facts import Address
from smartproxy_tw.records.errors import RecordFailed
from smartproxy_tw.records.lookup import Lookup
from smartproxy_tw.records.spread import whenSeen
from smartproxy_tw.testing.names import FakeNames

ONE, OTHER, THIRD = (Address(f"192.0.2.{number}", 53) for number in (1, 2, 3))
OWNER = "_acme-challenge.a.test"


class SpreadTests(SynchronousTestCase):
    """
    L{whenSeen}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.names = FakeNames()

    def waits(self, servers: Mapping[str, tuple[Address, ...]], patience: float = 60.0) -> Deferred[None]:
        """
        Wait for the text "proof".
        """
        lookup = Lookup(self.names.ask, [])
        return Deferred.fromCoroutine(whenSeen(lookup, self.clock, OWNER, "proof", servers, patience))

    def put(self) -> None:
        """
        It is there, beside another one.
        """
        self.names.has(OWNER, "TXT", '"another"', '"proof"')

    def asked(self) -> list[Address]:
        """
        Who was asked since one asked last.
        """
        found, self.names.asked[:] = [server for server, _ in self.names.asked], []
        return found

    def test_atOnce(self) -> None:
        """
        What all have is seen at the first look.
        """
        self.put()
        self.successResultOf(self.waits({"one": (ONE,), "other": (OTHER,)}))
        self.assertEqual(self.asked(), [ONE, OTHER])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_nobody(self) -> None:
        """
        Where nobody has to have it nothing is waited for.
        """
        self.successResultOf(self.waits({}))

    def test_lags(self) -> None:
        """
        Who does not have it yet is asked again, and nobody else, until all have it.
        """
        self.names.lags(OTHER)
        self.put()
        waiting = self.waits({"one": (ONE,), "other": (OTHER,)})
        self.assertNoResult(waiting)
        self.asked()
        self.clock.advance(0.1)
        self.assertEqual(self.asked(), [OTHER])
        self.names.catchesUp(OTHER)
        self.clock.advance(0.15)
        self.successResultOf(waiting)

    def test_longerAndLonger(self) -> None:
        """
        It is looked less and less often, and at least every five seconds.
        """
        waiting = self.waits({"one": (ONE,)}, patience=120.0)
        pauses = []
        while not waiting.called:
            (call,) = self.clock.getDelayedCalls()
            pauses.append(call.getTime() - self.clock.seconds())
            self.clock.advance(pauses[-1])
        self.failureResultOf(waiting, RecordFailed)
        self.assertAlmostEqual(pauses[0], 0.1)
        self.assertAlmostEqual(max(pauses), 5.0)
        self.assertEqual(pauses, sorted(pauses))
        self.assertLess(sum(pauses), 120.0)

    def test_patience(self) -> None:
        """
        It is given up when the patience is over, not after, and told who has it not and why.
        """
        self.names.goesSilent(OTHER)
        waiting = self.waits({"one": (ONE,), "other": (OTHER,), "nowhere": ()}, patience=3.0)
        self.clock.pump([0.1] * 29)
        said = str(self.failureResultOf(waiting, RecordFailed).value)
        self.assertIn(f"after 3 s not all servers of its zone have the record at {OWNER}", said)
        for each in (
            f"one: {ONE} does not have it yet",
            f"other: {OTHER} gave no answer within 4.5 s",
            "nowhere: it has no address",
        ):
            self.assertIn(each, said)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_oneOfSeveral(self) -> None:
        """
        Of the addresses of one server one has to answer, and none may answer without it.
        """
        self.put()
        self.names.goesSilent(ONE)
        self.successResultOf(self.waits({"one": (ONE, OTHER)}))
        self.names.has(OWNER, "TXT", '"another"')
        self.names.lags(THIRD)
        self.put()
        waiting = self.waits({"one": (ONE, OTHER, THIRD)}, patience=0.1)
        said = str(self.failureResultOf(waiting, RecordFailed).value)
        self.assertIn(f"{THIRD} does not have it yet", said)

    def test_givenUp(self) -> None:
        """
        Who has lost interest has nothing going on any more.
        """
        waiting = self.waits({"one": (ONE,)})
        waiting.cancel()
        self.failureResultOf(waiting)
        self.assertEqual(self.clock.getDelayedCalls(), [])
