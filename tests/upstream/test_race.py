"""
Several addresses of one name, and the first that answers.
"""

from __future__ import annotations

import socket

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from smartproxy_tw.plane.wires import isConnected
from smartproxy_tw.upstream.place import Where, where
from smartproxy_tw.upstream.race import Race, interleaved

from ..examples import examples
from ..plane.harness import lacksIPv6
from .loop import LoopTests


class InterleavedTests(SynchronousTestCase):
    """
    L{interleaved}.
    """

    def test_familiesTakeTurns(self) -> None:
        """
        The first address stays first, then the families take turns, and what
        is left of the longer one comes last.
        """
        for given_, wanted in (
            (["1.1.1.1"], ["1.1.1.1"]),
            (["::1", "::2", "1.1.1.1"], ["::1", "1.1.1.1", "::2"]),
            (["1.1.1.1", "::1", "1.1.1.2", "1.1.1.3"], ["1.1.1.1", "::1", "1.1.1.2", "1.1.1.3"]),
            (["::1", "::2", "::3", "1.1.1.1", "1.1.1.2"], ["::1", "1.1.1.1", "::2", "1.1.1.2", "::3"]),
        ):
            self.assertEqual(interleaved(given_), wanted)

    def test_family(self) -> None:
        """
        They begin with the family that is known to be of use, if it is there.
        """
        both = ["::1", "::2", "1.1.1.1"]
        self.assertEqual(interleaved(both, socket.AF_INET), ["1.1.1.1", "::1", "::2"])
        self.assertEqual(interleaved(both, socket.AF_INET6), ["::1", "1.1.1.1", "::2"])
        self.assertEqual(interleaved(["::1", "::2"], socket.AF_INET), ["::1", "::2"])

    @examples()
    @given(st.lists(st.sampled_from(["1.1.1.1", "1.1.1.2", "::1", "::2", "::3"]), min_size=1, unique=True))
    def test_nothingIsLost(self, addresses: list[str]) -> None:
        """
        It is the same addresses, the first one first, each family in its order.
        """
        found = interleaved(addresses)
        self.assertEqual(sorted(found), sorted(addresses))
        self.assertEqual(found[0], addresses[0])
        for isSixth in (True, False):
            order = [each for each in addresses if (":" in each) is isSixth]
            self.assertEqual([each for each in found if (":" in each) is isSixth], order)


class RaceTests(LoopTests):
    """
    L{Race}.
    """

    def setUp(self) -> None:
        """Nobody has won yet."""
        super().setUp()
        self.winner: tuple[str, int] | None = None
        self.reason: str | None = None

    def won(self, sock: socket.socket, event: int) -> None:
        """See L{Racer<smartproxy_tw.upstream.race.Racer>}."""
        self.winner = sock.getpeername()[:2] if isConnected(sock) else ("still connecting", 0)
        self.poller.forget(sock.fileno())
        sock.close()

    def lost(self, reason: str) -> None:
        """See L{Racer<smartproxy_tw.upstream.race.Racer>}."""
        self.reason = reason

    def crash(self) -> None:
        """See L{Racer<smartproxy_tw.upstream.race.Racer>}."""
        self.race.cancel()

    def races(self, *course: socket.socket | Where) -> Race:
        """
        Begin.
        """
        self.race = Race(self.poller, self.loop.callLater, self)
        self.race.begin([self.where(each) for each in course])
        return self.race

    def where(self, each: socket.socket | Where) -> Where:
        """
        The address of a server.
        """
        return where(*each.getsockname()[:2]) if isinstance(each, socket.socket) else each

    def delays(self) -> int:
        """
        How many delays are pending, but for the poller's own.
        """
        return len([call for call in self.loop.getDelayedCalls() if call.func == self.race._late])

    def test_firstAnswers(self) -> None:
        """
        When the first one answers no other is tried.
        """
        one, two = self.listens(), self.listens()
        self.races(one, two)
        self.loop.turns()
        self.assertEqual(self.winner, one.getsockname())
        self.loop.turns(1)
        self.assertRaises(BlockingIOError, two.accept)
        self.assertEqual(self.delays(), 0)

    def test_firstIsSlow(self) -> None:
        """
        When it does not answer for a quarter of a second the second is tried
        beside it, wins, and the first is closed.
        """
        slow, quick = self.ignores(), self.listens()
        self.races(slow, quick)
        self.loop.turns(0.24)
        self.assertIsNone(self.winner)
        self.assertRaises(BlockingIOError, quick.accept)
        self.loop.turns(0.02)
        self.assertEqual(self.winner, quick.getsockname())
        self.assertEqual(self.delays(), 0)

    def test_firstFails(self) -> None:
        """
        When it fails the next is tried at once.
        """
        server = self.listens()
        self.races(self.refuses(), self.refuses(), server)
        self.loop.turns()
        self.assertEqual(self.winner, server.getsockname())
        self.assertEqual(self.delays(), 0)

    def test_failureWhileOneWaits(self) -> None:
        """
        A failure starts the next one while an earlier one is still waited for.
        """
        server = self.listens()
        self.races(self.ignores(), self.refuses(), server)
        self.loop.turns(0.25)
        self.assertEqual(self.winner, server.getsockname())

    def test_firstWinsLate(self) -> None:
        """
        One that was overtaken may still win; the later one is closed.
        """
        slow, slower = self.ignores(), self.ignores()
        self.races(slow, slower)
        self.loop.turns(0.3)
        self.assertEqual(len(self.poller.handlers), 2)
        self.race._running[0].ready(0)
        self.assertEqual(self.winner, ("still connecting", 0))
        self.assertEqual(self.poller.handlers, {})

    def test_allFail(self) -> None:
        """
        When all fail the last reason is told, once.
        """
        self.races(self.refuses(), self.refuses())
        self.assertIsNone(self.reason)
        self.loop.turns()
        self.assertEqual(self.reason, "Connection refused")
        self.assertIsNone(self.winner)

    def test_noneCanBeTried(self) -> None:
        """
        An address that the system will not even try is a failure too, told
        after the beginning.
        """
        self.races((socket.AF_INET, ("255.255.255.255", 1)), (socket.AF_UNIX, "/nowhere/at/all"))
        self.assertIsNone(self.reason)
        self.loop.turns()
        self.assertEqual(self.reason, "No such file or directory")

    def test_cancelled(self) -> None:
        """
        Whoever cancels is told nothing, and nothing is left.
        """
        race = self.races(self.ignores(), self.ignores(), self.listens())
        self.loop.turns(0.3)
        self.assertEqual(len(self.poller.handlers), 2)
        race.cancel()
        self.loop.turns(1)
        self.assertEqual((self.winner, self.reason, self.delays()), (None, None, 0))

    def test_cancelledBeforeFailure(self) -> None:
        """
        Likewise when all had failed already.
        """
        self.races((socket.AF_UNIX, "/nowhere/at/all")).cancel()
        self.loop.turns(1)
        self.assertIsNone(self.reason)

    def test_bothFamilies(self) -> None:
        """
        An address of one family is raced against one of the other.
        """
        if why := lacksIPv6():
            raise SkipTest(why)
        server = self.listens("::1")
        self.races(self.ignores(), server)
        self.loop.turns(0.3)
        self.assertEqual(self.winner, server.getsockname()[:2])

    def test_bug(self) -> None:
        """
        A bug ends the whole race.
        """
        self.races(self.ignores(), self.ignores())
        self.loop.turns(0.3)
        runner = self.race._running[0]
        runner.crash()
        self.assertEqual(self.poller.handlers, {})
