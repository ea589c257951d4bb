"""
The lives of one proxy, one after the other, and the configuration that they go by.

A life (L{smartproxy_tw.service.life}) begins once and ends once; whoever starts a proxy again
begins another.  There is always one, be it that it has not begun.  A change of the
configuration concerns the life that goes on, and is for all that follow: it is for both or
for none, and changes have their turn one after the other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, DeferredLock

from .errors import ChangeRefused, RestartNeeded, StartError, StoppedError
from .shielding import shielded

if TYPE_CHECKING:
    from ..config.changes import Changes
    from ..config.model import Config
    from .life import Life

__all__ = ["Lives"]


class Lives:
    """
    Those of one proxy.

    @ivar config: What they go by.
    """

    def __init__(
        self,
        config: Config,
        complete: Callable[[Config], Config],
        make: Callable[[Config], Life],
        follow: Callable[[Config], object],
        tell: Callable[[Changes], object],
    ) -> None:
        """
        @param config: What to begin with, completed.
        @param complete: Adds to a configuration what its program has besides; raises L{ValueError}
            for one that cannot be gone by.  Doing it twice changes nothing.
        @param make: Makes a life, which has not begun.
        @param follow: Called with what is in use, once that is so.
        @param tell: Called with what has changed, once that is in use.
        """
        self.config = config
        self._complete = complete
        self._make = make
        self._follow = follow
        self._tell = tell
        self._turns = DeferredLock()
        self._current = make(config)

    @property
    def current(self) -> Life:
        """
        The one that goes on, or else the next one.
        """
        return self._current

    def bind(self) -> None:
        """
        Have the next one bind its ports.

        @raise ListenError: As of L{Life.bind}.
        """
        self._fresh().bind()

    def begin(self) -> None:
        """
        Have it begin; its configuration is followed once it is served.

        @raise ListenError: As of L{Life.begin}.
        """
        life = self._fresh()
        life.begin()
        life.whenReady().addCallbacks(lambda _: self._followed(life), lambda _: None)

    def end(self) -> Deferred[None]:
        """
        End the one that goes on.

        @return: Fires when all of it is stopped; never fails.  Another one may have begun by then.
        """
        life, self._current = self._current, self._make(self.config)
        return life.end()

    def compare(self, config: Config) -> Changes:
        """
        What another configuration would change.

        @raise ChangeRefused: It is none.
        """
        return self._compared(config)[1]

    def change(self, edit: Callable[[Config], Config]) -> Deferred[Changes]:
        """
        Go by another configuration from now on, when all changes that were asked for before
        have had their turn.

        @param edit: Makes it of the one that is in use then; may raise L{ChangeRefused}.
        @return: Fires when it is in use, with what has changed.  Fails with L{ChangeRefused}, and
            everything is as before; of these L{RestartNeeded} says that no life that goes on can do
            it.  Fails with L{StoppedError} when that life is ended first.  Cancelling it stops
            nothing but the waiting.
        """
        return shielded(self._turn(edit))

    async def _turn(self, edit: Callable[[Config], Config]) -> Changes:
        await self._turns.acquire()
        try:
            return await self._change(edit)
        finally:
            self._turns.release()

    async def _change(self, edit: Callable[[Config], Config]) -> Changes:
        life = self._current
        if life.hasBegun and not life.isOver:
            # What a start is about to use is not changed under its hands.
            try:
                await life.whenReady()
            except StartError as why:
                raise ChangeRefused(f"The proxy has not started: {why}") from why
        config, found = self._compared(edit(self.config))
        if life.hasBegun and not life.isOver:
            if found.obstacles:
                raise RestartNeeded(found)
            await life.change(config)
        if self._current is not life and self._current.hasBegun:
            raise StoppedError("The proxy was stopped meanwhile, and started by the configuration before.")
        self.config = config
        if not self._current.hasBegun or self._current.isOver:
            self._current = self._make(config)
        else:
            self._followed(life)
        self._tell(found)
        return found

    def _compared(self, config: Config) -> tuple[Config, Changes]:
        from ..config.changes import changes

        try:
            completed = self._complete(config)
            return completed, changes(self.config, completed)
        except ValueError as why:
            raise ChangeRefused(str(why)) from why

    def _followed(self, life: Life) -> None:
        if self._current is life and not life.isOver:
            self._follow(self.config)

    def _fresh(self) -> Life:
        if self._current.isOver:
            # The last start failed, and somebody tries again.
            self._current = self._make(self.config)
        return self._current
