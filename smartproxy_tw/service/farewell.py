"""
The end of the proxy on demand: first it says that it is not ready any more, so that
whoever distributes connections looks elsewhere, and then it ends, in order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from .desk import Desk, Question, Refusal, Reply

__all__ = ["Farewell"]

#: The answer is on its way before the end begins, in seconds.
_ANSWERED = 0.1

#: Nobody waits longer than that, in seconds.
_LONGEST = 3600.0


class Farewell:
    """
    Takes the question C{POST /v1/drain}.
    """

    _log = Logger()

    def __init__(
        self,
        clock: Any,
        leave: Callable[[], object],
        drain: Callable[[], float],
        hasDeparted: Callable[[], bool] = lambda: False,
    ) -> None:
        """
        @param clock: Waits.
        @param leave: Ends the proxy, in order.
        @param drain: How long requests in flight have then, in seconds.
        @param hasDeparted: Whether another process serves in its place.
        """
        self._hasDeparted = hasDeparted
        self._clock = clock
        self._leave = leave
        self._drain = drain
        self._call: IDelayedCall | None = None

    @property
    def hasBegun(self) -> bool:
        """
        Whether the proxy is about to end.
        """
        return self._call is not None or self._hasDeparted()

    def begin(self, desk: Desk) -> None:
        """
        Take questions.
        """
        desk.take("POST", "/v1/drain", self._take)

    def end(self) -> None:
        """
        It ends, by this or otherwise.
        """
        call, self._call = self._call, None
        if call is not None and call.active():
            call.cancel()

    async def _take(self, question: Question) -> Reply:
        question.only("delay")
        delay = question.members.get("delay", 0)
        if isinstance(delay, bool) or not isinstance(delay, int | float) or not _isLegal(delay):
            raise Refusal(400, "bad-question", f"'delay' has to be a number of seconds, 0 to {_LONGEST:g}.")
        self._log.info(
            "{asker} asks the proxy to finish what it has and end, in {delay} s",
            event="drain-asked",
            asker=question.asker,
            delay=delay,
        )
        # Who asks again means it otherwise: the last one counts.
        self.end()
        if self._hasDeparted():
            # That is what it does.
            return Reply({"draining": True, "delay": 0, "within": self._drain()}, 202)
        self._call = self._clock.callLater(max(delay, _ANSWERED), self._leave)
        return Reply({"draining": True, "delay": delay, "within": self._drain()}, 202)


def _isLegal(delay: float) -> bool:
    # Not a number is in no range, and the largest of numbers is compared as it is.
    return 0 <= delay <= _LONGEST
