"""
Changes of header fields, ready to be applied: what goes, and the lines that come.

Shared by both ways: requests (L{smartproxy_tw.actions.amended}) and answers
(L{smartproxy_tw.actions.headings}).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..config.expressions import Expression, expression
from ..config.revisiontexts import reaches
from ..routing.filling import Filling, Words, inField

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..config.revision import FieldChanges

__all__ = ["Changes", "FieldLines"]


class FieldLines:
    """
    Header lines with blanks.

    @ivar fixed: The lines, where there is no blank in them; otherwise L{None}.
    """

    __slots__ = ("_fields", "fixed")

    def __init__(self, fields: Iterable[tuple[str, str]]) -> None:
        """
        @param fields: Pairs of name and text.
        @raise ValueError: A text is none.
        """
        self._fields = tuple((name, Filling.of(text, inField)) for name, text in fields)
        fixed = all(filling.fixed is not None for _, filling in self._fields)
        self.fixed: bytes | None = self._made(None) if fixed else None

    def __bool__(self) -> bool:
        """
        Whether there are any.
        """
        return bool(self._fields)

    def fill(self, words: Words) -> bytes:
        """
        @return: Whole lines, each with its CR LF.
        """
        return self._made(words) if self.fixed is None else self.fixed

    def _made(self, words: Words | None) -> bytes:
        lines = []
        for name, filling in self._fields:
            value = filling.fixed if words is None else filling.fill(words)
            assert value is not None
            lines.append(f"{name}: {value.strip(_SPACE)}\r\n")
        text = "".join(lines)
        # What is filled in is UTF-8, as it came; what is written is Latin-1 (RFC 9110 section 5.5).
        return text.encode("latin-1") if words is None else text.encode("utf-8", "replace")


_SPACE = " \t"
_ODD = re.compile("[^0-9a-z-]")


class Changes:
    """
    What becomes of the header fields of one kind of message.

    @ivar lines: Those that come.
    @ivar names: Those that go, in lower case: what is removed by name, and what is set.
    @ivar globs: What else goes, but for what is beyond reach.
    """

    def __init__(self, settings: FieldChanges, *, isRequest: bool) -> None:
        """
        @raise ValueError: A text is none, which the loader does not let through.
        """
        self._isRequest = isRequest
        fields = (*settings.set, *settings.add)
        isHost = isRequest
        self.lines = FieldLines(each for each in fields if not (isHost and each[0].lower() == "host"))
        exact = [each for each in settings.remove if "*" not in each]
        self.names = frozenset([*exact, *(name.lower() for name, _ in settings.set)]) - {"host"}
        self.globs: tuple[Expression, ...] = tuple(
            expression(each) for each in settings.remove if "*" in each
        )

    def fits(self, name: str) -> bool:
        """
        Whether a glob takes a field away.

        @param name: In lower case.
        """
        # For targets an underscore is as good as a hyphen, as with names that are written out.
        names = {name, _ODD.sub("-", name)} if self._isRequest else {name}
        isMeant = any(glob.matches(each) for glob in self.globs for each in names)
        return isMeant and reaches(name, isRequest=self._isRequest)

    def takes(self, name: bytes) -> bool:
        """
        Whether a field goes, by name or glob.

        @param name: In lower case.
        """
        text = name.decode("latin-1")
        return text in self.names or self.fits(text)
