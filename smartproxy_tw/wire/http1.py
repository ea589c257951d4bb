"""
HTTP/1 heads and framing, strictly: from bytes to facts, and to the bytes that
go on to the other side.

A head is read by two regular expressions.  The first is possessive, sees every
byte and accepts nothing that two implementations could read differently: a bare
CR, LF or NUL, a folded line, a space before a colon, an unknown version.  The
second finds the dozen fields that matter for framing, hop-by-hop removal and
forwarding.  The lines that may go on are kept raw, as slices of what came; no
dictionary of fields is ever built.  The framing of a body is decided from the
parsed fields alone (RFC 9112 section 6.3), and what is ambiguous there is
refused rather than repaired: repairing is what makes request smuggling.

This is hot: it runs once for each request.  The names are matched at the start
of a line, by one alternation, because a loop over lines in Python costs three
times as much.

Nothing here keeps a reference to a connection, and nothing reads or writes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from .lines import without
from .target import BadTarget, Resolved, hostOf, resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "BadMessage",
    "CHUNKED",
    "Chunks",
    "MAX_FIELDS",
    "Request",
    "Response",
    "UNTIL_CLOSE",
    "checkTrailers",
    "likened",
    "notServed",
    "parseRequest",
    "parseResponse",
    "requestFrom",
    "unframed",
    "withoutChunks",
]

#: The body's length is told by its chunks.
CHUNKED: Final = -1
#: The body ends with the connection (responses only).
UNTIL_CLOSE: Final = -2
#: More fields than this are 431.
MAX_FIELDS: Final = 200
#: A chunk extension or a trailer section longer than this is refused, in bytes.
_MAX_CHUNK_LINE: Final = 4096
_MAX_TRAILERS: Final = 16384
# So many bytes more than the chunks themselves may their sizes and extensions take, beyond what is usual.
_MAX_WASTE: Final = 16384
_USUAL_WASTE: Final = 16

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
_FIELDS = rb"((?:" + _TOKEN + rb"++:[\t -~\x80-\xff]*+\r\n)*+)"

# Method and target; that is any visible ASCII but # and \, see wire.target.
_START = rb"(" + _TOKEN + rb"++) ([!\"$-\[\]-~]++)"
_REQUEST = re.compile(_START + rb" HTTP/1\.([01])\r\n" + _FIELDS + rb"\r\n", re.DOTALL)
_START_ALONE = re.compile(_START)
_RESPONSE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: [\t -~\x80-\xff]*+)?+\r\n" + _FIELDS + rb"\r\n")
_OTHER_VERSION = re.compile(_TOKEN + rb"++ [^\r\n ]++ HTTP/[0-9]\.[0-9]\r\n")

# Fields of a request that are not simply handed on.  The twins with an underscore or another sign
# are there because CGI-like origins cannot tell X_Forwarded_For from X-Forwarded-For, nor some of
# them (behind lighttpd, for one) X.Forwarded.For.
# One group for the name and a first letter class: a group for each name, or an
# anchor in place of the newline, takes twice as long.
_SIGN = rb"[^0-9A-Za-z:\r\n]"
_SPECIAL = re.compile(
    rb"(?i)\n([acefhkptux](?:ost|on(?:tent[-_]length|nection)|ransfer[-_]encoding|pgrade|xpect"
    rb"|" + _SIGN + rb"forwarded(?:" + _SIGN + _TOKEN + rb"*+)?+|orwarded"
    rb"|" + _SIGN + rb"real" + _SIGN + rb"ip|" + _SIGN + rb"request" + _SIGN + rb"id"
    rb"|eep-alive|roxy-connection|e|ttp2-settings|ookie|uthorization)):[\t ]*+([^\r]*+)"
)
_SPECIAL_RESPONSE = re.compile(
    rb"(?i)\n([cktup](?:on(?:tent-length|nection)|ransfer-encoding|pgrade|eep-alive|roxy-connection|e))"
    rb":[\t ]*+([^\r]*+)"
)

# What a trailer must not say (RFC 9110 section 6.5.1).
_FORBIDDEN_TRAILER = re.compile(
    rb"(?im)^(?:host|content[-_]length|transfer[-_]encoding|connection|upgrade|expect|te|trailer|keep-alive"
    rb"|x" + _SIGN + rb"forwarded(?:" + _SIGN + rb"[^:\r\n]*+)?+|forwarded"
    rb"|x" + _SIGN + rb"real" + _SIGN + rb"ip|x" + _SIGN + rb"request" + _SIGN + rb"id"
    rb"|cookie|authorization|set-cookie|proxy-authorization|proxy-connection):"
)
_TRAILERS = re.compile(_FIELDS + rb"\r\n")
_NAMES = re.compile(rb"(?m)^([^:\r\n]++):")
_ODD = re.compile(rb"[^0-9a-z]")

_LIST = re.compile(rb"[\t ]*+([^,\t ]++)[\t ]*+(?:,|\Z)")
_DIGITS = re.compile(rb"[0-9]{1,18}\Z")


class BadMessage(Exception):
    """
    The peer sent what must not be handed on.  The connection is to be closed,
    after an answer where the peer is a client.

    @ivar status: What a client is answered: 400, 405, 413, 414, 417, 431, 505.
    @ivar reason: For the log.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(status, reason)
        self.status = status
        self.reason = reason


