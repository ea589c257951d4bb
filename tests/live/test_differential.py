"""
Requests made to be misunderstood, sent through a real plane to an origin that
records every byte: what llhttp, h11 and twisted.web make of these bytes is what
we took in from the client, message by message, and nothing else.
"""

from __future__ import annotations

import random
import socket
import threading
from dataclasses import dataclass

import httptools
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from smartproxy_tw.config.model import AccessLog, Config, Forward, Route, Target
from smartproxy_tw.control.local import LocalPlane
from smartproxy_tw.wire.http1 import CHUNKED, BadMessage, parseRequest

from ..wire.oracles import byH11, byLLHTTP, byTwisted
from ..wire.test_differential import BODIES, FRAMING, PLAIN, STARTS, changed, dechunked, split
from .running import PATIENCE

#: Method, target and content; C{None} for a body that never ended.
Told = tuple[bytes, bytes, bytes | None]

_ROUNDS = 1200
_METHODS = (b"GET", b"POST", b"PUT", b"DELETE")


@dataclass
class _Answerer:
    """
    Counts the messages that llhttp has seen the end of.
    """

    complete: int = 0

    def on_message_complete(self) -> None:
        self.complete += 1


class RecordingOrigin:
    """
    An origin in threads of its own.  It answers each message that llhttp finds
    in what comes, and keeps the bytes.

    @ivar heard: What was received, in its order, each with the number of its
        connection.
    """

    def __init__(self) -> None:
        self.heard: list[tuple[int, bytes]] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """
        Accept no more.
        """
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def streams(self) -> list[bytes]:
        """
        What was received, put together by connection, in the order in which
        these first spoke.
        """
        found: dict[int, bytes] = {}
        for number, data in self.heard:
            found[number] = found.get(number, b"") + data
        return list(found.values())

    def _accept(self) -> None:
        try:
            while True:
                connection, _ = self._socket.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()
        except OSError:
            return

    def _serve(self, connection: socket.socket) -> None:
        answerer = _Answerer()
        parser = httptools.HttpRequestParser(answerer)
        answered = 0
        with connection:
            try:
                while data := connection.recv(65536):
                    self.heard.append((connection.fileno(), data))
                    parser.feed_data(data)
                    while answered < answerer.complete:
                        answered += 1
                        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                        if parser.get_http_version() == "1.0":
                            return
            except (OSError, httptools.HttpParserError):
                return


def talk(port: int, pieces: list[bytes]) -> bytes:
    """
    Say something, and hear everything that is said in return.
    """
    heard = b""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as client:
        for piece in pieces:
            client.sendall(piece)
        client.shutdown(socket.SHUT_WR)
        while data := client.recv(65536):
            heard += data
    return heard


def expected(data: bytes) -> list[Told]:
    """
    The messages that our own reading finds in what a client sends.
    """
    found: list[Told] = []
    while data:
        data = data.removeprefix(b"\r\n")
        try:
            request = parseRequest(data)
        except BadMessage:
            break
        if request is None:
            break
        data = data[len(request.raw) :]
        parted = split(data, request.length)
        body = None
        if parted is not None:
            body, data = parted
            body = dechunked(body) if request.length == CHUNKED else body
        found.append((request.method, request.target.origin, body))
        if parted is None or not request.keepAlive:
            break
    return found


def evil(chance: random.Random, number: int) -> bytes:
    """
    A message or two, perhaps all right, and a last one that is.
    """
    data = b""
    for _ in range(chance.choice((1, 1, 2))):
        lines = [chance.choice(FRAMING + PLAIN * 2) for _ in range(chance.randrange(4))]
        start, body = chance.choice(STARTS), chance.choice(BODIES)
        message = b"\r\n".join([start, b"Host: shop.example", *lines, b"", b""]) + body
        if chance.random() < 0.5:
            for _ in range(chance.choice((1, 2))):
                value = bytes(chance.choices(b"\r\n\0 \t:;,a0\x80", k=chance.randrange(3)))
                message = changed(message, [(chance.randrange(len(message)), value)])
        data += message
    return data + b"GET /last/%d HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n" % number


class DifferentialTests(TestCase):
    """
    What the origin hears is what we understood.
    """

    timeout = 240

    async def setUp(self) -> None:
        """
        A plane with one port that forwards to the origin.
        """
        self.origin = RecordingOrigin()
        self.addCleanup(self.origin.close)
        self.plane = LocalPlane(reactor)
        await self.plane.start()
        self.addCleanup(self.plane.drain, 0)
        listening = reactor.listenTCP(0, Factory(), interface="127.0.0.1")  # type: ignore[attr-defined]
        listening.stopReading()
        self.addCleanup(listening.stopListening)
        self.port: int = listening.getHost().port
        forward = Forward((Target("127.0.0.1", self.origin.port),))
        route = Route("all", (self.port,), forward, "http")
        await self.plane.useTable(Config((route,), "/nowhere", accessLog=AccessLog("off")))
        await self.plane.adopt(listening, self.port)

    def test_origin(self) -> Deferred[None]:
        """
        Hundreds of them, whole and in two pieces.
        """
        return deferToThread(self.sendAll)

    def sendAll(self) -> None:
        """
        Send and compare; in a thread, as it waits.
        """
        chance = random.Random(9112)
        complete = 0
        for number in range(_ROUNDS):
            data = evil(chance, number)
            cut = chance.randrange(len(data)) if chance.random() < 0.5 else 0
            if b"\r\n" * 3 in data:
                cut = 0  # how many empty lines are forgiven depends on how they come
            told = expected(data)
            if any(method not in _METHODS for method, _, _ in told):
                continue  # a method of its own making, which llhttp does not know
            self.origin.heard.clear()
            answers = talk(self.port, [data[:cut], data[cut:]] if cut else [data])
            self.compare(told, self.origin.streams(), data)
            whole = sum(content is not None for _, _, content in told)
            self.assertEqual(answers.count(b"HTTP/1.1 200 OK\r\n"), whole, (data, answers))
            self.assertIn(b"Connection: close\r\n", answers, (data, answers))
            complete += whole
        self.assertGreater(complete, _ROUNDS // 4)

    def compare(self, told: list[Told], heard: list[bytes], data: bytes) -> None:
        """
        Each oracle finds in the streams the messages that we told, in their
        order.  What did not end for us ended for nobody.
        """
        for oracle in (byLLHTTP, byH11, byTwisted):
            found: list[Told] = []
            for stream in heard:
                for message in oracle(stream) or ():
                    if message.start:
                        method, target = message.start
                        found.append((method, target, message.body if message.isDone else None))
            where = (oracle.__name__, data, heard)
            ended = [each for each in told if each[2] is not None]
            self.assertEqual([each for each in found if each[2] is not None], ended, where)
            for each, mine in zip(found, told, strict=False):
                self.assertEqual(each[:2], mine[:2], where)
            self.assertLessEqual(len(found), len(told), where)
