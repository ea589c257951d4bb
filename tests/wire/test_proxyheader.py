"""
Tests for L{smartproxy_tw.wire.proxyheader}.
"""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from struct import pack
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.protocols.haproxy._exceptions import InvalidProxyHeader
from twisted.protocols.haproxy._v1parser import V1Parser
from twisted.protocols.haproxy._v2parser import V2Parser
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.facts import Address
from smartproxy_tw.wire.proxyheader import (
    ALPN,
    AUTHORITY,
    CRC32C,
    MOST_BYTES,
    NETNS,
    NOOP,
    SSL,
    UNIQUE_ID,
    Header,
    Malformed,
    NeedMore,
    NotProxy,
    Secured,
    _crc32c,
    parse,
    render,
    renderSecured,
)

from ..examples import anyText, examples

steady = examples(150)

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
FOUR = Address("192.0.2.7", 51234), Address("203.0.113.5", 443)
SIX = Address("2001:db8::7", 51234), Address("2001:db8::5", 443)
UNIX = Address("/run/client.sock", 0), Address("/run/front.sock", 0)
SECURED = Secured(
    7, 0, ((0x21, b"TLSv1.3"), (0x22, b"alice"), (0x23, b"TLS_AES_128_GCM_SHA256"), (0x24, b"SHA256"))
)
TLVS = (
    (ALPN, b"h2"),
    (AUTHORITY, b"shop.example"),
    (UNIQUE_ID, b"42"),
    renderSecured(SECURED),
    (NETNS, b"blue"),
    (0xE3, b"\0\1"),
)


def binary(
    command: int = 0x21, kind: int = 0x11, body: bytes = bytes(12), length: int | None = None
) -> bytes:
    """
    A header of version 2, right or wrong.
    """
    return SIGNATURE + pack("!BBH", command, kind, len(body) if length is None else length) + body


def corpus() -> list[bytes]:
    """
    Headers that are all right, of every kind.
    """
    return [
        render(1, *FOUR),
        render(1, *SIX),
        render(1, None, None),
        b"PROXY UNKNOWN ffff:f...f:ffff whatever 1 2\r\n",
        b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
        b"PROXY TCP6 " + b" ".join([b"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"] * 2) + b" 65535 65535\r\n",
        render(2, *FOUR),
        render(2, *SIX, TLVS),
        render(2, *SIX, TLVS, isChecked=True),
        render(2, *UNIX, [(NOOP, bytes(5))]),
        render(2, None, None, [(AUTHORITY, b"x.example")]),
        binary(0x20, 0, b""),
        binary(0x20, 0x77, b"anything at all"),
        binary(kind=0x12),
    ]


