"""
What targets are asked for in place of what came: another path and query, other header
fields, another Host.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from zope.interface import implementer

from ..facts import Amendment
from ..interfaces import IAction, IExchange, IStream
from ..plane.answers import plainAnswer
from ..routing.filling import Filling, Words, inField
from ..routing.rewriting import Rewriting, Unfit
from ..wire.target import hostOf
from .fieldlines import Changes

if TYPE_CHECKING:
    from ..config.revision import FieldChanges, Rewrite
    from ..routing.patterns import PathPattern

__all__ = ["Amended"]


@implementer(IAction)
class Amended:
    """
    Amends requests on their way to an action that forwards them.
    """

    def __init__(
        self,
        changes: FieldChanges | None,
        rewrite: Rewrite | None,
        route: str,
        pattern: PathPattern,
        action: IAction,
    ) -> None:
        """
        @param route: The name of the route.
        @param pattern: Its path.
        @param action: Who forwards them.
        @raise ValueError: A text or a pattern is none, which the loader does not let through.
        """
        self._route = route
        self._pattern = pattern
        self.action = action
        self._rewriting = None if rewrite is None else Rewriting(rewrite)
        self._prefix = b"" if rewrite is None else _prefixLine(rewrite)
        self._changes = None if changes is None else Changes(changes, isRequest=True)
        self._names: frozenset[bytes] = frozenset()
        # What stands behind a body is not there yet when names are looked for.
        self._isBarred = None if self._changes is None or not self._changes.globs else self._changes.takes
        self._host: Filling | None = None
        if changes is not None and self._changes is not None:
            self._names = _encoded(self._changes.names)
            host = {name.lower(): text for name, text in changes.set}.get("host")
            self._host = None if host is None else Filling.of(host, inField)

    def request(self, exchange: IExchange) -> None:
        """
        See L{IAction}.
        """
        words = Words(exchange.facts, exchange.fields, self._route, self._pattern)
        try:
            amendment = self._amendment(words)
        except Unfit as why:
            exchange.respond(*plainAnswer(why.status))
            return
        exchange.amend(amendment)
        self.action.request(exchange)

    def stream(self, stream: IStream) -> None:
        """
        See L{IAction}.
        """
        self.action.stream(stream)

    def _amendment(self, words: Words) -> Amendment:
        """
        @raise Unfit: There is nothing that could be asked for.
        """
        target, fields = None, b""
        if self._rewriting is not None:
            target = self._rewriting.target(words)
            if self._rewriting.strips(words.facts.path):
                fields = self._prefix
        removed = self._names
        changes = self._changes
        if changes is not None:
            fields += changes.lines.fill(words)
            if changes.globs:
                removed |= _encoded(filter(changes.fits, words.names()))
        return Amendment(target, removed, fields, self._hostFor(words), self._isBarred)

    def _hostFor(self, words: Words) -> bytes | None:
        """
        What came stays where something is filled in that makes no host.
        """
        if self._host is None:
            return None
        host = self._host.fill(words).strip().encode("utf-8", "replace")
        return host if hostOf(host) is not None else None


def _encoded(names: Iterable[str]) -> frozenset[bytes]:
    return frozenset(name.encode("utf-8", "replace") for name in names)


def _prefixLine(rewrite: Rewrite) -> bytes:
    return f"X-Forwarded-Prefix: {rewrite.stripPrefix}\r\n".encode("ascii") if rewrite.stripPrefix else b""
