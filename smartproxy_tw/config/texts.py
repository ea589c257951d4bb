"""
The small texts of a configuration that have a grammar of their own: paths of
routes, templates of redirects, header fields, e-mail addresses, directories.

Every function takes what somebody wrote and returns the normal form, or raises
L{ValueError} with the end of a sentence that begins with what was written.
"""

from __future__ import annotations

import re
from base64 import b64decode, urlsafe_b64decode
from urllib.parse import urlsplit

from ..wire.target import plainPath
from . import blanks, names
from .model import LETSENCRYPT, LETSENCRYPT_STAGING

__all__ = [
    "DIRECTORIES",
    "SAID",
    "bearerToken",
    "directory",
    "email",
    "fieldName",
    "fieldValue",
    "isLoopback",
    "isOnLoopback",
    "location",
    "macKey",
    "matchedField",
    "method",
    "name",
    "nameServer",
    "routePath",
    "sharedSecret",
]

#: Directories that have a name of their own.
DIRECTORIES = {"letsencrypt": LETSENCRYPT, "letsencrypt-staging": LETSENCRYPT_STAGING}

#: RFC 9110 section 5.6.2.
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
#: RFC 9110 section 5.5, without obs-text.
_VALUE = re.compile(r"[\t\x20-\x7e]*\Z")
#: RFC 3986 section 3.3: the characters of a path.
_PATH = re.compile(r"/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*\Z")
_PARAMETER = re.compile(r":[A-Za-z_][A-Za-z0-9_]*\Z")
#: What a URI may consist of besides the variables of a template.
_URI = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]*\Z")
#: RFC 6750 section 2.1, and long enough that nobody guesses it.
_BEARER = re.compile(r"[A-Za-z0-9._~+/-]{32,512}=*\Z")
#: These are not handed on, and what is not handed on is not matched.
_HOPS = frozenset(
    {"connection", "http2-settings", "keep-alive", "proxy-connection", "te", "transfer-encoding"}
)
#: What the proxy itself says to targets of the client, and of how it has asked.
SAID = frozenset(
    {
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-port",
        "x-forwarded-prefix",
        "x-forwarded-proto",
        "x-real-ip",
        "x-request-id",
    }
)
#: These are set by the data path, which alone knows what is right.
_OURS = frozenset({"date", "content-length", "connection", "transfer-encoding"})


def name(text: str) -> str:
    """
    The name of a route.

    @raise ValueError: It is empty, too long, or would disturb a log line.
    """
    if not text.strip():
        raise ValueError("is empty: leave it out, or give a name")
    if len(text) > 100 or not text.isprintable() or text != text.strip():
        raise ValueError("cannot be a name: up to 100 printable characters, no space at the ends")
    return text


def routePath(text: str) -> str:
    """
    A pattern of C{path}, see L{Route<smartproxy_tw.config.model.Route>}.

    @raise ValueError: It is none.
    """
    if not text.startswith("/"):
        raise ValueError("has to begin with /")
    if not _PATH.match(text):
        raise ValueError(
            "is not a path: no space, query, fragment or letter beyond ASCII "
            "may stand in it (write those as %XX)"
        )
    segments = text.removesuffix("/*").split("/")[1:]
    for segment in segments:
        if "*" in segment:
            raise ValueError("has a * in the wrong place: it can only be the whole last part, as in /api/*")
        if segment.lower().replace("%2e", ".") in (".", ".."):
            raise ValueError("can never match: . and .. are resolved before a path is compared")
        if segment.startswith(":") and not _PARAMETER.match(segment):
            raise ValueError("has a parameter without a proper name: /users/:id, for instance")
    parameters = [segment for segment in segments if segment.startswith(":")]
    for parameter in parameters:
        if parameters.count(parameter) > 1:
            raise ValueError(f"has two parameters named {parameter}")
    # As the paths are that it is compared with.
    return str(plainPath(text.encode("ascii")) or b"", "ascii")


def location(text: str) -> str:
    """
    The template of a redirect, see L{Redirect<smartproxy_tw.config.model.Redirect>}.

    @raise ValueError: It is none, has a variable that does not exist, or would
        let a visitor choose the host (an open redirect).
    """
    pieces = blanks.parse(text, isURL=True)
    if not all(_URI.match(piece) for piece in pieces if isinstance(piece, str)):
        raise ValueError("is not a URL: no space or letter beyond ASCII may stand in it (write those as %XX)")
    if "{path}?{query}" in text or "{path}&{query}" in text:
        raise ValueError("would have the query twice: in a redirect {path} has it already")
    if text.startswith("/"):
        _checkRooted(pieces)
        return text
    _absolute(text)
    return text


