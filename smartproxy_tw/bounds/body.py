"""
One body of an answer by HTTP, up to a size.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss

__all__ = ["BoundedBody", "TooMuch"]


class TooMuch(Exception):
    """
    The answer is larger than any should be.
    """


class BoundedBody(Protocol):
    """
    Collects one body.

    @ivar whole: Fires with it; fails with L{TooMuch}, or with what ended the
        connection.  Cancelling it closes the connection.
    """

    def __init__(self, limit: int) -> None:
        """
        @param limit: So many bytes, and no more.
        """
        self._limit = limit
        self._parts: list[bytes] = []
        self.whole: Deferred[bytes] = Deferred(lambda _: self._hangUp())

    def dataReceived(self, data: bytes) -> None:
        if self.whole.called:
            return
        self._limit -= len(data)
        if self._limit >= 0:
            self._parts.append(data)
            return
        self._hangUp()
        self.whole.errback(TooMuch("its answer is too large"))

    def connectionLost(self, reason: Failure | None = None) -> None:
        if self.whole.called:
            return
        # An answer that ends by the connection's end may be cut: who asked sees
        # whether it makes sense.
        if reason is None or isinstance(reason.value, ResponseDone | PotentialDataLoss):
            self.whole.callback(b"".join(self._parts))
        else:
            self.whole.errback(reason)

    def _hangUp(self) -> None:
        # The transport here is a producer that stands for the connection, and
        # to stop it for good closes that.  loseConnection would wait for TLS
        # to say good-bye, and a peer that drips bytes never does.
        producer: Any = self.transport
        if producer is not None:
            producer.stopProducing()
