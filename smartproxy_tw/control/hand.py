"""
One worker, as the supervisor has it: a line, and a process that can be killed.

Whatever is asked of it comes to an end: it answers, or it is gone.  One that does
not answer is killed after a bounded time, which makes it gone.  Time is counted in
ticks of the supervisor, one a second, so that neither a clock that is set nor a
machine that slept makes a worker look late.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.python.failure import Failure

from .errors import Broken, Refused, WorkerGone

if TYPE_CHECKING:
    from .line import ILine
    from .messages import Letter

__all__ = ["Hand", "Killable", "Owner", "Patience"]

#: An idle worker is asked for its counts so often, in ticks.
_PULSE = 5
#: A process has so long to end after its line has, in ticks.
_LOST = 1


class Patience:
    """
    How long is waited for a worker, in ticks.
    """

    def __init__(self, answer: int = 10, start: int = 60) -> None:
        """
        @param answer: For an answer.
        @param start: For the first one, before which it imports.
        """
        self.answer = answer
        self.start = start


class Killable(Protocol):
    """
    A process.

    @ivar pid: Its number.
    """

    pid: int | None

    def kill(self) -> None:
        """
        End it at once.  Without effect when it has ended.
        """


class Owner(Protocol):
    """
    Who is told of a worker's life.
    """

    def hasLeft(self, hand: Hand) -> None:
        """
        It accepts nothing any more and ends by itself, because somebody else
        wanted that.
        """

    def hasEnded(self, hand: Hand, how: str) -> None:
        """
        Its process is no more.

        @param how: In what way, for people.
        """


class Hand:
    """
    One worker.

    @ivar number: Of its place.
    @ivar line: Set by who begins it.
    @ivar process: Likewise.
    @ivar isSettled: Whether it was told everything and serves.
    @ivar isLeaving: Whether it accepts nothing any more.
    @ivar counts: As last told.
    """

    line: ILine
    process: Killable

    def __init__(self, number: int, owner: Owner, patience: Patience) -> None:
        """
        @param number: Of its place.
        @param owner: Is told.
        @param patience: How long to wait for it.
        """
        self.number = number
        self._owner = owner
        self._patience = patience
        self.isSettled = False
        self.isLeaving = False
        self._isGone = False
        self._isLost = False
        self.counts: dict[str, int] = {}
        self._why = ""
        self._told: dict[Deferred[Any], None] = {}
        self._watching: list[Deferred[None]] = []
        self._asked = 0
        self._silence = 0
        self._age = 0
        self._leave = 0

    @property
    def pid(self) -> int | None:
        """
        The number of its process.
        """
        return self.process.pid

    def tell(self, letter: Letter, port: int | None = None, isWhole: bool = False) -> Deferred[None]:
        """
        Have it do something; see L{Tell<smartproxy_tw.control.messages.Tell>}.

        @return: Fires when it is done.  Fails with L{WorkerGone} when it never
            will be, L{Refused} or L{Broken} when it could not be.
        """
        outcome: Deferred[None] = Deferred(lambda _: self._told.pop(outcome, None))
        if self._isGone or self.isLeaving:
            # What it was to do concerns its successor, which will be told.
            outcome.errback(WorkerGone())
            return outcome
        self._told[outcome] = None
        self._ask(lambda: self.line.tell(letter, port, isWhole)).addCallbacks(
            lambda _: self._settle(outcome, None), lambda failure: self._failed(outcome, failure)
        )
        return outcome

    def drain(self, seconds: float, streams: float) -> Deferred[int]:
        """
        Have it finish.

        @param seconds: As in L{IPlane<smartproxy_tw.interfaces.IPlane>}.
        @param streams: Likewise.
        @return: Fires with the number of connections that it cut; with 0 when it
            ended in another way.
        """
        self.isLeaving = True
        self._leave = -int(max(seconds, streams))
        # Its time is not that of other answers.
        return maybeDeferred(self.line.drain, seconds, streams).addErrback(lambda _: 0)

    def tally(self) -> Deferred[dict[str, int]]:
        """
        Ask for its counts.

        @return: Fires with the last that are known, if it has ended.
        """
        if self._isGone:
            return succeed(self.counts)
        counted: Deferred[dict[str, int]] = Deferred()

        def told(answer: dict[str, int] | Failure) -> None:
            if isinstance(answer, dict):
                self.counts = answer
            counted.callback(self.counts)

        self._ask(self.line.tally).addBoth(told)
        return counted

    def recent(self) -> Deferred[tuple[str, ...]]:
        """
        Ask which certificates clients have asked it for of late.

        @return: Fires with none when it has ended.
        """
        if self._isGone:
            return succeed(())
        told: Deferred[tuple[str, ...]] = Deferred()

        def tell(answer: tuple[str, ...] | Failure) -> None:
            told.callback(answer if isinstance(answer, tuple) else ())

        self._ask(self.line.recent).addBoth(tell)
        return told

    def reopen(self) -> Deferred[None]:
        """
        Have it open the access log anew.

        @return: Fires when it has, or has ended.
        """
        if self._isGone:
            return succeed(None)
        done: Deferred[None] = Deferred()
        self._ask(self.line.reopen).addBoth(lambda _: done.callback(None))
        return done

    def condemn(self, why: str) -> None:
        """
        Kill it.

        @param why: For people.
        """
        self._why = self._why or why
        self.process.kill()

    def hangUp(self) -> None:
        """
        End the line: it drains, if it has not, and exits.
        """
        self.line.hangUp()

    def whenGone(self) -> Deferred[None]:
        """
        Wait for its end.
        """
        if self._isGone:
            return succeed(None)
        watching: Deferred[None] = Deferred()
        self._watching.append(watching)
        return watching

    def tick(self) -> None:
        """
        A second has passed.
        """
        self._age += 1
        if self._isLost and not self.isLeaving:
            self._silence += 1
            if self._silence > _LOST:
                self.condemn("its line was lost")
        elif self._asked:
            self._silence += 1
            most = self._patience.answer if self.isSettled else self._patience.start
            if self._silence > most:
                self.condemn(f"it did not answer for {most} s")
        elif self.isSettled and self._age % _PULSE == 0:
            self.tally()
        if self.isLeaving:
            self._leave += 1
            if self._leave > self._patience.answer:
                self.condemn("it did not end in time")

    # What it says by itself.

    def leaves(self) -> None:
        """
        See L{Hearer<smartproxy_tw.control.line.Hearer>}.
        """
        if not self._isGone and not self.isLeaving:
            self.isLeaving = True
            # First, so that nobody who asks again asks this one again.
            self._owner.hasLeft(self)
            self._release()

    def reports(self, tally: dict[str, int]) -> None:
        """
        Likewise.
        """
        self.counts = tally

    def lost(self) -> None:
        """
        Likewise.  A worker without its line is of no use to anybody, but may
        be about to end and to say why.
        """
        self._isLost = True

    def ended(self, how: str) -> None:
        """
        Its process is no more.

        @param how: In what way, for people.
        """
        if self._isGone:
            return
        self._isGone = True
        # First, as above.
        self._owner.hasEnded(self, f"{how}: {self._why}" if self._why else how)
        self._release()
        watching, self._watching = self._watching, []
        for each in watching:
            each.callback(None)

    def allow(self, seconds: float) -> None:
        """
        It leaves, and may take so long over it.
        """
        self._leave = -int(seconds)

    def _ask(self, ask: Callable[[], Deferred[Any]]) -> Deferred[Any]:
        self._asked += 1

        def heard(answer: Any) -> Any:
            self._asked -= 1
            self._silence = 0
            return answer

        # It raises when the line is lost: the end of the process is on its way.
        return maybeDeferred(ask).addBoth(heard)

    def _failed(self, outcome: Deferred[None], failure: Failure) -> None:
        if failure.check(Refused, Broken):  # type: ignore[no-untyped-call]
            self._settle(outcome, failure)
        # Otherwise the line was lost: it is done, or never will be, when the process is gone.

    def _settle(self, outcome: Deferred[None], failure: Failure | None) -> None:
        if self._told.pop(outcome, self) is self:
            return
        if failure is None:
            outcome.callback(None)
        else:
            outcome.errback(failure)

    def _release(self) -> None:
        told, self._told = self._told, {}
        for each in told:
            each.errback(WorkerGone())
