"""
A unix socket that only its owner can connect to.

It is there for others from the moment at which it listens and not before, under its
final name and with its final mode: it is made under another name in the same
directory, which has to belong to us and to be closed to the writing of others, and
then takes its name.  What a dead process left under that name is replaced by this,
and what lives never is.

A path may be as long as it likes.  Where it is longer than what the kernel takes (107
bytes) the directory is opened, and the socket made by its name in that.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import socket
import stat
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

__all__ = ["LONGEST", "SocketRefused", "UnixPort", "addressIn"]

#: So many bytes of a path the kernel takes (unix(7), without the closing zero).
LONGEST = 107

#: Who may connect: the owner, and root.
_MODE = 0o600

#: Connections that wait to be accepted, and how many are accepted in one turn.
_BACKLOG, _AT_ONCE = 64, 16

#: Without a descriptor for another connection it is waited so long, in seconds.
_REST = 1.0

_NO_ROOM = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class SocketRefused(Exception):
    """
    The socket cannot be made, and the operator has to mend it.  The text is the
    whole message.
    """


def addressIn(directory: int, path: str) -> str:
    """
    How to call a socket, however long its path is.

    @param directory: An open descriptor of the directory that it is in.
    @param path: Its absolute path.
    """
    if len(os.fsencode(path)) <= LONGEST:
        return path
    return f"/proc/self/fd/{directory}/{os.path.basename(path)}"


@implementer(IReadDescriptor)
class _Acceptor:
    """
    Takes connections.

    Twisted's own port for unix sockets changes the mode and removes the name by the
    path that it was bound to, which is not where it is any more.
    """

    _log = Logger()

    def __init__(self, reactor: Any, listening: socket.socket, connected: Callable[[int], object]) -> None:
        self._reactor = reactor
        self._socket = listening
        self._connected = connected
        self._resting: IDelayedCall | None = None

    def begin(self) -> None:
        self._reactor.addReader(self)

    def end(self) -> None:
        if self._resting is not None:
            self._resting.cancel()
            self._resting = None
        else:
            self._reactor.removeReader(self)
        self._socket.close()

    def fileno(self) -> int:
        return self._socket.fileno()

    def logPrefix(self) -> str:
        return "admin"

    def doRead(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                connection, _address = self._socket.accept()
            except OSError as why:
                if why.errno in _NO_ROOM:
                    self._rest(why)
                return
            with connection:
                connection.setblocking(False)
                try:
                    self._connected(connection.fileno())
                except Exception:
                    self._log.failure("A defect while taking a connection")
                    # For all who have a descriptor of it.
                    connection.shutdown(socket.SHUT_RDWR)

    def connectionLost(self, reason: Failure) -> None:
        """
        The reactor has given it up.
        """

    def _rest(self, why: OSError) -> None:
        # It would be told of the same connection again, at every turn.
        self._log.warn("No connection can be accepted for now: {why}", event="admin-resting", why=str(why))
        self._reactor.removeReader(self)
        self._resting = self._reactor.callLater(_REST, self._wake)

    def _wake(self) -> None:
        self._resting = None
        self.begin()


class UnixPort:
    """
    One such socket.
    """

    def __init__(self, reactor: Any, path: str, factory: Any) -> None:
        """
        @param reactor: Reads; an C{IReactorSocket}.
        @param path: Where it is to be, absolute.
        @param factory: Makes a protocol for each connection.
        """
        self._reactor = reactor
        self.path = path
        self._name = os.path.basename(path)
        self._factory = factory
        self._directory: int | None = None
        self._acceptor: _Acceptor | None = None
        self._own: tuple[int, int] | None = None

    def open(self) -> None:
        """
        Listen.

        @raise SocketRefused: It cannot be; nothing is left of it.
        """
        try:
            self._directory = self._openDirectory()
            listening = self._made(self._directory)
        except BaseException:
            self._closeDirectory()
            raise
        self._acceptor = _Acceptor(self._reactor, listening, self._connected)
        self._acceptor.begin()

    def close(self) -> None:
        """
        Listen no more, and take the name away if it is still ours.  Connections that
        exist are not touched.  Without effect when it is not open.
        """
        if self._acceptor is not None:
            self._acceptor.end()
            self._acceptor = None
        if self._directory is not None and self._own is not None:
            found = self._found(self._directory)
            if found is not None and (found.st_dev, found.st_ino) == self._own:
                _discard(self._name, self._directory)
        self._own = None
        self._closeDirectory()

    def stepAside(self) -> bool:
        """
        Leave the name to another process, and listen under one with the number of this: as
        C{admin-812.sock} in place of C{admin.sock}.

        @return: Whether that was done; without it nothing is listened on any more.
        """
        directory = self._directory
        if directory is None or self._acceptor is None:
            return False
        stem, ending = os.path.splitext(self._name)
        name = f"{stem}-{os.getpid()}{ending}"
        found = self._found(directory)
        try:
            if found is None or (found.st_dev, found.st_ino) != self._own:
                raise FileNotFoundError(self.path)
            # What has that name is of a process with our number, which is dead.
            os.rename(self._name, name, src_dir_fd=directory, dst_dir_fd=directory)
        except OSError:
            self.close()
            return False
        self._name, self.path = name, os.path.join(os.path.dirname(self.path), name)
        return True

    def _connected(self, descriptor: int) -> None:
        self._reactor.adoptStreamConnection(descriptor, socket.AF_UNIX, self._factory)

    def _openDirectory(self) -> int:
        place = os.path.dirname(self.path)
        try:
            directory = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as why:
            raise SocketRefused(
                f"{self.path} cannot be made: {place} cannot be opened: {why.strerror}"
                f" (as user {os.geteuid()})."
            ) from why
        found = os.fstat(directory)
        if found.st_uid not in (os.geteuid(), 0) or found.st_mode & 0o022:
            os.close(directory)
            raise SocketRefused(
                f"{self.path} cannot be made: others could put something else in its place, since {place}"
                f" belongs to user {found.st_uid} and has mode {stat.S_IMODE(found.st_mode):04o}."
                " Give it a directory of its own, mode 0700."
            )
        return directory

    def _made(self, directory: int) -> socket.socket:
        temporary = f".{secrets.token_hex(8)}.tmp"
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            listening.bind(addressIn(directory, os.path.join(os.path.dirname(self.path), temporary)))
            # Nobody can connect before it listens.
            os.chmod(temporary, _MODE, dir_fd=directory)
            listening.listen(_BACKLOG)
            fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
            try:
                self._requireFree(directory)
                os.rename(temporary, self._name, src_dir_fd=directory, dst_dir_fd=directory)
                self._sweep(directory)
                found = os.stat(self._name, dir_fd=directory, follow_symlinks=False)
            finally:
                fcntl.flock(directory, fcntl.LOCK_UN)
        except BaseException as why:
            listening.close()
            _discard(temporary, directory)
            if isinstance(why, OSError):
                raise SocketRefused(
                    f"{self.path} cannot be made: {why.strerror or why} (as user {os.geteuid()})."
                ) from why
            raise
        self._own = found.st_dev, found.st_ino
        return listening

    def _requireFree(self, directory: int) -> None:
        """
        @raise SocketRefused: There is something that is not to be replaced.
        """
        found = self._found(directory)
        if found is None:
            return
        if not stat.S_ISSOCK(found.st_mode):
            raise SocketRefused(
                f"{self.path} cannot be made: there is something else of that name. Move it away."
            )
        if found.st_uid not in (os.geteuid(), 0):
            raise SocketRefused(
                f"{self.path} cannot be made: there is one that belongs to user {found.st_uid}. Remove it."
            )
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
            # Without a wait: where nobody accepts for now, somebody is there.
            said = probe.connect_ex(addressIn(directory, self.path))
        if said != errno.ECONNREFUSED:
            raise SocketRefused(
                f"{self.path} cannot be made: another process answers there. Stop that one, or name another"
                " path with admin.socket."
            )

    def _sweep(self, directory: int) -> None:
        """
        Take away what processes that stepped aside and were killed have left.
        """
        stem, ending = map(re.escape, os.path.splitext(self._name))
        with suppress(OSError):
            for name in os.listdir(directory):
                if re.fullmatch(rf"{stem}-\d+{ending}", name) and self._isDead(directory, name):
                    _discard(name, directory)

    def _isDead(self, directory: int, name: str) -> bool:
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
        if not stat.S_ISSOCK(found.st_mode):
            return False
        path = os.path.join(os.path.dirname(self.path), name)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
            return probe.connect_ex(addressIn(directory, path)) == errno.ECONNREFUSED

    def _found(self, directory: int) -> os.stat_result | None:
        try:
            return os.stat(self._name, dir_fd=directory, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def _closeDirectory(self) -> None:
        if self._directory is not None:
            os.close(self._directory)
            self._directory = None


def _discard(name: str, directory: int) -> None:
    try:
        os.unlink(name, dir_fd=directory)
    except OSError:
        # It is gone already, or stays: the next process replaces it.
        pass
