"""
Header compression for HTTP/2 (RFC 7541): from blocks to fields and back.

A L{Decoder} belongs to one direction of one connection, and knows the dynamic table
that its peer fills.  Clients repeat themselves, and most of all within one connection:
so it remembers what a block came to for as long as its table stays as it is, and the
same request again costs one look into a dictionary.  Fields may be secrets; nothing of
them outlives the decoder, but for names and for what software says of itself
(L{_PUBLIC}), which all connections tell alike.

Encoding has no state: nothing is ever put into the table of the peer, so a block may be
used for all of them.  The lines that answers repeat are encoded once.  Ours cost the
peer a few bytes more for it, and nobody can find out a secret by the sizes of what we
send (RFC 7541 section 7.1).

This is hot: it runs once for each request and once for each answer.  Lines and lists are
taken apart and put together by loops in C where there are any.

Nothing here reads or writes, and a block is always whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain
from typing import Final

from . import huffman
from .http1 import MAX_FIELDS

__all__ = ["BadBlock", "Decoder", "Field", "TooLarge", "encodeHead", "encodeLines", "encodeStatus"]

#: Name and value.
Field = tuple[bytes, bytes]

# Appendix A of RFC 7541.  There is no field of index 0.
_STATIC: Final[tuple[Field, ...]] = (
    (b"", b""),
    (b":authority", b""),
    (b":method", b"GET"),
    (b":method", b"POST"),
    (b":path", b"/"),
    (b":path", b"/index.html"),
    (b":scheme", b"http"),
    (b":scheme", b"https"),
    (b":status", b"200"),
    (b":status", b"204"),
    (b":status", b"206"),
    (b":status", b"304"),
    (b":status", b"400"),
    (b":status", b"404"),
    (b":status", b"500"),
    (b"accept-charset", b""),
    (b"accept-encoding", b"gzip, deflate"),
    (b"accept-language", b""),
    (b"accept-ranges", b""),
    (b"accept", b""),
    (b"access-control-allow-origin", b""),
    (b"age", b""),
    (b"allow", b""),
    (b"authorization", b""),
    (b"cache-control", b""),
    (b"content-disposition", b""),
    (b"content-encoding", b""),
    (b"content-language", b""),
    (b"content-length", b""),
    (b"content-location", b""),
    (b"content-range", b""),
    (b"content-type", b""),
    (b"cookie", b""),
    (b"date", b""),
    (b"etag", b""),
    (b"expect", b""),
    (b"expires", b""),
    (b"from", b""),
    (b"host", b""),
    (b"if-match", b""),
    (b"if-modified-since", b""),
    (b"if-none-match", b""),
    (b"if-range", b""),
    (b"if-unmodified-since", b""),
    (b"last-modified", b""),
    (b"link", b""),
    (b"location", b""),
    (b"max-forwards", b""),
    (b"proxy-authenticate", b""),
    (b"proxy-authorization", b""),
    (b"range", b""),
    (b"referer", b""),
    (b"refresh", b""),
    (b"retry-after", b""),
    (b"server", b""),
    (b"set-cookie", b""),
    (b"strict-transport-security", b""),
    (b"transfer-encoding", b""),
    (b"user-agent", b""),
    (b"vary", b""),
    (b"via", b""),
    (b"www-authenticate", b""),
)
_INDEX: Final = {field: index for index, field in enumerate(_STATIC) if index}
_NAME_INDEX: Final = {name: index for index, (name, _) in reversed(list(enumerate(_STATIC))) if index}

# A field counts for so many bytes more than it has (RFC 7541 section 4.1).
_OVERHEAD: Final = 32

# No length, index or size of a table that we take needs more bits than four bytes have
# after the first one; whoever sends more wants to keep us busy (RFC 7541 section 5.1).
_MOST_BITS: Final = 28

# Of blocks that a decoder remembers: the longest, in bytes, and how many.  As a rule they are
# a few kilobytes with all their fields; a peer that means it comes to 150 kilobytes.
_LONGEST_BLOCK: Final = 512
_MOST_BLOCKS: Final = 16

# What software says of itself.  These, and names, are remembered for all connections by
# the code that they come in; everything else may be somebody's secret.
_PUBLIC: Final = frozenset(
    (
        b"accept",
        b"accept-encoding",
        b"accept-language",
        b"sec-ch-ua",
        b"sec-ch-ua-mobile",
        b"sec-ch-ua-platform",
        b"sec-fetch-dest",
        b"sec-fetch-mode",
        b"sec-fetch-site",
        b"sec-fetch-user",
        b"upgrade-insecure-requests",
        b"user-agent",
    )
)
_LONGEST_HEARD: Final = 192
_MOST_HEARD: Final = 2048

# What intermediaries are asked never to put into a table (RFC 7541 section 7.1.3), and
# what is not remembered here.
_SECRET: Final = frozenset((b"authorization", b"cookie", b"proxy-authorization", b"set-cookie"))

# What belongs to a connection of HTTP/1 (RFC 9113 section 8.2.2).
_CONNECTION: Final = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade")
)

# Of the lines and heads that are remembered encoded: the longest, in bytes, and how many.
_LONGEST_LINE: Final = 512
_LONGEST_HEAD: Final = 1024
_MOST_LINES: Final = 1024
_MOST_HEADS: Final = 512


class BadBlock(Exception):
    """
    The peer's block is not one.  Its table cannot be followed any more, so the connection
    ends with COMPRESSION_ERROR (RFC 9113 section 4.3).

    @ivar reason: For the log.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TooLarge(Exception):
    """
    The fields are more than are taken.  The block was read to its end and the table is as
    the peer believes it to be: only the stream is refused, a request with 431.

    @ivar reason: For the log.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Heard(dict[bytes, bytes]):
    """
    What strings in the Huffman code mean, for as many as are worth it.  It is emptied when
    it is full.
    """

    def __missing__(self, data: bytes) -> bytes:
        text = huffman.decode(data)
        if len(data) <= _LONGEST_HEARD:
            if len(self) >= _MOST_HEARD:
                self.clear()
            self[data] = text
        return text


_heard = _Heard()


def _integer(block: bytes, at: int, most: int) -> tuple[int, int]:
    """
    Read an integer that goes on after its first byte (RFC 7541 section 5.1).

    @param at: Where it goes on.
    @param most: What its first byte says.
    @return: It, and where it ends.
    """
    value = most
    end = len(block)
    for shift in range(0, _MOST_BITS, 7):
        if at >= end:
            raise BadBlock("it ends within an integer")
        byte = block[at]
        at += 1
        value += (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise BadBlock("an integer that is too long")


class Decoder:
    """
    Reads the blocks of one direction of a connection, each of them and in order.

    @ivar mostBytes: More than so many bytes of fields in one block are too large,
        where each field counts for 32 bytes more than its name and its value: what
        SETTINGS_MAX_HEADER_LIST_SIZE says.
    @ivar mostFields: Likewise for the number of fields.
    """

    __slots__ = ("_entries", "_known", "_most", "_owed", "_setting", "_size", "mostBytes", "mostFields")

    def __init__(self, tableSize: int = 4096, mostBytes: int = 65536, mostFields: int = MAX_FIELDS) -> None:
        """
        @param tableSize: See L{tableSize}.  Until our settings are acknowledged it is that of
            the protocol.
        """
        self.mostBytes = mostBytes
        self.mostFields = mostFields
        self._setting = self._most = tableSize
        # An update that has to come first in the next block: to so much at most.
        self._owed: int | None = None
        # Of the dynamic table; the newest is the last.
        self._entries: list[Field] = []
        self._size = 0
        # What blocks mean while the table is what it is.
        self._known: dict[bytes, list[Field]] = {}

    @property
    def tableSize(self) -> int:
        """
        How large the peer may have its table, in bytes as RFC 7541 section 4.1 counts them.
        Set it when the peer has acknowledged our SETTINGS_HEADER_TABLE_SIZE.
        """
        return self._setting

    @tableSize.setter
    def tableSize(self, size: int) -> None:
        self._setting = size
        if size < self._most and (self._owed is None or size < self._owed):
            # RFC 9113 section 4.3.1; a peer whose table is smaller by its own choice owes nothing.
            self._owed = size
            self._known.clear()

    def decode(self, block: bytes) -> list[Field]:
        """
        Read a block.

        @param block: The whole of it, of all its frames.
        @return: The fields in their order.  The list may be handed out again for another
            block: it is not to be changed.
        @raise BadBlock: It is against RFC 7541.
        @raise TooLarge: It has too many fields, or too long ones.
        """
        known = self._known.get(block)
        if known is not None:
            return known
        entries = self._entries
        fields: list[Field] = []
        at = self._readUpdates(block)
        isLasting = not at
        end = len(block)
        while at < end:
            first = block[at]
            at += 1
            if 0x80 < first < 0xBE:
                fields.append(_STATIC[first - 0x80])
            elif 0xBE <= first < 0xFF and first - 0xBD <= len(entries):
                fields.append(entries[0xBD - first])
            elif first >= 0x80:
                index = first & 0x7F
                if index == 0x7F:
                    index, at = _integer(block, at, index)
                fields.append(self._entry(index))
            elif first & 0xE0 == 0x20:
                raise BadBlock("the size of the table changes within the block")
            else:
                isIndexed = first >= 0x40
                field, at = self._literal(block, at, first, 0x3F if isIndexed else 0x0F)
                fields.append(field)
                if isIndexed:
                    isLasting = False
                    self._insert(field)
        # Only now, and once.  Until here a field of a table costs no more than its place in a
        # list, and a literal not twice what the block has of it.
        count = len(fields)
        if count > self.mostFields:
            raise TooLarge(f"more than {self.mostFields} header fields")
        if sum(map(len, chain.from_iterable(fields))) + count * _OVERHEAD > self.mostBytes:
            raise TooLarge(f"the header fields are longer than {self.mostBytes} bytes")
        if isLasting and end <= _LONGEST_BLOCK:
            if len(self._known) >= _MOST_BLOCKS:
                self._known.clear()
            self._known[block] = fields
        return fields

    def _readUpdates(self, block: bytes) -> int:
        """
        Obey the changes of the table's size at the beginning of a block (RFC 7541 section
        6.3).

        @return: Where they end.
        """
        at = 0
        end = len(block)
        while at < end and block[at] & 0xE0 == 0x20:
            size = block[at] & 0x1F
            at += 1
            if size == 0x1F:
                size, at = _integer(block, at, size)
            if size > (self._setting if self._owed is None else self._owed):
                raise BadBlock("a table that is larger than the setting allows")
            self._owed = None
            self._most = size
            self._shrink()
            self._known.clear()
        if self._owed is not None:
            raise BadBlock("the table was to be made smaller first")
        return at

    def _entry(self, index: int) -> Field:
        if 0 < index < 62:
            return _STATIC[index]
        if not index:
            raise BadBlock("the index 0")
        try:
            return self._entries[61 - index]
        except IndexError:
            raise BadBlock("an index beyond the table") from None

    def _literal(self, block: bytes, at: int, first: int, mask: int) -> tuple[Field, int]:
        """
        Read a field whose value is written out (RFC 7541 section 6.2).

        @param at: Where it goes on after its first byte.
        @param mask: Those bits of the first byte that are an index.
        @return: It, and where it ends.
        """
        index = first & mask
        if index == mask:
            index, at = _integer(block, at, index)
        if index:
            name = self._entry(index)[0]
        else:
            name, at = self._text(block, at, True)
        value, at = self._text(block, at, name in _PUBLIC)
        return (name, value), at

    def _text(self, block: bytes, at: int, isPublic: bool) -> tuple[bytes, int]:
        """
        Read a string (RFC 7541 section 5.2).

        @param isPublic: Whether what it says may be remembered for others.
        @return: It, and where it ends.
        """
        if at >= len(block):
            raise BadBlock("it ends before a string")
        first = block[at]
        at += 1
        length = first & 0x7F
        if length == 0x7F:
            length, at = _integer(block, at, length)
        stop = at + length
        if stop > len(block):
            raise BadBlock("it ends within a string")
        text = block[at:stop]
        if first >= 0x80:
            try:
                text = _heard[text] if isPublic else huffman.decode(text)
            except ValueError as why:
                raise BadBlock(str(why)) from None
        return text, stop

    def _insert(self, field: Field) -> None:
        """
        Put a field into the table (RFC 7541 section 4.4).
        """
        self._known.clear()
        self._entries.append(field)
        self._size += len(field[0]) + len(field[1]) + _OVERHEAD
        if self._size > self._most:
            self._shrink()

    def _shrink(self) -> None:
        """
        Let go of the oldest fields that have no room.  One that has none by itself takes all
        others with it.
        """
        gone = 0
        for name, value in self._entries:
            if self._size <= self._most:
                break
            self._size -= len(name) + len(value) + _OVERHEAD
            gone += 1
        del self._entries[:gone]


class _Lines(dict[bytes, bytes]):
    """
    Header lines of HTTP/1, encoded, for as many as are worth it.  It is emptied when it is
    full.

    A line that is remembered is written as short as can be.  One that is not, for being
    long or nobody else's business, goes out plain: the Huffman code would take more time
    than it is worth.
    """

    def __missing__(self, line: bytes) -> bytes:
        name, _, value = line.partition(b":")
        name = name.lower()
        value = value.strip(b"\t ")
        if not name or name in _CONNECTION or (name == b"te" and value.lower() != b"trailers"):
            coded = b""
        elif name in _SECRET or len(line) > _LONGEST_LINE:
            return _coded(name, value, _plain)
        else:
            coded = _coded(name, value, _short)
        if len(self) >= _MOST_LINES:
            self.clear()
        self[line] = coded
        return coded


_lines = _Lines()
_heads: dict[bytes, bytes] = {}
_statuses: dict[int, bytes] = {}


def _plain(text: bytes) -> bytes:
    """
    A string as it is (RFC 7541 section 5.2).
    """
    return _length(len(text), 0) + text


def _short(text: bytes) -> bytes:
    """
    A string in whichever form is shorter.
    """
    data = huffman.encode(text)
    return _length(len(data), 0x80) + data if len(data) < len(text) else _plain(text)


def _length(length: int, flag: int) -> bytes:
    if length < 0x7F:
        return bytes((flag | length,))
    length -= 0x7F
    digits = [flag | 0x7F]
    while length >= 0x80:
        digits.append(0x80 | length & 0x7F)
        length >>= 7
    return bytes((*digits, length))


def _coded(name: bytes, value: bytes, text: Callable[[bytes], bytes]) -> bytes:
    """
    A field, without a trace in the table of the peer.

    @param text: How its strings are written.
    """
    index = _INDEX.get((name, value))
    if index is not None:
        return bytes((0x80 | index,))
    flag = 0x10 if name in _SECRET else 0
    index = _NAME_INDEX.get(name, 0)
    first = bytes((flag | index,) if index < 0x0F else (flag | 0x0F, index - 0x0F))
    return first + text(value) if index else first + text(name) + text(value)


def encodeStatus(status: int) -> bytes:
    """
    What the block of an answer begins with.

    @param status: Three digits.
    """
    coded = _statuses.get(status)
    if coded is None:
        coded = _statuses[status] = _coded(b":status", b"%d" % status, _plain)
    return coded


def encodeHead(fields: Iterable[Field]) -> bytes:
    """
    A block, or a part of one.

    @param fields: Names in lower case, pseudo-headers first.
    """
    return b"".join([_coded(name, value, _plain) for name, value in fields])


def encodeLines(lines: bytes) -> bytes:
    """
    The fields of an HTTP/1 head as a part of a block.

    Those that belong to the connection are left out (RFC 9113 section 8.2.2), and so is any
    TE but C{trailers}.

    @param lines: Each with its CR LF, and valid, as L{Response.head
        <smartproxy_tw.wire.http1.Response.head>} has them behind its status line.
    """
    coded = _heads.get(lines)
    if coded is not None:
        return coded
    parts = [_lines[line] for line in lines.split(b"\r\n")]
    coded = b"".join(parts)
    # Whole heads are repeated while the clock shows the same second.  A part that begins with
    # the bits 0001 is a secret (RFC 7541 section 6.2.3).
    if len(lines) <= _LONGEST_HEAD and not [True for part in parts if b"\x10" <= part < b"\x20"]:
        if len(_heads) >= _MOST_HEADS:
            _heads.clear()
        _heads[lines] = coded
    return coded
