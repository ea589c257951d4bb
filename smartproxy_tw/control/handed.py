"""
A listening port that was handed over: the socket is somebody else's too.
"""

from __future__ import annotations

import socket

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IListeningPort
from zope.interface import implementer

__all__ = ["HandedPort"]


@implementer(IListeningPort)
class HandedPort:
    """
    What a data path needs of a port whose descriptor came from another process.

    @ivar socket: Listening and non-blocking.
    """

    def __init__(self, descriptor: int) -> None:
        """
        @param descriptor: Of the listening socket; from now on this object's to
            close.
        """
        self.socket = socket.socket(fileno=descriptor)

    def startListening(self) -> None:
        """
        It does already.
        """

    def stopListening(self) -> Deferred[None]:
        """
        Let go of it here.  It goes on listening for those who have it too.
        """
        self.socket.close()
        return succeed(None)

    def getHost(self) -> IPv4Address | IPv6Address | UNIXAddress:
        """
        Where it is bound.
        """
        name = self.socket.getsockname()
        if self.socket.family == socket.AF_UNIX:
            return UNIXAddress(name)
        kind = IPv6Address if self.socket.family == socket.AF_INET6 else IPv4Address
        return kind("TCP", name[0], name[1])
