"""
The ports of the proxy's own name server: bound with all others, before anything is
asked of an authority, and closed after the last order.

What it says is L{smartproxy_tw.records.zone}'s; here is only who may ask how much.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import DatagramProtocol, ServerFactory, connectionDone
from twisted.logger import Logger
from twisted.protocols.basic import Int16StringReceiver
from twisted.protocols.policies import TimeoutMixin
from twisted.python.failure import Failure

from .errors import ListenError
from .gathering import gathered

if TYPE_CHECKING:
    from ..facts import Address
    from ..records.zone import Zones
    from .berths import Berths

__all__ = ["NameServer"]

#: Bytes of an answer by UDP: nobody is promised more without EDNS (RFC 1035 section
#: 4.2.1), and nothing of ours is so long that it pays to send it to strangers.
_DATAGRAM = 512
_STREAM = 65535

#: Connections at a time, and how long one may be idle, in seconds.
_MOST_CONNECTIONS, _IDLE = 64, 10.0


#: What is answered to a message, in so many bytes at most.
Reply = Callable[[bytes, int], bytes | None]


class _Datagrams(DatagramProtocol):
    """
    By UDP.
    """

    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        reply = self._reply(datagram, _DATAGRAM)
        if reply is not None:
            transport: Any = self.transport
            transport.write(reply, addr)


class _Stream(Int16StringReceiver, TimeoutMixin):
    """
    By TCP.
    """

    factory: _Streams

    def connectionMade(self) -> None:
        self.factory.connections.add(self)
        self.setTimeout(_IDLE)  # type: ignore[no-untyped-call]

    def stringReceived(self, string: bytes) -> None:
        self.resetTimeout()  # type: ignore[no-untyped-call]
        reply = self.factory.reply(string, _STREAM)
        transport: Any = self.transport
        if reply is None:
            transport.abortConnection()
        else:
            self.sendString(reply)  # type: ignore[no-untyped-call]

    def timeoutConnection(self) -> None:
        transport: Any = self.transport
        transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.setTimeout(None)  # type: ignore[no-untyped-call]
        self.factory.connections.discard(self)


class _Streams(ServerFactory):
    """
    Those who are connected.
    """

    protocol: Any = _Stream
    noisy = False

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.connections: set[_Stream] = set()

    def buildProtocol(self, addr: Any) -> Any:
        return None if len(self.connections) >= _MOST_CONNECTIONS else super().buildProtocol(addr)


class NameServer:
    """
    Answers for some zones.
    """

    _log = Logger()

    def __init__(self, berths: Berths, zones: Zones, addresses: tuple[Address, ...]) -> None:
        """
        @param berths: Listen.
        @param zones: What to say.
        @param addresses: Where.
        """
        self._berths = berths
        self._zones = zones
        self._addresses = addresses
        self._ports: list[Any] = []
        self._hasBegun = False
        self._streams = _Streams(self._reply)

    def bind(self) -> None:
        """
        Bind UDP and TCP, the first time that this is called.

        @raise ListenError: One was refused; L{close} closes the others.
        """
        if self._ports:
            return
        for address in self._addresses:
            try:
                self._ports.append(self._berths.listenUDP(address, _Datagrams(self._reply)))
                self._ports.append(self._berths.listenTCP(address, self._streams))
            except CannotListenError as why:
                raise ListenError(
                    f"Cannot listen on {address} (acme.dns.listen), by UDP and TCP: {why.socketError}."
                    " Another name server or resolver may be there, and ports below 1024 need root.",
                    (address,),
                ) from why
        self._log.info(
            "Answering for proofs of names on {addresses}",
            event="name-server",
            addresses=", ".join(map(str, self._addresses)),
        )

    def begin(self) -> None:
        """
        Answer from now on.  What was asked before is left without an answer, so that
        it is asked again: nothing is denied that an earlier process presented.
        """
        self._hasBegun = True

    def close(self) -> Deferred[None]:
        """
        Answer no more.

        @return: Fires when all is closed.
        """
        ports, self._ports = self._ports, []
        for each in list(self._streams.connections):
            transport: Any = each.transport
            transport.abortConnection()
        self._hasBegun = False
        return gathered([each.stopListening() for each in ports if each is not None]).addCallback(
            lambda _: None
        )

    def _reply(self, query: bytes, longest: int) -> bytes | None:
        return self._zones.reply(query, longest) if self._hasBegun else None
