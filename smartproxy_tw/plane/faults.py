"""
A digest of bugs, so that one which every request meets cannot flood the log.

The first of a kind is logged with its traceback, at once.  Those that follow are counted, and for
as long as there are any their count is logged every minute.  After a minute without one the next is
a first one again.

A kind is what was going on, the exception, and where that was raised.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from .minute import Minute
from .misses import printable

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from twisted.python.failure import Failure

__all__ = ["Faults"]

_log = Logger()

# So many kinds are told apart; of others it is told how many there are.
_KINDS = 32

_Kind = tuple[object, ...]


class Faults:
    """
    Tells of a few and counts the rest.
    """

    def __init__(self, after: Callable[[float, Callable[[], None]], Any]) -> None:
        """
        @param after: As of a L{Minute}.
        """
        self._minute = Minute(after)
        self._kinds: dict[_Kind, _Met] = {}
        self._others = 0

    def add(self, failure: Failure, text: str, **fields: str) -> None:
        """
        Something failed.  To be called where C{after} may be.

        @param failure: It.
        @param text: What was going on: a format of the fields.
        @param fields: Part of the kind: of which there are few.
        """
        kind = (text, *fields.values(), failure.type, *_place(failure))
        met = self._kinds.get(kind)
        if met is not None:
            met.count += 1
            met.message = _message(failure)
        elif len(self._kinds) < _KINDS:
            self._kinds[kind] = _Met(text, fields)
            known: dict[str, Any] = fields
            _log.failure(text, failure=failure, **known)
        else:
            self._others += 1
        self._minute.begin(self._report)

    def close(self) -> None:
        """
        Tell of the rest, and forget everything.
        """
        self._minute.end()
        self._tell()
        self._kinds = {}

    def _report(self) -> None:
        self._tell()
        if self._kinds:
            self._minute.begin(self._report)

    def _tell(self) -> None:
        kinds, self._kinds = self._kinds, {}
        others, self._others = self._others, 0
        for kind, met in kinds.items():
            if met.count:
                self._kinds[kind] = met
                _log.error(
                    "{more} more, the last one: " + met.text + ": {why}",
                    event="fault-again",
                    more=met.count,
                    why=met.message,
                    **met.fields,
                )
                met.count = 0
        if others:
            _log.error(
                "{more} failures of further kinds, which are not told one by one",
                event="fault-again",
                more=others,
            )


class _Met:
    """
    What was met of one kind, since it was last told of.
    """

    __slots__ = ("count", "fields", "message", "text")

    def __init__(self, text: str, fields: dict[str, str]) -> None:
        self.text = text
        self.fields = fields
        self.count = 0
        self.message = ""


def _place(failure: Failure) -> tuple[str, int]:
    """
    Where it was raised.
    """
    traceback: TracebackType | None = failure.getTracebackObject()  # type: ignore[no-untyped-call]
    if traceback is None:
        return "", 0
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    return traceback.tb_frame.f_code.co_filename, traceback.tb_lineno


def _message(failure: Failure) -> str:
    # What code raises may be anything, and may have what clients send in it.
    try:
        words = str(failure.value)
    except Exception:
        words = "?"
    name = getattr(failure.type, "__qualname__", "?")
    return printable(f"{name}: {words}" if words else name)
