"""
One question to one server of the DNS, and its answer: by UDP, and by TCP where
an answer is too long for that (RFC 7766) or an update is sent.

An answer is believed only if it comes from whom it was asked of, has the number
and the question of what was asked, and is signed where the question was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred, TimeoutError, maybeDeferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.protocol import DatagramProtocol, Factory, connectionDone
from twisted.protocols.basic import Int16StringReceiver
from twisted.python.failure import Failure

from .errors import ServerSilent

if TYPE_CHECKING:
    from dns.message import Message

    from ..facts import Address

__all__ = ["Questions", "read"]

#: How long an answer by UDP is waited for, once and once more, in seconds.
_DATAGRAM_WAITS = (1.5, 3.0)

#: How long an answer by TCP may take, connection included, in seconds.
_STREAM_WAIT = 10.0


class _Datagrams(DatagramProtocol):
    """
    What comes back from one server.
    """

    def __init__(self, server: Address, wire: bytes) -> None:
        self._server = server
        self._wire = wire
        self.answer: Deferred[bytes] = Deferred()

    def startProtocol(self) -> None:
        transport: Any = self.transport
        transport.connect(self._server.host, self._server.port)
        transport.write(self._wire)

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        # The number alone tells a late answer to another question from ours.
        if not self.answer.called and datagram[:2] == self._wire[:2]:
            self.answer.callback(datagram)

    def connectionRefused(self) -> None:
        if not self.answer.called:
            self.answer.errback(ServerSilent(f"nobody answers at {self._server}"))

    def stopProtocol(self) -> None:
        # That nobody listens there is an error of the socket, and reactors that poll take that
        # for its end.
        self.connectionRefused()


class _Stream(Int16StringReceiver):
    """
    One question, one answer.
    """

    def __init__(self) -> None:
        self.answer: Deferred[bytes] = Deferred(lambda _: self._hangUp())

    def stringReceived(self, string: bytes) -> None:
        if not self.answer.called:
            self.answer.callback(string)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not self.answer.called:
            self.answer.errback(ServerSilent("the connection was closed before the answer"))

    def _hangUp(self) -> None:
        transport: Any = self.transport
        transport.abortConnection()


class Questions:
    """
    Asks.
    """

    def __init__(self, reactor: Any) -> None:
        """
        @param reactor: Connects, listens for answers, and tells the time.
        """
        self._reactor = reactor

    async def ask(self, question: Message, server: Address) -> Message:
        """
        Ask one server.

        @param question: A query, or an update, which goes by TCP.
        @param server: An IP address; for an update a name will do.
        @return: What it answered, whatever that is.
        @raise ServerSilent: Nothing that could be used.
        """
        from dns.exception import DNSException
        from dns.flags import TC
        from dns.opcode import UPDATE

        if question.opcode() == UPDATE:
            return await self._byStream(question, server)
        try:
            answer = await self._byDatagram(question, server)
        except DNSException:
            return await self._byStream(question, server)
        return await self._byStream(question, server) if answer.flags & TC else answer

    async def _byDatagram(self, question: Message, server: Address) -> Message:
        wire = question.to_wire()
        for wait in _DATAGRAM_WAITS:
            protocol = _Datagrams(server, wire)
            interface = "::" if ":" in server.host else ""
            try:
                port = self._reactor.listenUDP(0, protocol, interface=interface)
                try:
                    found = await protocol.answer.addTimeout(wait, self._reactor)
                finally:
                    # It may have ended by itself.
                    await maybeDeferred(port.stopListening)
            except TimeoutError:
                continue
            except OSError as why:
                raise ServerSilent(f"{server} cannot be asked ({why})") from why
            return read(found, question, server)
        raise ServerSilent(f"{server} gave no answer within {sum(_DATAGRAM_WAITS):g} s")

    async def _byStream(self, question: Message, server: Address) -> Message:
        from dns.exception import DNSException

        asking = Deferred.fromCoroutine(self._exchange(question.to_wire(), server))
        try:
            found = await asking.addTimeout(_STREAM_WAIT, self._reactor)
            return read(found, question, server)
        except (CancelledError, ServerSilent):
            raise
        except TimeoutError as why:
            raise ServerSilent(f"{server} gave no answer within {_STREAM_WAIT:g} s") from why
        except DNSException as why:
            raise ServerSilent(f"{server} gave an answer that cannot be used ({why})") from why
        except Exception as why:
            raise ServerSilent(f"{server} cannot be asked ({why})") from why

    async def _exchange(self, wire: bytes, server: Address) -> bytes:
        endpoint = HostnameEndpoint(self._reactor, server.host, server.port)
        stream: Any = await endpoint.connect(Factory.forProtocol(_Stream))
        try:
            stream.sendString(wire)
            found: bytes = await stream.answer
            return found
        finally:
            stream.transport.abortConnection()


def read(wire: bytes, question: Message, server: Address) -> Message:
    """
    Read an answer.

    @param wire: Its bytes.
    @param question: What was asked, signed perhaps.
    @param server: Who was asked.
    @raise ServerSilent: It cannot be believed.
    @raise dns.exception.DNSException: It cannot be read.
    """
    from dns.message import from_wire
    from dns.rcode import NOERROR
    from dns.tsig import PeerError

    try:
        answer = from_wire(wire, keyring=question.keyring, request_mac=question.mac)
    except PeerError as why:
        raise ServerSilent(
            f"{server} does not take the signature ({type(why).__name__}): compare the name, the algorithm"
            " and the text of the key, and the clocks of both machines"
        ) from why
    if not question.is_response(answer):
        raise ServerSilent(f"{server} answered to something that was not asked")
    if question.keyring is not None and not answer.had_tsig and answer.rcode() == NOERROR:
        raise ServerSilent(f"{server} answered without a signature")
    return answer
