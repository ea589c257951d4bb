"""
Forward to targets that something of Python works out: a function of the facts of a
request, or of a connection that is not HTTP.

It is called in the reactor's thread and must not block.  It may return a Deferred or a
coroutine: the request is held meanwhile, for a bounded time.  Whatever it does, it costs
its own request no more than an answer of 502, or 504 when it is late; and the log tells
which function of which route it was, with a traceback now and then.
"""

from __future__ import annotations

from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ..interfaces import IAction, IExchange, IStream
from ..plane.link import UpstreamFailure
from .decision import Decision, decided, hostsAndPort
from .dotted import foundCallable
from .refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..config.selection import Dynamic
    from ..upstream.assortment import Assortment
    from .means import Means

__all__ = ["DynamicAction"]

_log = Logger()

# So long at least between two tracebacks of one action, in seconds.
_QUIET = 60.0


@implementer(IAction)
class DynamicAction:
    """
    Asks, and forwards to what it is told.
    """

    def __init__(self, name: str, dynamic: Dynamic, assortment: Assortment, means: Means) -> None:
        """
        @param name: Of the route.
        @param dynamic: What to ask.
        @param assortment: Has the groups for what comes of it.
        @raise ValueError: Something it names cannot be had.
        """
        self._name = name
        self._dynamic = dynamic
        self._assortment = assortment
        self._reactor = means.reactor
        self._ask = _asking(dynamic, means)
        self._toldAt = float("-inf")

    def request(self, exchange: IExchange) -> None:
        """
        See L{IAction}.
        """
        self._begin(exchange, exchange.facts())

    def stream(self, stream: IStream) -> None:
        """
        See L{IAction}.
        """
        self._begin(stream, stream.facts())

    def _begin(self, held: IExchange | IStream, facts: Any) -> None:
        try:
            answer = self._ask(facts)
        except (Exception, SystemExit):
            self._failed(held, Failure())  # type: ignore[no-untyped-call]
            return
        if isinstance(answer, Decision):
            self._forward(held, answer)
        else:
            _Held(self._reactor, self._dynamic.timeout, answer, held, self)

    def _forward(self, held: IExchange | IStream, decision: Decision) -> None:
        try:
            group = self._assortment.group(decision.targets, decision.isTLS)
        except ValueError as why:
            self._refuse(held, UpstreamFailure(f"{self._dynamic}: {why}"))
            return
        held.forward(group)

    def _failed(self, held: IExchange | IStream, failure: Failure) -> None:
        """
        Tell it, and refuse.
        """
        why = failure.value
        if isinstance(why, _Nonsense):
            self._refuse(held, UpstreamFailure(f"{self._dynamic} {why}"))
            return
        now = self._reactor.seconds()
        if now >= self._toldAt + _QUIET:
            self._toldAt = now
            _log.failure(
                "{callable} of route {route} failed",
                failure=failure,
                event="decision-failed",
                callable=str(self._dynamic),
                route=self._name,
            )
        self._refuse(held, UpstreamFailure(f"{self._dynamic} raised {type(why).__name__}"))

    def _late(self, held: IExchange | IStream) -> None:
        seconds = self._dynamic.timeout
        self._refuse(held, UpstreamFailure(f"{self._dynamic} gave no answer within {seconds:g} s", True))

    def _refuse(self, held: IExchange | IStream, failure: UpstreamFailure) -> None:
        held.forward(Refusal(self._reactor, failure))


class _Nonsense(ValueError):
    """
    What was returned means nothing; the message is the end of a sentence.
    """


def _asking(dynamic: Dynamic, means: Means) -> Callable[[Any], Decision | Deferred[Decision]]:
    """
    What is called with the facts.
    """
    if dynamic.decide is not None:
        decide = means.decider(dynamic.decide)
        return lambda facts: _settled(decide(facts), _whole)
    host, port = dynamic.host, dynamic.port
    askHost = None if isinstance(host, tuple) else foundCallable(host, means.places)
    askPort = None if port is None or isinstance(port, int) else foundCallable(port, means.places)

    def both(facts: Any) -> Decision | Deferred[Decision]:
        hosts = host if askHost is None else askHost(facts)
        number = port if askPort is None else askPort(facts)
        if isawaitable(hosts) or isawaitable(number) or isinstance(hosts, Deferred):
            return Deferred.fromCoroutine(_joined(hosts, number))
        return _apart(hosts, number)

    return both


async def _joined(hosts: Any, port: Any) -> Decision:
    # Begun together: what is late in both is late once.
    begun = _begun(hosts), _begun(port)
    try:
        return _apart(await begun[0], await begun[1])
    finally:
        for each in begun:
            each.addErrback(lambda _: None)
            each.cancel()


def _begun(value: Any) -> Deferred[Any]:
    found: Deferred[Any] = Deferred()
    if isinstance(value, Deferred):
        return value
    if isawaitable(value):
        return Deferred.fromCoroutine(_awaited(value))
    found.callback(value)
    return found


async def _awaited(value: Any) -> Any:
    return await value


def _settled(value: Any, read: Callable[[Any], Decision]) -> Decision | Deferred[Decision]:
    if isinstance(value, Deferred) or isawaitable(value):
        return _begun(value).addCallback(read)
    return read(value)


def _whole(value: Any) -> Decision:
    try:
        return decided(value)
    except ValueError as why:
        raise _Nonsense(str(why)) from None


def _apart(hosts: Any, port: Any) -> Decision:
    try:
        return hostsAndPort(hosts, port)
    except ValueError as why:
        raise _Nonsense(str(why)) from None


class _Held:
    """
    A request, or a connection, while it is decided about: until there is an answer, or it
    is late, or nobody waits any more.
    """

    def __init__(
        self,
        reactor: Any,
        timeout: float,
        answer: Deferred[Decision],
        held: IExchange | IStream,
        action: DynamicAction,
    ) -> None:
        self._held = held
        self._action = action
        self._answer = answer
        self._isOver = False
        self._timer = reactor.callLater(timeout, self._late)
        held.onEnd(self._gone)
        answer.addCallbacks(self._decided, self._failed)
        answer.addErrback(self._crashed)

    def _end(self) -> bool:
        isOver, self._isOver = self._isOver, True
        if self._timer.active():
            self._timer.cancel()
        return not isOver

    def _decided(self, decision: Decision) -> None:
        if self._end():
            self._action._forward(self._held, decision)

    def _failed(self, failure: Failure) -> None:
        if self._end():
            self._action._failed(self._held, failure)

    def _crashed(self, failure: Failure) -> None:
        _log.failure("A defect while forwarding", failure=failure, event="decision-failed")
        self._held.abort()

    def _late(self) -> None:
        if self._end():
            self._action._late(self._held)
            self._answer.cancel()

    def _gone(self) -> None:
        if self._end():
            self._answer.cancel()
