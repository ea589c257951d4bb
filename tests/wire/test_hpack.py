"""
Tests for L{smartproxy_tw.wire.hpack}.
"""

from __future__ import annotations

import tracemalloc

import hpack as theirs
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.wire import hpack
from smartproxy_tw.wire.hpack import (
    BadBlock,
    Decoder,
    Field,
    TooLarge,
    encodeHead,
    encodeLines,
    encodeStatus,
)

from ..examples import examples

_BROWSER: list[Field] = [
    (b":method", b"GET"),
    (b":authority", b"shop.example"),
    (b":scheme", b"https"),
    (b":path", b"/a?b=c"),
    (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64)"),
    (b"accept", b"*/*"),
    (b"cookie", b"session=secret"),
]

_NAMES = (b"accept", b"cookie", b"x-a", b":path", b"content-length", b"authorization", b"x" * 40)
_VALUES = (b"", b"a", b"gzip, deflate", b"\xff\x00", b"v" * 70, b"w" * 300)
_FIELD = st.tuples(
    st.sampled_from(_NAMES) | st.binary(min_size=1, max_size=6),
    st.sampled_from(_VALUES) | st.binary(max_size=9),
)
_FIELDS = st.lists(_FIELD, max_size=8)


def taken(decoder: Decoder, data: str) -> list[Field]:
    """
    What comes of a block in digits as RFCs print them.
    """
    return decoder.decode(bytes.fromhex(data))


def readByThem(block: bytes) -> list[Field]:
    """
    As somebody else reads a block of ours.
    """
    return [(bytes(name), bytes(value)) for name, value in theirs.Decoder().decode(block, raw=True)]


class AppendixTests(SynchronousTestCase):
    """
    The examples of RFC 7541 appendix C.
    """

    def conversation(self, size: int, *steps: tuple[str, list[Field], list[Field], int]) -> None:
        """
        Blocks on one connection; behind each of them the table, the newest entry first, and its size.
        """
        decoder = Decoder(size)
        for data, fields, table, length in steps:
            self.assertEqual(taken(decoder, data), fields)
            self.assertEqual((decoder._entries[::-1], decoder._size), (table, length))

    def test_integers(self) -> None:
        """
        C.1.
        """
        self.assertEqual(hpack._integer(bytes.fromhex("1f9a0a"), 1, 31), (1337, 3))
        self.assertEqual(hpack._length(1337, 0), bytes((0x7F, 0x80 | (1337 - 127) & 0x7F, (1337 - 127) >> 7)))

    def test_literals(self) -> None:
        """
        C.2.
        """
        custom = (b"custom-key", b"custom-header")
        self.conversation(
            4096, ("400a637573746f6d2d6b65790d637573746f6d2d686561646572", [custom], [custom], 55)
        )
        self.conversation(4096, ("040c2f73616d706c652f70617468", [(b":path", b"/sample/path")], [], 0))
        self.conversation(4096, ("100870617373776f726406736563726574", [(b"password", b"secret")], [], 0))
        self.conversation(4096, ("82", [(b":method", b"GET")], [], 0))

    def requests(self, *blocks: str) -> None:
        """
        C.3 and C.4.
        """
        get = (b":method", b"GET")
        www = (b":authority", b"www.example.com")
        calm = (b"cache-control", b"no-cache")
        custom = (b"custom-key", b"custom-value")
        plain = [get, (b":scheme", b"http"), (b":path", b"/"), www]
        secure = [get, (b":scheme", b"https"), (b":path", b"/index.html"), www, custom]
        self.conversation(
            4096,
            (blocks[0], plain, [www], 57),
            (blocks[1], [*plain, calm], [calm, www], 110),
            (blocks[2], secure, [custom, calm, www], 164),
        )

    def test_requests(self) -> None:
        """
        C.3.
        """
        self.requests(
            "828684410f7777772e6578616d706c652e636f6d",
            "828684be58086e6f2d6361636865",
            "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
        )

    def test_requestsInCode(self) -> None:
        """
        C.4.
        """
        self.requests(
            "828684418cf1e3c2e5f23a6ba0ab90f4ff",
            "828684be5886a8eb10649cbf",
            "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
        )

    def responses(self, *blocks: str) -> None:
        """
        C.5 and C.6, where the table has 256 bytes.
        """
        found = (b":status", b"302")
        moved = (b":status", b"307")
        private = (b"cache-control", b"private")
        first = (b"date", b"Mon, 21 Oct 2013 20:13:21 GMT")
        second = (b"date", b"Mon, 21 Oct 2013 20:13:22 GMT")
        location = (b"location", b"https://www.example.com")
        gzip = (b"content-encoding", b"gzip")
        cookie = (b"set-cookie", b"foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1")
        self.conversation(
            256,
            (blocks[0], [found, private, first, location], [location, first, private, found], 222),
            (blocks[1], [moved, private, first, location], [moved, location, first, private], 222),
            (
                blocks[2],
                [(b":status", b"200"), private, second, location, gzip, cookie],
                [cookie, gzip, second],
                215,
            ),
        )

    def test_responses(self) -> None:
        """
        C.5.
        """
        self.responses(
            "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d54"
            "6e1768747470733a2f2f7777772e6578616d706c652e636f6d",
            "4803333037c1c0bf",
            "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f"
            "3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076"
            "657273696f6e3d31",
        )

    def test_responsesInCode(self) -> None:
        """
        C.6.
        """
        self.responses(
            "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f"
            "0b97c8e9ae82ae43d3",
            "4883640effc1c0bf",
            "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335df"
            "dfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
        )


