"""
Opens files below a directory, and nothing else.

Whoever may write below the directory can change it between any two of our steps, so no
path is ever looked at first and opened then.  Every step opens one name in a directory
that is open already, without following a link; a link is read from its own descriptor, and
where it leads is walked by the same rules.  What C{..} in a link means is known from the
directories that were walked through, not asked of the kernel.

All of it is done on the reactor: names that are in use are in the kernel's memory, where each step
takes two microseconds, and to hand it to a thread takes a hundred.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from ..values import dataclass

if TYPE_CHECKING:
    from ..config.filetree import FileTree

__all__ = ["Exhausted", "Forbidden", "Missing", "Opened", "Tree", "Unnamed", "segments"]

#: So deep may a path be: each directory on the way is open meanwhile.
_DEEPEST = 64
# So many links may be on the way, as in the kernel (path_resolution(7)).
_MOST_LINKS = 40

_EXHAUSTED = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOMEM))

_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")
_STEP = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
# Whoever puts a FIFO there is not to have us wait for its other end.
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class Unnamed(Exception):
    """
    The path of a request is not that of a file, whatever there is.
    """


class Missing(Exception):
    """
    There is nothing, or nothing that is to be seen.
    """


class Forbidden(Exception):
    """
    It is there and cannot be read by this process.
    """


class Exhausted(Exception):
    """
    Nothing can be opened just now: this process, or the machine, has too much open.  The text says
    which.
    """


@dataclass(slots=True)
class Opened:
    """
    A file or directory that is open.

    @ivar descriptor: Owned; closed by L{close}.
    @ivar status: What the kernel knows of it.
    @ivar name: What it was asked for by.
    """

    descriptor: int
    status: os.stat_result
    name: bytes

    @property
    def isDirectory(self) -> bool:
        """
        Whether it is no file.
        """
        return stat.S_ISDIR(self.status.st_mode)

    def close(self) -> None:
        """
        Let go of it.  Any number of times.
        """
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def segments(path: str) -> tuple[list[bytes], bool]:
    """
    The names in the path of a request, each decoded once.

    @param path: Begins with a slash; its dot segments are resolved and nothing in it is decoded.
    @return: The names, and whether the path is that of a directory.
    @raise Unnamed: No name of a file can be meant: something cannot be decoded, or is a
        slash, backslash or NUL once it is, or a dot segment, or nothing.
    """
    if not path.startswith("/") or _ESCAPE.search(path):
        raise Unnamed
    parts = path[1:].split("/")
    isDirectory = parts[-1] == ""
    if isDirectory:
        parts.pop()
    names = [unquote_to_bytes(part) for part in parts]
    for name in names:
        if name in (b"", b".", b"..") or b"/" in name or b"\\" in name or b"\0" in name:
            raise Unnamed
    return names, isDirectory


class Tree:
    """
    One directory.
    """

    def __init__(self, settings: FileTree) -> None:
        """
        @param settings: Where, and by which rules.
        """
        self._root = os.fsencode(settings.root)
        self._symlinks = settings.symlinks
        self._isHiding = settings.hidden == "deny"

    def isHidden(self, name: bytes) -> bool:
        """
        Whether a name is as if it were not there.
        """
        return self._isHiding and name.startswith(b".") and name != b".well-known"

    def open(self, names: Sequence[bytes]) -> Opened:
        """
        Open a file or directory.

        @param names: The way there, see L{segments}.
        @raise Missing: See there.
        @raise Forbidden: See there.
        @raise Exhausted: See there.
        """
        if len(names) > _DEEPEST or any(map(self.isHidden, names)):
            raise Missing
        try:
            descriptor = self._opened(list(names))
        except PermissionError:
            raise Forbidden from None
        except (OSError, ValueError) as why:
            _raiseExhausted(why)
            raise Missing from None
        return _looked(descriptor, names[-1] if names else b"")

    def _opened(self, names: list[bytes]) -> int:
        if self._symlinks == "follow" or not names:
            # The root itself may be a link: that is the operator's.
            return os.open(os.path.join(self._root, *names), _READ)
        walk = _Walk(self._root, self._symlinks == "within")
        try:
            return walk.to(names)
        finally:
            walk.close()

    def list(self, directory: Opened, most: int) -> Iterator[tuple[bytes, bool, os.stat_result]]:
        """
        What is in a directory that is open.

        @param most: So many at most.
        @return: For each its name, whether it is a directory, and what the kernel knows of it.
        @raise Exhausted: When it is begun; see there.
        """
        try:
            entries = os.scandir(directory.descriptor)
        except OSError as why:
            _raiseExhausted(why)
            return
        with suppress(OSError), entries:
            for entry in entries:
                name = os.fsencode(entry.name)
                isRefused = self._symlinks == "refuse" and entry.is_symlink()
                if isRefused or self.isHidden(name) or b"\\" in name:
                    continue
                with suppress(OSError):
                    status = entry.stat(follow_symlinks=self._symlinks == "follow")
                    if stat.S_ISLNK(status.st_mode):
                        # Where it leads is seen by who asks for it.
                        yield name, False, status
                    elif stat.S_ISDIR(status.st_mode) or stat.S_ISREG(status.st_mode):
                        yield name, stat.S_ISDIR(status.st_mode), status
                    most -= 1
                if most <= 0:
                    return


def _raiseExhausted(why: Exception) -> None:
    if isinstance(why, OSError) and why.errno in _EXHAUSTED:
        raise Exhausted(os.strerror(why.errno)) from None


def _looked(descriptor: int, name: bytes) -> Opened:
    """
    @raise Missing: It is neither a file nor a directory.
    """
    found = Opened(descriptor, os.fstat(descriptor), name)
    if not (stat.S_ISREG(found.status.st_mode) or found.isDirectory):
        found.close()
        raise Missing
    return found


class _Walk:
    """
    On the way from the root, with every directory on it open.
    """

    def __init__(self, root: bytes, isFollowing: bool) -> None:
        self._root = root
        self._isFollowing = isFollowing
        self._links = 0
        self._ways = [os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)]

    def close(self) -> None:
        """
        Let go of all of it.
        """
        for descriptor in self._ways:
            os.close(descriptor)

    def to(self, names: list[bytes]) -> int:
        """
        @return: The descriptor of what is at the end.
        @raise OSError: There is none.
        """
        left = names[::-1]
        while left:
            name = left.pop()
            if name == b"..":
                self._up()
            elif name not in (b"", b"."):
                found = self._step(name, not left)
                if isinstance(found, int):
                    return found
                left += found
        return os.open(b".", _READ | os.O_DIRECTORY, dir_fd=self._ways[-1])

    def _up(self) -> None:
        if len(self._ways) == 1:
            raise OSError(errno.EXDEV, "leads out of the root")
        os.close(self._ways.pop())

    def _step(self, name: bytes, isLast: bool) -> int | list[bytes]:
        """
        One name further.

        @return: The descriptor of the end, or what is to be walked because of a link, the
            first name last.
        """
        here = self._ways[-1]
        try:
            if isLast:
                return os.open(name, _READ | os.O_NOFOLLOW, dir_fd=here)
            if len(self._ways) > _DEEPEST:
                raise OSError(errno.ENAMETOOLONG, "is too deep")
            self._ways.append(os.open(name, _STEP | os.O_DIRECTORY, dir_fd=here))
            return []
        except OSError as why:
            # A link where none is followed: ELOOP for a file, ENOTDIR for a directory.
            if not self._isFollowing or why.errno not in (errno.ELOOP, errno.ENOTDIR):
                raise
        return self._link(name, here)

    def _link(self, name: bytes, here: int) -> list[bytes]:
        self._links += 1
        if self._links > _MOST_LINKS:
            raise OSError(errno.ELOOP, "leads through too many links")
        descriptor = os.open(name, _STEP, dir_fd=here)
        try:
            target = os.readlink(b"", dir_fd=descriptor)
        finally:
            os.close(descriptor)
        if target.startswith(b"/"):
            inside = target.removeprefix(self._root.rstrip(b"/"))
            if inside == target or not inside.startswith(b"/"):
                raise OSError(errno.EXDEV, "leads out of the root")
            while len(self._ways) > 1:
                os.close(self._ways.pop())
            target = inside
        return target.split(b"/")[::-1]
