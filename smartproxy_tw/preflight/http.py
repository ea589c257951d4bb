"""
Who answers at an address: read from the answer to a request for a challenge's file.

Bytes in, facts out; nothing here owns a connection.  An answer is read as far as it
has to be and no further than L{MOST_BYTES}, and whatever it is, it is an answer.
"""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import urljoin, urlsplit

from ..values import dataclass
from .facts import Elsewhere, Ours, Stranger

__all__ = ["MOST_BYTES", "Again", "Told", "read", "request", "shown"]

#: So much of an answer is read.
MOST_BYTES = 16384

#: Of a text from outside, so much is shown.
_SHOWN = 100

_STATUS = re.compile(rb"HTTP/1\.[0-9] ([1-5][0-9]{2})(?:[ \r\n]|$)")
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_END = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True, slots=True)
class Again:
    """
    It sends to another place of the same name, which is asked in turn.

    @ivar scheme: By which.
    @ivar path: With its query; ASCII.
    """

    scheme: Literal["http", "https"]
    path: str


#: What an answer says.
Told = Ours | Stranger | Elsewhere | Again


def request(name: str, path: str, agent: str) -> bytes:
    """
    Ask as an authority does.

    @param name: For Host; ASCII.
    @param path: Of the file.
    @param agent: Who asks.
    """
    host = f"[{name}]" if ":" in name else name
    return (
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {agent}\r\nAccept: */*\r\n"
        "Connection: close\r\n\r\n"
    ).encode("ascii")


def shown(text: bytes | str) -> str:
    """
    A text from outside, fit for a log line.
    """
    if isinstance(text, bytes):
        text = text[: _SHOWN + 1].decode("latin-1")
    plain = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text[:_SHOWN])
    return plain if len(text) <= _SHOWN else plain + "..."


def read(
    data: bytes, wanted: bytes, name: str, url: str, ports: tuple[int, int], *, isOver: bool
) -> Told | None:
    """
    Read what there is of an answer.

    @param data: From its beginning.
    @param wanted: What only this proxy answers.
    @param name: Who was asked for.
    @param url: Of what was asked.
    @param ports: Of HTTP and HTTPS, to which authorities let themselves be sent.
    @param isOver: Whether no more will come.
    @return: L{None}: more is needed.
    """
    isOver = isOver or len(data) >= MOST_BYTES
    data = data[:MOST_BYTES]
    if not b"HTTP/1.".startswith(data[:7]):
        return Stranger(_mute(data))
    end = _END.search(data)
    if end is None:
        if not isOver:
            return None
        return Stranger("something that gives no whole HTTP answer")
    status = _STATUS.match(data)
    if status is None:
        return Stranger(_mute(data))
    code = int(status[1])
    head = data[: end.start()]
    if code in _REDIRECTS:
        location = _field(head, b"location")
        if location is not None:
            return _led(location, name, url, ports) or Stranger(_who(head, code))
    if code == 200:
        body = data[end.end() :]
        if wanted in body:
            return Ours()
        length = _field(head, b"content-length")
        isWhole = length is not None and length.isdigit() and len(body) >= int(length[:9])
        if not isOver and not isWhole:
            return None
    return Stranger(_who(head, code))


def _mute(data: bytes) -> str:
    return f"something that does not speak HTTP ({shown(data[:20].splitlines()[0])})"


def _who(head: bytes, code: int) -> str:
    server = _field(head, b"server")
    return f"status {code}" + (f" by {shown(server)}" if server else "")


def _led(location: bytes, name: str, url: str, ports: tuple[int, int]) -> Told | None:
    try:
        target = urljoin(url, location.decode("ascii"))
        parts = urlsplit(target)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except (UnicodeDecodeError, ValueError):
        return None
    if parts.scheme not in ("http", "https") or not parts.path.isprintable() or " " in target:
        return None
    index = parts.scheme == "https"
    if (parts.hostname or "").rstrip(".") != name or port not in (ports[index], (80, 443)[index]):
        return Elsewhere(shown(target))
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Again("https" if index else "http", path)


def _field(head: bytes, name: bytes) -> bytes | None:
    found = re.search(rb"\n" + name + rb":[ \t]*([^\r\n]*)", head, re.IGNORECASE)
    return None if found is None else found[1].strip(b" \t")
