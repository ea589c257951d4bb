"""
Compression: answers of sane types, for clients that take it (RFC 9110 section 12.5.3).

It leaves alone what has been coded already, what has no body (204, 304), what is part of
something else (206), what says C{no-transform}, and what is known to be short.  A strong ETag
becomes a weak one, as the bytes are others now, and what was said of these bytes goes
(Accept-Ranges, Content-Digest, Repr-Digest and Content-MD5).  Who asks with the weak one whether
it is still good is told so by it, too.  Every answer that could be compressed says
C{Vary: Accept-Encoding}, whether this client takes it or not; an answer to HEAD says what one to
GET would.

This is worth its work with slow lines.  It must not meet secrets: see the manual on BREACH.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from zope.interface import implementer

from ..config.expressions import Exactly, Expression, expression
from ..interfaces import ILens
from ..wire.lines import valueOf, without
from ..wire.preferences import chooseCoding
from ..wire.validators import tags
from .coders import makerOf

if TYPE_CHECKING:
    from ..config.revision import Compress
    from ..facts import AnswerHead, RequestFacts
    from ..routing.filling import Words
    from .coders import Coder

__all__ = ["Compression"]

#: So many different Accept-Encoding fields are remembered; browsers have a handful.
_REMEMBERED = 64
_REMEMBERED_LENGTH = 200
_EVENTS = "text/event-stream"
_BODILESS = frozenset((204, 205, 206, 304))
# What is said of the bytes, and a Content-Encoding that says that there is none: some browsers would
# not know what "identity, gzip" is.
_OF_THE_BYTES = frozenset(
    (b"accept-ranges", b"content-digest", b"content-encoding", b"content-md5", b"digest", b"repr-digest")
)
_ETAG = re.compile(rb'(?im)^(etag:[\t ]*)(")')
_VARY = re.compile(rb"(?im)^vary:[^\r\n]*\r\n")


class Compression:
    """
    Made once for a route.
    """

    def __init__(self, settings: Compress) -> None:
        """
        @raise ValueError: There is no library for a coding.
        """
        self._settings = settings
        types = tuple(map(expression, settings.types))
        self._lenses: dict[str | None, _Coding] = {None: _Coding(settings, types, "", None)}
        for coding in settings.encodings:
            self._lenses[coding] = _Coding(settings, types, coding, makerOf(coding, settings.level))
        self._known: dict[str, _Coding] = {}

    def lens(self, words: Words) -> ILens:
        """
        See L{Glass<smartproxy_tw.actions.seen.Glass>}.
        """
        values = words.values("accept-encoding")
        text = values[0] if len(values) == 1 else ",".join(values)
        found = self._known.get(text)
        if found is None:
            found = self._lenses[chooseCoding(text, self._settings.encodings)]
            if len(text) <= _REMEMBERED_LENGTH:
                if len(self._known) >= _REMEMBERED:
                    self._known.clear()
                self._known[text] = found
        if found.isIdle:
            return found
        known = ",".join(words.values("if-none-match"))
        return _Renewal(found, known) if "W/" in known else found


@implementer(ILens)
class _Coding:
    """
    Compresses in one way, or only says that there are others.

    @ivar isIdle: Whether it does no more than that.
    """

    def __init__(
        self,
        settings: Compress,
        types: tuple[Expression, ...],
        coding: str,
        make: Callable[[bool], Coder] | None,
    ) -> None:
        self._settings = settings
        self._types = types
        self._hasEvents = Exactly(_EVENTS) in types
        self._line = b"Content-Encoding: " + coding.encode("ascii") + b"\r\n"
        self._make = make
        self.isIdle = make is None

    def look(self, facts: Callable[[], RequestFacts], head: AnswerHead) -> AnswerHead:
        """
        See L{ILens}.
        """
        if not self._isFit(head):
            return head
        fields = _varied(head.fields)
        if self._make is None:
            return head._replace(fields=fields)
        fields = without(_ETAG.sub(rb"\1W/\2", fields), _OF_THE_BYTES.__contains__) + self._line
        coder = self._make(head.length is None)
        return head._replace(fields=fields, length=None, filters=(*head.filters, coder))

    def _isFit(self, head: AnswerHead) -> bool:
        """
        Whether an answer is to be compressed, as far as it depends on the answer.
        """
        if head.status in _BODILESS or (head.length is not None and head.length < self._settings.minBytes):
            return False
        fields = head.fields
        kind = (valueOf(fields, b"content-type") or b"").partition(b";")[0].strip().lower().decode("latin-1")
        if not any(each.matches(kind) for each in self._types) or (kind == _EVENTS and not self._hasEvents):
            return False
        coded = valueOf(fields, b"content-encoding")
        if coded is not None and coded.lower() not in (b"", b"identity"):
            return False
        control = valueOf(fields, b"cache-control")
        return control is None or b"no-transform" not in control.lower()


@implementer(ILens)
class _Renewal:
    """
    For a client that has kept what was compressed, and asks whether it is still good: a cache does
    not renew what it has under a weak tag when it is told of a strong one (RFC 9111 section 4.3.4).
    """

    def __init__(self, coding: _Coding, known: str) -> None:
        """
        @param known: The field If-None-Match.
        """
        self._coding = coding
        self._known = known

    def look(self, facts: Callable[[], RequestFacts], head: AnswerHead) -> AnswerHead:
        """
        See L{ILens}.
        """
        if head.status != 304:
            return self._coding.look(facts, head)
        tag = (valueOf(head.fields, b"etag") or b"").decode("utf-8", "replace")
        known = tags(self._known) or ()
        if not tag.startswith('"') or tag in known or f"W/{tag}" not in known:
            return head
        return head._replace(fields=_varied(_ETAG.sub(rb"\1W/\2", head.fields)))


def _varied(fields: bytes) -> bytes:
    """
    Header lines that say that another client may get something else.
    """
    vary = valueOf(fields, b"vary")
    if vary is None:
        return fields + b"Vary: Accept-Encoding\r\n"
    names = [each.strip() for each in vary.lower().split(b",")]
    if b"*" in names or b"accept-encoding" in names:
        return fields
    return _VARY.sub(b"", fields) + b"Vary: " + vary + b", Accept-Encoding\r\n"
