"""
The way past the guards of a route: an action that asks each of them in its order, and then
has the route's own action do what it does.

A guard that asks somebody holds the visit, and goes on with it later.  If the client leaves
meanwhile nothing goes on.  Whatever goes wrong on the way ends the visit: nobody passes
because a guard has failed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from twisted.logger import Logger
from zope.interface import implementer

from ..interfaces import IAction, IExchange, ILens, IStream
from .visit import BROKEN, Denial, Guard, Verdict, customer

if TYPE_CHECKING:
    from ..facts import ConnectionFacts, RequestFacts

__all__ = ["Guarded", "Report"]

_log = Logger()

#: Is told of each denial: the reason, who it was, and what else there is to say.
Report = Callable[[str, str, str], None]


@implementer(IAction)
class Guarded:
    """
    An action with guards before it.
    """

    def __init__(
        self,
        action: IAction,
        guards: Sequence[Guard],
        report: Report,
        *,
        prefix: int = 64,
        doorkeepers: int = 0,
        lenses: Sequence[ILens] = (),
    ) -> None:
        """
        @param action: What is guarded.
        @param guards: In the order in which they are asked.
        @param prefix: As for L{customer}.
        @param doorkeepers: So many of the first ones are for connections that are not HTTP, too.
        @param lenses: What all answers go through, those of guards too; the last one sees them
            first.
        """
        self.action = action
        self.guards = tuple(guards)
        self.report = report
        self.prefix = prefix
        self._doorkeepers = self.guards[:doorkeepers]
        self._lenses = tuple(lenses)

    def request(self, exchange: IExchange) -> None:
        """
        See L{IAction}.
        """
        for lens in self._lenses:
            exchange.through(lens)
        _Passage(self, exchange).go()

    def stream(self, stream: IStream) -> None:
        """
        See L{IAction}.
        """
        call = _Call(stream, self.prefix)
        for guard in self._doorkeepers:
            verdict = _asked(guard, call)
            if verdict is not None:
                denial = verdict if isinstance(verdict, Denial) else BROKEN
                self.report(denial.reason, call.client, denial.detail)
                stream.abort()
                return
        self.action.stream(stream)


def _asked(guard: Guard, visit: object) -> Verdict:
    try:
        return guard.ask(visit)
    except (Exception, SystemExit):
        _log.failure("A guard failed, and nobody passes: {guard}", guard=type(guard).__name__)
        return BROKEN


class _Call:
    """
    A connection that is not HTTP; see L{Visit<smartproxy_tw.guards.visit.Visit>}.
    """

    isRequest = False
    __slots__ = ("client", "connection", "customer", "onEnd")

    def __init__(self, stream: IStream, prefix: int) -> None:
        self.connection: ConnectionFacts = stream.facts()
        self.client = self.connection.client.host
        self.customer = customer(self.client, prefix)
        self.onEnd: Callable[[Callable[[], None]], None] = stream.onEnd


class _Passage:
    """
    A request; see L{Request<smartproxy_tw.guards.visit.Request>}.
    """

    isRequest = True
    __slots__ = (
        "_at",
        "_cancel",
        "_customer",
        "_facts",
        "_fields",
        "_guarded",
        "_isHeld",
        "_isOver",
        "exchange",
    )

    def __init__(self, guarded: Guarded, exchange: IExchange) -> None:
        self._guarded = guarded
        self.exchange = exchange
        self._at = 0
        self._isHeld = self._isOver = False
        self._cancel: Callable[[], None] | None = None
        self._facts: RequestFacts | None = None
        self._fields: list[tuple[str, str]] | None = None
        self._customer: str | None = None

    @property
    def facts(self) -> RequestFacts:
        """What is known of it."""
        if self._facts is None:
            self._facts = self.exchange.facts()
        return self._facts

    @property
    def connection(self) -> ConnectionFacts:
        """What is known of its connection."""
        return self.facts.connection

    @property
    def client(self) -> str:
        """From whom it is."""
        return self.facts.client or self.facts.connection.client.host

    @property
    def customer(self) -> str:
        """As whom that one is counted."""
        if self._customer is None:
            self._customer = customer(self.client, self._guarded.prefix)
        return self._customer

    @property
    def fields(self) -> list[tuple[str, str]]:
        """Its header fields."""
        if self._fields is None:
            self._fields = self.exchange.fields()
        return self._fields

    def values(self, name: str) -> list[str]:
        """What a header field says."""
        return [value for each, value in self.fields if each == name]

    def onEnd(self, then: Callable[[], None]) -> None:
        """Call this when it has ended."""
        self.exchange.onEnd(then)

    def go(self) -> None:
        """
        Ask the next guards, until one waits or nobody is left.
        """
        guards = self._guarded.guards
        while self._at < len(guards):
            guard = guards[self._at]
            self._at += 1
            verdict = _asked(guard, self)
            if verdict is None:
                continue
            if isinstance(verdict, Denial):
                self._deny(verdict)
            elif not self._isHeld:
                self._isHeld = True
                self.exchange.onEnd(self._over)
            return
        self._guarded.action.request(self.exchange)

    def hold(self, cancel: Callable[[], None]) -> None:
        """Call this if it ends while it is held."""
        self._cancel = cancel

    def goOn(self, verdict: Denial | None) -> None:
        """
        A guard that was waiting has an answer.
        """
        if self._isOver:
            return
        self._cancel = None
        try:
            if verdict is None:
                self.go()
            else:
                self._deny(verdict)
        except (Exception, SystemExit):
            # Nobody is above who would end it.
            _log.failure("A request failed behind its guards")
            self.exchange.abort()

    def _over(self) -> None:
        self._isOver = True
        if self._cancel is not None:
            self._cancel()

    def _deny(self, denial: Denial) -> None:
        if denial.reason:
            self._guarded.report(denial.reason, self.client, denial.detail)
        self.exchange.respond(denial.status, denial.fields, denial.body)
