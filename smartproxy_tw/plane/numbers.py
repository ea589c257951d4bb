"""
Numbers for requests, by which they are found again in the logs of others
(X-Request-ID).

Each is a UUID of version 4 as to its form.  What is random in it was drawn once
for the process; the last group counts.  So one costs no system call, two
processes do not share any, and programs that want a UUID have one.  It is no
secret: whoever has seen one can guess the next.
"""

from __future__ import annotations

import re
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Numbers", "believed"]

_ONE = re.compile(rb"[^:]*+:[\t ]*+([0-9A-Za-z._:+/=@~-]{1,200}+)[\t ]*+\r\n")


class Numbers:
    """
    @ivar next: Counts requests.
    @ivar line: The field for a number, to be filled in with C{%}, and the
        empty line that ends a head.
    """

    def __init__(self, randomness: Callable[[int], bytes]) -> None:
        """
        @param randomness: So many random bytes.
        """
        drawn = bytearray(randomness(10))
        drawn[6] = drawn[6] & 0x0F | 0x40
        drawn[8] = drawn[8] & 0x3F | 0x80
        text = drawn.hex()
        self._prefix = f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-"
        self.next: Iterator[int] = count(1)
        self.line = b"X-Request-ID: " + self._prefix.encode("ascii") + b"%012x\r\n\r\n"

    def text(self, number: int) -> str:
        """
        @return: A number as others see it.
        """
        return f"{self._prefix}{number:012x}"


def believed(lines: bytes) -> bytes:
    """
    The number that a trusted peer has given a request.

    @param lines: As L{Request.identified<smartproxy_tw.wire.http1.Request.identified>}.
    @return: Empty when there is none, more than one, or not one that can go on.
    """
    found = _ONE.fullmatch(lines)
    return found[1] if found is not None and b"_" not in lines.partition(b":")[0] else b""
