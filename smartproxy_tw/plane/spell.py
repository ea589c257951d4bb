"""
How long bytes may be passed on: how long nothing may move, and how long it may last in all.

It is worked out once for each tunnel.  Nothing is watched for those that may last as long as
they like; the others have a deadline of their own beside that of idling, which every byte
moves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..facts import made

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..config.model import Route, Timeouts
    from .poller import Poller

__all__ = ["Lifetime", "Spell", "idleOf", "spellOf"]


class Spell(NamedTuple):
    """
    @ivar idle: So long nothing may move, in seconds.
    @ivar lifetime: So long it may last, in seconds; L{None}: as long as it likes.
    """

    idle: float
    lifetime: float | None = None

    def bound(
        self, poller: Poller, crash: Callable[[], None], done: Callable[[int, int], None]
    ) -> Callable[[int, int], None]:
        """
        See to it that something lasts no longer.

        @param crash: Breaks it.
        @param done: Is to be called at its end.
        @return: What is to be called then instead.
        """
        return done if self.lifetime is None else Lifetime(poller, self.lifetime, crash, done).ended


class Lifetime:
    """
    @ivar deadline: For the poller.
    """

    __slots__ = ("_crash", "_done", "_poller", "deadline")

    def __init__(
        self,
        poller: Poller,
        seconds: float,
        crash: Callable[[], None],
        done: Callable[[int, int], None],
    ) -> None:
        """
        Begin, with the poller's clock.

        @param crash: See L{Spell.bound}.
        @param done: Likewise.
        """
        self._poller = poller
        self._crash = crash
        self._done = done
        self.deadline = poller.now + seconds
        poller.mortals[self] = None

    def ended(self, sent: int, received: int) -> None:
        """
        It has ended, one way or the other.
        """
        self._poller.mortals.pop(self, None)
        self._done(sent, received)
        # Without the circle nothing is left to the garbage collector.
        del self._crash, self._done

    def expire(self) -> None:
        """
        It has lasted long enough.
        """
        self._crash()

    def crash(self) -> None:
        """
        A bug: end it.
        """
        self._crash()


def idleOf(route: Route | None, timeouts: Timeouts) -> float:
    """
    How long may nothing move in the exchanges and the streams of a route?

    @param timeouts: Of the whole file.
    @return: In seconds.
    """
    own = None if route is None or route.timeouts is None else route.timeouts.idle
    return timeouts.idle if own is None else own


def spellOf(route: Route | None, timeouts: Timeouts, *, isWebSocket: bool = False) -> Spell:
    """
    How long a tunnel of a route may last.

    @param timeouts: Of the whole file.
    """
    if route is None or (route.timeouts is None and not isWebSocket):
        # Nearly all of them.
        return made(Spell, (timeouts.idle, None))  # type: ignore[no-any-return]
    idle = idleOf(route, timeouts)
    lifetime = None if route.timeouts is None else route.timeouts.lifetime
    own = route.webSocket if isWebSocket else None
    if own is not None:
        idle = idle if own.idle is None else own.idle
        lifetime = lifetime if own.lifetime is None else own.lifetime
    return Spell(idle, lifetime)
