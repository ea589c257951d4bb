"""
The lines of the access log: from what ended to text, pure.

Whatever came from outside is escaped, so that no one can forge a line.
"""

from __future__ import annotations

import json
import re
import time
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from ..wire.trace import traceOf

if TYPE_CHECKING:
    from ..config.model import Route
    from ..facts import ConnectionFacts
    from ..wire.http1 import Request
    from .door import Prepared
    from .numbers import Numbers

__all__ = ["CombinedLines", "Entry", "JSONLines", "Lines", "LogfmtLines", "Refused", "Served", "Streamed"]

_REFERER = re.compile(rb"(?i)\nreferer:[\t ]*+([^\r]*+)")
_AGENT = re.compile(rb"(?i)\nuser-agent:[\t ]*+([^\r]*+)")
_PLAIN = re.compile(r"[!#-<>-\[\]-~]+")
_UNSAFE = re.compile(r"[^ !#-\[\]-~]")


class Served(NamedTuple):
    """
    A request that was answered, in whatever way.

    @ivar client: The address of the peer.
    @ivar started: When its head was there, on the reactor's clock.
    @ivar ended: When the answer's last byte was given to the kernel.
    @ivar status: Of the answer; 0 when there was none.
    @ivar size: Of the answer's body, in bytes.
    @ivar received: Of the request's body, in bytes, what was read.
    @ivar number: Of the request.
    """

    prepared: Prepared
    client: str
    started: float
    ended: float
    status: int
    size: int
    received: int
    number: int


class Refused(NamedTuple):
    """
    Something that was not quite a request.

    @ivar first: The beginning of its first line.
    """

    first: bytes
    client: str
    ended: float
    status: int
    size: int


class Streamed(NamedTuple):
    """
    A connection that was not HTTP.

    @ivar sent: Bytes from the client to the target.
    @ivar received: Bytes from the target to the client.
    """

    route: Route
    connection: ConnectionFacts
    started: float
    ended: float
    sent: int
    received: int


#: What a line is made of.
Entry = Served | Refused | Streamed


def _escaped(data: bytes) -> str:
    """
    Printable ASCII without quotes and backslashes, the rest as C{\\xhh}.
    """
    return _UNSAFE.sub(lambda match: f"\\x{ord(match[0]):02x}", data[:2000].decode("latin-1"))


def _field(pattern: re.Pattern[bytes], raw: bytes) -> bytes | None:
    found = pattern.search(raw)
    return found[1] if found is not None else None


def _version(request: Request) -> str:
    """
    The version of HTTP that a request came by.
    """
    return request.raw[: request.raw.index(b"\r")].rpartition(b" ")[2].decode("ascii")


class CombinedLines:
    """
    The combined format of Apache's httpd.
    """

    def __init__(self) -> None:
        self._second = -1
        self._stamp = ""

    def _when(self, now: float) -> str:
        second = int(now)
        if second != self._second:
            self._second = second
            self._stamp = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(second))
        return self._stamp

    def line(self, entry: Entry, offset: float) -> str:
        """
        @param offset: From the reactor's clock to the time of day, in seconds.
        @return: One line with its newline, ASCII.
        """
        when = self._when(entry.ended + offset)
        if isinstance(entry, Served):
            prepared = entry.prepared
            # Made once for each head: heads that come again are the rule.
            known = prepared.record
            if known is None:
                known = prepared.record = _halves(prepared.request.raw)
            first, last = known
            who = prepared.client or entry.client
            return f"{who} - - [{when}] {first} {entry.status} {entry.size} {last}\n"
        if isinstance(entry, Refused):
            first = _escaped(entry.first)
            return f'{entry.client} - - [{when}] "{first}" {entry.status} {entry.size} "-" "-"\n'
        connection = entry.connection
        what = _stream(connection.serverName, connection.port, entry.route.name)
        return f'{connection.client.host} - - [{when}] "{what}" 000 {entry.received} "-" "-"\n'


@lru_cache(maxsize=1000)
def _stream(serverName: str | None, port: int, route: str) -> str:
    """
    What stands in the place of a request line.
    """
    return _escaped(f"STREAM {serverName or '-'}:{port} {route}".encode())


def _halves(raw: bytes) -> tuple[str, str]:
    """
    What a combined line has of a head: the request line, then referrer and
    agent.
    """
    request = _escaped(raw[: raw.index(b"\r")])
    referer = _escaped(_field(_REFERER, raw) or b"-")
    agent = _escaped(_field(_AGENT, raw) or b"-")
    return f'"{request}"', f'"{referer}" "{agent}"'


class _FactLines:
    """
    Lines that have each fact with its name.

    @ivar numbers: Of requests; L{None}: they have none.
    """

    def __init__(self) -> None:
        self.numbers: Numbers | None = None

    def _facts(self, entry: Entry, offset: float) -> dict[str, object]:
        facts: dict[str, object] = {"time": round(entry.ended + offset, 3)}
        if isinstance(entry, Served):
            facts |= _served(entry)
            if self.numbers is not None:
                number = entry.prepared.number.decode("ascii") or self.numbers.text(entry.number)
                facts["request_id"] = number
        elif isinstance(entry, Refused):
            facts |= {
                "client": entry.client,
                "request": entry.first.decode("latin-1"),
                "status": entry.status,
                "bytes": entry.size,
            }
        else:
            facts |= {
                "client": entry.connection.client.host,
                "port": entry.connection.port,
                "server_name": entry.connection.serverName,
                "route": entry.route.name,
                "bytes_sent": entry.sent,
                "bytes_received": entry.received,
                "seconds": round(entry.ended - entry.started, 6),
            }
        return facts


class JSONLines(_FactLines):
    """
    One JSON object on each line.
    """

    def line(self, entry: Entry, offset: float) -> str:
        """
        As L{CombinedLines.line}.
        """
        return json.dumps(self._facts(entry, offset), separators=(",", ":")) + "\n"


class LogfmtLines(_FactLines):
    """
    C{name=value} for each fact that there is; a value that is not plain is quoted as in
    JSON.
    """

    def line(self, entry: Entry, offset: float) -> str:
        """
        As L{CombinedLines.line}.
        """
        facts = self._facts(entry, offset)
        return " ".join(f"{name}={_word(value)}" for name, value in facts.items() if value is not None) + "\n"


def _word(value: object) -> str:
    if not isinstance(value, str):
        return str(value)
    return value if _PLAIN.fullmatch(value) else json.dumps(value)


def _served(entry: Served) -> dict[str, object]:
    prepared = entry.prepared
    request = prepared.request
    referer = _field(_REFERER, request.raw)
    agent = _field(_AGENT, request.raw)
    trace = traceOf(request.raw)
    return {
        "client": prepared.client or entry.client,
        "method": request.method.decode("ascii"),
        "host": request.host,
        "target": request.target.origin.decode("ascii"),
        "version": _version(request),
        "status": entry.status,
        "bytes": entry.size,
        "bytes_received": entry.received,
        "seconds": round(entry.ended - entry.started, 6),
        "route": prepared.route.name if prepared.route is not None else None,
        "referer": referer.decode("latin-1") if referer is not None else None,
        "agent": agent.decode("latin-1") if agent is not None else None,
        **({"trace_id": trace} if trace is not None else {}),
    }


#: Any format.
Lines = CombinedLines | JSONLines | LogfmtLines
