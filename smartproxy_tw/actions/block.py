"""
Block: refuse.
"""

from __future__ import annotations

from zope.interface import implementer

from ..interfaces import IAction, IExchange, IStream

__all__ = ["BlockAction"]


@implementer(IAction)
class BlockAction:
    """
    403 over HTTP, a close otherwise.
    """

    def request(self, exchange: IExchange) -> None:
        """
        See L{IAction}.
        """
        exchange.respond(403, b"Content-Type: text/plain; charset=utf-8\r\n", b"Forbidden\n")

    def stream(self, stream: IStream) -> None:
        """
        See L{IAction}.
        """
        stream.abort()
