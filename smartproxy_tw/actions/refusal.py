"""
An upstream that nobody is behind, and that says why: so that what goes wrong before a
target is known ends, is counted and is told like a target that fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zope.interface import implementer

from ..interfaces import IUpstream

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..plane.link import UpstreamFailure

__all__ = ["Refusal"]


@implementer(IUpstream)
class Refusal:
    """
    @ivar tls: Never.
    @ivar crumbs: Never.
    @ivar failure: Why.
    """

    tls = None
    crumbs = None

    def __init__(self, reactor: Any, failure: UpstreamFailure) -> None:
        self._reactor = reactor
        self.failure = failure

    def borrow(self, port: int, whose: Any = None) -> None:
        """
        See L{IUpstream}.
        """

    def connect(self, port: int, then: Callable[[Any], None], whose: Any = None) -> _Soon:
        """
        See L{IUpstream}.
        """
        return _Soon(self._reactor, lambda: then(self.failure))

    def repeat(self, port: int, target: str, isStale: bool, then: Any, whose: Any = None) -> None:
        """
        See L{IUpstream}.
        """

    def dial(self, port: int, then: Callable[[Any, bool, Any], None], whose: Any = None) -> _Soon:
        """
        See L{IUpstream}.
        """
        return _Soon(self._reactor, lambda: then(self.failure, False, None))


class _Soon:
    """
    Tells it in a moment, unless nobody wants to know any more.
    """

    def __init__(self, reactor: Any, tell: Callable[[], None]) -> None:
        self._call = reactor.callLater(0.0, tell)

    def cancel(self) -> None:
        """
        Nobody does.
        """
        if self._call.active():
            self._call.cancel()