class Request:
    """
    One request head.  Never changed after it was made, so that it may serve
    again for the same bytes.

    @ivar raw: The head as it came, with its empty line; that of a later version as
        L{requestFrom} has put it.
    @ivar method: As sent.
    @ivar target: What it asks for.
    @ivar minor: 1 or 0, of HTTP/1.x.
    @ivar host: As in L{smartproxy_tw.facts.RequestFacts.host}.
    @ivar authority: The Host field as it was written, or that of an absolute
        target; empty when HTTP/1.0 sent none.
    @ivar length: Bytes of body, or L{CHUNKED}.
    @ivar keepAlive: Whether the client allows another request after this one.
    @ivar upgrade: The protocol it asks to change to, when that may be handed
        on; otherwise empty.
    @ivar expectsContinue: Whether the client waits for 100 before its body.
    @ivar fields: Its header lines that go on, each with its CR LF: all but
        hop-by-hop and forwarding fields; Host and framing are among them.
    @ivar forwarded: The forwarding fields that came, as lines.
    @ivar identified: The lines that came with an identifier of the request
        (X-Request-ID); they are not among C{fields}.
    @ivar takesTrailers: Whether the client says that it understands trailers
        (C{TE: trailers}).
    @ivar hasSecrets: Whether it has a cookie or credentials; such a head is
        not kept longer than needed.
    """

    __slots__ = (
        "authority",
        "expectsContinue",
        "fields",
        "forwarded",
        "hasSecrets",
        "host",
        "identified",
        "keepAlive",
        "length",
        "method",
        "minor",
        "raw",
        "takesTrailers",
        "target",
        "upgrade",
    )

    raw: bytes
    method: bytes
    target: Resolved
    minor: int
    host: str
    authority: bytes
    length: int
    keepAlive: bool
    upgrade: bytes
    expectsContinue: bool
    fields: bytes
    forwarded: bytes
    identified: bytes
    takesTrailers: bool
    hasSecrets: bool


class Response:
    """
    One response head.

    @ivar status: 100..599.
    @ivar minor: 1 or 0, of HTTP/1.x.
    @ivar length: Bytes of body, L{CHUNKED} or L{UNTIL_CLOSE}.
    @ivar keepAlive: Whether the connection may serve again after its body.
    @ivar upgrade: What a 101 changes to; otherwise empty.
    @ivar head: Status line and the fields that go on, each with its CR LF,
        without the empty line; the version is always 1.1.
    """

    __slots__ = ("head", "keepAlive", "length", "minor", "status", "upgrade")

    status: int
    minor: int
    length: int
    keepAlive: bool
    upgrade: bytes
    head: bytes


