"""
A dial is one attempt to connect to one target: its name resolved, its addresses
tried one after the other, TLS spoken and its certificate verified, all within
one deadline.
"""

from __future__ import annotations

import errno
import os
import select
import socket
from typing import TYPE_CHECKING

from ..plane.handshake import Handshake
from ..plane.identity import verifyPeer
from ..plane.poller import ENDED, READABLE
from ..plane.wires import PlainWire
from .resolve import isLiteral

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from OpenSSL import SSL

    from ..config.model import Target, UpstreamTLS
    from ..plane.poller import Poller
    from ..plane.tls import TLSWire
    from ..plane.wires import Wire
    from .resolve import Resolver

__all__ = ["Dial", "Secrecy"]

_TROUBLE = select.EPOLLERR | select.EPOLLHUP


class Secrecy:
    """
    How a group of targets is spoken to by TLS.

    @ivar settings: As configured.
    @ivar context: Made once for the group.
    """

    def __init__(self, settings: UpstreamTLS, context: SSL.Context) -> None:
        self.settings = settings
        self.context = context

    def connection(self, target: Target) -> SSL.Connection:
        """
        @return: A connection in connect state, its SNI set.
        """
        from OpenSSL import SSL

        connection = SSL.Connection(self.context, None)
        connection.set_connect_state()
        name = self.name(target)
        if name and not isLiteral(name):
            connection.set_tlsext_host_name(name.encode("ascii"))
        return connection

    def name(self, target: Target) -> str:
        """
        @return: What the target's certificate must be for; empty for a unix
            socket without a configured name.
        """
        return self.settings.serverName or (target.host if target.port != 0 else "")


class Dial:
    """
    @ivar deadline: For the poller.
    """

    __slots__ = (
        "_addresses",
        "_failed",
        "_handshake",
        "_isHot",
        "_isOver",
        "_last",
        "_poller",
        "_port",
        "_resolver",
        "_secrecy",
        "_sock",
        "_target",
        "_then",
        "deadline",
    )

    def __init__(
        self,
        poller: Poller,
        resolver: Resolver,
        target: Target,
        port: int,
        seconds: float,
        secrecy: Secrecy | None,
        then: Callable[[Wire, bool], None],
        failed: Callable[[str, bool], None],
    ) -> None:
        """
        @param port: The port to connect to, where the target has none of its
            own.
        @param seconds: How long it may take in all.
        @param secrecy: L{None} for no TLS.
        @param then: Called with the wire, registered with the poller, and
            whether it may have something to read already.
        @param failed: Called with the reason, and whether it was the deadline.
            Neither is called before L{begin} returns.
        """
        self._poller = poller
        self._resolver = resolver
        self._target = target
        self._port = target.port or port
        self._secrecy = secrecy
        self._then = then
        self._failed = failed
        self._isOver = self._isHot = False
        self._sock: socket.socket | None = None
        self._handshake: Handshake | None = None
        self._addresses: list[str] = []
        self._last = "its name has no address"
        self.deadline = poller.now + seconds
        poller.mortals[self] = None

    def begin(self) -> None:
        """
        Go.
        """
        target = self._target
        if target.port == 0:
            self._addresses = [target.host]
            self._next()
            return
        known = self._resolver.remembered(target.host)
        if known is None:
            self._resolver.ask(target.host, self._resolved)
        else:
            self._resolved(known)

    def _resolved(self, addresses: Sequence[str]) -> None:
        if not self._isOver:
            self._addresses = list(addresses)
            self._next()

    def _next(self) -> None:
        """
        Try the next address; without one, fail.
        """
        while self._addresses:
            if self._try(self._addresses.pop(0)):
                return
        self._poller.later(lambda: self._fail(self._last, False))

    def _try(self, address: str) -> bool:
        where: tuple[str, int] | str
        if self._target.port == 0:
            family, where = socket.AF_UNIX, address
        else:
            family, where = socket.AF_INET6 if ":" in address else socket.AF_INET, (address, self._port)
        try:
            sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        except OSError as error:
            self._last = error.strerror or "no socket"
            return False
        if family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        result = sock.connect_ex(where)
        if result not in (0, errno.EINPROGRESS):
            self._last = os.strerror(result)
            sock.close()
            return False
        self._sock = sock
        self._poller.add(sock.fileno(), self.ready)
        return True

    def ready(self, event: int) -> None:
        """
        The socket is connected, or will not be.
        """
        sock = self._sock
        assert sock is not None
        # Without a hint of trouble it is connected, and need not be asked.
        error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) if event & _TROUBLE else 0
        if error:
            self._last = os.strerror(error)
            self._hangUp()
            self._next()
            return
        self._isHot = bool(event & READABLE)
        if self._secrecy is None:
            self._arrive(PlainWire(sock, bool(event & ENDED)))
            return
        self._sock = None
        self._handshake = Handshake(
            self._poller,
            sock,
            self._secrecy.connection(self._target),
            self.deadline,
            self._shaken,
            lambda reason, isTimeout: self._fail("TLS: " + reason, isTimeout),
        )
        self._handshake.ready(event)

    def _shaken(self, wire: TLSWire) -> None:
        assert self._secrecy is not None
        name = self._secrecy.name(self._target)
        if self._secrecy.settings.verify:
            try:
                if not name:
                    raise ValueError("a unix socket has no name to verify: set server_name")
                verifyPeer(wire.connection, name)
            except ValueError as problem:
                self._poller.forget(wire.fd)
                wire.close()
                self._fail(f"TLS: {problem}", False)
                return
        self._isHot = True
        self._arrive(wire)

    def _arrive(self, wire: Wire) -> None:
        if not self._isOver:
            self._sock = None
            self._over()
            self._then(wire, self._isHot)

    def _fail(self, reason: str, isTimeout: bool) -> None:
        if not self._isOver:
            self._over()
            self._failed(reason, isTimeout)

    def _over(self) -> None:
        self._isOver = True
        self._poller.mortals.pop(self, None)

    def _hangUp(self) -> None:
        sock, self._sock = self._sock, None
        if sock is not None:
            self._poller.forget(sock.fileno())
            sock.close()

    def cancel(self) -> None:
        """
        Nobody wants it any more.
        """
        self._over()
        self._hangUp()
        if self._handshake is not None and not self._handshake.isDone:
            self._handshake.cancel()

    def expire(self) -> None:
        """
        It took too long.
        """
        if not self._isOver:
            self.cancel()
            self._failed("it did not answer in time", True)

    def crash(self) -> None:
        """
        A bug: end this one.
        """
        if not self._isOver:
            self.cancel()
            self._failed("a bug while connecting", False)
