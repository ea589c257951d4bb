"""
How long a route waits, how long what it carries may last, and who may open WebSockets to it:
what L{Route<smartproxy_tw.config.model.Route>} has as C{timeouts} and C{webSocket}, once read.

As all of the model: frozen, complete, with nothing left to parse.
"""

from __future__ import annotations

from ..values import dataclass

__all__ = ["NEVER", "RouteTimeouts", "WebSocket"]

#: So long is waited where it is never given up.
NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class RouteTimeouts:
    """
    How long to wait, in seconds, in place of what the whole file says.

    @ivar idle: For the target's answer, for the next byte of it or of a tunnel; L{NEVER};
        L{None}: as the whole file says.
    @ivar connect: For a connection to a target; L{None} likewise.
    @ivar lifetime: So long a tunnel may last, however much moves in it; L{None}: as long as it
        likes.
    """

    idle: float | None = None
    connect: float | None = None
    lifetime: float | None = None


@dataclass(frozen=True, slots=True)
class WebSocket:
    """
    Who may speak WebSocket, and how long.

    @ivar isAllowed: Whether anybody may.
    @ivar origins: Pages of which origins may, as L{smartproxy_tw.config.origins} has them; empty:
        of all.
    @ivar idle: As L{RouteTimeouts.idle}, for WebSockets; L{None}: as for other tunnels.
    @ivar lifetime: As L{RouteTimeouts.lifetime}, likewise.
    """

    isAllowed: bool = True
    origins: tuple[str, ...] = ()
    idle: float | None = None
    lifetime: float | None = None