class HeaderTests(SynchronousTestCase):
    """
    Whole headers are read.
    """

    def reads(self, data: bytes) -> Header:
        """
        It is one.
        """
        found = parse(data)
        assert isinstance(found, Header), found
        self.assertEqual(found.length, len(data))
        return found

    def test_line(self) -> None:
        """
        Version 1 names both ends, by IPv4 or IPv6.
        """
        self.assertEqual(
            parse(b"PROXY TCP4 192.0.2.7 203.0.113.5 51234 443\r\nGET"), Header(1, "tcp4", *FOUR, 44)
        )
        self.assertEqual(
            parse(b"PROXY TCP6 2001:DB8:0::7 2001:db8::5 51234 443\r\n"), Header(1, "tcp6", *SIX, 48)
        )
        mapped = self.reads(b"PROXY TCP6 ::ffff:192.0.2.7 ::FFFF:cb00:7105 51234 443\r\n")
        self.assertEqual((mapped.source, mapped.destination), FOUR)
        for line in (b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN 1 2 3 4 five\r\n"):
            self.assertEqual(parse(line), Header(1, "unknown", None, None, len(line)))

    def test_binary(self) -> None:
        """
        Version 2 names ends of five kinds; only those by TCP can be taken for ends of
        another connection by TCP.
        """
        addresses = b"\xc0\0\2\7\xcb\0\x71\5" + pack("!HH", 51234, 443)
        self.assertEqual(parse(binary(body=addresses)), Header(2, "tcp4", *FOUR, 28))
        self.assertEqual(parse(binary(kind=0x12, body=addresses)), Header(2, "udp4", *FOUR, 28))
        long = b"".join(IPv6Address(each.host).packed for each in SIX) + pack("!HH", 51234, 443)
        self.assertEqual(parse(binary(kind=0x21, body=long)), Header(2, "tcp6", *SIX, 52))
        self.assertEqual(parse(binary(kind=0x22, body=long)), Header(2, "udp6", *SIX, 52))
        paths = pack("108s108s", *(each.host.encode() for each in UNIX))
        self.assertEqual(parse(binary(kind=0x31, body=paths)), Header(2, "unix-stream", *UNIX, 232))
        datagram = self.reads(binary(kind=0x32, body=bytes(216)))
        self.assertEqual((datagram.transport, datagram.source), ("unix-datagram", Address("", 0)))
        self.assertEqual(
            [self.reads(each).isTCP for each in corpus()[6:11]], [True, True, True, False, False]
        )

    def test_unknown(self) -> None:
        """
        Of a sender that speaks for itself, or for something that has no name, there are no
        addresses; its pairs are read in the second case only.
        """
        for kind, body in ((0x00, b""), (0x01, b""), (0x10, bytes(12))):
            found = self.reads(binary(kind=kind, body=body + b"\2\0\1x"))
            self.assertEqual((found.transport, found.source, found.authority), ("unknown", None, "x"))
        local = self.reads(binary(0x20, 0x11, b"\2\xff\xff"))
        self.assertEqual(local, Header(2, "unknown", None, None, 19))

    def test_pairs(self) -> None:
        """
        Each known pair has a name, unknown ones are kept, those that fill up are not.
        """
        found = self.reads(render(2, *FOUR, [*TLVS, (NOOP, b"xx")], isChecked=True))
        self.assertEqual(found.tlvs[:-1], TLVS)
        self.assertEqual(found.tlvs[-1][0], CRC32C)
        self.assertEqual((found.alpn, found.authority, found.namespace), (b"h2", "shop.example", "blue"))
        self.assertEqual(found.uniqueID, b"42")
        secured = found.secured
        assert secured is not None
        self.assertEqual(secured, SECURED)
        self.assertEqual((secured.version, secured.commonName), ("TLSv1.3", "alice"))
        self.assertEqual((secured.cipher, secured.signatureAlgorithm), ("TLS_AES_128_GCM_SHA256", "SHA256"))
        self.assertEqual((secured.keyAlgorithm, secured.group, secured.certificate), (None, None, None))
        more = Secured(1, 1, ((0x25, b"RSA2048"), (0x26, b"X25519"), (0x28, b"\x30")))
        self.assertEqual((more.keyAlgorithm, more.group, more.certificate), ("RSA2048", "X25519", b"\x30"))
        bare = self.reads(render(2, *FOUR))
        self.assertEqual((bare.alpn, bare.authority, bare.uniqueID, bare.namespace), (None,) * 4)
        self.assertIsNone(bare.secured)

    def test_checksum(self) -> None:
        """
        A checksum covers every bit of the header, its own place left out; that of RFC 3720
        is meant.
        """
        self.assertEqual(_crc32c(b"123456789"), 0xE3069283)
        whole = render(2, *FOUR, [(AUTHORITY, b"a.example")], isChecked=True)
        self.reads(whole)
        for index in range(16, len(whole)):
            for bit in (1, 128):
                changed = whole[:index] + bytes([whole[index] ^ bit]) + whole[index + 1 :]
                self.assertNotEqual(parse(changed), parse(whole), index)

    def test_bounds(self) -> None:
        """
        A header may be as long as is said, and not a byte longer.
        """
        room = MOST_BYTES - 16 - 12 - 3
        self.reads(render(2, *FOUR, [(0xE0, bytes(room))]))
        self.assertRaises(ValueError, render, 2, *FOUR, [(0xE0, bytes(room + 1))])
        self.assertRaises(ValueError, render, 2, *FOUR, [(0xE0, bytes(65536))])
        self.assertEqual(
            parse(binary(length=4097)), Malformed("4113 bytes, and more than 4112 are not taken")
        )


class OtherTests(SynchronousTestCase):
    """
    What is no header.
    """

    def test_notProxy(self) -> None:
        """
        Something else is told by the first byte that differs, and not later.
        """
        for data in (
            b"G",
            b"PRO ",
            b"PROXy",
            b"PROXY\t",
            b"\x16",
            b"\r\nG",
            b"\r\n\r\n\0\r\nQUIT\r",
            b"p",
        ):
            self.assertEqual(parse(data), NotProxy(), data)
            self.assertIsInstance(parse(data[:-1]), NeedMore)

    def test_malformedLines(self) -> None:
        """
        A line in any other form is refused.
        """
        for rest in (
            b"TCP4 192.0.2.7 203.0.113.5 51234 443\n",
            b"TCP4  192.0.2.7 203.0.113.5 51234 443\r\n",
            b"TCP4 192.0.2.7 203.0.113.5 51234 443 \r\n",
            b"TCP4 192.0.2.7 203.0.113.5 51234\r\n",
            b"TCP4 192.0.2.07 203.0.113.5 51234 443\r\n",
            b"TCP4 192.0.2 203.0.113.5 51234 443\r\n",
            b"TCP4 2001:db8::7 2001:db8::5 51234 443\r\n",
            b"TCP6 192.0.2.7 203.0.113.5 51234 443\r\n",
            b"TCP6 fe80::1%eth0 2001:db8::5 51234 443\r\n",
            b"TCP4 192.0.2.7 203.0.113.5 65536 443\r\n",
            b"TCP4 192.0.2.7 203.0.113.5 051 443\r\n",
            b"TCP4 192.0.2.7 203.0.113.5 +51 443\r\n",
            b"TCP4 192.0.2.7 203.0.113.5 -1 443\r\n",
            b"TCP5 192.0.2.7 203.0.113.5 1 443\r\n",
            b"UDP4 192.0.2.7 203.0.113.5 1 443\r\n",
            b"UNKNOWNX\r\n",
            b"unknown\r\n",
            b"\r\n",
            b"UNKNOWN " + b"x" * 200,
        ):
            self.assertIsInstance(parse(b"PROXY " + rest), Malformed, rest)

    def test_malformedBinary(self) -> None:
        """
        So is what breaks a rule of version 2: nothing is made up for what is missing.
        """
        pair = bytes(12)
        for data, reason in (
            (binary(0x11), "version and command 0x11, which is unknown"),
            (binary(0x22), "version and command 0x22, which is unknown"),
            (binary(kind=0x41), "family and transport 0x41, which is unknown"),
            (binary(kind=0x13), "family and transport 0x13, which is unknown"),
            (binary(body=bytes(11)), "11 bytes where its addresses take 12"),
            (binary(kind=0x21), "12 bytes where its addresses take 36"),
            (binary(body=pair + b"\1\0"), "a pair that ends too early"),
            (binary(body=pair + b"\1\0\2x"), "a pair of kind 0x01 that is longer than what is left"),
            (binary(body=pair + b"\3\0\4abcd"), "a wrong checksum"),
            (binary(body=pair + b"\3\0\3abc"), "a checksum that is none"),
            (binary(body=pair + b"\5\0\x81" + bytes(129)), "a unique ID of more than 128 bytes"),
            (binary(body=pair + b"\2\0\1\xff"), "an authority that is not UTF-8"),
            (binary(body=pair + b"\x30\0\1\xff"), "a namespace that is not US-ASCII"),
            (binary(body=pair + b"\x20\0\4\0\0\0\0"), "a pair about TLS that ends too early"),
            (binary(body=pair + b"\x20\0\7\0\0\0\0\0\1\0"), "a pair that ends too early"),
        ):
            self.assertEqual(parse(data), Malformed(reason), data)

    def test_twoChecksums(self) -> None:
        """
        A second checksum is none, whatever it says.
        """
        once = render(2, *FOUR, [(CRC32C, bytes(4))], isChecked=True)
        self.assertIsInstance(parse(once), Malformed)


class SplitTests(SynchronousTestCase):
    """
    However a header arrives.
    """

    def test_everySplit(self) -> None:
        """
        Any part of a header asks for more, never for more than there is, and is never
        taken for something else; what follows changes nothing.
        """
        for whole in corpus():
            wanted = parse(whole)
            self.assertIsInstance(wanted, Header)
            self.assertEqual(parse(whole + b"PROXY TCP4 "), wanted)
            for end in range(len(whole)):
                found = parse(whole[:end])
                assert isinstance(found, NeedMore), (whole, end, found)
                self.assertTrue(end < found.atLeast <= len(whole), (whole, end, found))

    def test_malformedStaysSo(self) -> None:
        """
        What was refused once is not mended by more bytes.
        """
        for whole in (b"PROXY TCP4 x\n", binary(0x31), binary(kind=0x51), b"PROXY " + b"y" * 120):
            known = [parse(whole[:end]) for end in range(len(whole) + 1)]
            told = [each for each in known if not isinstance(each, NeedMore)]
            self.assertEqual(set(map(type, told)), {Malformed})
            self.assertEqual(known[-len(told) :], told)


_addresses = st.builds(
    Address,
    st.one_of(
        st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).filter(lambda a: not a.ipv4_mapped).map(str)
    ),
    st.integers(0, 65535),
)
_tlvs = st.lists(
    st.one_of(
        st.tuples(st.just(ALPN), st.binary(max_size=20)),
        st.tuples(st.just(AUTHORITY), anyText(20).map(lambda text: text.encode("utf-8"))),
        st.tuples(st.just(UNIQUE_ID), st.binary(max_size=128)),
        st.tuples(st.integers(0xE0, 0xFF), st.binary(max_size=40)),
        st.builds(
            lambda flags, verify, pairs: renderSecured(Secured(flags, verify, tuple(pairs))),
            st.integers(0, 255),
            st.integers(0, 2**32 - 1),
            st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=20)), max_size=4),
        ),
    ),
    max_size=5,
)


