"""
A worker's end of the line: does what it is told, in the order in which it is told,
with a data path in its own process.

Its last duty is to end well.  That comes from the supervisor, by L{Drain}; from
somebody else, by a signal; or from nobody: when the line is lost there is no
supervisor any more.  Each time nothing more is accepted from that moment on, and what
is in flight has its time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..routing.steps import finish
from .errors import Broken, Refused
from .gains import Gains
from .handed import HandedPort
from .messages import (
    INLINE,
    Drain,
    Leaving,
    Recent,
    Reopen,
    Report,
    Talk,
    Tally,
    Tell,
    keysText,
    opened,
    tallyText,
)
from .packing import unpacking
from .slices import inSlices
from .state import (
    Adopt,
    Change,
    Divert,
    Install,
    Judge,
    Present,
    Release,
    Restore,
    Sign,
    Uninstall,
    UseTable,
    Withdraw,
)

if TYPE_CHECKING:
    from ..interfaces import IPlane

__all__ = ["Duty"]

_log = Logger()

#: Of what is answered when something goes wrong, in characters.
_MOST = 8000


class Duty(Talk):
    """
    What one worker is there for.
    """

    def __init__(
        self,
        plane: IPlane,
        clock: IReactorTime,
        done: Callable[[], object],
        *,
        ready: Callable[[], object] = lambda: None,
        ending: Callable[[float], object] = lambda seconds: None,
    ) -> None:
        """
        @param plane: Started.
        @param clock: Lets others have their turn while a long letter is read.
        @param done: Called once, when there is nothing more to do.
        @param ready: Called when everything was taken up.
        @param ending: Called with the seconds that the end may take at most, when
            nobody else watches over it.
        """
        super().__init__()
        self._plane = plane
        self._clock = clock
        self._done = done
        self._ready = ready
        self._ending = ending
        self._turn = DeferredLock()
        self._ports: dict[int, HandedPort] = {}
        self._gains = Gains(INLINE)
        # What the table says, once there is one.
        self._grace = 0.0
        self._isUnfit = False
        self._isLost = False
        self._draining: Deferred[int] | None = None
        self._drained = False

    @Tell.responder
    def tell(
        self, letter: bytes | None, memory: int | None, port: int | None, isWhole: bool
    ) -> Deferred[dict[str, Any]]:
        """
        See L{Tell}.
        """
        packed = opened(letter, memory)
        handed = None if port is None else HandedPort(port)
        return self._turn.run(lambda: Deferred.fromCoroutine(self._take(packed, handed, isWhole)))

    @Drain.responder
    def finish(self, seconds: float, streams: float) -> Deferred[dict[str, Any]]:
        """
        See L{Drain}.
        """
        return self._drain(seconds, streams).addCallback(lambda cut: {"cut": cut})

    @Tally.responder
    def count(self) -> Deferred[dict[str, Any]]:
        """
        See L{Tally}.
        """
        return Deferred.fromCoroutine(self._count())

    async def _count(self) -> dict[str, Any]:
        if not self._gains.isMore:
            await inSlices(self._gains.look(await self._plane.tally()), self._clock)
        piece, isMore = self._gains.take()
        return {"tally": tallyText(piece), "isMore": isMore}

    @Recent.responder
    def tellRecent(self) -> Deferred[dict[str, Any]]:
        """
        See L{Recent}.
        """
        return self._plane.recent().addCallback(lambda keys: {"keys": keysText(keys)})

    @Reopen.responder
    def reopen(self) -> Deferred[dict[str, Any]]:
        """
        See L{Reopen}.
        """
        return self._plane.reopen().addCallback(lambda _: {})

    def leave(self) -> None:
        """
        Somebody wants this process to end.
        """
        if self._draining is None and not self._isLost:
            self._ending(self._grace)
            drained = self._drain(self._grace)
            # Told when nothing more is accepted, so that no call waits for this worker.
            self.ask(Leaving)
            drained.addCallback(lambda _: self._plane.tally()).addCallback(self._sayGoodBye)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        There is no supervisor any more, or it has seen the end of the drain.
        """
        super().connectionLost(reason)
        self._isLost = True
        if self._drained:
            self._done()
            return
        self._ending(self._grace)
        if self._draining is None:
            self._drain(self._grace)

    def _sayGoodBye(self, tally: dict[str, int]) -> None:
        if self.transport is not None:
            finish(self._gains.look(tally))
            isMore = True
            while isMore:
                piece, isMore = self._gains.take()
                self.ask(Report, tally=tallyText(piece))
            self.transport.loseConnection()

    async def _take(self, packed: bytes, port: HandedPort | None, isWhole: bool) -> dict[str, Any]:
        try:
            if self._isUnfit:
                raise Broken("it does not know everything")
            for change in await inSlices(unpacking(packed), self._clock):
                await self._do(change, port)
        except Exception as why:
            self._isUnfit = self._isUnfit or isWhole
            if isinstance(why, ValueError | OSError):
                raise Refused(str(why)[:_MOST]) from why
            if not isinstance(why, Broken):
                _log.failure("A defect in a worker: it could not do what it was told")
            raise Broken(f"{type(why).__name__}: {why}"[:_MOST]) from why
        if isWhole:
            self._ready()
        return {}

    async def _do(self, change: Change, port: HandedPort | None) -> None:
        plane = self._plane
        match change:
            case UseTable(config=config):
                await plane.useTable(config)
                self._grace = config.timeouts.drain
            case Install(key, credential):
                await plane.install(key, credential)
            case Uninstall(key):
                await plane.uninstall(key)
            case Present(challenge):
                await plane.present(challenge)
            case Withdraw(challenge):
                await plane.withdraw(challenge)
            case Judge(checked, verdict):
                await plane.judge(checked, verdict)
            case Divert(target):
                await plane.divert(target)
            case Restore(target):
                await plane.restore(target)
            case Sign(secret):
                await plane.sign(secret)
            case Adopt(identity, number):
                assert port is not None
                await self._adopt(identity, number, port)
            case Release(identity):
                if (known := self._ports.pop(identity, None)) is not None:
                    await plane.release(known)
                    known.stopListening()

    async def _adopt(self, identity: int, number: int, port: HandedPort) -> None:
        if self._draining is not None or self._isLost:
            # It would be accepted for nobody.
            port.stopListening()
            return
        await self._plane.adopt(port, number)
        self._ports[identity] = port

    def _drain(self, seconds: float, streams: float | None = None) -> Deferred[int]:
        """
        Finish; whoever asks while that is under way waits for the same end.
        """
        waiting: Deferred[int] = Deferred()
        if self._draining is None:
            self._draining = self._plane.drain(seconds, streams)
            # Nobody here accepts any more, and a successor may bind them.
            ports, self._ports = self._ports, {}
            for port in ports.values():
                port.stopListening()
            self._draining.addBoth(self._haveDrained)

        def pass_(cut: int) -> int:
            waiting.callback(cut)
            return cut

        self._draining.addCallback(pass_)
        return waiting

    def _haveDrained(self, cut: int | Failure) -> int:
        self._drained = True
        if isinstance(cut, Failure):
            _log.failure("A defect in a worker: it could not end well", failure=cut)
            cut = 0
        if self._isLost:
            self._done()
        return cut
