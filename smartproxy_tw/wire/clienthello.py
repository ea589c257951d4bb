"""
What a TLS ClientHello says before any TLS is spoken: the name it asks for, the
protocols and versions it offers.

In go the first bytes of a connection, as far as they have come; out comes one
of four answers.  The bytes stay the caller's, and are looked at again from the
start when there are more of them.
Nothing here keeps state, reads a socket or decides what becomes of the
connection; but what was found out is remembered.

How the rules came about:

  - A hello may be spread over any number of records of any size but zero
    (RFC 8446 section 5.1), and a record over any number of segments.  Browsers
    send about 1.8 KiB since key shares became post-quantum, so two segments are
    the common case and not the odd one.
  - L{parse} costs time linear in what it is given.  It stays linear in the
    whole as well, however finely a peer chops its bytes, when the caller
    honours L{NeedMore.atLeast}: within one record it waits for the rest at
    once, and over many small records each wait brings the count of missing
    bytes down by a sixth or more.
  - What a server would have to refuse by RFC 8446 or RFC 6066 is L{Malformed}
    and not guessed at: two readers that guess differently are how a connection
    comes to be routed by one name and served by another.
"""

from __future__ import annotations

import re
from functools import lru_cache
from struct import Struct
from struct import error as StructError

from ..values import dataclass

__all__ = ["MOST_BYTES", "Hello", "Malformed", "NeedMore", "NotTLS", "parse"]

#: The largest ClientHello that is read, in bytes of its body: what one record
#: holds at most.  Real ones stay below 3 KiB; servers commonly stop at 16 KiB.
_MOST_BODY = 16384

#: The most bytes that the records of a hello may take, their headers included: a
#: buffer of this size always holds an answer.  Room for the largest body in 700
#: records, or for a common one in a record for each byte.
MOST_BYTES = 20000

#: Version, random, empty session, one cipher suite, one compression method.
_LEAST_BODY = 2 + 32 + 1 + 4 + 2

#: RFC 8446 section 5.1: no plaintext record is larger.
_MOST_FRAGMENT = 16384

_HANDSHAKE = 0x16
_CLIENT_HELLO = 1

_one = Struct(">H").unpack_from
_pair = Struct(">HH").unpack_from
# From the length of the record to that of the session, without the random.
_start = Struct(">HBBHH32xB").unpack_from

_SERVER_NAME = 0
_ALPN = 16
_PRE_SHARED_KEY = 41
_SUPPORTED_VERSIONS = 43
_KEY_SHARE = 51
_ENCRYPTED_HELLO = 0xFE0D

#: Extensions that are never twice the same; with them the reserved ones of RFC 8701.
_FRESH = frozenset((_PRE_SHARED_KEY, _ENCRYPTED_HELLO, *range(0x0A0A, 0x10000, 0x1010)))

#: How many bytes of extensions, or of a hello, are worth remembering; and how many hellos.
_MOST_REMEMBERED = 512
_MOST_KNOWN = 1024

#: Where the key share began and ended in the last hello of so many bytes.
_shares: dict[int, tuple[int, int]] = {}

#: What the other bytes of a hello came to, and where its key share was.
_known: dict[bytes, tuple[tuple[int, int], Hello]] = {}

#: Letters, digits and hyphens, and the underscore, which hosts do carry in
#: their names; labels of 1 to 63; one dot at the end at most.
_HOST = re.compile(rb"(?:[A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?")
_IPV4 = re.compile(rb"[0-9]{1,3}(?:\.[0-9]{1,3}){3}\.?")


@dataclass(frozen=True, slots=True)
class Hello:
    """
    A whole ClientHello.

    @ivar serverName: The host name of its server_name extension: lower-case
        ASCII, no trailing dot, 1..253 characters; L{None} when it has none.
        An IP address in that place, which RFC 6066 section 3 does not permit
        but clients that were given an address do send, also reads as L{None}:
        it names no host, and such a client is served as one that sends no name.
    @ivar alpn: The protocols of its ALPN extension, as sent, in its order.
    @ivar versions: The versions it offers, for instance C{(0x0304, 0x0303)}, in
        its order: those of supported_versions without the reserved values of
        RFC 8701, or where that extension is absent the one C{legacy_version},
        which there means "up to this".
    @ivar length: How many bytes the records took that held it.
    """

    serverName: str | None
    alpn: tuple[bytes, ...]
    versions: tuple[int, ...]
    length: int