def parseRequest(data: bytes, headBytes: int = 65536, urlBytes: int = 8192) -> Request | None:
    """
    Read the request head at the beginning of some bytes.

    @param data: What has come so far, without empty lines in front.
    @param headBytes: The longest head to take, in bytes.
    @param urlBytes: The longest target to take, in bytes.
    @return: The head; L{None} while it is not complete.
    @raise BadMessage: It will never be one that we take.
    """
    end = data.find(b"\r\n\r\n", 0, headBytes)
    if end < 0:
        _refuseEarly(data, headBytes, urlBytes)
        return None
    match = _REQUEST.match(data)
    if match is None:
        raise _whyNot(data[: end + 4])
    method, target, minor, _ = match.groups()
    return _read(match[0], method, target, 1 if minor == b"1" else 0, match.start(4), urlBytes)


def requestFrom(method: bytes, target: bytes, lines: bytes, headBytes: int, urlBytes: int) -> Request:
    """
    What came by a later version of the protocol, as if it had come by HTTP/1.1, and by the
    same rules.

    @param method: Any bytes.
    @param target: Any bytes.
    @param lines: The fields, each line with its CR LF.  That they are such lines is for
        the caller to see to: names are tokens, values have no control characters but tabs.
    @param headBytes: As for L{parseRequest}.
    @param urlBytes: As for L{parseRequest}.
    @return: The head; in L{Request.raw} the version is 2.0.
    @raise BadMessage: It is refused.
    """
    start = method + b" " + target
    if _START_ALONE.fullmatch(start) is None:
        if len(target) > urlBytes:
            raise BadMessage(414, f"the target is longer than {urlBytes} bytes")
        raise BadMessage(400, "not a valid method and target")
    raw = start + b" HTTP/2.0\r\n" + lines + b"\r\n"
    if len(raw) > headBytes and len(target) <= urlBytes:
        raise BadMessage(431, f"the head is longer than {headBytes} bytes")
    return _read(raw, method, target, 1, len(start) + 11, urlBytes)


def _read(raw: bytes, method: bytes, target: bytes, minor: int, first: int, urlBytes: int) -> Request:
    """
    What a head says whose every byte was looked at.

    @param first: Where its fields begin.
    """
    if len(target) > urlBytes:
        raise BadMessage(414, f"the target is longer than {urlBytes} bytes")
    if method == b"CONNECT" or method == b"TRACE":
        raise notServed(method)
    resolved = resolve(target, method)
    if isinstance(resolved, BadTarget):
        raise BadMessage(400, resolved.reason)
    request = Request()
    request.raw = raw
    request.method = method
    request.target = resolved
    request.minor = minor
    # Its fields, and the empty line.
    if raw.count(b"\n", first) > MAX_FIELDS + 1:
        raise BadMessage(431, f"more than {MAX_FIELDS} header fields")
    _readFields(request, first)
    return request


def notServed(method: bytes) -> BadMessage:
    """
    @param method: One that no proxy of ours serves, CONNECT or TRACE.
    """
    return BadMessage(405, f"the method {method.decode()} is not served")


def _refuseEarly(data: bytes, headBytes: int, urlBytes: int) -> None:
    """
    An incomplete head: say at once what can only become worse.
    """
    if len(data) >= headBytes:
        if b"\r\n" not in data[: urlBytes + 64]:
            raise BadMessage(414, f"the target is longer than {urlBytes} bytes")
        raise BadMessage(431, f"the head is longer than {headBytes} bytes")
    if b"\r\n" not in data and len(data) > urlBytes + 64:
        raise BadMessage(414, f"the target is longer than {urlBytes} bytes")
    if _hasBare(data):
        raise BadMessage(400, "a bare CR, LF or NUL in the head")


def _hasBare(data: bytes) -> bool:
    """
    Whether there is a CR, LF or NUL that does not belong there; a CR at the end
    may still.  Asked again for each segment of a head that comes slowly, so
    counting, which is ten times faster than a regular expression.
    """
    pairs = data.count(b"\r\n")
    return data.count(b"\n") != pairs or data.count(b"\r") - data.endswith(b"\r") != pairs or b"\0" in data


def _whyNot(head: bytes) -> BadMessage:
    """
    Name what is wrong with a complete head that did not match.
    """
    if _hasBare(head):
        return BadMessage(400, "a bare CR, LF or NUL in the head")
    if _OTHER_VERSION.match(head) is not None and not re.match(rb"[^\r]*+(?<=HTTP/1\.[01])\r", head):
        return BadMessage(505, "a version of HTTP other than 1.0 and 1.1")
    if re.search(rb"\r\n[\t ]", head) is not None:
        return BadMessage(400, "a folded header line")
    if re.search(rb"\n[^\r\n:]*+(?<=[\t ]):", head) is not None:
        return BadMessage(400, "a space before a colon in the head")
    return BadMessage(400, "not a valid HTTP/1 request head")


