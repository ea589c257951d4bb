"""
Reads the configuration anew and has it put to use, whoever asks for that: one at a
time, and whoever asks while that goes on shares the next one with all who do.

The log has one line for each: what has changed, or why nothing has.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from ..config.errors import ConfigError
from .errors import ChangeRefused, StoppedError

if TYPE_CHECKING:
    from ..config.changes import Changes
    from ..config.model import Config

__all__ = ["Read", "Reloading", "Subject"]

#: Reads the configuration.  Fails with
#: L{ConfigError<smartproxy_tw.config.errors.ConfigError>} or L{ChangeRefused}.
Read = Callable[[], "Deferred[Config]"]


class Subject(Protocol):
    """
    What goes by the configuration.
    """

    def compare(self, config: Config) -> Changes:
        """
        What it would change.
        """

    def reconfigure(self, config: Config) -> Deferred[Changes]:
        """
        Put it to use.
        """


class Reloading:
    """
    Of one proxy.
    """

    _log = Logger()

    def __init__(self, subject: Subject, read: Read) -> None:
        """
        @param subject: Goes by what is read.
        @param read: Reads it.
        """
        self._subject = subject
        self._read = read
        self._isRunning = False
        self._reading: Deferred[Config] | None = None
        self._waiting: list[Deferred[Changes]] = []

    def reload(self, asker: str) -> Deferred[Changes]:
        """
        Do it.

        @param asker: Who wants it, for the log.
        @return: A Deferred for this caller.  Fires with what has changed; fails with
            L{ChangeRefused}, L{ConfigError<smartproxy_tw.config.errors.ConfigError>}
            or L{StoppedError}, and all is as before then.
        """
        waiting: Deferred[Changes] = Deferred(self._leave)
        self._waiting.append(waiting)
        if not self._isRunning:
            self._isRunning = True
            Deferred.fromCoroutine(self._run(asker))
        return waiting

    def preview(self) -> Deferred[Changes]:
        """
        What it would change.  Fails as L{reload}.
        """
        return Deferred.fromCoroutine(self._preview())

    def stop(self) -> None:
        """
        Give up reading; what is put to use already is for its subject to end.
        """
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.errback(StoppedError("The proxy was stopped before the configuration was read."))
        if self._reading is not None:
            self._reading.cancel()

    def _leave(self, waiting: Deferred[Changes]) -> None:
        if waiting in self._waiting:
            self._waiting.remove(waiting)

    async def _run(self, asker: str) -> None:
        try:
            while self._waiting:
                waiting, self._waiting = self._waiting, []
                # Who loses interest from here on stops nothing but the waiting.
                outcome = await self._reload(asker)
                for each in waiting:
                    if each.called:
                        continue
                    if isinstance(outcome, Exception):
                        each.errback(outcome)
                    else:
                        each.callback(outcome)
        finally:
            self._isRunning = False

    async def _reload(self, asker: str) -> Changes | Exception:
        try:
            changes = await self._subject.reconfigure(await self._configuration())
        except (ChangeRefused, ConfigError, StoppedError) as why:
            self._log.error(
                "Not reloaded ({asker}), everything goes on as before: {why}",
                event="reload-refused",
                asker=asker,
                why=told(why),
            )
            return why
        except Exception as why:
            self._log.failure("A defect while reloading", event="reload-defect")
            return why
        self._log.info("Reloaded ({asker}): {changes}", event="reloaded", asker=asker, changes=str(changes))
        return changes

    async def _preview(self) -> Changes:
        return self._subject.compare(await self._read())

    async def _configuration(self) -> Config:
        self._reading = self._read()
        try:
            return await self._reading
        except CancelledError as why:
            raise StoppedError("The proxy was stopped before the configuration was read.") from why
        finally:
            self._reading = None


def told(why: Exception) -> str:
    """
    Why it was refused, for people.
    """
    text = str(why)
    if "Permission denied" in text:
        text += (
            f"\nIt was read as user {os.geteuid()}, whom the proxy runs as since it has started:"
            " let that user read it (chown, chmod)."
        )
    return text
