"""
Reads a configuration in a process of its own, while this one does something
else.

That is for the start of a program, which imports for a while in any case: the
models of the schema, and the library that they are made with, take a quarter of
that time, are needed once, and would then stay in memory for as long as the
proxy runs.  Where it cannot be done aside it is done here, with the same result.
"""

from __future__ import annotations

import os
import pickle
from typing import TYPE_CHECKING

# Not used here, but by both: see L{Reading}.
from . import checks  # noqa: F401
from .errors import ConfigError
from .model import AccessLog, Admin, Config, Forward, Pool, Route, Target

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Reading"]


class Reading:
    """
    A configuration that is being read.

    Begin it before there are threads, and before what must not be forked.  What both
    processes import, and the kinds of values that every configuration has, are there
    before there are two.
    """

    def __init__(self, path: str, load: Callable[[str], Config], fork: Callable[[], int] = os.fork) -> None:
        """
        Begin.

        @param path: The file.
        @param load: Reads it; see L{smartproxy_tw.config.loading.load}.
        @param fork: As C{os.fork}.
        """
        self._path = path
        self._load = load
        self._child = 0
        self._data: bytes | None = None
        _acquaint()
        self._source, sink = os.pipe()
        try:
            self._child = fork()
        except OSError:
            # Too many processes: it will be read here.
            os.close(sink)
            return
        if not self._child:
            self._tell(sink)
        os.close(sink)

    def wait(self) -> None:
        """
        Wait until it is read.
        """
        if self._data is None:
            with os.fdopen(self._source, "rb") as source:
                self._data = source.read()
            if self._child and os.waitpid(self._child, 0)[1]:
                # It was killed, be it while it told.
                self._data = b""

    def result(self) -> Config:
        """
        Wait for it.  To be called once.

        @return: The configuration.
        @raise ConfigError: It is wrong.
        """
        self.wait()
        data, self._data = self._data, b""
        outcome = pickle.loads(data) if data else None
        if isinstance(outcome, tuple):
            raise ConfigError(outcome)
        # Whatever went wrong with the other process, here it can be seen.
        return self._load(self._path) if outcome is None else outcome

    def _tell(self, sink: int) -> None:
        """
        What the other process does, from its first moment to its last.
        """
        try:
            os.close(self._source)
            from .sparing import spare

            # Where that goes wrong, as with another version of theirs, the file is read by who serves.
            spare(isYAML=self._path.endswith((".yaml", ".yml")))
            try:
                outcome: object = self._load(self._path)
            except ConfigError as why:
                outcome = why.problems
            with os.fdopen(sink, "wb") as pipe:
                pipe.write(pickle.dumps(outcome))
        finally:
            os._exit(0)


def _acquaint() -> None:
    """
    Have every kind of value that nearly every configuration has made once, which compiles it.
    """
    target = Forward((Target("", 1),), pool=Pool())
    Config((Route("", (1,), target, "tcp"),), "", accessLog=AccessLog(), admin=Admin(""))
