"""
Tests for L{smartproxy_tw.service.conversation}: HTTP by pairs of sockets, with clients
of every kind.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import TestCase

from smartproxy_tw.service.conversation import Conversations
from smartproxy_tw.service.desk import Desk, Question, Reply

reactor: Any = _reactor


class ConversationTests(TestCase):
    """
    One request and its answer.
    """

    timeout = 300

    def setUp(self) -> None:
        self.clock = Clock()
        self.desk = Desk()
        self.desk.take("GET", "/hello", self._hello)
        self.desk.take("POST", "/hello", self._hello)
        self.desk.take("GET", "/many", self._many)
        self.desk.take("GET", "/text", self._lines)
        self.desk.take("GET", "/slow", self._slow)
        self.desk.take("GET", "/broken", self._broken)
        self.conversations = Conversations(self.desk, self.clock)
        self.addCleanup(self.conversations.stop)
        self.asked: list[Question] = []
        self.made = 0
        self.slow: Deferred[None] = Deferred()
        self.cancelled = 0

    async def _hello(self, question: Question) -> Reply:
        self.asked.append(question)
        return Reply({"hello": dict(question.members)}, 200, {"X-Other": "1"})

    async def _many(self, question: Question) -> Reply:
        def items() -> Iterator[Any]:
            for number in range(int(question.parameters["n"][0])):
                self.made += 1
                yield {"number": number, "text": "x" * 500}

        return Reply({"first": 1}, listing=("items", items()))

    async def _lines(self, question: Question) -> Reply:
        def lines() -> Iterator[str]:
            yield ""
            for number in range(int(question.parameters["n"][0])):
                yield f"line\u00fc{number}\n"
                if number % 7 == 0:
                    yield ""

        return Reply({}, fields={"Content-Type": "text/x"}, text=lines())

    async def _slow(self, question: Question) -> Reply:
        try:
            await self.slow
        except CancelledError:
            self.cancelled += 1
            raise
        return Reply({"slow": True})

    async def _broken(self, question: Question) -> Reply:
        def items() -> Iterator[Any]:
            yield 1
            yield object()

        return Reply({}, listing=("items", items()))

    def client(self) -> socket.socket:
        """
        Somebody who is connected.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        for each in (ours, theirs):
            each.setblocking(False)
        reactor.adoptStreamConnection(ours.fileno(), socket.AF_UNIX, self.conversations)
        ours.close()
        self.addCleanup(theirs.close)
        return theirs

    async def hear(self, client: socket.socket, enough: Callable[[bytes], bool] = lambda _: False) -> bytes:
        """
        Read until it is enough, or until the end.
        """
        heard = b""
        while not enough(heard):
            await deferLater(reactor, 0.0)
            try:
                part = client.recv(65536)
            except BlockingIOError:
                continue
            except ConnectionResetError:
                break
            if not part:
                break
            heard += part
        return heard

    async def ask(self, text: bytes) -> tuple[int, Any]:
        """
        The status and the JSON of the answer.
        """
        client = self.client()
        client.sendall(text)
        answer = await self.hear(client)
        head, _, body = answer.partition(b"\r\n\r\n")
        if b"chunked" in head:
            body = _unchunked(body)
        self.assertIn(b"Connection: close", head)
        self.assertIn(b"Content-Type: application/json", head)
        return int(head.split()[1]), json.loads(body)

    async def _answered(self) -> None:
        body = b'{"a": "\xc3\xbc"}'
        self.assertEqual(
            await self.ask(
                b"POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
            ),
            (200, {"hello": {"a": "ü"}}),
        )
        self.assertEqual(await self.ask(b"GET /hello?q=%C3%BC&q=2 HTTP/1.0\r\n\r\n"), (200, {"hello": {}}))
        self.assertEqual(self.asked[-1].parameters, {"q": ("ü", "2")})
        self.assertRegex(self.asked[-1].asker, r"^user \d+ \(process \d+\)$")
        self.assertEqual((await self.ask(b"GET /else HTTP/1.1\r\nHost: x\r\n\r\n"))[0], 404)
        self.assertEqual((await self.ask(b"BREW /hello HTTP/1.1\r\nHost: x\r\n\r\n"))[0], 405)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_answered(self) -> Deferred[None]:
        """
        JSON in, JSON out, one request on each connection; who asks is known.
        """
        return Deferred.fromCoroutine(self._answered())

    async def _splits(self) -> None:
        whole = b'POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\n{"a": 1}'
        for place in range(1, len(whole)):
            client = self.client()
            client.sendall(whole[:place])
            await deferLater(reactor, 0.0)
            client.sendall(whole[place:])
            answer = await self.hear(client)
            self.assertTrue(answer.startswith(b"HTTP/1.1 200"), place)
            self.assertEqual(json.loads(answer.partition(b"\r\n\r\n")[2]), {"hello": {"a": 1}})

    def test_everySplit(self) -> Deferred[None]:
        """
        However a request is cut into pieces, the answer is the same.
        """
        return Deferred.fromCoroutine(self._splits())

    async def _tooLong(self) -> None:
        for text in (
            b"POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\n\r\n",
            b"POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n{",
            b"POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\n\r\n" + b" " * 65537,
            b"POST /hello HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n10001\r\n"
            + b" " * 0x10001,
            (
                b"POST /hello HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n10001\r\n"
                + b" " * 0x10001
                + b"\r\n0\r\n\r\n"
            ),
        ):
            status, told = await self.ask(text)
            self.assertEqual((status, told["error"]["code"]), (413, "too-long"))
        self.assertEqual(self.asked, [])
        exact = b"POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 65536\r\n\r\n" + b" " * 65536
        self.assertEqual((await self.ask(exact))[0], 200)

    def test_tooLong(self) -> Deferred[None]:
        """
        A body that is too long is refused as soon as that is known, and not kept.
        """
        return Deferred.fromCoroutine(self._tooLong())

    async def _garbage(self) -> None:
        for text in (
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200) + b"\r\n",
            b"\r\n\r\n\r\n\r\n",
            b"GET\r\n\r\n",
            b"GET / HTTP/9.9 more\r\n\r\n",
            b"GET /hello HTTP/1.1\r\nno field\r\n\r\n",
            b"GET /hello HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
            b"GET /hello HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"POST /hello HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n",
            b"GET /hello HTTP/1.1\r\n" + b"A: b\r\n" * 100 + b"\r\n",
        ):
            client = self.client()
            client.sendall(text)
            answer = await self.hear(client)
            self.assertTrue(answer == b"" or answer.startswith(b"HTTP/1.1 400"), (text[:40], answer[:40]))
        self.assertEqual((self.asked, self.conversations.channels), ([], set()))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_garbage(self) -> Deferred[None]:
        """
        What is no request is refused or dropped, and nothing is left of it.
        """
        return Deferred.fromCoroutine(self._garbage())

    async def _drips(self) -> None:
        client = self.client()
        client.sendall(b"GET /hello HTTP/1.1\r\n")
        for _ in range(9):
            await deferLater(reactor, 0.0)
            client.sendall(b"A: b\r\n")
            self.clock.advance(1.0)
        self.assertEqual(len(self.conversations.channels), 1)
        self.clock.advance(1.0)
        self.assertEqual(await self.hear(client), b"")
        self.assertEqual(self.conversations.channels, set())

    def test_slowRequest(self) -> Deferred[None]:
        """
        A request that is not there after ten seconds is not waited for, whatever it
        drips.
        """
        return Deferred.fromCoroutine(self._drips())

    async def _most(self) -> None:
        clients = [self.client() for _ in range(33)]
        self.assertEqual(await self.hear(clients[-1]), b"")
        clients[0].close()
        while len(self.conversations.channels) == 32:
            await deferLater(reactor, 0.0)
        self.assertEqual((await self.ask(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"))[0], 200)

    def test_most(self) -> Deferred[None]:
        """
        There are no more than so many clients at a time.
        """
        return Deferred.fromCoroutine(self._most())

    async def _listing(self) -> None:
        for number in (0, 1, 50, 51, 1000):
            status, told = await self.ask(b"GET /many?n=%d HTTP/1.1\r\nHost: x\r\n\r\n" % number)
            self.assertEqual((status, told["first"], len(told["items"])), (200, 1, number))
            self.assertEqual([each["number"] for each in told["items"]], list(range(number)))

    def test_listing(self) -> Deferred[None]:
        """
        A long list comes piece by piece, and is one JSON text.
        """
        return Deferred.fromCoroutine(self._listing())

    async def _text(self) -> None:
        for number in (0, 1, 199, 200, 201, 5000):
            client = self.client()
            client.sendall(b"GET /text?n=%d HTTP/1.1\r\nHost: x\r\n\r\n" % number)
            head, _, body = (await self.hear(client)).partition(b"\r\n\r\n")
            self.assertIn(b"Content-Type: text/x\r\n", head + b"\r\n")
            told = b"".join(body.split(b"\r\n")[1::2])
            self.assertEqual(told.decode().split(), [f"line\u00fc{each}" for each in range(number)])
            self.assertTrue(body.endswith(b"0\r\n\r\n"))

    def test_text(self) -> Deferred[None]:
        """
        Text comes piece by piece as well, with the type that it has, whether others have
        their turn in between or not.
        """
        return Deferred.fromCoroutine(self._text())

    async def _brokenText(self) -> None:
        client = self.client()
        client.sendall(b"GET /text?n=x HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertFalse((await self.hear(client)).endswith(b"0\r\n\r\n"))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_brokenText(self) -> Deferred[None]:
        """
        A defect in the midst of a text breaks it off.
        """
        return Deferred.fromCoroutine(self._brokenText())

    async def _unread(self) -> None:
        client = self.client()
        client.sendall(b"GET /many?n=100000 HTTP/1.1\r\nHost: x\r\n\r\n")
        for _ in range(200):
            await deferLater(reactor, 0.001)
        self.assertTrue(0 < self.made < 5000, self.made)
        before = self.made
        for _ in range(50):
            await deferLater(reactor, 0.001)
        self.assertEqual(self.made, before)
        self.clock.advance(150.0)
        await deferLater(reactor, 0.0)
        self.assertEqual(self.conversations.channels, set())

    def test_slowReader(self) -> Deferred[None]:
        """
        A client that takes nothing has nothing made for it, and is dropped in the end.
        """
        return Deferred.fromCoroutine(self._unread())

    async def _leaves(self) -> None:
        client = self.client()
        client.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        while not self.conversations._answers:
            await deferLater(reactor, 0.0)
        client.close()
        while self.conversations.channels:
            await deferLater(reactor, 0.0)
        self.assertEqual(self.cancelled, 0)
        self.slow.callback(None)
        self.assertEqual((self.cancelled, self.conversations._answers), (0, set()))

    def test_clientLeaves(self) -> Deferred[None]:
        """
        What was begun for a client that has gone is gone on with.
        """
        return Deferred.fromCoroutine(self._leaves())

    async def _stopped(self) -> None:
        clients = [self.client() for _ in range(3)]
        clients[0].sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        while not self.conversations._answers:
            await deferLater(reactor, 0.0)
        self.conversations.stop()
        for each in clients:
            self.assertEqual(await self.hear(each), b"")
        self.assertEqual((self.cancelled, self.clock.getDelayedCalls()), (1, []))

    def test_stopped(self) -> Deferred[None]:
        """
        At the end what is being done for an answer is cancelled, and nobody waits.
        """
        return Deferred.fromCoroutine(self._stopped())

    async def _brokenList(self) -> None:
        client = self.client()
        client.sendall(b"GET /broken HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertFalse((await self.hear(client)).endswith(b"0\r\n\r\n"))
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)

    def test_brokenList(self) -> Deferred[None]:
        """
        A defect in the midst of a list breaks the answer off, so that nobody takes it
        for whole.
        """
        return Deferred.fromCoroutine(self._brokenList())

    async def _pipelined(self) -> None:
        client = self.client()
        client.sendall(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
        answer = await self.hear(client)
        self.assertEqual((answer.count(b"HTTP/1.1 200"), len(self.asked)), (1, 1))

    def test_pipelined(self) -> Deferred[None]:
        """
        Of several requests on one connection the first is answered.
        """
        return Deferred.fromCoroutine(self._pipelined())


def _unchunked(body: bytes) -> bytes:
    whole = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size, 16)
        whole += rest[:length]
        body = rest[length + 2 :]
    return whole
