"""
What a route means whose answers are made by Python code in this process.
"""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from ..values import dataclass

__all__ = ["Application"]


@dataclass(frozen=True, slots=True)
class Application:
    """
    Hand requests, or bytes, to something that is imported.

    @ivar factory: Where it is: a dotted name, as L{dotted<smartproxy_tw.config.dotted.dotted>} has it.
    @ivar kind: What it is.  C{protocol}: a factory of Twisted's protocols, or a protocol; the
        route is not HTTP then.  C{resource}: an IResource.  L{None}: one of the last three,
        which is found out.
    @ivar arguments: JSON of a mapping: what is at C{factory} is called with these keyword
        arguments, and what it returns is used.  L{None}: it is used as it is.  Secrets may be among
        them.
    @ivar pythonPath: Absolute paths of directories where its modules are looked for, after those
        where Python looks by itself, and before those of the configuration.
    @ivar threads: How many requests a WSGI application answers at a time.
    @ivar queue: How many more wait for a thread, or may be under way in an ASGI
        application, WebSockets that last not among them; others get 503.
    @ivar bodyBytes: Of one request, in bytes; longer ones get 413.  So long may a message of a
        WebSocket be; a longer one ends it with 1009.
    """

    factory: str
    kind: Literal["protocol", "resource", "wsgi", "asgi"] | None = None
    arguments: str | None = field(default=None, repr=False)
    pythonPath: tuple[str, ...] = ()
    threads: int = 8
    queue: int = 64
    bodyBytes: int = 1 << 23
