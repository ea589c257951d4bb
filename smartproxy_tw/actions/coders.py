"""
Filters that compress one body each: gzip by zlib, which Python has, br and zstd by the
libraries of the extra C{compress}.

Memory for each body, measured with 64 KiB of text in it: gzip 240 KiB, zstd 420 KiB, br 430 KiB
at level 3, 750 KiB at 4 and 5, 1.5 MiB at 9; windows are 32, 128 and 64 KiB for that, a hundredth
of what the libraries would take for themselves at their best.  At level 4 a core does some 40 MB a
second by gzip, 50 by br, 140 by zstd.

Where a body streams (nobody knows how long it will be) each piece goes on at once, so that
nobody waits for what has come already; otherwise the coder waits until it has enough for a
block.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from zope.interface import implementer

from ..interfaces import IFilter

if TYPE_CHECKING:
    from ..config.revision import Coding

__all__ = ["Coder", "makerOf"]

#: 15 is 32 KiB; 16 more say that the format is gzip (RFC 1952).
_GZIP_WINDOW = 15 + 16
_GZIP_MEMORY = 8
_BR_WINDOW = 16
_ZSTD_WINDOW = 17
_ZSTD_TABLES = 15


@implementer(IFilter)
class Coder:
    """
    Compresses one body.
    """

    __slots__ = ("_compress", "_finish", "_flush")

    def __init__(
        self,
        compress: Callable[[bytes], bytes],
        finish: Callable[[], bytes],
        flush: Callable[[], bytes] | None,
    ) -> None:
        """
        @param flush: Gives what was held back; L{None}: it may be held back.
        """
        self._compress = compress
        self._finish = finish
        self._flush = flush

    def data(self, piece: bytes) -> bytes:
        """
        See L{IFilter}.
        """
        if self._flush is None or not piece:
            return self._compress(piece)
        return self._compress(piece) + self._flush()

    def end(self) -> bytes:
        """
        See L{IFilter}.
        """
        return self._finish()


def makerOf(coding: Coding, level: int) -> Callable[[bool], Coder]:
    """
    @param level: 1..9.
    @return: Makes a coder for one body, given whether that streams.
    @raise ValueError: There is no library for it; the message says what to do.
    """
    try:
        return {"gzip": _gzip, "br": _br, "zstd": _zstd}[coding](level)
    except ImportError as why:
        raise ValueError(
            f"{coding} needs the library {why.name}, which is not there:"
            " pip install 'smartproxy_tw[compress]'"
        ) from None


def _gzip(level: int) -> Callable[[bool], Coder]:
    def make(isStream: bool) -> Coder:
        coder = zlib.compressobj(level, zlib.DEFLATED, _GZIP_WINDOW, _GZIP_MEMORY)
        flush = partial(coder.flush, zlib.Z_SYNC_FLUSH) if isStream else None
        return Coder(coder.compress, coder.flush, flush)

    return make


def _br(level: int) -> Callable[[bool], Coder]:
    import brotli

    def make(isStream: bool) -> Coder:
        coder: Any = brotli.Compressor(quality=level, lgwin=_BR_WINDOW)
        return Coder(coder.process, coder.finish, coder.flush if isStream else None)

    return make


def _zstd(level: int) -> Callable[[bool], Coder]:
    import zstandard

    parameters = zstandard.ZstdCompressionParameters.from_level(
        level, window_log=_ZSTD_WINDOW, hash_log=_ZSTD_TABLES, chain_log=_ZSTD_TABLES
    )

    def make(isStream: bool) -> Coder:
        # A compressor has one body at a time.
        coder = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
        flush = partial(coder.flush, zstandard.COMPRESSOBJ_FLUSH_BLOCK) if isStream else None
        return Coder(coder.compress, coder.flush, flush)

    return make
