"""
How files say how long a route waits, and who may open WebSockets to it.

Importing this imports pydantic, so nobody does before a file is read.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from .section import TAG, Claim, Origins, Seconds, Section, number

__all__ = [
    "RouteTimeouts",
    "WebSockets",
    "WebSocketOption",
]


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
