"""
Cross-origin sharing, by the CORS protocol of the Fetch standard: a preflight is answered
here, and the answers to other requests say what a browser may do with them.

What the target says of it itself is replaced: two voices in this are none.  C{Vary: Origin}
is there wherever an answer could be another one for another origin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import implementer

from ..config.origins import Origins
from ..interfaces import ILens
from ..wire.lines import without
from .visit import Denial, Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..config.security import Cors
    from ..facts import AnswerHead, RequestFacts

__all__ = ["Sharing"]

_SAID = frozenset(
    b"access-control-" + each
    for each in (
        b"allow-origin",
        b"allow-credentials",
        b"allow-methods",
        b"allow-headers",
        b"expose-headers",
        b"max-age",
    )
)
_VARIES = b"Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers\r\n"

#: What is asked for is said again only if it is not longer than this.
_LONGEST = 4096


@implementer(ILens)
class _Said:
    """
    Some lines in place of those of the target.
    """

    def __init__(self, lines: bytes) -> None:
        self._lines = lines

    def look(self, facts: Callable[[], RequestFacts], head: AnswerHead) -> AnswerHead:
        """
        See L{ILens}.
        """
        fields = head.fields
        if b"ccess-" in fields or b"CCESS-" in fields:
            fields = without(fields, _SAID.__contains__)
        return head._replace(fields=fields + self._lines)


class Sharing:
    """
    Answers preflights, and has other answers say what is allowed.
    """

    def __init__(self, settings: Cors) -> None:
        """
        @param settings: Checked by the loader: never all origins with credentials.
        """
        self._settings = settings
        self._origins = Origins(settings.origins)
        self._varies = b"" if self._origins.isAll else b"Vary: Origin\r\n"
        shared = b"Access-Control-Allow-Credentials: true\r\n" if settings.credentials else b""
        self._preflight = (
            shared
            + b"Access-Control-Allow-Methods: %b\r\n" % ", ".join(settings.methods).encode("ascii")
            + b"Access-Control-Max-Age: %d\r\n" % settings.maxAge
        )
        self._usual = shared
        if settings.exposed:
            self._usual += (
                b"Access-Control-Expose-Headers: " + ", ".join(settings.exposed).encode("ascii") + b"\r\n"
            )
        self._silent = _Said(self._varies)
        self._openly = _Said(b"Access-Control-Allow-Origin: *\r\n" + self._usual)

    def ask(self, request: Request) -> Denial | None:
        """
        See L{Guard<smartproxy_tw.guards.visit.Guard>}.  A preflight is answered as if it were
        denied: nobody behind is asked.
        """
        asked = request.values("origin")
        if len(asked) != 1 or not self._origins.has(asked[0]):
            if asked and self._isPreflight(request):
                return Denial("origin", 403, _VARIES, b"", "")
            request.exchange.through(self._silent)
            return None
        allowed = self._allowed(asked[0])
        if self._isPreflight(request):
            return Denial("", 204, allowed + self._preflight + self._headers(request) + _VARIES)
        if self._origins.isAll:
            request.exchange.through(self._openly)
        else:
            request.exchange.through(_Said(allowed + self._usual + self._varies))
        return None

    def _isPreflight(self, request: Request) -> bool:
        return request.facts.method == "OPTIONS" and bool(request.values("access-control-request-method"))

    def _allowed(self, origin: str) -> bytes:
        if self._origins.isAll:
            return b"Access-Control-Allow-Origin: *\r\n"
        return b"Access-Control-Allow-Origin: " + origin.encode("latin-1", "replace") + b"\r\n"

    def _headers(self, request: Request) -> bytes:
        names = self._settings.headers
        if "*" in names:
            # A star of ours would not be one with credentials, and never means Authorization.
            text = ", ".join(request.values("access-control-request-headers"))[:_LONGEST]
        else:
            text = ", ".join(names)
        return (
            b"Access-Control-Allow-Headers: " + text.encode("latin-1", "replace") + b"\r\n" if text else b""
        )

    def close(self) -> None:
        """
        There is nothing to close.
        """
