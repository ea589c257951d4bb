"""
Tests for L{smartproxy_tw.records.questions}, over loopback.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dns.flags
import dns.name
import dns.tsig
from dns.exception import DNSException
from dns.message import Message, from_wire, make_query, make_response
from dns.rcode import BADSIG, REFUSED
from dns.rdatatype import TXT
from dns.rrset import from_text
from dns.update import Update
from twisted.internet import reactor as _reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.protocol import DatagramProtocol, Factory, connectionDone
from twisted.protocols.basic import Int16StringReceiver
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from smartproxy_tw.facts import Address
from smartproxy_tw.records import questions
from smartproxy_tw.records.errors import ServerSilent
from smartproxy_tw.records.questions import Questions, read

from ..ports import freePorts

reactor: Any = _reactor

HERE = "127.0.0.1"
KEY = dns.tsig.Key("key.test", b"0" * 32)
OTHER_KEY = dns.tsig.Key("key.test", b"1" * 32)


def answering(question: Message, text: str = "proof") -> Message:
    """
    An answer with one text.
    """
    answer = make_response(question)
    answer.answer.append(from_text(question.question[0].name, 60, "IN", "TXT", f'"{text}"'))
    return answer


def truncated(wire: bytes) -> list[bytes]:
    """
    There is more than fits.
    """
    answer = make_response(from_wire(wire))
    answer.flags |= dns.flags.TC
    return [answer.to_wire()]


def whole(wire: bytes) -> list[bytes]:
    """
    All of it.
    """
    return [answering(from_wire(wire)).to_wire()]


def texts(answer: Message) -> list[str]:
    """
    What it says.
    """
    return [record.to_text() for each in answer.answer for record in each]


class Datagrams(DatagramProtocol):
    """
    A server by UDP.
    """

    def __init__(self, say: Callable[[bytes], list[bytes]]) -> None:
        self.say = say
        self.heard = 0

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """Asked."""
        self.heard += 1
        for each in self.say(datagram):
            self.transport.write(each, addr)  # type: ignore[union-attr]


class Stream(Int16StringReceiver):
    """
    A server by TCP.
    """

    def stringReceived(self, string: bytes) -> None:
        """Asked."""
        self.factory.asked(self, string)  # type: ignore[union-attr]

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It is over."""
        self.factory.lost()  # type: ignore[union-attr]


