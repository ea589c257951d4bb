"""
Tests for L{smartproxy_tw.wire.clienthello}.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

from hypothesis import example, given
from hypothesis import strategies as st
from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.wire import clienthello
from smartproxy_tw.wire.clienthello import MOST_BYTES, Hello, Malformed, NeedMore, NotTLS, parse

from ..examples import examples
from . import hellos

steady = examples(150)

#: A share of X25519MLKEM768 beside one of X25519, as browsers send.
_POST_QUANTUM = hellos.extension(
    51,
    hellos.vector(b"\x11\xec" + hellos.vector(bytes(1216), 2) + b"\x00\x1d" + hellos.vector(bytes(32), 2), 2),
)

_BROWSER = (
    hellos.extension(0x2A2A, b""),
    hellos.serverName(b"shop.example"),
    hellos.extension(0x0017, b""),
    hellos.alpn(b"h2", b"http/1.1"),
    hellos.versions(0x6A6A, 0x0304, 0x0303),
    _POST_QUANTUM,
    hellos.extension(0xFE0D, bytes(218)),
    hellos.extension(0xFAFA, b"\0"),
)


def corpus() -> list[bytes]:
    """
    Hellos that are all right, of every kind.
    """
    browser = hellos.message(hellos.body(_BROWSER))
    return [
        hellos.fromOpenSSL(),
        hellos.fromOpenSSL(None, ()),
        hellos.fromOpenSSL(highest=SSL.TLS1_2_VERSION),
        hellos.records(browser),
        hellos.records(browser, (3, 700)),
        hellos.records(browser, (1, 1, 1, 1, 1, 4000)),
        hellos.records(browser, (97,)),
        hellos.hello(hellos.serverName(b"a.example"), sizes=(1,)),
        hellos.records(hellos.message(hellos.body(None))),
    ]


class HelloTests(SynchronousTestCase):
    """
    Whole hellos are read.
    """

    def test_openssl(self) -> None:
        """
        What OpenSSL sends is read, and its length is that of its record.
        """
        data = hellos.fromOpenSSL(b"Shop.Example")
        self.assertEqual(
            parse(data), Hello("shop.example", (b"h2", b"http/1.1"), (0x0304, 0x0303), len(data))
        )

    def test_olderThanSupportedVersions(self) -> None:
        """
        A hello without the extension offers its legacy version.
        """
        answer = parse(hellos.fromOpenSSL(highest=SSL.TLS1_2_VERSION))
        assert isinstance(answer, Hello)
        self.assertEqual(answer.versions, (0x0303,))

    def test_nothingOffered(self) -> None:
        """
        A hello without any extension has no name and no protocols.
        """
        data = hellos.records(hellos.message(hellos.body(None, version=0x0301)))
        self.assertEqual(parse(data), Hello(None, (), (0x0301,), len(data)))

    def test_browser(self) -> None:
        """
        A post-quantum hello with reserved values is read, and the reserved
        version is left out.
        """
        data = hellos.hello(*_BROWSER)
        self.assertGreater(len(data), 1500)
        self.assertEqual(
            parse(data), Hello("shop.example", (b"h2", b"http/1.1"), (0x0304, 0x0303), len(data))
        )

    def test_everyRecordSize(self) -> None:
        """
        It is the same hello in records of any size.
        """
        whole = hellos.message(hellos.body(_BROWSER))
        for size in [*range(1, 80), 500, len(whole) - 1, len(whole)]:
            data = hellos.records(whole, (size,))
            answer = parse(data)
            self.assertEqual(answer, Hello("shop.example", (b"h2", b"http/1.1"), (0x0304, 0x0303), len(data)))

    def test_otherBuffers(self) -> None:
        """
        A bytearray and a memoryview are as good as bytes.
        """
        data = hellos.hello(*_BROWSER)
        self.assertEqual(parse(bytearray(data)), parse(data))
        self.assertEqual(parse(memoryview(data)), parse(data))

    def test_whatFollows(self) -> None:
        """
        Early data behind the hello's record is no concern of ours.
        """
        data = hellos.hello(hellos.serverName(b"a.example"))
        self.assertEqual(parse(data + b"\x17\x03\x03\x00\x01!"), parse(data))
        self.assertEqual(parse(data + b"anything"), parse(data))

    def test_anyRecordVersion(self) -> None:
        """
        The minor version of a record is ignored, as RFC 8446 section 5.1 asks.
        """
        content = hellos.message(hellos.body((hellos.serverName(b"a.example"),)))
        for minor in (0, 1, 3, 4, 255):
            self.assertIsInstance(parse(hellos.records(content, version=0x0300 | minor)), Hello)

    def test_largest(self) -> None:
        """
        The largest hello that is read; one byte more is refused at once.
        """
        room = 16384 - len(hellos.body((hellos.extension(21, b""),)))
        whole = hellos.message(hellos.body((hellos.extension(21, bytes(room)),)))
        data = hellos.records(whole, (24,))
        self.assertLess(len(data), MOST_BYTES)
        self.assertEqual(parse(data), Hello(None, (), (0x0303,), len(data)))
        more = hellos.message(hellos.body((hellos.extension(21, bytes(room + 1)),)))
        self.assertEqual(
            parse(hellos.records(more)[:9]),
            Malformed("a ClientHello of 16385 bytes; at most 16384 are read"),
        )

    def test_spread(self) -> None:
        """
        A hello in too many records is refused once that is certain, and the
        very last that fits is read.
        """
        whole = hellos.message(hellos.body(_BROWSER))
        self.assertIsInstance(parse(hellos.records(whole, (1,))), Hello)
        refused = Malformed("a ClientHello spread over more than 20000 bytes of records")
        for ones, expected in ((3323, Hello(None, (), (0x0303,), MOST_BYTES)), (3324, refused)):
            # So many records of one byte, and one with the rest.
            room = MOST_BYTES - 3324 * 5 - 4 - len(hellos.body((hellos.extension(21, b""),)))
            whole = hellos.message(hellos.body((hellos.extension(21, bytes(room)),)))
            data = hellos.records(whole, (*[1] * ones, 16384))
            self.assertEqual(parse(data), expected)
        answers = [parse(data[:size]) for size in range(0, len(data), 97)]
        first = next(at for at, answer in enumerate(answers) if isinstance(answer, Malformed))
        self.assertEqual(set(answers[first:]), {refused})


class ServerNameTests(SynchronousTestCase):
    """
    Which names are host names.
    """

    def name(self, name: bytes) -> str | None:
        """
        How this name reads in a hello that is all right.
        """
        answer = parse(hellos.hello(hellos.serverName(name)))
        assert isinstance(answer, Hello), answer
        return answer.serverName

    def assertRefused(self, name: bytes) -> None:
        """
        This name makes its hello malformed.
        """
        answer = parse(hellos.hello(hellos.serverName(name)))
        self.assertIsInstance(answer, Malformed, name)
        assert isinstance(answer, Malformed)
        self.assertRegex(answer.reason, r"\A[ -~]+\Z")

    def test_normalForm(self) -> None:
        """
        Names are lower-cased and lose one trailing dot.
        """
        self.assertEqual(self.name(b"WWW.Shop.Example"), "www.shop.example")
        self.assertEqual(self.name(b"shop.example."), "shop.example")
        self.assertEqual(self.name(b"localhost"), "localhost")
        self.assertEqual(self.name(b"_dmarc.my_host.example"), "_dmarc.my_host.example")
        self.assertEqual(self.name(b"xn--bcher-kva.example"), "xn--bcher-kva.example")
        self.assertEqual(self.name(b"1.2.3.example"), "1.2.3.example")

    def test_addresses(self) -> None:
        """
        An IP address, sent against RFC 6066, is no name but no offence either.
        """
        for address in (b"127.0.0.1", b"127.0.0.1.", b"::1", b"[2001:db8::1]", b"::ffff:192.0.2.1"):
            self.assertIsNone(self.name(address), address)

    def test_noHostNames(self) -> None:
        """
        What no host can be called is refused, not routed somewhere.
        """
        for name in (
            b"",
            b".",
            b"a..b",
            b".a",
            b"a.example..",
            b"a b",
            b"good.example\0.evil.example",
            b"good.example\n",
            b"a/b",
            b"*.example",
            b"b\xc3\xbccher.example",
            b"a:443",
            b":x:",
            b"[::1",
            b"\xff:\xff",
            b"%s.example" % (b"a" * 64),
        ):
            self.assertRefused(name)

    def test_length(self) -> None:
        """
        253 characters are a name, with or without a dot behind them, and 254
        are none.
        """
        longest = b".".join([b"a" * 63] * 3 + [b"b" * 61])
        self.assertEqual(self.name(longest), longest.decode())
        self.assertEqual(self.name(longest + b"."), longest.decode())
        self.assertRefused(longest + b"b")
        self.assertRefused(b"a." * 30000 + b"a")

    def test_otherTypesOfName(self) -> None:
        """
        A name of a type unknown to us is passed over.
        """
        entries = b"\x05" + hellos.vector(b"?", 2) + b"\x00" + hellos.vector(b"a.example", 2)
        answer = parse(hellos.hello(hellos.extension(0, hellos.vector(entries, 2))))
        assert isinstance(answer, Hello)
        self.assertEqual(answer.serverName, "a.example")
        answer = parse(hellos.hello(hellos.serverName(b"?", 5)))
        assert isinstance(answer, Hello)
        self.assertIsNone(answer.serverName)

    def test_twoNames(self) -> None:
        """
        Two host names are one too many.
        """
        entry = b"\x00" + hellos.vector(b"a.example", 2)
        self.assertEqual(
            parse(hellos.hello(hellos.extension(0, hellos.vector(entry + entry, 2)))),
            Malformed("two names of type 0 in server_name"),
        )


class RefusedTests(SynchronousTestCase):
    """
    What is no TLS, and what is no ClientHello.
    """

    def test_otherProtocols(self) -> None:
        """
        Another protocol is told from TLS by its first byte or its second.
        """
        self.assertEqual(parse(b""), NeedMore(1))
        self.assertEqual(parse(b"\x16"), NeedMore(2))
        for first in set(range(256)) - {0x16}:
            self.assertEqual(parse(bytes([first])), NotTLS())
        for second in set(range(256)) - {3}:
            self.assertEqual(parse(bytes([0x16, second])), NotTLS())
        self.assertEqual(parse(b"GET / HTTP/1.1\r\n"), NotTLS())
        # An SSL 2.0 hello that offers TLS 1.2.
        self.assertEqual(parse(b"\x80\x2e\x01\x03\x03\x00\x15\x00\x00\x00\x10"), NotTLS())

    def test_records(self) -> None:
        """
        Records that cannot be part of a ClientHello are refused when their
        header is there.
        """
        start = b"\x16\x03\x01\x00\x02\x01\x00"
        self.assertEqual(parse(b"\x16\x03\x01\x00\x00"), Malformed("an empty record"))
        self.assertEqual(parse(start + b"\x16\x03\x01\x00\x00"), Malformed("an empty record"))
        self.assertEqual(
            parse(b"\x16\x03\x01\x40\x01"), Malformed("a record of 16385 bytes; at most 16384 are allowed")
        )
        self.assertEqual(
            parse(start + b"\x15\x03\x01\x00\x02"), Malformed("a record of type 21 inside the ClientHello")
        )
        self.assertEqual(
            parse(start + b"\x16\x02\x00\x00\x02"),
            Malformed("a record of version 2.0 inside the ClientHello"),
        )

    def test_otherMessages(self) -> None:
        """
        Another handshake message is no ClientHello.
        """
        self.assertEqual(
            parse(hellos.records(hellos.message(bytes(64), 2))),
            Malformed("handshake message 2 in place of a ClientHello"),
        )

    def test_moreInTheRecord(self) -> None:
        """
        Nothing can follow the ClientHello in its own record.
        """
        whole = hellos.message(hellos.body())
        expected = Malformed("a record holds more than the ClientHello")
        self.assertEqual(parse(hellos.records(whole + b"\x01")), expected)
        self.assertEqual(parse(hellos.records(whole + b"\x01")[:9]), expected)
        self.assertEqual(parse(hellos.records(whole + b"\x01", (10, 4000))), expected)

    def test_bodies(self) -> None:
        """
        Bodies that break the grammar are refused with the rule they break.
        """
        body = hellos.body
        for content, reason in [
            (bytes(40), "a ClientHello of 40 bytes; the shortest has 41"),
            (body(version=0x0203), "client version 2.3"),
            (body(session=bytes(33)), "a session id of 33 bytes"),
            (body(suites=b""), "a list of cipher suites of 0 bytes"),
            (body(suites=b"\x13\x01\x13"), "a list of cipher suites of 3 bytes"),
            (body(methods=b""), "no list of compression methods"),
            (body(None)[:-2] + b"\x05\x00", "its parts are longer than the whole"),
            (body() + b"\0", "the block of extensions does not end where the ClientHello does"),
            (body(None) + b"\0", "the block of extensions does not end where the ClientHello does"),
            (body([b"\0\x0a\0"]), "half an extension at the end"),
            (body([b"\0\x0a\0\x02!"]), "the last extension is longer than the block it is in"),
            (body([hellos.alpn(b"h2"), hellos.alpn(b"h2")]), "extension 16 is there twice"),
            (body([hellos.extension(0, b"")]), "a server_name extension of the wrong length"),
            (body([hellos.extension(0, b"\0\0")]), "a server_name extension of the wrong length"),
            (body([hellos.extension(0, b"\0\x02\0\0")]), "half an entry in server_name"),
            (
                body([hellos.extension(0, b"\0\x04\0\0\x02a")]),
                "an entry of server_name is longer than its list",
            ),
            (body([hellos.extension(16, b"\0\0")]), "an ALPN extension of the wrong length"),
            (body([hellos.alpn(b"h2", b"")]), "an ALPN extension with an entry of the wrong length"),
            (body([hellos.extension(16, b"\0\2\2a")]), "an ALPN extension with an entry of the wrong length"),
            (body([hellos.extension(43, b"\0")]), "a supported_versions extension of the wrong length"),
            (
                body([hellos.extension(43, b"\3\3\4\3")]),
                "a supported_versions extension of the wrong length",
            ),
        ]:  # fmt: skip
            self.assertEqual(parse(hellos.records(hellos.message(content))), Malformed(reason))


class EverySplitTests(SynchronousTestCase):
    """
    However the bytes arrive, the answer is one and the same.
    """

    def test_everyPrefix(self) -> None:
        """
        Every shorter beginning of a hello asks for more, for no more than
        there will be, and says truly how much cannot be enough.
        """
        for data in corpus():
            for size in range(len(data)):
                answer = parse(data[:size])
                assert isinstance(answer, NeedMore), (size, answer)
                self.assertTrue(size < answer.atLeast <= len(data), (size, answer))

    def test_anyRefusalStands(self) -> None:
        """
        Once refused, always refused, and for the same reason.
        """
        whole = hellos.message(hellos.body((hellos.serverName(b"a..b"),)))
        for data in [
            hellos.records(whole),
            hellos.records(whole, (1,)),
            hellos.records(whole, (5, 2000)),
            hellos.records(whole + b"!", (50, 2000)),
            hellos.records(hellos.message(bytes(20000))),
            hellos.records(hellos.message(hellos.body(), 4), (2, 2, 2000)),
        ]:
            final = parse(data)
            self.assertIsInstance(final, Malformed)
            for size in (*range(min(600, len(data))), *range(600, len(data), 61)):
                answer = parse(data[:size])
                self.assertTrue(isinstance(answer, NeedMore) or answer == final, (size, answer))

    def test_fewCalls(self) -> None:
        """
        A reader that waits for what it was told asks a handful of times, even
        where the records are as small as they may be.
        """
        room = 16384 - len(hellos.body((hellos.extension(21, b""),)))
        whole = hellos.message(hellos.body((hellos.extension(21, bytes(room)),)))
        for sizes, most in (((16384,), 5), ((24,), 70), ((700,), 6)):
            data = hellos.records(whole, sizes)
            calls, wanted = 0, 1
            while wanted <= len(data):
                answer = parse(data[:wanted])
                calls += 1
                if isinstance(answer, Hello):
                    break
                assert isinstance(answer, NeedMore)
                wanted = answer.atLeast
            else:
                self.fail("it asks for more than there is")
            self.assertLessEqual(calls, most, sizes)


class MemoryTests(SynchronousTestCase):
    """
    What a hello came to is remembered, and never makes a difference.
    """

    share = hellos.extension(51, hellos.vector(b"\0\x1d" + hellos.vector(bytes(32), 2), 2))

    def setUp(self) -> None:
        """Nothing is known."""
        self.forgets()
        self.addCleanup(self.forgets)

    def forgets(self) -> None:
        """
        Know nothing any more.
        """
        clienthello._known.clear()
        clienthello._shares.clear()

    def known(self) -> int:
        """
        How many hellos are known.
        """
        return len(clienthello._known)

    def freshly(self, data: bytes) -> object:
        """
        The answer of who knows nothing.
        """
        known, shares = dict(clienthello._known), dict(clienthello._shares)
        self.forgets()
        answer = parse(data)
        self.forgets()
        clienthello._known.update(known)
        clienthello._shares.update(shares)
        return answer

    def test_likewise(self) -> None:
        """
        One client that asks for one name again and again is known after the first time, whatever its
        random, its session and its key.
        """
        for name in (b"a.test", b"b.test", b"longer.test"):
            for _ in range(5):
                answer = parse(hellos.fromOpenSSL(name))
                assert isinstance(answer, Hello)
                self.assertEqual(answer.serverName, name.decode())
        self.assertEqual(self.known(), 3)

    def test_everyByte(self) -> None:
        """
        One byte that differs, anywhere, is seen wherever it matters; and so is one that is missing, or
        one too many.
        """
        short = hellos.body((self.share, hellos.serverName(b"a.test")), session=bytes(16))
        for data in (hellos.fromOpenSSL(b"a.test"), hellos.records(hellos.message(short))):
            self.differs(data)

    def differs(self, data: bytes) -> None:
        """
        Whatever differs from this has its own answer.
        """
        for index in range(len(data)):
            for value in (0, 1, 32, data[index] ^ 1, 255):
                parse(data)
                changed = data[:index] + bytes((value,)) + data[index + 1 :]
                self.assertEqual(parse(changed), self.freshly(changed), (index, value))
            parse(data)
            self.assertEqual(parse(data[:index]), self.freshly(data[:index]))
            inserted = data[:index] + b"\0" + data[index:]
            self.assertEqual(parse(inserted), self.freshly(inserted))
            removed = data[:index] + data[index + 1 :]
            self.assertEqual(parse(removed), self.freshly(removed))
        self.assertEqual(parse(data + b"more"), parse(data))

    def test_otherOrder(self) -> None:
        """
        Two clients whose hellos are equally long do not stand in for one another.
        """
        share = self.share
        name, other = hellos.serverName(b"a.test"), hellos.serverName(b"b.test")
        some = [
            hellos.hello(*extensions)
            for extensions in ((share, name), (name, share), (other, share), (share, other))
        ]
        self.assertEqual(len({len(data) for data in some}), 1)
        for _ in range(3):
            for data, wanted in zip(some, ("a.test", "a.test", "b.test", "b.test"), strict=True):
                answer = parse(data)
                assert isinstance(answer, Hello)
                self.assertEqual(answer.serverName, wanted)

    def test_shareElsewhere(self) -> None:
        """
        What is not looked at of one hello is looked at of another, though all the rest be the same.
        """
        name = hellos.serverName(b"a.test")
        one, other = hellos.hello(self.share, name), hellos.hello(name, self.share)
        parse(one)
        parse(other)
        forged = one.replace(self.share, self.share[:4]) + bytes(len(self.share) - 4)
        self.assertEqual(len(forged), len(one))
        self.assertEqual(parse(forged), self.freshly(forged))

    @steady
    @given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255)), max_size=20))
    def test_changes(self, changes: list[tuple[int, int]]) -> None:
        """
        However one comes of the one before, each has its own answer.
        """
        data = bytearray(hellos.fromOpenSSL(b"a.test"))
        for index, value in changes:
            data[index % len(data)] = value
            self.assertEqual(parse(bytes(data)), self.freshly(bytes(data)))

    def test_fresh(self) -> None:
        """
        Those that are never twice the same are not kept, nor are long ones, nor what is followed by
        something.
        """
        data = hellos.fromOpenSSL(b"a.test")
        for each in (
            hellos.hello(*_BROWSER),
            hellos.fromOpenSSL(b"a.test", [b"p%d" % number + bytes(200) for number in range(4)]),
            hellos.fromOpenSSL(highest=SSL.TLS1_2_VERSION),
            data + b"more",
        ):
            self.assertIsInstance(parse(each), Hello)
            self.assertEqual(self.known(), 0, each)

    def test_bounded(self) -> None:
        """
        No more than so many are known.
        """
        for number in range(1500):
            name = hellos.serverName(b"n%d.test" % number)
            parse(hellos.hello(name, self.share))
            self.assertLessEqual(self.known(), 1024)
        self.assertGreater(self.known(), 0)


def heardByOpenSSL(data: bytes) -> list[bytes | None]:
    """
    The names for which an OpenSSL server that is sent these bytes looks for a
    certificate: none when it refuses the hello before that.
    """
    heard: list[bytes | None] = []
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_tlsext_servername_callback(lambda connection: heard.append(connection.get_servername()))
    connection = SSL.Connection(context, None)
    connection.set_accept_state()
    connection.bio_write(data)
    try:
        connection.do_handshake()
    except SSL.Error:
        pass
    return heard


class OpenSSLTests(SynchronousTestCase):
    """
    What we route by is what OpenSSL serves by.
    """

    def judge(self, data: bytes) -> None:
        """
        Where OpenSSL hears a name, we have read that name, or refused.
        """
        answer = parse(data)
        for name in heardByOpenSSL(data):
            if isinstance(answer, Malformed):
                continue
            assert isinstance(answer, Hello), (answer, name)
            if answer.serverName is not None:
                self.assertEqual((name or b"").decode().lower().removesuffix("."), answer.serverName)
            elif name is not None:
                self.assertIsInstance(ip_address(name.decode().removesuffix(".")), IPv4Address | IPv6Address)

    def test_heard(self) -> None:
        """
        The names in good hellos are heard by both.
        """
        for data in corpus():
            self.judge(data)
        self.assertEqual(heardByOpenSSL(hellos.fromOpenSSL()), [b"shop.example"])

    @steady
    @given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=3), st.binary(max_size=12))
    def test_mutations(self, changes: list[tuple[int, int]], name: bytes) -> None:
        """
        Neither changed bytes nor odd names make the two disagree.
        """
        changed = bytearray(hellos.fromOpenSSL())
        for place, value in changes:
            changed[place % len(changed)] = value
        self.judge(bytes(changed))
        good = hellos.fromOpenSSL(b"x" * len(name)) if name else hellos.fromOpenSSL()
        self.judge(good.replace(b"x" * len(name), name, 1))


class PropertyTests(SynchronousTestCase):
    """
    Nothing but the declared answers comes out, whatever goes in.
    """

    def judge(self, data: bytes) -> None:
        """
        Check all that must be true of any answer.
        """
        answer = parse(data)
        if isinstance(answer, NeedMore):
            self.assertTrue(len(data) < answer.atLeast <= MOST_BYTES)
        elif isinstance(answer, Hello):
            self.assertLessEqual(answer.length, len(data))
            self.assertEqual(parse(data[: answer.length]), answer)
            self.assertIsInstance(parse(data[: answer.length - 1]), NeedMore)
            if answer.serverName is not None:
                self.assertRegex(answer.serverName, r"\A[a-z0-9_-]+(\.[a-z0-9_-]+)*\Z")
                self.assertLessEqual(len(answer.serverName), 253)
        elif isinstance(answer, Malformed):
            self.assertRegex(answer.reason, r"\A[ -~]+\Z")
        else:
            self.assertEqual(answer, NotTLS())
            self.assertEqual(parse(data[:2]), NotTLS())

    @steady
    @given(st.binary(max_size=300))
    def test_anything(self, data: bytes) -> None:
        """
        Arbitrary bytes, bare and dressed as a record and as a message.
        """
        self.judge(data)
        self.judge(b"\x16\x03" + data)
        self.judge(hellos.records(hellos.message(data)))
        self.judge(hellos.records(hellos.message(hellos.body((data,)))))

    @steady
    @given(
        st.sampled_from(corpus()),
        st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=4),
        st.integers(0, 2000),
        st.binary(max_size=3),
    )
    @example(corpus()[0], [(5, 2)], 0, b"")
    def test_mutations(self, data: bytes, changes: list[tuple[int, int]], cut: int, inserted: bytes) -> None:
        """
        Good hellos with some bytes changed, put in or taken away.
        """
        changed = bytearray(data)
        for place, value in changes:
            changed[place % len(changed)] = value
        self.judge(bytes(changed))
        at = cut % len(data)
        self.judge(data[:at] + inserted + data[at:])
        self.judge(data[:at] + data[at + 1 :])
        self.judge(data[:at])

    @steady
    @given(
        st.tuples(
            st.text(alphabet="amzAMZ059", min_size=1, max_size=20),
            st.lists(st.text(alphabet="amz059-", min_size=1, max_size=20).map(".a{}".format), max_size=4),
        ).map(lambda parts: parts[0] + "".join(parts[1])),
        st.lists(st.binary(min_size=1, max_size=20), max_size=5),
        st.lists(st.sampled_from([0x0304, 0x0303, 0x0302, 0x0301]), min_size=1, max_size=4),
        st.lists(st.integers(1, 60), min_size=1, max_size=40),
    )
    def test_roundTrip(self, name: str, protocols: list[bytes], numbers: list[int], sizes: list[int]) -> None:
        """
        What was put in is what comes out, in records of any sizes.
        """
        extensions = [hellos.serverName(name.encode()), hellos.versions(*numbers)]
        if protocols:
            extensions.append(hellos.alpn(*protocols))
        data = hellos.hello(*extensions, sizes=sizes)
        self.assertEqual(parse(data), Hello(name.lower(), tuple(protocols), tuple(numbers), len(data)))
