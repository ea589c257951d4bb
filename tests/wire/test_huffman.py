"""
Tests for L{smartproxy_tw.wire.huffman}.
"""

from __future__ import annotations

from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hpack.huffman_table import decode_huffman
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.wire.huffman import decode, encode

from ..examples import examples

_THEIRS = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH)


class HuffmanTests(SynchronousTestCase):
    """
    The code of RFC 7541, and nothing besides.
    """

    def test_everySymbol(self) -> None:
        """
        Each byte has the code that others have for it, on each place within a byte.
        """
        for symbol in range(256):
            for before in range(8):
                text = b"0" * before + bytes((symbol,))
                self.assertEqual(encode(text), _THEIRS.encode(text))
                self.assertEqual(decode(encode(text)), text)

    @examples(200)
    @given(st.binary(max_size=300) | st.lists(st.sampled_from(b" aehiA-/:;~\\"), max_size=300).map(bytes))
    def test_backAndForth(self, text: bytes) -> None:
        """
        What was encoded is decoded, and others read it so.
        """
        data = encode(text)
        self.assertEqual(data, _THEIRS.encode(text))
        self.assertEqual(decode(data), text)
        self.assertLessEqual(len(text), len(data) * 8 / 5)

    @examples(300)
    @given(st.binary(max_size=40) | st.binary(max_size=10).map(lambda data: data + b"\xff" * (len(data) % 6)))
    def test_anything(self, data: bytes) -> None:
        """
        Any bytes are read as others read them, or refused where they refuse them.
        """
        try:
            theirs: bytes | None = decode_huffman(data)
        except Exception:
            theirs = None
        try:
            ours: bytes | None = decode(data)
        except ValueError:
            ours = None
        self.assertEqual(ours, theirs)

    def test_padding(self) -> None:
        """
        A string ends with less than eight ones (RFC 7541 section 5.2).
        """
        self.assertEqual(decode(b""), b"")
        self.assertEqual(decode(b"\x1f"), b"a")
        for data in (b"\x1e", b"\x18", b"\x1f\xff", b"\xff", b"\xfe", b"\x00\x00"):
            self.assertRaises(ValueError, decode, data)

    def test_everyCut(self) -> None:
        """
        A string that is cut is refused or gives what is before the cut.
        """
        text = b"Mozilla/5.0 \x00\xff\n"
        data = encode(text)
        for cut in range(len(data)):
            try:
                self.assertTrue(text.startswith(decode(data[:cut])))
            except ValueError:
                continue

    def test_end(self) -> None:
        """
        The end of a string has no place in it, nor behind it.
        """
        for before in (b"", b"\x1f", b"\x07"):
            self.assertRaises(ValueError, decode, before + b"\xff\xff\xff\xff")
            self.assertRaises(ValueError, decode, before + b"\xff\xff\xff\xfc")