def _readFields(request: Request, first: int) -> None:
    """
    Decide host, framing and connection of a request, and what goes on.

    @param first: Where its fields begin.
    """
    raw = request.raw
    host: bytes | None = None
    length: bytes | None = None
    chunked = expects = False
    request.hasSecrets = request.takesTrailers = False
    connection = upgrade = forwarded = identified = b""
    kept = b""
    at = first
    for found in _SPECIAL.finditer(raw, first - 1):
        name = found[1].lower()
        value = found[2].rstrip(b"\t ")
        if name == b"host":
            if host is not None:
                raise BadMessage(400, "more than one Host")
            host = value
            continue
        if name == b"cookie" or name == b"authorization":
            request.hasSecrets = True
            continue
        if name == b"content-length":
            if length is not None:
                raise BadMessage(400, "more than one Content-Length")
            length = value
            continue
        if name == b"transfer-encoding":
            # Not with a tab behind it: llhttp would then not take it for chunked.
            if chunked or found[2].rstrip(b" ").lower() != b"chunked":
                raise BadMessage(400, "a Transfer-Encoding other than chunked")
            chunked = True
            continue
        line = found.start() + 1
        next_ = found.end() + 2
        if name == b"connection":
            connection += b"," + value
        elif name == b"upgrade":
            upgrade += b"," + value
        elif name == b"expect":
            if value.lower() != b"100-continue":
                raise BadMessage(417, "an expectation other than 100-continue")
            expects = True
            if request.minor:
                continue
        elif name in _TWINS:
            raise BadMessage(400, "a framing field spelled with an underscore")
        elif (plain := likened(name)).startswith(b"x-forwarded-") or plain in _FORWARDING:
            forwarded += raw[line:next_]
        elif plain == b"x-request-id":
            identified += raw[line:next_]
        elif name == b"te":
            if request.minor and b"trailers" in _LIST.findall(value.lower()):
                request.takesTrailers = True
        elif name not in _HOP:
            continue  # a name of the user's own, which the pattern takes in as well: Cost, He
        kept += raw[at:line]
        at = next_
    request.fields = kept + raw[at:-2]
    request.forwarded = forwarded
    request.identified = identified
    request.expectsContinue = expects and request.minor == 1
    request.host = _hostName(request, host)
    request.length = 0 if length is None and not chunked else _bodyLength(request, length, chunked)
    request.keepAlive = request.minor == 1
    request.upgrade = b""
    if connection:
        _readConnection(request, connection, upgrade)


_TWINS = frozenset((b"content_length", b"transfer_encoding"))
_HOP = frozenset((b"keep-alive", b"proxy-connection", b"te", b"http2-settings"))
# And all whose names begin as that of X-Forwarded-For does: there are servers that believe each of them.
_FORWARDING = frozenset((b"forwarded", b"x-forwarded", b"x-real-ip"))


def _hostName(request: Request, host: bytes | None) -> str:
    """
    RFC 9112 section 3.2: exactly one Host, and it agrees with an absolute
    target.
    """
    authority = request.target.authority
    if host is None:
        if request.minor == 1:
            raise BadMessage(400, "no Host")
        if authority is None:
            request.authority = b""
            return ""
        host = authority
        request.fields = b"Host: " + host + b"\r\n" + request.fields
    request.authority = host
    name = hostOf(host)
    if name is None:
        raise BadMessage(400, "not a valid Host")
    if authority is not None and authority.lower() != host.lower():
        raise BadMessage(400, "the target names another host than the Host field")
    return name


def _bodyLength(request: Request, length: bytes | None, chunked: bool) -> int:
    """
    RFC 9112 section 6.3, with everything ambiguous refused.
    """
    if chunked:
        if length is not None:
            raise BadMessage(400, "both Content-Length and Transfer-Encoding")
        if request.minor == 0:
            raise BadMessage(400, "a Transfer-Encoding in HTTP/1.0")
        return CHUNKED
    if length is None or _DIGITS.match(length) is None:
        raise BadMessage(400, "a Content-Length that is not a number")
    return int(length)


