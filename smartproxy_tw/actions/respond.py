"""
Respond: an answer of one's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import implementer

from ..interfaces import IAction, IExchange, IStream
from ..routing.filling import ANYWHERE, Filling, Words, safeFor
from .fieldlines import FieldLines
from .saying import Saying

if TYPE_CHECKING:
    from ..config.model import Respond
    from ..routing.patterns import PathPattern

__all__ = ["RespondAction"]


@implementer(IAction)
class RespondAction:
    """
    Where nothing is to be filled in the answer is made once.
    """

    def __init__(self, settings: Respond, route: str = "", pattern: PathPattern = ANYWHERE) -> None:
        """
        @param settings: Checked by the loader.
        @param route: The name of the route.
        @param pattern: Its path.
        @raise ValueError: What the loader does not let through.
        """
        self._status = settings.status
        self._route = route
        self._pattern = pattern
        self._fields = FieldLines(settings.headers)
        kind = next((value for name, value in settings.headers if name.lower() == "content-type"), "")
        self._body = Filling.of(settings.body, safeFor(kind))
        # Where it cannot be filled in there is HTTP: the loader sees to it.
        self._factory = Saying((self._body.fixed or "").encode("utf-8"))
        self._fixed: tuple[bytes, bytes] | None = None
        if self._fields.fixed is not None and self._body.fixed is not None:
            self._fixed = self._fields.fixed, self._body.fixed.encode("utf-8")

    def request(self, exchange: IExchange) -> None:
        """
        See L{IAction}.
        """
        if self._fixed is not None:
            exchange.respond(self._status, *self._fixed)
            return
        words = Words(exchange.facts, exchange.fields, self._route, self._pattern)
        body = self._body.fill(words).encode("utf-8", "replace")
        exchange.respond(self._status, self._fields.fill(words), body)

    def stream(self, stream: IStream) -> None:
        """
        Without HTTP there is only the body, and nothing to fill in.
        """
        stream.serve(self._factory)
