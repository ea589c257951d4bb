"""
Files: answer with those below a directory.

Which file is meant, what stands for a directory and what for nothing is decided here; how files are
opened is L{smartproxy_tw.actions.tree}'s business, and how one is sent that of
L{smartproxy_tw.actions.representation}.
"""

from __future__ import annotations

import re
from contextlib import suppress
from fnmatch import translate
from typing import TYPE_CHECKING, Any

from zope.interface import implementer

from ..interfaces import IAction, IExchange, IStream
from ..wire.preferences import preferred
from .asked import BUSY
from .listing import MOST, page
from .media import mediaType
from .representation import Representation
from .shortage import Shortage
from .tree import Exhausted, Forbidden, Missing, Opened, Tree, Unnamed, segments

if TYPE_CHECKING:
    from ..config.filetree import FileTree
    from ..facts import RequestFacts

__all__ = ["FilesAction"]

_ENDINGS = {"br": b".br", "zstd": b".zst", "gzip": b".gz"}
_ALLOWED = b"Allow: GET, HEAD, OPTIONS\r\n"
_TEXT = b"Content-Type: text/plain; charset=utf-8\r\n"
_PAGE = (
    b"Content-Type: text/html; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n"
    b"Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\n"
)


@implementer(IAction)
class FilesAction:
    """
    Answers GET and HEAD.
    """

    def __init__(self, settings: FileTree, reactor: Any) -> None:
        """
        @param settings: Checked by the loader.
        @param reactor: Has threads, for what has to come from the disk.
        """
        self._settings = settings
        self._reactor = reactor
        self._tree = Tree(settings)
        self._shortage = Shortage(reactor, settings.root)
        self._index = [name.encode() for name in settings.index]
        self._cache = [
            (re.compile(translate(glob)), "/" in glob, f"Cache-Control: {value}\r\n".encode("ascii"))
            for glob, value in settings.cache
        ]
        self._vary = b"Vary: Accept-Encoding\r\n" if settings.precompressed else b""

    def request(self, exchange: IExchange) -> None:
        """
        See L{IAction}.
        """
        facts = exchange.facts()
        if facts.method not in ("GET", "HEAD"):
            if facts.method == "OPTIONS":
                exchange.respond(204, _ALLOWED, b"")
            else:
                exchange.respond(405, _ALLOWED + _TEXT, b"Method Not Allowed\n")
            return
        try:
            self._answered(exchange, facts)
        except Exhausted as why:
            self._shortage.add(str(why))
            exchange.respond(*BUSY)

    def stream(self, stream: IStream) -> None:
        """
        Only HTTP can be answered; the loader sees to it.
        """
        stream.abort()

    def _answered(self, exchange: IExchange, facts: RequestFacts) -> None:
        path = facts.path
        prefix = self._settings.stripPrefix
        try:
            if prefix:
                if not f"{path}/".startswith(prefix + "/"):
                    raise Missing
                # The prefix alone is the root, which needs its slash like any directory.
                path = path[len(prefix) :]
                if not path:
                    self._redirect(exchange, facts)
                    return
            names, isDirectory = segments(path)
            self._find(exchange, facts, names, isDirectory)
        except Unnamed:
            exchange.respond(400, _TEXT, b"Bad Request\n")
        except Missing:
            self._nothing(exchange, facts)
        except Forbidden:
            exchange.respond(403, _TEXT, b"Forbidden\n")

    def _find(self, exchange: IExchange, facts: RequestFacts, names: list[bytes], isDirectory: bool) -> None:
        found = self._tree.open(names)
        try:
            if found.isDirectory:
                if isDirectory:
                    self._directory(exchange, facts, names, found)
                else:
                    self._redirect(exchange, facts)
            elif isDirectory:
                raise Missing
            else:
                owned, found = found, _NONE
                self._file(exchange, facts, names, owned)
        finally:
            found.close()

    def _redirect(self, exchange: IExchange, facts: RequestFacts) -> None:
        """
        To the same with a slash behind.  It cannot lead elsewhere: an empty name before the first
        one is refused.
        """
        query = f"?{facts.query}" if facts.query else ""
        exchange.respond(301, f"Location: {facts.path}/{query}\r\n".encode("ascii"), b"")

    def _directory(
        self, exchange: IExchange, facts: RequestFacts, names: list[bytes], directory: Opened
    ) -> None:
        for name in self._index:
            with suppress(Missing, Forbidden):
                found = self._tree.open([*names, name])
                if not found.isDirectory:
                    self._file(exchange, facts, [*names, name], found)
                    return
                found.close()
        if not self._settings.listing:
            raise Missing
        body = page(facts.path, self._tree.list(directory, MOST + 1))
        exchange.respond(200, _PAGE, body)

    def _file(self, exchange: IExchange, facts: RequestFacts, names: list[bytes], found: Opened) -> None:
        """
        @param found: Owned from here on.
        """
        kind = mediaType(names[-1])
        fields = self._vary + self._cacheControl(names)
        if self._vary:
            for coding in self._codings(exchange):
                # Where there is no descriptor for another one, what there is goes out as it is.
                with suppress(Missing, Forbidden, Exhausted):
                    other = self._tree.open([*names[:-1], names[-1] + _ENDINGS[coding]])
                    if other.isDirectory:
                        other.close()
                        continue
                    found.close()
                    line = f"Content-Encoding: {coding}\r\n".encode("ascii")
                    self._answer(exchange, facts, Representation(other, kind, fields, line))
                    return
        self._answer(exchange, facts, Representation(found, kind, fields))

    def _answer(self, exchange: IExchange, facts: RequestFacts, found: Representation) -> None:
        found.answer(self._reactor, exchange, facts.method == "HEAD")

    def _codings(self, exchange: IExchange) -> tuple[str, ...]:
        said = [value for name, value in exchange.fields() if name == "accept-encoding"]
        return preferred(",".join(said), self._settings.precompressed)

    def _cacheControl(self, names: list[bytes]) -> bytes:
        if not self._cache:
            return b""
        path = "/" + b"/".join(names).decode("utf-8", "surrogateescape")
        name = path.rpartition("/")[2]
        for glob, isWhole, line in self._cache:
            if glob.match(path if isWhole else name):
                return line
        return b""

    def _nothing(self, exchange: IExchange, facts: RequestFacts) -> None:
        settings = self._settings
        instead = settings.fallback or settings.notFound
        if instead is not None:
            names = instead[1:].encode().split(b"/")
            with suppress(Missing, Forbidden):
                found = self._tree.open(names)
                if found.isDirectory:
                    found.close()
                elif settings.fallback is not None:
                    self._file(exchange, facts, names, found)
                    return
                else:
                    self._answer(exchange, facts, Representation(found, mediaType(names[-1]), status=404))
                    return
        exchange.respond(404, _TEXT, b"Not Found\n")


#: In place of what was given away.
_NONE = Opened(-1, None, b"")  # type: ignore[arg-type]
