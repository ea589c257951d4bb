"""
Tests for L{smartproxy_tw.actions.coders}.
"""

from __future__ import annotations

import builtins
import zlib
from collections.abc import Iterable
from typing import Any

import brotli
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from smartproxy_tw.actions.coders import Coder, makerOf
from smartproxy_tw.config.revision import CODINGS, Coding
from smartproxy_tw.interfaces import IFilter

from ..examples import examples


def decoded(coding: str, data: bytes) -> bytes:
    """
    What a client makes of it.
    """
    if coding == "gzip":
        undo = zlib.decompressobj(31)
        found = undo.decompress(data)
        assert undo.eof and not undo.unused_data
        return found
    if coding == "br":
        made: bytes = brotli.decompress(data)
        return made
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)


def coded(coder: Coder, pieces: Iterable[bytes]) -> bytes:
    """
    A body, put through.
    """
    return b"".join([*map(coder.data, pieces), coder.end()])


class CoderTests(SynchronousTestCase):
    """
    L{Coder}s of all kinds.
    """

    def test_provided(self) -> None:
        """
        They are filters.
        """
        for coding in CODINGS:
            verifyObject(IFilter, makerOf(coding, 4)(False))

    def test_everySplit(self) -> None:
        """
        Wherever a body is cut it comes out as it went in, whether it streams or not.
        """
        body = b"abcabcabcabc" * 3 + bytes(range(20))
        for coding in CODINGS:
            make = makerOf(coding, 4)
            for isStream in (False, True):
                for at in range(len(body) + 1):
                    self.assertEqual(decoded(coding, coded(make(isStream), [body[:at], body[at:]])), body)
                single = [body[at : at + 1] for at in range(len(body))]
                self.assertEqual(decoded(coding, coded(make(isStream), single)), body)
                self.assertEqual(decoded(coding, coded(make(isStream), [])), b"")

    @examples(60)
    @given(st.lists(st.binary(max_size=200), max_size=6), st.booleans(), st.integers(1, 9))
    def test_anything(self, pieces: list[bytes], isStream: bool, level: int) -> None:
        """
        So it does in any pieces, at each level.
        """
        for coding in CODINGS:
            found = coded(makerOf(coding, level)(isStream), pieces)
            self.assertEqual(decoded(coding, found), b"".join(pieces))

    def test_streams(self) -> None:
        """
        Of a body that streams each piece can be read as soon as it has come.
        """
        undoing: dict[Coding, Any] = {
            "gzip": zlib.decompressobj(31).decompress,
            "br": brotli.Decompressor().process,
            "zstd": zstandard.ZstdDecompressor().decompressobj().decompress,
        }
        for coding, undo in undoing.items():
            coder = makerOf(coding, 4)(True)
            for number in range(5):
                piece = b"data: %d\n\n" % number
                self.assertEqual(undo(coder.data(piece)), piece, coding)
            self.assertEqual(coder.data(b""), b"")

    def test_small(self) -> None:
        """
        A body that is there as a whole takes a fraction of its bytes.
        """
        body = b"<li>smartproxy</li>\n" * 1000
        for coding in CODINGS:
            self.assertLess(len(coded(makerOf(coding, 4)(False), [body])), 600)

    def test_missing(self) -> None:
        """
        Without its library a coder cannot be made, and it is told what to do.
        """
        before = builtins.__import__

        def absent(name: str, *others: Any) -> Any:
            if name in ("brotli", "zstandard"):
                raise ImportError(f"No module named {name}", name=name)
            return before(name, *others)

        self.patch(builtins, "__import__", absent)
        makerOf("gzip", 4)
        missing: tuple[Coding, ...] = ("br", "zstd")
        for coding in missing:
            error = self.assertRaises(ValueError, makerOf, coding, 4)
            self.assertIn("pip install 'smartproxy_tw[compress]'", str(error))
