"""
A source of targets: a file that has one in each line, read anew every few seconds.

    targets: {source: listed, settings: {file: /etc/app/targets.txt, every: 5}}
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from smartproxy_tw.interfaces import ISource, IUpstreamPlugin

__all__ = ["Listed", "Settings"]

_log = Logger()


class Settings(BaseModel):
    """
    What is in the configuration.
    """

    model_config = ConfigDict(extra="forbid")

    file: Path
    every: float = Field(default=5.0, gt=0)


@implementer(ISource)
class _Lines:
    """
    What the file had when it was last read.
    """

    def __init__(self, settings: Settings, reactor: Any) -> None:
        self._file = settings.file
        self._reactor = reactor
        # Once at once: a file that is not there refuses the configuration.
        self._targets = self._read()
        self._loop = LoopingCall(self._again)
        self._loop.clock = reactor
        self._loop.start(settings.every, now=False)

    def _read(self) -> tuple[str, ...]:
        lines = self._file.read_text().splitlines()
        return tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))

    def _again(self) -> Deferred[None]:
        # Disks can be slow: never in the reactor's thread while something is served.
        reading = deferToThreadPool(self._reactor, self._reactor.getThreadPool(), self._read)
        return reading.addCallbacks(self._have, self._miss)

    def _have(self, targets: tuple[str, ...]) -> None:
        self._targets = targets

    def _miss(self, failure: Failure) -> None:
        _log.warn("{file} cannot be read: {why}", file=str(self._file), why=failure.getErrorMessage())

    def pick(self, facts: object) -> tuple[str, ...]:
        """
        See L{ISource}.
        """
        return self._targets

    def close(self) -> None:
        """
        See L{ISource}.
        """
        if self._loop.running:
            self._loop.stop()


@implementer(IUpstreamPlugin)
class Listed:
    """
    The plug-in.
    """

    name = "listed"
    settings = Settings

    def build(self, settings: Settings, reactor: Any) -> ISource:
        """
        See L{IUpstreamPlugin}.
        """
        return _Lines(settings, reactor)
