"""
From one process to the next: what they say to one another while the second takes the
place of the first, and what the second is given.

Over a socket that both have, one word in each message::

    the next one              the one before
    begun PID       ->                          it has read its configuration
    bound           ->        stops ordering
                    <-   drained TARGETS        nothing new is sent to these, since then
                    <-   yours                  the state directory is its own
    spoken PATH     ->                          where its admin socket is going to be
    serving PID     ->        closes its ports
                    <-   alone                  it may order, nobody else answers

Until C{serving} the one before may have second thoughts (C{stop}), and the next one may
have to tell why it cannot (C{failed TEXT}).  If the one before is gone, then everything
is the next one's.  C{TARGETS} is JSON, an object of POSIX seconds by name; there is one
such word, or more where they are many, or none.  C{PATH} is empty where there is to be no
admin socket.  A word that the other does not know is
passed over, so that either may be of another version.
"""

from __future__ import annotations

import json
import os
import re
import socket
from collections import deque
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from itertools import islice
from typing import Any

from twisted.internet.interfaces import IReadDescriptor, IWriteDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ..bounds.objects import objectIn
from ..values import dataclass
from .errors import StartError
from .inherited import FIRST, Handed, Inherited, handed
from .readiness import Readiness

__all__ = ["VARIABLE", "Estate", "Heir", "Line", "drained", "heirIn", "pair"]

#: Says in the environment of the next process what it is given: a digit for each
#: listening socket, 1 for one that a service manager has too.
VARIABLE = "SMARTPROXY_HANDOVER"

_FLAGS = re.compile("[01]{0,9999}")

# After the line itself comes the lock, or a second time the line, and then the sockets.
_LOCK, _SOCKETS = FIRST + 1, FIRST + 2

# Longer than any message, in bytes.
_MOST = 32768

# Of any time, in POSIX seconds, that a date can be made of.
_EVER = 2.0**37

# So many targets are told of in one word: a name has 300 bytes at most, also in JSON.
_TARGETS = 80


@dataclass(frozen=True, slots=True)
class Estate:
    """
    What there is to be handed over.

    @ivar sockets: They listen; with whether a service manager has them too.
    @ivar lock: The descriptor of the lock of the state directory, if there is one.
    """

    sockets: tuple[tuple[socket.socket, bool], ...]
    lock: int | None

    def descriptors(self, line: int) -> dict[int, int]:
        """
        Where the next process finds what.

        @param line: The descriptor of its end of the line.
        """
        found = {FIRST: line, _LOCK: line if self.lock is None else self.lock}
        found.update((_SOCKETS + index, each.fileno()) for index, (each, _) in enumerate(self.sockets))
        return found

    @property
    def text(self) -> str:
        """
        For L{VARIABLE}.
        """
        return "".join("01"[isManaged] for _, isManaged in self.sockets)


def pair() -> tuple[socket.socket, socket.socket]:
    """
    Both ends of a line.
    """
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def drained(since: Mapping[str, float]) -> Iterator[str]:
    """
    What is told of targets that are drained.

    @param since: Since when each of them is, POSIX seconds.
    @return: What goes with the word, as often as it is said.
    """
    rest = iter(since.items())
    while part := dict(islice(rest, _TARGETS)):
        yield json.dumps(part)


def _drainedIn(text: str) -> Iterator[tuple[str, float]]:
    # The other one may be of any version.
    try:
        told = objectIn(text)
    except ValueError:
        return
    for name, since in told.items():
        if isinstance(since, int | float) and not isinstance(since, bool) and 0 <= since < _EVER:
            yield name, float(since)