@dataclass(frozen=True, slots=True)
class NeedMore:
    """
    So far a ClientHello, but not the whole of it.

    @ivar atLeast: How many bytes there must be, from the very first one, before
        it is worth asking again: fewer cannot hold the whole hello.  Always
        more than there were, never more than L{MOST_BYTES}.
    """

    atLeast: int


@dataclass(frozen=True, slots=True)
class NotTLS:
    """
    Something else than TLS, SSL 2.0's own hello included.  Told by the first
    byte or the second.
    """


@dataclass(frozen=True, slots=True)
class Malformed:
    """
    It begins as TLS does, and goes on as no ClientHello may.

    @ivar reason: Why, for the log; printable ASCII.
    """

    reason: str


class _Broken(Exception):
    """
    The bytes break a rule; the message says which.
    """


_NOT_TLS = NotTLS()


def parse(data: bytes | bytearray | memoryview) -> Hello | NotTLS | NeedMore | Malformed:
    """
    Read the ClientHello that a connection begins with.

    More bytes never change an answer other than L{NeedMore}, and what follows
    the hello's last record is not looked at.

    @param data: Everything the client has sent so far; may be empty.
    @return: What it is.  Nothing is raised.
    """
    size = len(data)
    if size < 2:
        return NeedMore(size + 1) if not size or data[0] == _HANDSHAKE else _NOT_TLS
    if data[0] != _HANDSHAKE or data[1] != 3:
        return _NOT_TLS
    try:
        hello = _readPlain(data, size)
        if hello is not None:
            return hello
        found = _gather(data, size)
        if isinstance(found, int):
            return NeedMore(found)
        body, length = found
        return _readBody(body, length)
    except _Broken as why:
        return Malformed(str(why))


def _readPlain(data: bytes | bytearray | memoryview, size: int) -> Hello | None:
    """
    Read a whole hello in one record, as nearly all are, in a third of the time.

    Here is no rule that is not also below.  At the first doubt it gives up: what
    is wrong, or missing, is found out there.

    @raise _Broken: Of an extension.
    """
    share = _shares.get(size)
    if share is not None and data[43] == 32:
        known = _known.get(_common(data, share))
        if known is not None and known[0] == share:
            return known[1]
    if size < 9 + _LEAST_BODY:
        return None
    end, kind, high, low, legacy, session = _start(data, 3)
    end += 5
    if kind != _CLIENT_HELLO or legacy >> 8 != 3 or session > 32:
        return None
    if size < end or end > 9 + _MOST_BODY or high << 16 | low != end - 9:
        return None
    try:
        place = 44 + session
        (suites,) = _one(data, place)
        place += 2 + suites
        methods = data[place]
        place += 1 + methods
        if not suites or suites & 1 or not methods:
            return None
        if _one(data, place)[0] != end - place - 2:
            return None
        place += 2
        places: dict[int, int] = {}
        count = 0
        while place < end:
            kind, length = _pair(data, place)
            places[kind] = place
            count += 1
            place += 4 + length
    except (IndexError, StructError):
        return None
    if place != end or len(places) != count:
        return None
    hello = _readFound(
        _contentAt(data, places.get(_SERVER_NAME)),
        _contentAt(data, places.get(_ALPN)),
        _contentAt(data, places.get(_SUPPORTED_VERSIONS)),
        legacy,
        end,
    )
    if size == end and session == 32 and _KEY_SHARE in places and _FRESH.isdisjoint(places):
        _keep(data, places[_KEY_SHARE], hello)
    return hello


def _common(data: bytes | bytearray | memoryview, share: tuple[int, int]) -> bytes:
    """
    What the hellos of one client for one name have in common: all but 32 bytes of random, 32 of
    session, and what is in the key share.  None of those is looked at by who reads a hello, so it
    is the same hello where the rest is, byte for byte, and at the same places.
    """
    start, end = share
    return b"".join((data[:11], data[76:start], data[end:]))


def _keep(data: bytes | bytearray | memoryview, place: int, hello: Hello) -> None:
    """
    Remember a hello, which is all there is.

    @param place: Where the extension with the key share begins.
    """
    share = place + 4, place + 4 + _one(data, place + 2)[0]
    common = _common(data, share)
    if len(common) > _MOST_REMEMBERED:
        return
    if len(_known) >= _MOST_KNOWN or len(_shares) >= _MOST_KNOWN:
        _known.clear()
        _shares.clear()
    _shares[len(data)] = share
    _known[common] = share, hello


def _contentAt(data: bytes | bytearray | memoryview, place: int | None) -> bytes | None:
    """
    What an extension holds that begins there.
    """
    if place is None:
        return None
    return bytes(data[place + 4 : place + 4 + ((data[place + 2] << 8) | data[place + 3])])