def _readConnection(request: Request, connection: bytes, upgrade: bytes) -> None:
    """
    Obey the Connection field (RFC 9110 section 7.6.1): what it names goes no
    further.
    """
    named: set[bytes] = {option.lower() for option in _LIST.findall(connection.lstrip(b","))}
    if b"close" in named:
        request.keepAlive = False
    elif b"keep-alive" in named:
        request.keepAlive = True
    if b"upgrade" in named and request.minor == 1 and request.length == 0:
        protocol = upgrade.lstrip(b",").strip(b"\t ")
        # h2c would open a tunnel whose requests nobody checks; a list leaves the choice to the origin.
        if protocol and b"," not in protocol and not protocol.lower().startswith((b"h2c", b"http/", b"tls/")):
            request.upgrade = protocol
    named -= {b"close", b"keep-alive", b"upgrade"}
    if not named:
        return
    if not named.isdisjoint((b"host", b"content-length", b"transfer-encoding")):
        raise BadMessage(400, "the Connection field names a field that frames the message")
    isNamed = named.__contains__
    request.fields = without(request.fields, isNamed)
    request.forwarded = without(request.forwarded, isNamed)
    request.identified = without(request.identified, isNamed)


_CHUNKING = frozenset((b"transfer-encoding", b"trailer"))
_FRAMING = _CHUNKING | {b"content-length"}


def withoutChunks(head: bytes) -> bytes:
    """
    The head of an answer whose chunks are undone for a client that knows none.

    @param head: As L{Response.head} of one whose length is L{CHUNKED}.
    @return: The same without its Transfer-Encoding, and without the Trailer field
        that announces what goes with the chunks.
    """
    return without(head, _CHUNKING.__contains__)


_LENGTH = re.compile(rb"(?im)^content-length:[\t ]*+([0-9]++)[\t ]*+\r\n")


def unframed(head: bytes) -> tuple[bytes, int | None]:
    """
    An answer's head without what says where its body ends, for whoever frames it anew.

    @param head: As L{Response.head}.
    @return: Its fields, without the status line, and the length that it announces, in
        bytes, if any.
    """
    fields = head[head.index(b"\n") + 1 :]
    found = _LENGTH.search(fields)
    fields = without(fields, _FRAMING.__contains__)
    return fields, None if found is None else int(found[1])


def parseResponse(data: bytes, method: bytes, headBytes: int = 65536) -> tuple[Response, int] | None:
    """
    Read the response head at the beginning of some bytes.

    @param data: What has come so far.
    @param method: Of the request: an answer to HEAD has no body.
    @param headBytes: The longest head to take, in bytes.
    @return: The head and the number of bytes that it took; L{None} while it is
        not complete.
    @raise BadMessage: It is not one that can be handed on (a 502 for the
        client).
    """
    match = _RESPONSE.match(data)
    if match is None:
        if data.find(b"\r\n\r\n", 0, headBytes) >= 0:
            raise BadMessage(502, "not a valid HTTP/1 response head")
        if len(data) >= headBytes:
            raise BadMessage(502, f"a response head longer than {headBytes} bytes")
        if _hasBare(data) or not b"HTTP/1.".startswith(data[:7]):
            raise BadMessage(502, "not a valid HTTP/1 response head")
        return None
    end = match.end()
    if end > headBytes:
        raise BadMessage(502, f"a response head longer than {headBytes} bytes")
    minor, status, _ = match.groups()
    response = Response()
    response.minor = 1 if minor == b"1" else 0
    response.status = code = int(status)
    response.upgrade = b""
    length: bytes | None = None
    chunked = isClosing = False
    isKept = response.minor == 1
    hasNoFraming = code < 200 or code == 204
    first = match.start(3)
    kept = b"HTTP/1.1"
    at = 8
    connection = b""
    for found in _SPECIAL_RESPONSE.finditer(data, first - 1, end - 2):
        name = found[1].lower()
        value = found[2].rstrip(b"\t ")
        if name == b"content-length":
            if length is None and _DIGITS.match(value) is not None:
                length = value
                if not hasNoFraming:
                    continue
            elif length != value:
                raise BadMessage(502, "a Content-Length that is repeated or not a number")
        elif name == b"transfer-encoding":
            if chunked or found[2].rstrip(b" ").lower() != b"chunked":
                raise BadMessage(502, "a Transfer-Encoding other than chunked")
            chunked = True
            if not hasNoFraming:
                continue
        elif name == b"connection":
            # Nearly always one of two words, which need no list of options.
            option = value.lower()
            if option == b"keep-alive":
                isKept = True
            elif option == b"close":
                isClosing = True
            else:
                connection += b"," + value
        elif name == b"upgrade":
            response.upgrade = value
        elif name not in _HOP:
            continue
        kept += data[at : found.start() + 1]
        at = found.end() + 2
    response.head = kept + data[at : end - 2]
    if connection:
        isKept, isClosing = _readResponseConnection(response, connection, isKept, isClosing)
    response.keepAlive = isKept and not isClosing
    if method == b"HEAD" or code < 200 or code == 204 or code == 304:
        response.length = 0
    elif chunked:
        if length is not None:
            raise BadMessage(502, "both Content-Length and Transfer-Encoding")
        if response.minor == 0:
            raise BadMessage(502, "a Transfer-Encoding in HTTP/1.0")
        response.length = CHUNKED
    elif length is not None:
        response.length = int(length)
    else:
        response.length = UNTIL_CLOSE
        response.keepAlive = False
    return response, end


