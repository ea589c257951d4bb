"""
The Huffman code of HPACK (RFC 7541 section 5.2 and appendix B).

The code is canonical: ordered by length, and by value where lengths are equal, each
code is the one before it plus one.  So the lengths are all there is to know, and
the tree is grown from them.

A reader stands on an inner node of that tree, and takes a whole byte at a time: where that
leads to, and what is read on the way, is worked out when it is first asked for and kept in
the node.  All of its 256 nodes with all bytes are eight megabytes, once in a process, and
only if peers work hard for it; this manual in the code leaves less than one behind.

Nothing that was read is kept here: strings are cookies and credentials too.
"""

from __future__ import annotations

from functools import cache
from typing import Final

__all__ = ["decode", "encode"]

# By length in bits, from 5 up: the bytes whose codes are so long, in order.  256, the
# end of a string, is the last of those with 30.
_BY_LENGTH: Final = {
    5: b"012aceiost",
    6: b" %-./3456789=A_bdfghlmnpru",
    7: b":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz",
    8: b"&*,;XZ",
    10: b'!"()?',
    11: b"'+|",
    12: b"#>",
    13: b"\x00$@[]~",
    14: b"^}",
    15: b"<`{",
    19: b"\\\xc3\xd0",
    20: b"\x80\x82\x83\xa2\xb8\xc2\xe0\xe2",
    21: b"\x99\xa1\xa7\xac\xb0\xb1\xb3\xd1\xd8\xd9\xe3\xe5\xe6",
    22: (
        b"\x81\x84\x85\x86\x88\x92\x9a\x9c\xa0\xa3\xa4\xa9\xaa\xad\xb2\xb5\xb9\xba\xbb\xbd\xbe\xc4\xc6"
        b"\xe4\xe8\xe9"
    ),
    23: (
        b"\x01\x87\x89\x8a\x8b\x8c\x8d\x8f\x93\x95\x96\x97\x98\x9b\x9d\x9e\xa5\xa6\xa8\xae\xaf\xb4\xb6"
        b"\xb7\xbc\xbf\xc5\xe7\xef"
    ),
    24: b"\t\x8e\x90\x91\x94\x9f\xab\xce\xd7\xe1\xec\xed",
    25: b"\xc7\xcf\xea\xeb",
    26: b"\xc0\xc1\xc8\xc9\xca\xcd\xd2\xd5\xda\xdb\xee\xf0\xf2\xf3\xff",
    27: b"\xcb\xcc\xd3\xd4\xd6\xdd\xde\xdf\xf1\xf4\xf5\xf6\xf7\xf8\xfa\xfb\xfc\xfd\xfe",
    28: (
        b"\x02\x03\x04\x05\x06\x07\x08\x0b\x0c\x0e\x0f\x10\x11\x12\x13\x14\x15\x17\x18\x19\x1a\x1b\x1c"
        b"\x1d\x1e\x1f\x7f\xdc\xf9"
    ),
    30: b"\n\r\x16",
}
_MOST_PADDING: Final = 7  # in bits


class _Node(dict[int, "tuple[_Node, bytes]"]):
    """
    An inner node of the tree.  For a byte it has the node where that ends, and what is
    read on the way.

    @ivar children: Of zero and of one: a node, or the symbol that is read there;
        L{None} where the end of a string would be.
    @ivar mayEnd: Whether a string may end here: what came since its last symbol is
        padding, which is ones, and seven at most.
    """

    __slots__ = ("children", "mayEnd", "root")

    def __init__(self, root: _Node | None, path: str = "") -> None:
        self.root = self if root is None else root
        self.children: list[_Node | bytes | None] = [None, None]
        self.mayEnd = "0" not in path and len(path) <= _MOST_PADDING

    def plant(self, code: str, symbol: bytes) -> None:
        """
        Put a symbol into the tree of which this is the root.

        @param code: In binary digits.
        """
        node = self
        for at, digit in enumerate(code[:-1], 1):
            child = node.children[int(digit)]
            if not isinstance(child, _Node):
                child = node.children[int(digit)] = _Node(self, code[:at])
            node = child
        node.children[int(code[-1])] = symbol

    def __missing__(self, byte: int) -> tuple[_Node, bytes]:
        node = self
        text = b""
        for shift in range(7, -1, -1):
            child = node.children[byte >> shift & 1]
            if child is None:
                raise ValueError("the end of the string is coded inside of it")
            if isinstance(child, bytes):
                text += child
                child = self.root
            node = child
        step = self[byte] = node, text
        return step


@cache
def _grown() -> tuple[list[str], _Node]:
    """
    @return: The code of each byte, in binary digits; and the root of the tree.
    """
    codes = [""] * 256
    root = _Node(None)
    code = before = 0
    for length, symbols in _BY_LENGTH.items():
        code <<= length - before
        before = length
        for symbol in symbols:
            codes[symbol] = f"{code:0{length}b}"
            root.plant(codes[symbol], bytes((symbol,)))
            code += 1
    return codes, root


def encode(text: bytes) -> bytes:
    """
    @param text: Any bytes.
    @return: Them in the code, padded.
    """
    digits = "".join(map(_grown()[0].__getitem__, text))
    digits += "1" * (-len(digits) % 8)
    return int(digits or "0", 2).to_bytes(len(digits) // 8, "big")


def decode(data: bytes) -> bytes:
    """
    @param data: A whole string in the code.
    @return: What it says, at most eight fifths as long.
    @raise ValueError: It does not end with a symbol and less than eight ones; or it
        has the end of a string inside.
    """
    node = _grown()[1]
    pieces = []
    for byte in data:
        node, piece = node[byte]
        pieces.append(piece)
    if not node.mayEnd:
        raise ValueError("the padding is longer than seven bits, or not all ones")
    return b"".join(pieces)
