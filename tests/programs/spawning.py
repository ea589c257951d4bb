"""
Processes that do nothing: a test says how they end.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock

__all__ = ["Spawning"]


class Spawning(Clock):
    """
    A reactor whose processes are none.
    """

    def __init__(self) -> None:
        super().__init__()
        self.started: list[Any] = []
        self.environments: list[dict[str, str]] = []
        self.refusal: OSError | None = None
        # No process can have it, so that nobody is killed who is none of ours.
        self.pid: int | None = 2**31 - 1
        self.closed = 0

    def spawnProcess(self, protocol: Any, *arguments: Any, **named: Any) -> None:
        """
        Start one.
        """
        if self.refusal is not None:
            raise self.refusal
        self.started.append(protocol)
        self.environments.append(named["env"])
        protocol.makeConnection(self)

    def write(self, data: bytes) -> None:
        """
        To its standard input.
        """

    def closeStdin(self) -> None:
        """
        No more of that.
        """

    def loseConnection(self) -> None:
        """
        Nothing is read from it any more.
        """
        self.closed += 1
