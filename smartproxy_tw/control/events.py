"""
The log of a worker on its way to the supervisor's: each event is one line of JSON,
never longer than a pipe takes whole.

A worker L{passes on<Passing>} what belongs in a diary; what the supervisor cannot
take in time is lost, counted and told, and nobody waits.  The supervisor L{tells
<tell>} it as its own, with the number of the worker.  What an interpreter writes to
its standard error when it breaks is no event; a bounded part of it is told too.
"""

from __future__ import annotations

import json
import os
import select
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from twisted.logger import ILogObserver, LogLevel, formatEvent, globalLogPublisher
from twisted.python.failure import Failure
from zope.interface import implementer

__all__ = ["Lines", "Outcry", "Passing", "WorkerDefect", "tell"]

#: An event has so many bytes at most; a pipe takes that whole or not at all.
_MOST = select.PIPE_BUF
#: So much of a text, of a field and of the end of a traceback, in characters.
_TEXT, _FIELD, _TRACEBACK = 800, 300, 2400
_FIELDS = 16


class WorkerDefect(Exception):
    """
    Stands for an exception that a worker has logged.
    """


class _Told(Failure):
    """
    A failure in another process, of which there is the traceback.
    """

    def __init__(self, text: str) -> None:
        super().__init__(WorkerDefect(text.rstrip().rpartition("\n")[2]))  # type: ignore[no-untyped-call]
        self._text = text

    def getTraceback(self, elideFrameworkCode: int = 0, detail: str = "default") -> str:
        """
        As it was written there.
        """
        return self._text


@implementer(ILogObserver)
class Passing:
    """
    Passes on what is logged in this process.
    """

    def __init__(self, descriptor: int) -> None:
        """
        @param descriptor: Of a pipe; nothing waits for its reader.
        """
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._lost = 0

    def __call__(self, event: Mapping[str, Any]) -> None:
        """
        This was logged.
        """
        if event.get("log_level", LogLevel.info) < LogLevel.info:
            return
        if self._lost and self._write(_line(_lossOf(self._lost))):
            self._lost = 0
        if self._lost or not self._write(_line(event)):
            self._lost += 1

    def _write(self, line: bytes) -> bool:
        try:
            return os.write(self._descriptor, line) == len(line)
        except OSError:
            return False


def _lossOf(count: int) -> dict[str, Any]:
    return {
        "log_level": LogLevel.warn,
        "log_namespace": __name__,
        "log_format": "{count} events were not told: they came faster than they could be passed on",
        "event": "events-lost",
        "count": count,
    }


def _line(event: Mapping[str, Any]) -> bytes:
    """
    One event, cut until it fits.
    """
    line = b""
    # The last of these fits, whatever it is a share of.
    for share in (1.0, 0.5, 0.1):
        line = json.dumps(_written(event, share), separators=(",", ":")).encode("ascii") + b"\n"
        if len(line) <= _MOST:
            break
    return line


def _written(event: Mapping[str, Any], share: float) -> dict[str, Any]:
    failure = event.get("log_failure")
    names = [name for name in event if not name.startswith("log_") and name not in _LEGACY]
    # Its stable name is the last thing to be left out.
    names = sorted(names, key=lambda name: name != "event")[: int(_FIELDS * share)]
    written: dict[str, Any] = {
        "time": event.get("log_time"),
        "level": getattr(event.get("log_level"), "name", "info"),
        "namespace": str(event.get("log_namespace", ""))[:100],
        "text": formatEvent(dict(event))[: int(_TEXT * share)],
        "fields": {name[:60]: _plain(event[name], int(_FIELD * share)) for name in names},
    }
    if failure is not None:
        written["traceback"] = failure.getTraceback()[-int(_TRACEBACK * share) :]
    return written


# What Twisted's older log adds for itself.
_LEGACY = ("isError", "system", "format", "failure", "eventSource", "message", "time")


def _plain(value: object, most: int) -> object:
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int) and abs(value) < 1 << 64:
        return value
    return str(value)[:most]


def tell(worker: int, line: bytes, publish: Callable[[dict[str, Any]], object] = globalLogPublisher) -> None:
    """
    Log what a worker has logged.

    @param worker: Its number.
    @param line: One, without its end.
    @param publish: Takes it.
    """
    try:
        written = json.loads(line)
        level = LogLevel.lookupByName(written["level"])
        event: dict[str, Any] = {
            **written["fields"],
            "log_time": written["time"],
            "log_level": level,
            "log_namespace": written["namespace"],
            "log_system": f"{written['namespace']}#{level.name} worker {worker}",
            "log_format": "{log_text}",
            "log_text": written["text"],
            "worker": worker,
        }
        if "traceback" in written:
            event["log_failure"] = _Told(written["traceback"])
    except (ValueError, KeyError, TypeError):
        # Nothing of ours: it is lost rather than believed.
        return
    publish(event)


class Lines:
    """
    Cuts what comes into lines.
    """

    def __init__(self, most: int = _MOST) -> None:
        """
        @param most: A longer line is cut there, in bytes.
        """
        self._most = most
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """
        @param data: What came.
        @return: The lines that ended with it.
        """
        *whole, rest = (self._rest + data).split(b"\n")
        self._rest = rest[: self._most]
        for line in whole:
            yield line[: self._most]

    def end(self) -> Iterator[bytes]:
        """
        Nothing more comes.

        @return: What there is without an end.
        """
        rest, self._rest = self._rest, b""
        if rest:
            yield rest


class Outcry:
    """
    What a process writes to its standard error in its life, a bounded part of it.
    """

    #: So many lines are told as they come, and so many of the last are remembered.
    _TOLD, _LAST = 50, 12

    def __init__(self) -> None:
        """
        Nothing yet.
        """
        self._lines = Lines(500)
        self._count = 0
        self._last: deque[str] = deque(maxlen=self._LAST)

    def feed(self, data: bytes) -> list[str]:
        """
        @param data: What came.
        @return: The lines to tell.
        """
        return self._take(self._lines.feed(data))

    def end(self) -> list[str]:
        """
        @return: The lines to tell, now that nothing more comes.
        """
        return self._take(self._lines.end())

    @property
    def last(self) -> str:
        """
        The last line; empty when there was none.
        """
        return next((line for line in reversed(self._last) if line.strip()), "")

    def _take(self, lines: Iterator[bytes]) -> list[str]:
        told = []
        for line in lines:
            text = line.decode("utf-8", "replace")
            self._last.append(text)
            self._count += 1
            if self._count <= self._TOLD:
                told.append(text)
            elif self._count == self._TOLD + 1:
                told.append("and more, which is not told")
        return told
