"""
A directory that keeps secrets: nobody else can read what is in it or slip
something in, and a file there is either the old one or the new one, whole,
whatever moment the machine stops at.

A write goes to a temporary file that is born with its final mode, is forced to
the disk, takes the name of the old one, and then the directory is forced to the
disk too.  Nothing here knows what the bytes mean.

The L{Lock} lets one process at a time use a directory.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import stat
from contextlib import suppress
from typing import Protocol

from twisted.logger import Logger

__all__ = ["Files", "Lock", "SecureDirectory", "StateError"]

#: Who may do what to a directory of ours, and to a file in it.
_DIRECTORY_MODE = 0o700
_SECRET_MODE = 0o600
_PUBLIC_MODE = 0o644

#: What a file is called until it is whole.  No entry begins with a dot.
_TEMPORARY = ".tmp"


class StateError(Exception):
    """
    The state directory cannot be used, and the operator has to mend it.  The
    text is the whole message.
    """


class Files(Protocol):
    """
    What a L{SecureDirectory} asks of the operating system.  The module L{os}
    provides it.
    """

    def open(self, path: str, flags: int, mode: int = ..., /) -> int:
        """
        As L{os.open}.
        """

    def write(self, fd: int, data: bytes, /) -> int:
        """
        As L{os.write}.
        """

    def fsync(self, fd: int, /) -> None:
        """
        As L{os.fsync}.
        """

    def replace(self, src: str, dst: str, /) -> None:
        """
        As L{os.replace}.
        """


class SecureDirectory:
    """
    One directory of small files.  Its methods block while the disk works; after
    L{open} they may be called from any thread, by one caller for one name at a
    time.

    @ivar path: Where it is, absolute.
    """

    def __init__(self, path: str, files: Files = os) -> None:
        """
        @param path: Where it is, or is to be made; absolute.
        @param files: What does the writing, so that a test can let it fail.
        """
        self.path = path
        self._files = files

    def open(self) -> SecureDirectory:
        """
        Make the directory if there is none, see that it is safe, and sweep away
        what an interrupted write left behind.

        @return: The directory itself.
        @raise StateError: It cannot be made or read, belongs to somebody else,
            or may be written by others.
        """
        try:
            os.makedirs(self.path, _DIRECTORY_MODE, exist_ok=True)
            found = os.stat(self.path)
            entries = os.listdir(self.path)
        except OSError as why:
            raise StateError(
                f"The state directory {self.path} cannot be used: {why.strerror} (as user {os.geteuid()})."
                f" Make it for that user (install -d -m 700 -o {os.geteuid()} {self.path}),"
                " or name another with state_dir."
            ) from why
        if found.st_uid not in (os.geteuid(), 0):
            raise StateError(
                f"The state directory {self.path} belongs to user {found.st_uid}, and this process"
                f" runs as user {os.geteuid()}. Keys in it would not be safe: chown it,"
                " or name another with state_dir."
            )
        if stat.S_IMODE(found.st_mode) & 0o022:
            raise StateError(
                f"The state directory {self.path} can be written by others"
                f" (mode {stat.S_IMODE(found.st_mode):04o}). Keys in it would not be safe:"
                f" chmod 700 {self.path}, or name another with state_dir."
            )
        for name in entries:
            if name.startswith(".") and name.endswith(_TEMPORARY):
                self._discard(os.path.join(self.path, name))
        return self

    def child(self, name: str) -> SecureDirectory:
        """
        A directory in this one, ready for use.

        @raise StateError: As in L{open}.
        @raise ValueError: As in L{pathOf}.
        """
        return SecureDirectory(self.pathOf(name), self._files).open()

    def pathOf(self, name: str) -> str:
        """
        Where an entry is, or would be.

        @param name: One segment of a path.
        @return: Its absolute path.
        @raise ValueError: The name could lead out of the directory, or is
            hidden, or is too long for a file system.
        """
        if (
            not name
            or name.startswith(".")
            or any(character == "/" or character < " " or character == "\x7f" for character in name)
            or len(os.fsencode(name)) > 255
        ):
            raise ValueError(f"{name!r} cannot be the name of a file.")
        return os.path.join(self.path, name)

    def names(self, suffix: str = "") -> list[str]:
        """
        What is in the directory, sorted.

        @param suffix: How the names that are wanted end.
        @raise OSError: It cannot be listed.
        """
        return sorted(
            name for name in os.listdir(self.path) if name.endswith(suffix) and not name.startswith(".")
        )

    def read(self, name: str) -> bytes | None:
        """
        The content of an entry.

        @return: L{None} when there is no such entry.
        @raise OSError: It cannot be read.
        @raise ValueError: As in L{pathOf}.
        """
        try:
            with open(self.pathOf(name), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def readOwn(self, name: str, most: int) -> bytes | None:
        """
        The content of an entry that nobody but us is to have made: never by a
        link, never waiting for a pipe, and no more than it may have.

        @param most: So many bytes.
        @return: L{None} when there is no such entry.
        @raise OSError: It cannot be read, is a link or belongs to another user.
        @raise ValueError: It is no file or has more; or as in L{pathOf}.
        """
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            descriptor = os.open(self.pathOf(name), flags)
        except FileNotFoundError:
            return None
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise ValueError("it is no ordinary file")
            if found.st_uid not in (os.geteuid(), 0):
                raise PermissionError(errno.EPERM, f"it belongs to user {found.st_uid}", self.pathOf(name))
            if found.st_size > most:
                raise ValueError(f"it has {found.st_size} bytes, and needs no more than {most}")
            with open(descriptor, "rb", closefd=False) as file:
                return file.read(most + 1)
        finally:
            os.close(descriptor)

    def write(self, name: str, content: bytes, *, public: bool = False) -> None:
        """
        Set the content of an entry, durably, before returning.

        @param content: All of it.
        @param public: Whether those who can reach the directory may read it.
        @raise OSError: It could not be written; the entry is as it was.
        @raise ValueError: As in L{pathOf}.
        """
        path = self.pathOf(name)
        temporary = os.path.join(self.path, f".{secrets.token_hex(8)}{_TEMPORARY}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            descriptor = self._files.open(temporary, flags, _SECRET_MODE)
            try:
                self._fill(descriptor, content)
                if public:
                    os.fchmod(descriptor, _PUBLIC_MODE)
                self._files.fsync(descriptor)
            finally:
                os.close(descriptor)
            self._files.replace(temporary, path)
        except OSError as why:
            self._discard(temporary)
            # In the words of who reads it, and the same each time: nobody knows the temporary name.
            raise OSError(why.errno, why.strerror, path) from why
        self._force()

    def remove(self, name: str) -> None:
        """
        Remove an entry, durably.  That there is none is no error.

        @raise OSError: It could not be removed.
        @raise ValueError: As in L{pathOf}.
        """
        try:
            os.unlink(self.pathOf(name))
        except FileNotFoundError:
            return
        self._force()

    def setAside(self, name: str, ending: str = ".corrupt") -> str:
        """
        Move an entry that makes no sense out of the way, for somebody to look
        at.

        @param ending: What its name ends with from then on.
        @return: Where it is now.
        @raise OSError: It could not be moved.
        """
        aside = self.pathOf(name) + ending
        self._files.replace(self.pathOf(name), aside)
        return aside

    def _fill(self, descriptor: int, content: bytes) -> None:
        rest = memoryview(content)
        while rest:
            written = self._files.write(descriptor, bytes(rest))
            if written == 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            rest = rest[written:]

    def _force(self) -> None:
        # Without this the file is safe, but the name that leads to it is not.
        descriptor = self._files.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._files.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _discard(self, path: str) -> None:
        try:
            os.unlink(path)
        except OSError:
            # It is swept up the next time; what made it is what matters.
            pass


class Lock:
    """
    The right to use a directory, held by one process at a time.

    It is a C{flock} on an open file, so that it ends with the process however
    that ends, and so that a process can leave it to a successor along with the
    descriptor.
    """

    _log = Logger()
    _name = "lock"

    def __init__(self, directory: SecureDirectory, files: Files = os) -> None:
        """
        @param directory: What is to be used by one process only; open.
        @param files: What opens the file.
        """
        self._directory = directory
        self._files = files
        self._descriptor: int | None = None

    @property
    def descriptor(self) -> int | None:
        """
        What it is held by, for a successor; L{None} where it is not.
        """
        return self._descriptor

    def take(self, inherited: int | None = None) -> None:
        """
        Take the lock, at once or not at all; one that is held is kept.  Where nobody can write, as on a file
        system that the kernel has made read-only after errors, there is nothing to
        keep others from: what rests there is worth more than a start that fails.

        @param inherited: A predecessor's descriptor, from now on this object's.  It is
            of use if it is for the same directory.
        @raise StateError: Another process holds it, and which one; or the file
            cannot be made.
        """
        if self._descriptor is not None:
            return
        path = self._directory.pathOf(self._name)
        try:
            descriptor = _theSame(inherited, path)
            if descriptor is None:
                descriptor = self._opened(path)
        except OSError as why:
            raise StateError(
                f"{path} cannot be made: {why.strerror} (as user {os.geteuid()})."
                " Mend the state directory, or name another with state_dir."
            ) from why
        if descriptor is None:
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as why:
            holder = _processCalled(os.read(descriptor, 32))
            os.close(descriptor)
            raise StateError(
                f"The state directory {self._directory.path} is in use by {holder}."
                " Stop that, or give this one a directory of its own with state_dir."
            ) from why
        except OSError as why:
            os.close(descriptor)
            raise StateError(f"{path} cannot be locked: {why.strerror}.") from why
        self._descriptor = descriptor
        try:
            os.ftruncate(descriptor, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)
            os.write(descriptor, b"%d\n" % os.getpid())
        except OSError:
            # A full disk: the lock holds all the same, only our number is
            # missing from what the next one is told.
            pass

    def _opened(self, path: str) -> int | None:
        safely = os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            return self._files.open(path, os.O_RDWR | os.O_CREAT | safely, _SECRET_MODE)
        except OSError as why:
            if why.errno != errno.EROFS:
                raise
        self._log.error(
            "{path} is on a file system that is read-only: what is there is served, and what comes is lost"
            " with this process. Mend the file system.",
            event="state-read-only",
            path=self._directory.path,
        )
        try:
            return self._files.open(path, os.O_RDONLY | safely)
        except FileNotFoundError:
            return None

    def release(self) -> None:
        """
        Give it back.  Without effect when it is not held.
        """
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _theSame(inherited: int | None, path: str) -> int | None:
    if inherited is None:
        return None
    with suppress(FileNotFoundError):
        if os.path.samestat(os.fstat(inherited), os.stat(path, follow_symlinks=False)):
            return inherited
    os.close(inherited)
    return None


def _processCalled(written: bytes) -> str:
    try:
        number = int(written)
    except ValueError:
        return "another process"
    if number == os.getpid():
        return f"this very process ({number})"
    try:
        with open(f"/proc/{number}/comm", encoding="utf-8", errors="replace") as file:
            return f"process {number} ({file.read().strip()})"
    except OSError:
        return f"process {number}"
