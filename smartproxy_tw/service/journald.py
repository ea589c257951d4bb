"""
The event log for systemd's journal: each event as one entry, with a priority and with
its fields by their names, so that C{journalctl SMARTPROXY_EVENT=worker-died} finds it.

U{https://systemd.io/JOURNAL_NATIVE_PROTOCOL/}.  An entry is one datagram.  Nobody waits
for the journal: what it does not take is lost and counted, and told when it does again.
Where its socket cannot be reached, lines go where they would have gone, each with its
priority in front (C{sd-daemon(3)}), which the journal understands too.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterable, Mapping
from typing import Any, TextIO

from twisted.logger import ILogObserver, LogLevel, formatEvent
from zope.interface import implementer

from .eventlog import fieldsOf, textLine

__all__ = ["SOCKET", "Journal", "datagram", "isJournal"]

#: Where the journal listens.
SOCKET = "/run/systemd/journal/socket"

#: Of syslog.
_PRIORITIES = {
    LogLevel.critical: 2,
    LogLevel.error: 3,
    LogLevel.warn: 4,
    LogLevel.info: 6,
    LogLevel.debug: 7,
}

#: Of one field, in bytes; and of an entry.
_LONGEST, _MOST = 32768, 131072

_STRANGE = re.compile("[^A-Z0-9_]")


def isJournal(descriptor: int, environ: Mapping[str, str]) -> bool:
    """
    Whether what is written to a descriptor goes to the journal (systemd.exec(5)).

    @param environ: Of the process.
    """
    try:
        found = os.fstat(descriptor)
    except OSError:
        return False
    return environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def datagram(fields: Iterable[tuple[str, str]]) -> bytes:
    """
    One entry.

    @param fields: Names of capital letters, digits and underscores, and what they are;
        what is too much is left out.
    """
    entry = b""
    for name, text in fields:
        value = text.encode("utf-8", "backslashreplace")[:_LONGEST]
        if b"\n" in value:
            part = name.encode("ascii") + b"\n" + len(value).to_bytes(8, "little") + value + b"\n"
        else:
            part = name.encode("ascii") + b"=" + value + b"\n"
        if len(entry) + len(part) <= _MOST:
            entry += part
    return entry


@implementer(ILogObserver)
class Journal:
    """
    Tells the journal what is observed.
    """

    def __init__(self, file: TextIO, path: str = SOCKET) -> None:
        """
        @param file: Where lines go if the journal cannot be reached.
        @param path: Of its socket.
        """
        self._file = file
        self._path = path
        self._lost = 0
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)

    def __call__(self, event: Any) -> None:
        """
        Tell it.  Never fails, and never waits for the journal.
        """
        if formatEvent(event) == "" and event.get("log_failure") is None:
            return
        try:
            if self._lost:
                text = f"{self._lost} events are lost: the journal took them too slowly"
                self._send([("MESSAGE", text), ("PRIORITY", "4"), ("SYSLOG_IDENTIFIER", "smartproxy")])
                self._lost = 0
            self._send(_fields(event))
        except BlockingIOError:
            self._lost += 1
        except OSError:
            self._write(event)

    def _send(self, fields: Iterable[tuple[str, str]]) -> None:
        self._socket.sendto(datagram(fields), self._path)

    def _write(self, event: Mapping[str, Any]) -> None:
        line = textLine(event)
        if line is not None:
            front = f"<{_priority(event)}>"
            self._file.write("".join(front + each for each in line.splitlines(keepends=True)))
            self._file.flush()


def _fields(event: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    message = formatEvent(dict(event))
    failure = event.get("log_failure")
    if failure is not None:
        message += "\n" + failure.getTraceback()
    yield "MESSAGE", message
    yield "PRIORITY", str(_priority(event))
    yield "SYSLOG_IDENTIFIER", "smartproxy"
    yield "SMARTPROXY_NAMESPACE", str(event.get("log_namespace", ""))
    for name, value in fieldsOf(event).items():
        plain = _STRANGE.sub("_", name.upper())[:50]
        if value is not None:
            yield f"SMARTPROXY_{plain}", value if isinstance(value, str) else str(value)


def _priority(event: Mapping[str, Any]) -> int:
    level = event.get("log_level")
    return _PRIORITIES.get(level, 6) if level is not None else 6
