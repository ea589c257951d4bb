"""
The two ends of a connection as Twisted has them: their addresses, the certificate of the peer, and
the options of the socket.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress

if TYPE_CHECKING:
    from twisted.internet.interfaces import IAddress

    from ..facts import Address, ConnectionFacts
    from .wires import Wire

__all__ = ["Ends", "addressOf"]


def addressOf(address: Address) -> IAddress:
    """
    An address as Twisted has it.
    """
    if address.port == 0 and address.host.startswith("/"):
        return UNIXAddress(address.host)
    kind = IPv6Address if ":" in address.host else IPv4Address
    return kind("TCP", address.host, address.port)


class Ends:
    """
    @ivar facts: What is known of the connection.
    """

    facts: ConnectionFacts
    _wire: Wire

    def getPeer(self) -> Any:
        """
        Who connected, or whom a header of the PROXY protocol speaks of.
        """
        return addressOf(self.facts.client)

    def getHost(self) -> Any:
        """
        What was connected to.
        """
        if self.facts.server is not None:
            return addressOf(self.facts.server)
        name = self._wire.sock.getsockname()
        if not isinstance(name, tuple):
            return UNIXAddress(name)
        kind = IPv6Address if ":" in name[0] else IPv4Address
        return kind("TCP", name[0], name[1])

    def getPeerCertificate(self) -> Any:
        """
        See C{ISSLTransport}; L{None} without TLS.
        """
        connection = getattr(self._wire, "connection", None)
        return None if connection is None else connection.get_peer_certificate()

    def getTcpNoDelay(self) -> bool:
        """
        See C{ITCPTransport}.
        """
        return bool(self._wire.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    def setTcpNoDelay(self, enabled: bool) -> None:
        """
        See C{ITCPTransport}.
        """
        self._wire.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, enabled)

    def getTcpKeepAlive(self) -> bool:
        """
        See C{ITCPTransport}.
        """
        return bool(self._wire.sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """
        See C{ITCPTransport}.
        """
        self._wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, enabled)
