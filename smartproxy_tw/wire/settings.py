"""
The settings of an HTTP/2 peer (RFC 9113 section 6.5), read and held against their
rules.

What is not known is passed over, as demanded.  Settings that only advise us
(the frames and the fields that the peer takes: we never send frames above what all
take) are held against their rules all the same.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from .frames import (
    ENABLE_CONNECT_PROTOCOL,
    ENABLE_PUSH,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    INITIAL_WINDOW_SIZE,
    MAX_FRAME_SIZE,
    MOST_PAYLOAD,
    MOST_WINDOW,
    NO_RFC7540_PRIORITIES,
    PROTOCOL_ERROR,
    Fault,
)

__all__ = ["readSettings"]

_LONGEST_FRAME: Final = (1 << 24) - 1
_FLAGS = frozenset((ENABLE_PUSH, ENABLE_CONNECT_PROTOCOL, NO_RFC7540_PRIORITIES))

_SETTING = Struct(">HL")


def readSettings(payload: bytes, isServers: bool) -> dict[int, int]:
    """
    Read what a SETTINGS frame says.

    @param payload: It, of a frame that is no acknowledgement.
    @param isServers: Whether a server sent it.
    @return: Value by number; of a setting that is there twice the last one, since they
        are to be applied in order.
    @raise Fault: A value that may not be.
    """
    if len(payload) % 6:
        raise Fault(FRAME_SIZE_ERROR, f"SETTINGS of {len(payload)} bytes")
    values: dict[int, int] = {}
    for number, value in _SETTING.iter_unpack(payload):
        if number in _FLAGS:
            if value > 1 or (isServers and number == ENABLE_PUSH and value):
                raise Fault(PROTOCOL_ERROR, f"the value {value} of the setting {number}")
        elif number == INITIAL_WINDOW_SIZE:
            if value > MOST_WINDOW:
                raise Fault(FLOW_CONTROL_ERROR, f"an initial window of {value} bytes")
        elif number == MAX_FRAME_SIZE:
            if not MOST_PAYLOAD <= value <= _LONGEST_FRAME:
                raise Fault(PROTOCOL_ERROR, f"frames of at most {value} bytes")
        values[number] = value
    return values
