"""
The tools of the attackers.
"""

from __future__ import annotations

import random
import socket

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.wire.frames import CANCEL, DATA, END_HEADERS, END_STREAM, HEADERS, frame, reset

from ..wire.conversations import framesOf
from .crowd import BASE, Crowd, mutated
from .origin import Bad, requestsIn
from .torrents import TORRENTS, Answers, whole


class ToolTests(SynchronousTestCase):
    """
    What attacks is worth what its tools are.
    """

    def test_strict(self) -> None:
        """
        The origin takes a good head and tells what is wrong with a bad one.
        """
        self.assertEqual(requestsIn(b"GET /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"), (b"/a", 5))
        self.assertEqual(
            requestsIn(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"), (b"/", -1)
        )
        for bad in (
            b"GET /a HTTP/1.1\r\n\r\n",
            b"GET /a HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
            b"GET /a HTTP/1.1\r\nHost : x\r\n\r\n",
            b"GET /a HTTP/1.1\r\nHost: x\r\n y\r\n\r\n",
            b"GET /a HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\n",
            b"GET /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"GET /a HTTP/1.1\r\nHost: x\nX: y\r\n\r\n",
            b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
        ):
            self.assertRaises(Bad, requestsIn, bad)

    def test_mutated(self) -> None:
        """
        The same seed gives the same requests, and nearly none is a good one.
        """
        one, other = random.Random(3), random.Random(3)
        found = [mutated(one) for _ in range(300)]
        self.assertEqual(found, [mutated(other) for _ in range(300)])
        self.assertGreater(len(set(found)), 290)
        self.assertFalse(set(BASE) & set(found))

    def test_answers(self) -> None:
        """
        An answer is over with its last data or trailers, or with a reset; who asks for more waits for those.
        """
        answers = Answers()
        self.assertFalse(answers.areOver(1))
        began = b"".join(frame(HEADERS, END_HEADERS, stream, b"") for stream in (1, 3, 5))
        answers.hear(framesOf(began + frame(DATA, 0, 1, b"x") + reset(3, CANCEL)))
        self.assertEqual((answers.begun, answers.open), (3, {1, 5}))
        answers.hear(
            framesOf(frame(DATA, END_STREAM, 1, b"") + frame(HEADERS, END_HEADERS | END_STREAM, 5, b""))
        )
        self.assertEqual((answers.begun, answers.open), (3, set()))
        self.assertTrue(answers.areOver(3))
        self.assertFalse(answers.areOver(4))

    def test_begun(self) -> None:
        """
        Of what has come, frames that are not whole are kept for later.
        """
        answers = Answers()
        said = bytearray()
        for each in frame(HEADERS, END_HEADERS | END_STREAM, 1, b"abc"):
            self.assertEqual(answers.begun, 0)
            said.append(each)
            answers.hear(whole(said))
        self.assertEqual((answers.begun, answers.open, said), (1, set(), bytearray()))

    def test_sentAway(self) -> None:
        """
        A crowd that nobody waits for goes at once.
        """
        with socket.create_server(("127.0.0.1", 0)) as listening:
            listening.settimeout(60)
            crowd = Crowd({"http": listening.getsockname()[1]}, 600.0, {"unbegun": 1})
            self.addCleanup(crowd.close)
            accepted, _ = listening.accept()
            with accepted:
                accepted.settimeout(60)
                self.assertEqual(accepted.recv(100), TORRENTS["unbegun"].first)
                crowd.close()
                self.assertEqual(accepted.recv(100), b"")
