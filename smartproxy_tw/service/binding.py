"""
All that a life of a proxy listens on: bound once, as the first thing of all, and closed as
one.

What binds is known elsewhere: L{smartproxy_tw.service.listeners} for the ports of routes,
L{smartproxy_tw.service.nameserver} for those of the name server, and
L{smartproxy_tw.service.berths} for what is kept for the next process.  Here is the order of
the three, and that a refusal of either is told at once, while binding may take its time.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from twisted.internet.defer import CancelledError, Deferred

from .errors import ListenError
from .readiness import Readiness

if TYPE_CHECKING:
    from .berths import Berths
    from .listeners import Listeners
    from .nameserver import NameServer

__all__ = ["Binding"]


class Binding:
    """
    That of one life.
    """

    def __init__(
        self, listeners: Listeners, nameServer: NameServer | None = None, berths: Berths | None = None
    ) -> None:
        """
        @param listeners: The ports of routes, not bound yet.
        @param nameServer: The proxy's own, if it has one.
        @param berths: What else listens.
        """
        self._listeners = listeners
        self._nameServer = nameServer
        self._berths = berths
        self._bound = Readiness()
        self._binding: Deferred[None] | None = None

    @property
    def hasBegun(self) -> bool:
        """
        Whether anything was bound.
        """
        return self._binding is not None

    def begin(self, ports: Iterable[int], then: Callable[[], object], *, isAlone: bool) -> None:
        """
        Begin to bind, the first time that this is called.

        @param ports: The numbers of those of routes.
        @param then: Called once they are bound, before anybody is told.
        @param isAlone: Whether no other process answers for names still; otherwise that
            waits for L{bindNames}.
        @raise ListenError: A port was refused already; the others are being closed.
        """
        if self._binding is None:
            self._binding = self._listeners.bind(ports)
            self._binding.addCallback(lambda _: then())
            self._binding.addCallbacks(
                lambda _: self._bound.happen(), lambda failure: self._bound.fail(failure.value)
            )
            if isAlone:
                self.bindNames()
        if self._listeners.refusal is not None:
            raise self._listeners.refusal

    def whenBound(self) -> Deferred[None]:
        """
        Wait for the ports of routes.

        @return: Fires when every listen has answered.  Fails with L{ListenError}, once the
            others are closed, when one was refused.
        """
        return self._bound.when()

    def bindNames(self) -> None:
        """
        Bind the ports of the name server, if there is one.

        @raise ListenError: One was refused.
        """
        if self._nameServer is not None:
            self._nameServer.bind()

    def answerNames(self) -> None:
        """
        Have the name server answer: it knows from now on what is presented.
        """
        if self._nameServer is not None:
            self._nameServer.begin()

    async def closeNames(self) -> None:
        """
        Close the ports of the name server; they may be bound again.
        """
        if self._nameServer is not None:
            await self._nameServer.close()

    def bequest(self) -> tuple[tuple[socket.socket, bool], ...]:
        """
        All sockets, as of
        L{Listeners.bequest<smartproxy_tw.service.listeners.Listeners.bequest>}.
        """
        beside = () if self._berths is None else self._berths.bequest()
        return (*self._listeners.bequest(), *beside)

    async def close(self) -> None:
        """
        Close everything, be it bound or about to be.
        """
        if self._binding is not None:
            if self._listeners.refusal is None:
                self._binding.cancel()
            try:
                await self._bound.when()
            except (ListenError, CancelledError):
                pass
        await self._listeners.stop()
        await self.closeNames()
        if self._berths is not None:
            self._berths.close()
