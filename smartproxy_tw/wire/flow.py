"""
What an HTTP/2 session sends on its streams, as fast as the peer's windows allow
(RFC 9113 sections 5.2 and 6.9).

A head, and data that fit into the windows and into one frame, go straight to what is
sent next, so a small answer meets no queue.  Everything else waits in a queue of its
stream, and the streams that can go on take turns, a frame of at most 16 KiB each, when
L{Sending.outgoing} is called: a large body neither holds up a small one nor another
large one.

Bounds on memory: a stream says that it has enough (L{Sending.data} gives C{False}) when
L{STREAM_QUEUE} bytes wait on it, or L{SESSION_QUEUE} on all.  A caller who keeps to that
has, with pieces of P bytes and S streams, at most C{SESSION_QUEUE + S * P} bytes waiting.
What is to be sent regardless of windows (heads, replies, direct data) is bounded by the
number of streams: one is counted as open until its end was taken by C{outgoing}.

This is hot, and C{head} and C{data} put frames together by themselves.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Final, NamedTuple

from .floods import FINISHED, FULL, Purse
from .frames import CONTINUATION, END_HEADERS, END_STREAM, HEADER, HEADERS, MOST_PAYLOAD, USUAL_WINDOW

__all__ = [
    "ENDED",
    "ENDING",
    "OPEN",
    "SESSION_QUEUE",
    "STREAM_QUEUE",
    "UNANSWERED",
    "UNANSWERED_BARE",
    "UNANSWERED_TUNNEL",
    "UNKNOWN",
    "Sending",
    "Stream",
    "Waiting",
]

#: A stream on which so many bytes wait takes no more for now.
STREAM_QUEUE: Final = 65536
#: When so many bytes wait on all streams, only those take more on which nothing waits.
SESSION_QUEUE: Final = 1 << 20
# So many bytes of data go past the queues between two calls of outgoing.
_MOST_DIRECT = 65536

_pack = HEADER.pack

# How far our side of a stream is: it may be given more; its end waits in the queue; it
# has ended.
OPEN: Final = 0
ENDING: Final = 1
ENDED: Final = 2

# What is known of the length of the peer's body, when it is no number of bytes: nothing; that
# its head has not come; and that its head has not come and there will be no body.
UNKNOWN: Final = -1
UNANSWERED: Final = -2
UNANSWERED_BARE: Final = -3
UNANSWERED_TUNNEL: Final = -4


class Waiting(NamedTuple):
    """
    A stream on which data wait for the peer's window or for the line.

    @ivar stream: Its number.
    @ivar size: How many bytes wait.
    @ivar mark: Grows whenever something of it goes out: who finds the same mark after
        a while knows that it stalls.
    """

    stream: int
    size: int
    mark: int


class Stream:
    """
    One stream that is not closed.

    @ivar number: Its identifier.
    @ivar hasEnded: Whether the peer's side has ended.
    @ivar sending: How far our side is.
    @ivar left: Bytes that the peer may still send.
    @ivar owed: Bytes that were taken and not yet given back to the peer.
    @ivar window: Bytes that we may still send; may be negative.
    @ivar length: Bytes of body still to come by the peer's content-length; L{UNKNOWN},
        L{UNANSWERED}, L{UNANSWERED_BARE} or L{UNANSWERED_TUNNEL}.
    @ivar queue: What waits, if anything does.
    @ivar moved: Bytes that have gone out after they had to wait.
    """

    __slots__ = (
        "hasEnded",
        "left",
        "length",
        "moved",
        "number",
        "owed",
        "queue",
        "sending",
        "window",
    )

    def __init__(self, number: int, hasEnded: bool, left: int, window: int, length: int) -> None:
        self.number = number
        self.hasEnded = hasEnded
        self.sending = OPEN
        self.left = left
        self.owed = 0
        self.window = window
        self.length = length
        self.queue: _Queue | None = None
        self.moved = 0


class _Queue:
    """
    What waits on one stream.

    @ivar size: Its bytes.
    @ivar isFull: Whether the caller was told to wait.
    @ivar trailers: With which it ends, after its data.
    """

    __slots__ = ("_at", "_chunks", "isFull", "mark", "size", "trailers")

    def __init__(self, mark: int) -> None:
        self.size = 0
        self.isFull = False
        self.trailers = b""
        self.mark = mark
        self._chunks: deque[bytes] = deque()
        self._at = 0

    def add(self, data: bytes) -> None:
        """
        Put some bytes, at least one, at the end.
        """
        self._chunks.append(data)
        self.size += len(data)

    def takeTo(self, out: list[bytes | memoryview], size: int) -> None:
        """
        Move bytes from the beginning to what is sent.

        @param size: How many; no more than there are.
        """
        self.size -= size
        while size:
            first = self._chunks[0]
            at = self._at
            have = len(first) - at
            if have > size:
                self._at = at + size
                out.append(memoryview(first)[at : at + size])
                return
            out.append(memoryview(first)[at:] if at else first)
            self._at = 0
            del self._chunks[0]
            size -= have


class Sending:
    """
    The sending half of a session.

    @ivar streams: Those that are not closed, by number.
    @ivar moved: Bytes of data that have gone out after they had to wait, on all streams that there
        ever were.
    """

    def __init__(self) -> None:
        self.streams: dict[int, Stream] = {}
        self.moved = 0
        self._purse = Purse()
        # What is sent next, regardless of windows.
        self._out: list[bytes | memoryview] = []
        # Bytes of data, finished streams and replies in it.
        self._direct = self._departed = self._replies = 0
        # Streams whose end of ours is in it, while the peer's side goes on.
        self._ending: set[int] = set()
        # The connection's window, and that of new streams.
        self._window = self._initial = USUAL_WINDOW
        # Streams that have data and a window, in the order of their turns.
        self._ready: OrderedDict[int, Stream] = OrderedDict()
        self._queued = 0
        self._mark = 0
        self._again: list[int] = []
        # Whether the next block has to say that our encoder keeps no table (RFC 7541 section 4.2).
        self._mustShrink = False

    def head(self, stream: int, block: bytes, isEnd: bool = False) -> None:
        """
        Send a head: of an interim answer, of an answer.  On a stream that is closed, or
        has ended, nothing happens: its L{Reset} may be on its way to the caller.

        @param stream: Its number.
        @param block: The fields, encoded without use of a dynamic table.
        @param isEnd: Whether nothing follows.
        """
        found = self.streams.get(stream)
        if found is None or found.sending:
            return
        if self._mustShrink:
            self._mustShrink = False
            block = b"\x20" + block
        size = len(block)
        if size <= MOST_PAYLOAD:
            self._out += (_pack(size << 8 | HEADERS, 5 if isEnd else 4, stream), block)
        else:
            self._continue(stream, block, isEnd)
        if isEnd:
            self._finish(found)

    def data(self, stream: int, data: bytes, isEnd: bool = False) -> bool:
        """
        Send a part of a body.  All of it is taken in any case.

        @param stream: Its number; on one that is closed, or has ended, nothing happens.
        @param data: The part.
        @param isEnd: Whether nothing follows.
        @return: Whether more may come at once.  If not, L{taking} will name the stream.
        """
        found = self.streams.get(stream)
        if found is None or found.sending:
            return True
        size = len(data)
        if (
            size <= MOST_PAYLOAD
            and size <= found.window
            and size <= self._window
            and found.queue is None
            and self._direct < _MOST_DIRECT
        ):
            if size or isEnd:
                found.window -= size
                self._window -= size
                self._direct += size
                purse = self._purse
                if purse.left < FULL:
                    purse.sent(size, False)
                else:
                    purse.owed += size + size
                self._out += (_pack(size << 8, 1 if isEnd else 0, stream), data)
                if isEnd:
                    self._finish(found)
            return True
        return self._enqueue(found, data, isEnd)

    def trailers(self, stream: int, block: bytes) -> None:
        """
        End a body with fields.

        @param stream: Its number; on one that is closed, or has ended, nothing happens.
        @param block: As for L{head}.
        """
        found = self.streams.get(stream)
        if found is None or found.sending:
            return
        if found.queue is None:
            self.head(stream, block, True)
        else:
            found.queue.trailers = block
            found.sending = ENDING

    def outgoing(self, limit: int = 65536) -> bytes:
        """
        Take what is to be sent now.  To be called only when what it gave before has gone
        out: that the peer reads is concluded from it.

        @param limit: About how many bytes of data may come from the queues.  What else
            there is comes in any case.
        @return: Nothing when there is nothing to send, or nothing that may be sent yet.
        """
        if self._ready and self._window > 0:
            self._share(limit)
        self._direct = self._departed = self._replies = 0
        if self._ending:
            self._ending.clear()
        data = b"".join(self._out)
        self._out.clear()
        return data

    @property
    def isPending(self) -> bool:
        """
        Whether L{outgoing} would give something.
        """
        return bool(self._out or (self._ready and self._window > 0))

    def taking(self) -> list[int]:
        """
        Take the streams that had enough and may be given more now; to be asked for after
        L{outgoing}.
        """
        again = self._again
        if again:
            self._again = []
        return again

    @property
    def isWaiting(self) -> bool:
        """
        Whether data wait on any stream.
        """
        return self._queued > 0

    @property
    def isHeldUp(self) -> bool:
        """
        Whether data wait for nothing but the connection's window.
        """
        return bool(self._ready) and self._window <= 0

    def queued(self) -> list[Stream]:
        """
        Show all streams on which data wait, for whatever reason.
        """
        return [each for each in self.streams.values() if each.queue is not None]

    def waiting(self) -> list[Waiting]:
        """
        Show all streams on which data wait; for deadlines.
        """
        return [
            Waiting(each.number, each.queue.size, each.queue.mark)
            for each in self.streams.values()
            if each.queue is not None
        ]

    def _continue(self, stream: int, block: bytes, isEnd: bool) -> None:
        """
        Send a head that is longer than a frame (section 6.10).
        """
        out = self._out
        kind, flags = HEADERS, END_STREAM if isEnd else 0
        for at in range(0, len(block), MOST_PAYLOAD):
            piece = block[at : at + MOST_PAYLOAD]
            if at + MOST_PAYLOAD >= len(block):
                flags |= END_HEADERS
            out += (_pack(len(piece) << 8 | kind, flags, stream), piece)
            kind, flags = CONTINUATION, 0

    def _enqueue(self, found: Stream, data: bytes, isEnd: bool) -> bool:
        """
        Have data wait.
        """
        queue = found.queue
        if not data and queue is None:
            # An end without data needs no window.
            if isEnd:
                self._out.append(_pack(0, END_STREAM, found.number))
                self._finish(found)
            return True
        if isEnd:
            found.sending = ENDING
        if queue is None:
            queue = found.queue = _Queue(self._mark)
            if found.window > 0:
                self._ready[found.number] = found
        if data:
            queue.add(data)
            self._queued += len(data)
        queue.isFull = not self._takes(queue)
        return not queue.isFull

    def _takes(self, queue: _Queue) -> bool:
        """
        Whether a queue may grow.
        """
        return queue.size < STREAM_QUEUE and self._queued < SESSION_QUEUE

    def _share(self, limit: int) -> None:
        """
        Let the streams take turns.
        """
        ready = self._ready
        out = self._out
        while limit > 0 and ready and self._window > 0:
            number, found = ready.popitem(last=False)
            queue = found.queue
            assert queue is not None
            size = min(queue.size, MOST_PAYLOAD, found.window, self._window)
            limit -= size + 9
            found.window -= size
            self._window -= size
            self._queued -= size
            found.moved += size
            self.moved += size
            self._mark += 1
            queue.mark = self._mark
            isLast = size == queue.size and found.sending == ENDING and not queue.trailers
            out.append(_pack(size << 8, 1 if isLast else 0, number))
            queue.takeTo(out, size)
            self._purse.sent(size, size < MOST_PAYLOAD and queue.size > 0)
            if not queue.size:
                self._drained(found, queue, isLast)
                continue
            if found.window > 0:
                ready[number] = found
            if queue.isFull and self._takes(queue):
                queue.isFull = False
                self._again.append(number)

    def _drained(self, found: Stream, queue: _Queue, isLast: bool) -> None:
        """
        Nothing waits on a stream any more.
        """
        found.queue = None
        if isLast:
            self._finish(found)
        elif queue.trailers:
            found.sending = OPEN
            self.head(found.number, queue.trailers, True)
        elif queue.isFull:
            self._again.append(found.number)

    def _finish(self, found: Stream) -> None:
        """
        Our side of a stream has ended.
        """
        found.sending = ENDED
        if found.hasEnded:
            self._complete(found, True)
        else:
            self._ending.add(found.number)

    def _complete(self, found: Stream, isDeparting: bool) -> None:
        """
        Both sides of a stream have ended.

        @param isDeparting: Whether our end of it has not been taken yet.
        """
        del self.streams[found.number]
        if isDeparting:
            self._departed += 1
        purse = self._purse
        if purse.left < FULL:
            purse.earn(FINISHED)

    def _drop(self, found: Stream) -> None:
        """
        Forget a stream, and what waits on it.
        """
        del self.streams[found.number]
        queue = found.queue
        if queue is not None:
            self._queued -= queue.size
            self._ready.pop(found.number, None)

    def _widen(self, found: Stream, size: int) -> None:
        """
        The window of a stream changes.

        @param size: By so many bytes; negative when it shrinks (section 6.9.2).
        """
        found.window += size
        if found.queue is not None:
            if found.window > 0:
                self._ready[found.number] = found
            else:
                self._ready.pop(found.number, None)
