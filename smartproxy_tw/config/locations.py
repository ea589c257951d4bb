"""
The paths of a configuration: made absolute, and looked at as far as that tells a
mistake before it costs anything.

What is in a file is not read here.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence

from .document import Path
from .findings import Findings

__all__ = ["Locations"]

#: Of the name of a socket, in bytes: with what the kernel needs before it there are 107.
_LONGEST = 80


class Locations:
    """
    Makes paths absolute and sees whether they lead somewhere.

    @ivar modules: Absolute paths of directories where modules that a configuration names are looked
        for, whichever route names them.
    """

    modules: tuple[str, ...] = ()

    def __init__(self, findings: Findings, directories: Mapping[str, str]) -> None:
        """
        @param findings: Where mistakes are told.
        @param directories: For each file of the marks the directory that
            relative paths in it count from.
        """
        self._findings = findings
        self._directories = directories

    def absolute(self, path: Path, text: str) -> str:
        """
        @param path: Where the text was written; relative ones count from the
            directory of that file.
        """
        if "\0" in text:
            self._findings.refuse(path, "cannot be a path")
            return "/"
        if text.startswith("~"):
            self._findings.refuse(path, "begins with ~, which is not filled in: ${HOME} is")
        return os.path.normpath(os.path.join(self._directories[self._findings.mark(path).file], text))

    def existing(self, path: Path, text: str) -> str:
        """
        Likewise for a file that has to be there and readable.
        """
        found = self.absolute(path, text)
        if not os.path.lexists(found):
            self._findings.refuse(path, "does not exist" + self._where(text, found))
        elif not os.path.isfile(found):
            self._findings.refuse(path, "is not a file" + self._where(text, found))
        elif not os.access(found, os.R_OK):
            self._findings.refuse(path, "may not be read by this user")
        return found

    def creatable(self, path: Path, text: str) -> str:
        """
        Likewise for a file that is written.
        """
        found = self.absolute(path, text)
        if os.path.isdir(found):
            self._findings.refuse(path, "is a directory: a file was expected")
        elif not os.path.isdir(os.path.dirname(found)):
            self._findings.refuse(path, f"cannot be written: there is no directory {os.path.dirname(found)}")
        return found

    def socket(self, path: Path, text: str, state: str) -> str:
        """
        Likewise for a unix socket that is made.

        @param state: A directory that is made before it, where it is missing.
        """
        found = self.absolute(path, text)
        place = os.path.dirname(found)
        if os.path.lexists(found) and not stat.S_ISSOCK(os.lstat(found).st_mode):
            self._findings.refuse(path, "is something else than a socket")
        elif not os.path.isdir(place) and place != state:
            self._findings.refuse(path, f"cannot be made: there is no directory {place}")
        elif len(os.fsencode(os.path.basename(found))) > _LONGEST:
            self._findings.refuse(path, f"cannot be made: the name of a socket has at most {_LONGEST} bytes")
        return found

    def directory(self, path: Path, text: str) -> str:
        """
        Likewise for a directory that is made where it is missing.
        """
        found = self.absolute(path, text)
        if os.path.lexists(found) and not os.path.isdir(found):
            self._findings.refuse(path, "is not a directory")
        return found

    def places(self, path: Path, written: Sequence[str]) -> tuple[str, ...]:
        """
        Likewise for directories that have to be there.

        @param written: What is written.
        """
        places = tuple(self.absolute(path, text) for text in written)
        for text, place in zip(written, places, strict=True):
            if not os.path.isdir(place):
                self._findings.add(path, f"lists {text}, which is no directory{self._where(text, place)}")
        return places

    def _where(self, text: str, found: str) -> str:
        return "" if text == found else f" (it would be {found})"
