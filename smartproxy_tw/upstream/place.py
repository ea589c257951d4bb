"""
A place is a target as one local port sees it, with the connections that are
kept to it.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import TYPE_CHECKING

from .resolve import isLiteral

if TYPE_CHECKING:
    from ..config.model import Target
    from ..plane.link import Link
    from ..plane.poller import Poller

__all__ = ["Place", "Where", "reach", "where"]

#: A family of sockets, and an address as C{connect} takes it.
Where = tuple[int, tuple[str, int] | str]

# Kept connections for each target and port, and how long they are kept, in seconds.
_KEPT = 256
_KEPT_SECONDS = 60.0


def where(address: str, port: int) -> Where:
    """
    @param address: An IP address, or the path of a unix socket.
    @param port: 0 for a unix socket.
    @return: How to connect there.
    """
    if port == 0:
        return socket.AF_UNIX, address
    return socket.AF_INET6 if ":" in address else socket.AF_INET, (address, port)


_KIND = socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC


def reach(family: int, address: tuple[str, int] | str) -> socket.socket | str:
    """
    Begin to connect.

    @return: A socket that is connected or about to be; or why it cannot be.
    """
    try:
        # Without the layer of Python over it, which takes four microseconds.
        sock: socket.socket = socket.SocketType(family, _KIND)  # type: ignore[assignment]
    except OSError as error:
        return error.strerror or "no socket"
    if family != socket.AF_UNIX:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    result = sock.connect_ex(address)
    if result and result != errno.EINPROGRESS:
        sock.close()
        return os.strerror(result)
    return sock


class Place:
    """
    The last link given back is the first one lent, so that those not needed
    grow old.

    @ivar target: As configured.
    @ivar port: What to connect to; 0 for a unix socket.
    @ivar name: For logs.
    @ivar where: Its one address; L{None} when it has a name, which has to be
        resolved.
    @ivar idle: The links that are kept.
    @ivar isClosed: Whether nothing is kept any more.
    """

    __slots__ = ("_poller", "idle", "isClosed", "name", "port", "target", "where")

    def __init__(self, poller: Poller, target: Target, port: int) -> None:
        """
        @param port: The local port, for a target without one of its own.
        """
        self._poller = poller
        self.target = target
        self.port = port if target.port is None else target.port
        self.name = str(target)
        isAddress = self.port == 0 or isLiteral(target.host)
        self.where = where(target.host, self.port) if isAddress else None
        self.idle: list[Link] = []
        self.isClosed = False

    def giveBack(self, link: Link) -> None:
        """
        See L{Lender<smartproxy_tw.plane.link.Lender>}.
        """
        if len(self.idle) >= _KEPT or self.isClosed:
            link.close()
            return
        link.deadline = self._poller.now + _KEPT_SECONDS
        self.idle.append(link)

    def lost(self, link: Link) -> None:
        """
        See L{Lender<smartproxy_tw.plane.link.Lender>}.
        """
        if link in self.idle:
            self.idle.remove(link)

    def close(self) -> None:
        """
        Keep nothing any more.
        """
        self.isClosed = True
        idle, self.idle = self.idle, []
        for link in idle:
            link.close()
