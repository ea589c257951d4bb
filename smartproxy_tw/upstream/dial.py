"""
A dial is one attempt to connect to one place: its name resolved, its addresses
raced where there are several, TLS spoken and its certificate verified, all
within one deadline.

The way to a place that is one address is kept short: a tunnel is opened for
every connection of a client, so this runs as often as C{accept}.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from ..plane.contexts import clientContext
from ..plane.handshake import Handshake
from ..plane.identity import verifyPeer
from ..plane.poller import ENDED, READABLE
from ..plane.sessions import Sessions
from ..plane.wires import PlainWire
from .introduction import introduction
from .place import reach, where
from .race import TROUBLE, Race, interleaved
from .resolve import isLiteral

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from OpenSSL import SSL

    from ..config.model import ProxyHeader, Target, UpstreamTLS
    from ..plane.poller import Poller
    from ..plane.tls import TLSWire
    from ..plane.wires import Wire
    from .introduction import Client
    from .place import Place
    from .resolve import Resolver
    from .waiting import Queue

__all__ = ["Dial", "Means", "Secrecy", "offered"]


class Secrecy:
    """
    How a group of targets is spoken to by TLS.

    @ivar settings: As configured.
    @ivar context: Made once for the group.
    @ivar sessions: Those of its targets, to be resumed.
    """

    def __init__(self, settings: UpstreamTLS, context: SSL.Context) -> None:
        self.settings = settings
        self.context = context
        self.sessions = Sessions()

        # By the protocols that are offered, where any are.
        self._contexts: dict[tuple[str, ...], SSL.Context] = {}

    def offer(self, protocols: tuple[str, ...]) -> None:
        """
        Prepare for targets that are offered a choice, or asked for a protocol.

        @param protocols: By their names for ALPN, the preferred one first.
        @raise ValueError: The file of trusted certificates cannot be read.
        """
        if protocols and protocols not in self._contexts:
            context = clientContext(self.settings)
            context.set_alpn_protos([each.encode("ascii") for each in protocols])
            self._contexts[protocols] = context

    def connection(self, target: Target, isDetour: bool = False) -> SSL.Connection:
        """
        @param isDetour: Whether it has to be HTTP/1.1.
        @return: A connection in connect state, its SNI set.
        """
        from OpenSSL import SSL

        protocols = offered(target, isDetour)
        connection = SSL.Connection(self._contexts.get(protocols, self.context), None)
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


def offered(target: Target, isDetour: bool = False) -> tuple[str, ...]:
    """
    @param isDetour: Whether it has to be HTTP/1.1.
    @return: What a target is offered by ALPN; nothing for those that are not asked.
    """
    protocol = target.protocol
    if protocol not in ("h2", "auto"):
        return ()
    return ("http/1.1",) if isDetour else ("h2",) if protocol == "h2" else ("h2", "http/1.1")


class Means:
    """
    What all dials of a group share.

    @ivar reactor: For the delays of races.
    @ivar poller: Of their sockets.
    @ivar resolver: For the names of targets.
    @ivar seconds: How long one dial may take in all.
    @ivar secrecy: L{None} for no TLS.
    @ivar queue: For those who find no free connection; L{None} where there may
        be any number.
    """

    __slots__ = ("poller", "queue", "reactor", "resolver", "seconds", "secrecy")

    def __init__(
        self,
        reactor: Any,
        poller: Poller,
        resolver: Resolver,
        seconds: float,
        secrecy: Secrecy | None,
        queue: Queue | None = None,
    ) -> None:
        self.reactor = reactor
        self.poller = poller
        self.resolver = resolver
        self.seconds = seconds
        self.secrecy = secrecy
        self.queue = queue


class Dial:
    """
    Whoever derives from it says in L{arrived} and L{failed} what comes of it,
    and may L{begin} again after a failure.  Neither is called before L{begin}
    has returned.

    @ivar deadline: For the poller.
    @ivar isFollowed: Whether something is sent as soon as it is connected.
    @ivar isDetour: Whether it has to be HTTP/1.1, whatever the target prefers.
    """

    __slots__ = (
        "_handshake",
        "_isAsking",
        "_isOver",
        "_last",
        "_means",
        "_place",
        "_race",
        "_sock",
        "_whose",
        "deadline",
    )

    _place: Place
    isFollowed = False
    isDetour = False

    def __init__(self, means: Means, whose: Client | None = None) -> None:
        """
        @param whose: On whose behalf.
        """
        self._means = means
        self._whose = whose
        self._isOver = True
        self._isAsking = False
        self._sock: socket.socket | None = None
        self._race: Race | None = None
        self._handshake: Handshake | None = None

    def begin(self, place: Place) -> None:
        """
        Go.
        """
        means = self._means
        poller = means.poller
        self._place = place
        self._isOver = False
        self._race = self._handshake = None
        self.deadline = poller.now + means.seconds
        poller.mortals[self] = None
        where = place.where
        if where is not None:
            self._try(*where)
            return
        known = means.resolver.remembered(place.target.host)
        if known is None:
            self._isAsking = True
            means.resolver.ask(place.target.host, self._resolved)
        else:
            self._resolved(known)

    def arrived(self, wire: Wire, isHot: bool) -> None:
        """
        It is connected.

        @param wire: Registered with the poller.
        @param isHot: Whether it may have something to read already.
        """
        raise NotImplementedError

    def failed(self, reason: str, isTimeout: bool) -> None:
        """
        It is not to be.

        @param isTimeout: Whether it was the deadline.
        """
        raise NotImplementedError

    def _resolved(self, addresses: Sequence[str]) -> None:
        self._isAsking = False
        if self._isOver:
            return
        if len(addresses) == 1:
            self._try(*where(addresses[0], self._place.port))
        elif addresses:
            self._race = Race(self._means.poller, self._means.reactor.callLater, self)
            self._race.begin(
                [where(each, self._place.port) for each in interleaved(addresses, self._place.family)]
            )
        else:
            self._last = "its name has no address"
            self._means.poller.later(self._hopeless)

    def _try(self, family: int, address: tuple[str, int] | str) -> None:
        sock = reach(family, address)
        if isinstance(sock, str):
            self._last = sock
            self._means.poller.later(self._hopeless)
        else:
            self._sock = sock
            self._means.poller.add(sock.fileno(), self.ready)

    def _hopeless(self) -> None:
        self._fail(self._last, False)

    def ready(self, event: int) -> None:
        """
        The socket is connected, or will not be.
        """
        sock = self._sock
        assert sock is not None
        # Without a hint of trouble it is connected, and need not be asked.
        error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) if event & TROUBLE else 0
        if error:
            self._hangUp()
            self._fail(os.strerror(error), False)
            return
        self._sock = None
        self._reached(sock, event)

    def won(self, sock: socket.socket, event: int) -> None:
        """
        See L{Racer<smartproxy_tw.upstream.race.Racer>}.
        """
        self._race = None
        self._place.family = sock.family
        self._reached(sock, event)

    def lost(self, reason: str) -> None:
        """
        See L{Racer<smartproxy_tw.upstream.race.Racer>}.
        """
        self._race = None
        self._fail(reason, False)

    def _reached(self, sock: socket.socket, event: int) -> None:
        proxyHeader = self._place.target.proxyHeader
        if proxyHeader is not None and not self._introduce(sock, proxyHeader):
            return
        if self._means.secrecy is None:
            self._over()
            self.arrived(PlainWire(sock, bool(event & ENDED)), bool(event & READABLE))
            return
        secrecy = self._means.secrecy
        connection = secrecy.connection(self._place.target, self.isDetour)
        since = secrecy.sessions.offer(self._place, connection, self._means.poller.now)
        self._handshake = Handshake(
            self._means.poller,
            sock,
            connection,
            self.deadline,
            lambda wire: self._shaken(wire, since),
            lambda reason, isTimeout: self._fail("TLS: " + reason, isTimeout),
        )
        self._handshake.ready(event)

    def _introduce(self, sock: socket.socket, proxyHeader: ProxyHeader) -> bool:
        """
        Say for whom this connection is, before anything else.

        @return: Whether that could be said.
        """
        whose = self._whose
        isFollowed = self.isFollowed or self._means.secrecy is not None
        if not isFollowed and whose is not None:
            # A ClientHello that is passed through is there already.
            isFollowed = whose.connection.isTLS and isinstance(whose.wire, PlainWire)
        data = introduction(proxyHeader, whose)
        reason = "it did not take the PROXY header"
        try:
            # What follows goes with it: a target may want both in one segment, and nobody wants two.
            sent = sock.send(data, socket.MSG_MORE if isFollowed else 0)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            sent, reason = 0, error.strerror or reason
        if sent < len(data):
            self._means.poller.forget(sock.fileno())
            sock.close()
            self._fail(reason, False)
            return False
        return True

    def _shaken(self, wire: TLSWire, since: float) -> None:
        secrecy = self._means.secrecy
        assert secrecy is not None
        name = secrecy.name(self._place.target)
        if secrecy.settings.verify:
            try:
                if not name:
                    raise ValueError("a unix socket has no name to verify: set server_name")
                verifyPeer(wire.connection, name)
            except ValueError as problem:
                self._means.poller.forget(wire.fd)
                wire.close()
                secrecy.sessions.forget(self._place)
                self._fail(f"TLS: {problem}", False)
                return
        agreed = wire.connection.get_alpn_proto_negotiated()
        if self._place.target.protocol == "h2" and not self.isDetour and agreed != b"h2":
            self._means.poller.forget(wire.fd)
            wire.close()
            self._fail("TLS: it does not agree to HTTP/2 by ALPN, which protocol: h2 demands", False)
            return
        secrecy.sessions.learn(self._place, wire.connection, since)
        self._over()
        self.arrived(wire, True)

    def _fail(self, reason: str, isTimeout: bool) -> None:
        if not self._isOver:
            self._over()
            self.failed(reason, isTimeout)

    def _over(self) -> None:
        self._isOver = True
        self._means.poller.mortals.pop(self, None)

    def _hangUp(self) -> None:
        sock, self._sock = self._sock, None
        if sock is not None:
            self._means.poller.forget(sock.fileno())
            sock.close()

    def cancel(self) -> None:
        """
        Nobody wants it any more.
        """
        self._stop()

    def _stop(self) -> None:
        self._over()
        if self._isAsking:
            self._isAsking = False
            self._means.resolver.unask(self._place.target.host, self._resolved)
        self._hangUp()
        if self._race is not None:
            self._race.cancel()
        if self._handshake is not None and not self._handshake.isDone:
            self._handshake.cancel()

    def expire(self) -> None:
        """
        It took too long.
        """
        if not self._isOver:
            self._stop()
            self.failed("it did not answer in time", True)

    def crash(self) -> None:
        """
        A bug: end this one.
        """
        if not self._isOver:
            self._stop()
            self.failed("a bug while connecting", False)
