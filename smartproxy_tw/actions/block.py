"""
Block: refuse.
"""

from __future__ import annotations

from http import HTTPStatus

from twisted.internet.protocol import Factory
from zope.interface import implementer

from ..config.model import Block
from ..interfaces import IAction, IExchange, IStream
from .saying import Resetting, Saying

__all__ = ["BlockAction"]


_USUAL = Block()


@implementer(IAction)
class BlockAction:
    """
    An answer over HTTP, otherwise a close, maybe after a few words; or a reset.
    """

    def __init__(self, settings: Block = _USUAL) -> None:
        """
        @param settings: Checked by the loader.
        """
        self._status = settings.status
        self._isReset = settings.isReset
        self._body = (_phrase(settings.status) if settings.body is None else settings.body).encode()
        self._factory: Factory | None = None
        if settings.isReset:
            self._factory = Resetting()
        elif settings.body:
            self._factory = Saying(settings.body.encode())

    def request(self, exchange: IExchange) -> None:
        """
        See L{IAction}.
        """
        if self._isReset:
            exchange.abort()
        else:
            exchange.respond(self._status, b"Content-Type: text/plain; charset=utf-8\r\n", self._body)

    def stream(self, stream: IStream) -> None:
        """
        See L{IAction}.
        """
        if self._factory is None:
            stream.abort()
        else:
            stream.serve(self._factory)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase + "\n"
    except ValueError:
        return f"{status}\n"
