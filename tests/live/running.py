"""
Runs a program of somebody else's for a while.

    >>> caddy = Running(reactor, ["caddy", "run"], directory)
    >>> caddy.mustRun()                 # it has not ended by itself
    >>> yield caddy.end()               # and leaves nothing behind
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from twisted.internet import error
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

__all__ = ["PATIENCE", "Running", "opened", "strange"]

#: How long a test waits for what has to come, in seconds, where it is no question how long
#: that takes: more than a machine needs on which much else is going on.
PATIENCE = 90


def strange(**more: str) -> dict[str, str]:
    """
    The environment for a program in Python that has libraries of its own: trial tells its
    workers where ours are, in a variable that whoever they begin would go by too.

    @param more: Further variables.
    """
    return {**{name: value for name, value in os.environ.items() if name != "PYTHONPATH"}, **more}


def opened(pid: int) -> set[str]:
    """
    What a process has open, by the names that the kernel has for it.
    """
    found = set()
    for each in os.listdir(f"/proc/{pid}/fd"):
        try:
            found.add(os.readlink(f"/proc/{pid}/fd/{each}"))
        except FileNotFoundError:
            # The process has closed it between the two.
            pass
    return found


class Running(ProcessProtocol):
    """
    One process, which knows the directory that it is given and no other.
    """

    def __init__(
        self, reactor: Any, command: Sequence[str], directory: Path, environ: Mapping[str, str] | None = None
    ) -> None:
        """
        @param command: The program, found by PATH, and its arguments.
        @param directory: Where it runs, and what it takes for its home.
        @param environ: What it is to know beside that.
        """
        self._said = b""
        self._hasEnded = False
        self._waiting: list[Deferred[None]] = []
        home = {"HOME": str(directory), "PATH": os.environ["PATH"], **(environ or {})}
        program = shutil.which(command[0]) or command[0]
        self._process = reactor.spawnProcess(self, program, list(command), env=home, path=str(directory))

    def mustRun(self) -> None:
        """
        @raise AssertionError: It has ended, with what it said.
        """
        assert not self._hasEnded, self._said.decode("utf-8", "replace")

    def outReceived(self, data: bytes) -> None:
        """
        The last of it is kept.
        """
        self._said = (self._said + data)[-65536:]

    errReceived = outReceived

    def processEnded(self, reason: Failure) -> None:
        """
        It has.
        """
        self._hasEnded = True
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(None)

    def end(self) -> Deferred[None]:
        """
        End it as an operator does; fires when it has ended.
        """
        ended: Deferred[None] = Deferred()
        if self._hasEnded:
            ended.callback(None)
            return ended
        self._waiting.append(ended)
        try:
            self._process.signalProcess("TERM")
        except error.ProcessExitedAlready:
            pass
        return ended
