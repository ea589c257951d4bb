"""
How files say how long things may take and how much is taken, where no route says otherwise.

Importing this imports pydantic, so nobody does before a file is read.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from . import model
from .section import Seconds, Section, number

__all__ = ["Limits", "Timeouts"]

_TIMEOUTS = model.Timeouts()
_LIMITS = model.Limits()


class Timeouts(Section):
    """
    How long to wait, in seconds.
    """

    head: Seconds = Field(
        default=_TIMEOUTS.head,
        description="For the first bytes, a TLS handshake and a whole request head: absolute, however "
        "slowly it comes.",
    )
    connect: Seconds = Field(
        default=_TIMEOUTS.connect, description="For a connection to a target, TLS included."
    )
    idle: Seconds = Field(
        default=_TIMEOUTS.idle,
        description="For the answer of a target (504), and for the next byte of an answer or of a tunnel.",
    )
    keepAlive: Seconds = Field(
        default=_TIMEOUTS.keepAlive,
        description="For the next request on a kept connection; then it is closed.",
    )
    body: Seconds = Field(
        default=_TIMEOUTS.body,
        description="For the body of a request to begin to come as fast as limits.min_rate has it; "
        "slower: 408.",
    )
    write: Seconds = Field(
        default=_TIMEOUTS.write,
        description="For a client that takes nothing of an answer, or less than limits.min_rate has it; "
        "then its connection is broken off.",
    )
    drain: Seconds = Field(
        default=_TIMEOUTS.drain, description="For requests in flight when the process stops."
    )
    drainStreams: Seconds = Field(
        default=_TIMEOUTS.drainStreams,
        description="For tunnels and WebSockets after an upgrade: the process before lives on for them. "
        "At a stop they have `drain`.",
    )


class Limits(Section):
    """
    How much of something is taken.
    """

    headBytes: Annotated[int, Field(ge=1024, le=1048576), BeforeValidator(number)] = Field(
        default=_LIMITS.headBytes, description="Bytes of a request head; beyond: 431."
    )
    urlBytes: Annotated[int, Field(ge=256, le=1048576), BeforeValidator(number)] = Field(
        default=_LIMITS.urlBytes, description="Bytes of a request target; beyond: 414. Not above head_bytes."
    )
    connections: Annotated[int, Field(ge=1, le=10000000), BeforeValidator(number)] = Field(
        default=_LIMITS.connections,
        description="Client connections at a time. With several `workers` each takes an equal share, "
        "rounded up.",
    )
    bodyBytes: Annotated[int, Field(ge=0), BeforeValidator(number)] = Field(
        default=_LIMITS.bodyBytes, description="Bytes of a request body; beyond: 413. 0: any number."
    )
    minRate: Annotated[int, Field(ge=0, le=1048576), BeforeValidator(number)] = Field(
        default=_LIMITS.minRate,
        description="Bytes a second, on average, that a client has to send of a body and to take of an "
        "answer. What it was faster counts for half a minute at most; what the target is slower does not "
        "count. 0: as slowly as it likes.",
    )
    streams: Annotated[int, Field(ge=1, le=10000), BeforeValidator(number)] = Field(
        default=_LIMITS.streams,
        description="Requests at a time on one connection of HTTP/2; further ones wait at the client.",
    )
    heldBytes: Annotated[int, Field(ge=65536), BeforeValidator(number)] = Field(
        default=_LIMITS.heldBytes,
        description="Bytes of request bodies, and of messages of WebSockets, that are kept in memory at a "
        "time, because Python code wants them whole (`type: socket`), in each process; beyond: 503, or 1013.",
    )
