"""
The words on the line between the supervisor and a worker: AMP commands, and the
letters that they carry.

A letter is some changes, packed: both ends are processes of ours, and the line
is a socket pair that nobody else has.  AMP takes values up to 65,535 bytes; a
letter that is longer travels as a descriptor of sealed memory, which nobody can
change under its reader.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from twisted.internet.defer import Deferred
from twisted.internet.protocol import connectionDone
from twisted.protocols.amp import AMP, BinaryBoxProtocol, Boolean, Command, Descriptor, Float, Integer, String
from twisted.python.failure import Failure

from .errors import Broken, Refused
from .packing import packed

if TYPE_CHECKING:
    from .gains import Piece
    from .state import Change

__all__ = [
    "INLINE",
    "Drain",
    "Leaving",
    "Letter",
    "Recent",
    "Reopen",
    "Report",
    "Talk",
    "Tally",
    "Tell",
    "keysOf",
    "keysText",
    "opened",
    "tallied",
    "tallyText",
]

#: A longer letter goes as memory, in bytes; the rest of AMP's bound is left for AMP.
INLINE = 60000

_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


class Tell(Command):
    """
    Do what the letter says.  Answered when it is done; with an error when nothing
    of the change that it is about was done.

    Of C{letter} and C{memory} there is one.  C{port}: the socket that an
    L{Adopt<smartproxy_tw.control.state.Adopt>} speaks of.  C{isWhole}: this is
    everything that a new worker has to know; one that cannot take it up is to do
    nothing that it is told after it.
    """

    arguments = [
        (b"letter", String(optional=True)),  # type: ignore[no-untyped-call]
        (b"memory", Descriptor(optional=True)),  # type: ignore[no-untyped-call]
        (b"port", Descriptor(optional=True)),  # type: ignore[no-untyped-call]
        (b"isWhole", Boolean()),  # type: ignore[no-untyped-call]
    ]
    errors = {Refused: b"REFUSED", Broken: b"BROKEN"}


class Drain(Command):
    """
    Accept nothing more, and tell how many connections were cut in the end.
    """

    arguments = [(b"seconds", Float()), (b"streams", Float())]  # type: ignore[no-untyped-call]
    response = [(b"cut", Integer())]  # type: ignore[no-untyped-call]


class Tally(Command):
    """
    Tell what has been gained of the counts since they were told, and whether there is
    more: also how the supervisor sees that a worker is awake.
    """

    response = [(b"tally", String()), (b"isMore", Boolean())]  # type: ignore[no-untyped-call]


class Recent(Command):
    """
    Tell which certificates clients have asked for of late.
    """

    response = [(b"keys", String())]  # type: ignore[no-untyped-call]


class Reopen(Command):
    """
    Let go of the file of the access log; the next line opens it anew.
    """


class Leaving(Command):
    """
    From a worker: it was asked by somebody else to end, and accepts nothing any
    more.
    """

    requiresAnswer = False


class Report(Command):
    """
    From a worker: what its counts have gained since they were told, as a last word.
    """

    arguments = [(b"tally", String())]  # type: ignore[no-untyped-call]
    requiresAnswer = False


class Talk(AMP):
    """
    Either end of a line.  AMP keeps a diary of its connections, which for a pair
    of sockets nobody wants to read.
    """

    def __init__(self) -> None:
        """
        Not connected.
        """
        super().__init__()  # type: ignore[no-untyped-call]

    def ask(self, command: type[Command], **arguments: Any) -> Deferred[Any]:
        """
        Send a command.

        @return: As C{AMP.callRemote} has it; there is none for one that wants no
            answer.
        """
        asked: Deferred[Any] = self.callRemote(command, **arguments)  # type: ignore[no-untyped-call]
        return asked

    def makeConnection(self, transport: Any) -> None:
        """
        The line is there.
        """
        BinaryBoxProtocol.makeConnection(self, transport)  # type: ignore[no-untyped-call]

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The line is lost.
        """
        BinaryBoxProtocol.connectionLost(self, reason)  # type: ignore[no-untyped-call]
        self.transport = None


class Letter:
    """
    Some changes, ready to be sent to any number of workers.  To be closed when
    all of them have answered.
    """

    def __init__(self, changes: Iterable[Change]) -> None:
        """
        @param changes: In their order.
        """
        data = packed(changes)
        self._memory = _sealed(data) if len(data) > INLINE else None
        self.arguments: dict[str, Any] = (
            {"letter": data} if self._memory is None else {"memory": self._memory}
        )

    def close(self) -> None:
        """
        Let go of its memory.
        """
        if self._memory is not None:
            os.close(self._memory)
            self._memory = None

    def __enter__(self) -> Self:
        """
        Nothing is to be done.
        """
        return self

    def __exit__(
        self, kind: type[BaseException] | None, why: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """
        Close it.
        """
        self.close()


def opened(letter: bytes | None, memory: int | None) -> bytes:
    """
    Take what is in a letter out of it.

    @param letter: As L{Tell} has it.
    @param memory: Likewise; it is closed.
    @return: Changes, packed.
    """
    if memory is None:
        return letter or b""
    try:
        # By position: others read the same open file.
        return b"".join(_read(memory))
    finally:
        os.close(memory)


def _sealed(data: bytes) -> int:
    memory = os.memfd_create("smartproxy", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(memory, rest) :]
        fcntl.fcntl(memory, fcntl.F_ADD_SEALS, _SEALS)
    except BaseException:
        os.close(memory)
        raise
    return memory


def _read(memory: int) -> Iterable[bytes]:
    at = 0
    while part := os.pread(memory, 1 << 24, at):
        yield part
        at += len(part)


def tallyText(tally: Piece) -> bytes:
    """
    @param tally: What counts have gained.
    @return: As they travel.
    """
    return json.dumps(dict(tally)).encode("ascii")


def tallied(text: bytes) -> Piece:
    """
    @param text: As they travel.
    @return: What counts have gained.
    """
    found: Piece = json.loads(text)
    return found


def keysText(keys: Iterable[str]) -> bytes:
    """
    @param keys: Of certificates, the first ones matter most.
    @return: As they travel: as many as AMP takes.
    """
    text = ""
    for key in keys:
        if len(text) + len(key) >= INLINE:
            break
        text += key + "\n"
    return text.encode("ascii", "replace")


def keysOf(text: bytes) -> tuple[str, ...]:
    """
    @param text: As they travel.
    @return: Keys.
    """
    return tuple(text.decode("ascii").split("\n")[:-1])
