"""
What an HTTP/2 session tells whoever holds it.

Each is a small named tuple, because they are made for every request and a tuple is
what Python makes fastest.  Ask for C{type(event) is Data}: tuples of two types can be
equal.

A stream ends on the other side's part by C{isEnded} or by L{Trailers}, and altogether
by L{Reset}; after L{Closed} there are no streams any more, and no L{Reset} for each.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = [
    "AnswerBegan",
    "Closed",
    "Data",
    "Event",
    "Fields",
    "HeadTooLarge",
    "Leaving",
    "Pong",
    "RequestBegan",
    "Reset",
    "SettingsChanged",
    "Trailers",
]

#: Names and values in the order in which they came.
Fields = list[tuple[bytes, bytes]]


class RequestBegan(NamedTuple):
    """
    A client asks.  What the fields say was not judged but for the length of the body.
    """

    stream: int
    fields: Fields
    isEnded: bool


class HeadTooLarge(NamedTuple):
    """
    A client asks with more fields than are taken: 431.  The stream is open, to be
    answered or reset.
    """

    stream: int
    isEnded: bool


class AnswerBegan(NamedTuple):
    """
    A server answers; C{isInterim} when its status is 1xx, and the answer is still to
    come.  The first field is a C{:status} of three digits.
    """

    stream: int
    fields: Fields
    isEnded: bool
    isInterim: bool


class Data(NamedTuple):
    """
    A part of a body.  C{credit} bytes are to be given back by C{session.credit} when it
    was taken; at the end of a body C{data} may be empty and C{credit} 0.
    """

    stream: int
    data: bytes
    credit: int
    isEnded: bool


class Trailers(NamedTuple):
    """
    The fields after a body, with which it ends.
    """

    stream: int
    fields: Fields


class Reset(NamedTuple):
    """
    A stream is over before its time.  C{isOurs} when the other side broke a rule on it,
    and the session has told it so.  Of a request that was certainly not acted on the
    code is REFUSED_STREAM: it may be tried again elsewhere.
    """

    stream: int
    code: int
    isOurs: bool


class Leaving(NamedTuple):
    """
    The other side takes no streams after C{last}; those up to it go on.
    """

    last: int
    code: int


class SettingsChanged(NamedTuple):
    """
    The other side's settings came, the first ones or others.
    """

    isFirst: bool


class Pong(NamedTuple):
    """
    An answer to a ping of ours.
    """

    opaque: bytes


class Closed(NamedTuple):
    """
    The connection is beyond repair.  When C{isOurs} what is to be sent ends with GOAWAY.
    """

    code: int
    reason: str
    isOurs: bool


Event = (
    RequestBegan
    | HeadTooLarge
    | AnswerBegan
    | Data
    | Trailers
    | Reset
    | Leaving
    | SettingsChanged
    | Pong
    | Closed
)
