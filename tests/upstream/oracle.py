"""
Those who know names, in the hands of a test.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IHostnameResolver, IHostResolution, IResolutionReceiver
from zope.interface import implementer

from smartproxy_tw.upstream.outcome import Outcome

__all__ = ["Oracle", "Sage"]


@implementer(IHostnameResolver)
class Oracle:
    """
    A reactor's resolver that keeps questions until the test answers them.
    """

    def __init__(self) -> None:
        self.questions: list[tuple[str, IResolutionReceiver]] = []

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[Any]] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        """See L{IHostnameResolver}."""
        self.questions.append((hostName, resolutionReceiver))
        return None  # type: ignore[return-value]

    def answers(self, *addresses: str) -> None:
        """
        Answer the oldest question.
        """
        _, receiver = self.questions.pop(0)
        for address in addresses:
            kind: Any = IPv6Address if ":" in address else IPv4Address
            receiver.addressResolved(kind("TCP", address, 0))
        receiver.resolutionComplete()


class Sage:
    """
    A source that keeps questions until the test answers them.

    @ivar asked: The names that were asked for.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._waiting: list[Callable[[Outcome, bool], None]] = []

    def ask(self, host: str, then: Callable[[Outcome, bool], None]) -> None:
        """See L{Source<smartproxy_tw.upstream.sources.Source>}."""
        self.asked.append(host)
        self._waiting.append(then)

    def says(self, outcome: Outcome, isLast: bool = True) -> None:
        """
        Answer the oldest question.
        """
        (self._waiting.pop(0) if isLast else self._waiting[0])(outcome, isLast)

    @property
    def open(self) -> int:
        """
        How many questions are waiting.
        """
        return len(self._waiting)
