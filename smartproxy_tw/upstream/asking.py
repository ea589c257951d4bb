"""
A question by HTTP/2 to a target that is looked at: bytes in, a status out, and no more of
the answer.
"""

from __future__ import annotations

from ..wire.events import AnswerBegan, Closed, Reset
from ..wire.frames import nameOf
from ..wire.hpack import Decoder, encodeHead
from ..wire.http2 import ClientSession

__all__ = ["Question", "Unanswered"]


class Unanswered(Exception):
    """
    There will be no answer; the text says why, for people.
    """


class Question:
    """
    One question, on a connection of its own.
    """

    def __init__(self, scheme: str, authority: str, path: str) -> None:
        """
        @param scheme: C{http} or C{https}.
        @param authority: Whom it asks for.
        @param path: And what.
        """
        self._session = ClientSession(Decoder())
        fields = {
            ":method": "GET",
            ":scheme": scheme,
            ":authority": authority,
            ":path": path,
            "user-agent": "smartproxy-check",
            "accept": "*/*",
        }
        block = encodeHead([(name.encode("ascii"), value.encode("ascii")) for name, value in fields.items()])
        self._session.request(block, True)

    def hear(self, data: bytes) -> int | None:
        """
        @param data: What has come.
        @return: The status of the answer, once that is known.
        @raise Unanswered: There will be none.
        """
        for event in self._session.receive(data):
            if isinstance(event, AnswerBegan) and not event.isInterim:
                return int(event.fields[0][1])
            if isinstance(event, Closed):
                raise Unanswered(f"what it answers is no HTTP/2: {event.reason}")
            if isinstance(event, Reset):
                raise Unanswered(f"it resets the stream ({nameOf(event.code)})")
        return None

    def outgoing(self) -> bytes:
        """
        What is to be sent now.
        """
        return self._session.outgoing()