class PropertyTests(SynchronousTestCase):
    """
    What holds of all headers.
    """

    @given(st.sampled_from((1, 2)), _addresses, _addresses, _tlvs, st.booleans())
    @steady
    def test_roundTrip(
        self, version: int, source: Address, destination: Address, tlvs: list[Any], isChecked: bool
    ) -> None:
        """
        What is rendered is read as it was; of two families the one of IPv4 is mapped, which
        reads as IPv4 again.
        """
        found = parse(render(version, source, destination, tlvs, isChecked=isChecked) + b"rest")
        assert isinstance(found, Header), found
        self.assertEqual((found.version, found.source, found.destination), (version, source, destination))
        isSix = any(ip_address(each.host).version == 6 for each in (source, destination))
        self.assertEqual(found.transport, "tcp6" if isSix else "tcp4")
        if version == 2:
            self.assertEqual([each for each in found.tlvs if each[0] != CRC32C], tlvs)
            self.assertEqual(len(found.tlvs) - len(tlvs), int(isChecked))

    @given(st.one_of(st.binary(max_size=300), st.binary(max_size=300).map(lambda data: b"PROXY " + data)))
    @steady
    def test_anything(self, data: bytes) -> None:
        """
        Whatever comes is given one of the four answers.
        """
        self.assertIsInstance(parse(data), (Header, NeedMore, NotProxy, Malformed))

    @given(st.integers(0, 255), st.integers(0, 255), st.binary(max_size=300), st.integers(-2, 2))
    @steady
    def test_anythingBinary(self, command: int, kind: int, body: bytes, more: int) -> None:
        """
        So is whatever begins as version 2 does.
        """
        data = binary(command, kind, body, max(0, len(body) + more))
        self.assertIsInstance(parse(data), (Header, NeedMore, Malformed))

    @given(st.sampled_from(corpus()), st.data())
    @steady
    def test_damaged(self, whole: bytes, data: st.DataObject) -> None:
        """
        One wrong byte never raises, and leaves nothing longer than before unless its length says so.
        """
        index = data.draw(st.integers(0, len(whole) - 1))
        byte = data.draw(st.integers(0, 255))
        found = parse(whole[:index] + bytes([byte]) + whole[index + 1 :])
        if isinstance(found, Header):
            self.assertLessEqual(found.length, len(whole))


