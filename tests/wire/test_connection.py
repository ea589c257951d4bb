"""
Tests for L{smartproxy_tw.wire.connection}.
"""

from __future__ import annotations

from smartproxy_tw.wire import frames
from smartproxy_tw.wire.events import Data, Leaving, Pong, RequestBegan, Reset, SettingsChanged
from smartproxy_tw.wire.frames import (
    CANCEL,
    DATA,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    GOAWAY,
    HEADERS,
    INTERNAL_ERROR,
    MOST_WINDOW,
    NO_ERROR,
    PING,
    PRIORITY,
    PROTOCOL_ERROR,
    PUSH_PROMISE,
    REFUSED_STREAM,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    frame,
    goAway,
    ping,
    pong,
    reset,
    settings,
    windowUpdate,
)

from .conversations import OK, Conversation, Frame, block, data, head


class PriorityTests(Conversation):
    """
    RFC 9113 section 6.3.
    """

    def test_ignored(self) -> None:
        """
        PRIORITY means nothing, on any stream and in any state, a dependency on itself
        included.
        """
        itself = frame(PRIORITY, 0, 3, b"\0\0\0\3\1")
        self.assertEqual(
            self.hears(itself, head(3), itself, reset(3, CANCEL), itself)[1:], [Reset(3, CANCEL, False)]
        )
        self.assertEqual(self.says(), [])

    def test_streamZero(self) -> None:
        """
        PRIORITY on stream 0 is an error of the connection.
        """
        self.assertFails(PROTOCOL_ERROR, frame(PRIORITY, 0, 0, bytes(5)))

    def test_length(self) -> None:
        """
        PRIORITY that is not of five bytes is an error of its stream, and of the
        connection where there is none.
        """
        self.assertResets(FRAME_SIZE_ERROR, 1, head(1), frame(PRIORITY, 0, 1, bytes(4)))
        self.assertFails(FRAME_SIZE_ERROR, frame(PRIORITY, 0, 5, bytes(6)))


class ResetTests(Conversation):
    """
    RFC 9113 section 6.4.
    """

    def test_byPeer(self) -> None:
        """
        A stream that the peer resets is over, with what waits on it.
        """
        self.hears(head(1))
        self.session.head(1, b"\x88")
        self.assertTrue(self.session.data(1, bytes(20000)))
        self.says()
        for _ in range(4):
            self.session.data(1, bytes(20000))
        self.says()
        self.assertEqual(self.hears(reset(1, CANCEL)), [Reset(1, CANCEL, False)])
        self.assertEqual((self.session.streams, self.session.waiting()), ({}, []))
        self.session.head(1, b"\x88")
        self.session.data(1, b"more", True)
        self.session.trailers(1, b"")
        self.session.credit(1, 100000)
        self.session.reset(1, CANCEL)
        self.assertEqual(self.says(), [])

    def test_streamZero(self) -> None:
        """
        RST_STREAM on stream 0 is an error of the connection.
        """
        self.assertFails(PROTOCOL_ERROR, reset(0, CANCEL))

    def test_idle(self) -> None:
        """
        RST_STREAM on a stream that was not begun is an error of the connection.
        """
        self.assertFails(PROTOCOL_ERROR, reset(1, CANCEL))

    def test_length(self) -> None:
        """
        RST_STREAM that is not of four bytes is an error of the connection.
        """
        self.assertFails(FRAME_SIZE_ERROR, head(1), frame(RST_STREAM, 0, 1, bytes(5)))

    def test_closed(self) -> None:
        """
        RST_STREAM on a stream that is closed is passed over: it may have crossed our end.
        """
        self.hears(head(1, isEnd=True))
        self.session.head(1, b"\x88", True)
        self.assertEqual(self.hears(reset(1, CANCEL)), [])
        self.assertFalse(self.session.isClosed)