@implementer(IReadDescriptor, IWriteDescriptor)
class Line:
    """
    One end.
    """

    def __init__(
        self, end: socket.socket, heard: Callable[[str, str], object], lost: Callable[[], object]
    ) -> None:
        """
        @param end: This object's to close.
        @param heard: Is told each word, and what comes with it.
        @param lost: Is told when the other end is gone.
        """
        end.setblocking(False)
        self._socket = end
        self._heard = heard
        self._lost = lost
        self._reactor: Any = None
        self._waiting: deque[bytes] = deque()
        self.isOpen = True

    def begin(self, reactor: Any) -> None:
        """
        Listen to it.
        """
        if self.isOpen and self._reactor is None:
            self._reactor = reactor
            reactor.addReader(self)

    def tell(self, word: str, text: str = "") -> None:
        """
        Say something, after what was said before; that nobody hears it is no error.
        """
        self._waiting.append(f"{word} {text}".encode("utf-8", "backslashreplace")[:_MOST])
        self._say()

    def close(self) -> None:
        """
        Let go of it.  Without effect the second time.
        """
        if self.isOpen:
            self.isOpen = False
            self._waiting.clear()
            if self._reactor is not None:
                self._reactor.removeReader(self)
                self._reactor.removeWriter(self)
            self._socket.close()

    def fileno(self) -> int:
        """
        As an C{IReadDescriptor}.
        """
        return self._socket.fileno() if self.isOpen else -1

    def logPrefix(self) -> str:
        """
        Likewise.
        """
        return "handover"

    def doRead(self) -> None:
        """
        Likewise.
        """
        try:
            message = self._socket.recv(_MOST)
        except BlockingIOError:
            return
        except OSError:
            message = b""
        if not message:
            self.close()
            self._lost()
            return
        word, _, text = message.decode("utf-8", "replace").partition(" ")
        self._heard(word, text)

    def doWrite(self) -> None:
        """
        As an C{IWriteDescriptor}.
        """
        self._say()

    def _say(self) -> None:
        while self._waiting:
            try:
                self._socket.send(self._waiting[0], socket.MSG_NOSIGNAL)
            except BlockingIOError:
                # The other one has a lot to read yet.
                if self._reactor is not None:
                    self._reactor.addWriter(self)
                return
            except OSError:
                self._waiting.clear()
                break
            self._waiting.popleft()
        if self._reactor is not None:
            self._reactor.removeWriter(self)

    def connectionLost(self, reason: Failure) -> None:
        """
        Likewise.
        """


class Heir:
    """
    The next process, as long as there is one before it.

    @ivar inherited: The sockets.
    @ivar drained: Since when which targets are drained, POSIX seconds by name; known when
        L{given} is over.
    """

    _log = Logger()

    def __init__(self, end: socket.socket, lock: int | None, inherited: Inherited) -> None:
        """
        @param end: Of the line.
        @param lock: As in L{Estate}; this object's to close, until it is taken.
        @param inherited: The sockets.
        """
        self._line = Line(end, self._heard, self._gone)
        self._lock = lock
        self._given = Readiness()
        self._alone = Readiness()
        self._isOver = False
        self.inherited = inherited
        self.drained: dict[str, float] = {}
        self.claim: Callable[[], object] = lambda: None

    def begin(self, reactor: Any) -> None:
        """
        The configuration has been read.
        """
        self._line.tell("begun", str(os.getpid()))
        self._line.begin(reactor)

    async def given(self) -> int | None:
        """
        Wait until the state directory is ours.

        @return: The descriptor of its lock, from now on the caller's.
        @raise StartError: The process before has had second thoughts.
        """
        self._line.tell("bound")
        await self._given.when()
        lock, self._lock = self._lock, None
        return lock

    async def alone(self, admin: str | None) -> None:
        """
        Everything is served: wait until nobody else serves it.

        @param admin: The path of the admin socket that is there then; L{None}: none is.
        @raise StartError: As in L{given}.
        """
        if self._isOver:
            return
        self._line.tell("spoken", admin or "")
        self._line.tell("serving", str(os.getpid()))
        await self._alone.when()
        self._isOver = True
        self._line.close()
        self.claim()

    def fail(self, why: str) -> None:
        """
        Tell that it cannot be.

        @param why: For people.
        """
        if not self._isOver:
            self._line.tell("failed", why)

    def _heard(self, word: str, text: str) -> None:
        if word == "drained":
            self.drained.update(_drainedIn(text))
        elif word == "yours":
            self._given.happen()
        elif word == "alone":
            self._alone.happen()
        elif word == "stop":
            why = StartError("The process that was to be replaced goes on.")
            self._given.fail(why)
            self._alone.fail(why)

    def _gone(self) -> None:
        if not self._alone.isSettled:
            self._log.warn("The process before is gone: this one goes on alone", event="handover-alone")
        self._given.happen()
        self._alone.happen()


def heirIn(environ: MutableMapping[str, str]) -> Heir | None:
    """
    Look whether this process is to take the place of another one.  To be called once,
    before anything else is opened or begun.

    @param environ: Of the process.  What it says about that is taken out.
    """
    flags = environ.pop(VARIABLE, None)
    if flags is None or not _FLAGS.fullmatch(flags):
        return None
    try:
        end = socket.socket(fileno=FIRST)
    except OSError:
        return None
    end.set_inheritable(False)
    lock: int | None = _LOCK
    os.set_inheritable(_LOCK, False)
    if os.path.sameopenfile(FIRST, _LOCK):
        os.close(_LOCK)
        lock = None
    given: list[Handed] = handed(
        ["the process before"] * len(flags), _SOCKETS, [each == "1" for each in flags]
    )
    return Heir(end, lock, Inherited(given))
