"""
Tests for L{smartproxy_tw.upstream.denial}.
"""

from __future__ import annotations

from smartproxy_tw.plane.link import UpstreamFailure
from smartproxy_tw.upstream.denial import Denial, Pending

from .loop import LoopTests


class DenialTests(LoopTests):
    """
    L{Denial}, on a poller.
    """

    def setUp(self) -> None:
        super().setUp()
        self.told: list[UpstreamFailure] = []

    def denies(self) -> Denial:
        """
        Somebody asks where nothing can be had.
        """
        return Denial(self.poller, "no target can be had: all are drained", self.told.append)

    def test_told(self) -> None:
        """
        It is told in a turn of its own, when whoever asked knows whom he asked, once, and as something
        that a later request may not meet: 503.
        """
        self.denies()
        self.assertEqual(self.told, [])
        self.loop.turns()
        self.loop.turns()
        self.assertEqual(self.told, [UpstreamFailure("no target can be had: all are drained", isBusy=True)])

    def test_cancelled(self) -> None:
        """
        Who has left is not told, however often he says so, and nobody else is kept from it.
        """
        denial: Pending = self.denies()
        self.denies()
        denial.cancel()
        denial.cancel()
        self.loop.turns()
        self.assertEqual(len(self.told), 1)
        denial.cancel()

    def test_cancelledWhileTelling(self) -> None:
        """
        One who is told may cancel it, as he may with any attempt.
        """

        def leave(_: UpstreamFailure) -> None:
            self.told.append(_)
            denial.cancel()

        denial = Denial(self.poller, "there is none", leave)
        self.loop.turns()
        self.assertEqual(len(self.told), 1)

    def test_fault(self) -> None:
        """
        Where one who is told fails, the others are told all the same, and he is not told twice.
        """
        calls: list[UpstreamFailure] = []

        def fails(failure: UpstreamFailure) -> None:
            calls.append(failure)
            raise ZeroDivisionError

        Denial(self.poller, "there is none", fails)
        self.denies()
        self.loop.turns()
        self.loop.turns()
        self.assertEqual((len(calls), len(self.told)), (1, 1))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
