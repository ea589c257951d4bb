"""
Forward: to the targets of a group.
"""

from __future__ import annotations

from zope.interface import implementer

from ..interfaces import IAction, IExchange, IStream, IUpstream

__all__ = ["ForwardAction"]


@implementer(IAction)
class ForwardAction:
    """
    Hands on what comes.
    """

    def __init__(self, upstream: IUpstream) -> None:
        """
        @param upstream: Where to.
        """
        self.upstream = upstream

    def request(self, exchange: IExchange) -> None:
        """
        See L{IAction}.
        """
        exchange.forward(self.upstream)

    def stream(self, stream: IStream) -> None:
        """
        See L{IAction}.
        """
        stream.forward(self.upstream)
