"""
Ports for tests that listen on real sockets.
"""

from __future__ import annotations

import random
import socket

__all__ = ["freePorts", "held"]

#: How many ports one process of tests has for itself, until it needs as many again.
_BLOCK = 128

#: Where blocks begin: all below what the kernel gives to outgoing connections.
_BLOCKS = range(10000, 32768 - _BLOCK, _BLOCK)

#: What holds the blocks of this process: a socket bound to the first port of each.
_held: list[socket.socket] = []

#: The ports of the newest of them that nobody was given yet.
_left: list[int] = []


def held() -> int:
    """
    How many sockets keep blocks of ports for this process.
    """
    return len(_held)


def freePorts(count: int, kind: int = socket.SOCK_STREAM) -> tuple[int, ...]:
    """
    Ports of 127.0.0.1 that nobody listens on just now, all different.  They
    are below those that the kernel gives to outgoing connections, so that
    none is taken by chance before it is bound, and no other process that asks
    here is given them as long as this one lives, nor is anybody twice: tests that run
    side by side may leave a port for a while and come back to it.

    @param kind: For which kind of socket.
    @raise RuntimeError: All are taken.
    """
    found: list[int] = []
    while len(found) < count:
        if not _left:
            _left.extend(_anotherBlock())
        number = _left.pop()
        with socket.socket(socket.AF_INET, kind) as candidate:
            try:
                candidate.bind(("127.0.0.1", number))
            except OSError:
                continue
        found.append(number)
    return tuple(found)


def _anotherBlock() -> range:
    """
    Take ports that no other process of tests has.
    """
    for first in random.sample(_BLOCKS, len(_BLOCKS)):
        holder = socket.socket()
        try:
            holder.bind(("127.0.0.1", first))
        except OSError:
            holder.close()
        else:
            _held.append(holder)
            return range(first + 1, first + _BLOCK)
    raise RuntimeError("All ports for tests are taken.")
