"""
The access log: one line for each request, and for each connection that is not
HTTP.

On the hot path an entry is one tuple in a list.  The lines are made and written
in batches, twice a second or after a thousand entries.  A file that cannot be
written costs lines, never requests: it is reported, and tried again.  One that was
moved away is left, and a new one begun.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal

from twisted.logger import Logger

from .lines import CombinedLines, JSONLines, Lines, Refused, Served, Streamed
from .sink import Sink

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.base import DelayedCall

    from ..config.model import Route
    from ..facts import ConnectionFacts
    from .door import Prepared
    from .numbers import Numbers
    from .poller import Reactor

__all__ = ["AccessRecords"]

_log = Logger()

# In seconds.
_PERIOD = 0.5
_MANY = 1000
# Lines that are kept while the file cannot be written.
_MOST = 20000
# Of a request that was refused, in bytes.
_FIRST = 200


class AccessRecords:
    """
    Where access records go.
    """

    def __init__(
        self,
        reactor: Reactor,
        format: Literal["combined", "json"],
        file: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """
        @param reactor: For the time of the next batch, and of an entry's end.
        @param format: Of the lines.
        @param file: Absolute path, opened for appending at the first batch,
            mode 0640; or C{"stdout"}.
        @param clock: The time of day, in seconds since 1970.
        """
        self._reactor = reactor
        self._lines: Lines = JSONLines() if format == "json" else CombinedLines()
        self._file = file
        self._clock = clock
        self._sink = Sink(file)
        self._entries: list[Served | Refused | Streamed] = []
        self._unwritten: list[str] = []
        self._next: DelayedCall | None = None
        self._hasComplained = False

    def use(self, numbers: Numbers | None) -> None:
        """
        Say the numbers of requests.

        @param numbers: As targets see them; L{None}: not at all.
        """
        if isinstance(self._lines, JSONLines):
            self._lines.numbers = numbers

    def request(
        self, prepared: Prepared, client: str, started: float, status: int, size: int, number: int
    ) -> None:
        """
        A request has ended; see L{Served}.
        """
        self._add(Served(prepared, client, started, self._reactor.seconds(), status, size, number))

    def refusal(self, client: str, head: bytes, status: int, size: int) -> None:
        """
        Something was refused that was not a valid request; see L{Refused}.

        @param head: What had come of it.
        """
        first = head[:_FIRST].partition(b"\r")[0]
        self._add(Refused(first, client, self._reactor.seconds(), status, size))

    def stream(
        self, route: Route, connection: ConnectionFacts, started: float, sent: int, received: int
    ) -> None:
        """
        A connection that is not HTTP has ended; see L{Streamed}.
        """
        self._add(Streamed(route, connection, started, self._reactor.seconds(), sent, received))

    def _add(self, entry: Served | Refused | Streamed) -> None:
        self._entries.append(entry)
        if self._next is None:
            self._schedule()
        elif len(self._entries) >= _MANY:
            self.flush()

    def _schedule(self) -> None:
        if self._next is None:
            self._next = self._reactor.callLater(_PERIOD, self._due)

    def _due(self) -> None:
        self._next = None
        self.flush()

    def flush(self) -> None:
        """
        Write what there is.
        """
        entries, self._entries = self._entries, []
        offset = self._clock() - self._reactor.seconds()
        line = self._lines.line
        lines, self._unwritten = self._unwritten, []
        lines += [line(entry, offset) for entry in entries]
        if lines:
            self._write(lines)

    def close(self) -> None:
        """
        Write what there is, and close the file; the next entry opens it anew.
        """
        self.flush()
        if self._next is not None:
            self._next.cancel()
            self._next = None
        self._sink.close()

    def _write(self, lines: list[str]) -> None:
        try:
            rest = self._sink.write(lines)
            self._hasComplained = False
        except OSError as error:
            rest = lines
            self._complain(error)
        if rest:
            # Who does not read loses the oldest lines; requests are not lost.
            self._unwritten = rest[-_MOST:]
            self._schedule()

    def _complain(self, error: OSError) -> None:
        if not self._hasComplained:
            self._hasComplained = True
            _log.error(
                "Cannot write the access log {file}: {reason}. Requests go on being served; the last {most} "
                "lines are kept until it can be written.",
                file=self._file,
                reason=error.strerror,
                most=_MOST,
            )