class RefusalTests(SynchronousTestCase):
    """
    What RFC 7541 forbids.
    """

    def assertBad(self, data: str, part: str, decoder: Decoder | None = None) -> None:
        """
        This block ends the connection, for a reason that is fit for a log.
        """
        error = self.assertRaises(BadBlock, taken, decoder or Decoder(), data)
        self.assertIn(part, error.reason)

    def test_indexes(self) -> None:
        """
        There is nothing at 0, and nothing beyond the tables.
        """
        self.assertBad("80", "index 0")
        for data in ("be", "ff00", "7f000161", "7e0161", "0f2f0161", "ffffffff7f"):
            self.assertBad(data, "beyond")
        filled = Decoder()
        taken(filled, "4001610162")
        self.assertEqual(taken(filled, "be"), [(b"a", b"b")])
        self.assertBad("bf", "beyond", filled)

    def test_integers(self) -> None:
        """
        Nobody needs numbers so long, be they zeros.
        """
        self.assertBad("ff8080808000", "too long")
        self.assertBad("00" + "7f" + "ff" * 20, "too long")
        self.assertBad("3fffffffff0f", "too long")
        self.assertBad("ff", "within an integer")
        self.assertBad("ff80", "within an integer")

    def test_strings(self) -> None:
        """
        They end where they say, and are in the code when they say so.
        """
        self.assertBad("00", "before a string")
        self.assertBad("0002", "within a string")
        self.assertBad("000161", "before a string")
        self.assertBad("00ff", "within an integer")
        self.assertBad("0001617fffffff7f", "within a string")
        self.assertBad("0085ffffffffff0161", "end of the string")
        self.assertBad("00811e0161", "padding")
        self.assertBad("000161811e", "padding")

    def test_updates(self) -> None:
        """
        The table changes its size in front of everything else, and within the setting.
        """
        self.assertEqual(taken(Decoder(), "3f00203fe11f82"), [(b":method", b"GET")])
        self.assertEqual(taken(Decoder(), "20"), [])
        self.assertBad("3fe21f", "larger")
        self.assertBad("8220", "within the block")
        self.assertBad("203fe11f8220", "within the block")

    def test_owedUpdate(self) -> None:
        """
        After a lower setting was acknowledged, the next block begins with an update (RFC 9113
        section 4.3.1), which obeys the lowest setting that there was in between.
        """
        decoder = Decoder()
        decoder.tableSize = 100
        self.assertEqual(decoder.tableSize, 100)
        self.assertBad("82", "made smaller first", decoder)
        for lower in ("3f46", "3fe11f"):
            decoder = Decoder()
            decoder.tableSize = 100
            self.assertBad(lower, "larger", decoder)
        decoder = Decoder()
        for size in (200, 64, 4096):
            decoder.tableSize = size
        self.assertBad("3f2282", "larger", decoder)
        decoder = Decoder()
        for size in (200, 64, 4096):
            decoder.tableSize = size
        self.assertEqual(taken(decoder, "3f213fe11f82"), [(b":method", b"GET")])
        self.assertEqual(taken(decoder, "82"), [(b":method", b"GET")])

    def test_owesNothing(self) -> None:
        """
        Whoever chose a small table owes no update for a setting that still allows it; nor does
        anybody for a higher one, which may then be used.
        """
        decoder = Decoder()
        taken(decoder, "20")
        decoder.tableSize = 100
        self.assertEqual(taken(decoder, "82"), [(b":method", b"GET")])
        decoder = Decoder()
        decoder.tableSize = 8192
        self.assertEqual(taken(decoder, "82"), [(b":method", b"GET")])
        self.assertEqual(taken(decoder, "3fe13f"), [])

    def test_rememberedBlockOwes(self) -> None:
        """
        A block that was remembered is no way around an update that is owed.
        """
        decoder = Decoder()
        taken(decoder, "82")
        decoder.tableSize = 0
        self.assertBad("82", "made smaller first", decoder)

    @examples(60)
    @given(_FIELDS, st.booleans())
    def test_everyCut(self, fields: list[Field], isCoded: bool) -> None:
        """
        A block that is cut is bad, unless the cut is between two fields.
        """
        encoder = theirs.Encoder()
        pieces = [encoder.encode([field], huffman=isCoded) for field in fields]
        block = b"".join(pieces)
        ends = {len(b"".join(pieces[:count])): count for count in range(len(pieces) + 1)}
        for cut in range(len(block) + 1):
            if cut in ends:
                self.assertEqual(Decoder().decode(block[:cut]), fields[: ends[cut]])
            else:
                self.assertRaises(BadBlock, Decoder().decode, block[:cut])

    @examples(400)
    @given(st.lists(st.binary(max_size=30) | st.tuples(_FIELDS, st.binary(max_size=4)), max_size=4))
    def test_anything(self, blocks: list[bytes | tuple[list[Field], bytes]]) -> None:
        """
        Whatever comes, only the declared errors escape; and what we take, others take so.
        """
        decoder, other = Decoder(), theirs.Decoder()
        encoder = theirs.Encoder()
        for each in blocks:
            block = each if isinstance(each, bytes) else encoder.encode(each[0]) + each[1]
            try:
                fields = decoder.decode(block)
            except BadBlock:
                return
            self.assertEqual(fields, [tuple(field) for field in other.decode(block, raw=True)])
            self.assertEqual(decoder._entries[::-1], list(other.header_table.dynamic_entries))