def _readResponseConnection(
    response: Response, connection: bytes, isKept: bool, isClosing: bool
) -> tuple[bool, bool]:
    """
    A Connection field with something other than the usual word.
    """
    named: set[bytes] = {option.lower() for option in _LIST.findall(connection.lstrip(b","))}
    isKept = isKept or b"keep-alive" in named
    isClosing = isClosing or b"close" in named
    named -= {b"close", b"keep-alive", b"upgrade", b"content-length", b"transfer-encoding"}
    if named:
        response.head = without(response.head, named.__contains__)
    return isKept, isClosing


_QUOTED = rb'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*+"'
_CHUNK = re.compile(
    rb"([0-9A-Fa-f]{1,15})"
    rb"(?:[\t ]*;[\t ]*" + _TOKEN + rb"++(?:[\t ]*=[\t ]*(?:" + _TOKEN + rb"++|" + _QUOTED + rb"))?+)*+\r\n"
)


def likened(name: bytes) -> bytes:
    """
    What some applications make of the name of a field, such as those behind CGI or WSGI: an
    underscore is as good as a hyphen there, and so is any other sign to some.
    """
    return _ODD.sub(b"-", name.lower())


def checkTrailers(
    section: bytes,
    barred: frozenset[bytes] = frozenset(),
    rules: Sequence[Callable[[bytes], bool]] = (),
) -> None:
    """
    @param section: Trailers, each line with its CR LF, and an empty line behind them.
    @param barred: Further names that they must not have, as L{likened} has them.
    @param rules: Say of a name, in lower case, whether they must not have it either.
    @raise BadMessage: One is malformed, or says what a trailer must not say; or they are
        too many.
    """
    if len(section) > _MAX_TRAILERS:
        raise BadMessage(400, "bad or too many trailers")
    if _TRAILERS.fullmatch(section) is None or _FORBIDDEN_TRAILER.search(section):
        raise BadMessage(400, "a trailer that is malformed or not allowed")
    names = _NAMES.findall(section) if barred or rules else []
    if not barred.isdisjoint(map(likened, names)) or any(
        rule(name.lower()) for rule in rules for name in names
    ):
        raise BadMessage(400, "a trailer of a name that others must not say anything by")


