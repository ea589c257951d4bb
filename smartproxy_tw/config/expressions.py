"""
What the value of a header field or of a query parameter may be held against: a text,
a glob, or a regular expression.

  - C{beta}: that text, in its own case.
  - C{beta-*}: a C{*} stands for any characters, or none; C{*} alone for any value.
  - C{/^beta-[0-9]+$/}: a regular expression between slashes, looked for anywhere in the
    value.

Whoever sends the value must not be able to keep us busy with it.  A text and a glob are
compared in time that grows with the length of the value and no faster.  Python's own
regular expressions do not promise that: two stars in one of them are enough for minutes
with a long value, and no check of the pattern that is simple enough to be believed leaves
much of the language.  So expressions are
those of RE2, which promises it by the way it works, has no back-references and no
look-around for that, and refuses what would take too much memory.  It is optional: the
extra C{regex}, which is google-re2, by RE2's own authors.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

__all__ = ["Exactly", "Expression", "Like", "Matching", "expression", "isSecret", "shown"]

#: A longer one is not taken, in characters.
_LONGEST = 1000

#: Fields and parameters with such a name are for nobody's eyes.
_SECRET = re.compile("authorization|cookie|token|secret|pass|psw|key|credential|session|signature")


class Exactly(NamedTuple):
    """
    One text.
    """

    text: str

    def matches(self, value: str) -> bool:
        """
        Whether it is this one.
        """
        return value == self.text


class Like(NamedTuple):
    """
    A glob.

    @ivar head: What a value begins with.
    @ivar middle: What it contains after that, in this order.
    @ivar tail: What it ends with, after all of these.
    """

    text: str
    head: str
    middle: tuple[str, ...]
    tail: str

    def matches(self, value: str) -> bool:
        """
        Whether it is like this.  The first place for each piece leaves the most for
        the others, so that there is nothing to try twice.
        """
        end = len(value) - len(self.tail)
        at = len(self.head)
        if end < at or not value.startswith(self.head) or not value.endswith(self.tail):
            return False
        for piece in self.middle:
            at = value.find(piece, at, end)
            if at < 0:
                return False
            at += len(piece)
        return True


class Matching(NamedTuple):
    """
    A regular expression.

    @ivar compiled: By RE2.
    """

    text: str
    compiled: Any

    def matches(self, value: str) -> bool:
        """
        Whether it is found in the value.
        """
        return self.compiled.search(value) is not None


#: Any of them.
Expression = Exactly | Like | Matching


def expression(text: str) -> Expression:
    """
    Read one.

    @raise ValueError: It is none, or a regular expression without the library that reads
        it; the message is the end of a sentence that begins with what was written.
    """
    if len(text) > _LONGEST:
        raise ValueError(f"is longer than {_LONGEST} characters")
    if len(text) > 1 and text[0] == text[-1] == "/":
        return _matching(text)
    if "*" in text:
        head, *middle, tail = text.split("*")
        return Like(text, head, tuple(each for each in middle if each), tail)
    return Exactly(text)


def _matching(text: str) -> Matching:
    try:
        import re2
    except ImportError:
        raise ValueError(
            "is a regular expression, and the library google-re2, which reads them in time, is not "
            "there: pip install 'smartproxy_tw[regex]', or use a glob such as beta-*"
        ) from None
    if len(text) == 2:
        raise ValueError("is an empty regular expression: use * for any value")
    options = re2.Options()
    options.log_errors = False
    # A line break, which a parameter can have, ends nothing: nobody gets around a pattern by one.
    options.dot_nl = True
    try:
        return Matching(text, re2.compile(text[1:-1], options))
    except (re2.error, UnicodeError) as why:
        reason = why.args[0] if why.args and isinstance(why, re2.error) else "it is not Unicode"
        if isinstance(reason, bytes):
            reason = reason.decode("utf-8", "replace")
        raise ValueError(
            f"is not a regular expression that RE2 takes, which has no back-references "
            f"and no look-around: {reason}"
        ) from None


def isSecret(name: str) -> bool:
    """
    Whether what a field or parameter has to be is for nobody's eyes, by its name.
    """
    return _SECRET.search(name.lower()) is not None


def shown(name: str, texts: Iterable[str]) -> str:
    """
    What a field or parameter is held against, for people.

    @param name: Its name: a value that is a secret is not shown.
    """
    return "(hidden)" if isSecret(name) else " or ".join(map(repr, texts))
