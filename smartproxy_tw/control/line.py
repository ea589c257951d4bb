"""
The supervisor's end of the line to a worker.
"""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from .gains import gained
from .messages import Drain, Leaving, Letter, Recent, Reopen, Report, Talk, Tally, Tell, keysOf, tallied

__all__ = ["Hearer", "ILine", "Line"]


class Hearer(Protocol):
    """
    Who is told what a worker says by itself.
    """

    def leaves(self) -> None:
        """
        It accepts nothing any more, and will end.
        """

    def reports(self, tally: dict[str, int]) -> None:
        """
        Its last counts.
        """

    def lost(self) -> None:
        """
        The line is lost.
        """


class ILine(Protocol):
    """
    What can be asked of a worker.  Each fails with whatever the line ended with
    when it is lost.
    """

    def tell(self, letter: Letter, port: int | None, isWhole: bool) -> Deferred[Any]:
        """
        See L{Tell}.

        @param port: The descriptor of a listening socket.
        """

    def drain(self, seconds: float, streams: float) -> Deferred[int]:
        """
        See L{Drain}.
        """

    def tally(self) -> Deferred[dict[str, int]]:
        """
        See L{Tally}.

        @return: Fires with the counts since the start: the same dictionary each time.
        """

    def recent(self) -> Deferred[tuple[str, ...]]:
        """
        See L{Recent}.
        """

    def reopen(self) -> Deferred[Any]:
        """
        See L{Reopen}.
        """

    def hangUp(self) -> None:
        """
        End the line.
        """


class Line(Talk):
    """
    One line, over a UNIX socket.
    """

    def __init__(self, hearer: Hearer) -> None:
        """
        @param hearer: Who is told what comes unasked.
        """
        super().__init__()
        self._hearer = hearer
        self._counts: dict[str, int] = {}

    def tell(self, letter: Letter, port: int | None, isWhole: bool) -> Deferred[Any]:
        """
        See L{ILine}.
        """
        return self.ask(Tell, port=port, isWhole=isWhole, **letter.arguments)

    def drain(self, seconds: float, streams: float) -> Deferred[int]:
        """
        See L{ILine}.
        """
        return self.ask(Drain, seconds=float(seconds), streams=float(streams)).addCallback(
            lambda answer: answer["cut"]
        )

    def tally(self) -> Deferred[dict[str, int]]:
        """
        See L{ILine}.
        """
        return self.ask(Tally).addCallback(self._counted)

    def _counted(self, answer: dict[str, Any]) -> Deferred[dict[str, int]] | dict[str, int]:
        gained(self._counts, tallied(answer["tally"]))
        return self.tally() if answer["isMore"] else self._counts

    def recent(self) -> Deferred[tuple[str, ...]]:
        """
        See L{ILine}.
        """
        return self.ask(Recent).addCallback(lambda answer: keysOf(answer["keys"]))

    def reopen(self) -> Deferred[Any]:
        """
        See L{ILine}.
        """
        return self.ask(Reopen)

    def hangUp(self) -> None:
        """
        See L{ILine}.
        """
        if self.transport is not None:
            self.transport.loseConnection()

    @Leaving.responder
    def heardLeaving(self) -> dict[str, Any]:
        """
        See L{Leaving}.
        """
        self._hearer.leaves()
        return {}

    @Report.responder
    def heardReport(self, tally: bytes) -> dict[str, Any]:
        """
        See L{Report}.
        """
        gained(self._counts, tallied(tally))
        self._hearer.reports(self._counts)
        return {}

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The line is lost.
        """
        super().connectionLost(reason)
        self._hearer.lost()