class Chunks:
    """
    Follows a chunked body (RFC 9112 section 7.1) as it passes, to its last CR
    LF, and changes nothing.

    @ivar isDone: Whether the body has ended.
    @ivar trailers: The lines behind the last chunk, each with its CR LF, when it has.
    """

    __slots__ = (
        "_barred",
        "_held",
        "_left",
        "_most",
        "_rules",
        "_size",
        "_trailing",
        "_waste",
        "isDone",
        "trailers",
    )

    def __init__(self, most: int = 0) -> None:
        """
        @param most: More than so many bytes in all chunks together are refused;
            0: any number is taken.
        """
        self._left = 0  # of the chunk and its CR LF, in bytes
        self._held = b""  # an incomplete size line, CR LF or trailer section
        self._most = most
        self._size = 0  # of all chunks so far
        self._waste = 0
        self._trailing = False
        self._barred: frozenset[bytes] = frozenset()
        self._rules: tuple[Callable[[bytes], bool], ...] = ()
        self.isDone = False
        self.trailers = b""

    def bar(self, names: frozenset[bytes], rule: Callable[[bytes], bool] | None = None) -> None:
        """
        Take no trailers of these names, in whatever spelling.

        @param rule: Says of a name, in lower case, whether it is one of them.
        """
        self._barred |= frozenset(map(likened, names))
        if rule is not None:
            self._rules += (rule,)

    def feed(self, data: bytes, payload: list[bytes] | None = None) -> int:
        """
        Look at more of the body.

        @param data: What follows what was fed before.
        @param payload: Where to add what the chunks contain, for whoever wants
            it without the chunks.
        @return: How many of these bytes belong to the body: all of them until
            L{isDone}.
        @raise BadMessage: The framing is wrong (status 400), or there is more
            than is taken (status 413, as soon as a chunk's size says so).
        """
        at = 0
        end = len(data)
        while at < end and not self.isDone:
            if self._left > 2:
                step = min(self._left - 2, end - at)
                if payload is not None:
                    payload.append(data[at : at + step])
                self._left -= step
                at += step
            elif self._left:
                if data[at] != (13 if self._left == 2 else 10):
                    raise BadMessage(400, "a chunk that does not end where its size says")
                self._left -= 1
                at += 1
            elif self._trailing:
                at = self._readTrailers(data, at)
            else:
                at = self._readSize(data, at)
        return at

    def _readSize(self, data: bytes, at: int) -> int:
        newline = data.find(b"\n", at)
        stop = newline + 1 if newline >= 0 else len(data)
        if len(self._held) + stop - at > _MAX_CHUNK_LINE:
            raise BadMessage(400, "a chunk extension that is too long")
        line = self._held + data[at:stop]
        if newline < 0:
            if not re.match(rb"[0-9A-Fa-f]{1,15}(?:\Z|[\t ;\r])", line):
                raise BadMessage(400, "a bad chunk size")
            self._held = line
            return stop
        match = _CHUNK.fullmatch(line)
        if match is None:
            raise BadMessage(400, "a bad chunk size or extension")
        self._held = b""
        size = int(match[1], 16)
        self._size += size
        if self._size > self._most > 0:
            raise BadMessage(413, f"the body is longer than {self._most} bytes")
        self._waste = max(self._waste + len(line) - _USUAL_WASTE - 2 * size, 0)
        if self._waste > _MAX_WASTE:
            raise BadMessage(400, "chunks that are little more than their extensions")
        if size:
            self._left = size + 2
        else:
            self._trailing = True
        return stop

    def _readTrailers(self, data: bytes, at: int) -> int:
        before = len(self._held)
        block = self._held + data[at : at + _MAX_TRAILERS + 4]
        if block[:2] == b"\r\n":
            end = 2
        else:
            end = block.find(b"\r\n\r\n") + 4
            if end < 4 or end > _MAX_TRAILERS:
                if len(block) > _MAX_TRAILERS or _hasBare(block):
                    raise BadMessage(400, "bad or too many trailers")
                if data.find(b"\n", at) >= 0:
                    # What has come is passed on at once: no line of it may be a bad one.  Those that had
                    # come before were looked at then.
                    seen = self._held.rfind(b"\r\n")
                    start = seen + 2 if seen >= 0 else 0
                    checkTrailers(
                        block[start : block.rindex(b"\r\n") + 2] + b"\r\n", self._barred, self._rules
                    )
                self._held = block
                return len(data)
            checkTrailers(block[:end], self._barred, self._rules)
        self._held = b""
        self.trailers = block[: end - 2]
        self.isDone = True
        return at + end - before