def _checkRooted(pieces: tuple[blanks.Piece, ...]) -> None:
    """
    @raise ValueError: The second character may become a slash, and what follows a host.
    """
    first = str(pieces[0])[1:]
    if first:
        isSafe = first[0] not in "/\\"
    else:
        second = pieces[1] if len(pieces) > 1 else None
        isSafe = second is None or (
            isinstance(second, blanks.Blank) and second.name in _SOLID and second.which != "*"
        )
    if not isSafe:
        raise ValueError("would let visitors be sent to any host: begin with https:// and a host")


#: These are never empty and have no slash in them.
_SOLID = ("domain", "method", "param", "port", "route", "scheme")


def _absolute(text: str) -> None:
    """
    @raise ValueError: The text is no absolute HTTP URL with a host.
    """
    found = re.match(r"(?:(?i:https?)|\{scheme\})://([^/?#]*)", text)
    if found is None:
        raise ValueError("has to begin with https://, http:// or /")
    # Which one is meant has a colon before it that is none of a port.
    authority = re.sub(r"\{([a-z]+):[^{}]*\}", r"{\1}", found[1])
    whole = re.split(r"\{(?:path|uri)\}", authority)[0]
    if not whole or "@" in authority:
        raise ValueError("has no proper host: https://{domain}{path}, for instance, was expected")
    host, colon, number = whole.replace("{domain}", "domain").replace("{port}", "1").rpartition(":")
    if not colon or number.endswith("]"):
        host, number = whole.replace("{domain}", "domain"), "1"
    if not number.isdigit() or int(number) not in range(1, 65536):
        raise ValueError("needs a port from 1 to 65535 after the colon")
    if "{" in host:
        raise ValueError("has no proper host: only {domain} can be one")
    try:
        names.host(host)
    except ValueError as why:
        raise ValueError(f"has a host that {why}") from None


def fieldName(text: str) -> str:
    """
    The name of a header field.

    @raise ValueError: It is none, or one that is set for each answer anew.
    """
    if not _TOKEN.match(text):
        raise ValueError("is not the name of a header field")
    if text.lower() in _OURS:
        raise ValueError("is set by the proxy itself and cannot be given")
    return text


def matchedField(text: str) -> str:
    """
    The name of a header field that a route asks for.

    @return: In lower case: case does not matter.
    @raise ValueError: It is none, or one that never goes on as it came, so that
        what was matched would not be what is forwarded.
    """
    if not _TOKEN.match(text):
        raise ValueError("is not the name of a header field")
    found = text.lower()
    if found in _HOPS:
        raise ValueError(
            "is for one hop only and never goes on: to tell WebSockets apart, ask for the field Upgrade"
        )
    plain = found.replace("_", "-")
    if plain == "x-request-id" or (plain in SAID and plain != found):
        raise ValueError("is never believed as it comes, so that no route can ask for it")
    return found


def method(text: str) -> str:
    """
    A method of HTTP (RFC 9110 section 9).

    @raise ValueError: It is none, or one that never comes to a route.
    """
    if not _TOKEN.match(text) or len(text) > 32:
        raise ValueError("is not a method")
    if text != text.upper():
        raise ValueError(f"would never match, as case matters in methods: write {text.upper()}")
    if text in ("CONNECT", "TRACE"):
        raise ValueError("is answered with 405 before any route is asked")
    return text


def fieldValue(text: str) -> str:
    """
    The value of a header field.

    @return: Without white space at its ends.
    @raise ValueError: It has a line break, a control character or a letter
        beyond ASCII.
    """
    if not _VALUE.match(text):
        raise ValueError(
            "cannot be a header value: no line break, control character or letter "
            "beyond ASCII may stand in it"
        )
    return text.strip(" \t")


def email(text: str) -> str:
    """
    Whom an authority may write to.

    @raise ValueError: It is no plain ASCII address.
    """
    if not re.match(r"[!-?A-~]+@[A-Za-z0-9.-]+\Z", text) or text.lower().startswith("mailto:"):
        raise ValueError("is not an e-mail address such as ops@example.com")
    if "," in text or ";" in text or "?" in text:
        raise ValueError("is more than one e-mail address: give one")
    names.host(text.rpartition("@")[2])
    return text


