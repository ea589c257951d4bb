"""
From one configuration to another while the proxy serves.  The order is the point of
this module too:

 1. new ports are bound, and nobody accepts there yet;
 2. the certificates that new routes show are loaded into the data path;
 3. the data path goes by the new table: in one moment, in each of its processes;
 4. it accepts on the new ports.

Up to here whatever fails, or a stop, has everything taken back in reverse, and the
proxy goes on as before.  From here on nothing can be refused any more:

 5. the old ports are given back;
 6. certificates that nobody needs are let go of, and new names are asked for.

So when a name is asked for, the ports of its challenge are bound and served, as at a
start.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from .succession import Succession, portions

if TYPE_CHECKING:
    from ..config.model import Config
    from ..interfaces import IPlane
    from .certificates import Certificates
    from .listeners import Listeners

__all__ = ["Turnover"]

#: After so many ports others have their turn.
_AT_ONCE = 64


class Turnover:
    """
    Happens once.

    @ivar isDecided: Whether it will come to a good end, and is not to be cancelled.
    """

    _log = Logger()

    def __init__(
        self,
        old: Config,
        new: Config,
        listeners: Listeners,
        certificates: Certificates,
        plane: IPlane,
        clock: IReactorTime,
    ) -> None:
        """
        @param old: What is in use.
        @param new: What is to be.
        @param listeners: The ports; served.
        @param certificates: Provisioning has begun.
        @param plane: The data path.
        @param clock: Lets others have their turn.
        """
        self._old = old
        self._new = new
        self._listeners = listeners
        self._certificates = certificates
        self._plane = plane
        self._clock = clock
        self.isDecided = False

    async def run(self) -> None:
        """
        Do it.

        @raise Exception: Whatever one of the steps fails with; everything is as
            before then.
        """
        try:
            await self._bind()
            succession = await self._served()
        except BaseException:
            await self._quietly(lambda: self._listeners.retain(self._old.ports))
            raise
        self.isDecided = True
        await self._release()
        await self._certificates.settle(succession)

    async def _bind(self) -> None:
        present = {each.port for each in self._listeners.addresses}
        fresh = [port for port in self._new.ports if port not in present]
        for portion in portions(fresh, _AT_ONCE):
            await self._listeners.bind(portion)
            await self._pause(portion)

    async def _release(self) -> None:
        kept = {each.port for each in self._listeners.addresses}
        for portion in portions(sorted(kept.difference(self._new.ports)), _AT_ONCE):
            kept.difference_update(portion)
            await self._listeners.retain(kept)
            await self._pause(portion)

    async def _pause(self, portion: Sequence[int]) -> None:
        if len(portion) == _AT_ONCE:
            await deferLater(self._clock, 0.0)

    async def _served(self) -> Succession:
        succession = await self._certificates.prepare(self._new)
        try:
            await self._routed(succession.shown)
        except BaseException:
            await self._quietly(lambda: self._certificates.abandon(succession))
            raise
        return succession

    async def _routed(self, shown: Config) -> None:
        before = self._certificates.shown
        await self._plane.useTable(shown)
        try:
            await self._listeners.adopt(self._plane)
        except BaseException:
            await self._quietly(lambda: self._plane.useTable(before))
            raise

    async def _quietly(self, back: Callable[[], Awaitable[None]]) -> None:
        # Why there is a way back is what the operator has to know; the rest of the way is gone in any case.
        try:
            await back()
        except Exception:
            self._log.failure("A defect on the way back to the configuration that was", event="reload-defect")
