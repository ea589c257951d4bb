"""
Questions and answers by HTTP, JSON both ways, with clients that may be slow, gone or
not HTTP at all.

One request is answered on each connection.  Its head, its body and the time that it
takes to arrive are bounded, and so is the time that the client takes for the answer;
so is the number of clients.  An answer is made piece by piece as it is taken, so that
ten thousand certificates neither hold up the reactor nor are in memory at once.
What was asked for goes on when the client has gone.

Costs time to import, and is imported with the first connection.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterable, Iterator
from io import BytesIO
from itertools import islice
from typing import TYPE_CHECKING, Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IPullProducer
from twisted.internet.protocol import ServerFactory
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import http
from zope.interface import implementer

from ..facts import Address
from .desk import Desk, Refusal, Reply

if TYPE_CHECKING:
    from .guard import Guard

__all__ = ["Conversations"]

#: Bytes of a body, clients at a time.
_BODY, _MOST = 64 * 1024, 32

#: A whole request has to be there after so many seconds; and everything has to be over
#: after so many more: longer than the longest that is done for an answer.
_ARRIVAL, _LIFE = 10.0, 150.0

#: A stranger is in the log once in so many seconds.
_QUIET = 60.0

#: So many items of a list are made in one turn, and so many lines of text.
_PIECE, _LINES = 50, 200

_JSON = b"application/json"

#: Twisted's own, which have no types.
_AnyRequest: Any = http.Request
_AnyChannel: Any = http.HTTPChannel


@implementer(IPullProducer)
class _Text:
    """
    Writes text as fast as it is taken.
    """

    _log = Logger()

    def __init__(self, request: _Request, text: Iterable[str]) -> None:
        self._request = request
        self._text = iter(text)

    def resumeProducing(self) -> None:
        if self._request.isGone:
            return
        try:
            isOver = self._write()
        except Exception:
            self._log.failure("A defect while telling")
            self._request.breakOff()
            return
        if isOver:
            self._request.unregisterProducer()
            self._request.finish()

    def _write(self) -> bool:
        """
        Write some.

        @return: Whether that was the last of it.
        """
        lines: list[str] = []
        line: str | None = None
        for _ in range(_LINES):
            line = next(self._text, None)
            if not line:
                break
            lines.append(line)
        if lines:
            self._request.write("".join(lines).encode("utf-8", "backslashreplace"))
        return line is None

    def stopProducing(self) -> None:
        """
        Nobody takes it any more.
        """


@implementer(IPullProducer)
class _Pieces:
    """
    Writes one answer as fast as it is taken.
    """

    _log = Logger()

    def __init__(self, request: _Request, reply: Reply) -> None:
        assert reply.listing is not None
        name, items = reply.listing
        self._request = request
        self._items: Iterator[Any] = iter(items)
        head = json.dumps({**reply.members, name: []}, indent=1)
        # Up to the list, and what closes it.
        self._head = head[: head.rindex("]")].encode("utf-8")
        self._isFirst = True

    def resumeProducing(self) -> None:
        if self._request.isGone:
            return
        try:
            items = [json.dumps(each, indent=1) for each in islice(self._items, _PIECE)]
        except Exception:
            # It has begun, so that it can only be broken off.
            self._log.failure("A defect while listing")
            self._request.breakOff()
            return
        if self._isFirst:
            self._request.write(self._head)
        if items:
            text = ",\n".join(items)
            self._request.write(("" if self._isFirst else ",\n").encode() + text.encode("utf-8"))
            self._isFirst = False
            return
        self._isFirst = False
        self._request.write(b"]\n}\n")
        self._request.unregisterProducer()
        self._request.finish()

    def stopProducing(self) -> None:
        """
        Nobody takes it any more.
        """


class _Request(_AnyRequest):  # type: ignore[misc]
    """
    One question.
    """

    channel: _Channel

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.isGone = False
        self._isRefused = False
        self._asker = _asker(self.channel.transport)

    def gotLength(self, length: int | None) -> None:
        # Twisted's own keeps what is long in a file.
        self.content: Any = BytesIO()
        if length is not None and length > _BODY:
            self._refuse()

    def handleContentChunk(self, data: bytes) -> None:
        if self.content.tell() + len(data) > _BODY:
            self._refuse()
        elif not self._isRefused:
            self.content.write(data)

    def process(self) -> None:
        if self._isRefused:
            return
        self.channel.arrived()
        self.channel.factory.begin(self._answer())

    def connectionLost(self, reason: Failure) -> None:
        self.isGone = True
        super().connectionLost(reason)

    def breakOff(self) -> None:
        """
        Let the client see that this is not all.
        """
        self.channel.abort()

    def _refuse(self) -> None:
        """
        Answer before it has all come, and take no more of it.
        """
        if self._isRefused:
            return
        self._isRefused = True
        text = _text(Refusal(413, "too-long", f"A question has no more than {_BODY} bytes.").reply())
        head = (
            "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\n"
            f"Content-Type: {_JSON.decode()}\r\nContent-Length: {len(text)}\r\n\r\n"
        )
        self.channel.transport.write(head.encode("ascii") + text)
        self.channel.transport.loseConnection()

    async def _answer(self) -> None:
        guard = self.channel.factory.guard
        if guard is not None:
            objection = guard.objection(self._values, bool(self.content.getbuffer()), self._local())
            if objection is not None:
                self.channel.factory.refused(self._asker, objection)
                fields = {"WWW-Authenticate": "Bearer"} if objection.status == 401 else {}
                self._tell(objection.reply(**fields))
                return
        parameters = {
            _decoded(name): tuple(map(_decoded, values)) for name, values in (self.args or {}).items()
        }
        reply = await self.channel.factory.desk.answer(
            _decoded(self.method), _decoded(self.path), parameters, self.content.read(), self._asker
        )
        if not self.isGone:
            self._tell(reply)

    def _values(self, name: str) -> list[str]:
        found = self.requestHeaders.getRawHeaders(name.encode("ascii")) or ()
        return [value.decode("latin-1") for value in found]

    def _local(self) -> Address:
        here = self.channel.transport.getHost()
        return Address(here.host, here.port)

    def _tell(self, reply: Reply) -> None:
        self.setResponseCode(reply.status)
        self.setHeader(b"content-type", _JSON)
        self.setHeader(b"cache-control", b"no-store")
        for name, value in reply.fields.items():
            self.setHeader(name.encode("ascii"), value.encode("ascii"))
        if reply.text is not None:
            self.registerProducer(_Text(self, reply.text), False)
            return
        if reply.listing is not None:
            self.registerProducer(_Pieces(self, reply), False)
            return
        text = _text(reply)
        self.setHeader(b"content-length", b"%d" % len(text))
        self.write(text)
        self.finish()


class _Channel(_AnyChannel):  # type: ignore[misc]
    """
    One connection.
    """

    requestFactory = _Request
    maxHeaders = 64
    #: By what is read; here the time counts from the first moment.
    timeOut = None
    factory: Conversations

    def connectionMade(self) -> None:
        super().connectionMade()
        self._timer: IDelayedCall | None = self.factory.clock.callLater(_ARRIVAL, self.abort)
        self.factory.channels.add(self)

    def checkPersistence(self, request: Any, version: bytes) -> bool:
        request.responseHeaders.setRawHeaders(b"connection", [b"close"])
        return False

    def arrived(self) -> None:
        """
        The whole request is there.
        """
        self._stopTimer()
        self._timer = self.factory.clock.callLater(_LIFE, self.abort)

    def abort(self) -> None:
        """
        Have done with it.
        """
        self._stopTimer()
        if self.transport is not None:
            self.transport.abortConnection()

    def connectionLost(self, reason: Any) -> None:
        self._stopTimer()
        self.factory.channels.discard(self)
        super().connectionLost(reason)

    def _stopTimer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()


class Conversations(ServerFactory):
    """
    All of them.

    @ivar desk: Answers.
    @ivar guard: Sees who may ask; L{None}: whoever can connect.
    @ivar clock: Ends what takes too long.
    @ivar channels: Those that go on.
    """

    protocol: Any = _Channel
    noisy = False

    _log = Logger()

    def __init__(self, desk: Desk, clock: Any, guard: Guard | None = None) -> None:
        """
        @param desk: Answers.
        @param clock: Ends what takes too long.
        @param guard: Sees who may ask; L{None}: whoever can connect.
        """
        self.desk = desk
        self.guard = guard
        self._quietUntil = -1.0
        self.clock = clock
        self.channels: set[_Channel] = set()
        self._answers: set[Deferred[None]] = set()

    def buildProtocol(self, addr: Any) -> Any:
        """
        One more client, unless there are too many.
        """
        return None if len(self.channels) >= _MOST else super().buildProtocol(addr)

    def begin(self, answer: Any) -> None:
        """
        Answer, whether the client waits for it or not.

        @param answer: A coroutine.
        """
        answering = Deferred.fromCoroutine(answer)
        self._answers.add(answering)
        answering.addErrback(_defect)
        answering.addBoth(lambda _: self._answers.discard(answering))

    def refused(self, asker: str, why: Refusal) -> None:
        """
        Somebody was not answered; the log has that, but not every time.
        """
        if self.clock.seconds() < self._quietUntil:
            return
        self._quietUntil = self.clock.seconds() + _QUIET
        self._log.warn(
            "{asker} was refused: {why} (told once in {seconds:g} s)",
            event="admin-stranger",
            asker=asker,
            why=str(why),
            code=why.code,
            seconds=_QUIET,
        )

    def stop(self) -> None:
        """
        Answer nobody any more; what is being done for an answer is cancelled.
        """
        for answering in list(self._answers):
            answering.cancel()
        for channel in list(self.channels):
            channel.abort()

    def log(self, request: object) -> None:
        """
        There is no access log: who changes something is in the log of events.
        """


_log = Logger()


def _defect(failure: Failure) -> None:
    if not failure.check(CancelledError):  # type: ignore[no-untyped-call]
        _log.failure("A defect while answering", failure=failure)


def _text(reply: Reply) -> bytes:
    return json.dumps(dict(reply.members), indent=1).encode("utf-8") + b"\n"


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "replace")


def _asker(transport: Any) -> str:
    """
    Who is at the other end (unix(7), SO_PEERCRED).
    """
    peer = transport.getPeer()
    if isinstance(peer, IPv4Address | IPv6Address):
        return f"{peer.host} (by TCP)"
    try:
        found = transport.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        process, user, _ = struct.unpack("3i", found)
    except (AttributeError, OSError):
        return "somebody"
    return f"user {user} (process {process})"
