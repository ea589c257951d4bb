"""
Tests for L{smartproxy_tw.wire.http2}.
"""

from __future__ import annotations

from smartproxy_tw.wire.events import AnswerBegan, Data, HeadTooLarge, RequestBegan, Reset, Trailers
from smartproxy_tw.wire.frames import (
    DATA,
    ENHANCE_YOUR_CALM,
    HEADERS,
    PREFACE,
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    RST_STREAM,
    STREAM_CLOSED,
    frame,
    reset,
    settings,
    windowUpdate,
)
from smartproxy_tw.wire.http2 import ServerSession

from .conversations import ASK, OK, Conversation, Frame, HyperFields, data, head

EARLY = [(b":status", b"103"), (b"link", b"</a>")]
TRAILERS = [(b"checksum", b"1")]


class StateTests(Conversation):
    """
    RFC 9113 section 5.1: the life of a stream, on the server's side.
    """

    def test_idle(self) -> None:
        """
        On a stream that was not begun only HEADERS and PRIORITY may come.
        """
        for each in (data(1, b"x"), reset(1, 8), windowUpdate(1, 1)):
            self.meetsClient()
            self.assertFails(PROTOCOL_ERROR, each)

    def test_open(self) -> None:
        """
        On an open stream all may come.
        """
        self.hears(head(1), data(1, b"x"), windowUpdate(1, 1), frame(2, 0, 1, bytes(5)))
        self.assertEqual(self.says(), [])
        self.assertEqual([*self.session.streams], [1])

    def test_halfClosedRemote(self) -> None:
        """
        After its end the peer may send no data and no head: an error of the stream.
        Updates and PRIORITY are all right.
        """
        self.assertResets(
            STREAM_CLOSED,
            1,
            head(1, isEnd=True),
            windowUpdate(1, 1),
            frame(2, 0, 1, bytes(5)),
            data(1, b"x"),
        )
        self.assertResets(STREAM_CLOSED, 3, head(3), data(3, b"", True), head(3, fields=TRAILERS, isEnd=True))

    def test_halfClosedLocal(self) -> None:
        """
        After our end the peer goes on until its own.
        """
        self.hears(head(1))
        self.session.head(1, b"\x88", True)
        self.assertEqual(self.hears(data(1, b"x"), data(1, b"", True))[0], Data(1, b"x", 1, False))
        self.assertEqual(self.session.streams, {})

    def test_closed(self) -> None:
        """
        On a stream that both sides have ended data and heads are an error of the
        connection; so they are on one that the peer has reset.
        """
        for late in (data(1, b"x"), head(1), head(1, fields=TRAILERS, isEnd=True)):
            self.meetsClient()
            self.hears(head(1, isEnd=True))
            self.session.head(1, b"\x88", True)
            self.says()
            self.assertFails(STREAM_CLOSED, late)
            self.meetsClient()
            self.assertFails(STREAM_CLOSED, head(1), reset(1, 8), late)

    def test_manyAtOnce(self) -> None:
        """
        Streams do not disturb one another.
        """
        self.hears(head(1), head(3), head(5, isEnd=True))
        self.session.reset(3, 8)
        self.assertEqual(self.hears(data(1, b"x", True)), [Data(1, b"x", 1, True)])
        self.session.head(1, b"\x88", True)
        self.session.head(5, b"\x88", True)
        self.assertEqual(
            [(each.kind, each.stream) for each in self.says()], [(RST_STREAM, 3), (1, 1), (1, 5)]
        )


class IdentifierTests(Conversation):
    """
    RFC 9113 section 5.1.1.
    """

    def test_parity(self) -> None:
        """
        A client's streams are odd.
        """
        for each in (head(2), data(2, b"x"), reset(2, 8), windowUpdate(2, 1)):
            self.meetsClient()
            self.assertFails(PROTOCOL_ERROR, head(5), each)

    def test_growing(self) -> None:
        """
        Streams that were left out are closed, and can't be begun.
        """
        self.assertFails(PROTOCOL_ERROR, head(1), head(9), head(11), head(3))
        for each in (data(7, b"x"), head(9, isEnd=True)):
            self.meetsClient()
            self.hears(head(1), head(9, isEnd=True))
            self.session.head(9, b"\x88", True)
            self.assertFails(STREAM_CLOSED, each)

    def test_firstMayBeAny(self) -> None:
        """
        The first stream may have any odd number, up to the last one there is.
        """
        self.assertEqual(len(self.hears(head(7))), 1)
        self.assertEqual(len(self.hears(head((1 << 31) - 1))), 1)
        self.assertFails(PROTOCOL_ERROR, head(1))


