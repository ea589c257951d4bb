"""
How much of an HTTP/2 peer's conversation may be beside the point.

Most attacks on HTTP/2 are frames that are right, cost the sender nothing and the
receiver something: streams opened and reset (CVE-2023-44487), mistakes that make us
reset them (CVE-2025-8671), SETTINGS, PING, empty DATA, PRIORITY, WINDOW_UPDATE of a
byte.  Legitimate peers send all of these, in proportion to what they ask for.  So there
is one purse for each connection: such frames are paid from it, what is useful fills it
up again, and when it is empty the connection ends with ENHANCE_YOUR_CALM.  No clock has a
part in it; who has one fills a purse of a connection that is only held open
(L{Purse.earn} once in a while).

The prices:

  - a frame that asks for nothing: 1; SETTINGS: 4, because all streams are gone through
  - a stream that is reset, by the peer or because of it: 2, unless it had its answer
  - a head that unfolds to more than we take: 6, of which its answer brings back 4
  - WINDOW_UPDATE: nothing when it gives back at least L{USEFUL} bytes, and no more than
    what was sent and not yet given back; so a client that gives back every 4096 bytes of
    a download of any size pays nothing
  - a request answered to its end: +2, a frame of DATA that the window did not cut short:
    +2 and +1 for each 2048 bytes of it, DATA received of at least L{USEFUL} bytes: +1

With a full purse that is 400 PINGs, or 200 streams reset in a row, as when a browser's
user closes a page of pictures; a thousand frames of any such kind empty it for certain.
"""

from __future__ import annotations

from typing import Final

from .frames import ENHANCE_YOUR_CALM, Fault

__all__ = [
    "ASIDE",
    "FINISHED",
    "FULL",
    "MOST_CONTINUATIONS",
    "MOST_REPLIES",
    "OVERSIZE",
    "RESET",
    "RETUNE",
    "USEFUL",
    "Purse",
]

#: What a purse holds.
FULL: Final = 400
#: The price of a frame that asks for nothing.
ASIDE: Final = 1
#: The price of SETTINGS.
RETUNE: Final = 4
#: The price of a stream that comes to nothing.
RESET: Final = 2
#: The price of a head that is too large.
OVERSIZE: Final = 6
#: What an exchange that comes to its end brings.
FINISHED: Final = 2
#: From so many bytes on a frame of DATA or an update of a window is worth its while.
USEFUL: Final = 512
#: So many CONTINUATION frames may belong to one head (CVE-2024-27316).
MOST_CONTINUATIONS: Final = 8
#: So many replies of ours may wait for a peer that does not read them (CVE-2019-9512).
MOST_REPLIES: Final = 1000


class Purse:
    """
    What one peer may still spend.

    @ivar left: Its contents; below zero it is over.
    @ivar owed: Bytes of DATA that the peer got and has not yet given back, once for the
        stream's window and once for the connection's.
    """

    __slots__ = ("left", "owed")

    def __init__(self) -> None:
        self.left = FULL
        self.owed = 0

    def earn(self, gain: int) -> None:
        """
        Put something in, as far as there is room.

        @param gain: How much.
        """
        left = self.left + gain
        self.left = left if left < FULL else FULL

    def spend(self, price: int, what: str) -> None:
        """
        Take something out.

        @param price: How much.
        @param what: What the peer sent, for the log.
        @raise Fault: It is empty.
        """
        self.left -= price
        if self.left < 0:
            raise Fault(ENHANCE_YOUR_CALM, f"too much that is beside the point, at last {what}")

    def sent(self, size: int, isCut: bool) -> None:
        """
        A frame of DATA goes out.

        @param size: Its bytes.
        @param isCut: Whether it is so small because a window was.
        """
        self.owed += size + size
        if self.left < FULL and not (isCut and size < USEFUL):
            self.earn(2 + (size >> 11))

    def updated(self, size: int) -> None:
        """
        A window was opened by the peer.

        @param size: By so many bytes.
        @raise Fault: It is empty.
        """
        if USEFUL <= size <= self.owed:
            self.owed -= size
        else:
            self.spend(ASIDE, "a window that is opened")
