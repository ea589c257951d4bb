"""
Tests for L{smartproxy_tw.upstream.asking}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.upstream.asking import Question, Unanswered
from smartproxy_tw.wire.frames import PROTOCOL_ERROR, frame, goAway, reset, settings
from smartproxy_tw.wire.hpack import encodeHead


def head(stream: int, *fields: tuple[bytes, bytes]) -> bytes:
    """
    HEADERS.
    """
    return frame(1, 4, stream, encodeHead(fields))


class QuestionTests(SynchronousTestCase):
    """
    What is made of answers.
    """

    def test_status(self) -> None:
        """
        The status of the final answer, however it comes.
        """
        answer = settings({}) + head(1, (b":status", b"103")) + head(1, (b":status", b"204"))
        for cut in range(len(answer)):
            question = Question("http", "a.test", "/")
            found = question.hear(answer[:cut]) or question.hear(answer[cut:])
            self.assertEqual(found, 204)

    def test_none(self) -> None:
        """
        When there will be none that is said.
        """
        for said, why in (
            (settings({}) + reset(1, PROTOCOL_ERROR), "it resets the stream (PROTOCOL_ERROR)"),
            (settings({}) + goAway(0, 0), "it resets the stream (REFUSED_STREAM)"),
            (b"HTTP/1.1 400 Bad Request\r\n", "what it answers is no HTTP/2"),
        ):
            question = Question("http", "a.test", "/")
            error = self.assertRaises(Unanswered, question.hear, said)
            self.assertIn(why, str(error))

    @given(some.binary(max_size=60))
    def test_anything(self, data: bytes) -> None:
        """
        Nothing else escapes, whatever comes.
        """
        question = Question("https", "a.test", "/x")
        try:
            self.assertIsNone(question.hear(settings({}) + data) and None)
        except Unanswered:
            pass
