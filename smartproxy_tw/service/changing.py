"""
Changes of the configuration in one life of a proxy, one at a time: each is in use in the
end, or refused with everything as before.

Whoever ends the life meanwhile has a change cancelled that may still be refused, and waits
for the end of one that may not.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from twisted.internet.defer import CancelledError, Deferred

from ..control.errors import PlaneLost
from ..store.directory import StateError
from .errors import ChangeRefused, StartError, StoppedError
from .readiness import Readiness

if TYPE_CHECKING:
    from .turnover import Turnover

__all__ = ["Changing"]


class Changing:
    """
    Those of one life.
    """

    def __init__(self) -> None:
        """
        None goes on.
        """
        self._turnover: Turnover | None = None
        self._doing: Deferred[None] | None = None
        self._done = Readiness()

    async def run(
        self, turnover: Turnover, before: Callable[[], Awaitable[None]], then: Callable[[], object]
    ) -> None:
        """
        Have one come about.  Not to be called while another goes on.

        @param turnover: The steps.
        @param before: What comes before them, and need not be taken back.
        @param then: Called when it is in use, before anybody is told.
        @raise ChangeRefused: It cannot be; the text is all that an operator needs.
        @raise StoppedError: It was ended first.
        """
        done = self._done = Readiness()
        self._turnover = turnover
        doing = self._doing = Deferred.fromCoroutine(_steps(before, turnover))
        try:
            await doing
            then()
        except CancelledError as why:
            raise StoppedError("The proxy was stopped, and its configuration is the one before.") from why
        except (StartError, StateError, PlaneLost) as why:
            raise ChangeRefused(str(why)) from why
        except (ValueError, OSError) as why:
            raise ChangeRefused(f"The configuration cannot be put to use: {why}") from why
        finally:
            self._turnover = self._doing = None
            done.happen()

    async def over(self) -> None:
        """
        Wait for the one that goes on, if there is one, well or not.
        """
        if self._doing is not None:
            await self._done.when()

    async def end(self) -> None:
        """
        Have the one that goes on refused, or wait for it where that cannot be any more.
        """
        if self._turnover is None or self._doing is None:
            return
        # Cancelling may end it at once, so that the next one could begin.
        done = self._done
        if not self._turnover.isDecided:
            self._doing.cancel()
        await done.when()


async def _steps(before: Callable[[], Awaitable[None]], turnover: Turnover) -> None:
    await before()
    await turnover.run()
