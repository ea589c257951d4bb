"""
Pages that errors have: in place of the short texts that the proxy itself answers with and,
where that is asked for, of what targets say.

The status stays, and so does what belongs to it (Retry-After, WWW-Authenticate, cookies); what
described the body that is replaced goes with it.  Of several forms of a page the client gets the
one that it likes best, by Accept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from zope.interface import implementer

from ..config import blanks
from ..interfaces import IAction, IExchange, IFilter, ILens, IStream
from ..plane.answers import plainAnswer
from ..routing.filling import Filling, Words, safeFor
from ..wire.lines import valueOf, without
from ..wire.preferences import chooseType

if TYPE_CHECKING:
    from ..config.revision import ErrorPage, Representation
    from ..facts import AnswerHead, RequestFacts

__all__ = ["Fallback", "Pages"]

#: What is said of a body, and of nothing else.
_OF_THE_BODY = frozenset(
    (
        b"accept-ranges",
        b"content-digest",
        b"content-disposition",
        b"content-encoding",
        b"content-language",
        b"content-location",
        b"content-md5",
        b"content-range",
        b"content-type",
        b"digest",
        b"etag",
        b"last-modified",
        b"repr-digest",
        b"trailer",
    )
)


class _Form:
    """
    One form of a page.
    """

    def __init__(self, settings: Representation) -> None:
        self.kind = settings.type.partition(";")[0].strip().lower()
        self.filling = Filling(blanks.parse(settings.body, blanks.ERROR), safeFor(self.kind))
        self.line = f"Content-Type: {settings.type}\r\n".encode("ascii")


class _Page:
    """
    What one status, or a class of them, looks like.
    """

    def __init__(self, settings: ErrorPage) -> None:
        self._status = settings.status
        self._isForAll = settings.isForAll
        self._forms = tuple(map(_Form, settings.forms))
        self._kinds = tuple(form.kind for form in self._forms)

    def fits(self, head: AnswerHead) -> bool:
        """
        Whether it is for this answer.
        """
        if not (head.isOurs or self._isForAll):
            return False
        status = str(head.status)
        return self._status == status or (self._status[1:] == "xx" and self._status[0] == status[0])

    def show(self, head: AnswerHead, words: Words) -> AnswerHead:
        """
        @return: The answer with this page.
        """
        words.status = head.status
        fields = without(head.fields, _OF_THE_BODY.__contains__)
        form = self._forms[0]
        if len(self._forms) > 1:
            form = self._forms[chooseType(", ".join(words.values("accept")), self._kinds)]
            vary = valueOf(fields, b"vary")
            fields = without(fields, b"vary".__eq__)
            fields += b"Vary: " + (vary + b", Accept" if vary else b"Accept") + b"\r\n"
        body = form.filling.fill(words).encode("utf-8", "replace")
        return head._replace(
            fields=fields + form.line, length=len(body), filters=(*head.filters, _InPlace(body))
        )


class Pages:
    """
    Made once for a route.
    """

    def __init__(self, settings: Sequence[ErrorPage], own: int | None = None) -> None:
        """
        @param settings: Of those that fit the first one is taken.
        @param own: The status of an answer that has a body of the operator's own already.
        @raise ValueError: A text is none, which the loader does not let through.
        """
        self._pages = tuple(map(_Page, settings))
        self._own = own

    def lens(self, words: Words) -> ILens:
        """
        See L{Glass<smartproxy_tw.actions.seen.Glass>}.
        """
        return _Look(self._pages, self._own, words)


@implementer(ILens)
class _Look:
    """
    Sees the answer to one request.
    """

    def __init__(self, pages: tuple[_Page, ...], own: int | None, words: Words) -> None:
        self._pages = pages
        self._own = own
        self._words = words

    def look(self, facts: Callable[[], RequestFacts], head: AnswerHead) -> AnswerHead:
        """
        See L{ILens}.
        """
        if head.status >= 400 and head.status != self._own:
            for page in self._pages:
                if page.fits(head):
                    return page.show(head, self._words)
        return head


@implementer(IFilter)
class _InPlace:
    """
    One body in place of another.
    """

    __slots__ = ("_body",)

    def __init__(self, body: bytes) -> None:
        self._body = body

    def data(self, piece: bytes) -> bytes:
        """
        See L{IFilter}: the first piece of the other brings all of this one.
        """
        body, self._body = self._body, b""
        return body

    def end(self) -> bytes:
        """
        See L{IFilter}.
        """
        return self.data(b"")


@implementer(IAction)
class Fallback:
    """
    What is done where no route takes a request: 404.
    """

    def request(self, exchange: IExchange) -> None:
        """
        See L{IAction}.
        """
        exchange.respond(*plainAnswer(404))

    def stream(self, stream: IStream) -> None:
        """
        See L{IAction}.
        """
        stream.abort()