class ConcurrencyTests(Conversation):
    """
    RFC 9113 section 5.1.2.
    """

    def test_tooMany(self) -> None:
        """
        A stream above the limit is refused, so that it may be tried again; its data are
        passed over, and with a stream that ends there is room again.
        """
        self.meetsClient(streams=2)
        self.hears(head(1), head(3))
        self.assertResets(REFUSED_STREAM, 5, head(5), isKnown=False)
        self.assertEqual(self.hears(data(5, b"x", True), reset(3, 8)), [Reset(3, 8, False)])
        self.assertEqual(len(self.hears(head(7))), 1)

    def test_ofServer(self) -> None:
        """
        A client asks no more at once than the server allows.
        """
        client = self.meetsServer({3: 2})
        client.request(b"\x82", True)
        client.request(b"\x82", True)
        self.assertFalse(client.canRequest)
        self.hears(head(1, fields=OK, isEnd=True))
        self.assertTrue(client.canRequest)
        self.hears(settings({3: 0}))
        self.assertFalse(client.canRequest)


class RequestTests(Conversation):
    """
    RFC 9113 section 8.1, requests.
    """

    def test_whole(self) -> None:
        """
        A request has a head, a body and trailers.
        """
        self.assertEqual(
            self.hears(head(1), data(1, b"ab"), data(1, b"c"), head(1, fields=TRAILERS, isEnd=True)),
            [
                RequestBegan(1, ASK, False),
                Data(1, b"ab", 2, False),
                Data(1, b"c", 1, False),
                Trailers(1, TRAILERS),
            ],
        )

    def test_trailersEnd(self) -> None:
        """
        A second head that does not end the stream is an error of the stream.
        """
        self.assertResets(PROTOCOL_ERROR, 1, head(1), head(1, fields=TRAILERS))

    def test_pseudoTrailers(self) -> None:
        """
        Pseudo-headers in trailers are an error of the stream.
        """
        self.assertResets(PROTOCOL_ERROR, 1, head(1), head(1, fields=[*TRAILERS, ASK[0]], isEnd=True))

    def test_tooLarge(self) -> None:
        """
        A head that is too large is told, so that it can be answered.
        """
        self.session = ServerSession(HyperFields(200))
        self.hears(PREFACE, settings({}))
        self.says()
        long = (b"a", b"b" * 200)
        self.assertEqual(
            self.hears(head(1, long), head(3, long, isEnd=True)),
            [HeadTooLarge(1, False), HeadTooLarge(3, True)],
        )
        self.session.head(3, b"\x88", True)
        self.assertEqual(self.says(), [Frame(HEADERS, 5, 3, b"\x88")])
        self.assertEqual([*self.session.streams], [1])


class LengthTests(Conversation):
    """
    RFC 9113 section 8.1.1: content-length and DATA.
    """

    def told(self, length: int) -> bytes:
        return head(1, (b"content-length", b"%d" % length))

    def test_right(self) -> None:
        """
        A body of the length that was told is taken, padding not counted.
        """
        self.hears(self.told(5), data(1, b"abc"), data(1, b""))
        self.assertEqual(self.hears(frame(DATA, 9, 1, b"\x03de\0\0\0")), [Data(1, b"de", 2, True)])
        self.assertEqual(len(self.hears(head(3, (b"content-length", b"0"), isEnd=True))), 1)

    def test_tooLong(self) -> None:
        """
        A body that is longer is an error of the stream, and the part beyond is not told.
        """
        self.assertResets(PROTOCOL_ERROR, 1, self.told(2), data(1, b"ab"), data(1, b"c"))
        self.meetsClient()
        self.assertResets(PROTOCOL_ERROR, 1, self.told(2), data(1, b"abc", True))
        self.assertFails(STREAM_CLOSED, data(1, b"x"))

    def test_tooShort(self) -> None:
        """
        A body that ends before is an error of the stream, whatever it ends by.
        """
        for end in (data(1, b"", True), data(1, b"a", True), head(1, fields=TRAILERS, isEnd=True)):
            self.meetsClient()
            self.assertResets(PROTOCOL_ERROR, 1, self.told(3), data(1, b"a"), end)

    def test_noBody(self) -> None:
        """
        A length without a body is an error of a stream that nobody hears of.
        """
        self.assertResets(PROTOCOL_ERROR, 1, head(1, (b"content-length", b"1"), isEnd=True), isKnown=False)
        self.assertFails(STREAM_CLOSED, data(1, b"x"))

    def test_absurd(self) -> None:
        """
        A length that can't be is an error of the stream.
        """
        for values in ((b"x",), (b"",), (b"1", b"1"), (b"-1",)):
            self.meetsClient()
            fields = [(b"content-length", each) for each in values]
            self.assertResets(PROTOCOL_ERROR, 1, head(1, *fields), isKnown=False)
            self.assertEqual(self.hears(data(1, b"x")), [])


