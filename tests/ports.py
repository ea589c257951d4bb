"""
Ports for tests that listen on real sockets.
"""

from __future__ import annotations

import random
import socket

__all__ = ["freePorts"]


def freePorts(count: int, kind: int = socket.SOCK_STREAM) -> tuple[int, ...]:
    """
    Ports of 127.0.0.1 that nobody listens on just now, all different.  They
    are below those that the kernel gives to outgoing connections, so that
    none is taken by chance before it is bound.
    """
    held: list[socket.socket] = []
    try:
        while len(held) < count:
            candidate = socket.socket(socket.AF_INET, kind)
            try:
                candidate.bind(("127.0.0.1", random.randrange(10000, 32768)))
            except OSError:
                candidate.close()
            else:
                held.append(candidate)
        return tuple(each.getsockname()[1] for each in held)
    finally:
        for each in held:
            each.close()
