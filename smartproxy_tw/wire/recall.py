"""
Response heads that were read before.

Most answers of a target have a head that it has sent before, but for the second
in its Date field.  What such a head came to is remembered by its other bytes, and
the date put in its place: a quarter of the work of reading it.

Nothing is taken for granted that the reader did not check: the bytes that are not
compared are exactly those of a date in the form of RFC 9110 section 5.6.7, on the
same place.  A head with cookies is not kept, being made for one person; nor is a
long one, nor that of an interim answer.  The memory is bounded, and emptied when it
is full: what is asked for all the time is soon there again.
"""

from __future__ import annotations

import re

from .http1 import Response, parseResponse

__all__ = ["Recall"]

# In bytes, and in heads.
_LONGEST = 1024
_MOST = 1024

_DATE = re.compile(
    rb"\r\nDate: [A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT(?=\r\n)"
)
_PERSONAL = re.compile(rb"\nset-cookie", re.IGNORECASE)


class _Known:
    """
    What a head came to.

    @ivar response: It, with the date it had then.
    @ivar date: Where the date's line began in the bytes; -1 without one.
    @ivar before: What comes before that line in L{Response.head}.
    @ivar after: What comes after it.
    """

    __slots__ = ("after", "before", "date", "response")

    def __init__(self, response: Response, date: int, line: bytes) -> None:
        self.response = response
        self.date = date
        self.before, _, self.after = response.head.partition(line) if line else (b"", b"", b"")


class Recall:
    """
    Reads response heads as L{parseResponse} does, and remembers them.
    """

    def __init__(self) -> None:
        self._known: dict[bytes, _Known] = {}
        # Of answers to HEAD: their heads mean something else.
        self._knownBare: dict[bytes, _Known] = {}

    def read(self, data: bytes, method: bytes) -> tuple[Response, int] | None:
        """
        As L{parseResponse}.

        @param data: What has come so far.
        @param method: Of the request.
        @return: The head and the number of bytes that it took; L{None} while it
            is not complete.
        @raise BadMessage: It is not one that can be handed on.
        """
        end = data.find(b"\r\n\r\n", 0, _LONGEST)
        if end < 0:
            return parseResponse(data, method)
        match = _DATE.search(data, 0, end + 2)
        if match is None:
            date = -1
            line = b""
            rest = data[:end]
        else:
            date, after = match.span()
            line = data[date:after]
            rest = data[:date] + data[after:end]
        memory = self._knownBare if method == b"HEAD" else self._known
        known = memory.get(rest)
        if known is None or known.date != date:
            parsed = parseResponse(data, method)
            if parsed is not None:
                self._keep(memory, rest, parsed, end + 4, date, line)
            return parsed
        if not line:
            return known.response, end + 4
        like = known.response
        response = Response()
        response.minor = like.minor
        response.status = like.status
        response.length = like.length
        response.keepAlive = like.keepAlive
        response.upgrade = like.upgrade
        response.head = known.before + line + known.after
        return response, end + 4

    def _keep(
        self,
        memory: dict[bytes, _Known],
        rest: bytes,
        parsed: tuple[Response, int],
        end: int,
        date: int,
        line: bytes,
    ) -> None:
        response, taken = parsed
        if taken != end or response.status < 200 or _PERSONAL.search(rest):
            return
        if line and response.head.find(line) < 0:
            return
        if len(memory) >= _MOST:
            memory.clear()
        memory[rest] = _Known(response, date, line)
