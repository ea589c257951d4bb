"""
Redirect: answer with another address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import implementer

from ..config import blanks
from ..interfaces import IAction, IExchange, IStream
from ..routing.filling import ANYWHERE, Filling, Words, inURL

if TYPE_CHECKING:
    from ..config.model import Redirect
    from ..routing.patterns import PathPattern

__all__ = ["RedirectAction"]


@implementer(IAction)
class RedirectAction:
    """
    Fills in the address.  What is written as the path is the path with its query here.
    """

    def __init__(self, settings: Redirect, route: str = "", pattern: PathPattern = ANYWHERE) -> None:
        """
        @param settings: Checked by the loader.
        @param route: The name of the route.
        @param pattern: Its path.
        @raise ValueError: What the loader does not let through.
        """
        self._settings = settings
        self._route = route
        self._pattern = pattern
        path, uri = blanks.Blank("path"), blanks.Blank("uri")
        pieces = blanks.parse(settings.to, isURL=True)
        self._location = Filling(tuple(uri if piece == path else piece for piece in pieces), inURL)

    def request(self, exchange: IExchange) -> None:
        """
        See L{IAction}.
        """
        words = Words(exchange.facts, exchange.fields, self._route, self._pattern)
        location = self._location.fill(words).encode("ascii")
        exchange.respond(self._settings.status, b"Location: " + location + b"\r\n", b"")

    def stream(self, stream: IStream) -> None:
        """
        Only HTTP can be redirected; the loader sees to it.
        """
        stream.abort()