def _readExtensions(
    name: bytes | None, protocols: bytes | None, versions: bytes | None, legacy: int, length: int
) -> Hello:
    """
    Read what the extensions hold that matter.

    @param legacy: The one version of a hello without the extension for it.
    @param length: See L{Hello}.
    """
    return Hello(
        None if name is None else _readServerName(name),
        () if protocols is None else _readProtocols(protocols),
        (legacy,) if versions is None else _readVersions(versions),
        length,
    )


# The same clients ask for the same names in the same words.
_remembered = lru_cache(maxsize=1024)(_readExtensions)


def _readFound(
    name: bytes | None, protocols: bytes | None, versions: bytes | None, legacy: int, length: int
) -> Hello:
    """
    Remember what pieces of a common size came to: bounded, in number and in
    memory.
    """
    if len(name or b"") + len(protocols or b"") + len(versions or b"") > _MOST_REMEMBERED:
        return _readExtensions(name, protocols, versions, legacy, length)
    return _remembered(name, protocols, versions, legacy, length)


def _gather(data: bytes | bytearray | memoryview, size: int) -> int | tuple[bytes, int]:
    """
    Take the message out of its records.

    @return: The body and the number of bytes that its records took, or the
        number of bytes there must be before it can be complete.
    """
    fragments: list[bytes] = []
    gathered = 0  # bytes of the message that are here
    wanted = 4  # bytes of the message known to come: its header, then all of it
    place = 0  # where the next record begins
    while True:
        if size - place < 5:
            # Whatever is still missing of the message lies behind this header.
            return place + 5 + (wanted - gathered if place else 0)
        length = _fragmentLength(data, place)
        place += 5
        fragment = bytes(data[place : place + length])
        fragments.append(fragment)
        before = gathered
        gathered += len(fragment)
        if before < 4 <= gathered:
            wanted = 4 + _bodyLength(b"".join(fragments))
        if wanted > 4:
            _checkSpread(place + length, wanted - before - length)
        if len(fragment) < length:
            missing = wanted - gathered
            rest = length - len(fragment)
            return size + missing + (0 if missing <= rest else 5)
        place += length
        if gathered == wanted and wanted > 4:
            return b"".join(fragments)[4:], place


def _checkSpread(end: int, missing: int) -> None:
    """
    The hello ends with a record, and within L{MOST_BYTES}.

    @param end: Where this record ends.
    @param missing: How many bytes of the hello come after it.
    """
    if missing < 0:
        raise _Broken("a record holds more than the ClientHello")
    if end + (5 + missing if missing else 0) > MOST_BYTES:
        raise _Broken(f"a ClientHello spread over more than {MOST_BYTES} bytes of records")


def _fragmentLength(data: bytes | bytearray | memoryview, place: int) -> int:
    """
    Check the record header at C{place}; give the length of what it announces.
    """
    if data[place] != _HANDSHAKE:
        raise _Broken(f"a record of type {data[place]} inside the ClientHello")
    if data[place + 1] != 3:
        raise _Broken(f"a record of version {data[place + 1]}.{data[place + 2]} inside the ClientHello")
    length = (data[place + 3] << 8) | data[place + 4]
    if not length:
        raise _Broken("an empty record")
    if length > _MOST_FRAGMENT:
        raise _Broken(f"a record of {length} bytes; at most {_MOST_FRAGMENT} are allowed")
    return length


def _bodyLength(message: bytes) -> int:
    """
    Check the header of the handshake message; give the length of its body.
    """
    if message[0] != _CLIENT_HELLO:
        raise _Broken(f"handshake message {message[0]} in place of a ClientHello")
    length = int.from_bytes(message[1:4], "big")
    if length > _MOST_BODY:
        raise _Broken(f"a ClientHello of {length} bytes; at most {_MOST_BODY} are read")
    if length < _LEAST_BODY:
        raise _Broken(f"a ClientHello of {length} bytes; the shortest has {_LEAST_BODY}")
    return length


