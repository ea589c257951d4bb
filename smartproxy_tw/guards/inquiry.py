"""
Somebody else is asked about each request: forward authentication, as Traefik, nginx
(C{auth_request}) and Caddy have it, and as Authelia, oauth2-proxy and others answer it.

The question is a GET with the fields of the request and with X-Forwarded-Method, -Proto,
-Host, -Uri and -For, which are ours to say; C{X-Original-URL} and C{X-Original-Method} say the
same for those who expect nginx.  2xx lets the request pass, with some fields of that answer;
any other answer is given to the client as it came.  Where there is no answer nobody passes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from zope.interface import implementer

from ..facts import Amendment, AnswerHead
from ..interfaces import ILens
from ..plane.foreign import ascribe
from .fields import line, twins
from .visit import BROKEN, WAITING, Denial, Request, Verdict, refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from twisted.python.failure import Failure

    from ..config.security import ForwardAuth
    from ..facts import RequestFacts
    from .web import Reply

__all__ = ["Inquiry"]

_log = Logger()

_BUSY = refusal("auth_busy", 503, "Service Unavailable", b"Retry-After: 1\r\n")

#: The body of an answer that a client is given has at most so many bytes.
_MOST = 1 << 20

#: What is for one hop, of a body that is not sent, or would have the answer depend on what the client has.
_UNSENT = frozenset(
    (
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "expect",
        "forwarded",
        "host",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "if-unmodified-since",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "range",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-forwarded",
        "x-original-method",
        "x-original-url",
        "x-real-ip",
    )
)

#: Servers that make variables of names may take any of these for a hyphen.
_ODD = re.compile(r"[^0-9a-z-]")

#: What can be the name of a field (RFC 9110 section 5.6.2).
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")

#: What of an answer is not given on: the data path has its own.
_OURS = frozenset(
    (
        b"connection",
        b"content-length",
        b"date",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)


class _Asking(Protocol):
    def ask(self, url: str, fields: Any, most: int) -> Deferred[Reply]:
        """As L{Web.ask<smartproxy_tw.guards.web.Web.ask>}."""

    def close(self) -> None:
        """As there."""


@implementer(ILens)
class _Added:
    """
    Some lines more in one answer.
    """

    def __init__(self, lines: bytes) -> None:
        self._lines = lines

    def look(self, facts: Callable[[], RequestFacts], head: AnswerHead) -> AnswerHead:
        """
        See L{ILens}.
        """
        return head._replace(fields=head.fields + self._lines)


class Inquiry:
    """
    Asks.
    """

    def __init__(self, settings: ForwardAuth, web: _Asking) -> None:
        """
        @param web: The way there, which has the deadline.
        """
        self._settings = settings
        self._web = web
        self._removed = twins(settings.copied)
        self._copied = {name.lower().encode("ascii"): name for name in settings.copied}
        self._returned = frozenset(name.lower().encode("ascii") for name in settings.returned)
        self._wanted = None if settings.asked is None else frozenset(settings.asked)
        self._open = 0

    def ask(self, request: Request) -> Verdict:
        """
        See L{Guard<smartproxy_tw.guards.visit.Guard>}.
        """
        if self._open >= self._settings.questions:
            return _BUSY
        self._open += 1
        asking = self._web.ask(self._settings.url, self._question(request), _MOST)
        request.hold(asking.cancel)
        judging = asking.addCallbacks(self._heard, self._failed, callbackArgs=(request,))
        judging.addErrback(self._broke)
        outcome: list[Denial | None] = []
        isNow = True

        def then(verdict: Denial | None) -> None:
            self._open -= 1
            if isNow:
                outcome.append(verdict)
            else:
                request.goOn(verdict)

        judging.addCallback(then)
        isNow = False
        return outcome[0] if outcome else WAITING

    def _question(self, request: Request) -> Iterable[tuple[bytes, bytes]]:
        facts, wanted = request.facts, self._wanted
        scheme = _believed(request, "x-forwarded-proto") or ("https" if facts.connection.isTLS else "http")
        host = _believed(request, "x-forwarded-host") or (request.values("host") or [facts.host])[0]
        hops = [*request.values("x-forwarded-for"), facts.connection.client.host]
        target = facts.path + ("?" + facts.query if facts.query else "")
        for name, value in request.fields:
            plain = _ODD.sub("-", name)
            isSent = plain not in _UNSENT and not plain.startswith("x-forwarded-")
            if isSent and (wanted is None or name in wanted):
                yield name.encode("ascii"), value.encode("utf-8")
        for name, value in (
            ("X-Forwarded-Method", facts.method),
            ("X-Forwarded-Proto", scheme),
            ("X-Forwarded-Host", host),
            ("X-Forwarded-Uri", target),
            ("X-Forwarded-For", ", ".join(hops)),
            ("X-Real-IP", facts.client or facts.connection.client.host),
            ("X-Original-Method", facts.method),
            ("X-Original-URL", f"{scheme}://{host}{target}"),
        ):
            yield name.encode("ascii"), value.encode("utf-8")

    def _broke(self, failure: Failure) -> Denial:
        _log.failure("An answer of the auth server could not be used, and nobody passes", failure)
        return BROKEN

    def _heard(self, reply: Reply, request: Request) -> Denial | None:
        if 200 <= reply.status < 300:
            self._admit(reply, request)
            return None
        named = {each.strip().lower() for each in reply.value(b"connection").split(b",")}
        lines = b"".join(
            line(name.decode("ascii"), value)
            for name, value in reply.fields
            if _NAME.fullmatch(name) and name.lower() not in _OURS and name.lower() not in named
        )
        status = reply.status if 200 <= reply.status <= 599 else 502
        ascribe(request.exchange, status)
        return Denial("auth_denied", status, lines, reply.body, f"the auth server said {reply.status}")

    def _admit(self, reply: Reply, request: Request) -> None:
        lines = returned = b""
        for name, value in reply.fields:
            lower = name.lower()
            if lower in self._copied:
                lines += line(self._copied[lower], value)
            if lower in self._returned:
                returned += line(name.decode("ascii"), value)
        if self._removed:
            request.exchange.amend(Amendment(removed=self._removed, fields=lines))
        if returned:
            request.exchange.through(_Added(returned))

    def _failed(self, failure: Failure) -> Denial:
        from .web import worded

        why = "the client has left" if isinstance(failure.value, CancelledError) else worded(failure.value)
        detail = f"the auth server does not answer: {why}"
        return refusal("auth_unreachable", 503, "Service Unavailable", b"Retry-After: 5\r\n", detail)

    def close(self) -> None:
        """
        Close the kept connections.
        """
        self._web.close()


def _believed(request: Request, name: str) -> str:
    """
    What a trusted peer says; empty where there is none.
    """
    found = request.values(name)
    return found[-1] if found else ""
