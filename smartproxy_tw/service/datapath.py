"""
The data path in one life of a proxy: made once the ports are bound, given all that has to be
there before its routes, and drained in the end; and what looks at the targets behind it, for
as long as this process is the one that does.

What it carries, and how, is not known here: see
L{IPlane<smartproxy_tw.interfaces.IPlane>}.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from twisted.logger import Logger

from ..config.model import Config, Forward, Timeouts
from .errors import StartError
from .gathering import gathered
from .stopping import quietly

if TYPE_CHECKING:
    from ..interfaces import IPlane
    from .checkups import Checkups

__all__ = ["DataPath"]


class DataPath:
    """
    That of one life.

    @ivar plane: Itself; L{None} before L{make}, and when it is being stopped, unless another
        process serves in its place.
    @ivar checkups: What looks at targets; L{None} until it is begun, or where nobody does.
    @ivar diverted: Since when which targets are drained, POSIX seconds by name.
    """

    _log = Logger()

    def __init__(
        self,
        make: Callable[[], IPlane],
        secret: Callable[[], bytes],
        makeCheckups: Callable[[IPlane], Checkups] | None = None,
    ) -> None:
        """
        @param make: Makes it.
        @param secret: Gives what cookies are signed with; called when a route needs it.
        @param makeCheckups: Makes what looks at targets; by default nobody does.
        """
        self._make = make
        self._secret = secret
        self._makeCheckups = makeCheckups
        self.plane: IPlane | None = None
        self.checkups: Checkups | None = None
        self.diverted: dict[str, float] = {}

    def make(self) -> IPlane:
        """
        Have it made.  From here on there is something to be stopped.
        """
        self.plane = self._make()
        return self.plane

    async def begin(self, plane: IPlane, config: Config, drained: Callable[[], Mapping[str, float]]) -> None:
        """
        Start it and have it route.

        @param plane: As of L{make}.
        @param config: By this.
        @param drained: Gives the targets that were drained in the process before, and since
            when; called once it has started.
        @raise StartError: It cannot.
        """
        try:
            await plane.start()
            await self.sign(plane, config)
            await self._divert(plane, config, drained())
            await plane.useTable(config)
            if self._makeCheckups is not None:
                self.checkups = self._makeCheckups(plane)
                self.checkups.use(config)
        except (ValueError, OSError) as why:
            raise StartError(f"The configuration cannot be put to use: {why}") from why

    async def sign(self, plane: IPlane, config: Config) -> None:
        """
        Have it sign cookies, if a route is to have any without a secret of its own.

        @param plane: As of L{make}.
        @param config: It is not routed by yet.
        """
        if any(
            isinstance(each.action, Forward)
            and each.action.balance.sticky is not None
            and each.action.balance.sticky.secret is None
            for each in config.routes
        ):
            await plane.sign(self._secret())

    def follow(self, config: Config) -> None:
        """
        Have the targets of another configuration looked at.

        @param config: It is routed by already.
        """
        if self.checkups is not None:
            self.checkups.use(config)

    def lookAway(self) -> None:
        """
        Look at targets no more: nobody, or another process, does.
        """
        if self.checkups is not None:
            self.checkups.stop()

    def reopenLogs(self) -> None:
        """
        Have it open the access log anew, if there is one.
        """
        if self.plane is not None:
            self.plane.reopen().addErrback(lambda failure: self._log.failure("A defect", failure=failure))

    async def stop(self, timeouts: Timeouts, *, hasDeparted: bool) -> None:
        """
        End what is under way, for as long as it may take.

        @param timeouts: How long that is.
        @param hasDeparted: Whether another process serves in its place, so that tunnels have
            longer, and one can ask until the end what there is still.
        """
        self.lookAway()
        plane = self.plane
        if plane is None:
            return
        if not hasDeparted:
            self.plane = None
        await quietly("the data path", lambda: self._drain(plane, timeouts, hasDeparted=hasDeparted))
        self.plane = None

    async def _divert(self, plane: IPlane, config: Config, drained: Mapping[str, float]) -> None:
        if not drained:
            return
        if config.admin is None:
            # Nobody could ever undo it.
            self._log.warn(
                "Targets that were drained in the process before have their turns again, as there is no "
                "admin socket to have that undone by: {targets}",
                event="drains-dropped",
                targets=", ".join(drained),
            )
            return
        self.diverted.update(drained)
        await gathered([plane.divert(target) for target in drained])

    async def _drain(self, plane: IPlane, timeouts: Timeouts, *, hasDeparted: bool) -> None:
        streams = timeouts.drainStreams if hasDeparted else None
        cut = await plane.drain(timeouts.drain, streams)
        if cut:
            self._log.warn(
                "Connections that were cut, as they had not ended after {seconds} s: {cut}",
                event="drained",
                cut=cut,
                seconds=timeouts.drain if streams is None else f"{timeouts.drain} s, tunnels after {streams}",
            )
