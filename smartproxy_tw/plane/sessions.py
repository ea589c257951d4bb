"""
TLS sessions with targets, to begin the next connection by resuming one: without
certificates and signatures, which are most of what a handshake costs.

The tickets of TLS 1.3 come after the handshake, along with the first answer.  So
what is kept is the last connection to a target, and it is asked for its session
when the next one begins.

A connection that breaks, in place of being closed, takes its session along.  A
session vouches for a certificate that was verified when it began, and for no
longer than an hour: then everything is verified anew.
"""

from __future__ import annotations

from collections.abc import Hashable

from OpenSSL import SSL

__all__ = ["Sessions"]

#: For how long a verified certificate is believed, in seconds.
LIFETIME = 3600.0


class Sessions:
    """
    The sessions of one context.
    """

    def __init__(self) -> None:
        # The last connection, and when its certificate was verified, or that of the session that it resumed.
        self._last: dict[Hashable, tuple[SSL.Connection, float]] = {}

    def offer(self, whom: Hashable, connection: SSL.Connection, now: float) -> float:
        """
        Ask for the last session to be resumed, if there is one that may be.

        @param whom: Target and name, as they were verified.
        @param connection: Its handshake has not begun.
        @param now: In seconds.
        @return: Since when what the handshake will come to is verified.
        """
        last = self._last.get(whom)
        if last is None or now - last[1] >= LIFETIME:
            return now
        session = last[0].get_session()
        if session is None:
            return now
        connection.set_session(session)
        return last[1]

    def learn(self, whom: Hashable, connection: SSL.Connection, since: float) -> None:
        """
        A connection is established and its peer verified.

        @param since: What L{offer} returned for it.
        """
        self._last[whom] = connection, since

    def forget(self, whom: Hashable) -> None:
        """
        The peer was not who it should be.
        """
        self._last.pop(whom, None)
