"""
What is kept of request bodies, and of messages of WebSockets, for code that wants them whole,
in all of a process.

One of them is bounded by whoever asks for it; this bounds them together, so that many clients
cannot have a process hold what it has not got.  Only bytes that have come count: a client
that has announced many and sends none takes no room from others.
"""

from __future__ import annotations

__all__ = ["Hoard"]


class Hoard:
    """
    @ivar held: Bytes, now.
    """

    __slots__ = ("_most", "held")

    def __init__(self) -> None:
        self.held = 0
        self._most = 0

    def use(self, most: int) -> None:
        """
        From now on so much is held; what is held already stays.

        @param most: In bytes.
        """
        self._most = most

    def take(self, size: int) -> bool:
        """
        Hold more.

        @return: Whether there is room; if not, nothing was taken.
        """
        if self.held + size > self._most:
            return False
        self.held += size
        return True

    def give(self, size: int) -> None:
        """
        Hold so much less.
        """
        self.held -= size