class RenderTests(SynchronousTestCase):
    """
    L{render} where there is nothing to say.
    """

    def test_unknown(self) -> None:
        """
        A client that is not known, or is no IP address in version 1, is said to be unknown.
        """
        for ends in ((None, None), (FOUR[0], None), (None, FOUR[1]), UNIX, (UNIX[0], FOUR[1])):
            self.assertEqual(render(1, *ends), b"PROXY UNKNOWN\r\n")
        for ends in ((None, None), (FOUR[0], None), (FOUR[0], UNIX[1]), (Address("unix", 0), UNIX[1])):
            self.assertEqual(render(2, *ends), binary(kind=0, body=b""))
        found = parse(render(2, UNIX[0], FOUR[1]))
        assert isinstance(found, Header)
        self.assertEqual((found.source, found.destination), (UNIX[0], Address("", 0)))

    def test_pairOfTLS(self) -> None:
        """
        The pair about TLS has its kind and its pairs inside.
        """
        self.assertEqual(renderSecured(Secured(1, 1, ((0x21, b"x"),))), (SSL, b"\1\0\0\0\1\x21\0\1x"))


def theirs(ends: Any) -> list[Address]:
    """
    Both ends as Twisted has them.
    """
    return [Address(str(ip_address(each.host)), each.port) for each in (ends.source, ends.destination)]


class OracleTests(SynchronousTestCase):
    """
    Twisted reads the same.
    """

    def test_version1(self) -> None:
        """
        Version 1, as far as both know it.
        """
        for ends in (FOUR, SIX):
            self.assertEqual(theirs(V1Parser.parse(render(1, *ends).rstrip(b"\r\n"))), [*ends])

    def test_version2(self) -> None:
        """
        Version 2 likewise; Twisted passes the pairs over.
        """
        for ends in (FOUR, SIX):
            info, rest = V2Parser().feed(render(2, *ends, TLVS, isChecked=True) + b"rest")
            self.assertEqual((theirs(info), rest), ([*ends], b"rest"))

    @given(st.integers(0, 255), st.integers(0, 255), st.binary(min_size=216, max_size=216))
    @steady
    def test_refusals(self, command: int, kind: int, body: bytes) -> None:
        """
        What Twisted refuses for its command or family is refused here, but for what is
        unspecified, and families of a sender that speaks for itself.
        """
        data = binary(command, kind, body)
        try:
            V2Parser.parse(data)
        except (InvalidProxyHeader, ValueError):
            isTheirs = False
        else:
            isTheirs = True
        if not isTheirs and command == 0x21 and kind >> 4 and kind & 15:
            self.assertIsInstance(parse(data), Malformed)
