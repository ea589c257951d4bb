"""
The access log: one line for each request, and for each connection that is not
HTTP; and the counts that are made of the same entries.

On the hot path an entry is one tuple in a list, made by the one call that there is
for each request.  They are counted (L{Census<smartproxy_tw.plane.census.Census>}) and
the lines are made in batches, twice a second or after some hundred entries.  The lines
are written by a L{Scribe<smartproxy_tw.plane.scribe.Scribe>}, for which nobody waits.  A file that cannot
be written, or not so fast, costs lines, never requests: it is reported, tried
again, and what is lost is counted and told.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from twisted.logger import Logger

from ..facts import made
from .census import Census
from .lines import CombinedLines, JSONLines, Lines, LogfmtLines, Refused, Served, Streamed
from .scribe import Scribe
from .sink import Sink

if TYPE_CHECKING:
    from twisted.internet.base import DelayedCall

    from ..config.model import Route
    from ..facts import ConnectionFacts
    from .door import Prepared
    from .lines import Entry
    from .numbers import Numbers
    from .poller import Reactor

__all__ = ["AccessRecords"]

_log = Logger()

# In seconds.
_PERIOD = 0.5
_MANY = 250
# That lines were lost is told no more often than this; an end waits so long for the file; in seconds.
_TOLD = 60.0
_CLOSING = 1.0
# Of a request that was refused, in bytes.
_FIRST = 200


_LINES: dict[str, Callable[[], Lines]] = {"combined": CombinedLines, "json": JSONLines, "logfmt": LogfmtLines}


class AccessRecords:
    """
    Where access records go.
    """

    def __init__(
        self,
        reactor: Reactor,
        format: Literal["combined", "json", "logfmt", "off"],
        file: str,
        clock: Callable[[], float] = time.time,
        census: Census | None = None,
    ) -> None:
        """
        @param reactor: For the time of the next batch, and of an entry's end.
        @param format: Of the lines; C{"off"}: there are none, and entries are counted.
        @param file: Absolute path, opened for appending at the first batch,
            mode 0640; or C{"stdout"}.
        @param clock: The time of day, in seconds since 1970.
        @param census: Counts the entries.
        """
        self._reactor = reactor
        self._seconds = reactor.seconds
        self._census = census or Census({})
        self._lines: Lines | None = None if format == "off" else _LINES[format]()
        self._file = file
        self._clock = clock
        self._scribe = Scribe(Sink(file))
        self._entries: list[Entry] = []
        self._next: DelayedCall | None = None
        self._hasComplained = False
        self._lost = 0
        self._lostAfter = 0
        self._toldAt = -_TOLD

    def use(self, numbers: Numbers | None) -> None:
        """
        Say the numbers of requests.

        @param numbers: As targets see them; L{None}: not at all.
        """
        if isinstance(self._lines, JSONLines | LogfmtLines):
            self._lines.numbers = numbers

    def request(
        self,
        prepared: Prepared,
        client: str,
        started: float,
        status: int,
        size: int,
        received: int,
        number: int,
    ) -> None:
        """
        A request has ended; see L{Served}.
        """
        entries = self._entries
        ended = self._seconds()
        entries.append(made(Served, (prepared, client, started, ended, status, size, received, number)))
        if self._next is None:
            self._schedule()
        elif len(entries) >= _MANY:
            self.flush()

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
        self._add(made(Streamed, (route, connection, started, self._seconds(), sent, received)))

    def _add(self, entry: Entry) -> None:
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
        Count what there is, and have it written.
        """
        entries, self._entries = self._entries, []
        scribe = self._scribe
        if entries:
            self._census.take(entries)
        if entries and self._lines is not None:
            offset = self._clock() - self._reactor.seconds()
            line = self._lines.line
            scribe.give([line(entry, offset) for entry in entries])
        problem = scribe.problem
        if problem is not None:
            self._complain(problem)
            scribe.tryAgain()
        elif self._hasComplained and not scribe.isBehind:
            self._hasComplained = False
        self._tellLost()
        if self._lost or scribe.isBehind:
            self._schedule()

    def reopen(self) -> None:
        """
        Let go of the file; the next line opens it anew.
        """
        self._scribe.reopen()

    def settle(self, seconds: float) -> bool:
        """
        Wait until everything is written that can be.

        @return: Whether it came to that in so many seconds.
        """
        return self._scribe.settle(seconds)

    def close(self) -> None:
        """
        Write what there is, and close the file; the next entry opens it anew.
        This waits for a moment where the file takes its time.
        """
        self.flush()
        self._scribe.close(_CLOSING)
        if self._scribe.problem is not None:
            self._complain(self._scribe.problem)
        self._tellLost(isLast=True)
        self._scribe = Scribe(Sink(self._file))
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _tellLost(self, isLast: bool = False) -> None:
        """
        Say what was lost, once it flows again: the log may go by the same pipe
        that nobody reads.
        """
        scribe = self._scribe
        lost = scribe.takeLost()
        self._census.lost(lost)
        if not self._lost:
            self._lostAfter = scribe.written
        self._lost += lost
        now = self._reactor.seconds()
        isFlowing = scribe.written > self._lostAfter and now >= self._toldAt + _TOLD
        if self._lost and (isFlowing or isLast):
            lost, self._lost = self._lost, 0
            self._toldAt = now
            _log.error(
                "Lines lost of the access log: {count}. {file} takes them too slowly, or not at all. "
                "Requests were served.",
                event="access-log-lost",
                count=lost,
                file=self._file,
            )

    def _complain(self, error: OSError) -> None:
        if not self._hasComplained:
            self._hasComplained = True
            _log.error(
                "Cannot write the access log {file}: {reason}. Requests go on being served; the last lines "
                "are kept until it can be written.",
                file=self._file,
                reason=error.strerror,
            )
