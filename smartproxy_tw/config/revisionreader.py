"""
Header fields, rewriting, compression and error pages of one route, from what is written to
what it means: a L{smartproxy_tw.config.revision}.

The files of error pages are read here, so that what is wrong in them is told like anything
else, and so that all workers have the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ..wire.target import hostOf
from . import blanks, model, revision
from .document import Mark, Path
from .expressions import expression
from .findings import Findings
from .locations import Locations
from .revisiontexts import replacement

if TYPE_CHECKING:
    from . import revisionsection

__all__ = ["PageReader", "RevisionReader", "inherited", "possible"]

#: A longer file is no error page, in bytes.
_LONGEST = 1024 * 1024

_MODULES: Mapping[revision.Coding, str] = {"br": "brotli", "zstd": "zstandard"}
_TYPES = {
    ".htm": "text/html; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".txt": "text/plain; charset=utf-8",
    ".xml": "application/xml; charset=utf-8",
}


def possible(coding: revision.Coding) -> bool:
    """
    Whether there is the library for a coding.
    """
    return coding not in _MODULES or find_spec(_MODULES[coding]) is not None


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


class _Reader:
    """
    Looks for what is asked for and is not there.
    """

    def __init__(self, findings: Findings, files: Locations, path: Path, parameters: frozenset[str]) -> None:
        """
        @param path: Where it stands.
        @param parameters: What the path of the route has, as L{blanks.parameters} has it.
        """
        self._findings = findings
        self._files = files
        self._path = path
        self._parameters = parameters

    def _wrong(self, below: Path, message: str, atKey: bool = False) -> None:
        self._findings.add((*self._path, *below), message, atKey)

    def checkParameters(self, below: Path, pieces: Iterable[blanks.Piece]) -> None:
        """
        See that a text asks for parameters that there are.

        @param below: Where the text stands.
        """
        for piece in pieces:
            if isinstance(piece, blanks.Blank) and piece.name == "param":
                if piece.which not in self._parameters:
                    known = ", ".join(f"{{param:{each}}}" for each in sorted(self._parameters))
                    what = f"there is {known}" if known else "it has none"
                    self._wrong(below, f"uses {piece}, which the path of the route does not have: {what}")


class RevisionReader(_Reader):
    """
    Reads what one route says.
    """

    def revisions(self, written: Any, isForward: bool) -> dict[str, Any]:
        """
        @param written: A L{routesection.Route<smartproxy_tw.config.routesection.Route>}, or such a site.
        @param isForward: Whether requests go on.
        @return: The fields of a L{model.Route}.
        """
        if not isForward:
            if written.rewrite is not None:
                self._wrong(("rewrite",), "has no effect: this action forwards nothing")
            if written.headers is not None and written.headers.request is not None:
                self._wrong(("headers", "request"), "has no effect: this action forwards nothing")
        pages = PageReader(self._findings, self._files, (*self._path, "error_pages"), self._parameters)
        return {
            "headers": self._headers(written.headers),
            "rewrite": self._rewrite(written.rewrite),
            "compress": self._compress(written.compress),
            "errorPages": pages.pages(written.errorPages),
        }

    def _headers(self, written: revisionsection.Headers | None) -> revision.Headers | None:
        if written is None:
            return None
        below: Path = ("headers",)
        if written.request is None and written.response is None:
            self._wrong(below, "says nothing: it needs request or response")
        return revision.Headers(
            self._changes((*below, "request"), written.request),
            self._changes((*below, "response"), written.response),
        )

    def _changes(
        self, below: Path, written: revisionsection.RequestChanges | revisionsection.ResponseChanges | None
    ) -> revision.FieldChanges:
        if written is None:
            return revision.FieldChanges()
        if not (written.set or written.add or written.remove):
            self._wrong(below, "says nothing: it needs set, add or remove")
        return revision.FieldChanges(
            self._fields((*below, "set"), written.set),
            self._fields((*below, "add"), written.add),
            tuple(_listed(written.remove)),
        )

    def _fields(self, below: Path, written: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
        found: list[tuple[str, str]] = []
        seen: set[str] = set()
        for name, value in written.items():
            place: Path = (*below, name)
            if name.lower() in seen:
                self._wrong(place, "is given twice: case does not matter, a list repeats a field", True)
            seen.add(name.lower())
            for each in _listed(value):
                pieces = blanks.parse(str(each))
                self.checkParameters(place, pieces)
                if name.lower() == "host" and below[1] == "request":
                    self._checkHost(below, name, value, pieces)
                found.append((name, str(each)))
        return tuple(found)

    def _checkHost(self, below: Path, name: str, value: Any, pieces: tuple[blanks.Piece, ...]) -> None:
        place: Path = (*below, name)
        if below[-1] == "add" or isinstance(value, list):
            self._wrong(place, "can be there once only: set it, to one text")
        elif all(isinstance(each, str) for each in pieces):
            text = "".join(map(str, pieces))
            if not text.isascii() or hostOf(text.encode("ascii")) is None:
                self._wrong(place, f"'{text}' is not a host, with a port or without")

    def _rewrite(self, written: revisionsection.Rewrite | None) -> revision.Rewrite | None:
        if written is None:
            return None
        below: Path = ("rewrite",)
        if written.replacePath is not None:
            self.checkParameters((*below, "replace_path"), blanks.parse(written.replacePath))
        query = written.query or None
        return revision.Rewrite(
            written.stripPrefix or "",
            written.replacePath or "",
            tuple(
                self._rule((*below, "regex", place), each) for place, each in enumerate(written.regex or ())
            ),
            written.addPrefix or "",
            () if query is None else self._parametersSet((*below, "query", "set"), query.set),
            () if query is None else tuple(_listed(query.remove)),
            written.mapLocation,
        )

    def _parametersSet(self, below: Path, written: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        for name, text in written.items():
            self.checkParameters((*below, name), blanks.parse(text))
        return tuple(written.items())

    def _rule(self, below: Path, written: revisionsection.RegexRule) -> revision.Replacement:
        try:
            replacement(written.to)
        except ValueError as why:
            self._findings.refuse((*self._path, *below, "to"), str(why))
            return revision.Replacement(written.match, "")
        pieces = blanks.parse(written.to, blanks.GROUPS)
        self.checkParameters((*below, "to"), pieces)
        if find_spec("re2") is None:
            self._wrong(
                (*below, "match"),
                "needs the library google-re2, which is not there: pip install 'smartproxy_tw[regex]', or use"
                " strip_prefix, add_prefix, or replace_path with {param:*}",
            )
            return revision.Replacement(written.match, written.to)
        try:
            compiled: Any = expression(f"/{written.match}/")
        except ValueError as why:
            self._findings.refuse((*self._path, *below, "match"), str(why))
            return revision.Replacement(written.match, written.to)
        groups = compiled.compiled.groups
        for piece in pieces:
            if isinstance(piece, blanks.Blank) and piece.name.isdigit() and int(piece.name) > groups:
                has = "no group" if not groups else f"{groups} group{'s' if groups > 1 else ''}"
                self._wrong((*below, "to"), f"uses {piece}, but the pattern has {has}")
        return revision.Replacement(written.match, written.to)

    def _compress(self, written: bool | revisionsection.Compress) -> revision.Compress | None:
        if not written:
            return None
        codings = tuple(filter(possible, revision.CODINGS))
        if isinstance(written, bool):
            return revision.Compress(codings)
        for place, each in enumerate(written.encodings or ()):
            if not possible(each):
                self._wrong(
                    ("compress", "encodings", place),
                    f"{each} needs the library {_MODULES[each]}, which is not there:"
                    " pip install 'smartproxy_tw[compress]'",
                )
        return revision.Compress(
            tuple(written.encodings or codings), tuple(written.types), written.minBytes, written.level
        )


class PageReader(_Reader):
    """
    Reads error pages: of a route, or of the whole proxy.
    """

    def pages(self, written: Mapping[str, Any] | None) -> tuple[revision.ErrorPage, ...]:
        """
        @param written: As L{revisionsection.ErrorPages} has it.
        @return: Exact ones before those for a class.
        """
        found: list[revision.ErrorPage] = []
        isForAll = False
        if written is not None and "from" in written:
            if written["from"] not in ("proxy", "all"):
                self._wrong(("from",), "has to be proxy or all")
            if len(written) == 1:
                self._wrong(("from",), "has no effect: there is no page", True)
            isForAll = written["from"] == "all"
        for status, value in (written or {}).items():
            if status != "from":
                isList = isinstance(value, list)
                forms = tuple(
                    self._form((status, place) if isList else (status,), each)
                    for place, each in enumerate(_listed(value))
                )
                found.append(revision.ErrorPage(status, forms, isForAll))
        return tuple(sorted(found, key=lambda page: page.status[1:] == "xx"))

    def _form(self, below: Path, written: str | revisionsection.PageForm) -> revision.Representation:
        if isinstance(written, str):
            return self._read(below, below, written, None)
        if written.file is not None:
            return self._read(below, (*below, "file"), written.file, written.type)
        body = written.body or ""
        begun = body.lstrip()[:1]
        kind = {"<": ".html", "{": ".json"}.get(begun, ".txt")
        try:
            self.checkParameters((*below, "body"), blanks.parse(body, blanks.ERROR))
        except ValueError as why:
            self._findings.refuse((*self._path, *below, "body"), str(why))
        return revision.Representation(written.type or _TYPES[kind], body)

    def _read(self, below: Path, at: Path, name: str, kind: str | None) -> revision.Representation:
        before = len(self._findings.problems)
        path: Path = (*self._path, *at)
        file = self._files.existing(path, name)
        nothing = revision.Representation(kind or "text/plain", "", file)
        if len(self._findings.problems) > before:
            return nothing
        ending = name[name.rfind(".") :].lower() if "." in name else ""
        if kind is None and ending not in _TYPES:
            known = ", ".join(_TYPES)
            self._findings.refuse(path, f"does not end in {known}: say its type, {{file: , type: }}")
            return nothing
        try:
            body = _text(file)
        except (OSError, ValueError) as why:
            self._findings.refuse(path, f"cannot be used: {why}")
            return nothing
        try:
            pieces = blanks.parse(body, blanks.ERROR)
        except blanks.BlankError as why:
            line = body.count("\n", 0, why.at) + 1
            mark = Mark(file, line, why.at - body.rfind("\n", 0, why.at))
            self._findings.problems.append(mark.problem("", f"the error page {why}"))
            return nothing
        self.checkParameters(at, pieces)
        return revision.Representation(kind or _TYPES[ending], body, file)


def _text(file: str) -> str:
    """
    @raise OSError: It cannot be read.
    @raise ValueError: It is no page.
    """
    with open(file, "rb") as opened:
        data = opened.read(_LONGEST + 1)
    if len(data) > _LONGEST:
        raise ValueError("it is longer than 1 MiB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("it is not in UTF-8") from None


def inherited(config: model.Config) -> model.Config:
    """
    A configuration in which each route for HTTP has the pages of the whole proxy where it has
    none of its own.
    """
    pages = config.errorPages
    if not pages:
        return config
    return replace(
        config,
        routes=tuple(
            replace(route, errorPages=(*route.errorPages, *pages)) if route.protocol == "http" else route
            for route in config.routes
        ),
    )
