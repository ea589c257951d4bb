"""
The frames of HTTP/2 (RFC 9113 sections 4, 6 and 7): their numbers, and the bytes of
those that we send.

Functions here take what is right and give the bytes; what the other side sends is
read by L{smartproxy_tw.wire.session}, in one place for speed.  DATA and HEADERS, which
are sent all the time, are put together where they are sent
(L{smartproxy_tw.wire.flow}).
"""

from __future__ import annotations

from struct import Struct
from typing import Final

__all__ = [
    "ACK",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "CONTINUATION",
    "DATA",
    "ENABLE_CONNECT_PROTOCOL",
    "ENABLE_PUSH",
    "END_HEADERS",
    "END_STREAM",
    "ENHANCE_YOUR_CALM",
    "FLOW_CONTROL_ERROR",
    "FRAME_SIZE_ERROR",
    "Fault",
    "GOAWAY",
    "HEADER",
    "HEADERS",
    "HEADER_TABLE_SIZE",
    "HTTP_1_1_REQUIRED",
    "INADEQUATE_SECURITY",
    "INITIAL_WINDOW_SIZE",
    "INTERNAL_ERROR",
    "LONG",
    "MAX_CONCURRENT_STREAMS",
    "MAX_FRAME_SIZE",
    "MAX_HEADER_LIST_SIZE",
    "MOST_PAYLOAD",
    "MOST_WINDOW",
    "NO_ERROR",
    "NO_RFC7540_PRIORITIES",
    "PADDED",
    "PING",
    "PREFACE",
    "PRIORITY",
    "PRIORITY_FLAG",
    "PROTOCOL_ERROR",
    "PUSH_PROMISE",
    "REFUSED_STREAM",
    "RST_STREAM",
    "SETTINGS",
    "SETTINGS_ACK",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "USUAL_WINDOW",
    "WINDOW_UPDATE",
    "frame",
    "goAway",
    "nameOf",
    "ping",
    "pong",
    "reset",
    "settings",
    "windowUpdate",
]

#: What a client's connection begins with (section 3.4).
PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

#: A frame's first nine bytes: its length and type in one number (the type is the
#: lowest byte), its flags, its stream with the reserved bit.
HEADER: Final = Struct(">LBL")
#: A number of four bytes.
LONG: Final = Struct(">L")

#: What every peer takes and we take too, in bytes of payload (section 4.2).
MOST_PAYLOAD: Final = 16384
#: The window that both sides begin with, in bytes (section 6.9.2).
USUAL_WINDOW: Final = 65535
#: The largest window there is, in bytes (section 6.9.1).
MOST_WINDOW: Final = 0x7FFFFFFF

# Types (section 6).
DATA: Final = 0
HEADERS: Final = 1
PRIORITY: Final = 2
RST_STREAM: Final = 3
SETTINGS: Final = 4
PUSH_PROMISE: Final = 5
PING: Final = 6
GOAWAY: Final = 7
WINDOW_UPDATE: Final = 8
CONTINUATION: Final = 9

# Flags.
ACK: Final = 0x01
END_STREAM: Final = 0x01
END_HEADERS: Final = 0x04
PADDED: Final = 0x08
PRIORITY_FLAG: Final = 0x20

# Settings (section 6.5.2, RFC 8441 section 3, RFC 9218 section 2.1).
HEADER_TABLE_SIZE: Final = 1
ENABLE_PUSH: Final = 2
MAX_CONCURRENT_STREAMS: Final = 3
INITIAL_WINDOW_SIZE: Final = 4
MAX_FRAME_SIZE: Final = 5
MAX_HEADER_LIST_SIZE: Final = 6
ENABLE_CONNECT_PROTOCOL: Final = 8
NO_RFC7540_PRIORITIES: Final = 9

# Error codes (section 7).
NO_ERROR: Final = 0
PROTOCOL_ERROR: Final = 1
INTERNAL_ERROR: Final = 2
FLOW_CONTROL_ERROR: Final = 3
SETTINGS_TIMEOUT: Final = 4
STREAM_CLOSED: Final = 5
FRAME_SIZE_ERROR: Final = 6
REFUSED_STREAM: Final = 7
CANCEL: Final = 8
COMPRESSION_ERROR: Final = 9
CONNECT_ERROR: Final = 10
ENHANCE_YOUR_CALM: Final = 11
INADEQUATE_SECURITY: Final = 12
HTTP_1_1_REQUIRED: Final = 13

_NAMES = (
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
)

#: The answer to SETTINGS.
SETTINGS_ACK: Final = HEADER.pack(SETTINGS, ACK, 0)

_SETTING = Struct(">HL")
_RESET = Struct(">LBLL")
_GOAWAY = Struct(">LBLLL")


class Fault(Exception):
    """
    The peer broke a rule of the connection, which ends with it (section 5.4.1).  It
    never leaves a session.

    @ivar code: What GOAWAY says, section 7.
    @ivar reason: For the log, and for the peer's.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


def nameOf(code: int) -> str:
    """
    Name an error code for the log.

    @param code: As in RST_STREAM and GOAWAY; any number of four bytes.
    """
    return _NAMES[code] if code < len(_NAMES) else f"0x{code:x}"


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """
    Make any frame.

    @param kind: Its type, 0..255.
    @param flags: 0..255.
    @param stream: The stream it is for; 0 is the connection.
    @param payload: Less than 16 MiB; the peer takes L{MOST_PAYLOAD}.
    """
    return HEADER.pack(len(payload) << 8 | kind, flags, stream) + payload


def settings(values: dict[int, int]) -> bytes:
    """
    Make a SETTINGS frame.

    @param values: By the setting's number; each fits into four bytes.
    """
    return frame(SETTINGS, 0, 0, b"".join([_SETTING.pack(*each) for each in values.items()]))


def reset(stream: int, code: int) -> bytes:
    """
    Make RST_STREAM.

    @param code: Why, section 7.
    """
    return _RESET.pack(4 << 8 | RST_STREAM, 0, stream, code)


def ping(opaque: bytes) -> bytes:
    """
    Make a PING.

    @param opaque: Eight bytes, which come back with the answer.
    """
    return frame(PING, 0, 0, opaque)


def pong(opaque: bytes) -> bytes:
    """
    Make the answer to a PING.

    @param opaque: Its eight bytes.
    """
    return frame(PING, ACK, 0, opaque)


def goAway(last: int, code: int, reason: bytes = b"") -> bytes:
    """
    Make GOAWAY.

    @param last: The last of the peer's streams that was or may still be acted on.
    @param code: Why, section 7.
    @param reason: For the peer's log; a few words.
    """
    return _GOAWAY.pack((8 + len(reason)) << 8 | GOAWAY, 0, 0, last, code) + reason


def windowUpdate(stream: int, size: int) -> bytes:
    """
    Make WINDOW_UPDATE.

    @param stream: Whose window; 0 is the connection's.
    @param size: By how many bytes it grows, 1..L{MOST_WINDOW}.
    """
    return _RESET.pack(4 << 8 | WINDOW_UPDATE, 0, stream, size)
