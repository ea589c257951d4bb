"""
Says one thing to a client that does not speak HTTP, and closes; or breaks the connection.
"""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, Protocol

__all__ = ["Resetting", "Saying"]


class _Says(Protocol):
    def __init__(self, words: bytes) -> None:
        self._words = words

    def connectionMade(self) -> None:
        """
        Say it.
        """
        assert self.transport is not None
        self.transport.write(self._words)
        self.transport.loseConnection()


class Saying(Factory):
    """
    Says the same on each connection.
    """

    noisy = False

    def __init__(self, words: bytes) -> None:
        """
        @param words: What is said.
        """
        self._words = words

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """
        One that says it.
        """
        return _Says(self._words)


class _Resets(Protocol):
    def connectionMade(self) -> None:
        """
        Break it.
        """
        cast(Any, self.transport).abortConnection()


class Resetting(Factory):
    """
    Breaks each connection.
    """

    protocol = _Resets
    noisy = False
