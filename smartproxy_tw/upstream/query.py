"""
One question to name servers: by datagram, and by TCP where the answer is too
long for one (RFC 1035 section 4.2).

Twisted's own client would do, but says several lines in the log of events for
every question.  Datagrams come by a connected socket, so that the kernel drops
those of strangers, from a port of its choice; the number of the question is
random, and an answer has to repeat the question.
"""

from __future__ import annotations

import socket
from os import urandom
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.protocol import ClientFactory, Protocol
from zope.interface import implementer

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.python.failure import Failure

    from .nameservers import NameServers

__all__ = ["NoAnswer", "ask"]

_LONGEST = 65535
# For an answer by TCP, in seconds.
_STREAM_SECONDS = 5


class NoAnswer(Exception):
    """
    No name server has told; the message says what the last one did.

    @ivar code: The error that it answered with; L{None}: it did not answer.
    """

    def __init__(self, why: str, code: int | None = None) -> None:
        """
        @param why: What it did.
        @param code: The error that it answered with.
        """
        super().__init__(why)
        self.code = code


async def ask(reactor: Any, settings: NameServers, name: str, kind: int, *, isUnchecked: bool = False) -> Any:
    """
    Ask one server after the other, for as many rounds as the settings have.

    @param reactor: One with descriptors, TCP and time.
    @param name: ASCII.
    @param kind: A type of records.
    @param isUnchecked: Whether they are not to mind DNSSEC (RFC 4035 section 3.2.2).
    @return: The answer, a L{twisted.names.dns.Message}; it may be that there
        is no such name.
    @raise NoAnswer: Nobody has told.
    @raise ValueError: The name is none that can be asked for.
    """
    from twisted.names import dns

    number = int.from_bytes(urandom(2), "big")
    query = dns.Message(id=number, recDes=1, checkingDisabled=isUnchecked)
    query.addQuery(name.encode("ascii"), kind, dns.IN)
    question = query.toStr()

    def accepts(data: bytes) -> Any:
        answer: Any = dns.Message()
        try:
            answer.fromStr(data)
        except Exception:
            # Whatever it is: not an answer.
            return None
        asked = [(each.name.name.lower(), each.type) for each in answer.queries]
        isOurs = answer.id == number and answer.answer and asked == [(name.encode("ascii").lower(), kind)]
        # What was cut off is read as far as it goes.
        isWhole = len(answer.answers) == int.from_bytes(data[6:8], "big")
        return answer if isOurs and isWhole else None

    last, code = "there is none", None
    for seconds in settings.timeouts:
        for server in settings.servers:
            try:
                answer = await _datagram(reactor, server, question, accepts).addTimeout(seconds, reactor)
                if answer.trunc:
                    answer = await _stream(reactor, server, question, accepts)
            except TimeoutError:
                last, code = f"{server[0]} does not answer", None
            except (OSError, ConnectError) as why:
                last, code = f"{server[0]} cannot be asked: {why}", None
            else:
                if answer.rCode in (dns.OK, dns.ENAME):
                    return answer
                last, code = f"{server[0]} answers with error {answer.rCode}", answer.rCode
    raise NoAnswer(last, code)


def _datagram(
    reactor: Any, server: tuple[str, int], question: bytes, accepts: Callable[[bytes], Any]
) -> Deferred[Any]:
    """
    @return: Fires with the answer, or fails with L{OSError}.
    """
    waiting = _Datagram(reactor, accepts)
    try:
        waiting.begin(server, question)
    except OSError as why:
        waiting.end()
        waiting.answered.errback(why)
    return waiting.answered


@implementer(IReadDescriptor)
class _Datagram:
    """
    A question under way.
    """

    def __init__(self, reactor: Any, accepts: Callable[[bytes], Any]) -> None:
        self._reactor = reactor
        self._accepts = accepts
        self._sock: socket.socket | None = None
        self.answered: Deferred[Any] = Deferred(lambda _: self.end())

    def begin(self, server: tuple[str, int], question: bytes) -> None:
        """
        Ask.
        """
        family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
        kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        self._sock = sock = socket.socket(family, kind)
        sock.connect(server)
        sock.send(question)
        self._reactor.addReader(self)

    def end(self) -> None:
        """
        Wait no more.
        """
        sock, self._sock = self._sock, None
        if sock is not None:
            self._reactor.removeReader(self)
            sock.close()

    def doRead(self) -> None:
        """See L{IReadDescriptor}."""
        while self._sock is not None:
            try:
                data = self._sock.recv(_LONGEST)
            except BlockingIOError:
                return
            except OSError as why:
                self.end()
                self.answered.errback(why)
                return
            answer = self._accepts(data)
            if answer is not None:
                self.end()
                self.answered.callback(answer)

    def fileno(self) -> int:
        """See L{IReadDescriptor}."""
        return -1 if self._sock is None else self._sock.fileno()

    def connectionLost(self, reason: Failure) -> None:
        """The reactor's word for an error: nobody listens there."""
        self.end()
        if not self.answered.called:
            self.answered.errback(OSError("nobody listens there"))

    def logPrefix(self) -> str:
        """See L{IReadDescriptor}."""
        return "dns"


def _stream(
    reactor: Any, server: tuple[str, int], question: bytes, accepts: Callable[[bytes], Any]
) -> Deferred[Any]:
    """
    @return: Fires with the answer, or fails with L{OSError}, L{ConnectError} or
        L{TimeoutError}.
    """
    answered: Deferred[Any] = Deferred()
    factory = _StreamFactory(answered, question, accepts)
    connector = reactor.connectTCP(server[0], server[1], factory, timeout=_STREAM_SECONDS)
    answered.addTimeout(_STREAM_SECONDS, reactor)

    def leave(result: Any) -> Any:
        connector.disconnect()
        return result

    return answered.addBoth(leave)


class _Stream(Protocol):
    """
    The same by TCP: each message with its length before it.
    """

    factory: _StreamFactory

    def connectionMade(self) -> None:
        """Ask."""
        assert self.transport is not None
        self._data = b""
        question = self.factory.question
        self.transport.write(len(question).to_bytes(2, "big") + question)

    def dataReceived(self, data: bytes) -> None:
        """Wait for the whole of it."""
        self._data += data
        length = int.from_bytes(self._data[:2], "big")
        if len(self._data) >= 2 + length and len(self._data) >= 2:
            answer = self.factory.accepts(self._data[2 : 2 + length])
            if answer is None:
                self.factory.fail(OSError("it answers something else"))
            else:
                self.factory.succeed(answer)

    def connectionLost(self, reason: Any = None) -> None:
        """It is over."""
        self.factory.fail(OSError("it hung up"))


class _StreamFactory(ClientFactory):
    protocol = _Stream  # type: ignore[assignment]
    noisy = False

    def __init__(self, answered: Deferred[Any], question: bytes, accepts: Callable[[bytes], Any]) -> None:
        self._answered: Deferred[Any] | None = answered
        self.question = question
        self.accepts = accepts

    def succeed(self, answer: Any) -> None:
        """It has answered."""
        answered, self._answered = self._answered, None
        if answered is not None and not answered.called:
            answered.callback(answer)

    def fail(self, why: Exception) -> None:
        """It has not."""
        answered, self._answered = self._answered, None
        if answered is not None and not answered.called:
            answered.errback(why)

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        """Not even that."""
        self.fail(OSError(str(reason.value)))
