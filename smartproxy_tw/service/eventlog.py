"""
The event log, as text for people or as JSON for machines.

Text is as Twisted writes it, with what could disguise a line escaped.  JSON is one
object on each line, with C{time} (UTC), C{level}, C{namespace} and C{message};
C{event}, the stable name of what happened, where it has one; and the fields of
the message by their names.  A failure adds C{traceback}.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from math import isfinite
from typing import Any, TextIO

from constantly import NamedConstant  # type: ignore[import-untyped]
from twisted.logger import (
    FileLogObserver,
    FilteringLogObserver,
    ILogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    formatEvent,
    formatEventAsClassicLogText,
)

__all__ = ["Verbosity", "fieldsOf", "jsonLine", "jsonLines", "textLine", "textLines", "worthTelling"]

#: Who says at the level of information what only their authors want to know.
_CHATTY = ("twisted.web.client._HTTP11ClientFactory",)

#: What a message must not do to a terminal or to the next line.
_ESCAPES = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if code not in (9, 10)}

#: Names of our own that a field of an event does not take over.
_OURS = ("time", "level", "namespace", "message", "traceback")


def jsonLines(file: TextIO) -> ILogObserver:
    """
    Write what is observed to a file.

    @param file: Text.
    """
    return FileLogObserver(file, jsonLine)


def textLines(file: TextIO) -> ILogObserver:
    """
    Write what is observed to a file, for people.

    @param file: Text.
    """
    return FileLogObserver(file, textLine)


class Verbosity:
    """
    From which level on the log has what happens, which may be changed at any time.
    """

    def __init__(self, level: NamedConstant = LogLevel.info) -> None:
        """
        @param level: At first.
        """
        self._levels = LogLevelFilterPredicate(defaultLogLevel=level)
        for namespace in _CHATTY:
            self._levels.setLogLevelForNamespace(namespace, LogLevel.warn)

    @property
    def level(self) -> str:
        """
        Its name, for instance C{info}.
        """
        return str(self._levels.logLevelForNamespace("").name)

    @level.setter
    def level(self, name: str) -> None:
        self._levels.setLogLevelForNamespace("", LogLevel.lookupByName(name))

    def on(self, observer: ILogObserver) -> ILogObserver:
        """
        Pass on what is worth it.

        @param observer: Gets it.
        """
        return FilteringLogObserver(observer, [self._levels])


def worthTelling(observer: ILogObserver, *, level: NamedConstant = LogLevel.info) -> ILogObserver:
    """
    Pass on what an operator would put in a diary.

    @param observer: Gets it.
    @param level: From which level on.
    """
    return Verbosity(level).on(observer)


def textLine(event: Mapping[str, Any]) -> str | None:
    """
    One event as a line, its end included; more lines are indented.

    @param event: As L{twisted.logger} has it.
    @return: L{None} for an event without a message.
    """
    text = formatEventAsClassicLogText(dict(event))
    return None if text is None else text.translate(_ESCAPES)


def jsonLine(event: Mapping[str, Any]) -> str:
    """
    One event as a line, its end included.

    @param event: As L{twisted.logger} has it.
    """
    moment = datetime.fromtimestamp(event.get("log_time", 0.0), UTC)
    level = event.get("log_level")
    line: dict[str, Any] = {
        "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": getattr(level, "name", "info"),
        "namespace": str(event.get("log_namespace", "")),
        "message": formatEvent(dict(event)),
    }
    failure = event.get("log_failure")
    if failure is not None:
        line["traceback"] = failure.getTraceback()
    line.update(fieldsOf(event))
    return json.dumps(line) + "\n"


def fieldsOf(event: Mapping[str, Any]) -> dict[str, Any]:
    """
    The facts of an event by their names, as JSON has values.

    @param event: As L{twisted.logger} has it.
    """
    return {name: _plain(value) for name, value in event.items() if _isField(name)}


def _isField(name: str) -> bool:
    # What the logging systems of Twisted, the new one and the old one, add for
    # themselves says nothing that is not in the line already.
    return not name.startswith("log_") and name not in _OURS and name not in _LEGACY


_LEGACY = ("isError", "system", "format", "failure", "eventSource")


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        # JSON has no word for what is not a number.
        return value if isfinite(value) else str(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    return str(value)
