"""
A wire is one end of a byte stream: a socket with or without TLS, behind two
bound callables that cost nothing more than the socket's own.

C{recv(size)} gives bytes, or C{b""} at the end, or raises L{BlockingIOError}
when there is nothing now, or L{OSError} when the stream broke.  C{write(data)}
takes everything and says whether it has all gone to the kernel; what has not
waits in L{pending<PlainWire.pending>}, and whoever feeds a wire is to stop
until L{flush<PlainWire.flush>} says that it has gone.  So what waits is bounded
by what one feeder hands over at a time.

C{write} never raises: bytes to a broken stream are dropped, because there may
still be an answer to read, and reading tells how it ended.
"""

from __future__ import annotations

import errno
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from .pipes import Pipe, Pipes
    from .poller import Poller

__all__ = ["READ", "Ending", "PlainWire", "Wire", "isConnected", "resetOnClose"]


class Wire(Protocol):
    """
    Either kind of wire.

    @ivar sock: Connected and non-blocking; owned by the wire.
    @ivar fd: Its descriptor.
    @ivar pending: What was written and has not gone yet.
    @ivar isShort: Whether a read shorter than asked for has taken all that the
        kernel had.
    @ivar isEnding: Whether an event has said that the end is on its way, for
        which no other will come: a short read is not the last then.  Whoever
        is given an event sets it, so that it is known to those who take the
        wire over.
    @ivar isBroken: Whether a write has failed for good.
    @ivar isTruncated: Whether the stream ended in a way that may have been cut.
    """

    sock: socket.socket
    fd: int
    pending: bytes
    isEnding: bool
    isBroken: bool

    @property
    def isShort(self) -> bool:
        """See above."""

    @property
    def isTruncated(self) -> bool:
        """See above."""

    @property
    def recv(self) -> Callable[[int], bytes]:
        """
        Reads: bytes, nothing at the end, L{BlockingIOError}, L{OSError}.
        """

    def write(self, data: bytes) -> bool:
        """
        Send, or keep what cannot be sent now.

        @return: Whether nothing is pending.
        """

    def flush(self) -> bool:
        """
        Send what is pending.

        @return: Whether nothing is pending any more.
        """

    def finish(self) -> None:
        """
        Send nothing more: the peer reads the end after what is pending.
        """

    def close(self) -> None:
        """
        Close, with what the kernel has still being sent.
        """

    def reset(self) -> None:
        """
        Close so that the peer is told that the stream broke.
        """


#: So many bytes are asked for at a time; a shorter answer from a plain wire
#: means that there is no more for now.
READ = 65536

# Stands in what is pending for the bytes that wait in a pipe, before those that were written after them.
_IN_PIPE = b"|"

# struct linger {1, 0}, socket(7).
_NO_LINGER = b"\x01\0\0\0\0\0\0\0"


def resetOnClose(sock: socket.socket) -> None:
    """
    Have the next close send a reset in place of an end.
    """
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)


def isConnected(sock: socket.socket) -> bool:
    """
    @return: Whether a socket's connection is still there, at least one way.
    """
    try:
        sock.getpeername()
    except OSError:
        return False
    return True


class Ending:
    """
    How a wire of either kind ends what it sends.

    @ivar sock: Connected and non-blocking; owned.
    @ivar fd: Its descriptor.
    @ivar pending: What was written and has not gone yet.
    @ivar isBroken: Whether a write has failed for good.
    """

    __slots__ = ("_isFinishing", "_poller", "fd", "isBroken", "pending", "sock")

    sock: socket.socket
    fd: int
    pending: bytes
    isBroken: bool
    _isFinishing: bool
    #: To be asked for word of room; L{None} where it sends that unasked.
    _poller: Poller | None

    def _wait(self) -> None:
        """
        Something is pending: there has to be an event when it can go.
        """
        poller, self._poller = self._poller, None
        if poller is not None:
            poller.widen(self.fd)

    def finish(self) -> None:
        """
        Send nothing more: the peer reads the end after what is pending.
        """
        if self.pending:
            self._isFinishing = True
        else:
            self._finished()

    def _finished(self) -> None:
        """
        Nothing is pending before the end any more.
        """
        self._isFinishing = False
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.isBroken = True

    def close(self) -> None:
        """
        Close, with what the kernel has still being sent.
        """
        self.pending = b""
        self.sock.close()

    def reset(self) -> None:
        """
        Close so that the peer is told that the stream broke.
        """
        resetOnClose(self.sock)
        Ending.close(self)