class SettingsTests(Conversation):
    """
    RFC 9113 section 6.5.
    """

    def test_acknowledged(self) -> None:
        """
        Settings are acknowledged each time, and known.
        """
        session = self.meetsClient({6: 1000})
        self.assertEqual(self.hears(settings({4: 70000})), [SettingsChanged(False)])
        self.assertEqual(self.says(), [Frame(SETTINGS, 1, 0, b"")])
        self.assertEqual(session.peer, {6: 1000, 4: 70000})

    def test_ourAcknowledgement(self) -> None:
        """
        That our settings were taken is known.
        """
        from smartproxy_tw.wire.http2 import ServerSession

        from .conversations import HyperFields

        session = ServerSession(HyperFields())
        self.assertEqual(session.receive(frames.PREFACE + settings({})), [SettingsChanged(True)])
        self.assertFalse(session.isAcknowledged)
        session.receive(frame(SETTINGS, 1, 0))
        self.assertTrue(session.isAcknowledged)

    def test_acknowledgementWithPayload(self) -> None:
        """
        An acknowledgement with settings is an error of the connection.
        """
        self.assertFails(FRAME_SIZE_ERROR, frame(SETTINGS, 1, 0, bytes(6)))

    def test_stream(self) -> None:
        """
        SETTINGS on a stream are an error of the connection.
        """
        self.assertFails(PROTOCOL_ERROR, frame(SETTINGS, 0, 1))

    def test_values(self) -> None:
        """
        A value that may not be is an error of the connection.
        """
        self.assertFails(FLOW_CONTROL_ERROR, settings({4: 1 << 31}))

    def test_pushByServer(self) -> None:
        """
        A server can't allow pushes.
        """
        self.meetsServer()
        self.assertFails(PROTOCOL_ERROR, settings({frames.ENABLE_PUSH: 1}))

    def test_connect(self) -> None:
        """
        RFC 8441: a client knows of extended CONNECT, which is not withdrawn.
        """
        client = self.meetsServer()
        self.assertFalse(client.allowsConnect)
        self.hears(settings({8: 1}), settings({3: 5}))
        self.assertTrue(client.allowsConnect)
        self.assertFails(PROTOCOL_ERROR, settings({8: 0}))

    def test_smallTable(self) -> None:
        """
        RFC 7541 section 4.2: when the peer's table is smaller than usual, the next head,
        and only that, begins by saying that we use none.
        """
        self.meetsClient({frames.HEADER_TABLE_SIZE: 100})
        for stream, wanted in ((1, b"\x20\x88"), (3, b"\x88")):
            self.hears(head(stream, isEnd=True))
            self.session.head(stream, b"\x88", True)
            self.assertEqual(self.says(), [Frame(HEADERS, 5, stream, wanted)])


class PushTests(Conversation):
    """
    RFC 9113 sections 6.6 and 8.4.
    """

    def test_refused(self) -> None:
        """
        Nobody may push, neither a client nor a server that was told not to.
        """
        self.assertFails(PROTOCOL_ERROR, head(1), frame(PUSH_PROMISE, 4, 1, bytes(4)))
        self.meetsServer().request(b"\x82", True)
        self.assertFails(PROTOCOL_ERROR, frame(PUSH_PROMISE, 4, 1, b"\0\0\0\2\x82"))


class PingTests(Conversation):
    """
    RFC 9113 section 6.7.
    """

    def test_answered(self) -> None:
        """
        PING is answered with its own bytes.
        """
        self.assertEqual(self.hears(ping(b"12345678")), [])
        self.assertEqual(self.says(), [Frame(PING, 1, 0, b"12345678")])

    def test_ours(self) -> None:
        """
        The answer to our own is told, and not answered.
        """
        self.session.ping(b"abcdefgh")
        self.assertEqual(self.says(), [Frame(PING, 0, 0, b"abcdefgh")])
        self.assertEqual(self.hears(pong(b"abcdefgh")), [Pong(b"abcdefgh")])
        self.assertEqual(self.says(), [])

    def test_stream(self) -> None:
        """
        PING on a stream is an error of the connection.
        """
        self.assertFails(PROTOCOL_ERROR, frame(PING, 0, 1, bytes(8)))

    def test_length(self) -> None:
        """
        PING that is not of eight bytes is an error of the connection.
        """
        self.assertFails(FRAME_SIZE_ERROR, frame(PING, 0, 0, bytes(7)))


