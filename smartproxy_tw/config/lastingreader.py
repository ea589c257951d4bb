"""
From what a file says of waiting and of WebSockets to what it means, and what of it has no
meaning where it stands.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

from .application import Application
from .lasting import NEVER, RouteTimeouts, WebSocket

if TYPE_CHECKING:
    from . import lastingsection
    from .document import Path
    from .model import Route

__all__ = ["misplaced", "timeoutsOf", "webSocketOf"]


def _span(written: float | str | None) -> float | None:
    return None if written is None else NEVER if written in ("never", 0) else float(written)


def timeoutsOf(written: lastingsection.RouteTimeouts | None) -> RouteTimeouts | None:
    """
    @return: What it means.
    """
    if written is None:
        return None
    return RouteTimeouts(_span(written.idle), written.connect, written.lifetime)


def webSocketOf(written: bool | lastingsection.WebSockets | None) -> WebSocket | None:
    """
    @return: What it means.
    """
    if written is None or isinstance(written, bool):
        return None if written is None else WebSocket(written)
    origins = written.origins or ()
    return WebSocket(
        True,
        (origins,) if isinstance(origins, str) else tuple(origins),
        _span(written.idle),
        written.lifetime,
    )


def misplaced(route: Route) -> Iterator[tuple[Path, str]]:
    """
    What a route says of this that has no meaning there.

    @return: Where it stands in the route, and what is wrong.
    """
    kind = type(route.action).__name__
    isAnswer = kind in ("Redirect", "Respond", "FileTree", "Block")
    # What code is that does not say it is found out when it is imported.
    isCode = isinstance(route.action, Application)
    speaks = isinstance(route.action, Application) and route.action.kind in (None, "asgi")
    if route.webSocket is not None:
        if route.protocol == "tcp":
            why = "needs HTTP, which this route does not speak: add protocol: http to match, or leave it out"
            yield ("websocket",), why
        elif isAnswer or (isCode and not speaks):
            yield ("websocket",), "has no effect: nothing that this action does is a WebSocket"
        elif isCode and route.webSocket.isAllowed and find_spec("websockets") is None:
            why = "needs the library websockets, which is not there: pip install 'smartproxy_tw[websocket]'"
            yield ("websocket",), why
    timeouts = route.timeouts
    if timeouts is None:
        return
    if timeouts.idle is not None and isAnswer:
        yield ("timeouts", "idle"), "has no effect: there is nobody that this action waits for"
    if timeouts.connect is not None and kind != "Forward":
        yield ("timeouts", "connect"), "has no effect: this action connects to no target"
    if timeouts.lifetime is not None and (isAnswer or (isCode and route.protocol == "http" and not speaks)):
        yield ("timeouts", "lifetime"), "has no effect: nothing that this action does is a tunnel"
