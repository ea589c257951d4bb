"""
The header of the PROXY protocol: what whoever stands in front says of the client
that it speaks for, before the client's own first byte.

In go the first bytes of a connection, as far as they have come; out comes one
of four answers.  The bytes stay the caller's, as with
L{smartproxy_tw.wire.clienthello}: they are looked at, and looked at again from
the start when there are more of them.  The other way L{render} makes the bytes.
Nothing here decides who is believed.

The rules are those of HAProxy's C{proxy-protocol.txt}: version 1 is a line
(section 2.1), version 2 is binary, with further facts as pairs of kind and value
(section 2.2).  Where the text leaves it open:

  - What is not in the form that it demands is L{Malformed} and not guessed at, a
    zero in front of a number included: a header is read by somebody who is going
    to believe it.
  - A header of version 2 may be 65551 bytes long by its length; longer than
    L{MOST_BYTES} is L{Malformed}.  The longest in use carry a client's certificate.
  - Of C{LOCAL} everything but its length is passed over, as demanded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from struct import Struct
from typing import Any, Literal

from ..facts import Address
from ..values import dataclass

__all__ = [
    "ALPN",
    "AUTHORITY",
    "CRC32C",
    "MOST_BYTES",
    "NETNS",
    "NOOP",
    "SSL",
    "UNIQUE_ID",
    "Header",
    "Malformed",
    "NeedMore",
    "NotProxy",
    "Secured",
    "TLV",
    "parse",
    "render",
    "renderSecured",
]

#: A pair of version 2: its kind, 0..255, and its value.
TLV = tuple[int, bytes]

#: The application's protocol, as ALPN calls it.
ALPN = 0x01
#: The name that the client asked for, UTF-8.
AUTHORITY = 0x02
#: The checksum of the whole header.
CRC32C = 0x03
#: Nothing: it fills up.
NOOP = 0x04
#: What the sender calls the connection, up to 128 bytes.
UNIQUE_ID = 0x05
#: What the sender says of the client's TLS: see L{Secured}.
SSL = 0x20
#: The name of the network namespace, US-ASCII.
NETNS = 0x30

_SSL_VERSION, _SSL_CN, _SSL_CIPHER, _SSL_SIGNATURE, _SSL_KEY, _SSL_GROUP = range(0x21, 0x27)
_SSL_CERTIFICATE = 0x28

#: The most bytes that a header may take: a buffer of this size always holds an
#: answer.
MOST_BYTES = 16 + 4096

# Section 2.1: "a 108-byte buffer is always enough" for the line and a zero.
_MOST_LINE = 107
_LEAST_LINE = len(b"PROXY UNKNOWN\r\n")
_WORD = b"PROXY "
_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_FIXED = 16

_HOST, _NUMBER = rb"([0-9A-Fa-f:.]{2,39})", rb"(0|[1-9][0-9]{0,4})"
_LINE = re.compile(rb"PROXY (TCP[46]) %b %b %b %b\r\n" % (_HOST, _HOST, _NUMBER, _NUMBER))

Transport = Literal["tcp4", "tcp6", "udp4", "udp6", "unix-stream", "unix-datagram", "unknown"]

_TRANSPORTS: dict[int, Transport] = {
    0x11: "tcp4",
    0x12: "udp4",
    0x21: "tcp6",
    0x22: "udp6",
    0x31: "unix-stream",
    0x32: "unix-datagram",
}
# By the family: unspecified, IPv4, IPv6, unix.
_ADDRESSES = (Struct(""), Struct("!4s4sHH"), Struct("!16s16sHH"), Struct("108s108s"))
_COMMANDS = (_LOCAL, _PROXY) = (0x20, 0x21)

_head = Struct("!12sBBH")
_tlv = Struct("!BH")
_ssl = Struct("!BI")
_word = Struct("!I")


@dataclass(frozen=True, slots=True)
class Secured:
    """
    What the sender says of the TLS that the client spoke with it.

    @ivar flags: 1: it was TLS; 2: the client showed a certificate on this
        connection; 4: at least once in its TLS session.
    @ivar verify: 0 where a certificate was shown and is valid.
    @ivar tlvs: The pairs inside, in their order, unknown ones too.
    """

    flags: int
    verify: int
    tlvs: tuple[TLV, ...] = ()

    @property
    def version(self) -> str | None:
        """
        For instance C{TLSv1.3}.
        """
        return self._text(_SSL_VERSION)

    @property
    def commonName(self) -> str | None:
        """
        Of the client's certificate.
        """
        return self._text(_SSL_CN)

    @property
    def cipher(self) -> str | None:
        """
        By OpenSSL's name.
        """
        return self._text(_SSL_CIPHER)

    @property
    def signatureAlgorithm(self) -> str | None:
        """
        That the sender's certificate was signed by.
        """
        return self._text(_SSL_SIGNATURE)

    @property
    def keyAlgorithm(self) -> str | None:
        """
        Of the key of the sender's certificate.
        """
        return self._text(_SSL_KEY)

    @property
    def group(self) -> str | None:
        """
        That the keys were agreed on in.
        """
        return self._text(_SSL_GROUP)

    @property
    def certificate(self) -> bytes | None:
        """
        The client's certificate, DER.
        """
        return _first(self.tlvs, _SSL_CERTIFICATE)

    def _text(self, kind: int) -> str | None:
        found = _first(self.tlvs, kind)
        return None if found is None else found.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Header:
    """
    A whole header.

    @ivar version: 1 or 2.
    @ivar transport: How the client connected to the sender; C{unknown} where it
        does not say, or speaks for itself (C{LOCAL}).
    @ivar source: The client; L{None} where it is not known.  An IP address in
        its shortest form, an IPv4-mapped one as IPv4; for unix sockets the path, with the
        port 0, empty where there is none.
    @ivar destination: What the client connected to, likewise.
    @ivar length: How many bytes it took.
    @ivar tlvs: The pairs of version 2 in their order, but for those that fill up;
        a checksum among them was right.
    """

    version: int
    transport: Transport
    source: Address | None
    destination: Address | None
    length: int
    tlvs: tuple[TLV, ...] = ()

    @property
    def isTCP(self) -> bool:
        """
        Whether it names the ends of a connection by TCP: the only kind that another such
        connection can be taken for.
        """
        return self.transport in ("tcp4", "tcp6")

    @property
    def alpn(self) -> bytes | None:
        """
        The protocol that the client speaks.
        """
        return _first(self.tlvs, ALPN)

    @property
    def authority(self) -> str | None:
        """
        The name that the client asked for, as sent.
        """
        found = _first(self.tlvs, AUTHORITY)
        return None if found is None else found.decode("utf-8")

    @property
    def uniqueID(self) -> bytes | None:
        """
        What the sender calls the connection.
        """
        return _first(self.tlvs, UNIQUE_ID)

    @property
    def namespace(self) -> str | None:
        """
        The network namespace of the sender.
        """
        found = _first(self.tlvs, NETNS)
        return None if found is None else found.decode("ascii")

    @property
    def secured(self) -> Secured | None:
        """
        What it says of the client's TLS; no more to be believed than the rest.
        """
        found = _first(self.tlvs, SSL)
        return None if found is None else _readSecured(found)


@dataclass(frozen=True, slots=True)
class NeedMore:
    """
    So far a header, but not the whole of it.

    @ivar atLeast: How many bytes there must be, from the very first one, before
        it is worth asking again.  Always more than there were, never more than
        L{MOST_BYTES}.
    """

    atLeast: int


@dataclass(frozen=True, slots=True)
class NotProxy:
    """
    Something else: told by the first byte that differs.
    """


@dataclass(frozen=True, slots=True)
class Malformed:
    """
    It begins as a header does, and goes on as none may.

    @ivar reason: Why, for the log; printable ASCII.
    """

    reason: str


class _Broken(Exception):
    """
    The bytes break a rule; the message says which.
    """


_NOT_PROXY = NotProxy()


def parse(data: bytes) -> Header | NotProxy | NeedMore | Malformed:
    """
    Read the header that a connection begins with.

    More bytes never change an answer other than L{NeedMore}, and what follows
    the header is not looked at.

    @param data: Everything that has come so far; may be empty.
    @return: What it is.  Nothing is raised.
    """
    size = len(data)
    start = data[: len(_SIGNATURE)]
    try:
        if start == _SIGNATURE:
            return _readBinary(data, size)
        if data[: len(_WORD)] == _WORD:
            return _readLine(data, size)
    except _Broken as why:
        return Malformed(str(why))
    if _SIGNATURE.startswith(start) or _WORD.startswith(start):
        return NeedMore(size + 1)
    return _NOT_PROXY


# Version 1.


def _readLine(data: bytes, size: int) -> Header | NeedMore:
    end = data.find(b"\n", 0, _MOST_LINE) + 1
    if not end:
        if size >= _MOST_LINE:
            raise _Broken(f"no end of line within {_MOST_LINE} bytes")
        return NeedMore(max(size + 1, _LEAST_LINE))
    if data[end - 2 : end] != b"\r\n":
        raise _Broken("a line that does not end with CR LF")
    line = data[:end]
    if line.startswith((b"PROXY UNKNOWN ", b"PROXY UNKNOWN\r\n")):
        return Header(1, "unknown", None, None, end)
    match = _LINE.fullmatch(line)
    if match is None:
        raise _Broken("a line that is not in the form of version 1")
    kind = IPv4Address if match[1] == b"TCP4" else IPv6Address
    source, destination = (_endOf(kind, match[each], match[each + 2]) for each in (2, 3))
    return Header(1, "tcp4" if kind is IPv4Address else "tcp6", source, destination, end)


def _endOf(kind: type[IPv4Address] | type[IPv6Address], host: bytes, port: bytes) -> Address:
    number = int(port)
    if number > 65535:
        raise _Broken("a port above 65535")
    try:
        return Address(_shortest(kind(host.decode("ascii"))), number)
    except ValueError:
        raise _Broken("an address that is none of its family") from None


def _shortest(address: IPv4Address | IPv6Address) -> str:
    return str(getattr(address, "ipv4_mapped", None) or address)


# Version 2.


def _readBinary(data: bytes, size: int) -> Header | NeedMore:
    if size > 12 and data[12] not in _COMMANDS:
        raise _Broken(f"version and command 0x{data[12]:02x}, which is unknown")
    if size < _FIXED:
        return NeedMore(_FIXED)
    _, command, kind, length = _head.unpack_from(data)
    end = _FIXED + length
    if end > MOST_BYTES:
        raise _Broken(f"{end} bytes, and more than {MOST_BYTES} are not taken")
    family, transport = kind >> 4, kind & 15
    if command == _LOCAL:
        family = kind = 0
    elif family > 3 or transport > 2:
        raise _Broken(f"family and transport 0x{kind:02x}, which is unknown")
    form = _ADDRESSES[family]
    if length < form.size:
        raise _Broken(f"{length} bytes where its addresses take {form.size}")
    if size < end:
        return NeedMore(end)
    if command == _LOCAL:
        return Header(2, "unknown", None, None, end)
    tlvs = _pairs(data[_FIXED + form.size : end])
    _check(data[:end], tlvs, _FIXED + form.size)
    known = _TRANSPORTS.get(kind, "unknown")
    source, destination = (
        (None, None) if known == "unknown" else _ends(family, form.unpack_from(data, _FIXED))
    )
    return Header(2, known, source, destination, end, tuple(each for each in tlvs if each[0] != NOOP))


def _ends(family: int, found: tuple[Any, ...]) -> tuple[Address, Address]:
    if family == 3:
        here, there = found
        return Address(_path(here), 0), Address(_path(there), 0)
    here, there, herePort, therePort = found
    return Address(_shortest(ip_address(here)), herePort), Address(_shortest(ip_address(there)), therePort)


def _path(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "backslashreplace")


def _pairs(data: bytes) -> list[TLV]:
    found: list[TLV] = []
    at = 0
    while at < len(data):
        if at + _tlv.size > len(data):
            raise _Broken("a pair that ends too early")
        kind, length = _tlv.unpack_from(data, at)
        at += _tlv.size
        if at + length > len(data):
            raise _Broken(f"a pair of kind 0x{kind:02x} that is longer than what is left")
        found.append((kind, data[at : at + length]))
        at += length
    return found


def _check(header: bytes, tlvs: list[TLV], at: int) -> None:
    """
    What the known pairs have to hold to.

    @param at: Where they begin.
    """
    hasSum = False
    for kind, value in tlvs:
        at += _tlv.size
        if kind == CRC32C:
            if hasSum or len(value) != _word.size:
                raise _Broken("a checksum that is none")
            hasSum = True
            if _word.unpack(value)[0] != _crc32c(header[:at] + bytes(_word.size) + header[at + _word.size :]):
                raise _Broken("a wrong checksum")
        elif kind == UNIQUE_ID and len(value) > 128:
            raise _Broken("a unique ID of more than 128 bytes")
        elif kind == AUTHORITY and not _isText(value, "utf-8"):
            raise _Broken("an authority that is not UTF-8")
        elif kind == NETNS and not _isText(value, "ascii"):
            raise _Broken("a namespace that is not US-ASCII")
        elif kind == SSL:
            _readSecured(value)
        at += len(value)


def _isText(value: bytes, encoding: str) -> bool:
    try:
        value.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _readSecured(value: bytes) -> Secured:
    if len(value) < _ssl.size:
        raise _Broken("a pair about TLS that ends too early")
    flags, verify = _ssl.unpack_from(value)
    return Secured(flags, verify, tuple(_pairs(value[_ssl.size :])))


def _first(tlvs: Iterable[TLV], wanted: int) -> bytes | None:
    return next((value for kind, value in tlvs if kind == wanted), None)


@lru_cache(1)
def _table() -> tuple[int, ...]:
    """
    Of the checksum of RFC 3720 section B.4, the reflected polynomial of which is this.
    """
    found = []
    for each in range(256):
        for _ in range(8):
            each = each >> 1 ^ (0x82F63B78 if each & 1 else 0)
        found.append(each)
    return tuple(found)


def _crc32c(data: bytes) -> int:
    table = _table()
    rest = 0xFFFFFFFF
    for each in data:
        rest = rest >> 8 ^ table[(rest ^ each) & 255]
    return rest ^ 0xFFFFFFFF


# The other way.


def render(
    version: int,
    source: Address | None,
    destination: Address | None,
    tlvs: Iterable[TLV] = (),
    *,
    isChecked: bool = False,
) -> bytes:
    """
    Make a header.

    Addresses of two families become two of IPv6.  What the version has no words for is
    said to be unknown.

    @param version: 1 or 2.
    @param source: The client; L{None} where it is not known.
    @param destination: What it connected to, likewise.
    @param tlvs: Further facts; version 1 has no place for them.
    @param isChecked: Whether a checksum is added, in version 2.
    @return: The bytes.
    @raise ValueError: They would be more than L{MOST_BYTES}.
    """
    if version == 1:
        return _line(source, destination)
    kind, addresses = _packed(source, destination)
    further = b"".join(map(_pair, (*tlvs, (CRC32C, bytes(_word.size))) if isChecked else tlvs))
    length = len(addresses) + len(further)
    if _FIXED + length > MOST_BYTES:
        raise ValueError(f"a header of {_FIXED + length} bytes")
    made = _head.pack(_SIGNATURE, _PROXY, kind, length) + addresses + further
    return made[: -_word.size] + _word.pack(_crc32c(made)) if isChecked else made


def renderSecured(secured: Secured) -> TLV:
    """
    Make the pair about TLS.
    """
    return SSL, _ssl.pack(secured.flags, secured.verify) + b"".join(map(_pair, secured.tlvs))


def _pair(tlv: TLV) -> bytes:
    kind, value = tlv
    if len(value) > 65535:
        raise ValueError(f"a pair of {len(value)} bytes")
    return _tlv.pack(kind, len(value)) + value


def _line(source: Address | None, destination: Address | None) -> bytes:
    ends = _addresses(source, destination)
    if ends is None or source is None or destination is None:
        return b"PROXY UNKNOWN\r\n"
    here, there = ends
    return b"PROXY TCP%d %s %s %d %d\r\n" % (
        here.version,
        str(here).encode("ascii"),
        str(there).encode("ascii"),
        source.port,
        destination.port,
    )


def _addresses(
    source: Address | None, destination: Address | None
) -> tuple[IPv4Address | IPv6Address, IPv4Address | IPv6Address] | None:
    """
    @return: Both of one family; L{None} where one is not known, or no IP address.
    """
    if source is None or destination is None:
        return None
    try:
        here, there = ip_address(source.host), ip_address(destination.host)
    except ValueError:
        return None
    if here.version != there.version:
        here, there = _mapped(here), _mapped(there)
    return here, there


def _mapped(address: IPv4Address | IPv6Address) -> IPv6Address:
    if isinstance(address, IPv6Address):
        return address
    return IPv6Address(b"\0" * 10 + b"\xff\xff" + address.packed)


def _packed(source: Address | None, destination: Address | None) -> tuple[int, bytes]:
    """
    @return: Family and transport, and the addresses.
    """
    if source is None or destination is None:
        return 0, b""
    ends = _addresses(source, destination)
    if ends is not None:
        here, there = ends
        family = 1 if here.version == 4 else 2
        form = _ADDRESSES[family]
        return family << 4 | 1, form.pack(here.packed, there.packed, source.port, destination.port)
    if source.host.startswith("/") and source.port == 0:
        paths = (
            each.host.encode("utf-8", "replace") if each.port == 0 else b"" for each in (source, destination)
        )
        return 0x31, _ADDRESSES[3].pack(*paths)
    return 0, b""