class PlainWire(Ending):
    """
    A socket as it is.

    @ivar sock: Connected and non-blocking; owned.
    @ivar fd: Its descriptor.
    @ivar recv: The socket's own.
    @ivar pending: What was written and has not gone yet.
    @ivar isShort: Whether a short read means that nothing more is there.
    @ivar isEnding: Whether the end is on its way.
    @ivar isBroken: Whether a write has failed for good.
    """

    __slots__ = ("_pipe", "_pipes", "_send", "isEnding", "recv")

    isShort = True
    isTruncated = False

    def __init__(self, sock: socket.socket, isEnding: bool = False, poller: Poller | None = None) -> None:
        """
        @param sock: Connected and non-blocking.
        @param poller: Where it is registered for nothing but
            L{ARRIVALS<smartproxy_tw.plane.poller.ARRIVALS>}.
        """
        self.sock = sock
        self._poller = poller
        self.isEnding = isEnding
        self.fd = sock.fileno()
        self.recv: Callable[[int], bytes] = sock.recv
        self._send = sock.send
        self.pending = b""
        self.isBroken = False
        self._isFinishing = False
        self._pipe: Pipe | None = None
        self._pipes: Pipes | None = None

    def write(self, data: bytes) -> bool:
        """
        Send, or keep what cannot be sent now.

        @return: Whether nothing is pending.
        """
        if self.pending:
            self.pending += data
            return False
        try:
            sent = self._send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._failed(error)
            return True
        if sent == len(data):
            return True
        self.pending = data[sent:]
        self._wait()
        return False

    def writeLast(self, data: bytes) -> bool:
        """
        As L{write}, when the end is to follow at once: both go in one segment, and the
        peer is woken once.  (The kernel sends it in any case, a fifth of a second later.)
        """
        if not self.pending:
            try:
                data = data[self._send(data, socket.MSG_MORE) :]
            except BlockingIOError:
                pass
            except OSError as error:
                self._failed(error)
                return True
            if not data:
                return True
        return self.write(data)

    def flush(self) -> bool:
        """
        Send what is pending.

        @return: Whether nothing is pending any more.
        """
        if self._pipe is not None and not self._flushPipe(self._pipe):
            return False
        data, self.pending = self.pending, b""
        if data and not (self.isBroken or self.write(data)):
            return False
        if self._isFinishing:
            self._finished()
        return True

    def take(self, source: int, pipes: Pipes, most: int) -> int:
        """
        Move bytes here from another socket, without reading them.  Only when
        nothing is pending; what the kernel does not take is pending then.

        @param source: The descriptor of the other socket.
        @param pipes: Where to borrow one.
        @param most: So many bytes at most.
        @return: How many were moved; 0 at the end of the other stream; -1 when
            there is no pipe to be had.
        @raise BlockingIOError: There is nothing to move now.
        @raise OSError: The other stream broke.
        """
        pipe = pipes.borrow()
        if pipe is None:
            return -1
        moved = 0
        try:
            moved = pipe.pull(source, most)
            if moved and not self._push(pipe):
                self._pipe = pipe
                self._pipes = pipes
                self.pending = _IN_PIPE
                self._wait()
        finally:
            if self._pipe is None:
                pipes.giveBack(pipe)
        return moved

    def _push(self, pipe: Pipe) -> bool:
        try:
            return pipe.push(self.fd)
        except OSError as error:
            self._failed(error)
            return True

    def _failed(self, error: OSError) -> None:
        """
        Nothing can be written any more.
        """
        self.isBroken = True
        if error.errno == errno.ECONNRESET:
            # The kernel tells of a reset once, and has told the writer: who reads would find a clean end.
            # (Of a reset after an end it tells by EPIPE.)
            self.recv = self._recvReset

    def breakAtEnd(self) -> None:
        """
        Have the end, where that is read, be that of a stream that broke: for one end of a pair of
        sockets, which knows no reset.
        """
        self.recv = self._recvReset

    def _recvReset(self, size: int) -> bytes:
        data = self.sock.recv(size)
        if not data:
            raise ConnectionResetError(errno.ECONNRESET, "the connection was reset")
        return data

    def _flushPipe(self, pipe: Pipe) -> bool:
        if not self._push(pipe):
            return False
        self._returnPipe()
        self.pending = self.pending[len(_IN_PIPE) :]
        return True

    def _returnPipe(self) -> None:
        if self._pipe is not None and self._pipes is not None:
            self._pipes.giveBack(self._pipe)
        self._pipe = self._pipes = None

    def close(self) -> None:
        """
        Close, with what the kernel has still being sent.
        """
        if self.pending:
            self.pending = b""
            self._returnPipe()
        self.sock.close()

    def reset(self) -> None:
        """
        Close so that the peer is told that the stream broke.
        """
        self._returnPipe()
        super().reset()