class DecoderTests(SynchronousTestCase):
    """
    In step with a peer.
    """

    @examples(200)
    @given(st.lists(st.tuples(_FIELDS, st.booleans(), st.none() | st.integers(0, 500)), max_size=12))
    def test_withOthers(self, steps: list[tuple[list[Field], bool, int | None]]) -> None:
        """
        What somebody else encodes is what we read, and the tables are the same, while the size
        changes.
        """
        encoder, decoder = theirs.Encoder(), Decoder()
        for fields, isCoded, size in steps:
            if size is not None:
                encoder.header_table_size = size
                decoder.tableSize = size
            for _ in range(3):
                self.assertEqual(decoder.decode(encoder.encode(fields, huffman=isCoded)), fields)
                self.assertEqual(decoder._entries[::-1], list(encoder.header_table.dynamic_entries))
                self.assertEqual(decoder._size, encoder.header_table._current_size)

    def test_remembers(self) -> None:
        """
        The same block while the table stays as it is: the same list.
        """
        encoder, decoder = theirs.Encoder(), Decoder()
        decoder.decode(encoder.encode(_BROWSER))
        again = encoder.encode(_BROWSER)
        first = decoder.decode(again)
        self.assertEqual(first, _BROWSER)
        self.assertIs(decoder.decode(again), first)

    def test_forgets(self) -> None:
        """
        When the table changes, a block means something else.
        """
        decoder = Decoder()
        taken(decoder, "4001610162")
        self.assertEqual(taken(decoder, "be"), [(b"a", b"b")])
        taken(decoder, "4001630164")
        self.assertEqual(taken(decoder, "be"), [(b"c", b"d")])
        taken(decoder, "203fe11f")
        self.assertRaises(BadBlock, taken, decoder, "be")

    def test_changesAreNotRemembered(self) -> None:
        """
        A block that changes the table does so each time.
        """
        decoder = Decoder()
        for count in (1, 2, 3):
            taken(decoder, "4001610162")
            self.assertEqual(len(decoder._entries), count)
        taken(decoder, "2082")
        taken(decoder, "3fe11f4001610162")
        taken(decoder, "2082")
        self.assertEqual(decoder._entries, [])

    def test_bounded(self) -> None:
        """
        What is remembered does not grow with what comes.
        """
        decoder = Decoder()
        for number in range(500):
            decoder.decode(encodeHead([(b"x-a", b"%d" % number)]))
        self.assertLess(len(decoder._known), 17)
        decoder.decode(encodeHead([(b"x-a", b"a" * 2000)]))
        self.assertLessEqual(max(map(len, decoder._known)), 512)

    def test_secrets(self) -> None:
        """
        Nothing that may be somebody's own is known to another connection.
        """
        hpack._heard.clear()
        fields = [
            *_BROWSER,
            (b"x-api-key", b"secret-too"),
            (b"authorization", b"Basic secret"),
            (b"x" * 400, b""),
        ]
        self.assertEqual(Decoder().decode(theirs.Encoder().encode(fields, huffman=True)), fields)
        names = [b":path", b"user-agent", b"x-api-key"]
        self.assertEqual(
            sorted(hpack._heard.values()), sorted([b"Mozilla/5.0 (X11; Linux x86_64)", b"*/*", names[2]])
        )

    def test_heardIsBounded(self) -> None:
        """
        Nor does what connections share grow with what comes.
        """
        hpack._heard.clear()
        self.addCleanup(hpack._heard.clear)
        for number in range(5000):
            Decoder().decode(b"\0" + hpack._short(b"name-%d" % number) + b"\0")
        self.assertGreater(len(hpack._heard), 100)
        self.assertLess(len(hpack._heard), 2049)

    def test_tooMany(self) -> None:
        """
        Too many fields refuse the block and not the connection: the table is in step.
        """
        decoder = Decoder(mostFields=3)
        self.assertEqual(len(taken(decoder, "828282")), 3)
        self.assertRaises(TooLarge, taken, decoder, "828282824001610162")
        self.assertEqual(taken(decoder, "be"), [(b"a", b"b")])

    def test_tooLong(self) -> None:
        """
        Fields count for 32 bytes more than they have (RFC 7541 section 4.1).
        """
        decoder = Decoder(mostBytes=68)
        self.assertEqual(taken(decoder, "00016101620001610162"), [(b"a", b"b")] * 2)
        self.assertRaises(TooLarge, taken, decoder, "4001610162" + "000161026262")
        self.assertEqual(taken(decoder, "be"), [(b"a", b"b")])

    def test_tooLargeIsNoExcuse(self) -> None:
        """
        A block that is too large and bad is bad.
        """
        self.assertRaises(BadBlock, taken, Decoder(mostFields=1), "8282" + "80")
        self.assertRaises(BadBlock, taken, Decoder(mostFields=1), "8282" + "00")

    def test_bomb(self) -> None:
        """
        A block that would be a quarter of a gigabyte costs less than a megabyte, and the
        connection goes on.
        """
        decoder = Decoder()
        decoder.decode(b"\x40\x01a" + hpack._plain(b"b" * 4000))
        bomb = b"\xbe" * 65536
        tracemalloc.start()
        try:
            self.assertRaises(TooLarge, decoder.decode, bomb)
            most = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        self.assertLess(most, 1_000_000)
        self.assertEqual(taken(decoder, "82"), [(b":method", b"GET")])

    def test_bombOfEntries(self) -> None:
        """
        Nor do fields that take one another's place in the table pile up.
        """
        decoder = Decoder()
        block = b"".join(b"\x40" + hpack._plain(b"%d" % number) + b"\0" for number in range(10000))
        self.assertRaises(TooLarge, decoder.decode, block)
        self.assertLessEqual(decoder._size, 4096)
        self.assertLessEqual(len(decoder._entries), 128)
        self.assertEqual(taken(decoder, "be"), [(b"9999", b"")])

    def test_tooLargeForTheTable(self) -> None:
        """
        A field that has no room leaves an empty table behind (RFC 7541 section 4.4).
        """
        decoder = Decoder(64)
        taken(decoder, "4001610162")
        self.assertEqual(decoder.decode(b"\x40\x01a" + hpack._plain(b"b" * 40)), [(b"a", b"b" * 40)])
        self.assertEqual((decoder._entries, decoder._size), ([], 0))


