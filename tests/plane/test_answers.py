"""
The answers that the data path gives by itself.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.plane.answers import dateLine, plainAnswer, statusLine


class AnswerTests(SynchronousTestCase):
    """
    Status lines, bodies and dates.
    """

    def test_statusLine(self) -> None:
        """
        In the words of RFC 9110, and without any for what is not registered.
        """
        for status, wanted in (
            (200, b"HTTP/1.1 200 OK\r\n"),
            (413, b"HTTP/1.1 413 Content Too Large\r\n"),
            (414, b"HTTP/1.1 414 URI Too Long\r\n"),
            (421, b"HTTP/1.1 421 Misdirected Request\r\n"),
            (431, b"HTTP/1.1 431 Request Header Fields Too Large\r\n"),
            (599, b"HTTP/1.1 599 \r\n"),
        ):
            self.assertEqual(statusLine(status), wanted)

    def test_plainAnswer(self) -> None:
        """
        The body says the status in words.
        """
        self.assertEqual(
            plainAnswer(502), (502, b"Content-Type: text/plain; charset=utf-8\r\n", b"502 Bad Gateway\n")
        )

    def test_dateLine(self) -> None:
        """
        The example of RFC 9110 section 5.6.7.
        """
        self.assertEqual(dateLine(784111777), b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n")
