"""
Redirect: answer with another address.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zope.interface import implementer

from ..interfaces import IAction, IExchange, IStream

if TYPE_CHECKING:
    from ..config.model import Redirect

__all__ = ["RedirectAction"]

_VARIABLE = re.compile(r"\{(domain|path|port)\}")


@implementer(IAction)
class RedirectAction:
    """
    Fills in the template; what was filled in is not looked at again.
    """

    def __init__(self, settings: Redirect) -> None:
        """
        @param settings: Checked by the loader.
        """
        self._settings = settings
        # Every other piece is the name of a variable.
        self._pieces = _VARIABLE.split(settings.to)

    def request(self, exchange: IExchange) -> None:
        """
        See L{IAction}.
        """
        facts = exchange.facts()
        values = {
            "domain": f"[{facts.host}]" if ":" in facts.host else facts.host,
            "path": facts.path + ("?" + facts.query if facts.query else ""),
            "port": str(facts.connection.port),
        }
        location = "".join(values[piece] if index % 2 else piece for index, piece in enumerate(self._pieces))
        exchange.respond(self._settings.status, b"Location: " + location.encode("ascii") + b"\r\n", b"")

    def stream(self, stream: IStream) -> None:
        """
        Only HTTP can be redirected; the loader sees to it.
        """
        stream.abort()
