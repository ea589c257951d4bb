"""
What an application writes to its stream of errors (PEP 3333, C{wsgi.errors}): each line is an event
of the log, and a flood of them a number.

So many lines are told as they come; those that follow within a minute are counted, and the count and
the last of them are told when the minute is over.  What a line says makes no difference, unlike with
the exceptions of L{smartproxy_tw.plane.faults}: what is written begins with the time as a rule, and of
a traceback that came before nobody could read the half that is new.
"""

from __future__ import annotations

from collections.abc import Iterable
from threading import Lock
from typing import Any

from twisted.logger import Logger

from ..plane.minute import Minute

__all__ = ["WHOLE", "Complaints", "ErrorStream"]

_log = Logger()

#: So many lines are told in a minute, which is some tracebacks.
WHOLE = 200


class Complaints:
    """
    Those of one application, in whichever of its threads.
    """

    def __init__(self, reactor: Any, name: str) -> None:
        """
        @param reactor: Tells the time; told from other threads that a minute begins.
        @param name: The application's.
        """
        self._reactor = reactor
        self._name = name
        self._lock = Lock()
        self._count = 0
        self._last = ""
        self._minute = Minute(reactor.callLater)

    def add(self, line: str) -> None:
        """
        A line was written.  In any thread.
        """
        with self._lock:
            self._count += 1
            isFirst = self._count == 1
            isTold = self._count <= WHOLE
            self._last = line
        if isFirst:
            self._reactor.callFromThread(self._begin)
        if isTold:
            _log.error("{line}", line=line, name=self._name)

    def close(self) -> None:
        """
        Tell of the rest, on the reactor.  What is added later is told, and can be ended too.
        """
        self._minute.end()
        self._report()

    def _begin(self) -> None:
        # What was added first may have been told of already, at the end.
        if self._count:
            self._minute.begin(self._report)

    def _report(self) -> None:
        with self._lock:
            more, self._count = self._count - WHOLE, 0
            last, self._last = self._last, ""
        if more > 0:
            _log.error(
                "{more} more lines of {name} within a minute, the last one: {line}",
                event="complaints-again",
                more=more,
                name=self._name,
                line=last,
            )


class ErrorStream:
    """
    C{wsgi.errors} of one request.
    """

    def __init__(self, complaints: Complaints) -> None:
        """
        @param complaints: Told each line.
        """
        self._complaints = complaints
        self._begun = ""

    def write(self, text: str) -> None:
        """
        Tell the lines that this ends; C{print} writes one in several pieces.
        """
        *lines, self._begun = (self._begun + text).split("\n")
        self._tell(lines)

    def writelines(self, lines: Iterable[str]) -> None:
        """
        Tell them.
        """
        self.write("".join(lines))

    def flush(self) -> None:
        """
        Tell what has no end yet: nothing may follow.
        """
        begun, self._begun = self._begun, ""
        self._tell([begun])

    def _tell(self, texts: Iterable[str]) -> None:
        for text in texts:
            for line in text.splitlines():
                if line:
                    self._complaints.add(line)
