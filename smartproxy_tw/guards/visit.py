"""
What a guard gets to see, and what it says.

A guard is asked about a visit: a request, or a connection that is not HTTP.  It says at
once that it may pass (L{None}), that it may not (a L{Denial}), or that it has to ask
somebody first (L{WAITING}); then it goes on with the visit later.  A guard that raises
has denied.

This is hot where a route has guards: no more is made for a visit than is looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from ..facts import ConnectionFacts, RequestFacts
    from ..interfaces import IExchange

__all__ = ["BROKEN", "WAITING", "Denial", "Guard", "Request", "Verdict", "Visit", "customer", "refusal"]

_PLAIN = b"Content-Type: text/plain; charset=utf-8\r\n"


class Denial(NamedTuple):
    """
    Why a visit ends here, and how.

    @ivar reason: One word, for counting; empty for an answer that is no denial.
    @ivar status: Of the answer.
    @ivar fields: Whole header lines.
    @ivar body: Nothing of what is behind.
    @ivar detail: For the operator; empty where the reason says it all.
    @ivar isFault: Whether it is nothing that the client has done.
    """

    reason: str
    status: int
    fields: bytes = b""
    body: bytes = b""
    detail: str = ""
    isFault: bool = False


def refusal(reason: str, status: int, words: str, fields: bytes = b"", detail: str = "") -> Denial:
    """
    A denial with a short text for a person.

    @param words: Without a line end.
    @param fields: Further header lines.
    """
    return Denial(reason, status, fields + _PLAIN, words.encode("ascii") + b"\n", detail, status >= 500)


class _Waiting:
    """
    The visit goes on later.
    """

    __slots__ = ()


#: The guard has to ask somebody first.
WAITING: Final = _Waiting()

#: A guard has a bug.
BROKEN = refusal("guard_failed", 500, "Internal Server Error")

Verdict = Denial | _Waiting | None


def customer(address: str, prefix: int) -> str:
    """
    As whom a client is counted.

    @param address: In its shortest form.
    @param prefix: So many bits of an IPv6 address tell one from another.
    @return: An IPv4 address as it is; of an IPv6 address the bits in question.
    """
    if ":" not in address:
        return address
    try:
        # A zone would make many out of one.
        number = int(IPv6Address(address.partition("%")[0]))
    except ValueError:
        return address
    return f"{number >> (128 - prefix):x}/"


class Visit(Protocol):
    """
    A request, or a connection that is not HTTP.

    @ivar client: The address of whom it is from.
    @ivar customer: As whom that one is counted.
    @ivar connection: What is known of the connection; the same value for each request of
        one.
    @ivar isRequest: Whether others may come by the same connection.
    """

    @property
    def isRequest(self) -> bool:
        """See above."""

    @property
    def client(self) -> str:
        """See above."""

    @property
    def customer(self) -> str:
        """See above."""

    @property
    def connection(self) -> ConnectionFacts:
        """See above."""

    def onEnd(self, then: Callable[[], None]) -> None:
        """
        Call this once when it has ended, however it does.
        """


class Request(Visit, Protocol):
    """
    A request.

    @ivar exchange: For amendments and lenses; not to be answered by a guard.
    @ivar facts: What is known of it.
    @ivar fields: Its header fields, as L{IExchange.fields<smartproxy_tw.interfaces.IExchange.fields>}
        has them.
    """

    @property
    def exchange(self) -> IExchange:
        """See above."""

    @property
    def facts(self) -> RequestFacts:
        """See above."""

    @property
    def fields(self) -> list[tuple[str, str]]:
        """See above."""

    def values(self, name: str) -> list[str]:
        """
        What a header field says, each time that it is there.

        @param name: In lower case.
        """

    def hold(self, cancel: Callable[[], None]) -> None:
        """
        Called by a guard that is about to be L{WAITING}.

        @param cancel: Called once if the client leaves meanwhile, after which L{goOn} does nothing.
        """

    def goOn(self, verdict: Denial | None) -> None:
        """
        Called once by a guard that was L{WAITING}.
        """


class Guard(Protocol):
    """
    One guard of one route.  Those who know nothing but requests are never asked about
    anything else.
    """

    def ask(self, visit: Any) -> Verdict:
        """
        May it pass?
        """

    def close(self) -> None:
        """
        It is not needed any more.
        """