class ClientStateTests(Conversation):
    """
    RFC 9113 section 5.1, on the client's side.
    """

    def setUp(self) -> None:
        self.client = self.meetsServer()

    def test_idle(self) -> None:
        """
        On streams that were not begun, and on those of a server, nothing may come.
        """
        for stream in (1, 2):
            for each in (
                head(stream, fields=OK),
                data(stream, b"x"),
                reset(stream, 8),
                windowUpdate(stream, 1),
            ):
                self.meetsServer()
                self.assertFails(PROTOCOL_ERROR, each)

    def test_closed(self) -> None:
        """
        On streams that are over nothing more may come.
        """
        for each in (head(1, fields=OK), data(1, b"x")):
            client = self.meetsServer()
            client.request(b"\x82", True)
            self.says()
            self.assertFails(STREAM_CLOSED, head(1, fields=OK, isEnd=True), each)

    def test_afterEnd(self) -> None:
        """
        After the end of its answer a server may send no more, although the request goes on.
        """
        self.client.request(b"\x82")
        self.says()
        self.assertResets(STREAM_CLOSED, 1, head(1, fields=OK, isEnd=True), data(1, b"x"))

    def test_ourReset(self) -> None:
        """
        What a server had sent before it knew of our reset is passed over.
        """
        self.client.request(b"\x82", True)
        self.client.reset(1, 8)
        self.says()
        self.assertEqual(self.hears(head(1, fields=OK), data(1, b"x"), data(1, b"", True)), [])
        self.assertFails(STREAM_CLOSED, head(1, fields=OK))

    def test_numbers(self) -> None:
        """
        Requests have odd numbers that grow, and go out as they were given.
        """
        self.assertEqual(self.client.request(b"\x82"), 1)
        self.assertEqual(self.client.request(b"\x83", True), 3)
        self.client.data(1, b"abc", True)
        self.assertEqual(
            self.says(),
            [Frame(HEADERS, 4, 1, b"\x82"), Frame(HEADERS, 5, 3, b"\x83"), Frame(DATA, 1, 1, b"abc")],
        )

    def test_lastNumber(self) -> None:
        """
        When the numbers are used up nothing can be asked any more.
        """
        self.client._next = (1 << 31) - 1
        self.assertTrue(self.client.canRequest)
        self.assertEqual(self.client.request(b"\x82", True), (1 << 31) - 1)
        self.assertFalse(self.client.canRequest)


class AnswerTests(Conversation):
    """
    RFC 9113 section 8.1, answers.
    """

    def setUp(self) -> None:
        self.client = self.meetsServer()
        self.client.request(b"\x82", True)
        self.says()

    def test_whole(self) -> None:
        """
        An answer may have heads before it, and has a head, a body and trailers.
        """
        self.assertEqual(
            self.hears(
                head(1, fields=EARLY),
                head(1, fields=[(b":status", b"100")]),
                head(1, fields=OK),
                data(1, b"abc"),
                head(1, fields=TRAILERS, isEnd=True),
            ),
            [
                AnswerBegan(1, EARLY, False, True),
                AnswerBegan(1, [(b":status", b"100")], False, True),
                AnswerBegan(1, OK, False, False),
                Data(1, b"abc", 3, False),
                Trailers(1, TRAILERS),
            ],
        )
        self.assertEqual(self.client.streams, {})

    def test_interimEnd(self) -> None:
        """
        An interim answer ends nothing: an error of the stream.
        """
        self.assertResets(PROTOCOL_ERROR, 1, head(1, fields=EARLY, isEnd=True))

    def test_bodyFirst(self) -> None:
        """
        Data before a final head, empty or not, are an error of the stream.
        """
        for early in ((), (head(1, fields=EARLY),)):
            for each in (data(1, b"x"), data(1, b"", True)):
                client = self.meetsServer()
                client.request(b"\x82", True)
                self.assertResets(PROTOCOL_ERROR, 1, *early, each)

    def test_status(self) -> None:
        """
        A head without a status of three digits, or with 101, is an error of the stream.
        """
        for fields in (
            [],
            TRAILERS,
            [*TRAILERS, *OK],
            [(b":status", b"")],
            [(b":status", b"20")],
            [(b":status", b"2000")],
            [(b":status", b"2x0")],
            [(b":status", b"099")],
            [(b":status", b"600")],
            [(b":status", b"101")],
            ASK,
        ):
            client = self.meetsServer()
            client.request(b"\x82", True)
            self.assertResets(PROTOCOL_ERROR, 1, head(1, fields=fields))

    def test_secondHead(self) -> None:
        """
        After its final head comes no other, but trailers that end it.
        """
        self.assertResets(PROTOCOL_ERROR, 1, head(1, fields=OK), head(1, fields=OK))
        client = self.meetsServer()
        client.request(b"\x82", True)
        self.assertResets(PROTOCOL_ERROR, 1, head(1, fields=OK), head(1, fields=OK, isEnd=True))

    def test_tooLarge(self) -> None:
        """
        A head that is too large is an error of the stream; on one that we have reset it is
        passed over.
        """
        from smartproxy_tw.wire.http2 import ClientSession

        self.session = client = ClientSession(HyperFields(100))
        self.hears(settings({}))
        client.request(b"\x82", True)
        client.request(b"\x82", True)
        client.reset(3, 8)
        self.says()
        long = (b"a", b"b" * 200)
        self.assertResets(ENHANCE_YOUR_CALM, 1, head(1, long, fields=OK))
        self.assertEqual(self.hears(head(3, long, fields=OK)), [])


