"""
Watches the files of a configuration, and has it read again when their content is another.

The kernel tells of whatever happens in their directories, so that it makes no difference
whether a file is written, replaced by another one, or reached by a link that is turned
(as in the volumes of Kubernetes).  Besides, it is looked every few seconds: some file
systems tell nobody.  A change is acted upon once it has stayed the same from one look
to the next, and once for each content, be it good or bad.
"""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Any

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

__all__ = ["Watch", "directoriesOf"]

#: From news to the first look, and between two looks, in seconds: a file that is being
#: written is not read by half.
SOON = 0.3

#: From one look to the next where there are no news, in seconds.
SELDOM = 10.0

#: More than any configuration has, in bytes; importing who knows would import what reads.
_MOST = 64 * 1024 * 1024

_Signature = tuple[tuple[str, tuple[int, ...] | None], ...]


class Watch:
    """
    Of one proxy.
    """

    _log = Logger()

    def __init__(
        self, reactor: Any, act: Callable[[], object], *, soon: float = SOON, seldom: float = SELDOM
    ) -> None:
        """
        @param reactor: Watches readers and tells the time.
        @param act: Called when the content is another; never raises.
        @param soon: See L{SOON}.
        @param seldom: See L{SELDOM}.
        """
        self._reactor = reactor
        self._act = act
        self._soon = soon
        self._seldom = seldom
        self._files: tuple[str, ...] = ()
        self._patterns: tuple[str, ...] = ()
        self._used: _Signature = ()
        self._seen: _Signature = ()
        self._digests: dict[str, bytes] = {}
        # Twisted's, whose methods have no types.
        self._notify: Any = None
        self._watched: set[str] = set()
        self._call: IDelayedCall | None = None
        self._hasComplained = False

    @property
    def isOn(self) -> bool:
        """
        Whether anything is watched.
        """
        return self._call is not None

    def follow(self, files: Iterable[str], patterns: Iterable[str]) -> None:
        """
        Watch these from now on, and no others.

        @param files: Absolute paths.
        @param patterns: Absolute paths with wildcards, as L{glob} has them: whatever
            matches is watched too.
        """
        isFirst = self._call is None
        self._files, self._patterns = tuple(files), tuple(patterns)
        self._arm()
        # What is new in the list has just been read; what only matches may have come since.
        before, read = self._digests, set(self._files)
        self._digests = {
            path: before.get(path) or _digest(path)
            for path in self._paths()
            if path in before or path in read
        }
        if isFirst:
            self._used = self._seen = self._signature()
            self._call = self._reactor.callLater(self._seldom, self._look)

    def stop(self) -> None:
        """
        Watch nothing.
        """
        if self._call is not None:
            self._call.cancel()
            self._call = None
        if self._notify is not None:
            notify, self._notify = self._notify, None
            notify.loseConnection()
        self._watched = set()

    def _paths(self) -> list[str]:
        found = dict.fromkeys(self._files)
        for pattern in self._patterns:
            found.update(dict.fromkeys(sorted(glob.glob(pattern))))
        return list(found)

    def _signature(self) -> _Signature:
        return tuple((path, _stamp(path)) for path in self._paths())

    def _look(self) -> None:
        now = self._signature()
        isNews = now != self._used
        if isNews and now == self._seen:
            self._used, isNews = now, False
            self._changed()
        self._seen = now
        self._arm()
        self._call = self._reactor.callLater(self._soon if isNews else self._seldom, self._look)

    def _changed(self) -> None:
        digests = {path: _digest(path) for path in self._paths()}
        if digests != self._digests:
            self._digests = digests
            self._act()

    # What the kernel tells.

    def _arm(self) -> None:
        """
        Watch every directory that is not watched.
        """
        wanted = directoriesOf(self._paths(), self._patterns)
        if wanted == self._watched:
            return
        from twisted.internet import inotify
        from twisted.python.filepath import FilePath

        mask = (
            inotify.IN_CLOSE_WRITE
            | inotify.IN_CREATE
            | inotify.IN_DELETE
            | inotify.IN_MOVED
            | inotify.IN_ATTRIB
            | inotify.IN_DELETE_SELF
            | inotify.IN_MOVE_SELF
        )
        try:
            if self._notify is None:
                self._notify = inotify.INotify(self._reactor)  # type: ignore[no-untyped-call]
                self._notify.startReading()
            for path in self._watched - wanted:
                self._notify.ignore(FilePath(path))
            self._watched &= wanted
            for path in wanted - self._watched:
                self._notify.watch(FilePath(path), mask, callbacks=[self._heard])
                self._watched.add(path)
        except (OSError, KeyError) as why:
            self._complain(why)

    def _complain(self, why: Exception) -> None:
        if not self._hasComplained:
            self._hasComplained = True
            self._log.warn(
                "The kernel does not tell of changes of the configuration ({why}):"
                " they are seen within {seconds:g} s",
                event="watch-limited",
                why=str(why),
                seconds=self._seldom + self._soon,
            )

    def _heard(self, _: object, path: Any, mask: int) -> None:
        from twisted.internet.inotify import IN_DELETE_SELF, IN_IGNORED, IN_MOVE_SELF

        if mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED):
            # It may come again as another one.
            self._watched.discard(path.path)
        if self._call is not None and self._call.getTime() > self._reactor.seconds() + self._soon:
            self._call.reset(self._soon)


def directoriesOf(paths: Iterable[str], patterns: Iterable[str]) -> set[str]:
    """
    Where something happens when a file is replaced.

    @param paths: Of files, absolute; they need not be there.
    @param patterns: Absolute, with wildcards.
    @return: The directories that are there: those of the paths, of whatever links they
        lead through, and those in which something new would match.
    """
    found: set[str] = set()
    for path in paths:
        for _ in range(40):
            found.add(os.path.dirname(path))
            try:
                path = os.path.join(os.path.dirname(path), os.readlink(path))
            except OSError:
                break
        found.add(os.path.dirname(os.path.realpath(path)))
    for pattern in patterns:
        found.update(glob.glob(os.path.dirname(pattern)))
        fixed = os.path.dirname(pattern)
        while glob.has_magic(fixed.replace("[[]", "").replace("[*]", "").replace("[?]", "")):
            fixed = os.path.dirname(fixed)
            found.update(glob.glob(fixed))
    return {os.path.abspath(each) for each in found if os.path.isdir(each)}


def _digest(path: str) -> bytes:
    """
    What tells one content from another; of what cannot be read, why.
    """
    try:
        # Whatever is no file may have nobody at its other end.
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return b"no file"
            return blake2b(file.read(_MOST)).digest()
    except OSError as why:
        return str(why.errno).encode()


def _stamp(path: str) -> tuple[int, ...] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev, found.st_mode, found.st_uid
