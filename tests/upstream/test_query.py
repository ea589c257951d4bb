"""
One question, to name servers that do not behave.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import DatagramProtocol, Factory, Protocol
from twisted.names import dns
from twisted.trial.unittest import TestCase

from smartproxy_tw.upstream.nameservers import NameServers
from smartproxy_tw.upstream.query import NoAnswer, ask

from ..plane.harness import descriptors, turns

reactor: Any = _reactor


class Liar(DatagramProtocol):
    """
    Answers each question with what a test makes of it.
    """

    noisy = False

    def __init__(self, answers: Callable[[Any], list[bytes]]) -> None:
        self._answers = answers
        self.count = 0

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """Answer."""
        self.count += 1
        question: Any = dns.Message()
        question.fromStr(datagram)
        assert self.transport is not None
        for answer in self._answers(question):
            self.transport.write(answer, addr)


def reply(question: Any, **others: Any) -> bytes:
    """
    The true answer, but for what is given.
    """
    others.setdefault("id", question.id)
    others.setdefault("answer", 1)
    queries = others.pop("queries", question.queries)
    message: Any = dns.Message(**others)
    message.queries = queries
    name = queries[0].name.name if queries else b"a.test"
    message.answers = [dns.RRHeader(name, dns.A, ttl=60, payload=dns.Record_A("10.0.0.1", 60))]
    found: bytes = message.toStr()
    return found


class AskTests(TestCase):
    """
    L{ask}.
    """

    timeout = 300

    def lies(self, answers: Callable[[Any], list[bytes]]) -> tuple[Liar, tuple[str, int]]:
        """
        A name server.
        """
        liar = Liar(answers)
        port = reactor.listenUDP(0, liar, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        return liar, ("127.0.0.1", port.getHost().port)

    async def asks(self, *servers: tuple[str, int]) -> Any:
        """
        One round, a fifth of a second each.
        """
        settings = NameServers(servers, timeouts=(0.2,))  # type: ignore[arg-type]
        before = descriptors()
        try:
            return await ask(reactor, settings, "a.test", dns.A)
        finally:
            for _ in range(100):
                if descriptors()["socket:"] == before["socket:"]:
                    break
                await turns(1)
            self.assertEqual(descriptors()["socket:"], before["socket:"])

    async def fails(self, *servers: tuple[str, int]) -> str:
        """
        Nobody tells.
        """
        with self.assertRaises(NoAnswer) as caught:
            await self.asks(*servers)
        return str(caught.exception)

    async def test_nonsense(self) -> None:
        """
        What is no answer to this question is passed over: garbage, other
        numbers, other names, other types, questions; the true one counts.
        """

        def answers(question: Any) -> list[bytes]:
            return [
                b"",
                b"\0" * 5,
                reply(question)[:-3],
                reply(question, id=question.id ^ 1),
                reply(question, answer=0),
                reply(question, queries=[]),
                reply(question, queries=[dns.Query(b"b.test", dns.A)]),
                reply(question, queries=[dns.Query(b"a.test", dns.AAAA)]),
                reply(question, queries=[dns.Query(b"A.TEST", dns.A)]),
            ]

        _, server = self.lies(answers)
        message = await self.asks(server)
        self.assertEqual(message.queries[0].name.name, b"A.TEST")

    async def test_onlyNonsense(self) -> None:
        """
        Without a true one it is as if there was none.
        """
        _, server = self.lies(lambda question: [reply(question, id=question.id ^ 1)])
        self.assertEqual(await self.fails(server), "127.0.0.1 does not answer")

    async def test_dead(self) -> None:
        """
        A server that is not there is passed over at once.
        """
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            dead = free.getsockname()
        liar, server = self.lies(lambda question: [reply(question)])
        await self.asks(dead, server)
        self.assertEqual(liar.count, 1)
        self.assertIn("cannot be asked", await self.fails(dead))

    async def test_refuses(self) -> None:
        """
        So is one that says that it has failed, or does not serve us.
        """
        for code in (dns.ESERVER, dns.EREFUSED, dns.ENOTIMP):
            liar, server = self.lies(lambda question, code=code: [reply(question, rCode=code)])
            other, good = self.lies(lambda question: [reply(question)])
            await self.asks(server, good)
            self.assertEqual((liar.count, other.count), (1, 1))
            self.assertEqual(await self.fails(server), f"127.0.0.1 answers with error {code}")

    def both(self, factory: Factory) -> tuple[Any, tuple[str, int]]:
        """
        A name server whose answers are too long, and a port for TCP beside it.
        """
        for _ in range(50):
            _, server = self.lies(lambda question: [reply(question, trunc=1)])
            try:
                return reactor.listenTCP(server[1], factory, interface="127.0.0.1"), server
            except CannotListenError:
                continue
        raise AssertionError("no number is free for both")

    async def test_truncated(self) -> None:
        """
        One whose long answers cannot be had by TCP has not answered: there is
        no server, it hangs up, or it says something else.
        """
        _, server = self.lies(lambda question: [reply(question, trunc=1)])
        self.assertIn("cannot be asked", await self.fails(server))

        class Rude(Protocol):
            def dataReceived(self, data: bytes) -> None:
                """Say something, in pieces, and go."""
                assert self.transport is not None
                for piece in (b"\0", b"\5", b"nons", self.factory.words):  # type: ignore[union-attr]
                    self.transport.write(piece)
                self.transport.loseConnection()

        for words in (b"", b"e", b"e and more"):
            factory: Any = Factory.forProtocol(Rude)
            factory.words = words
            port, server = self.both(factory)
            self.assertIn("cannot be asked", await self.fails(server))
            await port.stopListening()
