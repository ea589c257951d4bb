"""
An action: answers that nobody is there, and when to come back.

    action: {type: holiday, text: "We are back on Monday.", retry_after: 86400}
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from zope.interface import implementer

from smartproxy_tw.interfaces import IAction, IActionPlugin, IExchange, IStream

__all__ = ["Holiday", "Settings"]


class Settings(BaseModel):
    """
    What is in the configuration besides C{type} and C{tls}.
    """

    model_config = ConfigDict(extra="forbid")

    text: str = Field(min_length=1)
    retry_after: int = Field(default=3600, ge=1)


@implementer(IAction)
class _Away:
    """
    Everything that can be made beforehand is: what is left is done for each request.
    """

    def __init__(self, settings: Settings) -> None:
        self._fields = (
            b"Content-Type: text/plain; charset=utf-8\r\nRetry-After: %d\r\n" % settings.retry_after
        )
        self._body = settings.text.encode() + b"\n"

    def request(self, exchange: IExchange) -> None:
        """
        See L{IAction}.
        """
        exchange.respond(503, self._fields, self._body)

    def stream(self, stream: IStream) -> None:
        """
        See L{IAction}: it C{needsHTTP}, so that there is none.
        """
        stream.abort()


@implementer(IActionPlugin)
class Holiday:
    """
    The plug-in.
    """

    name = "holiday"
    needsHTTP = True
    settings = Settings

    def build(self, settings: Settings, reactor: Any) -> IAction:
        """
        See L{IActionPlugin}.
        """
        return _Away(settings)
