"""
Reads a configuration for a process that serves, in a process of its own, which is
L{reading<smartproxy_tw.service.reading>}.

Reading takes a while and much memory, which is gone afterwards, and nobody who is
served waits for it.  That process is the same user, with the same environment.
"""

from __future__ import annotations

import os
import pickle
import sys
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from ..config.errors import ConfigError
from ..control.packing import unpacking
from ..control.processes import environment
from ..control.slices import inSlices
from ..control.state import UseTable
from .errors import ChangeRefused
from .reading import CONFIG, PROBLEMS, RESULT

if TYPE_CHECKING:
    from ..config.model import Config

__all__ = ["readAside"]

#: What the process runs.
_PROGRAM = "smartproxy_tw.service.reading"

#: Reading ten thousand routes takes a few seconds; this is for a disk that does not answer.
_PATIENCE = 120.0

#: The end of what it says besides is told, in bytes.
_TOLD = 500


def readAside(reactor: Any, path: str) -> Deferred[Config]:
    """
    Read a configuration.

    @param reactor: Runs processes and tells the time.
    @param path: Of the file, absolute.
    @return: Fires with what it means.  Fails with
        L{ConfigError<smartproxy_tw.config.errors.ConfigError>} when something is wrong
        with it, or with L{ChangeRefused} when it could not be read at all.  Cancelling
        it ends the other process.
    """
    return Deferred.fromCoroutine(_readAside(reactor, path))


async def _readAside(reactor: Any, path: str) -> Config:
    reading = _Reading()
    with open(os.devnull, "rb") as nothing:
        try:
            reactor.spawnProcess(
                reading,
                sys.executable,
                [sys.executable, "-P", "-m", _PROGRAM, path],
                env={**os.environ, "PYTHONPATH": environment({})["PYTHONPATH"]},
                childFDs={0: nothing.fileno(), 1: "r", 2: "r", RESULT: "r"},
            )
        except OSError as why:
            raise ChangeRefused(f"No process can be begun to read {path}: {why}.") from why
    try:
        await reading.ended.addTimeout(_PATIENCE, reactor)
    except TimeoutError as why:
        raise ChangeRefused(f"{path} could not be read within {_PATIENCE:g} s.") from why
    kind, data = reading.result[:1], bytes(reading.result[1:])
    if kind == PROBLEMS:
        raise ConfigError(pickle.loads(data))
    if kind != CONFIG or reading.hasFailed:
        said = reading.said.decode("utf-8", "backslashreplace").strip()
        raise ChangeRefused(
            f"The process that was to read {path} came to nothing: {said or 'it said nothing'}."
        )
    (change,) = await inSlices(unpacking(data), reactor)
    assert isinstance(change, UseTable)
    return change.config


class _Reading(ProcessProtocol):
    """
    The process that reads.
    """

    def __init__(self) -> None:
        self.result = bytearray()
        self.said = b""
        self.hasFailed = False
        self.ended: Deferred[None] = Deferred(self._kill)

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        if childFD == RESULT:
            self.result += data
        else:
            self.said = (self.said + data)[-_TOLD:]

    def processEnded(self, reason: Failure) -> None:
        self.hasFailed = bool(getattr(reason.value, "exitCode", 1))
        if not self.ended.called:
            self.ended.callback(None)

    def _kill(self, _: object) -> None:
        try:
            self.transport.signalProcess("KILL")  # type: ignore[union-attr]
        except ProcessExitedAlready:
            pass