class QuestionsTests(TestCase):
    """
    L{Questions}.
    """

    timeout = 300

    async def serve(
        self,
        byDatagram: Callable[[bytes], list[bytes]] | None,
        byStream: Callable[[Stream, bytes], object] | None = None,
    ) -> Address:
        """
        A server that answers in these ways.
        """
        [port] = freePorts(1)
        self.datagrams = Datagrams(byDatagram or (lambda _: []))
        self.streams = 0
        self.hungUp: Deferred[None] = Deferred()
        if byDatagram is not None:
            listening = reactor.listenUDP(port, self.datagrams, interface=HERE)
            self.addCleanup(listening.stopListening)
        if byStream is not None:
            say = byStream

            def asked(stream: Stream, wire: bytes) -> None:
                self.streams += 1
                say(stream, wire)

            factory: Any = Factory.forProtocol(Stream)
            factory.asked, factory.lost = asked, lambda: self.hungUp.callback(None)
            listening = await TCP4ServerEndpoint(reactor, port, interface=HERE).listen(factory)
            self.addCleanup(listening.stopListening)
        return Address(HERE, port)

    def ask(self, server: Address, question: Message | None = None) -> Deferred[Message]:
        """
        Ask it.
        """
        return Deferred.fromCoroutine(Questions(reactor).ask(question or make_query("a.test", TXT), server))

    async def silent(self, server: Address, question: Message | None = None) -> str:
        """
        Ask it in vain.

        @return: Why.
        """
        return str(await self.assertFailure(self.ask(server, question), ServerSilent))

    async def test_datagram(self) -> None:
        """
        A short answer comes by UDP, whatever it is.
        """
        server = await self.serve(whole)
        self.assertEqual(texts(await self.ask(server)), ['"proof"'])

        def refused(wire: bytes) -> list[bytes]:
            answer = make_response(from_wire(wire))
            answer.set_rcode(REFUSED)
            return [answer.to_wire()]

        self.datagrams.say = refused
        self.assertEqual((await self.ask(server)).rcode(), REFUSED)

    async def test_long(self) -> None:
        """
        One that is too long for that comes by TCP, in however many pieces.
        """

        def say(stream: Stream, wire: bytes) -> None:
            answer = answering(from_wire(wire), "long").to_wire()
            data = len(answer).to_bytes(2, "big") + answer
            transport: Any = stream.transport
            transport.setTcpNoDelay(True)
            for place in range(len(data)):
                reactor.callLater(place * 0.0005, transport.write, data[place : place + 1])

        server = await self.serve(truncated, say)
        self.assertEqual(texts(await self.ask(server)), ['"long"'])
        await self.hungUp

    async def test_unreadable(self) -> None:
        """
        What comes by UDP and cannot be read is asked for by TCP.
        """

        def say(stream: Stream, wire: bytes) -> None:
            stream.sendString(answering(from_wire(wire)).to_wire())

        server = await self.serve(lambda wire: [wire[:2] + b"nonsense"], say)
        self.assertEqual(texts(await self.ask(server)), ['"proof"'])
        await self.hungUp

    async def test_update(self) -> None:
        """
        An update goes by TCP, and only so.
        """

        def say(stream: Stream, wire: bytes) -> None:
            stream.sendString(make_response(from_wire(wire)).to_wire())

        server = await self.serve(whole, say)
        await self.ask(server, Update("a.test"))
        self.assertEqual((self.datagrams.heard, self.streams), (0, 1))
        await self.hungUp

    async def test_anotherNumber(self) -> None:
        """
        A late answer to another question is passed over, and the right one waited for.
        """
        server = await self.serve(
            lambda wire: [b"\x00\x00" + wire[2:] if wire[:2] != b"\x00\x00" else b"\x01"] + whole(wire)
        )
        self.assertEqual(texts(await self.ask(server)), ['"proof"'])

    async def test_anotherQuestion(self) -> None:
        """
        One with our number to something else is not believed.
        """

        def say(wire: bytes) -> list[bytes]:
            other = make_query("b.test", TXT)
            other.id = from_wire(wire).id
            return [answering(other).to_wire()]

        server = await self.serve(say)
        self.assertEqual(await self.silent(server), f"{server} answered to something that was not asked")

    async def test_nobody(self) -> None:
        """
        Where nobody listens that is known at once.
        """
        server = await self.serve(None)
        self.assertEqual(await self.silent(server), f"nobody answers at {server}")
        self.assertIn(f"{server} cannot be asked (", await self.silent(server, Update("a.test")))

    async def test_silence(self) -> None:
        """
        Who does not answer is asked once more, and then given up.
        """
        self.patch(questions, "_DATAGRAM_WAITS", (0.02, 0.03))
        server = await self.serve(lambda _: [])
        self.assertEqual(await self.silent(server), f"{server} gave no answer within 0.05 s")
        self.assertEqual(self.datagrams.heard, 2)

    async def test_lost(self) -> None:
        """
        A datagram that was lost is sent again.
        """
        self.patch(questions, "_DATAGRAM_WAITS", (0.02, 5.0))
        server = await self.serve(lambda wire: whole(wire) if self.datagrams.heard == 2 else [])
        self.assertEqual(texts(await self.ask(server)), ['"proof"'])

    async def test_streamSilence(self) -> None:
        """
        By TCP an answer has its time too, and then the connection is closed.
        """
        self.patch(questions, "_STREAM_WAIT", 0.05)
        server = await self.serve(truncated, lambda _, __: None)
        self.assertEqual(await self.silent(server), f"{server} gave no answer within 0.05 s")
        await self.hungUp

    async def test_streamCut(self) -> None:
        """
        A connection that is closed before the answer is none, nor is nonsense.
        """

        def cut(stream: Stream, _: bytes) -> None:
            transport: Any = stream.transport
            transport.write(b"\x00\x40half")
            transport.loseConnection()

        server = await self.serve(truncated, cut)
        self.assertIn("the connection was closed before the answer", await self.silent(server))
        await self.hungUp
        server = await self.serve(truncated, lambda stream, wire: stream.sendString(wire[:2] + b"nonsense"))
        self.assertIn(f"{server} gave an answer that cannot be used", await self.silent(server))
        await self.hungUp

    async def test_cancelled(self) -> None:
        """
        A question can be taken back: the connection is closed.
        """
        begun: Deferred[None] = Deferred()
        server = await self.serve(truncated, lambda _, __: begun.callback(None))
        asking = self.ask(server)
        await begun
        asking.cancel()
        await self.assertFailure(asking, CancelledError)
        await self.hungUp


class ReadTests(SynchronousTestCase):
    """
    L{read}.
    """

    server = Address("192.0.2.1", 53)

    def asked(self, key: dns.tsig.Key | None = KEY) -> Message:
        """
        A question, sent.
        """
        question = make_query("a.test", TXT)
        if key is not None:
            question.use_tsig(key)
        question.to_wire()
        return question

    def answered(self, question: Message, key: dns.tsig.Key | None) -> bytes:
        """
        What a server with this key says.
        """
        answer = answering(question)
        if key is not None:
            answer.use_tsig(key)
            answer.request_mac = question.mac
        return answer.to_wire()

    def test_signed(self) -> None:
        """
        What is signed as the question was is believed, as is what need not be.
        """
        for key in (KEY, None):
            question = self.asked(key)
            answer = read(self.answered(question, key), question, self.server)
            self.assertEqual(texts(answer), ['"proof"'])

    def test_unsigned(self) -> None:
        """
        An answer without a signature to a question that had one is not believed.
        """
        question = self.asked()
        plain = make_query("a.test", TXT, id=question.id)
        self.assertRaises(
            (DNSException, ServerSilent), read, answering(plain).to_wire(), question, self.server
        )

    def test_anotherKey(self) -> None:
        """
        One that is signed with another key is not believed either, and what to look at is told
        when the server says that it is ours.
        """
        question = self.asked()
        with self.assertRaises(DNSException):
            read(self.answered(question, OTHER_KEY), question, self.server)
        answer = answering(question)
        answer.use_tsig(KEY, tsig_error=BADSIG)
        answer.request_mac = question.mac
        with self.assertRaisesRegex(ServerSilent, "does not take the signature .PeerBadSignature.: compare"):
            read(answer.to_wire(), question, self.server)

    def test_everyCut(self) -> None:
        """
        However an answer is cut, it cannot be read, or is not believed.
        """
        question = self.asked(None)
        wire = self.answered(question, None)
        for cut in range(len(wire)):
            try:
                read(wire[:cut], question, self.server)
            except (DNSException, ServerSilent):
                continue
            self.fail(f"cut at {cut} it was taken for whole")
