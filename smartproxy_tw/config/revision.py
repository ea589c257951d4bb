"""
What a route changes of the requests that it hands on, and of the answers that come back:
header fields, the path, the coding of bodies, and the pages that errors have.

Like L{smartproxy_tw.config.model}, whose L{Route<smartproxy_tw.config.model.Route>} has
these: frozen, checked by the loader, and sent to the workers as they are.  Texts with
blanks are kept as they were written, see L{smartproxy_tw.config.blanks}.
"""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from ..values import dataclass

__all__ = [
    "CODINGS",
    "TYPES",
    "Coding",
    "Compress",
    "ErrorPage",
    "FieldChanges",
    "Headers",
    "Replacement",
    "Representation",
    "Rewrite",
]

#: How a body can be coded (RFC 9110 section 8.4.1, RFC 7932, RFC 8878).
Coding = Literal["zstd", "br", "gzip"]

#: The preferred one first.
CODINGS: tuple[Coding, ...] = ("zstd", "br", "gzip")

#: What is worth the work: text in its many forms.  Event streams are not among them: they are
#: small pieces over a long time, for which the memory is held all the while.
TYPES = (
    "application/*+json",
    "application/*+xml",
    "application/atom+xml",
    "application/javascript",
    "application/json",
    "application/manifest+json",
    "application/vnd.ms-fontobject",
    "application/wasm",
    "application/x-javascript",
    "application/x-ndjson",
    "application/xml",
    "font/otf",
    "font/ttf",
    "image/bmp",
    "image/svg+xml",
    "text/*",
)


@dataclass(frozen=True, slots=True)
class FieldChanges:
    """
    What becomes of the header fields of one message: those that are removed go first, then what
    is set takes the place of what came, then what is added stands beside it.

    @ivar set: Pairs of name and text with blanks.
    @ivar add: Likewise.
    @ivar remove: Names in lower case, or globs.
    """

    set: tuple[tuple[str, str], ...] = ()
    add: tuple[tuple[str, str], ...] = ()
    remove: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """
        Whether anything becomes of them.
        """
        return bool(self.set or self.add or self.remove)


@dataclass(frozen=True, slots=True)
class Headers:
    """
    Of requests as they go on, and of answers as they go back.
    """

    request: FieldChanges = FieldChanges()
    response: FieldChanges = FieldChanges()


@dataclass(frozen=True, slots=True)
class Replacement:
    """
    @ivar match: A regular expression of RE2, looked for in the path.
    @ivar to: What every place that it is found at becomes; a text with blanks, the groups among
        them.
    """

    match: str
    to: str


@dataclass(frozen=True, slots=True)
class Rewrite:
    """
    What is asked of targets in place of what was asked for.  In this order:

    @ivar stripPrefix: Begins with a slash and ends with none; what is not below it stays as it is.
        Empty: none.
    @ivar replacePath: What the path becomes; a text with blanks.  Empty: itself.  There is nothing of
        the other ways to change a path beside it.
    @ivar regex: The first that is found is used.
    @ivar addPrefix: As C{stripPrefix}.
    @ivar querySet: Pairs of a name, as it is with its percent encoding undone, and a text with blanks.
    @ivar queryRemove: Names likewise, or what else L{smartproxy_tw.config.expressions} has.
    @ivar mapsLocation: Whether what targets say of their own places is what clients can ask for.
    """

    stripPrefix: str = ""
    replacePath: str = ""
    regex: tuple[Replacement, ...] = ()
    addPrefix: str = ""
    querySet: tuple[tuple[str, str], ...] = ()
    queryRemove: tuple[str, ...] = ()
    mapsLocation: bool = False


@dataclass(frozen=True, slots=True)
class Compress:
    """
    Which answers are compressed, and how.

    @ivar encodings: Those that may be used, all of them possible here; of what a client likes
        equally well the first one.
    @ivar types: Media types in lower case, or globs.
    @ivar minBytes: What is known to be shorter stays as it is.
    @ivar level: 1..9: from least work to least bytes.
    """

    encodings: tuple[Coding, ...] = CODINGS
    types: tuple[str, ...] = TYPES
    minBytes: int = 1024
    level: int = 4


@dataclass(frozen=True, slots=True)
class Representation:
    """
    One form of a page.

    @ivar type: Its media type, as it stands in Content-Type.
    @ivar body: A text with blanks.
    @ivar file: Where that was read from, an absolute path; L{None}: it stands in the configuration.
    """

    type: str
    body: str = field(repr=False)
    file: str | None = None


@dataclass(frozen=True, slots=True)
class ErrorPage:
    """
    What errors look like.

    @ivar status: C{404}, or C{4xx} or C{5xx}.
    @ivar forms: At least one; the client says which it likes, or else it is the first.
    @ivar isForAll: Whether the answers of targets are replaced too.
    """

    status: str
    forms: tuple[Representation, ...]
    isForAll: bool = False
