"""
Counts what the data path does, without a clock: every Python function that is called and
every system call that is made while code of the package is running.

What is counted is the same on every machine and in every run, which no duration is.  The
profile function of the interpreter sees the calls; whatever is called by code of the package
counts, be it the package's own, Twisted's or the standard library's.  What has no caller in
the package does not: the reactor, and the clients and origins of a test.  A socket that is made
by C{_socket.socket()} itself, without the class of the standard library, is not seen.  Work that is done by
the clock (the sweep for deadlines, the access log's batches) is left out, as its share of a
request depends on how long the request takes.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import smartproxy_tw

__all__ = ["Count"]

_PACKAGE = str(Path(smartproxy_tw.__file__).parent)

#: Functions that begin what the clock asked for.
_BY_THE_CLOCK = frozenset(("_sweep", "_due"))

#: Methods and functions in C that are one system call each.  C{socket.socket()} is told apart below.
_SYSTEM_CALLS = {
    kind: frozenset(names.split())
    for kind, names in {
        "socket": "_accept bind close connect connect_ex getpeername getsockname getsockopt listen recv"
        " recv_into recvmsg send sendall sendmsg setblocking setsockopt settimeout shutdown",
        "epoll": "register unregister modify poll close",
        "posix": "close dup fstat open pipe2 read readv splice stat unlink write writev",
        "fcntl": "fcntl ioctl",
        "_socket": "close dup socketpair",
    }.items()
}
_GETS_ITS_NAME = "getsockname"


class Count:
    """
    A context in which is counted.

    @ivar calls: How often each function in Python was called, by its name.
    @ivar system: How often each system call was made, by its name.
    """

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.system: Counter[str] = Counter()
        self._depth = 0
        self._isIgnored = False
        self._isOurs: dict[CodeType, bool] = {}

    def __enter__(self) -> Count:
        sys.setprofile(self._see)
        return self

    def __exit__(self, *why: object) -> None:
        sys.setprofile(None)

    def _see(self, frame: FrameType, event: str, argument: Any) -> None:
        code = frame.f_code
        if event == "c_call":
            if self._depth and not self._isIgnored:
                self._note(argument)
            return
        if event not in ("call", "return"):
            return
        isOurs = self._isOurs.get(code)
        if isOurs is None:
            isOurs = self._isOurs[code] = code.co_filename.startswith(_PACKAGE)
        if event == "return":
            if isOurs and self._depth:
                self._depth -= 1
            return
        if isOurs:
            if not self._depth:
                self._isIgnored = code.co_name in _BY_THE_CLOCK
            self._depth += 1
        if self._depth and not self._isIgnored:
            self.calls[code.co_qualname] += 1
            if code.co_qualname == "socket.__init__":
                # Of a descriptor that is there already, the kernel is only asked what it is.
                isNew = frame.f_locals.get("fileno") is None
                self.system["socket" if isNew else _GETS_ITS_NAME] += 1

    def _note(self, function: Any) -> None:
        owner = function.__self__
        kind = owner.__name__ if isinstance(owner, type(sys)) else type(owner).__name__
        if function.__name__ in _SYSTEM_CALLS.get(kind, ()):
            self.system[function.__name__.lstrip("_")] += 1
