"""
A disk that fails when told to.
"""

from __future__ import annotations

import errno
import os


class PowerCut(BaseException):
    """
    The machine stopped here: no code after this point runs.
    """


class FrailFiles:
    """
    The operating system's files, which work until a chosen step.

    @ivar steps: What was done so far.
    """

    def __init__(self) -> None:
        self.steps: list[str] = []
        self._full = False
        self._cutAt: int | None = None
        self._readOnly = False

    def becomeReadOnly(self) -> None:
        """
        From now on nothing can be changed, as after errors of the disk.
        """
        self._readOnly = True

    def mend(self) -> None:
        """
        It can be written again.
        """
        self._readOnly = False

    def fillUp(self) -> None:
        """
        From now on there is no space left for content.
        """
        self._full = True

    def makeRoom(self) -> None:
        """
        There is space again.
        """
        self._full = False

    def cutPowerAt(self, step: int) -> None:
        """
        Stop before the given step, counted from 0 over all steps from now on.
        """
        self.steps.clear()
        self._cutAt = step

    def open(self, path: str, flags: int, mode: int = 0o777, /) -> int:
        self._step("open")
        if self._readOnly and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return os.open(path, flags, mode)

    def write(self, fd: int, data: bytes, /) -> int:
        self._step("write")
        if self._full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        # Short writes are what a real disk may do.
        return os.write(fd, data[: max(1, len(data) // 2)])

    def fsync(self, fd: int, /) -> None:
        self._step("fsync")
        os.fsync(fd)

    def replace(self, src: str, dst: str, /) -> None:
        self._step("replace")
        os.replace(src, dst)

    def _step(self, name: str) -> None:
        if self._cutAt is not None and len(self.steps) == self._cutAt:
            raise PowerCut(f"before step {self._cutAt}, {name}")
        self.steps.append(name)
