"""
Records by a program of the operator's, for whatever has an interface that is not
known here.

It is run with its arguments as they are, never by a shell, and told by its
environment what to do; it says by its status whether that was done.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twisted.internet import error
from twisted.internet.defer import Deferred, DeferredSemaphore, TimeoutError, succeed
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from ..facts import DNS01
from ..interfaces import IRecords
from .errors import RecordFailed
from .lookup import Ask
from .places import Place, Places
from .questions import Questions

if TYPE_CHECKING:
    from ..config.model import Hook

__all__ = ["Hooks"]

#: So many run at a time.
_AT_ONCE = 4

#: The end of what one wrote is told, of this many bytes.
_TOLD = 500


class _Running(ProcessProtocol):
    """
    One that runs.
    """

    def __init__(self) -> None:
        self.said = b""
        self.ended: Deferred[int] = Deferred(lambda _: self._kill())

    def connectionMade(self) -> None:
        transport: Any = self.transport
        transport.closeStdin()

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        self.said = (self.said + data)[-_TOLD:]

    def processEnded(self, reason: Failure) -> None:
        if self.ended.called:
            return
        why: Any = reason.value
        self.ended.callback(-why.signal if why.exitCode is None else why.exitCode)

    def _kill(self) -> None:
        transport: Any = self.transport
        try:
            transport.signalProcess("KILL")
        except error.ProcessExitedAlready:
            pass
        # Whoever it has started may keep these open.
        transport.loseConnection()


@implementer(IRecords)
class Hooks:
    """
    Runs the program.
    """

    def __init__(
        self,
        reactor: Any,
        settings: Hook,
        ask: Ask | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """
        @param reactor: Runs processes and tells the time.
        @param settings: The program.
        @param ask: Asks one server of the DNS; by default over the network.
        @param environment: Of the program; by default as this process has it.
        """
        self._reactor = reactor
        self._settings = settings
        self._places = Places(reactor, settings, ask or Questions(reactor).ask)
        self._environment = os.environ if environment is None else environment
        self._turns = DeferredSemaphore(_AT_ONCE)

    def present(self, record: DNS01) -> Deferred[None]:
        """
        Have a record added, and wait until all servers have it.
        """
        return Deferred.fromCoroutine(self._present(record))

    def withdraw(self, record: DNS01) -> Deferred[None]:
        """
        Have it removed.
        """
        return Deferred.fromCoroutine(self._withdraw(record))

    def recall(self, record: DNS01) -> Deferred[None]:
        """
        It is in the zone still.
        """
        return succeed(None)

    async def _present(self, record: DNS01) -> None:
        place = await self._places.find(record)
        await self._run("present", place, record)
        await self._places.whenSeen(place, record)

    async def _withdraw(self, record: DNS01) -> None:
        await self._run("cleanup", await self._places.recall(record), record)

    async def _run(self, action: str, place: Place, record: DNS01) -> None:
        environment = {
            **self._environment,
            "SMARTPROXY_ACTION": action,
            "SMARTPROXY_DOMAIN": record.name,
            "SMARTPROXY_RECORD": place.owner,
            "SMARTPROXY_VALUE": record.value,
        }
        await self._turns.run(lambda: Deferred.fromCoroutine(self._once(action, environment)))

    async def _once(self, action: str, environment: Mapping[str, str]) -> None:
        command, running = self._settings.command, _Running()
        whole = f"the hook {command[0]} ({action})"
        try:
            # With its name as it stands: the C library looks for it by PATH.
            self._reactor.spawnProcess(running, command[0], command, env=environment, path="/")
        except OSError as why:
            raise RecordFailed(f"{whole} cannot be run ({why})") from why
        try:
            status = await running.ended.addTimeout(self._settings.timeout, self._reactor)
        except TimeoutError as why:
            raise RecordFailed(
                f"{whole} was ended after {self._settings.timeout:g} s{_told(running.said)}"
            ) from why
        if status != 0:
            how = f"with status {status}" if status > 0 else f"by {signal.Signals(-status).name}"
            raise RecordFailed(f"{whole} ended {how}{_told(running.said)}")


def _told(said: bytes) -> str:
    """
    What it wrote, fit for a log line.
    """
    text = " ".join(said.decode("utf-8", "replace").split())
    return f", and wrote: {text if text.isprintable() else ascii(text)}" if text else ", and wrote nothing"
