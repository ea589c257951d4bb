"""
The file system of the state directory has no byte left when the proxy starts:
whether it serves a valid certificate all the same, and how long it takes from
the moment when there is space again until the certificate is on the disk.

The file system is one in memory, of a mebibyte, so this needs the right to mount
one: root's, or that of C{unshare --map-root-user --mount}.
"""

from __future__ import annotations

import errno
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .ground import Ground
from .peers import Ended, Place, Running, isKept
from .verdicts import Report, Verdict, eachAtMost, unmeasured

__all__ = ["fullDisk"]

_SERVED, _KEPT = "served although the disk is full", "on the disk at most 5 s after there is space"

_BOUND = 5.0

#: A proxy may take so long until it serves although the disk is full, in seconds.
_PATIENCE = 30.0

#: Between being served and the end of the shortage, in seconds: what tries again more
#: and more rarely is met in different moods.
_SHORTAGES = (0.5, 3.3, 9.1)


class _NoMount(Exception):
    """No file system can be mounted here; the argument says why."""


@dataclass(frozen=True, slots=True)
class _Course:
    """
    How it went.

    @ivar served: Seconds from C{exec} to valid HTTPS on a full disk, or L{None}.
    @ivar kept: Seconds from the end of the shortage to a certificate that is on
        the disk and served, or L{None}.
    @ivar lastWords: Of one that has ended by itself.
    """

    served: float | None = None
    kept: float | None = None
    lastWords: str = ""

    def __str__(self) -> str:
        """For people."""
        if self.lastWords:
            return f"ended by itself: {self.lastWords}"
        one = (
            f"not served within {_PATIENCE:g} s"
            if self.served is None
            else f"served after {self.served:.2f} s"
        )
        other = "never kept" if self.kept is None else f"on the disk {self.kept:.2f} s after there was space"
        return f"{one}, {other}"


async def fullDisk(ground: Ground) -> Report:
    """Ours several times, each peer once."""
    rows: list[str] = []
    verdicts: list[Verdict] = []
    try:
        for name in ground.proxies:
            shortages = _SHORTAGES if name == "ours" else _SHORTAGES[1:2]
            courses = [await _course(ground, name, shortage) for shortage in shortages]
            rows += [f"{name:8} {each}" for each in courses]
            if name == "ours":
                isServed = all(each.served is not None for each in courses)
                verdicts.append(Verdict(_SERVED, "each time" if isServed else "not each time", isServed))
                verdicts.append(eachAtMost(_KEPT, _BOUND, (each.kept for each in courses)))
    except _NoMount as why:
        reason = f"a file system has to be mounted for it, as root or under unshare -rm: {why}"
        verdicts = [unmeasured(_SERVED, reason), unmeasured(_KEPT, reason)]
    title = (
        f"the disk is full when the proxy starts; what never came did not come within {ground.patience:g} s"
    )
    return Report(title, tuple(rows), tuple(verdicts))


async def _course(ground: Ground, name: str, lasting: float) -> _Course:
    """
    @param lasting: Seconds from being served to the end of the shortage.
    """
    with ground.place() as place:
        return await ground.aside(_once, name, place, ground.authority.root, lasting, ground.patience)


def _once(name: str, place: Place, root: bytes, lasting: float, patience: float) -> _Course:
    with _small(place.state) as filler, Running(name, place) as running:
        try:
            at = running.untilServed(root, _PATIENCE)
            place.pause(lasting)
            if isKept(place):
                raise RuntimeError("the disk was not full")
            filler.unlink()
            space = time.monotonic()
            while not isKept(place) and time.monotonic() < space + patience:
                place.pause(0.02)
            kept = time.monotonic() - space if isKept(place) else None
            isServed = running.untilServed(root, patience if kept else 1.0) is not None
        except Ended:
            return _Course(lastWords=running.said.strip().rpartition("\n")[2][-300:])
        return _Course(None if at is None else at - running.began, kept if isServed else None)


@contextmanager
def _small(directory: Path) -> Iterator[Path]:
    """
    A file system without space.

    @return: The file that takes all of it.
    """
    directory.mkdir(mode=0o700)
    command = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "full", str(directory)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError as why:
        raise _NoMount(str(why)) from why
    except subprocess.CalledProcessError as why:
        raise _NoMount(why.stderr.strip().partition("\n")[0]) from why
    try:
        filler = directory / "filler"
        with filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError as why:
                if why.errno != errno.ENOSPC:
                    raise
        yield filler
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)
