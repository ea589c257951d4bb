"""
Reads a configuration for a process that serves, in a process of its own::

    python -m smartproxy_tw.service.reader FILE

Reading takes a while and much memory, which is gone afterwards, and nobody who is
served waits for it.  That process is the same user, with the same environment, and
writes what it has come to in a form that only L{readAside} understands.
"""

from __future__ import annotations

import gc
import os
import pickle
import sys
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from ..config.errors import ConfigError
from ..control.packing import packed, unpacking
from ..control.processes import environment
from ..control.slices import inSlices
from ..control.state import UseTable
from .errors import ChangeRefused

if TYPE_CHECKING:
    from ..config.model import Config

__all__ = ["main", "readAside"]

#: The descriptor that is written to.
_RESULT = 3

#: What is written first.
_CONFIG, _PROBLEMS = b"c", b"p"

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
                [sys.executable, "-P", "-m", __name__, path],
                env={**os.environ, "PYTHONPATH": environment({})["PYTHONPATH"]},
                childFDs={0: nothing.fileno(), 1: "r", 2: "r", _RESULT: "r"},
            )
        except OSError as why:
            raise ChangeRefused(f"No process can be begun to read {path}: {why}.") from why
    try:
        await reading.ended.addTimeout(_PATIENCE, reactor)
    except TimeoutError as why:
        raise ChangeRefused(f"{path} could not be read within {_PATIENCE:g} s.") from why
    kind, data = reading.result[:1], bytes(reading.result[1:])
    if kind == _PROBLEMS:
        raise ConfigError(pickle.loads(data))
    if kind != _CONFIG or reading.hasFailed:
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
        if childFD == _RESULT:
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


def main(path: str, descriptor: int = _RESULT) -> None:
    """
    Be that process.

    @param path: Of the file.
    @param descriptor: Where to write to.
    """
    from ..config.loading import load

    try:
        result = _CONFIG + packed((UseTable(load(path)),))
    except ConfigError as why:
        result = _PROBLEMS + pickle.dumps(why.problems)
    with os.fdopen(descriptor, "wb") as pipe:
        pipe.write(result)


if __name__ == "__main__":
    gc.disable()
    main(sys.argv[1])
