"""
Tests for L{smartproxy_tw.bounds.body}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss

from smartproxy_tw.bounds.body import BoundedBody, TooMuch


class Connection:
    """
    What a body comes by.
    """

    def __init__(self) -> None:
        self.stops = 0

    def stopProducing(self) -> None:
        """
        It is closed.
        """
        self.stops += 1


class BoundedBodyTests(SynchronousTestCase):
    """
    L{BoundedBody}.
    """

    def body(self, limit: int) -> BoundedBody:
        """
        One of at most so many bytes.
        """
        self.connection: Any = Connection()
        body = BoundedBody(limit)
        body.makeConnection(self.connection)
        return body

    def ends(self, body: BoundedBody, why: Exception) -> None:
        """
        It ends like this.
        """
        body.connectionLost(Failure(why))  # type: ignore[no-untyped-call]

    def test_whole(self) -> None:
        """
        However it comes, the whole of it is there in the end, and not before; it may be just as
        large as it may be.
        """
        data = b"0123456789"
        for cut in range(len(data) + 1):
            body = self.body(len(data))
            for piece in (data[:cut], data[cut:]):
                body.dataReceived(piece)
            self.assertNoResult(body.whole)
            self.ends(body, ResponseDone())
            self.assertEqual(self.successResultOf(body.whole), data)
            self.assertEqual(self.connection.stops, 0)

    def test_empty(self) -> None:
        """
        There may be nothing in it.
        """
        body = self.body(0)
        self.ends(body, ResponseDone())
        self.assertEqual(self.successResultOf(body.whole), b"")

    def test_tooMuch(self) -> None:
        """
        One byte more is too much, at once: the connection is closed, and what comes from it all
        the same does not matter.
        """
        for pieces in ((b"0123456789x",), (b"01234", b"56789", b"x")):
            body = self.body(10)
            for piece in pieces:
                body.dataReceived(piece)
            self.failureResultOf(body.whole, TooMuch)
            self.assertEqual(self.connection.stops, 1)
            body.dataReceived(b"more")
            self.ends(body, ConnectionLost())
            self.assertEqual(self.connection.stops, 1)

    def test_noLength(self) -> None:
        """
        What ends with its connection counts as whole, as HTTP/1.0 had it.
        """
        for why in (PotentialDataLoss(), None):
            body = self.body(10)
            body.dataReceived(b"abc")
            body.connectionLost(None if why is None else Failure(why))  # type: ignore[no-untyped-call]
            self.assertEqual(self.successResultOf(body.whole), b"abc")

    def test_broken(self) -> None:
        """
        What breaks off is none.
        """
        body = self.body(10)
        body.dataReceived(b"abc")
        self.ends(body, ConnectionLost())
        self.failureResultOf(body.whole, ConnectionLost)

    def test_cancelled(self) -> None:
        """
        Nobody who has lost interest pays for the rest: the connection is closed.
        """
        body = self.body(10)
        body.dataReceived(b"abc")
        body.whole.cancel()
        self.failureResultOf(body.whole, CancelledError)
        self.assertEqual(self.connection.stops, 1)
        self.ends(body, ConnectionLost())

    def test_early(self) -> None:
        """
        There may be no connection yet.
        """
        body = BoundedBody(10)
        body.whole.cancel()
        self.failureResultOf(body.whole, CancelledError)
