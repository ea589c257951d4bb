"""
Names to addresses, for targets.

The reactor's own resolver does the work (in threads, so that nothing blocks);
an answer serves for some seconds, callers that ask meanwhile share one question,
and when the resolver fails the last good answer serves on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import TYPE_CHECKING, Protocol

from twisted.internet.interfaces import IHostnameResolver, IResolutionReceiver
from zope.interface import implementer

if TYPE_CHECKING:
    from twisted.internet.interfaces import IAddress, IHostResolution

__all__ = ["NameReactor", "Resolver", "isLiteral"]

# How long an answer serves, and a failure, in seconds.
_FRESH = 10.0
_FAILED = 1.0


class NameReactor(Protocol):
    """
    What resolving needs of a reactor.
    """

    @property
    def nameResolver(self) -> IHostnameResolver:
        """See L{twisted.internet.interfaces.IReactorPluggableNameResolver}."""

    def seconds(self) -> float:
        """See L{twisted.internet.interfaces.IReactorTime}."""


def isLiteral(host: str) -> bool:
    """
    @return: Whether a host is an IP address already.
    """
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


@implementer(IResolutionReceiver)
class _Question:
    """
    One question under way, and all who wait for its answer.
    """

    def __init__(self, done: Callable[[list[str]], None]) -> None:
        self._found: list[str] = []
        self._done = done

    def resolutionBegan(self, resolution: IHostResolution) -> None:
        """See L{IResolutionReceiver}."""

    def addressResolved(self, address: IAddress) -> None:
        """See L{IResolutionReceiver}."""
        host = getattr(address, "host", None)
        if host is not None and host not in self._found:
            self._found.append(host)

    def resolutionComplete(self) -> None:
        """See L{IResolutionReceiver}."""
        self._done(self._found)


class Resolver:
    """
    Answers from memory where it can.
    """

    def __init__(self, reactor: NameReactor) -> None:
        """
        @param reactor: Whose resolver is asked.
        """
        self._reactor = reactor
        self._known: dict[str, tuple[float, Sequence[str]]] = {}
        self._waiting: dict[str, list[Callable[[Sequence[str]], None]]] = {}

    def remembered(self, host: str) -> Sequence[str] | None:
        """
        @param host: A name or an address.
        @return: Its addresses where no question is needed; L{None} otherwise.
        """
        known = self._known.get(host)
        if known is not None and known[0] > self._reactor.seconds():
            return known[1]
        if isLiteral(host):
            self._known[host] = (float("inf"), (host,))
            return (host,)
        return None

    def ask(self, host: str, then: Callable[[Sequence[str]], None]) -> None:
        """
        Find the addresses of a name.

        @param then: Called with them in the resolver's order; with none when
            there are none and never were, at once where there cannot be any.
        """
        waiting = self._waiting.get(host)
        if waiting is not None:
            waiting.append(then)
            return
        self._waiting[host] = [then]
        try:
            host.encode("idna")
        except UnicodeError:
            # The reactor's resolver would never answer.
            self._answered(host, ())
            return
        self._reactor.nameResolver.resolveHostName(
            _Question(lambda found: self._answered(host, found)), host, 0
        )

    def _answered(self, host: str, found: Sequence[str]) -> None:
        now = self._reactor.seconds()
        if found:
            self._known[host] = (now + _FRESH, tuple(found))
        else:
            found = self._known.get(host, (0.0, ()))[1]
            self._known[host] = (now + _FAILED, found)
        for then in self._waiting.pop(host, []):
            then(found)
