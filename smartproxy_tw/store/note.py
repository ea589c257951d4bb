"""
What is remembered from one process to the next: one JSON object in a file of its own.

Nobody depends on one: a file that cannot be used is passed over, and the log says so.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ..bounds.objects import objectIn

if TYPE_CHECKING:
    from .directory import SecureDirectory

__all__ = ["Note"]

_T = TypeVar("_T")


class Note(Generic[_T]):
    """
    One of them.
    """

    def __init__(
        self,
        directory: SecureDirectory,
        name: str,
        parse: Callable[[dict[str, Any]], _T],
        nothing: Callable[[], _T],
    ) -> None:
        """
        @param directory: Where the file is, or is to be; open.
        @param name: Of the file.
        @param parse: What an object means; raises L{ValueError} when it means nothing.
        @param nothing: What is remembered where there is no file.
        """
        self._directory = directory
        self._name = name
        self._parse = parse
        self._nothing = nothing

    def load(self, tell: Callable[..., object], event: str, text: str = "{path} is passed over: {why}") -> _T:
        """
        What is remembered; nothing, when that makes no sense or cannot be read.

        @param tell: Logs that it does not, as L{Logger.warn<twisted.logger.Logger.warn>} does.
        @param event: Its stable name, for machines.
        @param text: A format of C{path} and C{why}.
        """
        try:
            content = self._directory.read(self._name)
            return self._nothing() if content is None else self._parse(objectIn(content))
        except (OSError, ValueError) as why:
            tell(text, event=event, path=self._directory.pathOf(self._name), why=str(why))
            return self._nothing()

    def save(self, content: dict[str, Any], *, isIndented: bool = True) -> None:
        """
        Remember this, and nothing else.

        @param isIndented: Whether people are to read it.  That takes ten times as long, which
            counts where there are ten thousand names.
        @raise OSError: It could not be written.
        """
        text = json.dumps(content, indent=1 if isIndented else None)
        self._directory.write(self._name, text.encode("ascii") + b"\n")
