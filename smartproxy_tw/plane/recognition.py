"""
Recognition: what a request by HTTP/2 is, and what is to become of it.

It is parsed and routed once for a block of fields that comes again on the connection, as
those of browsers and of most programs do.  What is remembered dies with the connection,
since it may have cookies, and with the table that it was decided by.

This is hot.
"""

from __future__ import annotations

import os
from base64 import b64encode
from typing import TYPE_CHECKING

from ..wire.downgrade import requestOf

if TYPE_CHECKING:
    from ..facts import ConnectionFacts
    from ..wire.events import Fields
    from .door import Door, Prepared
    from .wires import Wire

__all__ = ["Recognition"]

# So many are remembered: no more than a decoder remembers blocks.
_MOST = 16


class Recognition:
    """
    That of one connection.
    """

    __slots__ = ("_connection", "_door", "_known", "_knownBy", "_wire")

    def __init__(self, door: Door, connection: ConnectionFacts, wire: Wire) -> None:
        """
        @param door: Decides.
        """
        self._door = door
        self._connection = connection
        self._wire = wire
        # By the identity of the fields, which are kept for that.
        self._known: dict[int, tuple[Fields, Prepared]] = {}
        self._knownBy = door.memo

    def prepare(self, fields: Fields, isEnded: bool) -> Prepared:
        """
        Say what is to become of a request.

        @param fields: As they came; never changed, and the same object for the same block.
        @param isEnded: Whether nothing comes behind them.
        @raise Malformed: It is none.
        @raise BadMessage: It is refused.
        """
        door = self._door
        if self._knownBy is not door.memo:
            # There is another table.
            self._known.clear()
            self._knownBy = door.memo
        if isEnded:
            known = self._known.get(id(fields))
            if known is not None:
                return known[1]
        engine = door.engine
        limits = engine.limits
        connection = self._connection
        scheme = None
        if not engine.trusts(connection.client.host):
            scheme = b"https" if connection.isTLS else b"http"
        request = requestOf(fields, limits.headBytes, limits.urlBytes, isEnded, _key, scheme)
        prepared = door.decide(request, connection, self._wire)
        if isEnded and prepared.isLasting and not request.upgrade:
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[id(fields)] = (fields, prepared)
        return prepared


def _key() -> bytes:
    """
    A key for a handshake of our own (RFC 6455 section 4.1).
    """
    return b64encode(os.urandom(16))
