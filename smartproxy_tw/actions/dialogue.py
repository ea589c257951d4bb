"""
A WebSocket as an ASGI application has it (version 3.0 of the specification, C{websocket}).

The application lives on a loop of its own, and the client's bytes do not: frames become messages on the
reactor (L{smartproxy_tw.actions.websocket}), and what goes over are messages.  Each way has its bound: when
the application does not receive what has come, the client is not read any more; when the client does not take
what was sent, C{send} waits.

However the application ends, the client is told: one that fails before it has accepted is 500, one that fails
later closes with 1011, one that just returns closes with 1000.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from twisted.logger import Logger

from ..plane.answers import plainAnswer
from .asked import answerLines
from .websocket import LOST, WebSocket, accept, checkClose

if TYPE_CHECKING:
    from .asgi import Message
    from .asked import Asked

__all__ = ["Dialogue", "subprotocols"]

_log = Logger()

# So much of what the application has not received yet is kept before the client is read no more: messages,
# and their bytes.
_MESSAGES = 32
_BYTES = 65536
# What the handshake says of itself is not the application's to say.
_HANDSHAKE = frozenset((b"sec-websocket-accept", b"sec-websocket-protocol", b"sec-websocket-extensions"))
#: The code with which a WebSocket ends whose application does (registered with IANA: service restart).
_RESTART = 1012
_FAILED = 1011


class Run(Protocol):
    """
    What there is of every request.

    @ivar asked: The request.
    @ivar isWhole: Whether the application has said all, so that it is not cancelled when it goes on.
    @ivar task: It, answering.
    """

    asked: Asked
    isWhole: bool
    task: asyncio.Task[None] | None

    @property
    def isOver(self) -> bool:
        """
        Whether the exchange is.
        """

    def scope(self, state: dict[str, Any]) -> Message:
        """
        As that of a request of HTTP.
        """

    async def send(self, message: Message) -> None:
        """
        Send a part of an answer of HTTP.
        """

    def end(self) -> None:
        """
        The application has returned.
        """

    def fail(self) -> None:
        """
        There will be no answer, or no more of it.
        """

    def tell(self, done: asyncio.Future[None]) -> None:
        """
        Called on the reactor: what the application waits for has happened.
        """


class Dialogue:
    """
    One WebSocket.  Made on the reactor; what an application calls is called on its loop.
    """

    def __init__(
        self,
        reactor: Any,
        loop: asyncio.AbstractEventLoop,
        run: Run,
        most: int,
        count: Callable[[int], None],
    ) -> None:
        """
        @param run: Answers the request if the application does not accept it.
        @param most: So long may a message be, in bytes.
        @param count: Told by how many more, or fewer, requests are under way: a WebSocket is none from
            when it has begun until it has ended.
        """
        self._reactor = reactor
        self._loop = loop
        self._run = run
        self._most = most
        self._counted = count
        self._exchange = run.asked.exchange
        self._offered = subprotocols(run.asked)
        # On the loop.
        self._state = "connecting"
        self._heard: asyncio.Queue[Message] = asyncio.Queue()
        self._heard.put_nowait({"type": "websocket.connect"})
        self._hasLeft = False
        # On the reactor.
        self._socket: WebSocket | None = None
        self._messages = self._bytes = 0
        self._isClosed = False
        self._exchange.onEnd(self._ended)

    # On the loop.

    @property
    def task(self) -> asyncio.Task[None] | None:
        """
        The application, speaking; L{None} before it was asked.
        """
        return self._run.task

    @task.setter
    def task(self, task: asyncio.Task[None]) -> None:
        self._run.task = task

    @property
    def isOver(self) -> bool:
        """
        Whether nobody is there any more.
        """
        return self._isClosed or self._run.isOver

    def scope(self, state: dict[str, Any]) -> Message:
        """
        What the application is called with.
        """
        scope = self._run.scope(state)
        del scope["method"]
        scope["type"] = "websocket"
        scope["scheme"] = "wss" if scope["scheme"] == "https" else "ws"
        scope["subprotocols"] = list(self._offered)
        scope["extensions"]["websocket.http.response"] = {}
        return scope

    async def receive(self) -> Message:
        """
        The next thing that has happened; in the end, that the client has left.

        @raise RuntimeError: That has been received already.
        """
        if self._hasLeft:
            raise RuntimeError("there is nothing to receive after websocket.disconnect")
        message = await self._heard.get()
        if message["type"] == "websocket.receive":
            self._reactor.callFromThread(self._received, _size(message))
        elif message["type"] == "websocket.disconnect":
            self._hasLeft = True
            # For whoever else waits.
            self._heard.put_nowait(message)
        return message

    async def send(self, message: Message) -> None:
        """
        Accept, refuse, say something or close.

        @raise OSError: The client has left.
        @raise RuntimeError: It is not the time for this.
        @raise ValueError: It is not what the specification has.
        """
        kind = message["type"]
        if self._state == "connecting" and kind == "websocket.accept":
            await self._accept(message)
        elif self._state == "connecting" and kind == "websocket.close":
            self._state = "closed"
            self._run.isWhole = True
            self._reactor.callFromThread(self._refuse)
        elif self._state == "connecting" and kind == "websocket.http.response.start":
            if 200 <= message["status"] <= 299:
                # Over HTTP/2 that would be consent.
                raise ValueError(f"{message['status']} is no status of a refusal")
            self._state = "refusing"
            await self._run.send({**message, "type": "http.response.start"})
        elif self._state == "refusing" and kind == "websocket.http.response.body":
            await self._run.send({**message, "type": "http.response.body"})
        elif self._state == "accepted" and kind == "websocket.send":
            await self._say(message)
        elif self._state == "accepted" and kind == "websocket.close":
            code, reason = message.get("code", 1000), message.get("reason") or ""
            checkClose(code, reason)
            self._state = "closed"
            self._run.isWhole = True
            self._reactor.callFromThread(self._close, code, reason)
        else:
            raise RuntimeError(f"{kind!r} is not sent to a WebSocket that is {self._state}")

    async def _accept(self, message: Message) -> None:
        chosen = message.get("subprotocol")
        if chosen is not None and chosen not in self._offered:
            raise ValueError(f"the client has not offered the subprotocol {chosen!r}")
        pairs = [(bytes(name), bytes(value)) for name, value in message.get("headers", ())]
        for name, _ in pairs:
            if name.lower() in _HANDSHAKE:
                raise ValueError(f"{name!r} is a part of the handshake, which is not the application's")
        lines, _ = answerLines(pairs)
        if chosen is not None:
            lines += b"Sec-WebSocket-Protocol: " + chosen.encode("ascii") + b"\r\n"
        self._state = "accepted"
        done = self._loop.create_future()
        self._reactor.callFromThread(self._open, lines, lambda: self._tell(done))
        await done

    async def _say(self, message: Message) -> None:
        text, data = message.get("text"), message.get("bytes")
        if (text is None) == (data is None):
            raise ValueError("websocket.send has either text or bytes")
        said: str | bytes = text if isinstance(text, str) else bytes(data or b"")
        if isinstance(said, str):
            # Half of a surrogate pair is the application's mistake, and is to be met where it is made.
            said.encode()
        elif text is not None:
            raise ValueError(f"{type(text).__name__} is no text")
        if self.isOver:
            raise OSError("the client has left")
        taken = self._loop.create_future()
        self._reactor.callFromThread(self._send, said, lambda: self._tell(taken))
        await taken

    def end(self) -> None:
        """
        The application has returned.

        @raise RuntimeError: It has neither accepted nor refused.
        """
        if self._state == "connecting":
            raise RuntimeError("the application ended before it accepted the WebSocket or refused it")
        if self._state == "refusing":
            self._run.end()
        elif self._state == "accepted":
            self._state = "closed"
            self._reactor.callFromThread(self._close, 1000, "")

    def fail(self) -> None:
        """
        The application has failed.
        """
        if self._state in ("connecting", "refusing"):
            self._run.fail()
        else:
            self._state = "closed"
            self._reactor.callFromThread(self._close, _FAILED, "")

    def leave(self) -> None:
        """
        The application is about to end: both sides are told.
        """
        if self._state == "accepted":
            self._reactor.callFromThread(self._close, _RESTART, "")
        self._heard.put_nowait(_disconnect(_RESTART, ""))

    # On the reactor.

    def _open(self, lines: bytes, then: Callable[[], None]) -> None:
        self._socket = socket = WebSocket(self._reactor, self, self._most)
        self._guarded(lambda: accept(self._exchange, socket, lines))
        self._counted(-1)
        self._exchange.onEnd(lambda: self._counted(1))
        then()

    def _refuse(self) -> None:
        self._guarded(lambda: self._exchange.respond(*plainAnswer(403)))

    def _send(self, message: str | bytes, then: Callable[[], None]) -> None:
        socket = self._socket
        if socket is None or self._isClosed:
            then()
            return
        self._guarded(lambda: socket.send(message))
        socket.whenTaking(then)

    def _close(self, code: int, reason: str) -> None:
        socket = self._socket
        if socket is not None and not self._isClosed:
            self._guarded(lambda: socket.close(code, reason))

    def _guarded(self, deed: Callable[[], None]) -> None:
        """
        Nobody is above who would end the exchange.
        """
        try:
            deed()
        except Exception:
            _log.failure("A WebSocket met a bug on its way to the client")
            self._exchange.abort()
            if self._socket is not None:
                self._socket.abort()

    def received(self, message: str | bytes) -> None:
        """
        See L{Listener<smartproxy_tw.actions.websocket.Listener>}.
        """
        isText = isinstance(message, str)
        told = {
            "type": "websocket.receive",
            "text": message if isText else None,
            "bytes": None if isText else message,
        }
        self._count(1, _size(told))
        self._hear(told)

    def _received(self, size: int) -> None:
        self._count(-1, -size)

    def _count(self, messages: int, size: int) -> None:
        """
        So much more is on its way to the application.
        """
        self._messages += messages
        self._bytes += size
        socket = self._socket
        if socket is None or self._isClosed:
            return
        socket.keep(self._bytes)
        if self._messages >= _MESSAGES or self._bytes >= _BYTES:
            socket.pause()
        else:
            socket.resume()

    def closed(self, code: int, reason: str) -> None:
        """
        See L{Listener<smartproxy_tw.actions.websocket.Listener>}.
        """
        self._isClosed = True
        self._hear(_disconnect(code, reason))

    def _ended(self) -> None:
        """
        The exchange has.
        """
        if not self._isClosed:
            self.closed(LOST, "")

    # From one to the other.

    def _hear(self, message: Message) -> None:
        try:
            self._loop.call_soon_threadsafe(self._heard.put_nowait, message)
        except RuntimeError:
            # The loop has ended before.
            pass

    def _tell(self, done: asyncio.Future[None]) -> None:
        self._run.tell(done)


def subprotocols(asked: Asked) -> tuple[str, ...]:
    """
    Which subprotocols a client offers (RFC 6455 section 11.3.4), the one that it likes best first.
    """
    found = ",".join(asked.values("sec-websocket-protocol")).split(",")
    return tuple(each.strip() for each in found if each.strip())


def _size(message: Message) -> int:
    """
    How many bytes a message counts for, of which one has at least as many characters.
    """
    return len(message["bytes"] if message["text"] is None else message["text"])


def _disconnect(code: int, reason: str) -> Message:
    return {"type": "websocket.disconnect", "code": code, "reason": reason}
