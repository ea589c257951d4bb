"""
How one life of a proxy makes room for another process, in three steps: it rests, which
means that it orders and changes nothing, while everything is served; it gives way, once the
other one serves too; and it departs, when nobody is to come here any more.  Up to the last
of them it can go on as before.

Who asks for the steps, and what the two processes say to one another, is known to
L{smartproxy_tw.service.upgrading}.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IReactorTime

from .errors import UpgradeRefused
from .milestones import Milestones
from .stopping import quietly

if TYPE_CHECKING:
    from .binding import Binding
    from .datapath import DataPath
    from .duties import Duties
    from .handover import Estate
    from .storage import Storage

__all__ = ["Departure"]


class Departure:
    """
    Of one life.

    @ivar successor: The process that serves already and takes the place of this one, if there
        is one.
    @ivar hasDeparted: Whether that serves alone.
    """

    def __init__(
        self,
        binding: Binding,
        storage: Storage,
        duties: Duties,
        path: DataPath,
        clock: IReactorTime,
        *,
        isServing: Callable[[], bool],
        settle: Callable[[], Awaitable[None]],
    ) -> None:
        """
        @param binding: The ports.
        @param storage: The state directory.
        @param duties: What only one process at a time does.
        @param path: The data path.
        @param clock: Measures how long it takes to go on.
        @param isServing: Whether everything is served, and nobody ends it.
        @param settle: Waits until no change of the configuration goes on; none begins
            while L{isResting}.
        """
        self._binding = binding
        self._storage = storage
        self._duties = duties
        self._path = path
        self._clock = clock
        self._isServing = isServing
        self._settle = settle
        self.successor: int | None = None
        self.hasDeparted = False

    @property
    def isResting(self) -> bool:
        """
        Whether another process is about to take its place, or has, so that nothing is to be changed
        here.
        """
        return self._duties.isResting

    def estate(self) -> Estate:
        """
        What another process needs to take its place.

        @raise UpgradeRefused: It cannot be handed over.
        """
        if not self._isServing():
            raise UpgradeRefused("The proxy is stopping.")
        from .handover import Estate

        return Estate(self._binding.bequest(), self._storage.lock)

    async def rest(self) -> None:
        """
        Order nothing any more, and refuse changes, while everything is served.  The state
        directory is not used any more then, but locked.
        """
        await self._duties.rest(self._settle)

    async def resume(self) -> None:
        """
        Go on as before L{rest}; what orders left behind is taken up.  Never fails.
        """
        self.successor = None
        plane = self._path.plane
        if plane is not None and self._isServing():
            await self._duties.resume(plane, Milestones(self._clock.seconds))

    def giveWay(self, process: int) -> None:
        """
        After L{rest}: another process serves as well.  Say that this one is not ready, while it
        is still there for everybody.

        @param process: Which.
        """
        self.successor = process

    async def depart(self) -> None:
        """
        After L{giveWay}: nobody is to come here any more.  Close the ports, and step aside
        with the doors, which tell until the end how it goes.
        """
        self.hasDeparted = True
        await self._duties.giveWay()
        await quietly("the ports", self._binding.close)
        # The other process looks at targets now.
        self._path.lookAway()
