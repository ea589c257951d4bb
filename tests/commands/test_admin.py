"""
Tests for L{smartproxy_tw.commands.admin}: the way to a proxy, and one that is away.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.commands.admin import Answer, ProxyAway, asking, live, socketOf
from smartproxy_tw.config.model import Admin

from ..service.configurations import BLOG, SHOP, configuration


def whole(connection: socket.socket) -> bytes:
    """
    A question to its end: who hangs up before that may break it off.
    """
    data = b""
    while part := connection.recv(65536):
        data += part
        head, end, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        if end and len(body) >= int(length[1] if length else 0):
            break
    return data


class AwayTests(SynchronousTestCase):
    """
    The way to a proxy, and what is wrong with it.
    """

    def setUp(self) -> None:
        self.state = os.path.abspath(self.mktemp())
        os.mkdir(self.state, 0o700)
        self.path = os.path.join(self.state, "admin.sock")
        self.config = replace(configuration(self.state, SHOP, BLOG), admin=Admin(self.path))

    @contextlib.contextmanager
    def answering(self, *answers: bytes) -> Iterator[list[bytes]]:
        """
        Somebody who answers each connection with the next of these, and notes what
        was asked.
        """
        descriptor = os.open(self.state, os.O_PATH)
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(f"/proc/self/fd/{descriptor}/admin.sock")
        listening.listen()

        asked: list[bytes] = []

        def serve() -> None:
            for each in answers:
                connection, _ = listening.accept()
                with connection:
                    asked.append(whole(connection))
                    connection.sendall(each)

        serving = threading.Thread(target=serve, daemon=True)
        serving.start()
        try:
            yield asked
        finally:
            serving.join(60)
            listening.close()
            os.close(descriptor)
            os.unlink(self.path)

    def away(self, timeout: float = 20.0) -> str:
        """
        Why there is no answer.
        """
        ask = asking(socketOf(self.config), timeout)
        return str(self.assertRaises(ProxyAway, ask, "GET", "/v1/certificates", {}))

    def test_off(self) -> None:
        """
        Where it is switched off that is told.
        """
        why = self.assertRaises(ProxyAway, socketOf, replace(self.config, admin=None))
        self.assertIn("admin: off", str(why))

    def test_notThere(self) -> None:
        """
        Without a socket, with that of a dead process, or without the directory, it is
        told what to do.
        """
        self.assertIn("Start it (twistd", self.away())
        with self.answering():
            pass
        descriptor = os.open(self.state, os.O_PATH)
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(f"/proc/self/fd/{descriptor}/admin.sock")
        os.close(descriptor)
        self.assertIn("Start it (twistd", self.away())
        os.unlink(self.path)
        os.rmdir(self.state)
        self.assertIn("Start it (twistd", self.away())

    def test_strange(self) -> None:
        """
        Who answers with nothing, with no HTTP, with no JSON or not to the end is no
        proxy that can be spoken to.
        """
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
        for answer, told in (
            (b"", "broke off"),
            (b"SSH-2.0-x\r\n", "broke off"),
            (head + b"[]", "no proxy of ours"),
            (head + b"{", "broke off"),
            (head + b"xx", "no proxy of ours"),
        ):
            with self.answering(answer):
                self.assertIn(told, self.away(), answer)

    def test_silent(self) -> None:
        """
        Who says nothing is not waited for without end.
        """
        descriptor = os.open(self.state, os.O_PATH)
        self.addCleanup(os.close, descriptor)
        with socket.socket(socket.AF_UNIX) as silent:
            silent.bind(f"/proc/self/fd/{descriptor}/admin.sock")
            silent.listen()
            self.assertIn("does not answer", self.away(0.05))

    def test_live(self) -> None:
        """
        Who has another source to turn to gets nothing where nobody answers.
        """
        self.assertEqual(live(self.config), {})
        body = json.dumps({"certificates": [{"key": "auto:shop.example"}]}).encode()
        with self.answering(b"HTTP/1.0 200 OK\r\n\r\n" + body):
            self.assertEqual(live(self.config), {"auto:shop.example": {"key": "auto:shop.example"}})

    def test_question(self) -> None:
        """
        What is wanted goes into the path of a question, and into the body of a demand.
        """
        head = b"HTTP/1.0 200 OK\r\n\r\n"
        with self.answering(head + b"{}", head + b"{}") as asked:
            ask = asking(self.path)
            ask("GET", "/v1/certificates", {"name": ["a.test", "b test"]})
            ask("POST", "/v1/reload", {"dry": True})
        self.assertTrue(asked[0].startswith(b"GET /v1/certificates?name=a.test&name=b+test HTTP/1.1\r\n"))
        self.assertTrue(asked[1].startswith(b"POST /v1/reload HTTP/1.1\r\n"))
        self.assertIn(b"Content-Type: application/json", asked[1])

    def test_refused(self) -> None:
        """
        What the proxy refuses is an answer, which says why.
        """
        with self.answering(b'HTTP/1.0 404 No\r\n\r\n{"error": {"message": "No such name."}}'):
            answer = asking(self.path)("GET", "/v1/certificates", {})
        self.assertEqual((answer.status, answer.error), (404, "No such name."))
        self.assertIsNone(Answer(200, {}).error)
