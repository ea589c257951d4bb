"""
Tests for L{smartproxy_tw.actions.delivery}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.actions.asked import FAILED
from smartproxy_tw.actions.delivery import Delivery

from .recording import RecordingExchange, RecordingOutlet


class DeliveryTests(SynchronousTestCase):
    """
    L{Delivery}.
    """

    def setUp(self) -> None:
        self.exchange = RecordingExchange()
        self.told: list[str] = []
        self.delivery = Delivery(self.exchange, lambda: self.told.append("ended"))

    def begun(self, length: int | None) -> RecordingOutlet:
        """
        An answer in pieces.
        """
        self.delivery.begin(200, b"", length)
        assert self.exchange.outlet is not None
        return self.exchange.outlet

    def taken(self) -> None:
        """
        There is room.
        """
        self.told.append("taken")

    def test_whole(self) -> None:
        """
        All at once; what comes after that is dropped.
        """
        self.delivery.respond(200, b"A: b\r\n", None, b"body", False)
        self.delivery.respond(500, b"", None, b"", False)
        self.delivery.fail()
        self.assertEqual(self.exchange.asked, [("respond", 200, b"A: b\r\n", b"body")])
        self.assertEqual(self.told, ["ended"])
        self.assertTrue(self.delivery.isOver)

    def test_lengths(self) -> None:
        """
        What was promised is held to: too much is cut, too little breaks off, and HEAD has what GET
        would have.
        """
        for length, body, isHead, wanted in (
            (4, b"body", False, ("respond", 200, b"", b"body")),
            (2, b"body", False, ("begin", 200, b"", 2)),
            (9, b"body", False, ("begin", 200, b"", 9)),
            (9, b"", True, ("begin", 200, b"", 9)),
            (None, b"body", True, ("begin", 200, b"", 4)),
        ):
            self.setUp()
            self.delivery.respond(200, b"", length, body, isHead)
            self.assertEqual(self.exchange.asked, [wanted])
            if self.exchange.outlet is not None:
                self.assertEqual(self.exchange.outlet.data, b"" if isHead else body[:length])

    def test_pieces(self) -> None:
        """
        Who writes is told when there is room.
        """
        outlet = self.begun(None)
        self.delivery.write(b"one", self.taken)
        self.assertEqual(self.told, ["taken"])
        outlet.room = 1
        self.delivery.write(b"two", self.taken)
        self.assertEqual(self.told, ["taken"])
        outlet.takes(100)
        self.assertEqual(self.told, ["taken", "taken"])
        self.delivery.finish()
        self.delivery.finish()
        self.assertEqual((outlet.data, outlet.end), (b"onetwo", "finish"))

    def test_pieceAfterHead(self) -> None:
        """
        The first piece has the head with it, those that follow have none.
        """
        self.delivery.piece((201, b"A: b\r\n", 6), b"one", self.taken)
        self.delivery.piece(None, b"two", self.taken)
        self.assertEqual(self.exchange.asked, [("begin", 201, b"A: b\r\n", 6)])
        assert self.exchange.outlet is not None
        self.assertEqual((self.exchange.outlet.data, self.told), (b"onetwo", ["taken", "taken"]))

    def test_cut(self) -> None:
        """
        Pieces beyond the length are not sent.
        """
        outlet = self.begun(4)
        for piece in (b"abc", b"def", b"ghi"):
            self.delivery.write(piece, self.taken)
        self.assertEqual(outlet.data, b"abcd")

    def test_fails(self) -> None:
        """
        500 before an answer has begun, and an end that nobody takes for one after that.
        """
        self.delivery.fail()
        self.assertEqual(self.exchange.asked, [("respond", *FAILED)])
        self.setUp()
        outlet = self.begun(None)
        self.delivery.fail()
        self.assertEqual(outlet.end, "abort")

    def test_leaves(self) -> None:
        """
        Who waits for room when the client leaves is told, and so is who writes after that.
        """
        outlet = self.begun(None)
        outlet.room = 0
        self.delivery.write(b"x", self.taken)
        self.exchange.end()
        self.assertEqual(self.told, ["taken", "ended"])
        self.assertTrue(self.delivery.isOver)
        self.delivery.write(b"y", self.taken)
        self.assertEqual(self.told, ["taken", "ended", "taken"])


class _Unwilling(RecordingExchange):
    """
    An exchange whose answers meet a bug.
    """

    def respond(self, status: int, fields: bytes, body: bytes) -> None:
        """It cannot."""
        raise ZeroDivisionError

    def begin(self, status: int, fields: bytes, length: int | None) -> RecordingOutlet:
        """It cannot."""
        raise ZeroDivisionError


class FaultTests(SynchronousTestCase):
    """
    What meets a bug on its way to the client, such as one of a lens.
    """

    def test_begun(self) -> None:
        """
        It is broken off, and whoever writes in another thread does not wait for ever.
        """
        told: list[str] = []
        for whole in (True, False):
            exchange = _Unwilling()
            delivery = Delivery(exchange)
            if whole:
                delivery.respond(200, b"", None, b"body", False)
            else:
                delivery.begin(200, b"", None)
                delivery.write(b"piece", lambda: told.append("taken"))
                self.assertEqual(told, ["taken"])
            self.assertEqual(exchange.asked, [("abort",)])
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_later(self) -> None:
        """
        So is what meets one in its pieces, or at its end.
        """
        told: list[str] = []
        for isEnd in (True, False):
            exchange = RecordingExchange()
            delivery = Delivery(exchange)
            delivery.begin(200, b"", None)
            assert exchange.outlet is not None

            def bug(*_: object) -> None:
                raise ZeroDivisionError

            exchange.outlet.write = exchange.outlet.finish = bug  # type: ignore[method-assign]
            if isEnd:
                delivery.finish()
            else:
                delivery.write(b"piece", lambda: told.append("taken"))
                self.assertEqual(told, ["taken"])
            self.assertEqual(exchange.asked[1:], [("abort",)])
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
