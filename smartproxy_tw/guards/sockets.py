"""
Who may open a WebSocket: an opening handshake is looked at before the target hears of it.

A browser lets any page open a WebSocket anywhere, with the cookies of whom it opens it to, and
says from which origin the page is (RFC 6455 section 10.2): nothing else keeps other people's
pages away.  What says no origin is no browser, and could say any.

Other requests, and those that ask for other protocols, are not looked at.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..config.origins import Origins
from .visit import Denial, Request, refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..config.lasting import WebSocket

__all__ = ["Sockets", "objection"]

# RFC 6455 section 4.2.1: base64 of 16 bytes.
_KEY = re.compile(r"[A-Za-z0-9+/]{21}[AQgw]==")
_VERSION = "13"
# Section 4.4: what is spoken here.
_SPOKEN = b"Sec-WebSocket-Version: 13\r\n"


def objection(method: str, values: Callable[[str], list[str]]) -> Denial | None:
    """
    Is what asks to speak WebSocket an opening handshake (RFC 6455 section 4.2.1)?

    @param values: What the header fields of a name say, which is given in lower case.
    @return: Why it is none.
    """
    keys = values("sec-websocket-key")
    if method != "GET" or len(keys) != 1 or _KEY.fullmatch(keys[0]) is None:
        return refusal("handshake", 400, "This is no opening handshake of a WebSocket")
    if values("sec-websocket-version") != [_VERSION]:
        return refusal("handshake", 400, "Version 13 of WebSocket is spoken here", _SPOKEN)
    return None


class Sockets:
    """
    Refuses those who may not.
    """

    def __init__(self, settings: WebSocket) -> None:
        """
        @param settings: Of the route.
        """
        self._isAllowed = settings.isAllowed
        self._origins = Origins(settings.origins or ("*",))

    def ask(self, request: Request) -> Denial | None:
        """
        See L{Guard<smartproxy_tw.guards.visit.Guard>}.
        """
        if request.facts.changesTo != "websocket":
            return None
        if not self._isAllowed:
            return refusal("websocket", 403, "No WebSocket is spoken here")
        wrong = objection(request.facts.method, request.values)
        if wrong is not None:
            return wrong
        origins = request.values("origin")
        # Several are none that a browser has sent.
        if len(origins) > 1 or (origins and not self._origins.has(origins[0])):
            return refusal("origin", 403, "WebSockets are not open to this origin")
        return None

    def close(self) -> None:
        """
        There is nothing to close.
        """
