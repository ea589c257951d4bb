"""
The answers that the data path gives by itself, as bytes.
"""

from __future__ import annotations

from email.utils import formatdate
from http import HTTPStatus

__all__ = ["dateLine", "plainAnswer", "statusLine"]

_LINES = {int(status): f"HTTP/1.1 {int(status)} {status.phrase}\r\n".encode() for status in HTTPStatus}
# Renamed by RFC 9110 section 15.5; the library has the old words.
_LINES[413] = b"HTTP/1.1 413 Content Too Large\r\n"
_LINES[414] = b"HTTP/1.1 414 URI Too Long\r\n"
_PLAIN = b"Content-Type: text/plain; charset=utf-8\r\n"


def statusLine(status: int) -> bytes:
    """
    @param status: 100..599, registered or not.
    @return: The status line with its CR LF.
    """
    return _LINES.get(status) or b"HTTP/1.1 %d \r\n" % status


def plainAnswer(status: int) -> tuple[int, bytes, bytes]:
    """
    A short answer for a person.

    @return: The status, header lines, and a body that says the status in
        words and nothing of what is behind the proxy.
    """
    words = statusLine(status)[9:-2]
    return status, _PLAIN, words + b"\n"


def dateLine(seconds: float) -> bytes:
    """
    @param seconds: Since 1970.
    @return: The Date field (RFC 9110 section 6.6.1) with its CR LF.
    """
    return f"Date: {formatdate(seconds, usegmt=True)}\r\n".encode("ascii")
