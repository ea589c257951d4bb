"""
A file that is open, as the answer to one GET or HEAD: its fields, whether the client has it
already, which parts of it are sent (RFC 9110 sections 8, 13 and 14).
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..plane.foreign import ascribe
from ..values import dataclass
from ..wire.byteranges import Span, Unsatisfiable, spans
from ..wire.dates import formatted
from ..wire.validators import Version, isRangeCurrent, judged
from .sending import PIECE, Part, Sending, readNow

if TYPE_CHECKING:
    from ..interfaces import IExchange
    from .tree import Opened

__all__ = ["Representation"]

#: A file that is younger may change once more without a new time: file systems count some
#: of them in steps of two seconds.
_SETTLED = 2.0

_VERSIONED = b"ETag: %b\r\nLast-Modified: %b\r\n"


@dataclass(frozen=True, slots=True)
class Representation:
    """
    What is sent.

    @ivar file: Owned until it is sent.
    @ivar mediaType: Of it.
    @ivar fields: Other header lines, also of answers without a body.
    @ivar coding: A header line that says how it is compressed, or nothing.
    @ivar status: 200 or 404.
    """

    file: Opened
    mediaType: str
    fields: bytes = b""
    coding: bytes = b""
    status: int = 200

    def version(self, now: Callable[[], float] = time.time) -> Version:
        """
        What tells it from others.  With the inode, because a file that takes the place of
        another one may be of the same size and time.
        """
        status = self.file.status
        weak = "W/" if now() - status.st_mtime < _SETTLED else ""
        tag = f'{weak}"{status.st_mtime_ns:x}-{status.st_size:x}-{status.st_ino:x}"'
        return Version(tag, int(status.st_mtime))

    def answer(self, reactor: Any, exchange: IExchange, isHead: bool) -> None:
        """
        Send it, or what there is to say in its place.

        @param reactor: Has threads.
        """
        try:
            sending = self._begun(reactor, exchange, isHead)
        except BaseException:
            self.file.close()
            raise
        if sending is None:
            self.file.close()
        else:
            exchange.onEnd(sending.end)
            sending.begin()

    def _begun(self, reactor: Any, exchange: IExchange, isHead: bool) -> Sending | None:
        length = self.file.status.st_size
        if self.status != 200:
            ascribe(exchange, self.status)
            return self._send(reactor, exchange, isHead, self.status, self._typed(), length, [(0, length)])
        version = self.version()
        known = self.fields + _VERSIONED % (version.tag.encode(), formatted(version.modified).encode())
        asked = _asked(exchange)
        verdict = judged(asked, version) if asked else None
        if verdict is not None:
            exchange.respond(verdict, known, b"")
            return None
        fields = known + b"Accept-Ranges: bytes\r\n"
        found: tuple[Span, ...] | None = None
        wanted = asked.get("range")
        if wanted is not None and not isHead and isRangeCurrent(asked.get("if-range"), version):
            try:
                found = spans(wanted, length)
            except Unsatisfiable:
                exchange.respond(416, fields + b"Content-Range: bytes */%d\r\n" % length, b"")
                return None
        if found is None:
            return self._send(reactor, exchange, isHead, 200, fields + self._typed(), length, [(0, length)])
        if len(found) == 1:
            (span,) = found
            fields += _contentRange(span, length) + self._typed()
            return self._send(reactor, exchange, isHead, 206, fields, span.end - span.start, [span])
        boundary = secrets.token_hex(16).encode("ascii")
        parts = self._multipart(found, length, boundary)
        fields += self.coding + b"Content-Type: multipart/byteranges; boundary=" + boundary + b"\r\n"
        total = sum(len(each) if isinstance(each, bytes) else each[1] - each[0] for each in parts)
        return self._send(reactor, exchange, isHead, 206, fields, total, parts)

    def _typed(self) -> bytes:
        return b"%bContent-Type: %b\r\n" % (self.coding, self.mediaType.encode("ascii"))

    def _multipart(self, found: tuple[Span, ...], length: int, boundary: bytes) -> list[Part]:
        """
        RFC 9110 section 14.6.
        """
        parts: list[Part] = []
        for span in found:
            head = b"\r\n--%b\r\nContent-Type: %b\r\n" % (boundary, self.mediaType.encode("ascii"))
            parts += [head + _contentRange(span, length) + b"\r\n", (span.start, span.end)]
        return [*parts, b"\r\n--%b--\r\n" % boundary]

    def _send(
        self,
        reactor: Any,
        exchange: IExchange,
        isHead: bool,
        status: int,
        fields: bytes,
        length: int,
        parts: list[Part],
    ) -> Sending | None:
        if isHead:
            exchange.begin(status, fields, length).finish()
            return None
        if length <= PIECE and len(parts) == 1 and isinstance(parts[0], tuple):
            # The common case, in one piece.
            body = self._whole(*parts[0])
            if body is not None:
                exchange.respond(status, fields, body)
                return None
        outlet = exchange.begin(status, fields, length)
        return Sending(reactor, self.file, parts if length else [], outlet)

    def _whole(self, start: int, end: int) -> bytes | None:
        """
        All of it, if it can be had at once.
        """
        if start == end:
            return b""
        try:
            data = readNow(self.file.descriptor, end - start, start)
        except OSError:
            return None
        return data if len(data) == end - start else None


def _asked(exchange: IExchange) -> Mapping[str, str]:
    """
    The fields that matter; those that are there twice are lists.
    """
    found: dict[str, str] = {}
    for name, value in exchange.fields():
        if name in _FIELDS:
            found[name] = f"{found[name]}, {value}" if name in found else value
    return found


_FIELDS = frozenset(
    ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range", "range")
)


def _contentRange(span: Span, length: int) -> bytes:
    return b"Content-Range: bytes %d-%d/%d\r\n" % (span.start, span.end - 1, length)
