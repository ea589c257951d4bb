"""
Respond: a fixed answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import implementer

from ..interfaces import IAction, IExchange, IStream

if TYPE_CHECKING:
    from ..config.model import Respond

__all__ = ["RespondAction"]


@implementer(IAction)
class RespondAction:
    """
    The answer is made once.
    """

    def __init__(self, settings: Respond) -> None:
        """
        @param settings: Checked by the loader.
        """
        self._status = settings.status
        lines = "".join(f"{name}: {value}\r\n" for name, value in settings.headers)
        self._fields = lines.encode("latin-1")
        self._body = settings.body.encode("utf-8")

    def request(self, exchange: IExchange) -> None:
        """
        See L{IAction}.
        """
        exchange.respond(self._status, self._fields, self._body)

    def stream(self, stream: IStream) -> None:
        """
        Only HTTP can be answered; the loader sees to it.
        """
        stream.abort()
