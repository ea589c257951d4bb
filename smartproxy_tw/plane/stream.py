"""
A stream is a client connection that is not HTTP, while its route decides and a
target is being connected to.  After that it is a tunnel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import implementer

from ..interfaces import IStream, IUpstream
from .link import UpstreamFailure
from .poller import BROKEN, ENDED, READABLE
from .served import Served
from .spell import spellOf
from .tunnel import Tunnel
from .wires import isConnected

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from twisted.internet.interfaces import IProtocolFactory

    from ..config.model import Route
    from ..facts import ConnectionFacts
    from .engine import Entrance
    from .wires import Wire

__all__ = ["Stream"]


@implementer(IStream)
class Stream:
    """
    @ivar connection: What is known of the client.
    @ivar wire: Its connection; owned.
    @ivar deadline: For the poller; connecting has its own.
    """

    isStream = True
    __slots__ = (
        "_attempt",
        "_early",
        "_engine",
        "_entrance",
        "_hasEntered",
        "_hasTold",
        "_isHot",
        "_isOver",
        "_onEnd",
        "_route",
        "_started",
        "_targetEnded",
        "connection",
        "deadline",
        "wire",
    )

    def __init__(
        self,
        entrance: Entrance,
        wire: Wire,
        connection: ConnectionFacts,
        route: Route,
        isHot: bool,
        early: bytes = b"",
    ) -> None:
        """
        Take over a wire that is registered with the poller, and act.

        @param route: The one that took it.
        @param isHot: Whether there may be something to read for which no event
            will come.
        @param early: What was read of it already.
        """
        self._entrance = entrance
        self._engine = engine = entrance.engine
        self.wire = wire
        self.connection = connection
        self._route = route
        self._attempt: Any = None
        self._targetEnded: Callable[[], None] | None = None
        self._isOver = self._hasTold = self._hasEntered = False
        self._onEnd: tuple[Callable[[], None], ...] = ()
        self._isHot = isHot
        self._early = early
        self._started = engine.poller.now
        self.deadline = float("inf")
        action = entrance.actions[route.name]
        try:
            action.stream(self)
        except BaseException:
            engine.poller.crashed(action.stream, self)
        if not self._isOver:
            # Most are not connected, or answered, by now, and wait for that.
            self._hasEntered = True
            engine.enter(self)
            engine.poller.handlers[wire.fd] = self.ready

    def ready(self, event: int) -> None:
        """
        The client says something before there is anybody to tell: it waits in
        the kernel.  Only a reset is news.
        """
        if event & READABLE:
            self._isHot = True
        if event & ENDED:
            self.wire.isEnding = True
            if event & BROKEN and not isConnected(self.wire.sock):
                self.abort()

    def facts(self) -> ConnectionFacts:
        """
        See L{IStream}.
        """
        return self.connection

    def onEnd(self, then: Callable[[], None]) -> None:
        """
        See L{IStream}.
        """
        if self._hasTold:
            then()
        else:
            self._onEnd += (then,)

    def forward(self, upstream: IUpstream) -> None:
        """
        See L{IStream}.
        """
        if not self._isOver:
            self._attempt = upstream.dial(self.connection.port, self._arrived, self)

    def serve(self, factory: IProtocolFactory) -> None:
        """
        See L{IStream}.
        """
        if self._isOver:
            return
        self._isOver = True
        self._engine.leave(self)
        spell = spellOf(self._route, self._engine.timeouts)
        served = Served(
            self._engine, self.wire, self.connection, self._isHot, self._ended, spell, self._early
        )
        served.begin(factory)

    def abort(self) -> None:
        """
        See L{IStream}.
        """
        if not self._isOver:
            self._engine.recordStream(self._route, self.connection, self._started, 0, 0)
            self._close()

    def _arrived(
        self, outcome: Wire | UpstreamFailure, isHot: bool, ended: Callable[[], None] | None
    ) -> None:
        self._attempt = None
        if isinstance(outcome, UpstreamFailure):
            self._engine.upstreamFailed(self._route, outcome)
            self.abort()
            return
        self._isOver = True
        if self._hasEntered:
            self._engine.leave(self)
        self._targetEnded = ended
        spell = spellOf(self._route, self._engine.timeouts)
        Tunnel(self._engine, self.wire, outcome, self._early, self._isHot, isHot, self._ended, spell)

    def _ended(self, sent: int, received: int) -> None:
        if self._targetEnded is not None:
            self._targetEnded()
        self._engine.recordStream(self._route, self.connection, self._started, sent, received)
        self._tell()

    def _tell(self) -> None:
        self._hasTold = True
        for then in self._onEnd:
            self._engine.poller.guard(then, None)

    def _close(self) -> None:
        if self._isOver:
            return
        self._isOver = True
        if self._attempt is not None:
            self._attempt.cancel()
        self._engine.leave(self)
        self._engine.poller.forget(self.wire.fd)
        if self._early:
            # What it has said is lost: that is no end, but a break.
            self.wire.reset()
        else:
            self.wire.close()
        self._tell()

    def expire(self) -> None:
        """
        Never: connecting has its own deadline.
        """
        self._close()

    def crash(self) -> None:
        """
        A bug: end this one.
        """
        self._close()

    def drain(self) -> None:
        """
        It goes on until it ends or is cut.
        """
