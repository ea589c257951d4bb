"""
The ports beside those of routes: the name server's, and those of the metrics and of the
admin's questions.

What the process before has left with the service manager, or hands over, is taken;
what is not there is bound.  Either is handed on in the same two ways, so that who comes
while one process takes the place of another one waits, and is not refused.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any

from ..config.model import OwnZones
from .deposit import nameOf

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..config.model import Config
    from ..facts import Address
    from .deposit import Deposit
    from .inherited import Inherited

__all__ = ["Berths", "namesIn"]


def namesIn(config: Config) -> frozenset[str]:
    """
    What the sockets of these ports are called, see L{nameOf}.
    """
    return frozenset(_names(config))


def _names(config: Config) -> Iterator[str]:
    if config.admin is not None and config.admin.listen is not None:
        yield nameOf(config.admin.listen)
    if config.metrics is not None:
        yield nameOf(config.metrics.listen)
    if isinstance(config.acme.dns, OwnZones):
        for address in config.acme.dns.listen:
            yield nameOf(address)
            yield nameOf(address, isUDP=True)


class Berths:
    """
    Those of one life of a proxy.
    """

    def __init__(
        self, reactor: Any, inherited: Inherited | None = None, deposit: Deposit | None = None
    ) -> None:
        """
        @param reactor: Listens.
        @param inherited: What was handed over.
        @param deposit: Where sockets are left for the next process.
        """
        self._reactor = reactor
        self._inherited = inherited
        self._deposit = deposit
        self._ports: dict[str, tuple[Any, bool]] = {}
        # Duplicates of what others have too: nothing else can be bound there.
        self._kept: dict[str, socket.socket] = {}

    def listenTCP(self, address: Address, factory: Any, backlog: int = 50) -> Any:
        """
        Listen.

        @param backlog: How many connections wait to be accepted.
        @return: The port; whoever has asked for it closes it.
        @raise CannotListenError: It cannot be.
        """
        name, found = nameOf(address), self._there(address)
        isManaged = self._inherited is not None and self._inherited.isManaged(address)
        if found is None:
            port = self._reactor.listenTCP(address.port, factory, backlog=backlog, interface=address.host)
        else:
            port = self._reactor.adoptStreamPort(found.fileno(), found.family, factory)
        return self._entered(port, name, isManaged=isManaged)

    def listenUDP(self, address: Address, protocol: Any) -> Any:
        """
        The same for datagrams.
        """
        name, found = nameOf(address, isUDP=True), self._there(address, isUDP=True)
        if found is None:
            port = self._reactor.listenUDP(address.port, protocol, interface=address.host)
        else:
            port = self._reactor.adoptDatagramPort(found.fileno(), found.family, protocol)
        return self._entered(port, name, isManaged=False)

    def bequest(self) -> tuple[tuple[socket.socket, bool], ...]:
        """
        The sockets that are open, as of
        L{Listeners.bequest<smartproxy_tw.service.listeners.Listeners.bequest>}; they stay
        so until L{close}.
        """
        found = ((self._keep(name), isManaged) for name, (_, isManaged) in self._ports.items())
        return tuple((sock, isManaged) for sock, isManaged in found if sock is not None)

    def close(self) -> None:
        """
        Let go of what was kept; the ports are closed by those who have asked for them.
        """
        for each in self._kept.values():
            each.close()
        self._kept.clear()
        self._ports.clear()

    def _there(self, address: Address, *, isUDP: bool = False) -> socket.socket | None:
        kept = self._kept.get(nameOf(address, isUDP=isUDP))
        if kept is not None or self._inherited is None:
            return kept
        return self._inherited.use(address, isUDP=isUDP)

    def _entered(self, port: Any, name: str, *, isManaged: bool) -> Any:
        if self._inherited is not None:
            self._inherited.release()
        self._ports[name] = port, isManaged
        if self._deposit is not None and not isManaged and (kept := self._keep(name)) is not None:
            self._deposit.add(name, kept)
        return port

    def _keep(self, name: str) -> socket.socket | None:
        port, _ = self._ports[name]
        sock: socket.socket | None = getattr(port, "socket", None)
        if name not in self._kept and sock is not None and sock.fileno() >= 0:
            # Twisted would shut it down, for whoever has it.
            port._shouldShutdown = False
            # Not by socket.dup(), which would have every accept wait, for all who have it.
            self._kept[name] = socket.socket(fileno=os.dup(sock.fileno()))
        return self._kept.get(name)
