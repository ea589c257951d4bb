"""
An action: a WebSocket that says again whatever is said to it.

    action: {type: parrot, most: 65536}
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from zope.interface import implementer

from smartproxy_tw.actions.websocket import WebSocket, accept
from smartproxy_tw.interfaces import IAction, IActionPlugin, IExchange, IStream

__all__ = ["Parrot", "Settings"]


class Settings(BaseModel):
    """
    What is in the configuration besides C{type} and C{tls}.
    """

    model_config = ConfigDict(extra="forbid")

    most: int = Field(default=65536, ge=1, description="So long may a message be, in bytes.")


class _Conversation:
    """
    With one client.
    """

    def __init__(self, exchange: IExchange, reactor: Any, most: int) -> None:
        self._socket = WebSocket(reactor, self, most)
        # What is no opening handshake is answered with 400, and there is no conversation.
        accept(exchange, self._socket)

    def received(self, message: str | bytes) -> None:
        """
        A whole message.
        """
        self._socket.send(message)
        if not self._socket.isTaking:
            # A client that does not listen is not listened to: nothing is heaped up for it.
            self._socket.pause()
            self._socket.whenTaking(self._socket.resume)

    def closed(self, code: int, reason: str) -> None:
        """
        Nothing more comes, and there is nothing to clear away.
        """


@implementer(IAction)
class _Cage:
    """
    All conversations of one configuration.
    """

    def __init__(self, settings: Settings, reactor: Any) -> None:
        self._most = settings.most
        self._reactor = reactor

    def request(self, exchange: IExchange) -> None:
        """
        See L{IAction}.
        """
        _Conversation(exchange, self._reactor, self._most)

    def stream(self, stream: IStream) -> None:
        """
        See L{IAction}: it C{needsHTTP}, so that there is none.
        """
        stream.abort()


@implementer(IActionPlugin)
class Parrot:
    """
    The plug-in.
    """

    name = "parrot"
    needsHTTP = True
    settings = Settings

    def build(self, settings: Settings, reactor: Any) -> IAction:
        """
        See L{IActionPlugin}.
        """
        return _Cage(settings, reactor)