class GoAwayTests(Conversation):
    """
    RFC 9113 section 6.8.
    """

    def test_fromClient(self) -> None:
        """
        A client that goes is told of; what it asked for goes on.
        """
        self.hears(head(1, isEnd=True))
        self.assertEqual(self.hears(goAway(0, NO_ERROR, b"bye")), [Leaving(0, NO_ERROR)])
        self.session.head(1, b"\x88", True)
        self.assertEqual(self.says(), [Frame(HEADERS, 5, 1, b"\x88")])

    def test_fromServer(self) -> None:
        """
        Requests that a server will not take are over, as ones that may be tried again;
        others go on, and no new one is possible.
        """
        client = self.meetsServer()
        for _ in range(3):
            client.request(b"\x82", True)
        self.assertEqual(
            self.hears(goAway(1, INTERNAL_ERROR)),
            [Leaving(1, INTERNAL_ERROR), Reset(3, REFUSED_STREAM, False), Reset(5, REFUSED_STREAM, False)],
        )
        self.assertFalse(client.canRequest)
        self.assertRaises(ValueError, client.request, b"\x82")
        self.assertEqual(len(self.hears(head(1, fields=OK, isEnd=True))), 1)
        self.assertEqual(client.streams, {})

    def test_twoSteps(self) -> None:
        """
        A GOAWAY that promises everything ends no stream, and a later one may not promise
        more than the one before.
        """
        client = self.meetsServer()
        client.request(b"\x82", True)
        self.assertEqual(self.hears(goAway(MOST_WINDOW, NO_ERROR)), [Leaving(MOST_WINDOW, NO_ERROR)])
        self.assertEqual(self.hears(goAway(1, NO_ERROR)), [Leaving(1, NO_ERROR)])
        self.assertFails(PROTOCOL_ERROR, goAway(3, NO_ERROR))

    def test_stream(self) -> None:
        """
        GOAWAY on a stream is an error of the connection.
        """
        self.assertFails(PROTOCOL_ERROR, frame(GOAWAY, 0, 1, bytes(8)))

    def test_length(self) -> None:
        """
        GOAWAY of less than eight bytes is an error of the connection.
        """
        self.assertFails(FRAME_SIZE_ERROR, frame(GOAWAY, 0, 0, bytes(7)))


class DrainTests(Conversation):
    """
    RFC 9113 section 6.8: leaving without losing a request.
    """

    def test_server(self) -> None:
        """
        A server promises everything, waits until the client knows, and names the last
        stream; what comes after that is passed over.
        """
        self.hears(head(1, isEnd=True))
        self.session.drain()
        first, asked = self.says()
        self.assertEqual((first.kind, first.payload), (GOAWAY, b"\x7f\xff\xff\xff\0\0\0\0"))
        self.assertEqual((asked.kind, asked.flags), (PING, 0))
        self.assertEqual(len(self.hears(head(3, isEnd=True))), 1)
        self.assertEqual(self.hears(pong(asked.payload)), [])
        self.assertEqual(self.says(), [Frame(GOAWAY, 0, 0, b"\0\0\0\3\0\0\0\0")])
        self.assertEqual(self.hears(head(5), data(5, b"x"), head(7, isEnd=True)), [])
        for stream in (1, 3):
            self.assertFalse(self.session.isDrained)
            self.session.head(stream, b"\x88", True)
        self.assertTrue(self.session.isDrained)
        self.assertEqual([each.kind for each in self.says()], [HEADERS, HEADERS])

    def test_silentClient(self) -> None:
        """
        A client that does not answer is told all the same; a late answer changes nothing,
        nor does draining again.
        """
        self.session.drain()
        asked = self.says()[-1]
        self.session.goAway()
        self.session.drain()
        self.assertEqual(self.hears(pong(asked.payload)), [])
        self.assertEqual([each.payload for each in self.says()], [bytes(8)])

    def test_promiseIsKept(self) -> None:
        """
        An error after the last GOAWAY names no later stream than that did.
        """
        self.hears(head(1))
        self.session.goAway()
        self.says()
        self.hears(head(9), frame(PING, 0, 0, b""))
        self.assertEqual([each.payload[:4] for each in self.says()], [b"\0\0\0\1"])

    def test_client(self) -> None:
        """
        A client asks for nothing more.
        """
        client = self.meetsServer()
        client.request(b"\x82", True)
        client.drain()
        self.assertEqual([each.kind for each in self.says()], [HEADERS, GOAWAY])
        self.assertEqual((client.canRequest, client.isDrained), (False, False))
        self.hears(head(1, fields=OK, isEnd=True))
        self.assertTrue(client.isDrained)


