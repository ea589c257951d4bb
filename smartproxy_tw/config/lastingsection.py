"""
How files say how long a route waits, and who may open WebSockets to it; and what
L{smartproxy_tw.config.lasting} makes of that.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from . import lasting
from .application import Application
from .lasting import NEVER, WebSocket
from .section import TAG, Claim, Origins, Seconds, Section, number

if TYPE_CHECKING:
    from .document import Path
    from .model import Route

__all__ = [
    "TIMEOUTS",
    "WEBSOCKET",
    "RouteTimeouts",
    "WebSockets",
    "WebSocketOption",
    "misplaced",
    "timeoutsOf",
    "webSocketOf",
]

#: Of the options of a route and of a site.
TIMEOUTS = "How long it waits, in place of `timeouts` of the whole file, and how long its tunnels may last."
WEBSOCKET = (
    "Who may open WebSockets: `false`: nobody, 403; `true`: who asks as RFC 6455 has it; or a mapping. "
    "Default: whoever the target agrees with."
)


def _spanKind(value: Any) -> str:
    return TAG + ("text" if isinstance(number(value), str) else "number")


def _optionKind(value: Any) -> str:
    return TAG + ("mapping" if isinstance(value, dict) else "claim")


_Span = Annotated[
    Annotated[Literal["never"], Tag(TAG + "text")]
    | Annotated[
        float,
        Field(ge=0, le=604800, allow_inf_nan=False),
        BeforeValidator(number),
        Tag(TAG + "number"),
    ],
    Discriminator(_spanKind),
]


class RouteTimeouts(Section):
    """
    How long a route waits, in seconds.
    """

    idle: _Span | None = Field(
        default=None,
        description="For the answer of a target (504), and for the next byte of an answer or of a tunnel, in "
        "place of `timeouts.idle`. `never` or 0: it is never given up, as suits connections to databases "
        "and brokers.",
    )
    connect: Seconds | None = Field(
        default=None,
        description="For a connection to a target, TLS included, in place of `timeouts.connect`.",
    )
    lifetime: Seconds | None = Field(
        default=None,
        description="So long a tunnel or a WebSocket may last, however much moves in it; then it is broken "
        "off. Default: as long as it likes.",
    )


class WebSockets(Section):
    """
    Who may open WebSockets, and how long they may last.
    """

    origins: Origins | None = Field(
        default=None,
        description="Pages of these origins: `https://app.example`, `https://*.app.example` (one label), "
        "`https://**.app.example` (any depth), `null`; those of others get 403. Who says no origin is no "
        "browser, and passes. Default: pages of all origins.",
    )
    idle: _Span | None = Field(
        default=None,
        description="For the next byte of a WebSocket, either way, in seconds; `never` or 0: it is "
        "never given up. Default: `timeouts.idle` of the route.",
    )
    lifetime: Seconds | None = Field(
        default=None,
        description="So long a WebSocket may last, in seconds; then it is broken off. Default: "
        "`timeouts.lifetime` of the route.",
    )


WebSocketOption = Annotated[
    Annotated[Claim, Tag(TAG + "claim")] | Annotated[WebSockets, Tag(TAG + "mapping")],
    Discriminator(_optionKind),
]


def _span(written: float | str | None) -> float | None:
    return None if written is None else NEVER if written in ("never", 0) else float(written)


def timeoutsOf(written: RouteTimeouts | None) -> lasting.RouteTimeouts | None:
    """
    @return: What it means.
    """
    if written is None:
        return None
    return lasting.RouteTimeouts(_span(written.idle), written.connect, written.lifetime)


def webSocketOf(written: bool | WebSockets | None) -> WebSocket | None:
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
