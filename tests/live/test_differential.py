"""
Requests made to be misunderstood, sent through a real plane to an origin that
records every byte: what llhttp, h11 and twisted.web make of these bytes is what
we took in from the client, message by message, and nothing else.
"""

from __future__ import annotations

import queue
import random
import selectors
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


class _Heard:
    """
    One connection to the origin.
    """

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.answerer = _Answerer()
        self.parser = httptools.HttpRequestParser(self.answerer)
        self.answered = 0


class RecordingOrigin:
    """
    An origin in a thread of its own.  It answers each message that llhttp finds
    in what comes, and keeps the bytes.
    """

    def __init__(self) -> None:
        self._heard: dict[_Heard, bytes] = {}
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._socket, selectors.EVENT_READ)
        self._mine, self._theirs = socket.socketpair()
        self._selector.register(self._theirs, selectors.EVENT_READ)
        self._streams: queue.SimpleQueue[list[bytes]] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """
        Accept no more.
        """
        self._mine.close()
        self._thread.join()

    def streams(self) -> list[bytes]:
        """
        What was received since this was last asked, put together by connection, in
        the order in which these first spoke: once everything is read that has come.
        """
        self._mine.send(b"?")
        return self._streams.get(timeout=PATIENCE)

    def _run(self) -> None:
        isAsked = isOver = False
        while not isOver:
            ready = self._selector.select(0 if isAsked else None)
            if not ready:
                # Asked, and nobody has said anything more.
                isAsked = False
                self._streams.put(list(self._heard.values()))
                self._heard = {}
            for key, _ in ready:
                if key.fileobj is self._theirs:
                    isAsked = bool(self._theirs.recv(1))
                    isOver = not isAsked
                elif key.fileobj is self._socket:
                    connection, _ = self._socket.accept()
                    self._selector.register(connection, selectors.EVENT_READ, _Heard(connection))
                elif not self._reads(key.data):
                    self._selector.unregister(key.fileobj)
                    key.data.connection.close()
        for key in self._selector.get_map().values():
            key.fileobj.close()  # type: ignore[union-attr]
        self._selector.close()

    def _reads(self, heard: _Heard) -> bool:
        """
        Whether more may come on a connection.
        """
        try:
            data = heard.connection.recv(65536)
            if not data:
                return False
            self._heard[heard] = self._heard.get(heard, b"") + data
            heard.parser.feed_data(data)
            while heard.answered < heard.answerer.complete:
                heard.answered += 1
                heard.connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                if heard.parser.get_http_version() == "1.0":
                    return False
        except (OSError, httptools.HttpParserError):
            return False
        return True


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

    timeout = 900

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
