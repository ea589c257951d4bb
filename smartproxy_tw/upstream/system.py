"""
Names as the reactor's own resolver has them: that of the system, asked in
threads, or whichever was installed in its place.  It tells no lifetimes, and
not whether there is no address or just no answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from twisted.internet.interfaces import IHostnameResolver, IResolutionReceiver
from zope.interface import implementer

from .outcome import Failed, Found

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IAddress, IHostResolution

    from .outcome import Outcome

__all__ = ["NameReactor", "System", "USUAL_SECONDS"]

#: How long an answer without a lifetime serves.
USUAL_SECONDS = 10.0


class NameReactor(Protocol):
    """
    What this needs of a reactor.
    """

    @property
    def nameResolver(self) -> IHostnameResolver:
        """See L{twisted.internet.interfaces.IReactorPluggableNameResolver}."""


@implementer(IResolutionReceiver)
class _Question:
    """
    One question under way.
    """

    def __init__(self, done: Callable[[tuple[str, ...]], None]) -> None:
        self._found: dict[str, None] = {}
        self._done = done

    def resolutionBegan(self, resolution: IHostResolution) -> None:
        """See L{IResolutionReceiver}."""

    def addressResolved(self, address: IAddress) -> None:
        """See L{IResolutionReceiver}."""
        host = getattr(address, "host", None)
        if host is not None:
            self._found[host] = None

    def resolutionComplete(self) -> None:
        """See L{IResolutionReceiver}."""
        self._done(tuple(self._found))


class System:
    """
    Asks the reactor's resolver.
    """

    def __init__(self, reactor: NameReactor) -> None:
        """
        @param reactor: Whose resolver is asked.
        """
        self._reactor = reactor

    def ask(self, host: str, then: Callable[[Outcome], None]) -> None:
        """
        @param host: Something that can be a name: the resolver would never
            answer otherwise.
        @param then: Called once with L{Found} or L{Failed}.
        """

        def done(addresses: tuple[str, ...]) -> None:
            then(
                Found(addresses, USUAL_SECONDS) if addresses else Failed("the system knows no address for it")
            )

        self._reactor.nameResolver.resolveHostName(_Question(done), host, 0)