class AnswerLengthTests(Conversation):
    """
    RFC 9113 section 8.1.1, answers.
    """

    def asks(self, isHead: bool = False) -> None:
        """
        Given is a client that has asked.
        """
        self.meetsServer().request(b"\x82", True, isHead)
        self.says()

    def test_wrong(self) -> None:
        """
        A body of another length than was told is an error of the stream.
        """
        told = head(1, (b"content-length", b"3"), fields=OK)
        for said in (
            (told, data(1, b"abcd")),
            (told, data(1, b"ab", True)),
            (told, data(1, b"ab"), head(1, fields=TRAILERS, isEnd=True)),
            (head(1, (b"content-length", b"3"), fields=OK, isEnd=True),),
            (head(1, (b"content-length", b"3x"), fields=OK),),
        ):
            self.asks()
            self.assertResets(PROTOCOL_ERROR, 1, *said)

    def test_right(self) -> None:
        """
        A body of that length is taken.
        """
        self.asks()
        self.hears(head(1, (b"content-length", b"3"), fields=OK))
        self.assertEqual(self.hears(data(1, b"abc", True)), [Data(1, b"abc", 3, True)])

    def test_connect(self) -> None:
        """
        What follows a 2xx to CONNECT is no body, and its length means nothing (RFC 9110 section
        9.3.6); that of any other answer does.
        """
        for status, length in ((b"200", b"0"), (b"200", b"9"), (b"204", b"0"), (b"299", b"1")):
            fields = [(b":status", status), (b"content-length", length)]
            client = self.meetsServer()
            client.request(b"\x82", isConnect=True)
            self.assertEqual(
                self.hears(head(1, fields=fields), frame(DATA, 0, 1, b"one"), frame(DATA, 1, 1, b"two")),
                [
                    AnswerBegan(1, fields, False, False),
                    Data(1, b"one", 3, False),
                    Data(1, b"two", 3, True),
                ],
            )
            client = self.meetsServer()
            client.request(b"\x82", isConnect=True)
            self.assertEqual(
                self.hears(head(1, fields=fields, isEnd=True)), [AnswerBegan(1, fields, True, False)]
            )
        client = self.meetsServer()
        client.request(b"\x82", isConnect=True)
        fields = [(b":status", b"403"), (b"content-length", b"2")]
        self.assertResets(PROTOCOL_ERROR, 1, head(1, fields=fields), frame(DATA, 0, 1, b"one"))
        client = self.meetsServer()
        client.request(b"\x82", isConnect=True)
        self.assertResets(PROTOCOL_ERROR, 1, frame(DATA, 0, 1, b"one"))

    def test_bare(self) -> None:
        """
        Answers to HEAD, 204 and 304 have no body, whatever length they tell.
        """
        for isHead, status in ((True, b"200"), (False, b"304"), (False, b"204")):
            fields = [(b":status", status)]
            told = (b"content-length", b"3")
            self.asks(isHead)
            self.assertEqual(len(self.hears(head(1, told, fields=fields, isEnd=True))), 1)
            self.assertEqual(self.session.streams, {})
            self.asks(isHead)
            self.assertResets(PROTOCOL_ERROR, 1, head(1, told, fields=fields), data(1, b"abc", True))
            self.asks(isHead)
            self.hears(head(1, told, fields=fields))
            self.assertEqual(self.hears(data(1, b"", True)), [Data(1, b"", 0, True)])
