"""
What an exchange needs of the client's half of it, whatever version of HTTP the client
speaks: a whole connection (L{Session<smartproxy_tw.plane.session.Session>}), or one
stream of many (L{Channel<smartproxy_tw.plane.channel.Channel>}).  And likewise of the
target's half.

Bodies of requests are handed over as HTTP/1 has them, chunks and all, since that is how
they go on.  Answers go to a client of HTTP/1 as they came, and to others by frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IProtocolFactory

    from ..facts import AnswerHead, ConnectionFacts
    from ..wire.http1 import Response
    from .door import Door, Prepared
    from .exchange import Exchange
    from .outlet import Outlet
    from .spell import Spell
    from .wires import Wire

__all__ = ["ClientHalf", "TargetHalf"]


class ClientHalf(Protocol):
    """
    The client's half of an exchange.

    @cvar isFramed: Whether answers cannot go on as they came.
    @ivar door: Where it came in.
    @ivar connection: What is known of the client's connection.
    @ivar buffer: What was read of a body and not used.
    @ivar isHot: Whether there may be something to read for which no event will come.
    """

    isFramed: bool
    door: Door
    connection: ConnectionFacts
    buffer: bytes
    isHot: bool

    @property
    def wire(self) -> Any:
        """
        The client's connection, or what stands for it: its C{pending} says whether an
        answer has to wait.
        """

    @property
    def marks(self) -> bytes:
        """
        The forwarding fields that are the same for each request, once they are known.
        """

    @property
    def allowance(self) -> float:
        """
        What counts for the pace of a body, in bytes, besides what has come of it: what came
        instead of it on the same connection.
        """

    @property
    def holder(self) -> Any:
        """
        What has the client's connection: its C{connection} and its C{wire}.
        """

    def mark(self, prepared: Prepared) -> bytes:
        """
        The forwarding fields to send along with a request.
        """

    def hear(self) -> bytes | None:
        """
        Read once: nothing when nothing has come, L{None} at the end.
        """

    def progress(self) -> None:
        """
        Something moved.
        """

    def inform(self, head: bytes) -> None:
        """
        Pass on an interim answer.

        @param head: Status line and fields, without the empty line.
        """

    def outlet(self, exchange: Exchange, head: AnswerHead) -> Outlet:
        """
        Begin an answer that comes in pieces.
        """

    def whole(self, response: Response, body: bytes) -> None:
        """
        Send an answer that is here as a whole, by frames.
        """

    def writeRefusal(self, status: int, more: bytes = b"") -> int:
        """
        Answer what cannot be served, and let nothing follow.

        @param more: Further header lines.
        @return: The size of the answer's body.
        """

    def exchanged(self, isKept: bool) -> None:
        """
        The exchange has ended.

        @param isKept: Whether another request may follow.
        """

    def tunnel(
        self,
        target: Wire,
        head: bytes,
        data: bytes,
        isHot: bool,
        done: Callable[[int, int], None],
        spell: Spell,
    ) -> None:
        """
        Pass on bytes from now on, in both directions.

        @param target: The other side.
        @param head: The answer that agreed to it.
        @param data: What the target has said already.
        @param isHot: Whether it may have said more.
        @param done: Called at the end with the bytes to the target, and those from it.
        @param spell: How long it may last.
        """

    def serve(
        self, head: bytes, factory: IProtocolFactory, done: Callable[[int, int], None], spell: Spell
    ) -> None:
        """
        Hand the bytes to a protocol of this process from now on.

        @param head: The answer that agreed to it.
        @param factory: Makes the protocol.
        @param done: Called at the end with the bytes to the protocol, and those from it.
        @param spell: How long it may last.
        """

    def drop(self) -> None:
        """
        Break off.
        """

    def crash(self) -> None:
        """
        A bug: break off.
        """


class TargetHalf(Protocol):
    """
    The target's half of an exchange, whatever version of HTTP the target speaks: a
    connection that carries one exchange after the other
    (L{Link<smartproxy_tw.plane.link.Link>}), or one stream of many
    (L{Strand<smartproxy_tw.plane.strand.Strand>}).

    @ivar target: Which target this is, for logs and for the lender.
    @ivar isReused: Whether its connection was kept, so that the target may have closed it
        before the request came.
    @ivar moved: Bytes of the present answer's body that were passed on.
    @ivar deadline: Of being kept.
    """

    target: str
    isReused: bool
    moved: int
    deadline: float

    @property
    def wire(self) -> Any:
        """
        The connection, or what stands for it: C{write} takes more of a request's body,
        and C{pending} says whether that has to wait.
        """

    def begin(self, exchange: Exchange, data: bytes) -> None:
        """
        Carry an exchange.

        @param data: The request's head, and as much of its body as there is, as HTTP/1
            has them.
        """

    def download(self) -> None:
        """
        Pass on the answer while there is one and the client takes it.
        """

    def blame(self, reason: str) -> None:
        """
        Whoever waits for the answer has given up.
        """

    def close(self) -> None:
        """
        Break off.  The exchange, if any, is not told.
        """