def _readBody(body: bytes, length: int) -> Hello:
    """
    Read the ClientHello structure (RFC 8446 section 4.1.2).
    """
    if body[0] != 3:
        raise _Broken(f"client version {body[0]}.{body[1]}")
    if body[34] > 32:
        raise _Broken(f"a session id of {body[34]} bytes")
    place = 35 + body[34]
    suites = int.from_bytes(body[place : place + 2], "big")
    if not suites or suites & 1:
        raise _Broken(f"a list of cipher suites of {suites} bytes")
    place += 2 + suites
    methods = body[place] if place < len(body) else 0
    if not methods:
        raise _Broken("no list of compression methods")
    place += 1 + methods
    if place > len(body):
        raise _Broken("its parts are longer than the whole")
    extensions = _split(body, place) if place < len(body) else {}
    legacy = (body[0] << 8) | body[1]
    return _readExtensions(
        extensions.get(_SERVER_NAME),
        extensions.get(_ALPN),
        extensions.get(_SUPPORTED_VERSIONS),
        legacy,
        length,
    )


def _split(body: bytes, place: int) -> dict[int, bytes]:
    """
    Split the block of extensions, which ends the body.
    """
    end = len(body)
    if end - place < 2 or ((body[place] << 8) | body[place + 1]) != end - place - 2:
        raise _Broken("the block of extensions does not end where the ClientHello does")
    place += 2
    found: dict[int, bytes] = {}
    while place < end:
        if end - place < 4:
            raise _Broken("half an extension at the end")
        kind, length = _pair(body, place)
        place += 4
        if kind in found:
            # RFC 8446 section 4.2: not more than one of a type.
            raise _Broken(f"extension {kind} is there twice")
        found[kind] = body[place : place + length]
        place += length
    if place > end:
        raise _Broken("the last extension is longer than the block it is in")
    return found


def _readServerName(data: bytes) -> str | None:
    """
    Read the server_name extension (RFC 6066 section 3).

    Names of other types than host_name are passed over; none was ever defined,
    and all must begin with a length as this one does.
    """
    if len(data) < 2 or int.from_bytes(data[:2], "big") != len(data) - 2 or len(data) == 2:
        raise _Broken("a server_name extension of the wrong length")
    names: dict[int, bytes] = {}
    place = 2
    while place < len(data):
        if len(data) - place < 3:
            raise _Broken("half an entry in server_name")
        kind = data[place]
        length = (data[place + 1] << 8) | data[place + 2]
        place += 3
        if length > len(data) - place:
            raise _Broken("an entry of server_name is longer than its list")
        if kind in names:
            raise _Broken(f"two names of type {kind} in server_name")
        names[kind] = data[place : place + length]
        place += length
    return _hostName(names[0]) if 0 in names else None


def _hostName(name: bytes) -> str | None:
    """
    Bring a host name into its normal form.

    @return: L{None} for an IP address.
    """
    if _HOST.fullmatch(name):
        if _IPV4.fullmatch(name):
            return None
        text = name.decode("ascii").lower().removesuffix(".")
        if len(text) > 253:
            raise _Broken(f"a server name of {len(text)} characters; at most 253 are allowed")
        return text
    if b":" in name and _isIPv6(name):
        return None
    shown = ascii(name[:64])[2:-1]
    raise _Broken(f'the server name "{shown}" is no host name')


def _isIPv6(name: bytes) -> bool:
    """
    Whether this is an IPv6 address, in brackets or without.
    """
    from ipaddress import AddressValueError, IPv6Address

    if name[:1] == b"[" and name[-1:] == b"]":
        name = name[1:-1]
    try:
        IPv6Address(name.decode("ascii"))
    except (AddressValueError, UnicodeDecodeError):
        return False
    return True


def _readProtocols(data: bytes) -> tuple[bytes, ...]:
    """
    Read the ALPN extension (RFC 7301 section 3.1).
    """
    if len(data) < 4 or int.from_bytes(data[:2], "big") != len(data) - 2:
        raise _Broken("an ALPN extension of the wrong length")
    protocols: list[bytes] = []
    place = 2
    while place < len(data):
        end = place + 1 + data[place]
        if end == place + 1 or end > len(data):
            raise _Broken("an ALPN extension with an entry of the wrong length")
        protocols.append(data[place + 1 : end])
        place = end
    return tuple(protocols)


def _readVersions(data: bytes) -> tuple[int, ...]:
    """
    Read the supported_versions extension (RFC 8446 section 4.2.1).
    """
    if len(data) < 3 or data[0] != len(data) - 1 or data[0] & 1:
        raise _Broken("a supported_versions extension of the wrong length")
    # RFC 8701: 0x0a0a, 0x1a1a, ... 0xfafa are put there to be passed over.
    return tuple(
        [
            (data[at] << 8) | data[at + 1]
            for at in range(1, len(data), 2)
            if data[at] != data[at + 1] or data[at] & 0x0F != 0x0A
        ]
    )