def macKey(text: str) -> bytes:
    """
    A MAC key as authorities hand it out: in base64url, perhaps padded, perhaps
    with the two characters of plain base64.

    @raise ValueError: It is none; the text is not in the message.
    """
    plain = text.strip().rstrip("=").translate({ord("+"): "-", ord("/"): "_"})
    if not re.fullmatch(r"[A-Za-z0-9_-]{2,}", plain) or len(plain) % 4 == 1:
        raise ValueError("is no key in base64url: give it just as the authority shows it")
    return urlsafe_b64decode(plain + "=" * (-len(plain) % 4))


def sharedSecret(text: str) -> bytes:
    """
    A key as C{tsig-keygen} writes it: in base64.

    @raise ValueError: It is none; the text is not in the message.
    """
    try:
        found = b64decode(text.strip(), validate=True)
    except ValueError:
        found = b""
    if not found:
        raise ValueError("has a key that is no base64: give it just as the server's configuration has it")
    return found


def nameServer(text: str) -> tuple[str, int]:
    """
    A server of the DNS.

    @param text: An IP address or a name, with a port or without.
    @return: Its host in normal form, and the port, 53 where none is given.
    @raise ValueError: It is none.
    """
    if names.isAddress(text):
        return names.host(text), 53
    rest, colon, digits = text.rpartition(":")
    if not colon or text.endswith("]"):
        return names.host(text), 53
    if not re.fullmatch("[0-9]{1,5}", digits) or not 0 < int(digits) < 65536:
        raise ValueError("has no port from 1 to 65535 after its last colon")
    return names.host(rest), int(digits)


def listener(text: str) -> tuple[str, int]:
    """
    Where to listen for what is nobody's business but ours.

    @param text: An IP address with a port, or a port: then on this machine only.
    @return: The IP address in normal form, and the port.
    @raise ValueError: It is neither.
    """
    rest, colon, digits = text.rpartition(":")
    if not re.fullmatch("[0-9]{1,5}", digits) or not 0 < int(digits) < 65536 or names.isAddress(text):
        raise ValueError("has no port from 1 to 65535 at its end")
    if not colon:
        return "127.0.0.1", int(digits)
    bare = rest[1:-1] if rest.startswith("[") and rest.endswith("]") else rest
    if not names.isAddress(bare) or (":" in bare) is not (bare != rest):
        raise ValueError("does not begin with an IP address: 0.0.0.0 or [::] would be all of them")
    return names.host(bare), int(digits)


def bearerToken(text: str) -> str:
    """
    What somebody shows who may speak to the proxy by TCP.

    @raise ValueError: It is none that could be sent, or one that could be guessed; the
        text is not in the message.
    """
    found = text.strip()
    if not _BEARER.match(found):
        raise ValueError(
            "has a token that cannot be used: it needs at least 32 characters, letters, digits and -._~+/"
            " only (openssl rand -hex 32)"
        )
    return found


def directory(text: str) -> str:
    """
    The directory of an ACME authority.

    @param text: One of L{DIRECTORIES}, or a URL.
    @return: The URL.
    @raise ValueError: It is neither, or would speak HTTP without TLS to
        another machine (RFC 8555 section 6.1 wants HTTPS).
    """
    if text in DIRECTORIES:
        return DIRECTORIES[text]
    known = ", ".join(DIRECTORIES)
    if "://" not in text:
        raise ValueError(f"is no directory: {known} or a URL was expected")
    if not _URI.match(text):
        raise ValueError("is not a URL: no space or letter beyond ASCII may stand in it")
    try:
        parts = urlsplit(text)
        host = names.host(parts.hostname or "")
        isPortRight = parts.port != 0
    except ValueError as why:
        raise ValueError(f"is not a URL that can be asked: {why}") from None
    if (
        not isPortRight
        or parts.scheme not in ("https", "http")
        or parts.username is not None
        or parts.fragment
    ):
        raise ValueError("is no directory: https://, a host, perhaps a port, and a path were expected")
    if parts.scheme == "http" and not isLoopback(host):
        raise ValueError("has to be https: plain http is only for an authority on this machine")
    return text


def isOnLoopback(url: str) -> bool:
    """
    Whether a directory is on this machine, so that nobody else uses it.

    @param url: A normal form of L{directory}.
    """
    return isLoopback(names.host(urlsplit(url).hostname or ""))


def isLoopback(host: str) -> bool:
    """
    Whether only this machine comes to a host.

    @param host: In normal form.
    """
    if names.isAddress(host):
        return host.startswith("127.") or host == "::1"
    return host == "localhost" or host.endswith(".localhost")
