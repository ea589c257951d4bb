"""
How much the log of events has, asked for and changed while the proxy runs.
"""

from __future__ import annotations

from typing import Protocol

from twisted.logger import Logger

from .desk import Desk, Question, Refusal, Reply

__all__ = ["Loudness", "Volume"]

_LEVELS = ("info", "debug")


class Volume(Protocol):
    """
    What is changed: see L{Verbosity<smartproxy_tw.service.eventlog.Verbosity>}.
    """

    level: str


class Loudness:
    """
    Takes questions about C{/v1/log-level}.
    """

    _log = Logger()

    def __init__(self, volume: Volume | None) -> None:
        """
        @param volume: L{None}: the log is somebody else's.
        """
        self._volume = volume

    def begin(self, desk: Desk) -> None:
        """
        Take questions.
        """
        desk.take("GET", "/v1/log-level", self._tell)
        desk.take("PUT", "/v1/log-level", self._change)

    def end(self) -> None:
        """
        Nothing is to be ended.
        """

    async def _tell(self, question: Question) -> Reply:
        question.only()
        return Reply({"level": None if self._volume is None else self._volume.level})

    async def _change(self, question: Question) -> Reply:
        question.only("level")
        level = question.members.get("level")
        if level not in _LEVELS:
            raise Refusal(400, "bad-question", f"'level' is one of {', '.join(_LEVELS)}.")
        if self._volume is None:
            raise Refusal(
                409, "not-possible", "The log is written by the program that runs the proxy: change it there."
            )
        self._volume.level = level
        self._log.info(
            "{asker} has the log tell of everything from {least} on",
            event="log-level",
            asker=question.asker,
            least=level,
        )
        return Reply({"level": level})