class WindowUpdateTests(Conversation):
    """
    RFC 9113 section 6.9, as far as windows are opened by the peer.
    """

    def test_nothing(self) -> None:
        """
        An update by nothing is an error of the stream, or of the connection.
        """
        self.assertResets(PROTOCOL_ERROR, 1, head(1), windowUpdate(1, 0))
        self.assertFails(PROTOCOL_ERROR, windowUpdate(0, 0))

    def test_tooLarge(self) -> None:
        """
        A window above 2^31-1 is an error of the stream, or of the connection.
        """
        self.assertResets(
            FLOW_CONTROL_ERROR, 1, head(1), windowUpdate(1, MOST_WINDOW - 65535), windowUpdate(1, 1)
        )
        self.assertFails(FLOW_CONTROL_ERROR, windowUpdate(0, MOST_WINDOW - 65535), windowUpdate(0, 1))

    def test_idle(self) -> None:
        """
        An update on a stream that was not begun is an error of the connection.
        """
        self.assertFails(PROTOCOL_ERROR, windowUpdate(1, 1))

    def test_closed(self) -> None:
        """
        An update on a stream that is closed is passed over, and one on a stream whose peer
        has ended is taken.
        """
        self.hears(head(1, isEnd=True), windowUpdate(1, 1))
        self.session.head(1, b"\x88", True)
        self.assertEqual(self.hears(windowUpdate(1, 1)), [])
        self.assertFalse(self.session.isClosed)

    def test_length(self) -> None:
        """
        An update that is not of four bytes is an error of the connection.
        """
        self.assertFails(FRAME_SIZE_ERROR, frame(WINDOW_UPDATE, 0, 0, bytes(3)))

    def test_reservedBit(self) -> None:
        """
        The reserved bit means nothing.
        """
        self.hears(head(1, isEnd=True), settings({4: 0}), frame(WINDOW_UPDATE, 0, 1, b"\x80\0\0\5"))
        self.says()
        self.session.data(1, b"12345678")
        self.assertEqual([each.payload for each in self.says()], [b"12345"])


class InitialWindowTests(Conversation):
    """
    RFC 9113 section 6.9.2.
    """

    def test_negative(self) -> None:
        """
        A smaller window takes back what was given, below zero; nothing is sent until
        updates have made it positive again.
        """
        self.hears(head(1, isEnd=True))
        self.session.data(1, bytes(1000))
        self.session.data(1, bytes(16385))
        self.says()
        self.hears(settings({4: 500}))
        self.session.data(1, b"x" * 700, True)
        self.assertEqual([each.kind for each in self.says()], [SETTINGS])
        self.hears(windowUpdate(1, 16384 + 501))
        self.assertEqual(self.says(), [])
        self.hears(windowUpdate(1, 1))
        self.assertEqual(self.says(), [Frame(DATA, 0, 1, b"x")])
        self.hears(settings({4: 600}))
        self.hears(settings({4: 2000}))
        self.assertEqual([len(each.payload) for each in self.says() if each.kind == DATA], [699])
        self.assertEqual(self.session.streams, {})

    def test_overflow(self) -> None:
        """
        A window that becomes too large by it is an error of the connection.
        """
        self.hears(head(1), windowUpdate(1, 1))
        self.assertFails(FLOW_CONTROL_ERROR, settings({4: MOST_WINDOW}))

    def test_notTheConnection(self) -> None:
        """
        The connection's window is not changed by it, and new streams begin with it.
        """
        self.hears(settings({4: 1 << 20}), head(1, isEnd=True))
        for _ in range(5):
            self.session.data(1, bytes(16384))
        self.assertEqual(sum([len(each.payload) for each in self.says() if each.kind == DATA]), 65535)


class UnknownTests(Conversation):
    """
    RFC 9113 section 5.5.
    """

    def test_passedOver(self) -> None:
        """
        Frames of types that nobody knows, and flags that nobody knows, mean nothing.
        """
        odd = [frame(kind, 0xFF, stream, b"whatever") for kind in (10, 16, 255) for stream in (0, 1, 2)]
        self.assertEqual(self.hears(*odd), [])
        _began, body = self.hears(head(1, flags=0xD2), frame(DATA, 0xF6, 1, b"abc"))
        self.assertEqual(body, Data(1, b"abc", 3, False))
        self.assertEqual(self.says(), [])


class IdleTests(Conversation):
    """
    What the holder of a session asks it.
    """

    def test_isIdle(self) -> None:
        """
        A session is idle when nothing is open and nothing is to be said.
        """
        self.assertTrue(self.session.isIdle)
        self.hears(ping(bytes(8)))
        self.assertFalse(self.session.isIdle)
        self.says()
        self.hears(head(1))
        self.assertFalse(self.session.isIdle)
        self.session.reset(1, NO_ERROR)
        self.says()
        self.assertTrue(self.session.isIdle)
        self.assertFalse(self.session.isDrained)

    def test_blocks(self) -> None:
        """
        The stand-in for an encoder says what hyper's decoder reads.
        """
        (event,) = self.hears(frame(HEADERS, 5, 1, block((b"a", b"b"), (b"c", b""))))
        self.assertEqual(event, RequestBegan(1, [(b"a", b"b"), (b"c", b"")], True))