class EncodingTests(SynchronousTestCase):
    """
    Blocks that leave no trace.
    """

    def setUp(self) -> None:
        for memory in (hpack._lines, hpack._heads):
            memory.clear()
            self.addCleanup(memory.clear)

    @examples(200)
    @given(_FIELDS)
    def test_fields(self, fields: list[Field]) -> None:
        """
        Others read what was meant, and have nothing in their table afterwards.
        """
        decoder = theirs.Decoder()
        block = encodeHead(fields)
        self.assertEqual([tuple(field) for field in decoder.decode(block, raw=True)], fields)
        self.assertEqual(list(decoder.header_table.dynamic_entries), [])
        self.assertEqual(Decoder().decode(block), fields)

    def test_short(self) -> None:
        """
        What the static table has takes one byte.
        """
        self.assertEqual(encodeHead([(b":method", b"GET"), (b":scheme", b"https")]), b"\x82\x87")
        self.assertEqual(encodeHead([(b":path", b"/a")]), b"\x04\x02/a")
        self.assertEqual(encodeHead([(b"via", b"a")]), b"\x0f\x2d\x01a")

    def test_never(self) -> None:
        """
        Credentials are marked, so that nobody on the way puts them into a table.
        """
        for name in (b"authorization", b"cookie", b"proxy-authorization", b"set-cookie"):
            for block in (encodeHead([(name, b"a")]), encodeLines(name + b": a\r\n")):
                field = theirs.Decoder().decode(block, raw=True)[0]
                self.assertIsInstance(field, theirs.NeverIndexedHeaderTuple)
        self.assertNotIsInstance(
            theirs.Decoder().decode(encodeHead([(b"a", b"b")]))[0], theirs.NeverIndexedHeaderTuple
        )

    def test_statuses(self) -> None:
        """
        Each status, asked for twice.
        """
        for _ in range(2):
            block = b"".join([encodeStatus(status) for status in range(100, 1000)])
            self.assertEqual(readByThem(block), [(b":status", b"%d" % status) for status in range(100, 1000)])
        self.assertEqual(encodeStatus(404), b"\x8d")

    def test_lines(self) -> None:
        """
        Lines of HTTP/1 become fields; those of the connection stay behind.
        """
        lines = (
            b"Content-Type: text/html\r\nConnection: close\r\nKeep-Alive: timeout=5\r\nX-Empty:\r\n"
            b"Transfer-Encoding: chunked\r\nUpgrade: a\r\nProxy-Connection: a\r\n"
            b"TE: gzip\r\nte:  Trailers\t\r\n"
            b"Set-Cookie: a=b\r\nSet-Cookie: c=d\r\nContent-Length:\t12 \r\nX-Colon: a:b\r\n"
        )
        for _ in range(2):
            self.assertEqual(
                readByThem(encodeLines(lines)),
                [
                    (b"content-type", b"text/html"),
                    (b"x-empty", b""),
                    (b"te", b"Trailers"),
                    (b"set-cookie", b"a=b"),
                    (b"set-cookie", b"c=d"),
                    (b"content-length", b"12"),
                    (b"x-colon", b"a:b"),
                ],
            )
        self.assertEqual(encodeLines(b""), b"")

    @examples(150)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from((b"Date", b"X-A", b"Set-Cookie", b"connection", b"Content-Length", b"ETag")),
                st.sampled_from((b"", b"a", b"Mon, 23 Nov 2026 22:00:00 GMT", b"\xe4", b"long" * 200)),
            ),
            max_size=6,
        )
    )
    def test_linesAgain(self, fields: list[Field]) -> None:
        """
        What is remembered is what would be said without a memory.
        """
        lines = b"".join(b"%b: %b\r\n" % field for field in fields)
        expected = [(name.lower(), value) for name, value in fields if name != b"connection"]
        for _ in range(2):
            self.assertEqual(readByThem(encodeLines(lines)), expected)

    def test_memory(self) -> None:
        """
        It is bounded, and has no secrets nor what is long.
        """
        for number in range(3000):
            encodeLines(b"ETag: %d\r\nServer: a\r\n" % number)
        self.assertLessEqual(len(hpack._lines), 1024)
        self.assertLessEqual(len(hpack._heads), 512)
        long = b"X-A: " + b"a" * 2000 + b"\r\n"
        for line in (b"Set-Cookie: secret\r\n", b"authorization: secret\r\n", b"COOKIE: secret\r\n", long):
            encodeLines(b"Server: a\r\n" + line)
        kept = [*hpack._lines, *hpack._lines.values(), *hpack._heads, *hpack._heads.values()]
        self.assertFalse([each for each in kept if b"secret" in each or len(each) > 1024])
